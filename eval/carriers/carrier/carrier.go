// Package carrier makes inert mail that carries what a gateway must find in files,
// and a harmless twin of each: the same form without the deed. It writes formats and
// reads none.
package carrier

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
)

// Case is one thing to find, and the mail that must not be taken for it.
type Case struct {
	Name string // file name
	Line string // what it belongs to: "types", "containers", "documents", "pictures"
	// Want is what must be stated of the carrier, and not of its twin: kinds of facts,
	// "class:" and a class, or "link:" and a URL. One of them is enough.
	Want          []string
	Carrier, Twin Mail
}

// Mail is a message.
type Mail struct {
	Subject string
	Text    string
	HTML    string // in place of the text
	Files   []File
}

// File is an attachment.
type File struct {
	Name, Type string
	Body       []byte
}

// Bytes writes the message.
func (m Mail) Bytes() []byte {
	var b bytes.Buffer
	subject := m.Subject
	if subject == "" {
		subject = "Your documents"
	}
	fmt.Fprintf(&b, "Received: from mail.sender.example (mail.sender.example [192.0.2.10]) by mx.a.example with ESMTPS; Tue, 24 Nov 2026 10:00:00 +0000\r\n"+
		"From: Ann Meyer <ann@sender.example>\r\nTo: bob@a.example\r\nSubject: %s\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"+
		"Message-ID: <carrier@sender.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n", mime.QEncoding.Encode("utf-8", subject))
	text, kind := m.Text, "plain"
	if m.HTML != "" {
		text, kind = m.HTML, "html"
	}
	if text == "" {
		text = "Dear Bob,\n\nplease find the documents attached that we spoke about on the phone.\n\nKind regards\nAnn\n"
	}
	fmt.Fprintf(&b, "--=_b\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n", kind, fold([]byte(text)))
	for _, f := range m.Files {
		typ := f.Type
		if typ == "" {
			typ = "application/octet-stream"
		}
		fmt.Fprintf(&b, "--=_b\r\nContent-Type: %s\r\nContent-Disposition: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n",
			typ, mime.FormatMediaType("attachment", map[string]string{"filename": f.Name}), fold(f.Body))
	}
	b.WriteString("--=_b--\r\n")
	return b.Bytes()
}

func fold(b []byte) string {
	s := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(s) > 76 {
		out.WriteString(s[:76] + "\r\n")
		s = s[76:]
	}
	return out.String() + s
}

// Cases are all of them.
func Cases() []Case {
	var out []Case
	for _, l := range []struct {
		name  string
		cases []Case
	}{{"types", types()}, {"containers", containers()}, {"documents", documents()}, {"pages", pages()}, {"pictures", pictures()}} {
		for _, c := range l.cases {
			c.Line = l.name
			out = append(out, c)
		}
	}
	return out
}

// with is a message with one file.
func with(name, typ string, body []byte) Mail { return Mail{Files: []File{{name, typ, body}}} }
