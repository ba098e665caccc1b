package dialect

import (
	"time"

	"sluice"
)

// Trace collects a client's dialect. The zero value is a connection before its
// first octet. It is a small value for a state machine to embed: no method
// allocates, and none takes longer than reading the line.
type Trace struct {
	marks uint64
	order uint64
	n     uint8 // commands in order
	last  verb  // the command before
	wait  Pace  // since our last reply; 0: not told

	grouped  bool // the command before had another behind it in its segment
	fresh    bool // TLS has begun and the client hasn't greeted since
	accepted bool // a recipient of this transaction was accepted
	declined bool // the last greeting or MAIL was refused

	refused uint8 // 4 or 5: a recipient was refused and the client hasn't reacted yet
}

// Value is what is known so far.
func (t *Trace) Value() sluice.Dialect {
	return sluice.Dialect{Marks: t.marks, Order: t.order}
}

// Early says that the client spoke before our greeting.
func (t *Trace) Early() { t.marks |= Early }

// Hasty says that the client sent more behind a command whose reply it had to
// wait for.
func (t *Trace) Hasty() { t.marks |= Hasty }

// Waited says how long after our last reply the client spoke.
func (t *Trace) Waited(d time.Duration) {
	switch {
	case d < time.Millisecond:
		t.wait = PaceInstant
	case d < 20*time.Millisecond:
		t.wait = PaceQuick
	case d < time.Second:
		t.wait = PaceUsual
	default:
		t.wait = PaceSlow
	}
}

// TLS says that the client has started TLS.
func (t *Trace) TLS() { t.marks, t.fresh = t.marks|UsesTLS, true }

// End says how the connection ended, with one of sluice's Ended… words.
func (t *Trace) End(ended string) {
	if get(t.marks, ending, 2) != 0 {
		return
	}
	switch ended {
	case sluice.EndedQuit:
		t.put(ending, uint64(EndQuit))
	case sluice.EndedLost, sluice.EndedTimeout:
		t.react(Drops)
		t.put(ending, uint64(EndDropped))
	default:
		t.put(ending, uint64(EndRefused))
	}
}

func (t *Trace) put(at int, v uint64) { t.marks |= v << at }

// Reply says what code we gave to the last command, or to the text after DATA.
func (t *Trace) Reply(code int) {
	good := code < 400
	switch t.last {
	case vEHLO, vHELO, vLHLO, vMAIL:
		t.declined = !good
	case vRCPT:
		switch {
		case good:
			t.accepted = true
		case code < 500:
			t.refused = 4
		default:
			t.refused = 5
		}
	case vAUTH:
		if code >= 500 && code <= 504 && t.marks&laterThanHello == 0 {
			t.marks |= AuthNotOffered
		}
	}
}

// Command takes a command line with its line end. own is our own host name; more
// says that further octets came behind the line in one piece with it.
func (t *Trace) Command(line []byte, own string, more bool) {
	behind := t.grouped
	t.grouped = more
	line = t.lineEnd(line)

	word := 0
	for word < len(line) && letter(line[word]) {
		word++
	}
	v := verbOf(line[:word])
	rest := line[word:]
	if v != vGarbage && len(rest) > 0 && rest[0] != ' ' && rest[0] != '\t' && rest[0] != ':' {
		v = vGarbage
	}
	t.note(v, behind)
	written := caseOf(line[:word])
	switch v {
	case vEHLO, vHELO, vLHLO:
		t.hello(written, rest, own)
	case vMAIL:
		t.mail(written, rest, behind, more)
	case vRCPT:
		t.rcpt(written, rest)
	case vDATA, vBDAT:
		if get(t.marks, dataCase, 2) == 0 {
			t.put(dataCase, uint64(written))
			if v == vDATA && len(rest) > 0 || v == vBDAT && (!single(rest) || isSpace(rest[len(rest)-1])) {
				t.marks |= DataSpace
			}
		}
	case vVRFY:
		t.marks |= Probes
	case vGarbage:
		t.marks |= Garbage
	case vQUIT:
		if get(t.marks, ending, 2) == 0 {
			t.put(ending, uint64(EndQuit))
		}
	}
	t.wait = 0
}

// lineEnd takes the line end off and notes what is said by the line as a whole.
func (t *Trace) lineEnd(line []byte) []byte {
	if len(line) > 512 {
		t.marks |= Long
	}
	if n := len(line); n > 0 && line[n-1] == '\n' {
		if line = line[:n-1]; n > 1 && line[n-2] == '\r' {
			line = line[:n-2]
		} else {
			t.marks |= LFOnly
		}
	}
	for _, c := range line {
		if c == '\t' {
			t.marks |= Tab
			break
		}
	}
	return line
}

// note files the command in the order, and what it tells of how the client took
// our last reply.
func (t *Trace) note(v verb, behind bool) {
	if t.n < maxOrder && !(v == t.last && (v == vRCPT || v == vBDAT)) {
		t.order |= uint64(v) << (4 * t.n)
		t.n++
	}
	if t.fresh {
		if !v.greets() && v != vQUIT {
			t.marks |= NoHelloAfterTLS
		}
		t.fresh = false
	}
	if !behind {
		switch {
		case t.declined && (v == vRCPT || v == vDATA || v == vBDAT || v == vMAIL && t.last.greets()):
			t.marks |= Deaf
		case v == vRCPT, (v == vDATA || v == vBDAT) && t.accepted:
			t.react(GoesOn)
		case v == vDATA, v == vBDAT:
			t.react(DataAnyway)
		case v == vRSET:
			t.react(Resets)
		case v == vQUIT:
			t.react(Quits)
		case v == vMAIL, v.greets():
			t.react(StartsOver)
		default:
			t.react(Other)
		}
	}
	if v == vMAIL || v.greets() {
		t.declined, t.accepted = false, false
	}
	t.last = v
}

// react notes the first reaction to a refused recipient.
func (t *Trace) react(r Reaction) {
	at := afterTemp
	if t.refused == 5 {
		at = afterPerm
	}
	if t.refused != 0 && get(t.marks, at, 3) == 0 {
		t.put(at, uint64(r))
	}
	t.refused = 0
}

func (t *Trace) hello(written letterCase, rest []byte, own string) {
	if t.marks&(3<<helloCase|laterThanHello) != 0 {
		return
	}
	t.put(helloCase, uint64(written))
	arg := trimLeft(rest)
	if len(arg) > 0 && !single(rest) {
		t.marks |= HelloSpace
	}
	name := trimRight(arg)
	if len(name) < len(arg) || len(arg) == 0 && len(rest) > 0 {
		t.marks |= HelloTrail
	}
	t.put(helloForm, uint64(formOf(name, own)))
}

func (t *Trace) mail(written letterCase, rest []byte, behind, more bool) {
	p := readPath(rest, "FROM")
	form := uint64(written)<<mailCase | uint64(p.word)<<fromCase | p.marks<<mailPath
	if get(t.marks, mailCase, 2) != 0 {
		t.compare(form, 3<<mailCase|3<<fromCase|pathMarks<<mailPath)
		return
	}
	if t.marks&laterThanMail != 0 {
		return
	}
	t.marks |= form
	t.marks |= p.params
	t.put(sizeCase, uint64(p.size))
	if p.null {
		t.marks |= NullSender
	}
	if more {
		t.marks |= Groups
	}
	pace := t.wait
	if behind {
		pace = PaceSegment
	}
	t.put(timing, uint64(pace))
}

func (t *Trace) rcpt(written letterCase, rest []byte) {
	p := readPath(rest, "TO")
	form := uint64(written)<<rcptCase | uint64(p.word)<<toCase | p.marks<<rcptPath
	if get(t.marks, rcptCase, 2) != 0 {
		t.compare(form, 3<<rcptCase|3<<toCase|pathMarks<<rcptPath)
		return
	}
	if t.marks&(3<<dataCase) != 0 {
		return
	}
	t.marks |= form
	if p.given {
		t.marks |= RcptParams
	}
}

// The marks of a stage are closed once a later one has begun.
const (
	laterThanMail  = 3<<rcptCase | 3<<dataCase
	laterThanHello = 3<<mailCase | laterThanMail
)

// compare notes a later command that is written in another way than the first.
func (t *Trace) compare(form, mask uint64) {
	if (form^t.marks)&mask != 0 {
		t.marks |= Varies
	}
}

const pathMarks = 1<<5 - 1

// path is how a path command is written.
type path struct {
	word   letterCase // of FROM or TO
	marks  uint64     // spaceAfter …
	params uint64     // ParamBody …, SizeLater
	size   letterCase // of SIZE
	null   bool
	given  bool // it has parameters
}

// readPath reads what stands behind MAIL or RCPT, whatever it is.
func readPath(rest []byte, word string) (p path) {
	if len(rest) == 0 {
		return path{marks: noBrackets}
	}
	if !single(rest) {
		p.marks |= oddSpace
	}
	rest = trimLeft(rest)
	n := 0
	for n < len(rest) && letter(rest[n]) {
		n++
	}
	if !foldIs(rest[:n], word) {
		p.marks |= noBrackets
		return p
	}
	p.word = caseOf(rest[:n])
	rest = rest[n:]
	if len(rest) > 0 && isSpace(rest[0]) {
		p.marks |= spaceBefore
		rest = trimLeft(rest)
	}
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	} else {
		p.marks |= oddSpace // no colon at all
	}
	if len(rest) > 0 && isSpace(rest[0]) {
		p.marks |= spaceAfter
		rest = trimLeft(rest)
	}
	rest = p.address(rest)
	p.readParams(rest)
	return p
}

// address skips the address and returns what stands behind it.
func (p *path) address(rest []byte) []byte {
	if len(rest) == 0 || rest[0] != '<' {
		p.marks |= noBrackets
		i := 0
		for i < len(rest) && !isSpace(rest[i]) {
			i++
		}
		p.null = i == 0
		return rest[i:]
	}
	quoted := false
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case isSpace(c) && !quoted:
			p.marks |= oddSpace
		case c == '>' && !quoted:
			p.null = i == 1
			return rest[i+1:]
		}
	}
	p.marks |= noBrackets
	return nil
}

func (p *path) readParams(rest []byte) {
	for first := true; len(rest) > 0; first = false {
		word := trimLeft(rest)
		if len(word) == 0 {
			p.marks |= trailing
			return
		}
		if !single(rest) {
			p.marks |= oddSpace
		}
		p.given = true
		key, end := 0, 0
		for key < len(word) && word[key] != '=' && !isSpace(word[key]) {
			key++
		}
		for end = key; end < len(word) && !isSpace(word[end]); {
			end++
		}
		switch k := word[:key]; {
		case foldIs(k, "SIZE"):
			p.size = caseOf(k)
			if !first {
				p.params |= SizeLater
			}
		case foldIs(k, "BODY"):
			p.params |= ParamBody
		case foldIs(k, "SMTPUTF8"):
			p.params |= ParamUTF8
		case foldIs(k, "AUTH"):
			p.params |= ParamAuth
		case foldIs(k, "RET"), foldIs(k, "ENVID"):
			p.params |= ParamDSN
		default:
			p.params |= ParamOther
		}
		rest = word[end:]
	}
}

var verbNames = [...]struct {
	name string
	v    verb
}{
	{"RCPT", vRCPT}, {"MAIL", vMAIL}, {"DATA", vDATA}, {"EHLO", vEHLO}, {"QUIT", vQUIT}, {"RSET", vRSET}, {"HELO", vHELO},
	{"BDAT", vBDAT}, {"STARTTLS", vSTARTTLS}, {"AUTH", vAUTH}, {"NOOP", vNOOP}, {"VRFY", vVRFY}, {"EXPN", vVRFY}, {"LHLO", vLHLO},
	{"HELP", vOther}, {"ETRN", vOther}, {"TURN", vOther}, {"XCLIENT", vOther}, {"XFORWARD", vOther},
}

func verbOf(word []byte) verb {
	for i := range verbNames {
		if foldIs(word, verbNames[i].name) {
			return verbNames[i].v
		}
	}
	return vGarbage
}

// formOf says what kind of name a greeting has.
func formOf(name []byte, own string) Form {
	dot, under, colon := false, false, false
	for _, c := range name {
		switch {
		case c == '.':
			dot = true
		case c == '_':
			under = true
		case c == ':':
			colon = true
		case isSpace(c):
			return FormWords
		case c < ' ' || c == 0x7f:
			return FormOdd
		}
	}
	switch {
	case len(name) == 0:
		return FormNone
	case len(name) > 255:
		return FormOdd
	case name[0] == '[' && name[len(name)-1] == ']':
		if colon {
			return FormLiteral6
		}
		return FormLiteral
	case foldIs(name, own):
		return FormOurs
	case foldIs(name, "localhost"), foldIs(name, "localhost.localdomain"):
		return FormLocalhost
	case address(name):
		return FormAddress
	case colon || name[0] == '[' || name[0] == '<' || name[0] == '-' || name[0] == '.':
		return FormOdd
	case under:
		return FormUnderscore
	case dot:
		return FormDomain
	}
	return FormWord
}

// address says whether name looks like an IP address without brackets. It is
// generous, since all that matters is what the client meant.
func address(name []byte) bool {
	dots, colons := 0, 0
	for _, c := range name {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9':
		case letter(c) && c|0x20 <= 'f' && colons > 0: // of IPv6, but for its first group
		case letter(c) && c|0x20 <= 'f' && dots == 0:
		default:
			return false
		}
	}
	return colons >= 2 || colons == 0 && dots == 3 && digitsOnly(name)
}

func digitsOnly(name []byte) bool {
	for _, c := range name {
		if letter(c) {
			return false
		}
	}
	return true
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// single says whether b begins with exactly one space.
func single(b []byte) bool {
	return len(b) > 1 && b[0] == ' ' && !isSpace(b[1])
}

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// foldIs compares ASCII letters without regard to case.
func foldIs(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		x, y := b[i], s[i]
		if x != y && (x|0x20 != y|0x20 || !letter(x)) {
			return false
		}
	}
	return true
}

// caseOf says how a word of letters and other octets is written; 0 without any
// letter.
func caseOf(word []byte) (c letterCase) {
	for _, b := range word {
		switch {
		case 'a' <= b && b <= 'z':
			c |= lowerCase
		case 'A' <= b && b <= 'Z':
			c |= upperCase
		}
	}
	return c
}
