// Package letter opens messages that are files: RFC 5322, mailboxes of several, and
// web pages stored in that form. Package message reads them, by every reading that
// a client may have.
package letter

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/message"
)

// Decoder opens messages.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "letter".
func (Decoder) Name() string { return "letter" }

// Types are those of messages.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.Mail, inspect.MHTML} }

// Open emits the parts, bodies too: a page in a message is a page.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if line, rest, ok := bytes.Cut(b, []byte("\n")); ok && len(line) < 20 && digits(line) {
		b = rest // the length that Apple's Mail writes in front
	}
	if all := split(b); len(all) > 1 {
		for i, m := range all {
			if _, err := w.Emit(child.Entry{Name: fmt.Sprintf("message %d.eml", i+1), Type: inspect.Mail, Method: "mbox", Size: -1, Bytes: m}); err != nil {
				return err
			}
		}
		return nil
	}
	budget := w.Budget()
	m := message.Parse(b, message.Limits{Depth: budget.Depth, Parts: min(budget.Entries, 1000), Decoded: int(min(budget.Bytes, 1<<30))})
	n := 0
	for owner, p := range m.All() {
		if p.IsMultipart() || p.IsMessage() && len(p.Children) > 0 {
			continue
		}
		content := owner.Decoded(p)
		if len(content) == 0 && p.Filename == "" {
			continue
		}
		n++
		e := child.Entry{Name: p.Filename, Declared: p.Type, Method: p.Encoding, Size: -1, Bytes: content}
		if content == nil {
			e.Bytes = []byte{}
		}
		if e.Name == "" {
			e.Name = fmt.Sprintf("part %d%s", n, endings[p.Type])
		}
		if _, err := w.Emit(e); err != nil {
			return err
		}
		if p.Type == "text/plain" && !p.IsFile() {
			w.Text(inspect.OriginBody, owner.Text(p))
		}
	}
	if m.Truncated {
		return w.Steps()
	}
	return nil
}

var endings = map[string]string{"text/html": ".html", "text/plain": ".txt", "text/calendar": ".ics", "image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/svg+xml": ".svg", "message/rfc822": ".eml"}

func digits(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 0 && strings.Trim(string(b), "0123456789") == ""
}

// split cuts a mailbox at its "From " lines, which stand behind empty ones and name
// a time.
func split(b []byte) [][]byte {
	if !bytes.HasPrefix(b, []byte("From ")) {
		return nil
	}
	var out [][]byte
	start := 0
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("\nFrom "))
		if i < 0 {
			break
		}
		at += i + 1
		line := b[at:min(at+200, len(b))]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		}
		blank := at >= 2 && (b[at-2] == '\n' || at >= 3 && b[at-2] == '\r' && b[at-3] == '\n')
		if blank && bytes.Count(line, []byte(":")) >= 2 {
			out = append(out, b[start:at])
			start = at
		}
	}
	return append(out, b[start:])
}
