package complaint

import (
	"bytes"
	"mime"
	"strings"

	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/message/header"
)

// Original is a whole message as it came to us, made from a copy out of a mailbox.
func (c *Config) Original(raw []byte) Original { return c.original(raw, false) }

// original takes what came after us off a message: everything above and with our
// own trace fields, what mail stores and mail programs add, and our mark in the
// subject. A learner that saw them would learn our own verdict.
func (c *Config) original(b []byte, headerOnly bool) Original {
	b = bytes.TrimLeft(b, "\r\n")
	m := message.Parse(b, message.Limits{})
	h := m.Header()
	o := Original{Attached: b, HeaderOnly: headerOnly, MessageID: header.Clip(h.Get("Message-ID"))}
	from, id := c.below(h)
	o.ID = id
	o.Raw = c.strip(b, h, from)
	return o
}

// below finds the first field that came to us: the one behind the block that we put
// on top when we delivered. It returns 0 and no id where there is none.
//
// Our block begins with Received and goes on with fields that only we may write;
// ours were the topmost of that name, because what arrives with them loses them.
func (c *Config) below(h *header.Header) (first int, id string) {
	at := -1
	for i := range h.Fields {
		if h.Fields[i].Is("X-Sluice-ID") {
			at = i
			break
		}
	}
	if at < 0 {
		return 0, ""
	}
	id = h.Fields[at].Value
	if !plainID(id) || !received(h.Fields[max(0, at-3):at], id) {
		return 0, "" // not where we write it: the mail came by another way
	}
	for first = at + 1; first < len(h.Fields); first++ {
		f := &h.Fields[first]
		if !ourPrefix(f.Name, "x-sluice-") && !ourPrefix(f.Name, "x-spam-") {
			break
		}
	}
	// Then the ARC set that goes on a message that we changed (RFC 8617 5.1): its
	// results are in our name.
	if end := c.sealed(h, first); end > first {
		first = end
	}
	return first, id
}

// received says whether one of the fields is the Received that our block begins with.
func received(fields []header.Field, id string) bool {
	for i := range fields {
		if !fields[i].Is("Received") {
			continue
		}
		words := strings.Fields(fields[i].Value)
		for k := 1; k < len(words); k++ {
			if words[k-1] == "id" && strings.TrimSuffix(words[k], ";") == id {
				return true
			}
		}
	}
	return false
}

// sealed is the end of an ARC set of ours that begins at field i, or i.
func (c *Config) sealed(h *header.Header, i int) int {
	end, ours := i, false
	for ; end < len(h.Fields) && end < i+3; end++ {
		f := &h.Fields[end]
		switch {
		case f.Is("ARC-Seal"), f.Is("ARC-Message-Signature"):
		case f.Is("ARC-Authentication-Results"): // "i=2; mx.example; …"
			_, rest, _ := strings.Cut(f.Value, ";")
			host, _, _ := strings.Cut(strings.TrimSpace(rest), ";")
			word, _, _ := strings.Cut(strings.TrimSpace(host), " ")
			ours = c.Hostname != "" && header.EqualFold(word, c.Hostname)
		default:
			return i
		}
	}
	if !ours || end != i+3 {
		return i
	}
	return end
}

func ourPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && header.EqualFold(name[:len(prefix)], prefix)
}

// plainID says whether s looks like an id of ours: letters, digits, dashes.
func plainID(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// stored are fields that a mail store or a mail program writes into its copy.
var stored = []string{"return-path", "delivered-to", "x-original-to", "envelope-to", "status", "x-status", "x-uid", "x-uidl", "x-keywords", "x-imap", "x-imapbase",
	"x-mozilla-status", "x-mozilla-status2", "x-mozilla-keys", "x-mozilla-draft-info", "x-account-key", "x-evolution-source", "x-gmail-labels", "x-gm-thrid", "x-tuid", "lines"}

func isStored(name string) bool {
	for _, s := range stored {
		if header.EqualFold(name, s) {
			return true
		}
	}
	return false
}

// strip returns b without the fields before the first, without those of stores, our
// own and the mark in the subject. What isn't touched keeps its bytes.
func (c *Config) strip(b []byte, h *header.Header, first int) []byte {
	if len(h.Fields) == 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	at := 0
	if first > 0 {
		at = h.Fields[first-1].Range.End()
	}
	top := true // still among the fields that stores put on top
	for i := first; i < len(h.Fields); i++ {
		f := &h.Fields[i]
		// A store writes above the first Received; further down such a field came
		// with the message.
		top = top && !f.Is("Received")
		switch {
		case top && isStored(f.Name):
			out = append(out, b[at:f.Range.Off]...)
		case c.SubjectTag != "" && f.Is("Subject"):
			out = append(append(out, b[at:f.Range.Off]...), c.untag(b[f.Range.Off:f.Range.End()])...)
		default:
			out = append(out, b[at:f.Range.End()]...)
		}
		at = f.Range.End()
	}
	out = append(out, b[at:]...)
	m := message.Parse(out, message.Limits{})
	out = rewrite.Strip(out, *m.Header(), c.Hostname)
	if c.Restore != nil {
		out = rewrite.Apply(out, c.Restore(message.Parse(out, message.DefaultLimits())))
	}
	return out
}

// longLine is where deliver/rewrite begins a new line behind its mark.
const longLine = 800

// untag takes our mark off a subject, in the forms that deliver/rewrite gives it;
// nothing stays of a field that only held the mark.
func (c *Config) untag(line []byte) []byte {
	colon := bytes.IndexByte(line, ':')
	tags := []string{mime.QEncoding.Encode("utf-8", c.SubjectTag)}
	if strings.HasPrefix(tags[0], "=?") { // before other encoded words the blank is inside
		tags = append(tags, mime.QEncoding.Encode("utf-8", c.SubjectTag+" "))
	}
	for _, tag := range tags {
		rest, ok := bytes.CutPrefix(line[colon+1:], []byte(" "+tag))
		switch {
		case !ok:
			continue
		case len(bytes.TrimSpace(rest)) == 0:
			return nil
		case bytes.HasPrefix(rest, []byte("\r\n ")) && bytes.IndexByte(rest[2:], '\n') > longLine:
			rest = rest[2:]
		}
		return append(bytes.Clone(line[:colon+1]), rest...)
	}
	return line
}
