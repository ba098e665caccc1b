package spf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// evaluation is one call of check_host() with all it leads to (RFC 7208 4).
type evaluation struct {
	ctx    context.Context
	r      dns.Resolver
	in     Input
	lim    Limits
	ip     netip.Addr // unmapped
	local  string     // of the sender
	domain string     // of the sender
	res    Result
	names  *names // of the client, once asked
	last   *record
	lastOf string // the domain of last
}

// broken ends an evaluation: temperror or permerror, and why.
type broken struct {
	value Value
	why   string
}

func (b *broken) Error() string { return string(b.value) + ": " + b.why }

func permanent(format string, args ...any) error {
	return &broken{PermError, fmt.Sprintf(format, args...)}
}

// verdict is what the policy of one domain says.
type verdict struct {
	value Value
	term  string   // the directive that matched, as written; "default" for none
	path  []string // to the term that decided or broke
	why   string   // of none, temperror, permerror
}

func (e *evaluation) run() Result {
	v := e.host(e.domain, 0)
	e.res.Result, e.res.Mechanism, e.res.Path, e.res.Problem = v.value, v.term, v.path, v.why
	if v.value == Fail && e.last.expText != "" { // RFC 7208 6.2
		e.explain()
	}
	return e.res
}

// host is check_host() for one domain and what it redirects to.
func (e *evaluation) host(domain string, depth int) verdict {
	var path []string
	stop := func(err error) verdict {
		v := verdict{path: path, value: TempError, why: err.Error()}
		if b, ok := errors.AsType[*broken](err); ok {
			v.value, v.why = b.value, b.why
		}
		return v
	}
	for {
		rec, v := e.fetch(domain, depth)
		if rec == nil {
			if v.value == None && len(path) > 0 { // RFC 7208 6.1
				v.value, v.why = PermError, fmt.Sprintf("%s leads to a domain without a policy: %s", path[len(path)-1], v.why)
			}
			v.path = path
			return v
		}
		for i := range rec.directives {
			d := &rec.directives[i]
			match, below, err := e.directive(d, domain, depth)
			if err != nil {
				path = append(append(path, d.text), below...)
				return stop(err)
			}
			if match {
				return verdict{value: d.qualifier, term: d.text, path: append(append(path, d.text), below...)}
			}
		}
		if rec.redirectText == "" { // RFC 7208 4.7
			return verdict{value: Neutral, term: "default", path: path}
		}
		path = append(path, rec.redirectText)
		next, err := e.redirect(rec, domain, depth)
		if err != nil {
			return stop(err)
		}
		domain = next
	}
}

// redirect is the domain whose record takes the place of this one (RFC 7208
// 6.1).
func (e *evaluation) redirect(rec *record, domain string, depth int) (string, error) {
	i := e.step(Step{Depth: depth, Domain: domain, Term: rec.redirectText})
	err := e.count(rec.redirectText, domain)
	if err != nil {
		return "", e.end(i, err)
	}
	next, ok, err := e.target(rec.redirect, domain)
	if err == nil && !ok {
		err = permanent("%q in the record of %s gives no domain name: %q", rec.redirectText, domain, said.Cut(next, maxDomain))
	}
	if err != nil {
		return "", e.end(i, err)
	}
	e.res.Trace[i].Outcome = "goes to " + next
	return next, nil
}

// fetch gets and reads a domain's record (RFC 7208 4.4, 4.5, 4.6). Without a
// record the verdict says why.
func (e *evaluation) fetch(domain string, depth int) (*record, verdict) {
	i := e.step(Step{Depth: depth, Domain: domain, Query: domain + " TXT"})
	fail := func(v Value, format string, args ...any) (*record, verdict) {
		e.res.Trace[i].Outcome = string(v)
		return nil, verdict{value: v, why: fmt.Sprintf(format, args...)}
	}
	txts, err := dns.LookupTXT(e.ctx, e.r, domain)
	if err != nil {
		said := said.Error(err)
		e.res.Trace[i].Answer = said
		if dns.NotFound(err) { // RFC 7208 4.3, 4.5
			return fail(None, "%s has no SPF record: %s", domain, said)
		}
		return fail(TempError, "the SPF record of %s can't be had now: %s", domain, said) // 4.4
	}
	var txt string
	n := 0
	for _, t := range txts {
		if isRecord(t) {
			if n++; n == 1 {
				txt = t
			}
		}
	}
	switch {
	case n == 0:
		e.res.Trace[i].Answer = fmt.Sprintf("%d TXT records, none of SPF", len(txts))
		return fail(None, "%s has no SPF record", domain)
	case n > 1: // RFC 7208 4.5
		e.res.Trace[i].Answer = fmt.Sprintf("%d SPF records", n)
		return fail(PermError, "%s has %d SPF records; one is allowed", domain, n)
	}
	e.res.Trace[i].Answer = said.Cut(txt, said.Max)
	rec, err := parse(txt, e.lim)
	if err != nil { // RFC 7208 4.6
		return fail(PermError, "the SPF record of %s is broken: %v", domain, err)
	}
	e.res.Trace[i].Outcome = "record"
	if depth == 0 {
		e.last, e.lastOf = rec, domain
	}
	return rec, verdict{}
}

// directive evaluates one mechanism. below is the path inside an include.
func (e *evaluation) directive(d *directive, domain string, depth int) (match bool, below []string, err error) {
	if !d.kind.asks() {
		match = d.kind == all || d.network.Contains(e.ip)
		s := Step{Depth: depth, Domain: domain, Term: d.text, Outcome: outcome(match, d.qualifier)}
		// A record may list a thousand networks.
		if match || len(e.res.Trace) < e.lim.Steps {
			e.step(s)
		} else {
			e.res.Cut = true
		}
		return match, nil, nil
	}
	i := e.step(Step{Depth: depth, Domain: domain, Term: d.text})
	if err := e.count(d.text, domain); err != nil {
		return false, nil, e.end(i, err)
	}
	name, ok, err := e.target(d.target, domain)
	switch {
	case err != nil:
	case d.kind == include:
		if !ok { // RFC 7208 5.2: no policy can be there
			err = permanent("%q in the record of %s gives no domain name: %q", d.text, domain, said.Cut(name, maxDomain))
			break
		}
		match, below, err = e.include(name, d.text, domain, depth)
	case !ok:
		// RFC 7208 4.8 leaves it open; nothing can be listed under such a name.
		e.res.Trace[i].Answer = fmt.Sprintf("%q is no domain name", said.Cut(name, maxDomain))
	case d.kind == a:
		match, err = e.addresses(i, d, name)
	case d.kind == mx:
		match, err = e.exchangers(i, d, name)
	case d.kind == ptr:
		match, err = e.pointer(i, name)
	case d.kind == exists:
		match, err = e.exists(i, d, name)
	}
	if err != nil {
		return false, below, e.end(i, err)
	}
	e.res.Trace[i].Outcome = outcome(match, d.qualifier)
	return match, below, nil
}

func outcome(match bool, v Value) string {
	if match {
		return "match: " + string(v)
	}
	return "no match"
}

// include asks another domain's policy: it matches where that passes (RFC 7208
// 5.2).
func (e *evaluation) include(name, text, domain string, depth int) (match bool, below []string, err error) {
	v := e.host(name, depth+1) // at most Lookups deep: each include counts
	switch v.value {
	case Pass:
		return true, v.path, nil
	case None:
		return false, v.path, permanent("%q in the record of %s leads to a domain without a policy: %s", text, domain, v.why)
	case TempError, PermError:
		return false, v.path, &broken{v.value, v.why}
	}
	return false, nil, nil
}

// count takes one from the terms that may ask the DNS (RFC 7208 4.6.4), and
// looks whether time is left.
func (e *evaluation) count(text, domain string) error {
	if e.ctx.Err() != nil { // RFC 7208 4.6.4
		return &broken{TempError, "the evaluation takes too long"}
	}
	if e.res.Lookups >= e.lim.Lookups {
		return permanent("more than %d terms ask the DNS; %q in the record of %s is one too many", e.lim.Lookups, text, domain)
	}
	e.res.Lookups++
	return nil
}

// void counts a term that the DNS answers with nothing (RFC 7208 4.6.4). The
// address lookups of one mx or ptr term have their own bound and don't count.
func (e *evaluation) void(i int) error {
	e.res.Voids++
	if e.res.Voids > e.lim.Voids {
		return permanent("more than %d terms name what isn't in the DNS; %q in the record of %s is one too many", e.lim.Voids, e.res.Trace[i].Term, e.res.Trace[i].Domain)
	}
	return nil
}

// ask looks up one type for a term and writes it down. An answer with nothing
// is no error; it is counted.
func (e *evaluation) ask(i int, name string, t dns.Type) (dns.Answer, error) {
	e.res.Trace[i].Query = name + " " + t.String()
	ans, err := e.r.Lookup(e.ctx, name, t)
	switch {
	case err == nil && len(ans.Records) > 0:
		e.res.Trace[i].Answer = said.Records(ans.Records)
		return ans, nil
	case err == nil:
		err = dns.ErrNoData
		fallthrough
	case dns.NotFound(err):
		e.res.Trace[i].Answer = said.Error(err)
		return dns.Answer{}, e.void(i)
	}
	e.res.Trace[i].Answer = said.Error(err)
	return dns.Answer{}, e.unanswered(i, name, t, err)
}

// unanswered is the end where a server fails (RFC 7208 5).
func (e *evaluation) unanswered(i int, name string, t dns.Type, err error) error {
	s := &e.res.Trace[i]
	return &broken{TempError, fmt.Sprintf("%q in the record of %s can't be evaluated: %s %s: %s", s.Term, s.Domain, name, t, said.Error(err))}
}

// addressType is the type of the client's own family (RFC 7208 5).
func (e *evaluation) addressType() dns.Type {
	if e.ip.Is4() {
		return dns.A
	}
	return dns.AAAA
}

// within says whether the client is in one of the networks around the
// addresses.
func (e *evaluation) within(records []dns.Record, d *directive) bool {
	bits := d.bits6
	if e.ip.Is4() {
		bits = d.bits4
	}
	for i := range records {
		if p, err := records[i].Addr.Prefix(bits); err == nil && p.Contains(e.ip) {
			return true
		}
	}
	return false
}

// addresses is the mechanism a (RFC 7208 5.3).
func (e *evaluation) addresses(i int, d *directive, name string) (bool, error) {
	ans, err := e.ask(i, name, e.addressType())
	return err == nil && e.within(ans.Records, d), err
}

// exists is the mechanism exists: any A record, whatever the client's family
// (RFC 7208 5.7).
func (e *evaluation) exists(i int, _ *directive, name string) (bool, error) {
	ans, err := e.ask(i, name, dns.A)
	return len(ans.Records) > 0, err
}

// exchangers is the mechanism mx (RFC 7208 5.4). The best ten hosts are looked
// up; where none of them matches and there are more, the limit of RFC 7208 4.6.4
// is passed.
func (e *evaluation) exchangers(i int, d *directive, name string) (bool, error) {
	ans, err := e.ask(i, name, dns.MX)
	if err != nil {
		return false, err
	}
	hosts := slices.Clone(ans.Records)
	slices.SortStableFunc(hosts, func(a, b dns.Record) int { return cmp.Compare(a.Pref, b.Pref) })
	for n, r := range hosts {
		if n == maxMX {
			return false, permanent("%q in the record of %s leads to %d MX hosts; %d are allowed", d.text, e.res.Trace[i].Domain, len(hosts), maxMX)
		}
		if r.Host == "." || r.Host == "" { // RFC 7505 3
			continue
		}
		addrs, err := e.r.Lookup(e.ctx, r.Host, e.addressType())
		if err != nil && !dns.NotFound(err) {
			return false, e.unanswered(i, r.Host, e.addressType(), err)
		}
		if err != nil {
			e.add(i, r.Host+": "+said.Error(err))
			continue
		}
		e.add(i, r.Host+": "+said.Records(addrs.Records))
		if e.within(addrs.Records, d) {
			return true, nil
		}
	}
	return false, nil
}

// explain fetches and expands the explanation of a fail. Whatever goes wrong
// there is no explanation, and nothing else changes (RFC 7208 6.2).
func (e *evaluation) explain() {
	rec, domain := e.last, e.lastOf
	i := e.step(Step{Domain: domain, Term: rec.expText})
	s := &e.res.Trace[i]
	ignore := func(why string) { s.Outcome, s.Answer = "ignored", said.Cut(why, said.Max) }
	name, ok, err := e.target(rec.exp, domain)
	if err != nil || !ok {
		ignore("it gives no domain name")
		return
	}
	s.Query = name + " TXT"
	txts, err := dns.LookupTXT(e.ctx, e.r, name)
	switch {
	case err != nil:
		ignore(said.Error(err))
		return
	case len(txts) != 1:
		ignore(fmt.Sprintf("%d TXT records; one is allowed", len(txts)))
		return
	case len(txts[0]) > e.lim.Record:
		ignore("the text is too long")
		return
	}
	m, err := parseMacros(txts[0], inExplanation)
	if err != nil {
		ignore(err.Error())
		return
	}
	text, err := e.text(m, domain)
	if err != nil {
		ignore(err.Error())
		return
	}
	if c, ok := visible(text, inExplanation); !ok { // a local part may hold anything
		ignore(fmt.Sprintf("it would hold the octet 0x%02x", c))
		return
	}
	s.Outcome, s.Answer = "explanation", said.Cut(text, said.Max)
	e.res.Explanation = text
}

// step appends to the trace and returns the index.
func (e *evaluation) step(s Step) int {
	e.res.Trace = append(e.res.Trace, s)
	return len(e.res.Trace) - 1
}

// add appends to a step's answer.
func (e *evaluation) add(i int, s string) {
	p := &e.res.Trace[i].Answer
	*p = said.Cut(*p+"; "+s, said.Max)
}

// end writes an error's result into a step and passes it on.
func (e *evaluation) end(i int, err error) error {
	e.res.Trace[i].Outcome = string(TempError)
	if b, ok := errors.AsType[*broken](err); ok {
		e.res.Trace[i].Outcome = string(b.value)
	}
	return err
}
