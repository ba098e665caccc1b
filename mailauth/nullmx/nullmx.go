// Package nullmx asks whether a sender's domain can receive mail: whether it
// exists, has hosts for mail, or says by a null MX that it neither takes nor
// sends any (RFC 7505).
package nullmx

import (
	"context"
	"errors"
	"strings"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// Answer is what the DNS says of a domain as a place for replies.
type Answer string

// The answers.
const (
	Hosts    Answer = "hosts"    // it has MX records
	Address  Answer = "address"  // none, but an address, which then takes its mail (RFC 5321 5.1)
	Null     Answer = "null"     // a null MX: no mail to it, and none from it (RFC 7505 4.2)
	Nothing  Answer = "nothing"  // the name exists without MX and address
	NXDomain Answer = "nxdomain" // the name doesn't exist
	Bad      Answer = "bad"      // it is no domain name
	Unknown  Answer = "unknown"  // the DNS gave no answer; later it may
)

// String is the word itself.
func (a Answer) String() string { return string(a) }

// Result is the answer and what it rests on.
type Result struct {
	Answer Answer
	Domain string   // normalized; as given where it is no domain name
	Hosts  []string // of the MX records, best first, without a null MX; at most 10
	// Mixed says that a null MX stands beside others, which RFC 7505 3 forbids;
	// the others count.
	Mixed   bool
	Problem string // in words, of bad and unknown; "" otherwise
	Trace   []Step
}

// Step is one question.
type Step struct {
	Query  string // "example.com MX"
	Answer string
}

// maxHosts bounds what is kept.
const maxHosts = 10

// Sender asks for the domain of a sender's address. It asks at most three
// questions.
func Sender(ctx context.Context, r dns.Resolver, domain string) Result {
	res := Result{Domain: domain}
	name, err := dns.Normalize(domain)
	if err != nil || name == "." || strings.HasPrefix(name, "[") {
		res.Answer, res.Problem = Bad, "not a domain name"
		return res
	}
	res.Domain = name
	q := question{ctx, r, &res}
	mx, found, err := q.ask(dns.MX)
	switch {
	case err != nil:
		return res
	case found:
		return res.exchangers(mx)
	case res.Answer == NXDomain:
		return res
	}
	for _, t := range []dns.Type{dns.A, dns.AAAA} {
		_, found, err := q.ask(t)
		if found {
			res.Answer, res.Problem = Address, ""
			return res
		}
		if err == nil && res.Answer == NXDomain { // a server that contradicts itself
			return res
		}
	}
	if res.Answer != Unknown {
		res.Answer = Nothing
	}
	return res
}

func (res Result) exchangers(mx []dns.Record) Result {
	null := false
	for _, r := range mx {
		switch {
		case r.Host == "." || r.Host == "": // RFC 7505 3
			null = true
		case len(res.Hosts) < maxHosts:
			res.Hosts = append(res.Hosts, r.Host)
		}
	}
	res.Answer, res.Mixed = Hosts, null && len(res.Hosts) > 0
	if null && !res.Mixed {
		res.Answer = Null
	}
	return res
}

type question struct {
	ctx context.Context
	r   dns.Resolver
	res *Result
}

// ask looks one type up and writes it down. Where there is nothing it sets the
// answer to NXDomain, or to Unknown with an error.
func (q question) ask(t dns.Type) (records []dns.Record, found bool, err error) {
	var ans dns.Answer
	if t == dns.MX {
		ans.Records, err = dns.LookupMX(q.ctx, q.r, q.res.Domain)
	} else {
		ans, err = q.r.Lookup(q.ctx, q.res.Domain, t)
	}
	step := Step{Query: q.res.Domain + " " + t.String()}
	defer func() { q.res.Trace = append(q.res.Trace, step) }()
	switch {
	case err == nil && len(ans.Records) > 0:
		step.Answer = said.Records(ans.Records)
		return ans.Records, true, nil
	case err == nil:
		err = dns.ErrNoData // a resolver that breaks its promise
	}
	step.Answer = said.Error(err)
	if dns.NotFound(err) {
		if errors.Is(err, dns.ErrNXDomain) {
			q.res.Answer, q.res.Problem = NXDomain, ""
		}
		return nil, false, nil
	}
	q.res.Answer, q.res.Problem = Unknown, step.Query+": "+step.Answer
	return nil, false, err
}
