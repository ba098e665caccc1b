package htmlview

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// sink gathers text with white space collapsed as HTML does.
type sink struct {
	b    []byte
	most int
	full bool
}

// line ends the current line, if there is text on it.
func (s *sink) line() {
	n := len(s.b)
	for n > 0 && s.b[n-1] == ' ' {
		n--
	}
	s.b = s.b[:n]
	if n > 0 && s.b[n-1] != '\n' && !s.full {
		s.b = append(s.b, '\n')
	}
}

// space separates two cells.
func (s *sink) space() {
	if n := len(s.b); n > 0 && s.b[n-1] > ' ' && !s.full {
		s.b = append(s.b, ' ')
	}
}

// write appends t; pre keeps its line ends.
func (s *sink) write(t []byte, pre bool) {
	if s.full {
		return
	}
	for len(t) > 0 {
		n := bytes.IndexAny(t, " \t\r\n\f")
		if n < 0 {
			n = len(t)
		}
		if n > 0 {
			if len(s.b)+n >= s.most {
				s.full = true
				return
			}
			s.b = append(s.b, t[:n]...)
		}
		if n == len(t) {
			return
		}
		if pre && t[n] == '\n' {
			s.line()
		} else {
			s.space()
		}
		t = t[n+1:]
	}
}

// since is what was written behind offset n.
func (s *sink) since(n int) []byte {
	if n >= len(s.b) {
		return nil
	}
	return s.b[n:]
}

// blank says whether nothing but white space was written behind offset n.
func (s *sink) blank(n int) bool { return len(bytes.TrimSpace(s.since(n))) == 0 }

func (s *sink) String() string {
	out := string(bytes.TrimRight(s.b, " \n"))
	if !utf8.ValidString(out) {
		out = strings.ToValidUTF8(out, "\uFFFD")
	}
	return out
}
