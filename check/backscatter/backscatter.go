// Package backscatter tells notices about mail that our users sent from notices about
// mail that somebody sent in their name: by the trace that mail carries when it leaves
// (package trace).
//
// A notice says nothing here where it returns no header of the mail, as some servers do,
// or where the domain's mail may leave without a trace.
package backscatter

import (
	"time"

	"sluice"
	"sluice/bounce"
	"sluice/check"
	"sluice/reason"
	"sluice/trace"
)

// Config says what is known of our own mail.
type Config struct {
	// Keys read traces; nil: nothing is checked.
	Keys *trace.Keys
	// Traced says whether all mail with a reverse-path carries a trace, and has for long
	// enough; nil: no mail does.
	Traced func(now time.Time, from string) bool
}

// Seen is what was found out about a notice, kept in the notes of its message.
type Seen struct {
	Kind   bounce.Kind
	Failed int        // recipients that failed for good
	Mark   trace.Mark // of the mail that came back, where Ours
	To     string     // the reverse-path to which the notice came
	Ours   bool
	None   bool // mail came back, and has no trace of ours for this sender
	Detail string
}

// Checks returns the check of this folder.
func Checks(c Config) []check.Checker {
	if c.Keys == nil {
		return nil
	}
	return []check.Checker{check.Func(check.Info{
		Name: "backscatter/trace", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.BounceOurs, reason.BounceNotOurs}, Always: true, // who sent the mail wants to know
	}, func(in *check.Input) []sluice.Evidence {
		if in.Envelope == nil || in.Envelope.From != "" || in.Conn != nil && (in.Conn.Auth != "" || in.Conn.Stored) || in.Envelope.Outbound {
			return nil
		}
		s := check.Note(in.Notes, func() *Seen { return look(c, in) })
		switch {
		case s.Ours:
			return []sluice.Evidence{check.Found(reason.BounceOurs, s.Detail)}
		case s.None && c.Traced != nil && c.Traced(in.Now, s.To):
			return []sluice.Evidence{check.Found(reason.BounceNotOurs, s.Detail)}
		}
		return nil
	})}
}

// look reads the notice.
func look(c Config, in *check.Input) *Seen {
	s := &Seen{Kind: bounce.None}
	if len(in.Envelope.Rcpts) != 1 { // a notice has one reader (RFC 5321 4.5.5)
		return s
	}
	s.To = in.Envelope.Rcpts[0].Address
	b := bounce.Read(in.Message, bounce.Config{TraceField: trace.Field})
	s.Kind = b.Kind
	switch b.Kind {
	case bounce.Failure, bounce.Delay, bounce.Success:
	default:
		return s
	}
	for _, r := range b.Recipients {
		if r.Action == "failed" {
			s.Failed++
		}
	}
	o := &b.Original
	m, ok := c.Keys.Open(o.Trace)
	switch {
	case ok && m.SentBy(s.To) && m.Fresh(in.Now):
		s.Mark, s.Ours, s.Detail = m, true, "it left as "+m.ID+" at "+m.Time.Format(time.RFC3339)
	case ok && m.SentBy(s.To): // late, or a copy: neither good nor bad
	case !o.Returned || o.MessageID == "" || o.From == "":
		// So little of the header came back that the trace may be among what is left out.
	case ok:
		s.None, s.Detail = true, "the mail that came back left with another reverse-path, as "+m.ID
	default:
		s.None, s.Detail = true, "no trace on the mail that came back, "+check.Quote(o.MessageID)
	}
	return s
}

// Returned is what those who relayed the mail are told of a notice, if it is about mail
// of ours.
func (s *Seen) Returned(notice string, at time.Time) (sluice.Returned, bool) {
	if !s.Ours {
		return sluice.Returned{}, false
	}
	return sluice.Returned{ID: s.Mark.ID, Sent: s.Mark.Time, To: s.To, Failed: s.Failed, Notice: notice, At: at}, true
}
