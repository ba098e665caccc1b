package dmarc

import (
	"fmt"
	"strings"
)

// Policy is what a domain's owner asks receivers to do with mail that fails.
type Policy string

// The policies (RFC 9989 4.7).
const (
	PolicyNone       Policy = "none"
	PolicyQuarantine Policy = "quarantine"
	PolicyReject     Policy = "reject"
)

// lower is the policy one level below, which t=y asks for (RFC 9989 4.7).
func (p Policy) lower() Policy {
	if p == PolicyReject {
		return PolicyQuarantine
	}
	return PolicyNone
}

// rank orders policies by strictness.
func (p Policy) rank() int {
	switch p {
	case PolicyReject:
		return 2
	case PolicyQuarantine:
		return 1
	}
	return 0
}

// Record is a DMARC policy record. P, SP and NP are "" where the tag is absent or
// not valid; the other tags then have their defaults.
type Record struct {
	Raw          string // as published; hostile
	P, SP, NP    Policy
	StrictDKIM   bool     // adkim=s
	StrictSPF    bool     // aspf=s
	FailureOn    string   // fo: "0", "1", "d", "s" joined by ":"
	PSD          byte     // 'y', 'n' or 'u'
	Testing      bool     // t=y
	Aggregate    []string // rua: valid URIs, without the obsolete size
	Failure      []string // ruf
	Problems     []string // what was wrong or is obsolete, for people; quotes hostile text
	policyBroken bool     // p isn't valid or absent, or sp or np isn't valid
}

// Bounds on one record.
const (
	maxRecord = 8 << 10
	maxTags   = 64
	maxURIs   = 16
)

// IsRecord says whether a TXT string is a DMARC policy record: it begins with the
// tag v=DMARC1, its value in this case (RFC 9989 4.7, 4.8).
func IsRecord(s string) bool {
	first, _, _ := strings.Cut(s, ";")
	tag, value, ok := strings.Cut(first, "=")
	return ok && (strings.Trim(tag, " \t") == "v" || strings.Trim(tag, " \t") == "V") &&
		tag[0] != ' ' && tag[0] != '\t' && strings.Trim(value, " \t") == "DMARC1"
}

// Parse reads a policy record. ok is false where it isn't one at all. Anything
// wrong behind the version falls back to the tag's default (RFC 9989 4.8).
func Parse(s string) (rec Record, ok bool) {
	if !IsRecord(s) {
		return rec, false
	}
	rec = Record{Raw: s, PSD: 'u', FailureOn: "0"}
	if len(s) > maxRecord {
		rec.problem("longer than %d octets: the rest is ignored", maxRecord)
		s = s[:maxRecord]
	}
	seen := map[string]bool{}
	for i, part := range strings.SplitN(s, ";", maxTags+1) {
		part = strings.Trim(part, " \t")
		if i == 0 || part == "" {
			continue
		}
		if i == maxTags {
			rec.problem("more than %d tags", maxTags)
			break
		}
		tag, value, found := strings.Cut(part, "=")
		tag, value = lowerASCII(strings.Trim(tag, " \t")), strings.Trim(value, " \t")
		switch {
		case !found:
			rec.problem("%q is no tag", clip(part))
			continue
		case seen[tag]:
			rec.problem("tag %q stands twice: the first counts", clip(tag))
			continue
		}
		seen[tag] = true
		rec.tag(tag, value)
	}
	rec.policyBroken = rec.policyBroken || rec.P == ""
	if !seen["p"] {
		rec.problem("no p tag")
	}
	return rec, true
}

func (r *Record) tag(tag, value string) {
	switch tag {
	case "p":
		r.P = r.policy(tag, value)
	case "sp":
		r.SP = r.policy(tag, value)
	case "np":
		r.NP = r.policy(tag, value)
	case "adkim":
		r.StrictDKIM = r.oneOf(tag, value, "r", "s") == "s"
	case "aspf":
		r.StrictSPF = r.oneOf(tag, value, "r", "s") == "s"
	case "t":
		r.Testing = r.oneOf(tag, value, "n", "y") == "y"
	case "psd":
		r.PSD = r.oneOf(tag, value, "u", "y", "n")[0]
	case "fo":
		r.fo(value)
	case "rua":
		r.Aggregate = r.uris(tag, value)
	case "ruf":
		r.Failure = r.uris(tag, value)
	case "pct", "rf", "ri": // RFC 9989 C.7 and A.7: gone
		r.problem("tag %q is obsolete and has no effect", tag)
	default: // RFC 9989 4.7: unknown tags MUST be ignored
	}
}

// policy reads p, sp and np; case doesn't matter (RFC 5234 2.3).
func (r *Record) policy(tag, value string) Policy {
	switch p := Policy(lowerASCII(value)); p {
	case PolicyNone, PolicyQuarantine, PolicyReject:
		return p
	}
	r.policyBroken = true
	r.problem("%s=%q is no policy", tag, clip(value))
	return ""
}

// oneOf returns the value where it is valid, or else the first, the default.
func (r *Record) oneOf(tag, value string, valid ...string) string {
	v := lowerASCII(value)
	for _, w := range valid {
		if v == w {
			return w
		}
	}
	r.problem("%s=%q is not valid: %s counts", tag, clip(value), valid[0])
	return valid[0]
}

// fo reads the failure options: one of 0 and 1, each of d and s at most once.
func (r *Record) fo(value string) {
	var out []string
	seen := map[string]bool{}
	for v := range strings.SplitSeq(lowerASCII(value), ":") {
		v = strings.Trim(v, " \t")
		switch {
		case v != "0" && v != "1" && v != "d" && v != "s", seen[v], v == "0" && seen["1"], v == "1" && seen["0"]:
			r.problem("fo=%q is not valid: 0 counts", clip(value))
			return
		}
		seen[v] = true
		out = append(out, v)
	}
	r.FailureOn = strings.Join(out, ":")
}

// uris reads a list of reporting addresses. Those that are no URI are dropped.
func (r *Record) uris(tag, value string) []string {
	var out []string
	for u := range strings.SplitSeq(value, ",") {
		u = strings.Trim(u, " \t")
		// RFC 9989 4.8: the size behind "!" is obsolete, reporters ignore it.
		u, _, _ = strings.Cut(u, "!")
		if !isURI(u) {
			r.problem("%s: %q is no URI", tag, clip(u))
			continue
		}
		if len(out) == maxURIs {
			r.problem("%s: more than %d URIs", tag, maxURIs)
			break
		}
		out = append(out, u)
	}
	return out
}

// isURI says whether u has a scheme (RFC 3986 3.1) and printable text behind it;
// a mailto URI needs an address too.
func isURI(u string) bool {
	scheme, rest, ok := strings.Cut(u, ":")
	if !ok || scheme == "" || rest == "" || !letter(scheme[0]) {
		return false
	}
	for i := range len(scheme) {
		if c := scheme[i]; !letter(c) && !('0' <= c && c <= '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	for i := range len(rest) {
		if rest[i] <= ' ' || rest[i] >= 0x7f || strings.IndexByte(`"<>\^{|}`+"`", rest[i]) >= 0 {
			return false
		}
	}
	if lowerASCII(scheme) == "mailto" {
		local, domain, ok := strings.Cut(rest, "@")
		return ok && local != "" && domain != ""
	}
	return true
}

func (r *Record) problem(format string, args ...any) {
	if len(r.Problems) < 16 {
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
