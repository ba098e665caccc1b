// Package filed says how an envelope is written into our files, so that it comes
// back octet for octet: JSON can't hold octets that are no UTF-8, and senders
// do write such addresses.
package filed

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"sluice"
)

// mark starts a string that holds base64. NUL can't stand in any address,
// parameter or name that came through SMTP; one that does is packed as well.
const mark = "\x00b64:"

// PackString returns s in a form that JSON can hold.
func PackString(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, "\x00") {
		return s
	}
	return mark + base64.StdEncoding.EncodeToString([]byte(s))
}

// UnpackString undoes PackString.
func UnpackString(s string) string {
	rest, ok := strings.CutPrefix(s, mark)
	if !ok {
		return s
	}
	b, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		return s
	}
	return string(b)
}

// Pack returns a copy of e whose strings JSON can hold.
func Pack(e sluice.Envelope) sluice.Envelope { return each(e, PackString) }

// Unpack undoes Pack.
func Unpack(e sluice.Envelope) sluice.Envelope { return each(e, UnpackString) }

func each(e sluice.Envelope, f func(string) string) sluice.Envelope {
	e.From = f(e.From)
	e.Params = params(e.Params, f)
	rcpts := make([]sluice.Recipient, len(e.Rcpts))
	for i, r := range e.Rcpts {
		rcpts[i] = sluice.Recipient{Address: f(r.Address), Params: params(r.Params, f)}
	}
	if e.Rcpts != nil {
		e.Rcpts = rcpts
	}
	return e
}

func params(ps []sluice.Param, f func(string) string) []sluice.Param {
	if ps == nil {
		return nil
	}
	out := make([]sluice.Param, len(ps))
	for i, p := range ps {
		out[i] = sluice.Param{Key: f(p.Key), Value: f(p.Value)}
	}
	return out
}
