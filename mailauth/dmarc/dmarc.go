// Package dmarc answers whether a message's author domain stands behind it: the
// policy record found by a tree walk, alignment of what SPF and DKIM proved with
// the author's domain, and what the domain's owner asks for (RFC 9989). It never
// asks for a rejection of its own: a published policy is one fact for the judge.
package dmarc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice/dns"
	"sluice/mailauth/author"
)

// Value is the outcome, in the words of RFC 8601 and 7489's registry.
type Value string

// The outcomes.
const (
	Pass      Value = "pass"      // an authenticated domain is aligned with the author's
	Fail      Value = "fail"      // none is, and a policy record applies
	None      Value = "none"      // no policy record: DMARC says nothing
	TempError Value = "temperror" // the DNS didn't answer and it matters
	PermError Value = "permerror" // no single author, or a record that can't be used
)

// SPF is what SPF found for the MAIL FROM identity (RFC 9989 4.4.2); with a null
// reverse-path that is postmaster at the HELO name (RFC 7208 2.4).
type SPF struct {
	Result string // RFC 8601 2.7.2: "pass", "fail", "temperror", …; "" not checked
	Domain string // the domain checked; hostile
}

// Signature is what DKIM found for one signature.
type Signature struct {
	Result   string // RFC 8601 2.7.1
	Domain   string // d=; hostile
	Selector string // s=; hostile
}

// Input is what an evaluation needs to know.
type Input struct {
	From author.Author
	SPF  SPF
	DKIM []Signature // at most 20 are looked at
}

const maxSignatures = 20

// Identifier is one domain that SPF or DKIM spoke of, and whether it is aligned.
type Identifier struct {
	Method   string // "spf" or "dkim"
	Result   string
	Domain   string // A-labels where it converts; hostile
	Selector string
	Strict   bool   // the mode that the record asks for
	Org      string // organizational domain, where it had to be known
	Aligned  bool   // the domain fits the author's; it counts only with Result "pass"
	Why      string // in short, for people
}

// Result is the outcome with everything that led to it.
type Result struct {
	Value  Value
	Why    string // a sentence for people; may hold hostile text
	Domain string // the author domain, in A-labels
	Org    string // its organizational domain; "" where it is unknown
	// Record is the policy record that applies and RecordAt the domain that
	// publishes it; nil and "" where none does.
	Record   *Record
	RecordAt string
	// Policy is what the record asks for mail of this author that fails, and Tag
	// the tag that says so: "p", "sp", "np", or "" where p=none stands in for a
	// broken record. Testing (t=y) is not applied to it.
	Policy  Policy
	Tag     string
	Testing bool
	// NonExistent says that the author domain doesn't exist; it is asked only
	// where the record's np tag makes a difference for a message that fails.
	NonExistent bool
	// Disposition is what the owner asks for this very message: the policy, one
	// level lower with t=y; none where the outcome isn't Fail. Whether to do so is
	// the receiver's decision (RFC 9989 5.4).
	Disposition Policy
	Identifiers []Identifier
	// Strictest is, for an unclear author, the strictest policy of all domains
	// that readers could see, and StrictestAt that domain (RFC 9989 11.5).
	Strictest   Policy
	StrictestAt string
	Trace       []Step
}

// Evaluate applies DMARC. Each tree walk asks at most eight names, none is asked
// twice, and all of an evaluation at most 64. The context's end is a TempError.
func Evaluate(ctx context.Context, r dns.Resolver, in Input) Result {
	e := &evaluation{walker: walker{r: r, answers: map[string]lookup{}}, in: in}
	e.run(ctx)
	e.res.Trace = e.trace
	return e.res
}

type evaluation struct {
	walker
	in  Input
	res Result
}

func (e *evaluation) run(ctx context.Context) {
	e.res.Disposition = PolicyNone
	domain, ok := e.in.From.AuthorDomain()
	if !ok {
		e.unclear(ctx)
		return
	}
	e.res.Domain = domain
	w := e.walk(ctx, domain)
	if w.err == nil {
		e.res.Org, _ = w.organization()
	}
	if !e.discover(&w) {
		return
	}
	temporary := e.align(ctx, &w)
	if e.res.Value == Pass {
		e.policy(false)
		return
	}
	if temporary != "" {
		e.res.Value, e.res.Why = TempError, temporary
		e.policy(false)
		return
	}
	if missing, err := e.missing(ctx); err != nil {
		e.res.Value, e.res.Why = TempError, fmt.Sprintf("whether %s exists is unknown: %v", domain, err)
		e.policy(false)
		return
	} else if missing {
		e.res.NonExistent = true
	}
	e.policy(e.res.NonExistent)
	e.res.Value = Fail
	e.res.Why = e.why()
	e.res.Disposition = e.res.Policy
	if e.res.Testing {
		e.res.Disposition = e.res.Policy.lower()
	}
}

// unclear answers for an author that isn't one domain. DMARC can't be applied
// (RFC 9989 5.3.1); the strictest policy among the candidates is worth knowing.
func (e *evaluation) unclear(ctx context.Context) {
	e.res.Value = PermError
	switch {
	case len(e.in.From.Domains) == 0 && e.in.From.Clear:
		e.res.Value, e.res.Why = None, "the author has no domain name"
		return
	case len(e.in.From.Domains) == 0:
		e.res.Why = "no author domain"
	case len(e.in.From.Domains) == 1:
		e.res.Why = "readers may see different authors"
	default:
		e.res.Why = "several author domains: " + strings.Join(e.in.From.Domains, ", ")
	}
	for _, d := range e.in.From.Domains {
		w := e.walk(ctx, d)
		if f := w.applies(); f != nil {
			p, _ := f.record.policyFor(d != f.domain, false)
			if e.res.StrictestAt == "" || p.rank() > e.res.Strictest.rank() {
				e.res.Strictest, e.res.StrictestAt = p, d
			}
		}
	}
}

// applies is the record for the domain at which the walk started (RFC 9989
// 4.10.1): its own, its organization's, its public suffix's.
func (w *walk) applies() *found {
	if f := w.at(w.start); f != nil {
		return f
	}
	org, psd := w.organization()
	if f := w.at(org); f != nil {
		return f
	}
	return w.at(psd)
}

// discover finds the policy record. It returns false where the outcome is known.
func (e *evaluation) discover(w *walk) bool {
	f := w.at(w.start)
	switch {
	case f == nil && w.err != nil:
		e.res.Value, e.res.Why = TempError, fmt.Sprintf("_dmarc.%s: %v", w.errName, w.err)
		return false
	case f == nil:
		f = w.applies()
	}
	if f == nil {
		e.res.Value, e.res.Why = None, "no policy record for "+w.start
		return false
	}
	e.res.Record, e.res.RecordAt, e.res.Testing = &f.record, f.domain, f.record.Testing
	if f.record.policyBroken && len(f.record.Aggregate) == 0 {
		// RFC 9989 4.10.1: without a valid policy and an address for reports, DMARC
		// isn't applied.
		e.res.Value, e.res.Why = PermError, fmt.Sprintf("the record at %s has no valid policy", f.domain)
		return false
	}
	return true
}

// policyFor is the policy for a name below the record's domain, or for the domain
// itself, and its tag.
func (r *Record) policyFor(sub, missing bool) (Policy, string) {
	switch {
	case r.policyBroken: // RFC 9989 4.10.1: as if p=none
		return PolicyNone, ""
	case sub && missing && r.NP != "":
		return r.NP, "np"
	case sub && r.SP != "":
		return r.SP, "sp"
	}
	return r.P, "p"
}

func (e *evaluation) policy(missing bool) {
	e.res.Policy, e.res.Tag = e.res.Record.policyFor(e.res.RecordAt != e.res.Domain, missing)
}

// missing says whether the author domain doesn't exist, where that matters.
func (e *evaluation) missing(ctx context.Context) (bool, error) {
	rec := e.res.Record
	if e.res.RecordAt == e.res.Domain || rec.NP == "" || rec.policyBroken {
		return false, nil
	}
	if there, _ := rec.policyFor(true, false); there == rec.NP {
		return false, nil
	}
	exists, err := e.exists(ctx, e.res.Domain)
	return !exists && err == nil, err
}

// align looks at every authenticated domain and sets the outcome to Pass where
// one is aligned. temporary says what kept it from finding out otherwise.
func (e *evaluation) align(ctx context.Context, w *walk) (temporary string) {
	ids := []Identifier{{Method: "spf", Result: e.in.SPF.Result, Domain: e.in.SPF.Domain, Strict: e.res.Record.StrictSPF}}
	for _, s := range e.in.DKIM[:min(len(e.in.DKIM), maxSignatures)] {
		ids = append(ids, Identifier{Method: "dkim", Result: s.Result, Domain: s.Domain, Selector: s.Selector, Strict: e.res.Record.StrictDKIM})
	}
	for i := range ids {
		id := &ids[i]
		err := e.alignOne(ctx, w, id)
		switch {
		case err != nil && id.Result == "pass":
			temporary = err.Error()
		case id.Aligned && id.Result == "pass" && e.res.Value != Pass:
			e.res.Value = Pass
			e.res.Why = fmt.Sprintf("%s=pass for %s, %s", id.Method, id.Domain, id.Why)
		case id.Aligned && id.Result == "temperror":
			temporary = fmt.Sprintf("%s for %s could not be checked", id.Method, id.Domain)
		}
	}
	e.res.Identifiers = slices.DeleteFunc(ids, func(id Identifier) bool { return id.Domain == "" && id.Result == "" })
	return temporary
}

// alignOne decides whether one domain is aligned (RFC 9989 4.4, 4.10.2). An error
// means that it can't be known.
func (e *evaluation) alignOne(ctx context.Context, w *walk, id *Identifier) error {
	name, err := dns.Normalize(id.Domain)
	if err != nil || name == "." {
		id.Why = "no domain name"
		return nil
	}
	id.Domain = name
	switch {
	case name == e.res.Domain:
		id.Aligned, id.Why = true, "the author's domain"
		return nil
	case id.Strict:
		id.Why = "not the very domain that strict alignment asks for"
		return nil
	case id.Result != "pass" && id.Result != "temperror":
		// Whether it would be aligned isn't worth a walk.
		id.Why = "not authenticated"
		if e.res.Org != "" && (name == e.res.Org || strings.HasSuffix(name, "."+e.res.Org)) {
			id.Why = "not authenticated, though within " + e.res.Org
		}
		return nil
	case w.err != nil:
		id.Why = "the author's organizational domain is unknown"
		return fmt.Errorf("_dmarc.%s: %w", w.errName, w.err)
	case name != e.res.Org && !strings.HasSuffix(name, "."+e.res.Org):
		// An organizational domain is the name itself or above it: no walk needed.
		id.Why = "outside " + e.res.Org
		return nil
	}
	other := e.walk(ctx, name)
	if other.err != nil {
		id.Why = "its organizational domain is unknown"
		return fmt.Errorf("_dmarc.%s: %w", other.errName, other.err)
	}
	id.Org, _ = other.organization()
	if id.Aligned = id.Org == e.res.Org; id.Aligned {
		id.Why = "of the same organization, " + id.Org
	} else {
		id.Why = "of another organization, " + id.Org
	}
	return nil
}

// why says in a sentence why nothing was aligned.
func (e *evaluation) why() string {
	var parts []string
	for _, id := range e.res.Identifiers {
		switch {
		case id.Result == "pass":
			parts = append(parts, fmt.Sprintf("%s=pass for %s is %s", id.Method, id.Domain, id.Why))
		case id.Aligned:
			parts = append(parts, fmt.Sprintf("%s=%s for %s", id.Method, id.Result, id.Domain))
		}
		if len(parts) == 4 {
			break
		}
	}
	if len(parts) == 0 {
		return "neither SPF nor DKIM passed for " + e.res.Domain
	}
	return strings.Join(parts, "; ")
}
