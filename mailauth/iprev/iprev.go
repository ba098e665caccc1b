// Package iprev looks at a client's reverse DNS: whether its address has names,
// whether one leads back to it (RFC 8601 3), and whether the name is one that a
// provider gives to a whole pool of addresses.
package iprev

import (
	"context"
	"net/netip"
	"slices"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// Value is a result of the method iprev (RFC 8601 2.7.3).
type Value string

// The results.
const (
	Pass      Value = "pass"      // a name leads back to the address
	Fail      Value = "fail"      // there are names, and none leads back
	TempError Value = "temperror" // the DNS gave no answer; later it may
	PermError Value = "permerror" // the address has no name
)

// String is the word itself.
func (v Value) String() string { return string(v) }

// Class is how far the client's name can be relied on.
type Class string

// The classes.
const (
	Unknown     Class = "unknown"     // the DNS gave no answer
	NoName      Class = "none"        // no PTR record
	Unconfirmed Class = "unconfirmed" // names, but none leads back
	Confirmed   Class = "confirmed"
)

// String is the word itself.
func (c Class) String() string { return string(c) }

// maxNames is how many names are looked up (RFC 8601 3 asks for a bound; RFC
// 7208 4.6.4 sets this one).
const maxNames = 10

// Result is what the reverse DNS says, and how.
type Result struct {
	Result Value
	Class  Class
	IP     netip.Addr
	Names  []string // of the PTR records, as the DNS gives them; at most 10
	More   int      // names beyond these, not looked at
	// Confirmed are the names that lead back; Name is the first of them that
	// isn't generic, or else the first.
	Confirmed []string
	Name      string
	// Generic is what kind of name Name is; without a confirmed name, the first
	// of Names.
	Generic Generic
	Problem string // in words, of all but pass
	Trace   []Step
}

// Step is one question.
type Step struct {
	Query   string // "1.2.0.192.in-addr.arpa PTR"
	Answer  string
	Outcome string // "names", "confirmed", "doesn't lead back", "no name", "no answer"
}

// Check asks for the client's names and looks each up. It asks at most 11
// questions. An address in IPv4-mapped form is the IPv4 address.
func Check(ctx context.Context, r dns.Resolver, ip netip.Addr) Result {
	ip = ip.Unmap().WithZone("")
	res := Result{IP: ip}
	if !ip.IsValid() {
		res.Result, res.Class, res.Problem = PermError, NoName, "the client has no IP address"
		return res
	}
	query := dns.Reverse(ip) + " PTR"
	names, err := dns.LookupPTR(ctx, r, ip)
	if err == nil && len(names) == 0 {
		err = dns.ErrNoData // a resolver that breaks its promise
	}
	if err != nil {
		step := Step{query, said.Error(err), "no name"}
		res.Result, res.Class = PermError, NoName
		if dns.Temporary(err) {
			step.Outcome = "no answer"
			res.Result, res.Class = TempError, Unknown
		}
		res.Problem = query + ": " + step.Answer
		res.Trace = append(res.Trace, step)
		return res
	}
	res.Names = names[:min(len(names), maxNames)]
	res.More = len(names) - len(res.Names)
	res.Trace = append(res.Trace, Step{query, said.Names(names), "names"})
	unanswered := ""
	for _, name := range res.Names {
		s, err := res.confirm(ctx, r, name)
		if dns.Temporary(err) {
			unanswered = s.Query + ": " + s.Answer
		}
		res.Trace = append(res.Trace, s)
	}
	res.conclude(unanswered)
	return res
}

// confirm looks a name up in the client's own family of addresses.
func (res *Result) confirm(ctx context.Context, r dns.Resolver, name string) (Step, error) {
	t := dns.AAAA
	if res.IP.Is4() {
		t = dns.A
	}
	s := Step{Query: name + " " + t.String(), Outcome: "doesn't lead back"}
	ans, err := r.Lookup(ctx, name, t)
	if err != nil {
		s.Answer = said.Error(err)
		if dns.Temporary(err) {
			s.Outcome = "no answer"
		}
		return s, err
	}
	s.Answer = said.Records(ans.Records)
	if slices.ContainsFunc(ans.Records, func(r dns.Record) bool { return r.Addr.Unmap() == res.IP }) {
		s.Outcome = "confirmed"
		res.Confirmed = append(res.Confirmed, name)
	}
	return s, nil
}

// conclude draws the result from the names looked up.
func (res *Result) conclude(unanswered string) {
	switch {
	case len(res.Confirmed) > 0:
		res.Result, res.Class = Pass, Confirmed
		for _, name := range res.Confirmed {
			if g := Classify(name, res.IP); g.Kind == "" {
				res.Name = name
				return
			}
		}
		res.Name = res.Confirmed[0]
		res.Generic = Classify(res.Name, res.IP)
		return
	case unanswered != "": // nothing may be concluded
		res.Result, res.Class, res.Problem = TempError, Unknown, unanswered
	default:
		res.Result, res.Class, res.Problem = Fail, Unconfirmed, "no name of "+res.IP.String()+" leads back to it"
	}
	res.Generic = Classify(res.Names[0], res.IP)
}
