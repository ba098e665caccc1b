package reports

import (
	"cmp"
	"slices"
	"time"

	"sluice"
	"sluice/dns"
	"sluice/gate"
	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
)

// maxSignatures bounds the signatures of one row.
const maxSignatures = 10

// rowOf makes the row that counts a message; ok is false where nobody asks for a
// report on it, or where it may come again.
func rowOf(o *gate.Observation) (row sluice.DMARCRow, ok bool) {
	known := o.Auth.Known()
	res := known.DMARC
	switch {
	case res == nil || res.Record == nil || len(res.Record.Aggregate) == 0:
		return row, false
	case res.Value != dmarc.Pass && res.Value != dmarc.Fail: // nothing is known for sure
		return row, false
	case o.Conn.Trusted || o.Conn.Stored || o.Conn.Auth != "" || !o.Conn.Client.Addr().IsValid(): // our own mail, or a copy
		return row, false
	case !o.Reply.Positive() && !o.Reply.Permanent(): // it comes again
		return row, false
	}
	domain, err := dns.Normalize(res.RecordAt)
	if err != nil {
		return row, false
	}
	row = sluice.DMARCRow{Day: midnight(o.Envelope.Received), Domain: domain, Policy: policyOf(res.Record), Source: o.Conn.Client.Addr().Unmap().WithZone(""),
		HeaderFrom: name(res.Domain), EnvelopeFrom: name(sluice.DomainOf(o.Envelope.From)), DKIM: "fail", SPF: "fail", Count: 1}
	if row.HeaderFrom == "" {
		return row, false
	}
	for _, id := range res.Identifiers {
		if id.Result != "pass" || !id.Aligned {
			continue
		}
		if id.Method == "dkim" {
			row.DKIM = "pass"
		} else {
			row.SPF = "pass"
		}
	}
	row.Signatures = signaturesOf(known.DKIM)
	if s := known.SPF; s != nil {
		if row.SPFDomain = name(s.Domain); row.SPFDomain != "" {
			row.SPFResult = word(string(s.Result), "none", "pass", "fail", "softfail", "neutral", "temperror", "permerror")
		}
	}
	row.Disposition, row.Reasons = disposition(o, res, known.ARC)
	if res.Value == dmarc.Pass && o.Reply.Positive() && o.Action < sluice.QuarantineIt {
		row.Passed = 1
	}
	return row, true
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// name is a domain as it may stand in a report, "" for what is none.
func name(s string) string {
	n, err := dns.Normalize(s)
	if err != nil || n == "." {
		return ""
	}
	return n
}

// word is s where it is one of set, or else the set's first.
func word(s string, set ...string) string {
	if slices.Contains(set, s) {
		return s
	}
	return set[0]
}

func policyOf(r *dmarc.Record) sluice.DMARCPolicy {
	p := sluice.DMARCPolicy{P: cmp.Or(string(r.P), "none"), SP: string(r.SP), NP: string(r.NP), ADKIM: "r", ASPF: "r", FO: r.FailureOn, Testing: "n"}
	if r.StrictDKIM {
		p.ADKIM = "s"
	}
	if r.StrictSPF {
		p.ASPF = "s"
	}
	if r.Testing {
		p.Testing = "y"
	}
	return p
}

func signaturesOf(list []dkim.Result) []sluice.DMARCSignature {
	var out []sluice.DMARCSignature
	for _, d := range list {
		s := sluice.DMARCSignature{Domain: name(d.Domain), Selector: name(d.Selector),
			Result: word(string(d.Status), "none", "pass", "fail", "policy", "neutral", "temperror", "permerror")}
		if s.Domain != "" && s.Selector != "" && !slices.Contains(out, s) && len(out) < maxSignatures {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b sluice.DMARCSignature) int {
		return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Selector, b.Selector), cmp.Compare(a.Result, b.Result))
	})
	return out
}

// disposition is what we did as far as DMARC is concerned, and why that isn't
// what the policy asks for (RFC 9990 3.1.1.7). Why mail that passes was refused
// all the same is nobody's business but the SMTP reply's.
func disposition(o *gate.Observation, res *dmarc.Result, chain *arc.Result) (string, []sluice.DMARCReason) {
	if res.Value == dmarc.Pass {
		return "pass", nil
	}
	did := dmarc.PolicyNone
	switch {
	case o.Action == sluice.Reject || o.Action == sluice.Drop:
		did = dmarc.PolicyReject
	case o.Action >= sluice.QuarantineIt:
		did = dmarc.PolicyQuarantine
	}
	var reasons []sluice.DMARCReason
	if res.Testing && res.Policy != res.Disposition {
		reasons = append(reasons, sluice.DMARCReason{Type: "policy_test_mode"})
	}
	switch {
	case did == res.Disposition:
	case milder(did, res.Disposition) && o.Auth.TrustedSealer(value(chain)) != "":
		reasons = append(reasons, sluice.DMARCReason{Type: "trusted_forwarder", Comment: "arc=pass"})
	case milder(did, res.Disposition) && o.Message.Header().Get("List-Id") != "":
		reasons = append(reasons, sluice.DMARCReason{Type: "mailing_list"})
	default:
		reasons = append(reasons, sluice.DMARCReason{Type: "local_policy"})
	}
	return string(did), reasons
}

func value(r *arc.Result) arc.Result {
	if r == nil {
		return arc.Result{Status: arc.None}
	}
	return *r
}

func milder(a, b dmarc.Policy) bool {
	order := []dmarc.Policy{dmarc.PolicyNone, dmarc.PolicyQuarantine, dmarc.PolicyReject}
	return slices.Index(order, a) < slices.Index(order, b)
}
