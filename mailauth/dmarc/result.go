package dmarc

import (
	"context"
	"fmt"
	"strings"

	"sluice/dns"
	"sluice/mailauth/authres"
)

// AuthRes is the result as it stands in an Authentication-Results field (RFC 8601
// 2.7, with header.from and policy.dmarc of its registry).
func (r *Result) AuthRes() authres.Result {
	out := authres.Result{Method: "dmarc", Value: string(r.Value)}
	if r.Domain != "" {
		out.Props = append(out.Props, authres.Prop{Type: "header", Name: "from", Value: r.Domain})
	}
	if r.Policy != "" {
		out.Props = append(out.Props, authres.Prop{Type: "policy", Name: "dmarc", Value: string(r.Policy)})
	}
	switch r.Value {
	case Fail:
		out.Comment = "dis=" + string(r.Disposition)
	case TempError, PermError:
		out.Reason = r.Why
	}
	return out
}

// Explain is the whole reasoning, a line each, for people. It may hold hostile
// text.
func (r *Result) Explain() []string {
	out := []string{fmt.Sprintf("dmarc=%s: %s", r.Value, r.Why)}
	for _, s := range r.Trace {
		if !s.Cached {
			out = append(out, "asked "+s.String())
		}
	}
	if r.Record != nil {
		out = append(out, fmt.Sprintf("the record of %s applies; the organizational domain is %s", r.RecordAt, or(r.Org, "unknown")))
		if r.Policy != "" {
			out = append(out, fmt.Sprintf("policy %s by %s; asked for this message: %s", r.Policy, or(r.Tag, "default"), r.Disposition))
		}
		for _, p := range r.Record.Problems {
			out = append(out, "record: "+p)
		}
	}
	for _, id := range r.Identifiers {
		aligned := "not aligned"
		if id.Aligned {
			aligned = "aligned"
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s=%s for %s: %s, %s", id.Method, or(id.Result, "none"), or(id.Domain, "nobody"), aligned, id.Why)))
	}
	if r.StrictestAt != "" {
		out = append(out, fmt.Sprintf("strictest policy of the possible authors: %s, of %s", r.Strictest, r.StrictestAt))
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ReportsAllowed says whether dest, the domain of a reporting address, takes
// reports on mail of domain (RFC 9990 4): of itself and its organization without
// being asked (the caller compares those), of others where it publishes a record
// that begins with v=DMARC1.
func ReportsAllowed(ctx context.Context, r dns.Resolver, domain, dest string) (bool, error) {
	texts, err := dns.LookupTXT(ctx, r, domain+"._report._dmarc."+dest)
	switch {
	case dns.NotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("dmarc: %w", err)
	}
	for _, t := range texts[:min(len(texts), maxRecords)] {
		if IsRecord(t) {
			return true, nil
		}
	}
	return false, nil
}
