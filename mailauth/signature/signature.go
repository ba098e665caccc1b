// Package signature is what DKIM-Signature, ARC-Message-Signature and ARC-Seal
// have in common: the tags, the check against a key, and the writing of the
// field. Packages dkim and arc add what differs.
package signature

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/dns"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/message/header"
)

// Status is a result as RFC 8601 2.7.1 names it.
type Status string

// The results.
const (
	None      Status = "none"
	Pass      Status = "pass"
	Fail      Status = "fail"      // the signature doesn't match the message
	Policy    Status = "policy"    // it is not acceptable to us, whether or not it matches
	Neutral   Status = "neutral"   // it is of a kind that can't be processed
	TempError Status = "temperror" // the key could not be asked for: try again
	PermError Status = "permerror" // it can't be checked, and never will be
)

// Cause says why a status isn't Pass, for programs; Problem says it for people.
type Cause string

// The causes.
const (
	Syntax        Cause = "syntax"         // the field breaks the grammar
	Unsupported   Cause = "unsupported"    // version, algorithm, form or query that we don't know
	KeyMissing    Cause = "key-missing"    // no record
	KeyUnknown    Cause = "key-unknown"    // no answer
	KeyBroken     Cause = "key-broken"     // a record that is no key
	KeyRevoked    Cause = "key-revoked"    // p= is empty
	KeyUnfit      Cause = "key-unfit"      // not for this algorithm, hash, service or identity
	KeySize       Cause = "key-size"       // RSA too short, or absurdly long
	SHA1          Cause = "sha1"           // RFC 8301 3.1
	HeaderChanged Cause = "header-changed" // b= doesn't verify
	BodyChanged   Cause = "body-changed"   // b= verifies, bh= doesn't
	BodyPartial   Cause = "body-partial"   // l= leaves octets of the body unsigned
	FromUnsigned  Cause = "from-unsigned"  // h= lacks From
	FromAdded     Cause = "from-added"     // a From field beside the signed one
	Expired       Cause = "expired"        // x=
	PublicSuffix  Cause = "public-suffix"  // d= is one
	TooMany       Cause = "too-many"       // beyond the limit of signatures
)

// Kind is the field that a signature stands in.
type Kind uint8

// The kinds.
const (
	DKIM Kind = iota
	ARCMessage
	ARCSeal
)

// Fault says why a field is no usable signature.
type Fault struct {
	Status  Status // PermError or Neutral
	Cause   Cause  // Syntax or Unsupported
	Problem string
}

func (f *Fault) Error() string { return "signature: " + f.Problem }

func broken(format string, args ...any) *Fault {
	return &Fault{PermError, Syntax, fmt.Sprintf(format, args...)}
}

func unknown(format string, args ...any) *Fault {
	return &Fault{Neutral, Unsupported, fmt.Sprintf(format, args...)}
}

// Signature is a parsed signature field.
type Signature struct {
	Kind      Kind
	Field     []byte // the whole field as it stands
	Tags      canon.Tags
	Algorithm key.Algorithm
	AlgName   string // a= as written; hostile
	Domain    string // d= in A-labels, lower case
	Selector  string // s= in A-labels, lower case
	Value     []byte // b=, decoded
	Timestamp time.Time
	Expires   time.Time

	// Not in seals.
	Header, Body canon.Algorithm
	Names        []string // h=, lower case
	BodyHash     []byte
	Length       int64 // l=, -1 where it isn't given

	// DKIM only.
	Identity       string // i=, decoded; "@" and d= where it isn't given
	IdentityDomain string

	// ARC only.
	Instance int
	Chain    string // cv= of a seal
}

// maxInstance is the longest chain of ARC sets (RFC 8617 4.2.1).
const maxInstance = 50

// Parse reads a signature field. With a fault the signature holds what could be
// read before it, for explanation only; it is never nil.
func Parse(field []byte, kind Kind) (*Signature, *Fault) {
	s := &Signature{Kind: kind, Field: field, Length: -1}
	colon := bytes.IndexByte(field, ':')
	if colon < 0 {
		return s, broken("the field has no colon")
	}
	tags, err := canon.ParseTags(string(field[colon+1:]), colon+1)
	s.Tags = tags
	if err != nil {
		s.explain()
		return s, broken("syntax: %v", err)
	}
	for _, read := range []func() *Fault{s.common, s.times, s.content, s.identity, s.arc, s.version} {
		if f := read(); f != nil {
			s.explain()
			return s, f
		}
	}
	return s, nil
}

// explain fills what a person wants to see of a broken signature.
func (s *Signature) explain() {
	if v, ok := s.Tags.Get("d"); ok && s.Domain == "" {
		s.Domain, _ = domain(v)
	}
	if v, ok := s.Tags.Get("s"); ok && s.Selector == "" {
		s.Selector, _ = domain(v)
	}
	if v, ok := s.Tags.Get("a"); ok && s.AlgName == "" {
		s.AlgName = header.Clip(v)
	}
}

// version checks v= (RFC 6376 3.5); ARC fields have none (RFC 8617 4.1.2). It
// comes last, so that a signature by an old draft is read all the same.
func (s *Signature) version() *Fault {
	if s.Kind != DKIM {
		return nil
	}
	switch v, ok := s.Tags.Get("v"); {
	case !ok:
		return broken("no v=")
	case v != "1":
		return unknown("v=%s is not version 1", header.Clip(v))
	}
	return nil
}

// common reads a=, b=, d=, s=, q=.
func (s *Signature) common() *Fault {
	for _, name := range []string{"a", "b", "d", "s"} {
		if v, ok := s.Tags.Get(name); !ok || v == "" {
			return broken("no %s=", name)
		}
	}
	a, _ := s.Tags.Get("a")
	s.AlgName = header.Clip(a)
	var ok bool
	if s.Algorithm, ok = key.ParseAlgorithm(a); !ok {
		return unknown("the algorithm %s is unknown", s.AlgName)
	}
	b, _ := s.Tags.Get("b")
	var err error
	if s.Value, err = canon.Base64(b); err != nil {
		return broken("b= is %v", err)
	}
	d, _ := s.Tags.Get("d")
	if s.Domain, err = domain(d); err != nil {
		return broken("d= is %v", err)
	}
	sel, _ := s.Tags.Get("s")
	if s.Selector, err = domain(sel); err != nil {
		return broken("s= is %v", err)
	}
	if q, ok := s.Tags.Get("q"); ok {
		found := false
		for _, method := range canon.List(q) {
			found = found || method == "dns/txt" || method == "dns" // RFC 4870 wrote "dns"
		}
		if !found {
			return unknown("no way to ask for the key: q=%s", header.Clip(q))
		}
	}
	return nil
}

// maxTime is the end of the year 9999, behind which RFC 3339 has no dates.
const maxTime = 253402300799

// times reads t= and x= (RFC 6376 3.5): seconds, in digits.
func (s *Signature) times() *Fault {
	if v, ok := s.Tags.Get("t"); ok {
		n, err := number(v)
		if err != nil {
			return broken("t= is %v", err)
		}
		s.Timestamp = time.Unix(min(n, maxTime), 0).UTC()
	}
	if v, ok := s.Tags.Get("x"); ok && s.Kind == DKIM {
		n, err := number(v)
		if err != nil {
			return broken("x= is %v", err)
		}
		s.Expires = time.Unix(min(n, maxTime), 0).UTC()
		if !s.Timestamp.IsZero() && !s.Expires.After(s.Timestamp) {
			return broken("x= is not later than t=") // RFC 6376 3.5 x=
		}
	}
	return nil
}

// content reads c=, h=, bh=, l=.
func (s *Signature) content() *Fault {
	if s.Kind == ARCSeal {
		// RFC 8617 4.1.3: a seal covers a fixed list of fields; h= MUST fail it.
		if _, ok := s.Tags.Get("h"); ok {
			return broken("a seal must not have h=")
		}
		s.Header = canon.Relaxed // RFC 8617 5.1.1
		return nil
	}
	if c, ok := s.Tags.Get("c"); ok {
		if s.Header, s.Body, ok = canon.ParsePair(c); !ok {
			return unknown("the canonicalization %s is unknown", header.Clip(c))
		}
	}
	h, ok := s.Tags.Get("h")
	if !ok || h == "" && s.Kind == DKIM {
		return broken("no h=")
	}
	s.Names = canon.List(h)
	for i, name := range s.Names {
		// RFC 6376 3.5 h= has no empty names. The test suite of ARC's authors
		// wants them taken in ARC-Message-Signature, where they name no field.
		if !fieldName(name) && (name != "" || s.Kind == DKIM) {
			return broken("h= holds %q, which is no field name", header.Clip(name))
		}
		s.Names[i] = header.Lower(name)
	}
	bh, ok := s.Tags.Get("bh")
	if !ok || bh == "" {
		return broken("no bh=")
	}
	var err error
	if s.BodyHash, err = canon.Base64(bh); err != nil {
		return broken("bh= is %v", err)
	}
	if l, ok := s.Tags.Get("l"); ok {
		if s.Length, err = number(l); err != nil {
			return broken("l= is %v", err)
		}
	}
	return nil
}

// identity reads i= (RFC 6376 3.5).
func (s *Signature) identity() *Fault {
	if s.Kind != DKIM {
		return nil
	}
	s.Identity, s.IdentityDomain = "@"+s.Domain, s.Domain
	v, ok := s.Tags.Get("i")
	if !ok {
		return nil
	}
	if v, ok = quotedPrintable(v); !ok {
		return broken("i= is badly encoded")
	}
	at := strings.LastIndexByte(v, '@')
	if at < 0 {
		return broken("i= has no @")
	}
	d, err := domain(v[at+1:])
	if err != nil {
		return broken("i= is %v", err)
	}
	if d != s.Domain && !strings.HasSuffix(d, "."+s.Domain) {
		return broken("i= is not at or below d=")
	}
	s.Identity, s.IdentityDomain = header.Clip(v[:at])+"@"+d, d
	return nil
}

// arc reads i= and cv= of ARC fields (RFC 8617 4.1.2, 4.1.3).
func (s *Signature) arc() *Fault {
	if s.Kind == DKIM {
		return nil
	}
	v, _ := s.Tags.Get("i")
	n, ok := Instance(v)
	if !ok {
		return broken("i= is not from 1 to 50")
	}
	s.Instance = n
	if s.Kind == ARCSeal {
		s.Chain, _ = s.Tags.Get("cv")
		switch s.Chain {
		case "none", "pass", "fail":
		default:
			return broken("cv= is not none, pass or fail")
		}
	}
	return nil
}

// Instance reads the number of an ARC set (RFC 8617 4.2.1).
func Instance(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > maxInstance || s[0] < '1' || s[0] > '9' {
		return 0, false
	}
	return n, true
}

// domain reads the domain of d= or i=, or a selector: labels of letters, digits,
// hyphens and underscores. U-labels become A-labels (RFC 8616 4).
func domain(s string) (string, error) {
	d, err := dns.Normalize(s)
	if err != nil || d == "." || strings.HasSuffix(s, ".") {
		return "", errors.New("no domain name")
	}
	for i := 0; i < len(d); i++ {
		c := d[i]
		if c != '.' && c != '-' && c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "", errors.New("no domain name")
		}
	}
	return d, nil
}

// number reads digits. RFC 6376 3.5: a number that doesn't fit is taken for the
// greatest that does.
func number(s string) (int64, error) {
	if s == "" || len(s) > 76 || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("no number")
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > math.MaxInt32<<16 {
		n = math.MaxInt32 << 16
	}
	return n, nil
}

func fieldName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x21 || c > 0x7e || c == ';' {
			return false
		}
	}
	return s != ""
}

// quotedPrintable decodes the value of i= (RFC 6376 2.11).
func quotedPrintable(s string) (string, bool) {
	if !strings.ContainsAny(s, "= \t") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
		case '=':
			if i+2 >= len(s) {
				return "", false
			}
			n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			out = append(out, byte(n))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

// EncodeIdentity encodes a value for i= (RFC 6376 2.11).
func EncodeIdentity(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x21 || c > 0x7e || c == ';' || c == '=' {
			fmt.Fprintf(&out, "=%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// Outcome is what the check of a signature against its keys came to.
type Outcome struct {
	Status   Status
	Cause    Cause
	Problem  string // in words; "" with Pass
	Verified bool   // the signature matches, whatever the status
	Record   *key.Record
}

// Check verifies the digest of the signed fields. Where several records stand at
// the key's name, the first that verifies counts (RFC 6376 6.1.2).
func (s *Signature) Check(digest []byte, keys key.Answer) Outcome {
	switch {
	case errors.Is(keys.Err, key.ErrTemporary):
		return Outcome{Status: TempError, Cause: KeyUnknown, Problem: keys.Err.Error()}
	case errors.Is(keys.Err, key.ErrSyntax):
		return Outcome{Status: PermError, Cause: KeyBroken, Problem: keys.Err.Error()}
	case keys.Err != nil:
		return Outcome{Status: PermError, Cause: KeyMissing, Problem: keys.Err.Error()}
	}
	best := Outcome{Status: PermError, Cause: KeyMissing, Problem: key.ErrMissing.Error()}
	for i, r := range keys.Records {
		o := s.check(digest, r)
		if o.Verified {
			return o
		}
		if i == 0 || o.Status == Fail && best.Status != Fail {
			best = o
		}
	}
	return best
}

func (s *Signature) check(digest []byte, r *key.Record) Outcome {
	o := Outcome{Status: PermError, Cause: KeyUnfit, Record: r}
	if r.Revoked {
		o.Cause, o.Problem = KeyRevoked, key.ErrRevoked.Error()
		return o
	}
	if err := r.Fits(s.Algorithm, "email"); err != nil {
		o.Problem = err.Error()
		return o
	}
	if r.Strict && s.Kind == DKIM && s.IdentityDomain != s.Domain { // RFC 6376 3.6.1 t=s
		o.Problem = "i= is below d=, and the key's t=s forbids that"
		return o
	}
	if err := r.Acceptable(); err != nil {
		o.Status, o.Cause, o.Problem = Policy, KeySize, err.Error()
		o.Verified = r.Bits < key.MinBits && r.Verify(s.Algorithm, digest, s.Value)
		return o
	}
	o.Verified = r.Verify(s.Algorithm, digest, s.Value)
	switch {
	case !o.Verified:
		o.Status, o.Cause, o.Problem = Fail, HeaderChanged, "the signature does not match the header"
	case s.Algorithm == key.RSASHA1: // RFC 8301 3.1
		o.Status, o.Cause, o.Problem = Policy, SHA1, "SHA-1 is no longer acceptable"
	default:
		o.Status, o.Cause = Pass, ""
	}
	return o
}
