package talk

import (
	"net/netip"
	"slices"
	"time"
)

// phases in the order in which a session passes them.
var phases = []string{"connect", "greeting", "helo", "tls", "auth", "mail", "rcpt", "data", "dot"}

// Reply is one answer of the server.
type Reply struct {
	Phase    string        `json:"phase"` // of the command that it answers
	Code     int           `json:"code"`
	Enhanced string        `json:"enhanced,omitempty"`
	After    time.Duration `json:"after"` // since the client's last write, in nanoseconds
}

// refusal says whether the reply refuses: 4xx or 5xx.
func (r Reply) refusal() bool { return r.Code >= 400 }

// Outcome is what became of a session.
type Outcome string

// The outcomes; docs/swarm.md defines them to the letter.
const (
	Delivered    Outcome = "delivered"     // a message was accepted at its final dot
	RefusedEarly Outcome = "refused-early" // the server's refusal at or before the DATA command ended it
	RefusedDot   Outcome = "refused-dot"   // nothing was accepted, and the refusal came after the message
	Rebuffed     Outcome = "rebuffed"      // an attacker left by itself, and all that it tried was refused
	Survived     Outcome = "survived"      // an attacker was served, or held its connection, as long as it liked
	Trapped      Outcome = "trapped"       // a message was accepted for spamtraps only
	Left         Outcome = "left"          // a client went away without a refusal
	Absent       Outcome = "absent"        // no connection: neither credit nor blame
)

// Session is the record of one connection: the truth that a server's guesses are
// compared with.
type Session struct {
	Family  string        `json:"family"`
	Kind    string        `json:"kind"`
	Honest  bool          `json:"honest"`
	Door    string        `json:"door"` // "smtp", "submission", "smtps"
	Source  netip.Addr    `json:"source"`
	Helo    string        `json:"helo,omitempty"`
	Try     int           `json:"try"` // 1 for the first
	Start   time.Time     `json:"start"`
	Seconds float64       `json:"seconds"`
	Greeted time.Duration `json:"greeted,omitempty"` // from the connection to the whole greeting
	Reached string        `json:"reached"`           // the furthest phase that the client got to
	TLS     bool          `json:"tls,omitempty"`
	Replies []Reply       `json:"replies,omitempty"` // the first 256
	Sent    int64         `json:"sent"`              // octets, inside TLS where there is TLS
	Got     int64         `json:"got"`
	// Cut says that the server ended the session: it closed the connection, or
	// said 421 or 521.
	Cut      bool    `json:"cut,omitempty"`
	Accepted int     `json:"accepted"`           // messages with 2xx at the final dot
	Breach   string  `json:"breach,omitempty"`   // what an attack got: "login", "smuggled", "injected", "addresses"
	Outcome  Outcome `json:"outcome"`            // see there
	Phase    string  `json:"phase,omitempty"`    // of the refusal that ended it
	Code     int     `json:"code,omitempty"`     // 0 for a connection closed without a word
	Enhanced string  `json:"enhanced,omitempty"` // with Code
	Problem  string  `json:"problem,omitempty"`  // what went wrong in a way no family means

	Attacker bool `json:"attacker,omitempty"` // its aim is not to have a message accepted

	rcptOK int
	stayed bool // until its patience ran out
}

// reach notes that the client has come to a phase.
func (s *Session) reach(phase string) {
	if slices.Index(phases, phase) > slices.Index(phases, s.Reached) {
		s.Reached = phase
	}
}

// note records a reply.
func (s *Session) note(phase string, code int, enh string, after time.Duration) Reply {
	rep := Reply{Phase: phase, Code: code, Enhanced: enh, After: after}
	if len(s.Replies) < maxReplies {
		s.Replies = append(s.Replies, rep)
	}
	// A refusal for want of an earlier command only follows from the one before.
	follows := s.Code >= 400 && (phase == "quit" || s.rcptOK == 0 && (code == 503 || code == 500 && phase == "data"))
	if rep.refusal() && !follows {
		s.Phase, s.Code, s.Enhanced = phase, code, enh
	}
	if code == 421 || code == 521 {
		s.Cut = true
	}
	switch {
	case phase == "dot" && code/100 == 2:
		s.Accepted++
	case phase == "rcpt" && code/100 == 2:
		s.rcptOK++
	}
	return rep
}

// judge decides the outcome when the session is over.
func (s *Session) judge() {
	refusal := func(r Reply) bool { return r.refusal() }
	atDot := slices.ContainsFunc(s.Replies, func(r Reply) bool { return r.Phase == "dot" && r.refusal() })
	switch {
	case s.Reached == "":
		s.Outcome = Absent
	case s.Accepted > 0:
		s.Outcome = Delivered
	case s.Breach != "":
		s.Outcome = Survived
	case atDot || s.Cut && s.Reached == "dot":
		s.Outcome = RefusedDot
	case s.Cut:
		s.Outcome = RefusedEarly
	case s.Attacker && s.Phase == "greeting" && !s.stayed:
		s.Outcome = RefusedEarly
	case s.Attacker && s.allRefused():
		s.Outcome = Rebuffed
	case s.Attacker:
		s.Outcome = Survived
	case slices.ContainsFunc(s.Replies, refusal) && (s.rcptOK == 0 || s.Phase == "data"):
		s.Outcome = RefusedEarly
	default:
		s.Outcome = Left
	}
	if s.Cut && s.Code < 400 {
		s.Phase = s.Reached
	}
	if s.Outcome == Delivered || s.Outcome == Left || s.Outcome == Survived || s.Outcome == Absent {
		s.Phase, s.Code, s.Enhanced = "", 0, ""
	}
}

// allRefused says whether every reply after the greeting and the greeting verb
// was a refusal, and there was one.
func (s *Session) allRefused() bool {
	some := false
	for _, r := range s.Replies {
		switch {
		case r.refusal():
			some = true
		case r.Phase != "greeting" && r.Phase != "helo" && r.Phase != "tls" && r.Phase != "mail" && r.Phase != "quit" && r.Code != 334:
			return false
		}
	}
	return some
}
