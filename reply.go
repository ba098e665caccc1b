package sluice

import (
	"errors"
	"fmt"
	"time"
)

// Reply is one SMTP reply. Text is one logical line; the door folds it to 512
// octets a line and repeats the enhanced code (RFC 5321 4.5.3.1.5, RFC 2034).
type Reply struct {
	Code     int    // 220, 250, 354, 421, 451, 550, …
	Enhanced string // "5.7.1", "" where none belongs (220, 354, EHLO)
	Text     string // printable ASCII; explain has escaped everything hostile
	Close    bool   // close the connection after sending
	Slow     bool   // send it slowly: the peer behaves like a bot
	// Pause belongs to a greeting: how long the door listens for an early talker
	// before it sends it.
	Pause time.Duration
}

func (r Reply) String() string {
	if r.Enhanced == "" {
		return fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	return fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)
}

// Positive says whether the code is 2xx or 3xx.
func (r Reply) Positive() bool { return r.Code >= 200 && r.Code < 400 }

// Temporary says whether the code is 4xx.
func (r Reply) Temporary() bool { return r.Code >= 400 && r.Code < 500 }

// Permanent says whether the code is 5xx.
func (r Reply) Permanent() bool { return r.Code >= 500 && r.Code < 600 }

// Error is a failure with two faces: the reply the peer may see and the error
// the operator sees. Nobody parses error text.
type Error struct {
	Reply Reply  // what the peer may see
	Why   Reason // "" where the catalogue has nothing to say
	Err   error  // what the operator sees; may hold hostile text
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Reply.String()
}

func (e *Error) Unwrap() error { return e.Err }

// ReplyTo turns any failure into a reply. An error that isn't an [*Error] with a
// 4xx or 5xx code is our own trouble, and our own trouble is temporary: 451.
func ReplyTo(err error) Reply {
	if e, ok := errors.AsType[*Error](err); ok && e.Reply.Code >= 400 && e.Reply.Code < 600 {
		return e.Reply
	}
	return Reply{Code: 451, Enhanced: "4.3.0", Text: "Local trouble, not your fault; please try again later"}
}
