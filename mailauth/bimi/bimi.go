// Package bimi finds the logo that a domain publishes for its mail (BIMI,
// draft-brand-indicators-for-message-identification). What it finds is shown to
// admins as a fact about the domain; it is no evidence of honesty, and neither
// the logo nor the certificate is fetched here.
package bimi

import (
	"context"
	"fmt"
	"strings"

	"sluice/dns"
)

// Record is a BIMI assertion record.
type Record struct {
	Logo      string // l=: an https URL, "" where none is given
	Authority string // a=: an https URL of the evidence, "" where none is given
	// Declined says that the domain publishes the record to take no part.
	Declined bool
}

// Value is the outcome in the words of the bimi method of RFC 8601's registry.
type Value string

// The outcomes.
const (
	Pass      Value = "pass"      // one record was found and can be read
	None      Value = "none"      // no record
	Declined  Value = "declined"  // the domain takes no part
	TempError Value = "temperror" // the DNS didn't answer
	PermError Value = "permerror" // several records, or one that can't be read
)

// Result is what a lookup found. Strings are hostile.
type Result struct {
	Value    Value
	Domain   string // where the record stands
	Selector string
	Record   Record
	Why      string
}

const (
	maxRecord   = 4 << 10
	maxURL      = 2 << 10
	maxSelector = 63
)

// Lookup asks for <selector>._bimi.<domain>, then below org, the organizational
// domain, where that is another. An empty selector is "default".
func Lookup(ctx context.Context, r dns.Resolver, domain, org, selector string) Result {
	if selector == "" {
		selector = "default"
	}
	if !ValidSelector(selector) {
		return Result{Value: PermError, Domain: domain, Selector: selector, Why: "the selector is no domain name"}
	}
	res := one(ctx, r, domain, selector)
	if res.Value == None && org != "" && org != domain {
		return one(ctx, r, org, selector)
	}
	return res
}

func one(ctx context.Context, r dns.Resolver, domain, selector string) Result {
	res := Result{Value: None, Domain: domain, Selector: selector}
	texts, err := dns.LookupTXT(ctx, r, selector+"._bimi."+domain)
	switch {
	case dns.NotFound(err):
		res.Why = "no record"
		return res
	case err != nil:
		res.Value, res.Why = TempError, err.Error()
		return res
	}
	found := 0
	for _, t := range texts[:min(len(texts), 100)] {
		if !isRecord(t) {
			continue
		}
		if found++; found > 1 {
			res.Value, res.Record, res.Why = PermError, Record{}, "several records"
			return res
		}
		rec, err := Parse(t)
		switch {
		case err != nil:
			res.Value, res.Why = PermError, err.Error()
		case rec.Declined:
			res.Value, res.Record = Declined, rec
		default:
			res.Value, res.Record = Pass, rec
		}
	}
	if found == 0 {
		res.Why = fmt.Sprintf("%d text records, none of BIMI", len(texts))
	}
	return res
}

func isRecord(s string) bool {
	first, _, _ := strings.Cut(s, ";")
	tag, value, ok := strings.Cut(first, "=")
	return ok && strings.Trim(tag, " \t") == "v" && strings.EqualFold(strings.Trim(value, " \t"), "BIMI1")
}

// Parse reads a record: v=BIMI1 first, then l= and a=; unknown tags are ignored.
// Empty l= and a= decline. URLs are https or empty.
func Parse(s string) (Record, error) {
	var rec Record
	if len(s) > maxRecord {
		return rec, fmt.Errorf("bimi: record over %d octets", maxRecord)
	}
	if !isRecord(s) {
		return rec, fmt.Errorf("bimi: not a record")
	}
	seen := map[string]bool{}
	for i, part := range strings.Split(s, ";") {
		tag, value, ok := strings.Cut(part, "=")
		tag, value = strings.Trim(tag, " \t"), strings.Trim(value, " \t")
		switch {
		case i == 0, tag == "" && !ok:
			continue
		case !ok:
			return Record{}, fmt.Errorf("bimi: a tag without a value")
		case seen[tag]:
			return Record{}, fmt.Errorf("bimi: tag %q stands twice", tag[:min(len(tag), 20)])
		}
		seen[tag] = true
		var to *string
		switch tag {
		case "l":
			to = &rec.Logo
		case "a":
			to = &rec.Authority
		default:
			continue
		}
		if value != "" && !isURL(value) {
			return Record{}, fmt.Errorf("bimi: %s= is no https URL", tag)
		}
		*to = value
	}
	if !seen["l"] {
		return Record{}, fmt.Errorf("bimi: no l tag")
	}
	rec.Declined = rec.Logo == "" && rec.Authority == ""
	return rec, nil
}

// isURL says whether s is printable and names a host by https.
func isURL(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok || len(s) > maxURL || rest == "" || strings.ContainsAny(rest[:1], "/?#@:") {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte("\"<>\\^{|}`", s[i]) >= 0 {
			return false
		}
	}
	return true
}

// ValidSelector says whether s can stand before ._bimi: labels of letters,
// digits, hyphens and underscores.
func ValidSelector(s string) bool {
	if s == "" || len(s) > maxSelector {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !(c|0x20 >= 'a' && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// Selector reads a BIMI-Selector field (v=BIMI1; s=…). The field counts only where
// an aligned signature covers it, which is the caller's to know. ok is false where
// it can't be read.
func Selector(value string) (selector string, ok bool) {
	if len(value) > maxRecord || !isRecord(value) {
		return "", false
	}
	for part := range strings.SplitSeq(value, ";") {
		if tag, v, _ := strings.Cut(part, "="); strings.Trim(tag, " \t\r\n") == "s" {
			v = strings.Trim(v, " \t\r\n")
			return v, ValidSelector(v)
		}
	}
	return "", false
}
