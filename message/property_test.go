package message_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/message"
)

// node is a random well-formed MIME tree.
type node struct {
	kind     string // "multipart", "message", "leaf"
	kids     []*node
	data     []byte
	enc      string
	filename string
	preamble string
	epilogue string
}

// draw makes a tree of at most the given depth.
func draw(t *rapid.T, depth int) *node {
	n := &node{kind: "leaf"}
	if depth > 0 {
		n.kind = rapid.SampledFrom([]string{"leaf", "leaf", "multipart", "multipart", "message"}).Draw(t, "kind")
	}
	switch n.kind {
	case "multipart":
		for range rapid.IntRange(1, 4).Draw(t, "kids") {
			n.kids = append(n.kids, draw(t, depth-1))
		}
		n.preamble = rapid.SampledFrom([]string{"", "This is MIME.\n", "--\n", "-- \nx\n"}).Draw(t, "preamble")
		n.epilogue = rapid.SampledFrom([]string{"", "\n", "bye\n", "--nobody\n"}).Draw(t, "epilogue")
	case "message":
		n.kids = []*node{draw(t, depth-1)}
	default:
		n.enc = rapid.SampledFrom([]string{"7bit", "base64", "quoted-printable"}).Draw(t, "encoding")
		n.data = rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
		if n.enc == "7bit" {
			text := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "--", "b\n", "\n", "--b1", "From: x\n", "\n--", "=", " "}), 0, 20).Draw(t, "text")
			n.data = []byte(strings.Join(text, ""))
		}
		n.filename = rapid.SampledFrom([]string{"", "a.txt", "a b (c).pdf", "ä/ö.exe", `q"uote\.doc`, "日本語.zip"}).Draw(t, "name")
	}
	return n
}

// write is a simple honest MIME writer with LF line ends; count makes boundaries
// unique.
func (n *node) write(b *strings.Builder, count *int) {
	switch n.kind {
	case "multipart":
		*count++
		boundary := fmt.Sprintf("=_%d_x", *count)
		fmt.Fprintf(b, "Content-Type: multipart/mixed;\n\tboundary=%q\n\n%s", boundary, n.preamble)
		for _, k := range n.kids {
			fmt.Fprintf(b, "\n--%s\n", boundary)
			k.write(b, count)
		}
		fmt.Fprintf(b, "\n--%s--\n%s", boundary, n.epilogue)
	case "message":
		b.WriteString("Content-Type: message/rfc822\n\nFrom: x@y.example\n")
		n.kids[0].write(b, count)
	default:
		fmt.Fprintf(b, "Content-Type: application/octet-stream\nContent-Transfer-Encoding: %s\n", n.enc)
		if n.filename != "" {
			fmt.Fprintf(b, "Content-Disposition: attachment;\n filename*=utf-8''%s\n", strings.ReplaceAll(url.QueryEscape(n.filename), "+", "%20"))
		}
		b.WriteString("\n")
		switch n.enc {
		case "base64":
			s := base64.StdEncoding.EncodeToString(n.data)
			for len(s) > 76 {
				b.WriteString(s[:76] + "\n")
				s = s[76:]
			}
			b.WriteString(s)
		case "quoted-printable":
			var q bytes.Buffer
			w := quotedprintable.NewWriter(&q)
			w.Binary = true
			_, _ = w.Write(n.data)
			_ = w.Close()
			b.WriteString(strings.ReplaceAll(q.String(), "\r\n", "\n"))
		default:
			b.Write(n.data)
		}
	}
}

// compare walks both trees.
func (n *node) compare(m *message.Message, p *message.Part, crlf bool) error {
	if len(p.Children) != len(n.kids) {
		return fmt.Errorf("part %q has %d children, want %d", p.Path, len(p.Children), len(n.kids))
	}
	for i, k := range n.kids {
		if err := k.compare(m, p.Children[i], crlf); err != nil {
			return err
		}
	}
	if n.kind != "leaf" {
		return nil
	}
	want := n.data
	if crlf && n.enc == "7bit" {
		want = bytes.ReplaceAll(want, []byte("\n"), []byte("\r\n"))
	}
	if got := m.Decoded(p); !bytes.Equal(got, want) {
		return fmt.Errorf("part %q (%s) decodes to %q, want %q", p.Path, n.enc, got, want)
	}
	if p.Filename != n.filename {
		return fmt.Errorf("part %q is named %q, want %q", p.Path, p.Filename, n.filename)
	}
	return nil
}

// TestRoundTrip holds the parser to a writer: what is well formed comes back as it
// was, with either line end, and without an ambiguity.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := draw(t, 4)
		subject := rapid.StringMatching(`[ -~äöü€日本]{0,60}`).Draw(t, "subject")
		subject = strings.Join(strings.Fields(subject), " ")
		var b strings.Builder
		b.WriteString("From: a@b.example\nDate: x\nMessage-ID: <x@y>\nMIME-Version: 1.0\nSubject: ")
		b.WriteString(mime.QEncoding.Encode("utf-8", subject) + "\n")
		count := 0
		root.write(&b, &count)
		for _, line := range []string{"\n", "\r\n"} {
			// Only the writer's line ends change: leaves of 7bit follow them.
			raw := strings.ReplaceAll(b.String(), "\n", line)
			m := message.Parse([]byte(raw), message.DefaultLimits())
			if err := check(m); err != nil {
				t.Fatal(err)
			}
			if err := root.compare(m, m.Parts[0], line == "\r\n"); err != nil {
				t.Fatalf("%v\n%q\n%+v", err, raw, m.Defects)
			}
			if got := m.View().Subject; got != subject && !strings.Contains(subject, "=?") {
				t.Fatalf("subject %q, want %q", got, subject)
			}
			for _, d := range m.Defects {
				if d.Ambiguous && d.Code != message.PreamblePart {
					t.Fatalf("%s in a well-formed message\n%q", d.Code, raw)
				}
			}
		}
	})
}
