package mailauth

import (
	"strings"

	"sluice"
	"sluice/dns"
	"sluice/mailauth/arc"
	"sluice/mailauth/authres"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/signature"
	"sluice/mailauth/spf"
	"sluice/message"
	"sluice/message/links"
)

// Upstream returns the results of a trusted upstream, or nil. Fields that came
// from anybody else prove nothing.
func (a *Auth) Upstream(m *message.Message) *authres.Field {
	if !a.InTransaction() || len(a.v.cfg.Upstream.IDs) == 0 || m == nil {
		return nil
	}
	if ok := a.v.cfg.TrustedClient; ok != nil && !ok(a.ip()) {
		return nil
	}
	return a.up.get(func() *authres.Field {
		fields := authres.Trusted(m.Header(), a.v.cfg.Upstream)
		if len(fields) == 0 {
			return nil
		}
		all := fields[0]
		for _, f := range fields[1:] {
			all.Results = append(all.Results, f.Results...)
		}
		return &all
	})
}

// UpstreamSPF is the upstream's word on SPF; ok is false where it says nothing.
func (a *Auth) UpstreamSPF(m *message.Message) (r spf.Result, ok bool) {
	f := a.Upstream(m)
	if f == nil {
		return r, false
	}
	s := f.Get("spf")
	if s == nil {
		return r, false
	}
	domain := s.Prop("smtp", "mailfrom")
	if d := sluice.DomainOf(domain); d != "" {
		domain = d
	}
	if domain == "" {
		domain = s.Prop("smtp", "helo")
	}
	return spf.Result{Result: spf.Value(s.Value), Identity: spf.MailFrom, Domain: domain, Problem: "as " + f.ID + " says"}, true
}

func upstreamDKIM(f *authres.Field) []dkim.Result {
	var out []dkim.Result
	for i := range f.Results {
		r := &f.Results[i]
		if r.Method != "dkim" || r.Value == "none" {
			continue
		}
		d := r.Prop("header", "d")
		if d == "" {
			d = sluice.DomainOf(r.Prop("header", "i"))
		}
		one := dkim.Result{Status: dkim.Status(r.Value), Domain: strings.ToLower(strings.TrimPrefix(d, "@")),
			Selector: r.Prop("header", "s"), Problem: r.Reason, BodyLength: -1, FromSigned: true}
		// RFC 8301 3.1: some upstreams still let SHA-1 pass.
		if a := strings.ToLower(r.Prop("header", "a")); a == "rsa-sha1" && one.Status == dkim.Pass {
			one.Status, one.Cause, one.Problem = dkim.Policy, signature.SHA1, "SHA-1 is no longer acceptable"
		}
		out = append(out, one)
	}
	return out
}

// upstreamDMARC takes the upstream's outcome, and finds what is aligned by the
// public suffix list, since the records of that time are gone.
func (a *Auth) upstreamDMARC(f *authres.Field, m *message.Message) dmarc.Result {
	from := a.Author(m)
	out := dmarc.Result{Value: dmarc.None, Domain: from.Domain, Why: "as " + f.ID + " says"}
	if from.Domain != "" {
		out.Org = links.OrgDomain(from.Domain)
	}
	if r := f.Get("dmarc"); r != nil {
		switch v := dmarc.Value(r.Value); v {
		case dmarc.Pass, dmarc.Fail, dmarc.TempError, dmarc.PermError:
			out.Value = v
		}
		switch p := strings.ToLower(r.Prop("policy", "published-domain-policy") + r.Prop("", "p")); p {
		case "reject", "quarantine":
			out.Policy, out.Disposition = dmarc.Policy(p), dmarc.Policy(p)
		}
	}
	if s, ok := a.UpstreamSPF(m); ok {
		out.Identifiers = append(out.Identifiers, identifier("spf", string(s.Result), s.Domain, "", out.Org))
	}
	for _, d := range upstreamDKIM(f) {
		out.Identifiers = append(out.Identifiers, identifier("dkim", string(d.Status), d.Domain, d.Selector, out.Org))
	}
	if out.Value == dmarc.Pass && !from.Clear {
		out.Value, out.Why = dmarc.PermError, "no single author, whatever "+f.ID+" says"
	}
	return out
}

// withoutPolicy lists who SPF and DKIM speak of where there is no policy record that
// could be applied, or none could be had: most domains sign before they have one, and
// a signature of the author's organization is the author's own. A greeting's SPF is
// left out, for nobody is aligned by it without a policy.
func (a *Auth) withoutPolicy(domain string, in *dmarc.Input) []dmarc.Identifier {
	org := links.OrgDomain(domain)
	var out []dmarc.Identifier
	add := func(method, result, domain, selector string) {
		if name, err := dns.Normalize(domain); err == nil && name != "." {
			out = append(out, identifier(method, result, name, selector, org))
		}
	}
	if a.env.From != "" && in.SPF.Domain != "" {
		add("spf", in.SPF.Result, in.SPF.Domain, "")
	}
	for _, s := range in.DKIM { // the verifier bounds them
		add("dkim", s.Result, s.Domain, s.Selector)
	}
	for i := range out {
		if out[i].Why = "of another organization, " + out[i].Org; out[i].Aligned {
			out[i].Why = "of the same organization, " + out[i].Org
		}
	}
	return out
}

func identifier(method, result, domain, selector, org string) dmarc.Identifier {
	o := links.OrgDomain(domain)
	return dmarc.Identifier{Method: method, Result: result, Domain: domain, Selector: selector, Org: o, Aligned: o != "" && o == org}
}

// Results lists what has been found out, for an Authentication-Results field. It
// asks nothing.
func (a *Auth) Results() []authres.Result {
	if !a.InTransaction() {
		return nil
	}
	var out []authres.Result
	s := a.root()
	if r, ok := s.reverse.peek(); ok {
		out = append(out, authres.Result{Method: "iprev", Value: string(r.Result), Comment: r.Name,
			Props: []authres.Prop{{Type: "policy", Name: "iprev", Value: s.ip().String()}}})
	}
	if r, ok := a.spf.peek(); ok {
		p := authres.Prop{Type: "smtp", Name: "mailfrom", Value: r.Domain}
		if a.env.From == "" {
			p.Name = "helo" // RFC 8601 2.7.2
		}
		out = append(out, authres.Result{Method: "spf", Value: string(r.Result), Reason: r.Problem, Props: []authres.Prop{p}})
	}
	if list, ok := a.dkim.peek(); ok {
		out = append(out, dkimResults(list)...)
	}
	if r, ok := a.arc.peek(); ok && r.Status != arc.None {
		out = append(out, authres.Result{Method: "arc", Value: string(r.Status), Reason: r.Problem,
			Props: []authres.Prop{{Type: "smtp", Name: "remote-ip", Value: s.ip().String()}}})
	}
	if r, ok := a.dmarc.peek(); ok {
		out = append(out, r.AuthRes())
	}
	return out
}

func dkimResults(list []dkim.Result) []authres.Result {
	if len(list) == 0 {
		return []authres.Result{{Method: "dkim", Value: "none"}}
	}
	var out []authres.Result
	for i := range list {
		d := &list[i]
		out = append(out, authres.Result{Method: "dkim", Value: string(d.Status), Reason: d.Problem, Props: []authres.Prop{
			{Type: "header", Name: "d", Value: d.Domain}, {Type: "header", Name: "s", Value: d.Selector},
			{Type: "header", Name: "a", Value: d.Algorithm}, {Type: "header", Name: "b", Value: d.HeaderB}}})
	}
	return out
}
