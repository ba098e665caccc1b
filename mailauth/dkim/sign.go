package dkim

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message/header"
)

// SignOptions say how to sign. Zero fields mean the defaults.
type SignOptions struct {
	Domain   string        // d=
	Selector string        // s=
	Key      crypto.Signer // RSA of 1024 bits or more, or Ed25519
	AUID     string        // i=, "" to leave it out; at or below Domain
	Headers  []string      // fields to sign where they are present; nil: DefaultHeaders
	OverSign []string      // of them, those that nobody may add another of; nil: DefaultOverSign
	Simple   bool          // simple/simple instead of relaxed/relaxed
	Validity time.Duration // x= is so much later than t=; 0: no x=
}

// DefaultHeaders are the fields that RFC 6376 5.4.1 wants signed, and those that
// one-click unsubscription needs (RFC 8058 4).
var defaultHeaders = []string{"From", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc",
	"In-Reply-To", "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
	"List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted"}

// defaultOverSign are those whose second instance would change what a reader
// sees, or whom an answer goes to (RFC 6376 8.15).
var defaultOverSign = []string{"From", "Reply-To", "Subject", "Date", "Message-ID", "To", "Cc",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding"}

// DefaultHeaders returns the fields signed by default.
func DefaultHeaders() []string { return slices.Clone(defaultHeaders) }

// DefaultOverSign returns the fields over-signed by default.
func DefaultOverSign() []string { return slices.Clone(defaultOverSign) }

// Sign returns DKIM-Signature fields, one for each option, to be put before the
// message. raw is the whole message with CRLF line ends, as it will be sent:
// bare CR or LF is an error, since the next hop would change it.
func Sign(raw []byte, now time.Time, opts ...SignOptions) ([]byte, error) {
	if err := signature.Wire(raw); err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	head, body := signature.Split(raw)
	h, _ := header.Parse(head, 0, 0)
	if h.Count("From") == 0 {
		return nil, errors.New("dkim: no From field to sign") // RFC 6376 5.4
	}
	m := canon.New(raw, h.Fields, body)
	var out []byte
	for i := range opts {
		field, err := opts[i].sign(m, now)
		if err != nil {
			return nil, fmt.Errorf("dkim: %w", err)
		}
		out = append(out, field...)
	}
	return out, nil
}

func (o *SignOptions) sign(m *canon.Message, now time.Time) ([]byte, error) {
	if o.Key == nil {
		return nil, errors.New("no key to sign with")
	}
	a, err := key.SigningAlgorithm(o.Key)
	if err != nil {
		return nil, err
	}
	domain, selector, err := signature.Names(o.Domain, o.Selector)
	if err != nil {
		return nil, err
	}
	form := canon.Relaxed
	if o.Simple {
		form = canon.Simple
	}
	names := signedNames(m, o.Headers, o.OverSign)
	body := m.HashBody([]canon.BodyRequest{{Canon: form, Hash: a.Hash, Length: -1}})[0]

	w := signature.NewWriter("DKIM-Signature")
	w.Add("v", "1")
	w.Add("a", a.String())
	w.Add("c", form.String()+"/"+form.String())
	w.Add("d", domain)
	w.Add("s", selector)
	if o.AUID != "" {
		w.Add("i", signature.EncodeIdentity(o.AUID))
	}
	w.Add("t", strconv.FormatInt(now.Unix(), 10))
	if o.Validity > 0 {
		w.Add("x", strconv.FormatInt(now.Add(o.Validity).Unix(), 10))
	}
	w.AddList("h", names)
	w.AddBase64("bh", body.Sum)
	w.Add("b", "")
	return signature.Make(w, m, signature.DKIM, o.Key)
}

// signedNames makes the h= list: every instance of each field that is there, and
// one more of those to over-sign. From is always signed.
func signedNames(m *canon.Message, names, over []string) []string {
	if names == nil {
		names = defaultHeaders
	}
	if over == nil {
		over = defaultOverSign
	}
	var out []string
	seen := make(map[string]bool)
	for _, name := range append([]string{"From"}, names...) {
		name = header.Lower(name)
		if seen[name] {
			continue
		}
		seen[name] = true
		n := len(m.Named(name))
		if slices.ContainsFunc(over, func(o string) bool { return header.EqualFold(o, name) }) {
			n++
		}
		for range n {
			out = append(out, name)
		}
	}
	return out
}
