package smtp

import (
	"bytes"
	"cmp"
	"slices"
)

// FaultKind is a kind of octets that must not stand in a message.
type FaultKind uint8

// The faults of message text (RFC 5321 2.3.8, 4.1.1.4, 4.5.3.1.6).
const (
	BareCR      FaultKind = iota // a CR that no LF follows
	BareLF                       // an LF that no CR precedes
	NUL                          // a zero octet
	LineTooLong                  // over the limit, reported at the first octet beyond it
	Smuggling                    // a dot line without CRLF on both sides
	faultKinds
)

var faultNames = [faultKinds]string{"bare CR", "bare LF", "NUL", "line too long", "smuggling"}

func (k FaultKind) String() string {
	if k < faultKinds {
		return faultNames[k]
	}
	return "?"
}

// Fault is the first fault of its kind.
type Fault struct {
	Kind   FaultKind
	Offset int64 // of the octet in the decoder's input
}

// TextChecker looks for faults in text that comes in any pieces; how it is cut
// makes no difference. The zero value checks for everything but long lines.
type TextChecker struct {
	MaxLine int // octets of a line without CRLF, a stuffed dot included; 0: no limit

	off    int64 // input so far
	line   int   // octets of the current line so far, a CR at its end included
	cr     bool  // the last octet was a CR
	tail   tail  // the last octets before this piece
	seen   [faultKinds]bool
	faults []Fault
}

// Faults returns the first fault of each kind, by offset.
func (t *TextChecker) Faults() []Fault { return t.faults }

// LineStart says whether the text so far is empty or ends with a line end.
func (t *TextChecker) LineStart() bool { return t.line == 0 && !t.cr }

func (t *TextChecker) fault(kind FaultKind, off int64) {
	if !t.seen[kind] {
		t.seen[kind] = true
		t.faults = append(t.faults, Fault{kind, off})
	}
}

// Check takes the next piece. It doesn't keep b.
func (t *TextChecker) Check(b []byte) {
	if len(b) == 0 {
		return
	}
	before := len(t.faults)
	if !t.seen[NUL] {
		if i := bytes.IndexByte(b, 0); i >= 0 {
			t.fault(NUL, t.off+int64(i))
		}
	}
	t.checkLines(b)
	// Every such dot line has a bare CR or LF beside it, so clean text costs
	// nothing here.
	if !t.seen[Smuggling] && (t.seen[BareCR] || t.seen[BareLF]) {
		if i, ok := t.tail.smuggling(b); ok {
			t.fault(Smuggling, t.off+int64(i))
		}
	}
	if found := t.faults[before:]; len(found) > 1 {
		slices.SortFunc(found, func(a, b Fault) int {
			return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Kind, b.Kind))
		})
	}
	t.tail.push(b)
	t.off += int64(len(b))
}

func (t *TextChecker) checkLines(b []byte) {
	i := 0
	if t.cr {
		// The piece before ended with a CR: only an LF may come now.
		t.cr = false
		if b[0] == '\n' {
			t.line, i = 0, 1
		} else {
			t.fault(BareCR, t.off-1)
			if t.MaxLine > 0 && t.line > t.MaxLine {
				t.fault(LineTooLong, t.off-1)
			}
		}
	}
	for i < len(b) {
		line, next, ended := b[i:], len(b), false
		if lf := bytes.IndexByte(line, '\n'); lf >= 0 {
			line, next, ended = line[:lf], i+lf+1, true
		}
		cr := bytes.IndexByte(line, '\r')
		if cr >= 0 && cr < len(line)-1 {
			t.fault(BareCR, t.off+int64(i+cr))
			cr = -1
			if line[len(line)-1] == '\r' {
				cr = len(line) - 1
			}
		}
		text := len(line)
		if cr >= 0 {
			text--
		}
		if t.MaxLine > 0 && t.line+text > t.MaxLine {
			t.fault(LineTooLong, t.off+int64(i+max(0, t.MaxLine-t.line)))
		}
		switch {
		case !ended:
			t.line += len(line)
			t.cr = cr >= 0
		case cr < 0:
			t.fault(BareLF, t.off+int64(next-1))
			t.line = 0
		default:
			t.line = 0
		}
		i = next
	}
}

// End says that the text is complete: a CR at its end is bare.
func (t *TextChecker) End() {
	if t.cr {
		t.cr = false
		t.fault(BareCR, t.off-1)
	}
}

// CheckText returns the first fault of each kind in a whole text, by offset, nil
// where there is none.
func CheckText(b []byte, maxLine int) []Fault {
	t := TextChecker{MaxLine: maxLine}
	t.Check(b)
	t.End()
	return t.faults
}

// tail is the last four octets of a text before the present piece. A text begins
// as if after CRLF.
type tail struct {
	b [4]byte
	n int
}

func (t *tail) push(b []byte) {
	if len(b) >= len(t.b) {
		t.n = copy(t.b[:], b[len(b)-len(t.b):])
		return
	}
	keep := min(t.n, len(t.b)-len(b))
	copy(t.b[:], t.b[t.n-keep:t.n])
	t.n = keep + copy(t.b[keep:], b)
}

// at returns the octet at i of the piece b, or before it where i is negative.
func (t *tail) at(b []byte, i int) byte {
	switch {
	case i >= 0:
		return b[i]
	case t.n+i >= 0:
		return t.b[t.n+i]
	case t.n+i == -1:
		return '\n'
	case t.n+i == -2:
		return '\r'
	}
	return 0
}

// smuggling finds the first dot that some servers would take for a line of its own
// though a CRLF is missing on one side or the other. It returns the dot's place
// in b, negative where the dot came before.
func (t *tail) smuggling(b []byte) (int, bool) {
	for i := -2; i < len(b)-1; i++ {
		if i >= 0 {
			dot := bytes.IndexByte(b[i:len(b)-1], '.')
			if dot < 0 {
				return 0, false
			}
			i += dot
		} else if t.at(b, i) != '.' {
			continue
		}
		before, after := t.at(b, i-1), t.at(b, i+1)
		if (before != '\r' && before != '\n') || (after != '\r' && after != '\n') {
			continue
		}
		if before != '\n' || t.at(b, i-2) != '\r' || after != '\r' {
			return i, true
		}
		// CRLF, dot, CR: what comes next tells.
		if i+2 < len(b) && b[i+2] != '\n' {
			return i, true
		}
	}
	return 0, false
}

// DataDecoder takes the text after DATA apart: it removes stuffed dots and finds
// the end, which is CRLF.CRLF and nothing else (RFC 5321 4.1.1.4, 4.5.2). The
// zero value is ready for a message. It doesn't judge: run a [TextChecker] over
// the same octets.
type DataDecoder struct {
	state dataState
}

type dataState uint8

const (
	lineStart dataState = iota // after CRLF, or at the start, which the DATA command's CRLF makes
	inText
	afterCR    // in text, and the last octet was a CR
	afterDot   // a dot at the line's start, not passed on
	afterDotCR // dot and CR at the line's start, not passed on
)

var (
	crlfDot = []byte("\r\n.")
	heldCR  = []byte("\r")
)

// Next takes octets from src, which must not be empty: content is what belongs to
// the message (usually a piece of src), n how many were taken, done whether the
// message ended with the last of them. Call it again with the rest until done.
func (d *DataDecoder) Next(src []byte) (content []byte, n int, done bool) {
	if d.state == lineStart {
		if src[0] != '.' {
			d.state = inText
		} else {
			d.state = afterDot
			n = 1
		}
	}
	if d.state == afterDot && n < len(src) {
		if src[n] != '\r' {
			d.state = inText // RFC 5321 4.5.2: the dot goes, the line stays
		} else {
			d.state = afterDotCR
			n++
		}
	}
	if d.state == afterDotCR && n < len(src) {
		if src[n] == '\n' {
			return nil, n + 1, true
		}
		d.state = inText
		return heldCR, n, false
	}
	if n == len(src) {
		return nil, n, false
	}
	from := n
	if d.state == afterCR {
		d.state = inText
		if src[n] == '\n' {
			n++
			if n == len(src) {
				d.state = lineStart
				return src[from:], n, false
			}
			if src[n] == '.' {
				d.state = afterDot
				return src[from:n], n + 1, false
			}
		}
	}
	if i := bytes.Index(src[n:], crlfDot); i >= 0 {
		n += i
		d.state = afterDot
		return src[from : n+2], n + 3, false
	}
	switch {
	case bytes.HasSuffix(src[n:], crlfDot[:2]):
		d.state = lineStart
	case src[len(src)-1] == '\r':
		d.state = afterCR
	}
	return src[from:], len(src), false
}

// DotStuffer makes text ready for DATA, in any pieces: it doubles each dot at a
// line's start (RFC 5321 4.5.2). The zero value is at a line's start.
type DotStuffer struct {
	state dataState
}

// Append appends the stuffed src to dst.
func (d *DotStuffer) Append(dst, src []byte) []byte {
	for len(src) > 0 {
		switch {
		case d.state == lineStart && src[0] == '.':
			dst = append(dst, '.')
		case d.state == afterCR && src[0] == '\n':
			dst = append(dst, '\n')
			src = src[1:]
			d.state = lineStart
			continue
		}
		d.state = inText
		i := bytes.Index(src, crlfDot)
		if i < 0 {
			if bytes.HasSuffix(src, crlfDot[:2]) {
				d.state = lineStart
			} else if src[len(src)-1] == '\r' {
				d.state = afterCR
			}
			return append(dst, src...)
		}
		dst = append(dst, src[:i+2]...)
		src = src[i+2:]
		d.state = lineStart
	}
	return dst
}

// End appends the end of the message: CRLF where the last line has none, a dot
// and CRLF. The stuffer is then ready for the next message.
func (d *DotStuffer) End(dst []byte) []byte {
	if d.state != lineStart {
		dst = append(dst, '\r', '\n')
	}
	d.state = lineStart
	return append(dst, '.', '\r', '\n')
}

// AppendDotStuffed appends a whole message as DATA wants it, its end included.
func AppendDotStuffed(dst, msg []byte) []byte {
	var d DotStuffer
	return d.End(d.Append(dst, msg))
}
