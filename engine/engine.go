// Package engine is how Sluice asks scanners beside it: clamd, an ICAP service,
// whatever can say what it makes of a message. It holds the contract, and the guard
// that keeps a sick, slow or hostile scanner from hurting mail: so many scans at
// once, so many waiting, a breaker that opens when the scanner itself is ill, and a
// state that people can read.
//
// A scanner says one of three things about a message: what it found, nothing, or that
// it can't tell. The last is an error and never taken for the second.
package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is how sure a scanner is of a finding.
type Kind uint8

// The kinds.
const (
	Malware    Kind = iota + 1 // a signature of something known to do harm
	Suspicious                 // heuristics, unwanted programs, policies of the scanner
)

var kindNames = [...]string{"", "malware", "suspicious"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// MarshalText writes the lower-case name.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads "malware" or "suspicious".
func (k *Kind) UnmarshalText(b []byte) error {
	switch string(b) {
	case "malware":
		*k = Malware
	case "suspicious":
		*k = Suspicious
	default:
		return fmt.Errorf("engine: %q is neither malware nor suspicious", b)
	}
	return nil
}

// Finding is one thing that a scanner found. The texts are of printable ASCII and
// bounded ([Printable]): a scanner is outside, and what it names may come from a file.
type Finding struct {
	Engine    string // the scanner's name, as configured
	Signature string // as the scanner calls it: "Win.Trojan.Agent-1234"
	Kind      Kind
	Where     string // the file or part that it is in, where that is known
}

// Scanner looks at whole messages. It must be safe for concurrent use, must stop when
// ctx ends, and may not keep the body.
type Scanner interface {
	Name() string
	// Scan returns what was found. An error means that the scanner can't tell; it is
	// [ErrUnscannable] where that lies with the message and another try won't help.
	Scan(ctx context.Context, body []byte) ([]Finding, error)
}

// Prober is a scanner whose own health can be asked for.
type Prober interface {
	// Probe asks whether the scanner is there and what it knows.
	Probe(ctx context.Context) (Info, error)
}

// Info is what a scanner says of itself.
type Info struct {
	Version  string    // of program and signatures: when it changes, older results are void
	Database time.Time // when its signatures were made; zero: unknown
	Warnings []string  // what an admin should look at
}

// Why there is no result, beside the scanner's own trouble.
var (
	// ErrUnscannable: the message is beyond what the scanner can or may look at.
	ErrUnscannable = errors.New("the message is beyond the scanner's limits")
	// ErrBusy: too many scans are waiting.
	ErrBusy = errors.New("too many scans are waiting")
	// ErrDown: the scanner was found ill a short while ago, and isn't asked.
	ErrDown = errors.New("the scanner is out of order")
	// ErrLost: the scanner went away while it had the message. Some messages do that to
	// scanners.
	ErrLost = errors.New("the scanner went away in the middle of a scan")
)

// Printable makes text of a scanner fit to be kept and shown: printable ASCII, spaces
// for all else, none at the ends, at most most octets.
func Printable(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// MaxSignature bounds the name of a signature, in octets.
const MaxSignature = 160

// Best is the finding that says most: malware before suspicions, the first of several.
func Best(f []Finding) (Finding, bool) {
	for _, k := range []Kind{Malware, Suspicious} {
		for _, x := range f {
			if x.Kind == k {
				return x, true
			}
		}
	}
	return Finding{}, false
}
