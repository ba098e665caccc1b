// Package spf evaluates the Sender Policy Framework (RFC 7208): may this client
// send for that domain? It evaluates exactly, within bounds, and keeps every
// step, so that a person can be told which term decided and what broke.
package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// Value is a result of SPF in the words of RFC 7208 2.6 and RFC 8601 2.7.2.
type Value string

// The results (RFC 7208 2.6).
const (
	None      Value = "none"      // no policy, or no domain to have one
	Neutral   Value = "neutral"   // the domain says nothing about this client
	Pass      Value = "pass"      // the client may send for the domain
	Fail      Value = "fail"      // the client may not
	SoftFail  Value = "softfail"  // the client probably may not
	TempError Value = "temperror" // the DNS gave no answer; later it may
	PermError Value = "permerror" // the policy is broken
)

// String is the word itself.
func (v Value) String() string { return string(v) }

// Identity says whose policy was asked.
type Identity string

// The identities (RFC 7208 2.3, 2.4), in the words of Received-SPF (9.1).
const (
	MailFrom Identity = "mailfrom"
	HELO     Identity = "helo"
)

// Input is what the client said and where it is.
type Input struct {
	IP netip.Addr // the client; IPv4 in an IPv6 form is IPv4 (RFC 7208 5)
	// HELO is the argument of HELO or EHLO, as given: a name, a literal, junk.
	HELO string
	// MailFrom is the reverse-path without brackets, "" for the null sender
	// (RFC 7208 2.4: then it stands for postmaster@HELO). Quotes around the
	// local part may stay or go; they are removed before use.
	MailFrom string
	Receiver string    // our host name, for the macro r
	Now      time.Time // for the macro t
}

// Limits bound one evaluation. Zero fields mean the defaults.
type Limits struct {
	Lookups int           // terms that ask the DNS; 10 (RFC 7208 4.6.4)
	Voids   int           // of them, those answered with nothing; 2 (4.6.4)
	Time    time.Duration // for all; 20 s (4.6.4)
	Record  int           // octets of one record; 16384
	Terms   int           // of one record; 1024
	Explain int           // octets of the explanation; 500
	Steps   int           // kept in the trace, besides those that decide; 200
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p <= 0 {
			*p = v
		}
	}
	set(&l.Lookups, 10)
	set(&l.Voids, 2)
	set(&l.Record, 16384)
	set(&l.Terms, 1024)
	set(&l.Explain, 500)
	set(&l.Steps, 200)
	if l.Time <= 0 {
		l.Time = 20 * time.Second
	}
	return l
}

// maxName and maxList bound the names that one mx or ptr term leads to
// (RFC 7208 4.6.4).
const (
	maxMX  = 10
	maxPTR = 10
)

// maxArgument bounds the HELO name and the sender: more than SMTP allows
// (RFC 5321 4.5.3.1), and short enough for any macro.
const maxArgument = 512

// Result is what SPF found, and how. All its texts may hold what others wrote.
type Result struct {
	Result   Value
	Identity Identity
	Domain   string // whose policy was asked: normalized; as given where it is no domain
	Sender   string // the sender that was checked, local part and domain
	IP       netip.Addr
	// Mechanism is the term of Domain's record that decided, as written;
	// "default" where none matched (RFC 7208 9.1); "" without a policy.
	Mechanism string
	// Path leads from Domain's record to the term that decided or broke:
	// "include:_spf.example.net", "ip4:192.0.2.0/24".
	Path []string
	// Explanation is the domain's own text for a fail: printable US-ASCII
	// (RFC 7208 6.2). It comes from a stranger.
	Explanation string
	// Problem says in words what made none, temperror or permerror; "" otherwise.
	Problem string
	Lookups int // terms that asked the DNS
	Voids   int // of them, answered with nothing
	Trace   []Step
	Cut     bool // the trace lacks steps
}

// String is the result in one line for people: what it is, and which terms or
// what trouble made it so.
func (r Result) String() string {
	path := strings.Join(r.Path, ", ")
	if path == "" {
		path = "no term"
	}
	switch r.Result {
	case Pass:
		return fmt.Sprintf("pass: %s lists %s (%s)", r.Domain, r.IP, path)
	case Fail:
		return fmt.Sprintf("fail: %s forbids %s to send for it (%s)", r.Domain, r.IP, path)
	case SoftFail:
		return fmt.Sprintf("softfail: %s doesn't list %s, and says so with doubt (%s)", r.Domain, r.IP, path)
	case Neutral:
		return fmt.Sprintf("neutral: %s says nothing about %s (%s)", r.Domain, r.IP, path)
	}
	return string(r.Result) + ": " + r.Problem
}

// Step is one thing that the evaluation did: it fetched a record or evaluated a
// term.
type Step struct {
	Depth   int    // of includes; a redirect stays at its depth
	Domain  string // whose record
	Term    string // as written; "" where the record itself was fetched
	Query   string // what was asked of the DNS, "example.com MX"; "" for nothing
	Answer  string // what the DNS said, or the record; cut to a bound
	Outcome string // "match", "no match", "record", "explanation", "ignored", or a result
}

// Check evaluates the policy of the sender's domain for the client (RFC 7208 4).
// It always ends, asks the DNS at most about 130 questions, and never fails: what
// goes wrong is a result.
func Check(ctx context.Context, r dns.Resolver, in Input, lim Limits) Result {
	local, domain := split(in.MailFrom)
	if in.MailFrom == "" {
		domain = in.HELO // RFC 7208 2.4
	}
	return check(ctx, r, in, lim, MailFrom, local, domain)
}

// CheckHELO evaluates the policy of the name in HELO (RFC 7208 2.3), whoever the
// sender is.
func CheckHELO(ctx context.Context, r dns.Resolver, in Input, lim Limits) Result {
	return check(ctx, r, in, lim, HELO, "", in.HELO)
}

func check(ctx context.Context, r dns.Resolver, in Input, lim Limits, id Identity, local, domain string) Result {
	if local == "" {
		local = "postmaster" // RFC 7208 4.3
	}
	if len(in.HELO) > maxArgument {
		in.HELO = in.HELO[:maxArgument]
	}
	ip := in.IP.Unmap().WithZone("") // RFC 7208 5
	e := &evaluation{
		ctx: ctx, r: r, in: in, lim: lim.withDefaults(), ip: ip, local: local,
		res: Result{Result: None, Identity: id, IP: ip, Domain: said.Cut(domain, maxArgument)},
	}
	e.res.Sender = said.Cut(local, maxArgument) + "@" + e.res.Domain
	norm, why := initialDomain(domain)
	switch {
	case !e.ip.IsValid():
		why = "the client has no IP address"
	case len(local) > maxArgument:
		why = "the sender's local part is too long"
	}
	if why != "" { // RFC 7208 4.3
		e.res.Problem = why
		return e.res
	}
	e.domain, e.res.Domain, e.res.Sender = norm, norm, local+"@"+norm
	var cancel context.CancelFunc
	e.ctx, cancel = context.WithTimeout(ctx, e.lim.Time)
	defer cancel()
	return e.run()
}

// split cuts an address at its last "@" and takes the quotes off its local part
// (RFC 5321 4.1.2). Without "@" all of it is a domain (RFC 7208 4.3).
func split(addr string) (local, domain string) {
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return "", addr
	}
	return unquote(addr[:i]), addr[i+1:]
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// initialDomain is the domain to begin with, its U-labels turned into A-labels
// (RFC 8616 4), or why it can have no policy (RFC 7208 4.3).
func initialDomain(domain string) (norm, why string) {
	switch {
	case domain == "":
		return "", "there is no domain to ask"
	case domain[0] == '[':
		return "", "an address literal has no policy"
	}
	norm, err := dns.Normalize(domain)
	if err != nil {
		return "", "the domain name is malformed"
	}
	if !strings.Contains(norm, ".") || norm == "." {
		return "", "a name of one label has no policy"
	}
	return norm, ""
}
