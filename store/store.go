// Package store holds the rules that every implementation of [sluice.Store]
// shares: what a text search looks at, and which actions a record answers to.
// The implementations live in the folders below; all of them pass the suite in
// storetest.
package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"sluice"
)

// Bounds of the searched text. A search sees the id, the whole
// sender, the start of the subject and the first recipients: enough to find a
// message again, and small enough that a row stays narrow.
const (
	maxNeedle     = 256  // octets of Query.Text that count
	maxAddress    = 512  // octets of one address
	maxSubject    = 1024 // octets of the subject
	maxRecipients = 4096 // octets of all recipients
	maxFile       = 512  // octets of a file's name
	maxInside     = 32 << 10
)

// Fold maps text to the form in which searches compare it. Octets that aren't
// UTF-8 become U+FFFD on both sides, so they match each other.
func Fold(s string) string { return strings.ToLower(s) }

// Needle returns the folded text a query looks for, "" for none.
func Needle(q sluice.Query) string {
	return Fold(cut(strings.TrimSpace(q.Text), maxNeedle))
}

// FileNeedle returns the folded text that a query looks for in names of files, "" for
// none.
func FileNeedle(q sluice.Query) string {
	return Fold(cut(strings.TrimSpace(q.File), maxNeedle))
}

// FileName returns the folded name of a file, as searches see it.
func FileName(name string) string { return Fold(cut(name, maxFile)) }

// InsideNeedle returns the folded text that a query looks for in what files carried, ""
// for none.
func InsideNeedle(q sluice.Query) string {
	return Fold(cut(strings.TrimSpace(q.Inside), maxNeedle))
}

// Inside returns the folded lines of what was found in a file, as searches see them.
func Inside(f *sluice.FileSeen) string {
	return Fold(cut(strings.Join(f.Signs, "\n")+"\n"+strings.Join(f.Links, "\n"), maxInside))
}

// HasFile says whether one of the files is what a query asks for. A query that asks for
// none is answered by any.
func HasFile(files []sluice.FileSeen, q sluice.Query) bool {
	needle, inside := FileNeedle(q), InsideNeedle(q)
	if q.SHA256.IsZero() && needle == "" && inside == "" {
		return true
	}
	return slices.ContainsFunc(files, func(f sluice.FileSeen) bool {
		return (q.SHA256.IsZero() || f.SHA256 == q.SHA256) && strings.Contains(FileName(f.Name), needle) &&
			(inside == "" || strings.Contains(Inside(&f), inside))
	})
}

// RelayedID returns what mail that users of ours sent to others is found by, "" for all
// other mail.
func RelayedID(r *sluice.Record) string {
	if !r.Envelope.Outbound {
		return ""
	}
	return messageID(r.MessageID)
}

// RelayedNeedle returns the Message-ID that a query asks for, "" for none.
func RelayedNeedle(q sluice.Query) string { return messageID(q.Relayed) }

// messageID is an id without what may stand around it.
func messageID(s string) string {
	return cut(strings.Trim(cut(s, maxAddress), " \t\r\n<>"), maxNeedle)
}

// Haystack returns the folded text in which a search for one message looks.
func Haystack(id, from, subject string, recipients []string) string {
	var b strings.Builder
	b.WriteString(cut(id, maxAddress))
	b.WriteByte('\n')
	b.WriteString(cut(from, maxAddress))
	b.WriteByte('\n')
	b.WriteString(cut(subject, maxSubject))
	end := b.Len() + maxRecipients
	for _, a := range recipients {
		a = cut(a, maxAddress)
		if b.Len()+1+len(a) > end {
			break
		}
		b.WriteByte('\n')
		b.WriteString(a)
	}
	return Fold(b.String())
}

// Actions returns the set of actions that a record answers to when a query
// asks for one: bit 1<<a for each recipient's action, or the record's own
// action where no recipient was decided.
func Actions(r *sluice.Record) uint64 {
	if len(r.Decisions) == 0 {
		return 1 << r.Action()
	}
	var set uint64
	for _, d := range r.Decisions {
		set |= 1 << d.Action
	}
	return set
}

// CheckMemos says what is wrong with memos that can't be kept.
func CheckMemos(memos []sluice.Memo) error {
	for i := range memos {
		switch m := &memos[i]; {
		case m.Kind == "" || m.Key == "":
			return fmt.Errorf("memo %d of %d has no kind or key", i+1, len(memos))
		case len(m.Value) > sluice.MaxMemo:
			return fmt.Errorf("memo %q of kind %q has %d octets, at most %d", cut(m.Key, maxAddress), m.Kind, len(m.Value), sluice.MaxMemo)
		}
	}
	return nil
}

// Clone returns a record that shares nothing mutable with r.
func Clone(r *sluice.Record) *sluice.Record {
	c := *r
	c.Conn = cloneConn(r.Conn)
	c.Envelope = cloneEnvelope(r.Envelope)
	c.Authenticated = slices.Clone(r.Authenticated)
	c.Verdict.Ledger = slices.Clone(r.Verdict.Ledger)
	c.Decisions = slices.Clone(r.Decisions)
	c.Outcomes = slices.Clone(r.Outcomes)
	c.Files = slices.Clone(r.Files)
	return &c
}

// CloneQuarantined returns a description that shares nothing mutable with q.
func CloneQuarantined(q *sluice.Quarantined) *sluice.Quarantined {
	c := *q
	c.Conn = cloneConn(q.Conn)
	c.Envelope = cloneEnvelope(q.Envelope)
	c.Verdict.Ledger = slices.Clone(q.Verdict.Ledger)
	return &c
}

func cloneConn(c sluice.Conn) sluice.Conn {
	if c.TLS != nil {
		t := *c.TLS
		c.TLS = &t
	}
	return c
}

func cloneEnvelope(e sluice.Envelope) sluice.Envelope {
	e.Params = slices.Clone(e.Params)
	e.Rcpts = slices.Clone(e.Rcpts)
	for i := range e.Rcpts {
		e.Rcpts[i].Params = slices.Clone(e.Rcpts[i].Params)
	}
	return e
}

// cut bounds s to n octets and doesn't leave half a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := 0; i < utf8.UTFMax-1 && n > 0 && !utf8.RuneStart(s[n]); i++ {
		n--
	}
	return s[:n]
}
