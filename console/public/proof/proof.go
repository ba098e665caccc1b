// Package proof lets the postmaster of a domain show that it is his: by a TXT record that
// he puts below the domain. What the record has to hold is a code over one reference and
// one domain, so nothing has to be remembered until he comes back, and a record says
// nothing about another refusal.
package proof

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Label is what the record stands under, below the domain.
const Label = "_sluice-proof"

// Lifetime is how long a pass is good: the record needn't stay longer than until it was
// looked at.
const Lifetime = time.Hour

const (
	prefix     = "sluice-proof="
	codeLen    = 32 // of base32: 160 bits
	maxRecords = 50
	maxRecord  = 1024
	maxPass    = 80
	patience   = 8 * time.Second
)

// Config sets up a Prover.
type Config struct {
	// Keys make codes: the first one does, any is believed. Each is at least 16 octets
	// long. Every node of a fleet needs the same ones.
	Keys [][]byte
	// TXT asks the DNS for the texts of a name. None and no error: there is none. An
	// error: nobody could tell.
	TXT func(ctx context.Context, name string) ([]string, error)
}

// Prover makes challenges and checks them. It is safe for concurrent use.
type Prover struct{ cfg Config }

// New makes a Prover.
func New(cfg Config) (*Prover, error) {
	if cfg.TXT == nil || len(cfg.Keys) == 0 || slices.ContainsFunc(cfg.Keys, func(k []byte) bool { return len(k) < 16 }) {
		return nil, errors.New("proof: needs a key of 16 octets and a way to ask the DNS")
	}
	return &Prover{cfg}, nil
}

// Name is where the record of a domain stands.
func Name(domain string) string { return Label + "." + domain }

// Challenge is the text that the record has to hold.
func (p *Prover) Challenge(token, domain string) string {
	return challenge(p.cfg.Keys[0], token, domain)
}

func challenge(key []byte, token, domain string) string {
	return prefix + code(key, "challenge", token, domain)
}

// Check asks whether the record is there. An error says that nobody could tell.
func (p *Prover) Check(ctx context.Context, token, domain string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	texts, err := p.cfg.TXT(ctx, Name(domain))
	if err != nil {
		return false, fmt.Errorf("proof: %w", err)
	}
	for _, text := range texts[:min(len(texts), maxRecords)] {
		// What people copy has quotes and spaces around it now and then.
		text = strings.ToLower(strings.Trim(text[:min(len(text), maxRecord)], "\" \t"))
		for _, key := range p.cfg.Keys {
			if hmac.Equal([]byte(text), []byte(challenge(key, token, domain))) {
				return true, nil
			}
		}
	}
	return false, nil
}

// Pass is what a browser shows from then on, for [Lifetime]: to be put into an address.
func (p *Prover) Pass(token, domain string, now time.Time) string {
	until := strconv.FormatInt(now.Add(Lifetime).Unix(), 36)
	return until + "." + code(p.cfg.Keys[0], "pass", token, domain, until)
}

// Passed says which of the domains a pass for the token proves.
func (p *Prover) Passed(token, pass string, domains []string, now time.Time) (domain string, ok bool) {
	if len(pass) > maxPass {
		return "", false
	}
	until, given, _ := strings.Cut(pass, ".")
	t, err := strconv.ParseInt(until, 36, 64)
	if left := time.Unix(t, 0).Sub(now); err != nil || left <= 0 || left > Lifetime+time.Hour {
		return "", false
	}
	for _, d := range domains {
		for _, key := range p.cfg.Keys {
			if hmac.Equal([]byte(given), []byte(code(key, "pass", token, d, until))) {
				return d, true
			}
		}
	}
	return "", false
}

// code is made over parts that hold no NUL.
func code(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join(parts, "\x00"))) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil))[:codeLen])
}
