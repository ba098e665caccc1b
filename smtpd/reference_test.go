package smtpd

import (
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/smtp"
	"sluice/smtpd/smtpdtest"
)

// reference is the protocol again, written for one who sees the whole input at
// once: no pieces, no pending state, one octet at a time where that is simpler. It
// knows replies by their code only.
type reference struct {
	cfg    *MachineConfig
	offer  sluice.Extensions
	in     string
	ends   []int // where the groups end
	pos    int
	events []string
	codes  []int
	over   bool

	peer                                       Peer
	greeted, esmtp, trans, utf8, tls, chunking bool
	authed, inAuth, ending, next, forwarded    bool
	rcpts, errors, commands                    int
	text                                       string // of the chunks so far
	origin                                     []int  // and where each of its octets stood
}

func (r *reference) event(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

func (r *reference) code(c int) { r.codes = append(r.codes, c) }

func (r *reference) end(how string) {
	r.event("closed %s", how)
	r.over = true
}

func (r *reference) fail(code int) {
	if r.errors++; r.errors >= r.cfg.Limits.Errors {
		r.violation(TooManyErrors, r.pos)
		r.code(421)
		r.end("refused")
		return
	}
	r.code(code)
}

// failData refuses DATA, behind which nothing may come.
func (r *reference) failData(code int) {
	if r.errors+1 < r.cfg.Limits.Errors {
		r.errors++
		r.last(EarlyPipelining, code)
		return
	}
	r.fail(code)
}

func (r *reference) violation(kind sluice.Reason, at int) {
	phase := sluice.PhaseHello
	switch {
	case r.inAuth || kind == AuthNeedsTLS:
		phase = sluice.PhaseAuth
	case r.chunking:
		phase = sluice.PhaseData
	case r.trans:
		phase = sluice.PhaseRcpt
	case r.greeted:
		phase = sluice.PhaseMail
	}
	r.event("violation %s at %d in %s", kind, at, phase)
}

// early says whether the client has sent more in the group whose last octet taken
// is the one before pos.
func (r *reference) early() bool {
	for _, end := range r.ends {
		if end >= r.pos {
			return end > r.pos
		}
	}
	return false
}

// last ends a command that must be the last of its group.
func (r *reference) last(kind sluice.Reason, code int) bool {
	if r.early() {
		r.violation(kind, r.pos)
		r.code(554)
		r.end("refused")
		return false
	}
	r.code(code)
	return true
}

func (r *reference) run() {
	r.event("connect")
	if r.code(220); len(r.in) == 0 {
		return
	}
	for !r.over && r.pos < len(r.in) {
		if c := r.in[r.pos]; c == 0x16 || c == 0x80 {
			r.violation(NotSMTP, r.pos)
			r.code(554)
			r.end("refused")
			return
		}
		rest := r.in[r.pos:]
		lf := strings.IndexByte(rest, '\n')
		limit := r.cfg.Limits.CommandLine
		if r.submission() && (rest == "AUTH" || strings.HasPrefix(rest, "AUTH ")) {
			limit = maxAuthLine
		}
		if lf >= limit || lf < 0 && len(rest) > limit {
			r.violation(CommandTooLong, r.pos+limit)
			if lf < 0 {
				return // its reply waits for the end of the line
			}
			r.pos += lf + 1
			r.fail(500)
			continue
		}
		if lf < 0 {
			return
		}
		r.pos += lf + 1
		r.command(rest[:lf+1])
	}
}

func (r *reference) command(line string) {
	start := r.pos - len(line)
	if strings.HasPrefix(line, "GET ") {
		r.violation(NotSMTP, start)
		r.code(554)
		r.end("refused")
		return
	}
	if r.lineFault(line, start) {
		return
	}
	line = strings.TrimSuffix(line, "\r\n")
	r.commands++
	if arg, ok := strings.CutPrefix(line, "AUTH"); ok && r.submission() && (arg == "" || arg[0] == ' ') {
		r.auth(strings.Fields(arg))
		return
	}
	cmd, err := smtp.ParseCommand([]byte(line))
	switch {
	case err != nil && r.commands == 1 && line != "":
		r.violation(NotSMTP, start)
		r.code(554)
		r.end("refused")
	case err != nil:
		r.fail(500)
	case cmd.Verb == "AUTH":
		r.errors += 6 // nobody offered it
		r.fail(502)
	case cmd.Verb == "XCLIENT" && r.peer.XClient:
		r.xclient(cmd.Arg)
	case cmd.Verb == "XFORWARD" && r.peer.XForward:
		r.xforward(cmd.Arg)
	case (cmd.Verb == "EHLO" || cmd.Verb == "HELO") && r.lmtp(), cmd.Verb == "LHLO" && !r.lmtp():
		r.fail(500)
	case cmd.Verb == "EHLO" || cmd.Verb == "HELO" || cmd.Verb == "LHLO":
		if cmd.Arg == "" {
			r.fail(501)
			return
		}
		if r.trans {
			r.event("reset")
		}
		r.endTransaction()
		r.greeted = false
		r.event("hello %s %q", cmd.Verb, cmd.Arg)
		if r.last(EarlyPipelining, 250) {
			r.greeted, r.esmtp = true, cmd.Verb != "HELO"
		}
	case cmd.Verb == "MAIL":
		r.mail(cmd.Arg)
	case cmd.Verb == "RCPT":
		r.rcpt(cmd.Arg)
	case cmd.Verb == "DATA":
		r.data(cmd.Arg)
	case cmd.Verb == "BDAT":
		r.bdat(cmd.Arg)
	case cmd.Verb == "RSET":
		if cmd.Arg != "" {
			r.fail(501)
			return
		}
		was := r.trans
		r.endTransaction()
		// The event comes first where the reply must wait.
		if was {
			r.event("reset")
		}
		if r.greeted && !r.esmtp {
			r.last(EarlyPipelining, 250)
		} else {
			r.code(250)
		}
	case cmd.Verb == "NOOP":
		r.last(EarlyPipelining, 250)
	case cmd.Verb == "STARTTLS":
		switch {
		case cmd.Arg != "":
			r.fail(501)
		case r.tls, !r.greeted, !r.esmtp, r.chunking:
			r.fail(503)
		case r.last(StartTLSInjection, 220):
			if r.trans {
				r.event("reset")
			}
			r.event("tls")
			r.tls, r.greeted, r.esmtp, r.authed = true, false, false, false
			r.endTransaction()
		}
	case cmd.Verb == "QUIT":
		if cmd.Arg != "" {
			r.fail(501)
			return
		}
		r.code(221)
		r.end("quit")
	default:
		r.fail(500)
	}
}

func (r *reference) lineFault(line string, start int) bool {
	for i := range len(line) {
		kind := sluice.Reason("")
		switch {
		case line[i] == 0:
			kind = NUL
		case line[i] == '\r' && line[i+1] != '\n':
			kind = BareCR
		case line[i] == '\n' && (i == 0 || line[i-1] != '\r'):
			kind = BareLF
		}
		if kind != "" {
			r.violation(kind, start+i)
			r.code(554)
			r.end("refused")
			return true
		}
	}
	return false
}

func (r *reference) mail(arg string) {
	if !r.greeted || r.trans {
		r.fail(503)
		return
	}
	if r.submission() && !r.authed {
		r.failBy(AuthRequired, 530)
		return
	}
	cmd, err := smtp.ParseMail(arg)
	if err != nil {
		r.fail(501)
		return
	}
	r.utf8 = false
	params := ""
	for _, p := range cmd.Params {
		if p.Is("AUTH") && r.offersAuth() {
			continue
		}
		r.utf8 = r.utf8 || p.Is("SMTPUTF8") && r.esmtp
		params += smtpdtest.FormatParams([]sluice.Param{sluice.Param(p)})
		if p.Is("SMTPUTF8") && p.Value == "" && r.esmtp {
			continue
		}
		r.fail(555)
		return
	}
	if cmd.Address.UTF8 && !r.utf8 {
		r.fail(553)
		return
	}
	if r.next != r.forwarded {
		if r.forwarded = r.next; r.next {
			r.event("forwarded client=192.0.2.8:0")
		} else {
			r.event("forwarded")
		}
	}
	r.event("mail %q%s", cmd.Address.Raw, params)
	r.trans = true
	if r.esmtp {
		r.code(250)
	} else {
		r.last(EarlyPipelining, 250)
	}
}

func (r *reference) rcpt(arg string) {
	if !r.trans || r.chunking {
		r.fail(503)
		return
	}
	code := 250
	if r.rcpts >= r.cfg.Limits.Recipients {
		code = 452
	} else {
		cmd, err := smtp.ParseRcpt(arg)
		if err != nil {
			r.fail(501)
			return
		}
		r.event("rcpt %q", cmd.Address.Raw)
		r.rcpts++
	}
	if r.esmtp {
		r.code(code)
	} else {
		r.last(EarlyPipelining, code)
	}
}

func (r *reference) data(arg string) {
	switch {
	case arg != "":
		r.failData(501)
		return
	case !r.trans, r.chunking:
		r.failData(503)
		return
	case r.rcpts == 0 && r.cfg.Door == sluice.DoorLMTP:
		r.failData(503)
		return
	case r.rcpts == 0:
		r.failData(554)
		return
	}
	r.event("data")
	if r.early() {
		r.event("violation %s at %d in data", EarlyPipelining, r.pos)
		r.code(554)
		r.end("refused")
		return
	}
	r.code(354)
	start := r.pos
	// The CRLF of the DATA command counts as the one before the dot.
	i := strings.Index(r.in[start-2:], "\r\n.\r\n")
	complete := i >= 0
	text := r.in[start:]
	if complete {
		text = r.in[start : start+i]
		r.pos = start + i + 3
	} else {
		r.pos = len(r.in)
	}
	origin := make([]int, len(text))
	for i := range origin {
		origin[i] = start + i
	}
	// The terminator is looked at too, but has no faults of its own.
	seen := r.in[start:r.pos]
	body, bodyAt := "", []int(nil)
	for i := range len(text) {
		if text[i] == '.' && (i == 0 || strings.HasSuffix(text[:i], "\r\n")) {
			// A dot at a line's start goes; at the end of the input it may yet be
			// the end.
			continue
		}
		body += text[i : i+1]
		bodyAt = append(bodyAt, i)
	}
	if !complete && strings.HasSuffix("\r\n"+text, "\r\n.\r") {
		body = body[:len(body)-1] // it may yet be the end
	}
	tooBig := -1
	if limit := int(r.cfg.Limits.Message); len(body) > limit {
		tooBig = bodyAt[limit]
	}
	faults := textFaults(seen, r.cfg.Limits.TextLine, complete)
	refused, closes := 0, false
	for _, f := range faults {
		if tooBig >= 0 && f.seen > tooBig && refused == 0 {
			break
		}
		r.event("violation %s at %d in data", f.kind, start+f.at)
		refused = 554
		closes = closes || f.kind != TextLineTooLong
	}
	if refused == 0 && tooBig >= 0 {
		r.event("violation %s at %d in data", MessageTooBig, start+tooBig)
		refused = 552
	}
	if !complete {
		return
	}
	r.finish(refused, closes, body, true)
}

func (r *reference) finish(refused int, closes bool, body string, last bool) {
	n := 1
	if r.lmtp() && last {
		n = r.rcpts
	}
	r.endTransaction()
	code := 250
	if refused != 0 {
		code = refused
	}
	for range n {
		r.code(code)
	}
	switch {
	case closes:
		r.end("refused")
	case refused != 0:
		r.event("reset")
	default:
		r.event("message %d %+q", len(body), shortened(body))
	}
}

func (r *reference) endTransaction() {
	r.trans, r.rcpts, r.chunking, r.next = false, 0, false, false
}

func (r *reference) lmtp() bool       { return r.cfg.Door == sluice.DoorLMTP }
func (r *reference) submission() bool { return r.cfg.Door == sluice.DoorSubmission }
func (r *reference) offersAuth() bool {
	return r.submission() && (r.tls || r.cfg.ClearTextAuth)
}

// failBy refuses with the words of a reason.
func (r *reference) failBy(kind sluice.Reason, code int) {
	if r.errors+1 < r.cfg.Limits.Errors {
		r.errors++
		r.violation(kind, r.pos)
		r.code(code)
		return
	}
	r.fail(code)
}

// auth obeys AUTH with all that belongs to it.
func (r *reference) auth(words []string) {
	if !r.greeted || !r.offersAuth() {
		r.errors += 6 // nobody offered it
	}
	switch {
	case len(words) == 0:
		r.fail(501)
		return
	case !r.greeted || !r.esmtp, r.authed, r.trans:
		r.fail(503)
		return
	case !r.offersAuth():
		r.failBy(AuthNeedsTLS, 538)
		return
	case words[0] != "PLAIN" && words[0] != "LOGIN" && words[0] != "OAUTHBEARER":
		r.fail(504)
		return
	}
	mechanism, said := words[0], ""
	if len(words) > 1 {
		said = strings.Join(words[1:], " ")
		if said == "=" {
			said = ""
		}
	} else if line, ok := r.ask(); ok {
		said = line
	} else {
		return
	}
	user, ok := "", true
	if mechanism == "LOGIN" {
		if user, ok = decoded(said); !ok || user == "" || strings.ContainsAny(user, "\x00\x01") {
			r.fail(501)
			return
		}
		if said, ok = r.ask(); !ok {
			return
		}
	}
	pass, ok := decoded(said)
	var authorize string
	switch mechanism {
	case "PLAIN":
		parts := strings.Split(pass, "\x00")
		if ok = ok && len(parts) == 3; ok {
			authorize, user, pass = parts[0], parts[1], parts[2]
			ok = user != ""
		}
	case "OAUTHBEARER":
		pass, ok = strings.CutPrefix(pass, "n,,\x01auth=Bearer ")
		pass = strings.TrimSuffix(pass, "\x01\x01")
	}
	if !ok || pass == "" || strings.Contains(pass, "\x00") {
		r.fail(501)
		return
	}
	r.event("auth %s %q %q %q", mechanism, authorize, user, pass)
	if pass != "wrong" {
		r.authed = true
		r.code(235)
		return
	}
	if mechanism == "OAUTHBEARER" {
		r.ending = true
		_, ok = r.ask()
		if r.ending = false; !ok {
			return
		}
	}
	r.fail(535)
}

// ask sends a challenge and reads the response; ok is false where the exchange or
// the input ends there.
func (r *reference) ask() (line string, ok bool) {
	r.inAuth = true
	defer func() { r.inAuth = false }()
	if !r.last(EarlyPipelining, 334) {
		return "", false
	}
	lf := strings.IndexByte(r.in[r.pos:], '\n')
	if lf < 0 {
		r.pos = len(r.in)
		return "", false
	}
	start := r.pos
	line = r.in[start : start+lf+1]
	r.pos += lf + 1
	if r.lineFault(line, start) {
		return "", false
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "*" && !r.ending {
		r.inAuth = false
		r.fail(501)
		return "", false
	}
	return line, true
}

// decoded reads the few words in BASE64 that the test sends.
func decoded(s string) (string, bool) {
	for _, word := range saslWords {
		if coded(word) == s {
			return word, true
		}
	}
	return "", s == ""
}

var saslWords = []string{"ann", "right", "wrong", "\x00ann\x00right", "bob\x00ann\x00wrong", "n,,\x01auth=Bearer right\x01\x01", "n,,\x01auth=Bearer wrong\x01\x01"}

func (r *reference) xclient(arg string) {
	switch {
	case !r.greeted || !r.esmtp || r.trans:
		r.fail(503)
		return
	case arg != "ADDR=192.0.2.7":
		r.fail(501)
		return
	}
	r.greeted, r.esmtp, r.authed, r.next, r.forwarded = false, false, false, false, false
	if r.early() {
		r.last(EarlyPipelining, 0)
		return
	}
	r.event("xclient client=192.0.2.7:0")
	r.event("connect")
	r.code(220)
}

func (r *reference) xforward(arg string) {
	switch {
	case !r.greeted || !r.esmtp || r.trans:
		r.fail(503)
	case arg != "ADDR=192.0.2.8":
		r.fail(501)
	default:
		r.next = true
		r.code(250)
	}
}

func shortened(body string) string {
	if len(body) > 100 {
		return body[:40] + "…" + body[len(body)-40:]
	}
	return body
}

type textFault struct {
	kind     sluice.Reason
	at, seen int // where it is, and the octet by which one knows
}

// textFaults finds the first fault of each kind, by place.
func textFaults(s string, maxLine int, complete bool) []textFault {
	first := map[sluice.Reason]textFault{}
	add := func(kind sluice.Reason, at, seen int) {
		if _, ok := first[kind]; !ok {
			first[kind] = textFault{kind, at, seen}
		}
	}
	end := func(i int) (next int, how string) { // what line end begins at i
		switch {
		case strings.HasPrefix(s[i:], "\r\n"):
			return i + 2, "crlf"
		case s[i] == '\n':
			return i + 1, "lf"
		case s[i] == '\r' && i+1 < len(s):
			return i + 1, "cr"
		}
		return i, ""
	}
	line := 0
	for i := 0; i < len(s); {
		next, how := end(i)
		switch how {
		case "crlf":
			line = 0
			i = next
			continue
		case "lf":
			add(BareLF, i, i)
			line = 0
			i = next
			continue
		case "cr":
			add(BareCR, i, i+1)
		}
		if s[i] == 0 {
			add(NUL, i, i)
		}
		if s[i] == '\r' && i+1 == len(s) {
			break // undecided
		}
		if line++; line > maxLine {
			seen := i
			if s[i] == '\r' {
				seen++
			}
			add(TextLineTooLong, i, seen)
		}
		i++
	}
	for i := range len(s) {
		if s[i] != '.' {
			continue
		}
		before := ""
		switch {
		case i == 0 || strings.HasSuffix(s[:i], "\r\n"):
			before = "crlf"
		case s[i-1] == '\n' || s[i-1] == '\r':
			before = "bare"
		}
		if before == "" || i+1 == len(s) || s[i+1] != '\r' && s[i+1] != '\n' {
			continue
		}
		if before == "bare" || s[i+1] == '\n' {
			add(Smuggling, i, i+1)
		} else if i+2 < len(s) && s[i+2] != '\n' {
			add(Smuggling, i, i+2)
		}
	}
	var out []textFault
	for _, f := range first {
		out = append(out, f)
	}
	order := map[sluice.Reason]int{BareCR: 0, BareLF: 1, NUL: 2, TextLineTooLong: 3, Smuggling: 4}
	sort.Slice(out, func(i, j int) bool {
		if out[i].at != out[j].at {
			return out[i].at < out[j].at
		}
		return order[out[i].kind] < order[out[j].kind]
	})
	return out
}

func (r *reference) bdat(arg string) {
	chunk, err := smtp.ParseChunk(arg)
	if err != nil {
		r.violation(BadChunk, r.pos)
		r.code(501)
		r.end("refused")
		return
	}
	have := r.in[r.pos:]
	complete := int64(len(have)) >= chunk.Size
	if complete {
		have = have[:chunk.Size]
	}
	start := r.pos
	r.pos += len(have)
	if !r.trans || r.rcpts == 0 {
		if !complete {
			return
		}
		was := r.trans
		if r.endTransaction(); !was {
			r.errors++
			r.code(503)
			return
		}
		if r.lmtp() {
			r.code(503)
		} else {
			r.code(554)
		}
		r.event("reset")
		return
	}
	if !r.chunking {
		r.chunking, r.text, r.origin = true, "", nil
		if chunk.Size <= r.cfg.Limits.Message {
			r.event("data")
		}
	}
	if int64(len(r.text))+chunk.Size > r.cfg.Limits.Message {
		r.event("violation %s at %d in data", MessageTooBig, start)
		if complete {
			r.finish(552, false, "", chunk.Last)
		}
		return
	}
	old := len(textFaults(r.text, r.cfg.Limits.TextLine, false))
	r.text += have
	for i := range len(have) {
		r.origin = append(r.origin, start+i)
	}
	faults := textFaults(r.text, r.cfg.Limits.TextLine, false)
	if old > 0 {
		panic("a chunk followed a refused one")
	}
	if complete && chunk.Last && strings.HasSuffix(r.text, "\r") {
		faults = append(faults, r.lastCR(faults)...)
	}
	refused, closes := 0, false
	for _, f := range faults {
		r.event("violation %s at %d in data", f.kind, r.origin[f.at])
		refused = 554
		closes = closes || f.kind != TextLineTooLong
	}
	switch {
	case !complete:
	case refused != 0:
		r.finish(refused, closes, "", chunk.Last)
	case !chunk.Last:
		r.code(250)
	default:
		body := r.text
		if body != "" && !strings.HasSuffix(body, "\r\n") {
			body += "\r\n"
		}
		r.finish(0, false, body, true)
	}
}

// lastCR is the fault of a CR at the very end, unless there was one before.
func (r *reference) lastCR(faults []textFault) []textFault {
	for _, f := range faults {
		if f.kind == BareCR {
			return nil
		}
	}
	return []textFault{{BareCR, len(r.text) - 1, len(r.text)}}
}

// doorTokens are what clients of a door send beside what all do.
var doorTokens = map[string][]string{
	sluice.DoorLMTP: {"LHLO c.example\r\n", "LHLO c.example\r\n"},
	sluice.DoorSubmission: {
		"AUTH PLAIN\r\n", "AUTH LOGIN\r\n", "AUTH OAUTHBEARER\r\n", "AUTH PLAIN =\r\n", "AUTH\r\n", "AUTH X\r\n", "*\r\n", "AQ==\r\n",
		"AUTH PLAIN " + coded("\x00ann\x00right") + "\r\n", "AUTH PLAIN " + coded("bob\x00ann\x00wrong") + "\r\n",
		"AUTH OAUTHBEARER " + coded("n,,\x01auth=Bearer right\x01\x01") + "\r\n", "AUTH OAUTHBEARER " + coded("n,,\x01auth=Bearer wrong\x01\x01") + "\r\n",
		"AUTH LOGIN " + coded("ann") + "\r\n", coded("ann") + "\r\n", coded("right") + "\r\n", coded("wrong") + "\r\n", coded("\x00ann\x00right") + "\r\n",
		"MAIL FROM:<a@c.example> AUTH=<>\r\n",
	},
}

// group draws what a client sends at once.
func drawGroup(t *rapid.T, door string) string {
	token := rapid.SampledFrom(append(doorTokens[door],
		"EHLO c.example\r\n", "HELO c.example\r\n", "MAIL FROM:<a@c.example>\r\n", "MAIL FROM:<>\r\n",
		"RCPT TO:<b@d.example>\r\n", "RCPT TO:<postmaster>\r\n", "DATA\r\n", "RSET\r\n", "NOOP\r\n",
		"STARTTLS\r\n", "QUIT\r\n", "MAIL FROM:<d\xc3\xa9@c.example> SMTPUTF8\r\n", "MAIL FROM:<d\xc3\xa9@c.example>\r\n",
		"text\r\n", ".\r\n", "..\r\n", ".x\r\n", "\r\n", "\n", "\r", "\x00", ".", "x", "\n.\n", "\r\n.\r\n", "\r\n.\n", "\r.\r", "\n.\r\n", "\r\n.\r\r\n",
		"BDAT 0\r\n", "BDAT 0 LAST\r\n", "BDAT 5\r\n", "BDAT 7 LAST\r\n", "BDAT 3 last\r\n", "BDAT 999\r\n", "BDAT x\r\n",
		"FOO\r\n", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\n", "\x16\x03", "0123456789012345678901234567890123456789",
		"AUTH LOGIN\r\n", "XCLIENT ADDR=192.0.2.7\r\n", "XFORWARD ADDR=192.0.2.8\r\n", "XFORWARD\r\n", "XCLIENT x\r\n", "LHLO d.example\r\n",
	))
	return strings.Join(rapid.SliceOfN(token, 1, 6).Draw(t, "group"), "")
}

// TestAgainstReference: random input gives what the reference says, however it is
// cut.
func TestAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := testConfig()
		cfg.StartTLS = true
		cfg.Limits.CommandLine = 60
		cfg.Limits.TextLine = 30
		cfg.Limits.Message = 90
		cfg.Limits.Recipients = 2
		cfg.Limits.Errors = 4
		offer := sluice.Extensions{SMTPUTF8: true}
		cfg.Door = rapid.SampledFrom([]string{sluice.DoorSMTP, sluice.DoorSubmission, sluice.DoorLMTP}).Draw(t, "door")
		cfg.Mechanisms = []string{"PLAIN", "LOGIN", "OAUTHBEARER"}
		cfg.ClearTextAuth = rapid.Bool().Draw(t, "clear text")
		peer := Peer{XClient: rapid.Bool().Draw(t, "xclient"), XForward: rapid.Bool().Draw(t, "xforward")}
		ehlo := "EHLO c.example\r\n"
		if cfg.Door == sluice.DoorLMTP {
			ehlo = "LHLO c.example\r\n"
		}
		var groups []string
		switch rapid.IntRange(0, 5).Draw(t, "opening") {
		case 0:
		case 1:
			groups = append(groups, ehlo)
		case 2:
			groups = append(groups, "HELO c.example\r\n")
		default:
			if groups = append(groups, ehlo); cfg.Door == sluice.DoorSubmission {
				if !cfg.ClearTextAuth {
					groups = append(groups, "STARTTLS\r\n", ehlo)
				}
				if rapid.Bool().Draw(t, "login") {
					groups = append(groups, "AUTH PLAIN "+coded("\x00ann\x00right")+"\r\n")
				}
			}
			groups = append(groups, "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@d.example>\r\n")
			if rapid.Bool().Draw(t, "data") {
				groups = append(groups, "DATA\r\n")
			}
		}
		for range rapid.IntRange(1, 5).Draw(t, "groups") {
			groups = append(groups, drawGroup(t, cfg.Door))
		}

		ref := &reference{cfg: cfg, offer: offer, peer: peer, in: strings.Join(groups, "")}
		at := 0
		for _, g := range groups {
			at += len(g)
			ref.ends = append(ref.ends, at)
		}
		ref.run()

		for name, piece := range map[string]func(int) int{
			"whole":  func(left int) int { return left },
			"octets": func(int) int { return 1 },
			"random": func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") },
		} {
			var events []string
			var codes []int
			r := newRig(cfg, offer, func(line string) {
				var code int
				if s, ok := strings.CutPrefix(line, "E: "); ok {
					if strings.HasPrefix(s, "violation ") {
						s, _, _ = strings.Cut(s, ` "`)
					}
					events = append(events, s)
				} else if _, err := fmt.Sscanf(line, "S: %d ", &code); err == nil && line[6] == ' ' {
					codes = append(codes, code)
				}
			})
			r.peer = peer
			r.feed(nil, piece)
			for _, g := range groups {
				r.feed([]byte(g), piece)
			}
			if diff := cmp.Diff(ref.events, events); diff != "" {
				t.Fatalf("%s: %q: events (-reference +machine):\n%s", name, groups, diff)
			}
			if diff := cmp.Diff(ref.codes, codes); diff != "" {
				t.Fatalf("%s: %q: reply codes (-reference +machine):\n%s", name, groups, diff)
			}
		}
	})
}
