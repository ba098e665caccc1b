package htmlview

import (
	"bytes"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// The tokenizer copies every tag name and attribute three times. Most tags hold
// neither entities nor bytes that need work, and are read from their raw bytes
// instead, in the same way.

// plainTag says whether raw needs no decoding.
func plainTag(raw []byte) bool {
	return bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, 0) < 0 && bytes.IndexByte(raw, '\r') < 0
}

// tagName returns the lower-case name of the tag token and what follows it; rest is
// nil where the tokenizer has to be asked for the attributes.
func tagName(z *html.Tokenizer, scratch []byte) (tag atom.Atom, name, rest []byte, hasAttr bool) {
	raw := z.Raw()
	if !plainTag(raw) {
		name, hasAttr = z.TagName()
		return atom.Lookup(name), name, nil, hasAttr
	}
	i := 1
	if len(raw) > 1 && raw[1] == '/' {
		i = 2
	}
	start := i
	for i < len(raw) && !isSpace(raw[i]) && raw[i] != '/' && raw[i] != '>' {
		i++
	}
	name = raw[start:i]
	for j, c := range name {
		if 'A' <= c && c <= 'Z' {
			scratch = append(scratch[:0], name...)
			for ; j < len(scratch); j++ {
				scratch[j] = lower(scratch[j])
			}
			name = scratch
			break
		}
	}
	return atom.Lookup(name), name, raw[i:], len(raw)-i > 1
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f'
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// rawAttr takes the next attribute off b, which stands behind a tag's name (HTML
// Standard 13.2.5.32 to 13.2.5.39). key is empty where none is left.
func rawAttr(b []byte) (key, val, rest []byte) {
	for {
		i := 0
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i >= len(b) || b[i] == '>' {
			return nil, nil, nil
		}
		start := i
		for i < len(b) && !isSpace(b[i]) && b[i] != '/' && b[i] != '>' && (b[i] != '=' || i == start) {
			i++
		}
		key = b[start:i]
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i < len(b) && b[i] == '/' {
			b = b[i+1:]
			if len(key) > 0 {
				return key, nil, b
			}
			continue
		}
		if i >= len(b) || b[i] != '=' {
			if len(key) == 0 {
				return nil, nil, nil
			}
			return key, nil, b[i:]
		}
		i++
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		switch {
		case i >= len(b) || b[i] == '>':
			return key, nil, b[i:]
		case b[i] == '"' || b[i] == '\'':
			end := bytes.IndexByte(b[i+1:], b[i])
			if end < 0 {
				return key, b[i+1:], nil
			}
			return key, b[i+1 : i+1+end], b[i+2+end:]
		}
		start = i
		for i < len(b) && !isSpace(b[i]) && b[i] != '>' {
			i++
		}
		return key, b[start:i], b[i:]
	}
}
