package scan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// bufferSize is how much of a file is looked at to learn its kind, and the
// longest line that can be a separator.
const bufferSize = 8 << 10

// extent is one message of a mailbox, separator line included.
type extent struct {
	start, end int64
	data       []byte // where it is kept: at most one byte over the limit
}

// mailbox yields the messages of an mbox. From a file only their places are
// kept; a stream's bytes are.
func (w *walk) mailbox(path string, r *bufio.Reader, stream bool) bool {
	keep := int64(0)
	if stream {
		keep = w.max + 1
	}
	n, more := 0, true
	err := split(r, keep, func(e extent, last bool) bool {
		item := &Item{ID: path, File: path}
		if n++; n > 1 || !last {
			item.ID, item.Index = fmt.Sprintf("%s#%d", path, n), n
		}
		switch {
		case e.end-e.start > w.max:
			item.Err = fmt.Errorf("scan: %w", tooLarge(item.ID, w.max))
		case stream:
			item.open = func() (*Mail, error) { return fromMailbox(e.data), nil }
		default:
			item.open = opener(path, e.start, e.end-e.start, w.max, fromMailbox)
		}
		more = w.yield(item)
		return more
	})
	if err != nil && more {
		return w.fail(path, wrapPath(path, err))
	}
	return more
}

// split finds the messages of an mbox. A separator is a line "From sender date"
// at the beginning or after an empty line, with a header field behind it: all
// three are asked for, because many programs write "From " at the beginning of a
// body line without quoting it.
func split(r *bufio.Reader, keep int64, emit func(e extent, last bool) bool) error {
	var e extent
	var off int64
	blank, whole := true, true // the line before was empty; it was complete
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if whole && blank && off > 0 && isSeparator(line) {
			line = bytes.Clone(line) // peeking moves the buffer
			if next, _ := r.Peek(bufferSize / 2); isField(next) {
				e.end = off
				if !emit(e, false) {
					return nil
				}
				e = extent{start: off}
			}
		}
		if room := keep - int64(len(e.data)); room > 0 {
			e.data = append(e.data, line[:min(int64(len(line)), room)]...)
		}
		off += int64(len(line))
		blank = whole && isEmptyLine(line)
		whole = err == nil
		if errors.Is(err, io.EOF) {
			e.end = off
			emit(e, true)
			return nil
		}
	}
}

func isMailbox(head []byte) bool {
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	return isSeparator(line) && isField(rest)
}

// isSeparator says whether a line is "From sender date", the date as asctime
// writes it, with a time zone perhaps. The sender may hold spaces ("a at b").
func isSeparator(line []byte) bool {
	if !bytes.HasPrefix(line, []byte("From ")) || len(line) > 1000 {
		return false
	}
	_, ok := separatorSender(string(line))
	return ok
}

func separatorSender(line string) (sender []string, ok bool) {
	f := strings.Fields(line)
	for i := 1; i+4 < len(f); i++ {
		if isOneOf(f[i], "Mon Tue Wed Thu Fri Sat Sun") &&
			isOneOf(f[i+1], "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec") &&
			isNumber(f[i+2]) && strings.Contains(f[i+3], ":") {
			for _, y := range f[i+4:] {
				if len(y) == 4 && isNumber(y) {
					return f[1:i], true
				}
			}
		}
	}
	return nil, false
}

func isOneOf(word, words string) bool {
	return len(word) == 3 && strings.Contains(" "+words+" ", " "+word+" ")
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isField says whether b begins with a header field: a name of printable
// characters and a colon (RFC 5322 2.2).
func isField(b []byte) bool {
	for i, c := range b {
		switch {
		case c == ':':
			return i > 0
		case c <= ' ' || c >= 0x7f || i > 76:
			return false
		}
	}
	return false
}

// looksLikeMail says whether a line of head is a header field.
func looksLikeMail(head []byte) bool {
	for len(head) > 0 {
		if isField(head) {
			return true
		}
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	return false
}

func isEmptyLine(line []byte) bool { return string(line) == "\n" || string(line) == "\r\n" }

// fromMailbox is a message of an mbox without what the format added: the empty
// line at its end and one ">" before every quoted "From " (mboxrd). The only
// empty line of a message stays: it ends the header.
func fromMailbox(b []byte) *Mail {
	for _, eol := range []string{"\r\n", "\n"} {
		blank := []byte(eol + eol)
		if bytes.HasSuffix(b, blank) {
			if bytes.Index(b, blank) < len(b)-len(blank) {
				b = b[:len(b)-len(eol)]
			}
			break
		}
	}
	return NewMail(unquote(b))
}

func unquote(b []byte) []byte {
	if !bytes.Contains(b, []byte("\n>")) {
		return b
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		line := b[:n]
		b = b[n:]
		if line[0] == '>' && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			line = line[1:]
		}
		out = append(out, line...)
	}
	return out
}
