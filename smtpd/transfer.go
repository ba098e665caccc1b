package smtpd

import (
	"strconv"

	"sluice"
	"sluice/smtp"
)

// transfer is a message on its way in, by DATA or by chunks.
type transfer struct {
	chunked bool
	decoder smtp.DataDecoder
	checker smtp.TextChecker
	size    int64 // octets of the message so far
	refusal sluice.Reply
	// blind: too big or refused by us; what else is wrong with it doesn't matter.
	blind     bool
	swallowed int64 // octets thrown away after the refusal

	// The checker counts the message's octets; base turns that into a place in
	// the client's input. Chunks have commands between them, and a fault at the
	// end of a chunk is seen only in the next, which uses the base before.
	base, baseBefore, chunkStart int64

	ended bool // the last octet is in
	left  int64
	last  bool // BDAT LAST
	given int64
	crlf  bool // the missing CRLF at the end was given
}

// refuse keeps the first refusal for the end.
func (x *transfer) refuse(r sluice.Reply) {
	if x.refusal.Code == 0 {
		x.refusal = r
	}
	x.refusal.Close = x.refusal.Close || r.Close
}

func (m *Machine) newTransfer(chunked bool) *transfer {
	return &transfer{chunked: chunked, checker: smtp.TextChecker{MaxLine: m.cfg.Limits.TextLine}, base: m.off}
}

func (m *Machine) data(arg string) Event {
	switch {
	case arg != "":
		m.failData(501, "5.5.4", "DATA takes no argument")
	case !m.trans:
		m.failData(503, "5.5.1", "Send MAIL first")
	case m.xfer != nil:
		m.failData(503, "5.5.1", "Chunks have begun") // RFC 3030 2
	case m.rcpts == 0:
		m.failData(m.noRcptsCode(), "5.5.1", "No valid recipients")
	default:
		m.xfer = m.newTransfer(false)
		return Event{Kind: Data}
	}
	return Event{}
}

// failData refuses DATA. What the client sends behind it without waiting is text,
// and must not be taken for commands.
func (m *Machine) failData(code int, enhanced, text string) {
	if m.errors++; m.errors >= m.cfg.Limits.Errors {
		m.violate(TooManyErrors, m.off, nil)
		return
	}
	m.hold(syncPlain, sluice.Reply{Code: code, Enhanced: enhanced, Text: text})
}

// sayData answers DATA.
func (m *Machine) sayData(r sluice.Reply) {
	if !r.Positive() {
		m.xfer = nil
		m.answered(r)
		return
	}
	m.out = smtp.AppendReply(m.out, 354, "", "End data with <CR><LF>.<CR><LF>")
	m.state = stateText
}

// bdat begins a chunk. Its octets follow at once, so they are read even where the
// answer is no; otherwise they would be taken for commands (RFC 3030 2).
func (m *Machine) bdat(arg string) Event {
	chunk, err := smtp.ParseChunk(arg)
	if err != nil {
		m.violate(BadChunk, m.off, nil)
		return Event{}
	}
	x, begun := m.xfer, m.xfer != nil
	if !begun {
		x = m.newTransfer(true)
		m.xfer = x
	}
	x.left, x.given, x.last = chunk.Size, chunk.Size, chunk.Last
	x.baseBefore, x.chunkStart, x.base = x.base, x.size, m.off-x.size
	m.state = stateChunk
	switch {
	case !m.trans:
		m.errors++
		x.blind = true
		x.refuse(sluice.Reply{Code: 503, Enhanced: "5.5.1", Text: "Send MAIL first"})
	case m.rcpts == 0:
		x.blind = true
		x.refuse(sluice.Reply{Code: m.noRcptsCode(), Enhanced: "5.5.1", Text: "No valid recipients"})
	case chunk.Size > m.maxSize()-x.size:
		x.blind = true
		m.violate(MessageTooBig, m.off, nil)
	case !begun:
		return Event{Kind: Data}
	}
	return Event{}
}

// nextText takes a piece of the text after DATA.
func (m *Machine) nextText(in []byte) (int, Event) {
	x := m.xfer
	if x.refusal.Code != 0 {
		in = m.swallow(in)
	} else if room := m.maxSize() - x.size; room < int64(len(in))-1 {
		// The octet that makes the message too big is the last of its piece,
		// so its place doesn't hang on how the input is cut.
		in = in[:room+1]
	}
	content, n, done := x.decoder.Next(in)
	x.ended = done
	if x.refusal.Code != 0 {
		if !x.blind {
			m.check(in[:n])
		}
		m.threwAway(n, done)
		return n, Event{}
	}
	if m.check(in[:n]) {
		return n, Event{}
	}
	x.size += int64(len(content))
	if x.size > m.maxSize() {
		x.blind = true
		m.violate(MessageTooBig, m.off+int64(n)-1, nil)
		return n, Event{}
	}
	if len(content) == 0 {
		return n, Event{}
	}
	return n, Event{Kind: Content, Content: content}
}

// nextChunk takes a piece of a chunk.
func (m *Machine) nextChunk(in []byte) (int, Event) {
	x := m.xfer
	in = in[:min(int64(len(in)), x.left)]
	if x.refusal.Code != 0 {
		in = m.swallow(in)
	}
	n := len(in)
	x.left -= int64(n)
	x.size += int64(n)
	if !x.blind && m.check(in) {
		return n, Event{}
	}
	if x.refusal.Code != 0 {
		m.threwAway(n, x.left == 0)
		return n, Event{}
	}
	return n, Event{Kind: Content, Content: in}
}

// check looks for faults and says whether a new one was found.
func (m *Machine) check(b []byte) bool {
	before := len(m.xfer.checker.Faults())
	m.xfer.checker.Check(b)
	return m.reportFaults(before, b)
}

var faultReasons = map[smtp.FaultKind]sluice.Reason{
	smtp.BareCR:      BareCR,
	smtp.BareLF:      BareLF,
	smtp.NUL:         NUL,
	smtp.LineTooLong: TextLineTooLong,
	smtp.Smuggling:   Smuggling,
}

func (m *Machine) reportFaults(before int, piece []byte) bool {
	x := m.xfer
	faults := x.checker.Faults()[before:]
	for _, f := range faults {
		base := x.base
		if x.chunked && f.Offset < x.chunkStart {
			base = x.baseBefore
		}
		off := base + f.Offset
		m.violate(faultReasons[f.Kind], off, around(piece, off-m.off))
	}
	return len(faults) > 0
}

// around returns some octets of b on both sides of i, which may lie outside.
func around(b []byte, i int64) []byte {
	const before, after = 16, 32
	from := min(max(0, i-before), int64(len(b)))
	return b[from:min(int64(len(b)), max(from, i+after))]
}

// swallow cuts in to what may still be thrown away.
func (m *Machine) swallow(in []byte) []byte {
	return in[:min(int64(len(in)), m.cfg.Limits.Swallow-m.xfer.swallowed)]
}

// threwAway counts octets thrown away; at the bound the connection is closed.
func (m *Machine) threwAway(n int, done bool) {
	x := m.xfer
	if x.swallowed += int64(n); x.swallowed < m.cfg.Limits.Swallow || done {
		return
	}
	r := x.refusal
	r.Close = true
	m.reply(r)
}

// xferDue says what to do where a message or a chunk is complete.
func (m *Machine) xferDue() (Event, bool) {
	x := m.xfer
	if m.state != stateText && m.state != stateChunk || m.state == stateText && !x.ended || m.state == stateChunk && x.left > 0 {
		return Event{}, false
	}
	if x.chunked && x.last && !x.ended {
		x.ended = true
		if !x.blind {
			before := len(x.checker.Faults())
			x.checker.End()
			if m.reportFaults(before, nil) {
				return m.due()
			}
		}
	}
	switch {
	case x.refusal.Code != 0:
		// A refused chunk voids the transaction, so that what the client has
		// sent ahead is refused too (RFC 3030 2).
		was, n := m.trans, m.replies(x)
		m.endTransaction()
		m.state = stateCommand
		m.replyEach(n, x.refusal)
		if was && m.state != stateClosed {
			return Event{Kind: Reset}, true
		}
		return m.due()
	case !x.ended:
		m.state = stateCommand
		m.say(250, "2.0.0", strconv.FormatInt(x.given, 10)+" octets received")
		return Event{}, false
	case x.chunked && !x.crlf && !x.checker.LineStart():
		// A message ends with a line end; the next hop's DATA would add it.
		x.crlf = true
		return Event{Kind: Content, Content: crlf}, true
	}
	return Event{Kind: Message, Each: m.lmtp()}, true
}

var crlf = []byte("\r\n")
