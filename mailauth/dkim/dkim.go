// Package dkim verifies and makes DKIM signatures (RFC 6376, RFC 8301, RFC 8463,
// RFC 8616). Every result says in plain data what was checked, and in words what
// broke. It is pure: resolver, message and time are arguments.
package dkim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"sluice/dns"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message"
	"sluice/message/header"
)

// Status is a result as RFC 8601 2.7.1 names it. A message without signatures
// has no results, which is that RFC's "none".
type Status = signature.Status

// The results.
const (
	None      = signature.None
	Pass      = signature.Pass
	Fail      = signature.Fail
	Policy    = signature.Policy
	Neutral   = signature.Neutral
	TempError = signature.TempError
	PermError = signature.PermError
)

// Cause says why a result isn't Pass; package signature lists the values.
type Cause = signature.Cause

// Limits bound the work on one message.
type Limits struct {
	Signatures int // checked; the rest gets Neutral without a key look-up
	Fields     int // signature fields looked at, and results
}

// DefaultLimits are generous: hardly any honest mail has more than four.
func DefaultLimits() Limits { return Limits{Signatures: 10, Fields: 30} }

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Signatures <= 0 {
		l.Signatures = d.Signatures
	}
	if l.Fields <= 0 {
		l.Fields = d.Fields
	}
	return l
}

// Result is what one DKIM-Signature field came to. Texts are the sender's, and
// hostile, but for Status and Canon.
type Result struct {
	Status  Status
	Cause   Cause  // why Status isn't Pass; "" where it is
	Problem string // the same in words
	Field   int    // index among the root header's fields

	Domain    string // d= in A-labels, lower case
	AUID      string // i=, or "@" and d=
	Selector  string // s=
	Algorithm string // a=
	Canon     string // "relaxed/simple": header and body
	HeaderB   string // the first 8 characters of b= (RFC 6008)
	Timestamp time.Time
	Expires   time.Time
	Expired   bool

	Signed     []string // h=, lower case, as written
	Missing    []string // of them, those that the message doesn't have (over-signing)
	Unsigned   []string // fields that people or programs rely on with an instance not signed
	FromSigned bool     // every From field is signed

	BodyLength   int64  // l=, -1 where it isn't given
	BodyTotal    int64  // canonical octets of the body; 0 where it wasn't hashed
	BodyDeclared []byte // bh=
	BodyComputed []byte

	HeaderMatches bool // b= verifies: the signed fields are as the signer wrote them
	BodyMatches   bool // bh= is the hash of the body (up to l=)

	KeyName string // what was asked for
	KeyType string
	KeyBits int
	Weak    bool // RSA of less than 2048 bits (RFC 8301 3.2)
	Testing bool // the key has t=y: a failure is no evidence (RFC 6376 3.6.1)
	Secure  bool // the resolver validated the key by DNSSEC
	KeyErr  error

	// Replay lists what makes it easy to send the signed message again to
	// others: age, fields left out, octets not covered.
	Replay []string
}

// Covers says whether the signature passes and every field of this name is
// signed.
func (r *Result) Covers(name string) bool {
	if r.Status != Pass {
		return false
	}
	for _, u := range r.Unsigned {
		if header.EqualFold(u, name) {
			return false
		}
	}
	for _, s := range r.Signed {
		if header.EqualFold(s, name) {
			return true
		}
	}
	return false
}

// maxNames bounds the lists of a result. All of h= counts in the check itself.
const maxNames = 500

// relied are the fields whose unsigned instances are reported, beside From.
var relied = []string{"from", "sender", "reply-to", "subject", "date", "to", "cc", "message-id",
	"mime-version", "content-type", "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post"}

// Verify checks the signatures of a message, in the order of their fields. The
// message's lines must end with CRLF ([canon.CRLF]). Where there are more
// signatures than may be checked, those of domains related to From's come first.
// Keys are asked for once each, and together; ctx bounds that.
func Verify(ctx context.Context, r dns.Resolver, m *message.Message, now time.Time, lim Limits) []Result {
	lim = lim.withDefaults()
	v := verifier{now: now, h: m.Header()}
	for i := range v.h.Fields {
		if !v.h.Fields[i].Is("DKIM-Signature") {
			continue
		}
		if len(v.work) == lim.Fields {
			break
		}
		v.work = append(v.work, &job{field: i})
	}
	if len(v.work) == 0 {
		return nil
	}
	v.m = canon.New(m.Raw, v.h.Fields, m.Body(m.Parts[0]))
	v.parse()
	from, _ := m.From()
	v.choose(lim.Signatures, from.Domain)
	v.lookup(ctx, r)
	v.bodies()
	out := make([]Result, len(v.work))
	for i, j := range v.work {
		v.check(j)
		out[i] = j.r
	}
	return out
}

// job is one signature on its way.
type job struct {
	field  int
	sig    *signature.Signature
	chosen []int // the fields signed
	keys   key.Answer
	body   canon.BodySum
	skip   bool // settled without a key
	r      Result
}

type verifier struct {
	now  time.Time
	h    *header.Header
	m    *canon.Message
	work []*job
}

// parse reads the fields, and settles what needs no key.
func (v *verifier) parse() {
	for _, j := range v.work {
		sig, fault := signature.Parse(v.m.Field(j.field), signature.DKIM)
		j.sig = sig
		j.r = Result{Field: j.field, Domain: sig.Domain, AUID: sig.Identity, Selector: sig.Selector,
			Algorithm: sig.AlgName, Signed: sig.Names[:min(len(sig.Names), maxNames)], BodyLength: sig.Length, BodyDeclared: sig.BodyHash,
			Timestamp: sig.Timestamp, Expires: sig.Expires}
		if b, ok := sig.Tags.Get("b"); ok {
			j.r.HeaderB = firstB(b)
		}
		if fault != nil {
			j.settle(fault.Status, fault.Cause, fault.Problem)
			continue
		}
		j.r.Canon = sig.Header.String() + "/" + sig.Body.String()
		j.r.Expired = !sig.Expires.IsZero() && v.now.After(sig.Expires)
		j.chosen = v.m.Select(sig.Names, j.field)
		v.coverage(j)
		switch {
		case !slices.Contains(sig.Names, "from"):
			j.settle(PermError, signature.FromUnsigned, "From is not signed") // RFC 6376 6.1.1
		case isSuffix(sig.Domain):
			j.settle(Policy, signature.PublicSuffix, "d= is a public suffix, under which anybody can have a name")
		}
	}
}

// settle ends the work on a job.
func (j *job) settle(s Status, c Cause, problem string) {
	j.skip, j.r.Status, j.r.Cause, j.r.Problem = true, s, c, problem
}

// firstB is what tells signatures apart in reports (RFC 6008 4).
func firstB(b string) string {
	b = strings.Map(func(c rune) rune {
		if c == ' ' || c == '\t' {
			return -1
		}
		return c
	}, b)
	return header.Clip(b[:min(8, len(b))])
}

// isSuffix says whether a domain is a top-level domain, or one under which a
// registry sells names: nobody may sign for all of it (RFC 6376 6.1.1, 8.13).
func isSuffix(d string) bool {
	if !strings.Contains(d, ".") {
		return true
	}
	suffix, icann := publicsuffix.PublicSuffix(d)
	return icann && suffix == d
}

// coverage says what the signature covers, and what it leaves open.
func (v *verifier) coverage(j *job) {
	signed := make(map[string]int, len(j.chosen))
	for k, i := range j.chosen {
		name := j.sig.Names[k]
		if i < 0 {
			if len(j.r.Missing) < maxNames {
				j.r.Missing = append(j.r.Missing, name)
			}
			continue
		}
		signed[name]++
	}
	for _, name := range relied {
		if len(v.m.Named(name)) > signed[name] {
			j.r.Unsigned = append(j.r.Unsigned, name)
		}
	}
	from := len(v.m.Named("from"))
	j.r.FromSigned = from > 0 && signed["from"] == from
}

// choose keeps as many signatures as may be checked: those of the author's
// domain first, for others may put as many as they like above or below them.
func (v *verifier) choose(most int, from string) {
	left := most
	for _, related := range []bool{true, false} {
		for _, j := range v.work {
			if j.skip || isRelated(j.r.Domain, from) != related {
				continue
			}
			if left--; left < 0 {
				j.settle(Neutral, signature.TooMany, fmt.Sprintf("not checked: more than %d signatures", most))
			}
		}
	}
}

func isRelated(d, from string) bool {
	return from != "" && (d == from || strings.HasSuffix(from, "."+d) || strings.HasSuffix(d, "."+from))
}

// lookup asks for the keys: each once, all at the same time.
func (v *verifier) lookup(ctx context.Context, r dns.Resolver) {
	var ask []key.Question
	for _, j := range v.work {
		if !j.skip {
			ask = append(ask, key.Question{Domain: j.sig.Domain, Selector: j.sig.Selector})
		}
	}
	answers := key.LookupAll(ctx, r, ask)
	for _, j := range v.work {
		if !j.skip {
			j.keys = answers[key.Question{Domain: j.sig.Domain, Selector: j.sig.Selector}]
			j.r.KeyName = j.keys.Name
		}
	}
}

// bodies computes the body hashes that are needed.
func (v *verifier) bodies() {
	var ask []canon.BodyRequest
	var to []*job
	for _, j := range v.work {
		if !j.skip {
			ask = append(ask, canon.BodyRequest{Canon: j.sig.Body, Hash: j.sig.Algorithm.Hash, Length: j.sig.Length})
			to = append(to, j)
		}
	}
	for i, sum := range v.m.HashBody(ask) {
		to[i].body = sum
	}
}

// check comes to the result of one signature.
func (v *verifier) check(j *job) {
	if j.skip {
		return
	}
	r := &j.r
	r.BodyComputed, r.BodyTotal = j.body.Sum, j.body.Total
	r.BodyMatches = j.body.Sum != nil && string(j.body.Sum) == string(j.sig.BodyHash)
	digest := v.m.HashHeader(j.sig.Algorithm.Hash, j.sig.Header, j.chosen, j.sig.Field, j.sig.Tags.Place("b"))
	o := j.sig.Check(digest, j.keys)
	r.Status, r.Cause, r.Problem, r.HeaderMatches = o.Status, o.Cause, o.Problem, o.Verified
	r.KeyErr, r.Secure = j.keys.Err, j.keys.Authentic
	if o.Record != nil {
		r.KeyType, r.KeyBits = o.Record.Type, o.Record.Bits
		r.Weak, r.Testing = o.Record.Weak(), o.Record.Testing
	}
	v.replay(j)
	if !o.Verified {
		if r.Status == Fail && !r.BodyMatches {
			r.Problem += ", and the body was changed"
		}
		return
	}
	switch {
	case j.body.Sum == nil: // RFC 6376 3.5 l=
		r.Status, r.Cause, r.Problem = Fail, signature.BodyChanged, fmt.Sprintf("the body has %d octets, fewer than l=%d", r.BodyTotal, r.BodyLength)
	case !r.BodyMatches:
		r.Status, r.Cause, r.Problem = Fail, signature.BodyChanged, "the body was changed; the signed header fields are intact"
	case r.Status != Pass: // SHA-1
	case !r.FromSigned:
		// RFC 6376 8.15: readers show the From that is not signed.
		r.Status, r.Cause, r.Problem = Policy, signature.FromAdded, "another From field is not signed"
	case r.BodyLength >= 0 && r.BodyLength < r.BodyTotal:
		// RFC 6376 8.2: what was appended may replace what people see.
		r.Status, r.Cause, r.Problem = Policy, signature.BodyPartial, fmt.Sprintf("only %d of the body's %d octets are signed", r.BodyLength, r.BodyTotal)
	case r.Expired: // RFC 6376 3.5 x=
		r.Status, r.Cause, r.Problem = Policy, signature.Expired, "the signature expired at "+r.Expires.Format(time.RFC3339)
	}
}

// Signs of a replay: how old a signature is when it becomes one.
const old = 7 * 24 * time.Hour

func (v *verifier) replay(j *job) {
	r := &j.r
	if !r.Timestamp.IsZero() {
		switch age := v.now.Sub(r.Timestamp); {
		case age > old:
			r.Replay = append(r.Replay, fmt.Sprintf("signed %d days ago", int64(age/(24*time.Hour))))
		case age < -time.Hour:
			r.Replay = append(r.Replay, "signed in the future")
		}
	}
	for _, name := range []string{"to", "subject", "date"} {
		if !slices.Contains(j.sig.Names, name) {
			r.Replay = append(r.Replay, name+" is not signed")
		}
	}
	if r.BodyLength >= 0 && r.BodyLength < r.BodyTotal {
		r.Replay = append(r.Replay, fmt.Sprintf("%d octets of the body are not signed", r.BodyTotal-r.BodyLength))
	}
}
