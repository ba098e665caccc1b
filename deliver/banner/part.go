package banner

import (
	"bytes"
	"slices"
	"strings"

	"sluice/message"
	"sluice/message/header"
)

// texts are the parts that a client may show as the message's text, in the order of
// the message, or why there are none.
func texts(m *message.Message) (out []*message.Part, left string) {
	if len(m.Parts) == 0 || m.Truncated || bareCR(m) {
		return nil, LeftAmbiguous
	}
	out, left = shown(m, m.Parts[0], 0)
	switch {
	case left != "":
		return nil, left
	case len(out) == 0:
		return nil, LeftNoText
	}
	for _, p := range out {
		for q := p; q != nil; q = q.Parent {
			if len(q.Readings) > 0 || q.Ghost {
				return nil, LeftAmbiguous
			}
		}
		if pgp(m.Decoded(p)) {
			return nil, LeftSigned
		}
	}
	return out, ""
}

// bareCR says whether readers may disagree where lines end; the port takes no such
// mail, files may be.
func bareCR(m *message.Message) bool {
	return slices.ContainsFunc(m.Defects, func(d message.Defect) bool { return d.Code == message.BareCR })
}

const maxDepth = 20

// shown looks below one part.
func shown(m *message.Message, p *message.Part, depth int) (out []*message.Part, left string) {
	if depth > maxDepth || p.Ghost {
		return nil, LeftAmbiguous
	}
	switch {
	case p.Type == "multipart/signed":
		return nil, LeftSigned
	case p.Type == "multipart/encrypted", strings.HasPrefix(p.Type, "application/pkcs7"), strings.HasPrefix(p.Type, "application/x-pkcs7"),
		p.Type == "application/pgp-encrypted":
		return nil, LeftEncrypted
	case text(p):
		return []*message.Part{p}, ""
	case p.Type == "multipart/report" || !p.IsMultipart():
		return nil, ""
	}
	for _, c := range children(p) {
		some, left := shown(m, c, depth+1)
		if left != "" {
			return nil, left
		}
		out = append(out, some...)
		if len(some) > 0 && p.Type != "multipart/alternative" {
			break
		}
	}
	return out, ""
}

// children are the parts that a multipart's text may be in: of a related one the root,
// by "start" (RFC 2387 3.2) or the first; of others all that are real.
func children(p *message.Part) []*message.Part {
	var out []*message.Part
	for _, c := range p.Children {
		if !c.Ghost {
			out = append(out, c)
		}
	}
	if p.Type != "multipart/related" || len(out) == 0 {
		return out
	}
	if start := p.Params["start"]; start != "" {
		for _, c := range out {
			if strings.TrimSpace(c.Header.Get("Content-ID")) == start {
				return []*message.Part{c}
			}
		}
	}
	return out[:1]
}

// text says whether a part is text that is displayed and that a banner can stand in.
func text(p *message.Part) bool {
	return (p.Type == "text/plain" || p.Type == "text/html") && p.Disposition != "attachment" && p.Filename == "" && len(p.Children) == 0
}

// anyTexts are all texts that may quote a banner.
func anyTexts(m *message.Message) (out []*message.Part) {
	for _, p := range m.Parts {
		if !text(p) || p.Ghost || pgp(m.Decoded(p)) || len(p.Readings) > 0 {
			continue
		}
		ok := true
		for q := p.Parent; q != nil && ok; q = q.Parent {
			ok = !q.IsMessage() && q.Type != "multipart/signed" && q.Type != "multipart/encrypted" && len(q.Readings) == 0
		}
		if ok {
			out = append(out, p)
		}
	}
	return out
}

// pgp says whether text is signed or encrypted in place (RFC 9580 6, 7).
func pgp(b []byte) bool {
	for {
		i := bytes.Index(b, []byte("-----BEGIN PGP "))
		if i < 0 {
			return false
		}
		if i == 0 || b[i-1] == '\n' || b[i-1] == '>' {
			return true
		}
		b = b[i+1:]
	}
}

// boundaries are those of the multiparts around a part.
func boundaries(p *message.Part) (out []string) {
	for q := p.Parent; q != nil; q = q.Parent {
		if b := q.Params["boundary"]; b != "" {
			out = append(out, b)
		}
	}
	return out
}

// splits says whether a body has a line that a reader could take for a boundary
// around it.
func splits(body []byte, around []string) bool {
	for len(body) > 0 {
		line, rest, _ := bytes.Cut(body, []byte("\n"))
		if bytes.HasPrefix(line, []byte("--")) {
			for _, b := range around {
				if bytes.HasPrefix(line[2:], []byte(b)) {
					return true
				}
			}
		}
		body = rest
	}
	return false
}

// contentFields are the fields of a part whose text became UTF-8.
func contentFields(p *message.Part) (remove []header.Range, at int) {
	h := &p.Header
	at = h.Range.Off
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Is("Content-Type") || f.Is("Content-Transfer-Encoding") {
			remove = append(remove, f.Range)
		}
	}
	return remove, at
}
