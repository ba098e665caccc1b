// Package rewrite builds the header fields that Sluice adds to a message and
// removes incoming forgeries of them. Every other byte stays as it came, so
// that signatures hold.
package rewrite

import (
	"time"

	"sluice"
	"sluice/message/header"
)

// Options are the facts that go into the fields.
type Options struct {
	Hostname string // who says so: Received "by" and the authserv-id
	Conn     *sluice.Conn
	Envelope *sluice.Envelope
	Verdict  *sluice.Verdict
	Action   sluice.Action
	Required float64   // points at which mail is tagged, for X-Spam-Status
	Now      time.Time // for the Received date
}

// Headers builds the block to put on top of a message: Received,
// Authentication-Results, X-Sluice-* and X-Spam-*, each line with CRLF.
func Headers(o Options) []byte { return nil }

// Strip removes from raw the fields of h that only we may write: X-Sluice-*,
// X-Spam-* and Authentication-Results with our authserv-id. It returns raw
// itself where there is nothing to remove.
func Strip(raw []byte, h header.Header, authserv string) []byte { return raw }

// TagSubject puts tag before the Subject, or adds one, and leaves every other
// byte alone.
func TagSubject(raw []byte, h header.Header, tag string) []byte { return raw }
