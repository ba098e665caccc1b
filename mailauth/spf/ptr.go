package spf

import (
	"slices"
	"strings"

	"sluice/dns"
	"sluice/mailauth/internal/said"
)

// names are the client's PTR names, asked for once for all terms and macros.
type names struct {
	err  error // of the PTR lookup
	list []name
}

type name struct {
	host    string
	checked bool
	valid   bool // it leads back to the client
}

// reverse asks for the client's names; at most ten count (RFC 7208 4.6.4).
func (e *evaluation) reverse() *names {
	if e.names != nil {
		return e.names
	}
	e.names = &names{}
	hosts, err := dns.LookupPTR(e.ctx, e.r, e.ip)
	e.names.err = err
	if err != nil {
		return e.names
	}
	for _, h := range hosts[:min(len(hosts), maxPTR)] {
		e.names.list = append(e.names.list, name{host: h})
	}
	return e.names
}

// confirm says whether a name leads back to the client. A name that can't be
// looked up is skipped (RFC 7208 5.5).
func (e *evaluation) confirm(n *name) bool {
	if !n.checked {
		n.checked = true
		ans, err := e.r.Lookup(e.ctx, n.host, e.addressType())
		n.valid = err == nil && slices.ContainsFunc(ans.Records, func(r dns.Record) bool { return r.Addr.Unmap() == e.ip })
	}
	return n.valid
}

// pointer is the mechanism ptr (RFC 7208 5.5). Only names that would match are
// looked up, which gives the same answer with fewer questions.
func (e *evaluation) pointer(i int, target string) (bool, error) {
	e.res.Trace[i].Query = dns.Reverse(e.ip) + " PTR"
	p := e.reverse()
	if p.err != nil { // RFC 7208 5.5: an error there is no match
		e.res.Trace[i].Answer = said.Error(p.err)
		if dns.NotFound(p.err) {
			return false, e.void(i)
		}
		return false, nil
	}
	shown := make([]string, len(p.list))
	match := false
	for j := range p.list {
		n := &p.list[j]
		shown[j] = n.host
		if !match && below(n.host, target) {
			match = e.confirm(n)
		}
		if n.checked && !n.valid {
			shown[j] += " (doesn't lead back)"
		}
	}
	e.res.Trace[i].Answer = said.Cut(strings.Join(shown, ", "), said.Max)
	return match, nil
}

// below says whether host is domain or ends in it (RFC 7208 5.5).
func below(host, domain string) bool {
	rest, ok := strings.CutSuffix(host, domain)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// clientName is the macro p: a confirmed name of the client, best one of the
// domain, or "unknown" (RFC 7208 7.3). Its lookup counts as a term's, but not
// behind the evaluation, in an explanation (4.6.4).
func (e *evaluation) clientName(domain string, in place) (string, error) {
	if e.names == nil && in == inRecord {
		if err := e.count("%{p}", domain); err != nil {
			return "", err
		}
	}
	list := e.reverse().list
	for _, fits := range []func(host string) bool{
		func(host string) bool { return host == domain },
		func(host string) bool { return below(host, domain) },
		func(string) bool { return true },
	} {
		for j := range list {
			if fits(list[j].host) && e.confirm(&list[j]) {
				return list[j].host, nil
			}
		}
	}
	return "unknown", nil
}
