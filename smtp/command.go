package smtp

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Errors of command lines and their arguments.
var (
	ErrCommand   = errors.New("smtp: command: not a command line")
	ErrArgument  = errors.New("smtp: command: bad argument")
	ErrParam     = errors.New("smtp: command: bad parameter")
	ErrParamTwin = errors.New("smtp: command: parameter given twice")
)

// maxParams bounds the parameters of one command: RFCs define about a dozen.
const maxParams = 20

// EqualFold compares without regard to the case of ASCII letters. Unicode folding
// would take "LAſT" for "LAST".
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if upper(a[i]) != upper(b[i]) {
			return false
		}
	}
	return true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// Command is one command line taken apart.
type Command struct {
	Verb string // upper case
	Arg  string // the rest, without white space around it
}

// verbs are spared an allocation.
var verbs = [...]string{"EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS", "AUTH", "ETRN", "TURN"}

const maxVerb = 16

// ParseCommand reads a command line without its CRLF. White space at its end is
// taken off (RFC 5321 4.1.1), a horizontal tab counts as a space, any other
// control octet is an error, and so is a verb that isn't letters, digits and "-".
func ParseCommand(line []byte) (Command, error) {
	end := 0
	for end < len(line) && (letDig(line[end]) || line[end] == '-') {
		end++
	}
	if end == 0 || end > maxVerb || (end < len(line) && line[end] != ' ' && line[end] != '\t') {
		return Command{}, ErrCommand
	}
	for _, c := range line[end:] {
		if c < ' ' && c != '\t' || c == 0x7f {
			return Command{}, ErrCommand
		}
	}
	return Command{Verb: verb(line[:end]), Arg: strings.Trim(string(line[end:]), " \t")}, nil
}

func verb(b []byte) string {
	var up [maxVerb]byte
	for i, c := range b {
		up[i] = upper(c)
	}
	for _, v := range verbs {
		if v == string(up[:len(b)]) {
			return v
		}
	}
	return string(up[:len(b)])
}

// Param is one ESMTP parameter as written; the key keeps its case.
type Param struct {
	Key, Value string
}

// Is says whether the parameter has this key, in any case.
func (p Param) Is(key string) bool { return EqualFold(p.Key, key) }

// PathCommand is the argument of MAIL or RCPT.
type PathCommand struct {
	Address Address
	Params  []Param
}

// ParseMail reads what follows MAIL: "FROM:<reverse-path> params".
func ParseMail(arg string) (PathCommand, error) { return parsePath(arg, "FROM:", CutReversePath) }

// ParseRcpt reads what follows RCPT: "TO:<forward-path> params".
func ParseRcpt(arg string) (PathCommand, error) { return parsePath(arg, "TO:", CutForwardPath) }

func parsePath(arg, word string, cut func(string) (Address, string, error)) (PathCommand, error) {
	if len(arg) < len(word) || !EqualFold(arg[:len(word)], word) {
		return PathCommand{}, ErrArgument
	}
	// RFC 5321 3.3 allows no space here; senders put one there all the same.
	addr, rest, err := cut(strings.TrimLeft(arg[len(word):], " "))
	if err != nil {
		return PathCommand{}, err
	}
	if rest != "" && rest[0] != ' ' {
		return PathCommand{}, ErrPath
	}
	params, err := ParseParams(rest)
	if err != nil {
		return PathCommand{}, err
	}
	return PathCommand{addr, params}, nil
}

// ParseParams reads ESMTP parameters (RFC 5321 4.1.2 Mail-parameters, RFC 6531
// 3.3). A value may hold "=", which the grammar forbids and some senders leave
// unescaped in ORCPT. A key given twice is an error.
func ParseParams(s string) ([]Param, error) {
	var params []Param
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' }) {
		key, value, has := strings.Cut(word, "=")
		if !keyword(key) || (has && !paramValue(value)) || len(params) >= maxParams {
			return nil, ErrParam
		}
		for _, p := range params {
			if p.Is(key) {
				return nil, ErrParamTwin
			}
		}
		params = append(params, Param{key, value})
	}
	return params, nil
}

func keyword(s string) bool {
	for i := 0; i < len(s); i++ {
		if !letDig(s[i]) && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

func paramValue(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != "" && (isASCII(s) || plainUTF8(s))
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ParseSize reads a decimal count of octets: SIZE's value (RFC 1870 5: up to 20
// digits) or a chunk's size. A number too large for int64 becomes the largest.
func ParseSize(s string) (int64, error) {
	if s == "" || len(s) > 20 {
		return 0, ErrParam
	}
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, ErrParam
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, nil // digits only, so it can only be too large
	}
	return n, nil
}

// Chunk is the argument of BDAT (RFC 3030 2).
type Chunk struct {
	Size int64
	Last bool
}

// ParseChunk reads what follows BDAT: "size [LAST]".
func ParseChunk(arg string) (Chunk, error) {
	size, last, more := strings.Cut(arg, " ")
	n, err := ParseSize(size)
	if err != nil {
		return Chunk{}, ErrArgument
	}
	if more && !EqualFold(strings.TrimLeft(last, " "), "LAST") {
		return Chunk{}, ErrArgument
	}
	return Chunk{n, more}, nil
}
