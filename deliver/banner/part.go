package banner

import (
	"bytes"
	"strings"

	"sluice/deliver/rewrite"
	"sluice/message"
)

// texts are the parts that a client may show as the message's text, in the order of
// the message, or why there are none.
func texts(m *message.Message) (out []*message.Part, left string) {
	if !rewrite.Plain(m) {
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
	case rewrite.IsText(p):
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

// anyTexts are all texts that may quote a banner.
func anyTexts(m *message.Message) (out []*message.Part) {
	for _, p := range rewrite.Texts(m) {
		if !pgp(m.Decoded(p)) {
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
