// Package arc validates and extends Authenticated Received Chains (RFC 8617): what
// each handler of a message found out before it changed the message, sealed.
//
// A chain that passes says only that its sealers said so. Which sealers are
// believed is the caller's business: Result lists their domains.
package arc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/dns"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message"
	"sluice/message/header"
)

// Status is the state of a chain (RFC 8617 4.4): none, pass or fail.
type Status = signature.Status

// The states.
const (
	None = signature.None
	Pass = signature.Pass
	Fail = signature.Fail
)

// The fields of a set (RFC 8617 4.1).
const (
	resultsField = "ARC-Authentication-Results"
	messageField = "ARC-Message-Signature"
	sealField    = "ARC-Seal"
)

// Limits bound the work on one message.
type Limits struct {
	Instances int // sets in a chain; at most 50 (RFC 8617 4.2.1)
	Keys      int // different keys asked for; a chain that needs more fails
}

// DefaultLimits are those of RFC 8617, and more keys than any honest chain needs.
func DefaultLimits() Limits { return Limits{Instances: 50, Keys: 40} }

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.Instances <= 0 || l.Instances > d.Instances {
		l.Instances = d.Instances
	}
	if l.Keys <= 0 {
		l.Keys = d.Keys
	}
	return l
}

// Set is one ARC set. Texts are the sealer's, and hostile.
type Set struct {
	Instance int
	Sealer   string // d= of the seal, in A-labels
	Selector string // s= of the seal
	Signer   string // d= of the message signature
	Chain    string // cv= of the seal
	Time     time.Time
	Results  string // Authentication-Results payload, behind "i=n;"

	Seal    Status // the seal: pass or fail; none where it wasn't checked
	Message Status // the message signature: pass, fail, or none where it wasn't checked
	Problem string // of either, in words
	KeyBits int    // of the seal's key

	// FromSigned says that the message signature covers every From field. Where
	// the newest set's doesn't, its results may be about another author.
	FromSigned bool
}

// Result is what a message's chain came to.
type Result struct {
	Status    Status
	Problem   string // why the chain fails, in words
	Temporary bool   // it fails only because a key could not be asked for
	Instances int    // the highest instance found
	Sets      []Set  // by instance
	Sealers   []string
	FailedAt  int // the instance that broke the chain; 0 where none did, or none can be named
	// OldestPass is the lowest instance from which on all message signatures
	// verify; 0 says that all do (RFC 8617 5.2). Meaningful with Pass.
	OldestPass int
}

// set holds the three fields of one instance.
type set struct {
	results, message, seal int // indices of the fields, -1 where one is missing
	payload                string
	ams, as                *signature.Signature
}

type validator struct {
	m    *canon.Message
	sets []set // by instance, the first at 0
	keys map[key.Question]key.Answer
	r    Result

	found  bool  // there is an ARC field
	broken error // what is wrong with the structure
}

// Validate checks the chain of a message (RFC 8617 5.2). The message's lines
// must end with CRLF ([canon.CRLF]). Keys are asked for together and once each;
// ctx bounds that.
func Validate(ctx context.Context, r dns.Resolver, m *message.Message, lim Limits) Result {
	lim = lim.withDefaults()
	h := m.Header()
	v := validator{m: canon.New(m.Raw, h.Fields, m.Body(m.Parts[0]))}
	v.r.Status = None
	found, err := v.collect(lim.Instances)
	if !found {
		return v.r
	}
	v.r.Status = Pass // until something fails
	v.describe()
	if err != nil {
		v.fail(0, false, err.Error())
		return v.r
	}
	if at, err := v.structure(); err != nil {
		v.fail(at, false, err.Error())
		return v.r
	}
	if !v.lookup(ctx, r, lim.Keys) {
		v.fail(0, false, fmt.Sprintf("the chain needs more than %d keys", lim.Keys))
		return v.r
	}
	v.messages()
	v.seals()
	return v.r
}

// fail records the first break that is one for good, or else the first that a
// missing answer makes.
func (v *validator) fail(instance int, temporary bool, problem string) {
	if v.r.Status == Pass || v.r.Temporary && !temporary {
		v.r.Status, v.r.FailedAt, v.r.Temporary, v.r.Problem = Fail, instance, temporary, problem
	}
}

// collect sorts the fields into sets. It says whether there are any, and what
// is wrong with their structure.
func (v *validator) collect(most int) (found bool, err error) {
	wrong := func(format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
	}
	at := func(n int) *set {
		for len(v.sets) < n {
			v.sets = append(v.sets, set{results: -1, message: -1, seal: -1})
		}
		return &v.sets[n-1]
	}
	put := func(to *int, i, instance int, name string) {
		if *to >= 0 {
			wrong("%s i=%d stands twice", name, instance) // RFC 8617 5.2 step 3.A
			return
		}
		*to = i
	}
	fields := v.m.Fields()
	for _, name := range []string{resultsField, messageField, sealField} {
		list := v.m.Named(header.Lower(name))
		found = found || len(list) > 0
		if len(list) > most {
			wrong("more than %d sets", most)
			list = list[:most]
		}
		for _, i := range list {
			if name == resultsField {
				n, payload, ok := resultsInstance(fields[i].Value)
				if !ok {
					wrong("%s does not begin with i= and a number from 1 to 50", name)
					continue
				}
				s := at(n)
				put(&s.results, i, n, name)
				s.payload = payload
				continue
			}
			kind := signature.ARCMessage
			if name == sealField {
				kind = signature.ARCSeal
			}
			sig, fault := signature.Parse(v.m.Field(i), kind)
			if fault != nil {
				wrong("%s: %s", name, fault.Problem)
				continue
			}
			s := at(sig.Instance)
			if kind == signature.ARCMessage {
				put(&s.message, i, sig.Instance, name)
				s.ams = sig
			} else {
				put(&s.seal, i, sig.Instance, name)
				s.as = sig
			}
		}
	}
	if len(v.sets) > most {
		wrong("more than %d sets", most)
	}
	return found, err
}

// resultsInstance reads the begin of an ARC-Authentication-Results field
// (RFC 8617 4.1.1).
func resultsInstance(value string) (n int, payload string, ok bool) {
	first, payload, ok := strings.Cut(value, ";")
	if !ok {
		return 0, "", false
	}
	name, number, ok := strings.Cut(first, "=")
	if !ok || strings.Trim(name, " \t") != "i" {
		return 0, "", false
	}
	n, ok = signature.Instance(strings.Trim(number, " \t"))
	return n, strings.Trim(payload, " \t"), ok
}

// describe fills the result's sets.
func (v *validator) describe() {
	v.r.Instances = len(v.sets)
	v.r.Sets = make([]Set, len(v.sets))
	for i := range v.sets {
		s, out := &v.sets[i], &v.r.Sets[i]
		*out = Set{Instance: i + 1, Results: s.payload, Seal: None, Message: None}
		if s.ams != nil {
			out.Signer = s.ams.Domain
		}
		if s.as != nil {
			out.Sealer, out.Selector, out.Chain, out.Time = s.as.Domain, s.as.Selector, s.as.Chain, s.as.Timestamp
			v.r.Sealers = append(v.r.Sealers, s.as.Domain)
		}
	}
}

// structure checks RFC 8617 5.2 steps 2 and 3, and says which instance breaks
// them.
func (v *validator) structure() (at int, err error) {
	// Step 2: the newest seal tells the state so far.
	if last := v.sets[len(v.sets)-1]; last.as != nil && last.as.Chain == "fail" {
		return len(v.sets), errors.New("the last sealer found the chain broken")
	}
	for i, s := range v.sets {
		n := i + 1
		switch {
		case s.results < 0:
			return n, fmt.Errorf("no %s with i=%d", resultsField, n)
		case s.message < 0:
			return n, fmt.Errorf("no %s with i=%d", messageField, n)
		case s.seal < 0:
			return n, fmt.Errorf("no %s with i=%d", sealField, n)
		case n == 1 && s.as.Chain != "none", n > 1 && s.as.Chain != "pass": // step 3.D
			return n, fmt.Errorf("the seal i=%d has cv=%s", n, s.as.Chain)
		}
		for _, name := range s.ams.Names {
			// RFC 8617 4.1.2: seals MUST NOT be signed here.
			if name == header.Lower(sealField) {
				return n, fmt.Errorf("%s i=%d signs ARC-Seal", messageField, n)
			}
		}
	}
	return 0, nil
}

// lookup asks for all keys, and says whether they were few enough.
func (v *validator) lookup(ctx context.Context, r dns.Resolver, most int) bool {
	var ask []key.Question
	for _, s := range v.sets {
		for _, sig := range []*signature.Signature{s.ams, s.as} {
			if q := question(sig); !slices.Contains(ask, q) {
				ask = append(ask, q)
			}
		}
	}
	if len(ask) > most {
		return false
	}
	v.keys = key.LookupAll(ctx, r, ask)
	return true
}

func question(s *signature.Signature) key.Question {
	return key.Question{Domain: s.Domain, Selector: s.Selector}
}

// messages checks the message signatures: the newest must verify (RFC 8617 5.2
// step 4), the others tell how far back the message is unchanged (step 5).
func (v *validator) messages() {
	n := len(v.sets)
	ask := make([]canon.BodyRequest, n)
	for i, s := range v.sets {
		ask[i] = canon.BodyRequest{Canon: s.ams.Body, Hash: s.ams.Algorithm.Hash, Length: s.ams.Length}
	}
	sums := v.m.HashBody(ask)
	for i := n - 1; i >= 0; i-- {
		sig := v.sets[i].ams
		chosen := v.m.Select(sig.Names, v.sets[i].message)
		v.r.Sets[i].FromSigned = v.signs(chosen, "from")
		o := v.check(sig, chosen)
		switch {
		case o.Status != Pass:
		case sums[i].Sum == nil || string(sums[i].Sum) != string(sig.BodyHash):
			o.Status, o.Problem = Fail, "the body was changed"
		case sig.Length >= 0 && sig.Length < sums[i].Total:
			// RFC 6376 8.2, as for DKIM.
			o.Status, o.Problem = Fail, "not all of the body is signed"
		}
		if o.Status == Pass {
			v.r.Sets[i].Message = Pass
			continue
		}
		v.r.Sets[i].Message = Fail
		v.r.Sets[i].Problem = "message signature: " + o.Problem
		if i == n-1 {
			v.fail(n, o.Status == signature.TempError, fmt.Sprintf("%s i=%d: %s", messageField, n, o.Problem))
		} else {
			v.r.OldestPass = i + 2
		}
		return
	}
}

// check verifies the header half of a message signature.
func (v *validator) check(sig *signature.Signature, chosen []int) signature.Outcome {
	b := sig.Tags.Place("b")
	o := sig.Check(v.m.HashHeader(sig.Algorithm.Hash, sig.Header, chosen, sig.Field, b), v.keys[question(sig)])
	if _, given := sig.Tags.Get("c"); !given && o.Status == Fail {
		// RFC 6376 3.5 makes simple the default; the first ARC software, and the
		// test suite of ARC's authors, have relaxed.
		o = sig.Check(v.m.HashHeader(sig.Algorithm.Hash, canon.Relaxed, chosen, sig.Field, b), v.keys[question(sig)])
	}
	return o
}

// signs says whether every field of a name is among the chosen, and there is one.
func (v *validator) signs(chosen []int, name string) bool {
	list := v.m.Named(name)
	for _, i := range list {
		if !slices.Contains(chosen, i) {
			return false
		}
	}
	return len(list) > 0
}

// seals checks all seals, from the newest (RFC 8617 5.2 step 6).
func (v *validator) seals() {
	for n := len(v.sets); n > 0; n-- {
		sig := v.sets[n-1].as
		digest := v.m.HashHeader(sig.Algorithm.Hash, canon.Relaxed, v.sealed(1, n), sig.Field, sig.Tags.Place("b"))
		o := sig.Check(digest, v.keys[question(sig)])
		out := &v.r.Sets[n-1]
		if o.Record != nil {
			out.KeyBits = o.Record.Bits
		}
		out.Seal = Pass
		if o.Status != Pass {
			out.Seal = Fail
			out.Problem = strings.TrimPrefix(out.Problem+"; seal: "+o.Problem, "; ")
			v.fail(n, o.Status == signature.TempError, fmt.Sprintf("%s i=%d: %s", sealField, n, o.Problem))
		}
	}
}

// sealed lists the fields that the seal of instance n covers, without itself:
// the sets from first on, each as results, message signature, seal (RFC 8617
// 5.1.1).
func (v *validator) sealed(first, n int) []int {
	var out []int
	for i := first; i <= n; i++ {
		s := v.sets[i-1]
		out = append(out, s.results, s.message)
		if i < n {
			out = append(out, s.seal)
		}
	}
	return out
}
