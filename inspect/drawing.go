package inspect

import "bytes"

// MayDraw says whether a text could draw a code, as phones read it, with characters or
// with coloured boxes: worth sending to the process that looks. It counts signs in one
// pass and reads nothing. mediaType is that of the part, lower case.
func MayDraw(mediaType string, body []byte) bool {
	body = body[:min(len(body), 1<<20)]
	if mediaType == "text/html" || mediaType == "application/xhtml+xml" {
		return pageDraws(body)
	}
	return linesDraw(body)
}

const (
	minSigns = 40  // of those that draw: a small code in braille has 70
	minBoxes = 120 // empty elements: a small code in runs of cells has 200
	minLines = 9
)

func pageDraws(body []byte) bool {
	if boxes(body) >= minBoxes || signs(body) >= minSigns || bytes.Count(body, []byte("&#9")) >= minSigns || bytes.Count(body, []byte("&#x2")) >= minSigns {
		return true
	}
	at := bytes.Index(body, []byte("<pre"))
	if at < 0 {
		at = bytes.Index(body, []byte("<PRE"))
	}
	return at >= 0 && linesDraw(body[at:])
}

// boxes counts elements without text: a start, and right behind it the end or the start
// of one of the same name.
func boxes(body []byte) (n int) {
	var open []byte // name of the start tag that ended last
	end := -1       // where it ended
	for at := 0; ; {
		i := bytes.IndexByte(body[at:], '<')
		if i < 0 {
			return n
		}
		at += i + 1
		tag := body[at:]
		closes := len(tag) > 0 && tag[0] == '/'
		if closes {
			tag = tag[1:]
		}
		name := word(tag)
		if end >= 0 && len(name) > 0 && bytes.EqualFold(name, open) && empty(body[end:at-1]) {
			n++
		}
		close := bytes.IndexByte(tag[:min(len(tag), 500)], '>')
		open, end = nil, -1
		if close < 0 {
			continue
		}
		at = len(body) - len(tag) + close + 1
		if !closes {
			open, end = name, at
		}
	}
}

// word is the name that a tag begins with.
func word(tag []byte) []byte {
	for i, c := range tag {
		if c |= 0x20; c < 'a' || 'z' < c {
			return tag[:i]
		}
	}
	return nil
}

func empty(text []byte) bool {
	return len(text) < 30 && len(bytes.TrimSpace(bytes.ReplaceAll(text, []byte("&nbsp;"), nil))) == 0
}

// signs counts characters of UTF-8 that are blocks, squares or braille.
func signs(body []byte) (n int) {
	for len(body) > 0 {
		// U+2580–25FF and U+2800–28FF begin with E2 96, 97, A0–A3; squares with E2 AC and
		// F0 9F.
		i := bytes.IndexByte(body, 0xE2)
		if i < 0 || i+1 >= len(body) {
			break
		}
		if c := body[i+1]; c == 0x96 || c == 0x97 || 0xA0 <= c && c <= 0xA3 || c == 0xAC {
			n++
		}
		body = body[i+2:]
	}
	return n
}

// linesDraw says whether lines are made of few different signs, one below the other.
func linesDraw(body []byte) bool {
	if signs(body) >= minSigns {
		return true
	}
	n := 0
	for len(body) > 0 {
		line := body
		if i := bytes.IndexByte(body, '\n'); i >= 0 {
			line, body = body[:i], body[i+1:]
		} else {
			body = nil
		}
		switch draws(bytes.TrimRight(line, "\r")) {
		case yes:
			if n++; n >= minLines {
				return true
			}
		case no:
			n = 0
		}
	}
	return false
}

type answer int

const (
	no answer = iota
	yes
	blank
)

// draws judges one line.
func draws(line []byte) answer {
	if len(line) == 0 {
		return blank
	}
	var a, b byte // the signs besides the space
	changes := 0
	for i, c := range line {
		if i > 0 && c != line[i-1] {
			changes++
		}
		switch {
		case c == ' ' || c == a || c == b:
		case a == 0:
			a = c
		case b == 0:
			b = c
		default:
			return no
		}
	}
	if len(line) < 15 || changes < 2 {
		return blank // a rule, or a part of it: draws nothing, and ends nothing
	}
	return yes
}
