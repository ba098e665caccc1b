package arc

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message/header"
)

// Why a message is not sealed.
var (
	// ErrEnded says that the chain was marked as failed by an earlier sealer, so
	// nobody may add to it (RFC 8617 5.1.2).
	ErrEnded = errors.New("arc: the chain has ended with cv=fail")
	// ErrFull says that the chain has 50 sets (RFC 8617 5.1 step 2).
	ErrFull = errors.New("arc: the chain has as many sets as are allowed")
	// ErrUnknown says that the chain's state is not known, since a key could not
	// be asked for: sealing would break it for good.
	ErrUnknown = errors.New("arc: the state of the chain is not known")
)

// SealOptions say how to seal. Zero fields mean the defaults.
type SealOptions struct {
	Domain     string
	Selector   string
	Key        crypto.Signer // RSA of 1024 bits or more, or Ed25519
	AuthServID string        // who found out the results (RFC 8601 2.5)
	Results    string        // "spf=pass smtp.mailfrom=…; dkim=…"; "" for none
	Headers    []string      // fields to sign where they are present; nil: DefaultHeaders
	Chain      Result        // what Validate said when the message arrived
}

var defaultHeaders = []string{"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc",
	"In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "DKIM-Signature"}

// DefaultHeaders returns the fields signed by default: those of RFC 8617 4.1.2,
// Authentication-Results and seals left out.
func DefaultHeaders() []string { return append([]string(nil), defaultHeaders...) }

// Seal returns the three fields of a new set, to be put before the message. raw
// is the message as it will be sent, with CRLF line ends and all ARC fields of
// its arrival. A chain that failed on arrival is sealed as failed, and covers
// the new set only (RFC 8617 5.1.2).
func Seal(raw []byte, now time.Time, o SealOptions) ([]byte, error) {
	if err := signature.Wire(raw); err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}
	if o.Key == nil {
		return nil, errors.New("arc: no key to seal with")
	}
	a, err := key.SigningAlgorithm(o.Key)
	if err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}
	if o.Domain, o.Selector, err = signature.Names(o.Domain, o.Selector); err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}
	v := newValidator(raw)
	cv, err := v.next(o.Chain)
	if err != nil {
		return nil, err
	}
	n := len(v.sets) + 1
	results, err := resultsText(n, o.AuthServID, o.Results)
	if err != nil {
		return nil, err
	}
	finish := func(w *signature.Writer) {
		w.Add("i", strconv.Itoa(n))
		w.Add("s", o.Selector)
		w.Add("t", strconv.FormatInt(now.Unix(), 10))
	}
	w := signature.NewWriter(messageField)
	w.Flat = true
	w.Add("a", a.String())
	w.Add("b", "")
	body := v.m.HashBody([]canon.BodyRequest{{Canon: canon.Relaxed, Hash: a.Hash, Length: -1}})[0]
	w.AddBase64("bh", body.Sum)
	w.Add("c", "relaxed/relaxed")
	w.Add("d", o.Domain)
	w.AddList("h", signedNames(v.m, o.Headers))
	finish(w)
	message, err := signature.Make(w, v.m, signature.ARCMessage, o.Key)
	if err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}

	w = signature.NewWriter(sealField)
	w.Add("a", a.String())
	w.Add("b", "")
	w.Add("cv", cv)
	w.Add("d", o.Domain)
	finish(w)
	all := newValidator(bytes.Join([][]byte{results, message, raw}, nil))
	covered := []int{0, 1} // the new set only
	if cv != "fail" {
		covered = all.sealed(1, n)
	}
	seal, err := signature.MakeOver(w, all.m, covered, signature.ARCSeal, o.Key)
	if err != nil {
		return nil, fmt.Errorf("arc: %w", err)
	}
	return bytes.Join([][]byte{seal, message, results}, nil), nil
}

// newValidator reads the sets of a message, whatever their state.
func newValidator(raw []byte) *validator {
	head, body := signature.Split(raw)
	h, _ := header.Parse(head, 0, 0)
	v := &validator{m: canon.New(raw, h.Fields, body)}
	v.found, v.broken = v.collect(DefaultLimits().Instances)
	return v
}

// next is the cv= of the next seal.
func (v *validator) next(chain Result) (string, error) {
	if n := len(v.sets); n > 0 && v.sets[n-1].as != nil && v.sets[n-1].as.Chain == "fail" {
		return "", ErrEnded
	}
	switch {
	case chain.Temporary:
		return "", ErrUnknown
	case len(v.sets) >= DefaultLimits().Instances:
		return "", ErrFull
	case chain.Status == Fail:
		return "fail", nil
	case v.broken != nil || len(v.sets) != chain.Instances:
		return "", errors.New("arc: the sets of the message are not those that were validated")
	case chain.Status == Pass && len(v.sets) > 0:
		return "pass", nil
	case chain.Status == None && !v.found:
		return "none", nil
	}
	return "", errors.New("arc: the chain was not validated")
}

// resultsText makes the ARC-Authentication-Results field, folded behind
// semicolons.
func resultsText(n int, id, results string) ([]byte, error) {
	results = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(results)
	if results = strings.Trim(results, "; \t"); results == "" {
		results = "none" // RFC 8601 2.2
	}
	if id == "" || strings.ContainsAny(id, "; \t\r\n") || strings.ContainsAny(results, "\r\n\x00") {
		return nil, errors.New("arc: results that can't stand in a header field")
	}
	text := resultsField + ": i=" + strconv.Itoa(n) + "; " + id + "; " + results
	return []byte(strings.ReplaceAll(text, "; ", ";\r\n ") + "\r\n"), nil
}

// signedNames is the h= list: every instance of each field that is there.
func signedNames(m *canon.Message, names []string) []string {
	if names == nil {
		names = defaultHeaders
	}
	var out []string
	for _, name := range names {
		name = header.Lower(name)
		if name == header.Lower(sealField) {
			continue // RFC 8617 4.1.2
		}
		for range m.Named(name) {
			out = append(out, name)
		}
	}
	return out
}
