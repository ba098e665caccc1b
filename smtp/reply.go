package smtp

import (
	"errors"
	"strconv"
	"strings"
)

// MaxReplyLine is the longest reply line, with its CRLF (RFC 5321 4.5.3.1.5).
const MaxReplyLine = 512

// maxReplyText bounds the text of one reply that we write.
const maxReplyText = 4096

// EnhancedCode is a status code of RFC 3463: class.subject.detail. The zero value
// is "none".
type EnhancedCode struct {
	Class   int // 2, 4 or 5
	Subject int // 0 to 999
	Detail  int // 0 to 999
}

// String writes the code, "" for none.
func (e EnhancedCode) String() string {
	if e == (EnhancedCode{}) {
		return ""
	}
	return strconv.Itoa(e.Class) + "." + strconv.Itoa(e.Subject) + "." + strconv.Itoa(e.Detail)
}

// CutEnhancedCode takes an enhanced code from the start of s, where it must stand
// alone or before a space, and returns what follows (RFC 2034 4).
func CutEnhancedCode(s string) (code EnhancedCode, rest string, ok bool) {
	word, rest, _ := strings.Cut(s, " ")
	if len(word) < 5 || word[1] != '.' || (word[0] != '2' && word[0] != '4' && word[0] != '5') {
		return EnhancedCode{}, s, false
	}
	subject, detail, _ := strings.Cut(word[2:], ".")
	n, ok1 := threeDigits(subject)
	d, ok2 := threeDigits(detail)
	if !ok1 || !ok2 {
		return EnhancedCode{}, s, false
	}
	return EnhancedCode{int(word[0] - '0'), n, d}, rest, true
}

// ParseEnhancedCode reads a code that stands alone.
func ParseEnhancedCode(s string) (EnhancedCode, bool) {
	code, rest, ok := CutEnhancedCode(s)
	if !ok || rest != "" || strings.HasSuffix(s, " ") {
		return EnhancedCode{}, false
	}
	return code, true
}

// threeDigits reads one to three digits without leading zeros (RFC 3463 2).
func threeDigits(s string) (int, bool) {
	if s == "" || len(s) > 3 || (s[0] == '0' && len(s) > 1) {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// AppendReply writes one reply. The text is folded, at a space where there is
// one, so that no line is longer than [MaxReplyLine], and each line repeats the
// enhanced code (RFC 2034 4). Octets other than printable ASCII become "?", so
// nothing hostile gets through. A code outside 200–599 becomes 451; an enhanced
// code that isn't well formed or whose class differs from the code's is left out.
func AppendReply(dst []byte, code int, enhanced, text string) []byte {
	if code < 200 || code > 599 {
		code, enhanced = 451, "4.3.0"
	}
	if e, ok := ParseEnhancedCode(enhanced); !ok || e.Class != code/100 {
		enhanced = ""
	}
	if len(text) > maxReplyText {
		text = text[:maxReplyText]
	}
	room := MaxReplyLine - len("250-\r\n")
	if enhanced != "" {
		room -= len(enhanced) + 1
	}
	for {
		line, sep := text, byte(' ')
		if len(line) > room {
			sep = '-'
			cut := strings.LastIndexByte(line[:room+1], ' ')
			if cut <= 0 {
				cut = room
			}
			line, text = text[:cut], strings.TrimPrefix(text[cut:], " ")
		}
		dst = strconv.AppendInt(dst, int64(code), 10)
		dst = append(dst, sep)
		if enhanced != "" {
			dst = append(dst, enhanced...)
			dst = append(dst, ' ')
		}
		for i := 0; i < len(line); i++ {
			if c := line[i]; c >= ' ' && c <= '~' {
				dst = append(dst, c)
			} else {
				dst = append(dst, '?')
			}
		}
		dst = append(dst, '\r', '\n')
		if sep == ' ' {
			return dst
		}
	}
}

// AppendReplyLines writes a reply of several given lines without enhanced codes,
// as EHLO's (RFC 5321 4.1.1.1). Each line is cut to [MaxReplyLine] and cleaned as
// in [AppendReply].
func AppendReplyLines(dst []byte, code int, lines []string) []byte {
	for i, line := range lines {
		line = line[:min(len(line), MaxReplyLine-len("250-\r\n"))]
		at := len(dst) + 3
		dst = AppendReply(dst, code, "", line)
		if i < len(lines)-1 {
			dst[at] = '-'
		}
	}
	return dst
}

// Reply is a reply that a server sent to us. Its text is hostile: it may hold any
// octet but CR and LF.
type Reply struct {
	Code     int
	Enhanced EnhancedCode // zero where the server gave none
	Lines    []string     // without code and enhanced code, at least one
}

// Text joins the lines by spaces.
func (r Reply) Text() string { return strings.Join(r.Lines, " ") }

// Positive says whether the code is 2xx or 3xx.
func (r Reply) Positive() bool { return r.Code >= 200 && r.Code < 400 }

// Bounds of a reply that we read: generous to servers that write long lines.
const (
	maxReadLine  = 2048
	maxReadLines = 100
)

// Errors of [ReplyParser]. After one of them nothing that the server sends can be
// trusted to answer anything: close the connection and take the outcome as unknown.
var (
	ErrReplySyntax  = errors.New("smtp: reply: not a reply line")
	ErrReplyTooLong = errors.New("smtp: reply: too long")
	ErrReplyCodes   = errors.New("smtp: reply: lines with different codes")
	ErrReplyLineEnd = errors.New("smtp: reply: line end is not CRLF")
)

// ReplyParser reads one reply from bytes that come in any pieces. The zero value
// is ready.
type ReplyParser struct {
	line  []byte
	reply Reply
	err   error
	done  bool
}

// Feed takes bytes until the reply is complete and returns how many it took; the
// rest belongs to the next reply. It returns done once, with the reply in
// [ReplyParser.Reply], or an error, which sticks.
func (p *ReplyParser) Feed(b []byte) (n int, done bool, err error) {
	if p.err != nil {
		return 0, false, p.err
	}
	if p.done {
		return 0, true, nil
	}
	for n < len(b) {
		c := b[n]
		n++
		cr := len(p.line) > 0 && p.line[len(p.line)-1] == '\r'
		switch {
		case c == '\n' && cr:
			p.err = p.endLine(p.line[:len(p.line)-1])
			p.line = p.line[:0]
			if p.err != nil {
				return n, false, p.err
			}
			if p.done {
				p.line = nil
				return n, true, nil
			}
			continue
		case c == '\n' || cr:
			p.err = ErrReplyLineEnd
		case len(p.line) >= maxReadLine:
			p.err = ErrReplyTooLong
		// Garbage is found at its first octet: a server that speaks something
		// else isn't read to its end.
		case len(p.line) < 3 && !codeDigit(len(p.line), c):
			p.err = ErrReplySyntax
		}
		if p.err != nil {
			return n, false, p.err
		}
		p.line = append(p.line, c)
	}
	return n, false, nil
}

// codeDigit says whether c can stand at place i of a code (RFC 5321 4.2; the
// second digit is taken up to 9, since some servers make up codes).
func codeDigit(i int, c byte) bool {
	if i == 0 {
		return c >= '2' && c <= '5'
	}
	return c >= '0' && c <= '9'
}

func (p *ReplyParser) endLine(line []byte) error {
	if len(line) < 3 {
		return ErrReplySyntax
	}
	code := int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	last, text := true, ""
	if len(line) > 3 {
		if line[3] != ' ' && line[3] != '-' {
			return ErrReplySyntax
		}
		last, text = line[3] == ' ', string(line[4:])
	}
	if p.reply.Code != 0 && p.reply.Code != code {
		return ErrReplyCodes
	}
	if len(p.reply.Lines) >= maxReadLines {
		return ErrReplyTooLong
	}
	p.reply.Code = code
	if e, rest, ok := CutEnhancedCode(text); ok && e.Class == code/100 {
		if len(p.reply.Lines) == 0 {
			p.reply.Enhanced = e
		}
		if e == p.reply.Enhanced {
			text = rest
		}
	}
	p.reply.Lines = append(p.reply.Lines, text)
	p.done = last
	return nil
}

// Reply returns the reply after Feed said done.
func (p *ReplyParser) Reply() Reply { return p.reply }

// Reset makes the parser ready for the next reply.
func (p *ReplyParser) Reset() { *p = ReplyParser{line: p.line[:0]} }
