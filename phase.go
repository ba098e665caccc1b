package sluice

import "fmt"

// Phase is a step of the SMTP conversation. Phases are ordered: evidence of an
// earlier phase counts in every later one.
type Phase uint8

// The phases in the order in which a session meets them.
const (
	PhaseConnect Phase = iota + 1
	PhaseHello
	PhaseTLS
	PhaseAuth
	PhaseMail
	PhaseRcpt
	PhaseData
	PhaseHeader
	PhaseMessage
)

var phaseNames = [...]string{"", "connect", "hello", "tls", "auth", "mail", "rcpt", "data", "header", "message"}

func (p Phase) String() string { return name(phaseNames[:], int(p)) }

// MarshalText writes the lower-case name.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the lower-case name.
func (p *Phase) UnmarshalText(b []byte) error {
	return parseName("phase", phaseNames[:], string(b), (*uint8)(p))
}

func name(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("?%d", i)
	}
	return names[i]
}

func parseName(kind string, names []string, s string, to *uint8) error {
	for i, n := range names {
		if n == s {
			*to = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("sluice: unknown %s %q", kind, s)
}
