package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"sluice"
	"sluice/smtp"
)

const (
	batch = 50       // RCPT commands sent before their replies are read (RFC 2920)
	piece = 32 << 10 // octets of the message stuffed and written at a time
)

// pieces are buffers of one piece with room for stuffed dots.
var pieces = sync.Pool{New: func() any { b := make([]byte, 0, piece+piece/2); return &b }}

// transact hands one message on: MAIL, RCPT, DATA, text, dot. It returns
// outcomes, or a failure where another connection may be tried for all
// recipients. c.broken says afterwards whether the connection may be kept.
func (c *conn) transact(ctx context.Context, m *message) ([]sluice.Outcome, *failure) {
	if f := m.suits(&c.ext); f != nil {
		return nil, f
	}
	stop := context.AfterFunc(ctx, c.interrupt)
	t := &transaction{c: c, ctx: ctx, m: m, stop: stop, out: make([]sluice.Outcome, len(m.rcpts))}
	f := t.envelope()
	if f == nil && len(t.accepted) > 0 {
		f = t.text()
	}
	if !t.dotSent && !stop() {
		c.broken = true // interrupted, now or in a moment
	}
	if f != nil && !f.final {
		return nil, f
	}
	// Refusals of single recipients stay true, whatever came after.
	return t.finish(f), nil
}

type transaction struct {
	c        *conn
	ctx      context.Context
	m        *message
	stop     func() bool
	out      []sluice.Outcome
	accepted []int // indexes of the recipients that the next hop took
	textSent bool  // an octet of the message may have left
	dotSent  bool
}

// where names a step for the operator.
func (t *transaction) where(step string) string { return t.c.addr + ": " + step }

// gone makes the failure of a connection that can't be used any more.
func (t *transaction) gone(step string, err error) *failure {
	t.c.broken = true
	if cause := t.ctx.Err(); cause != nil && !errors.Is(err, errInterrupted) && !t.dotSent {
		err = fmt.Errorf("%w: %w (%w)", errInterrupted, cause, err)
	}
	f := lost(t.where(step), err)
	f.stale = !t.textSent
	f.final = t.textSent
	return f
}

// finish fills in what became of the accepted recipients.
func (t *transaction) finish(f *failure) []sluice.Outcome {
	if f != nil {
		for _, i := range t.accepted {
			t.out[i] = sluice.Outcome{Reply: f.reply, Err: f.err, Unknown: f.unknown}
		}
	}
	for i := range t.out {
		if f != nil && t.out[i].Reply.Code == 0 {
			// It was never asked about, or not answered: what ended the
			// transaction is its answer too.
			t.out[i] = sluice.Outcome{Reply: f.reply, Err: f.err}
		}
		t.out[i].Recipient = t.m.rcpts[i].Address
	}
	return t.out
}

// envelope sends RSET where needed, MAIL and RCPT, and notes refusals.
func (t *transaction) envelope() *failure {
	c := t.c
	var cmds []string
	if c.unclean {
		cmds = append(cmds, "RSET")
	}
	mailAt := len(cmds)
	cmds = append(cmds, t.m.mail(&c.ext))
	for i := range t.m.rcpts {
		cmds = append(cmds, t.m.rcpt(i, &c.ext))
	}
	c.unclean = true
	step := 1
	if c.ext.pipelining {
		step = batch
	}
	var refusal *failure // of MAIL: it is the answer for every recipient
	for at := 0; at < len(cmds); at += step {
		now := cmds[at:min(at+step, len(cmds))]
		c.scratch = c.scratch[:0]
		for _, cmd := range now {
			c.scratch = append(append(c.scratch, cmd...), '\r', '\n')
		}
		if err := c.deadline(t.ctx, c.cfg.CommandTimeout); err != nil {
			return t.gone(cmds[at][:4], err)
		}
		if err := c.send(c.scratch); err != nil {
			// What came before we asked answers nothing.
			if f := t.lastWords(cmds[at][:4]); f != nil && !errors.Is(err, errEarly) {
				return f
			}
			return t.gone(cmds[at][:4], err)
		}
		for i := range now {
			verb := now[i][:4]
			r, err := c.reply()
			if err != nil {
				f := t.gone(verb, err)
				if refusal != nil {
					return t.refusedAll(refusal)
				}
				return f
			}
			if f := t.envelopeReply(at+i-mailAt, verb, r); f != nil {
				if c.broken && refusal == nil {
					return f
				}
				refusal = cmp.Or(refusal, f)
			}
		}
		if refusal != nil {
			return t.refusedAll(refusal)
		}
	}
	return nil
}

// refusedAll makes MAIL's refusal the answer for every recipient, whatever was
// said to their RCPT.
func (t *transaction) refusedAll(f *failure) *failure {
	t.accepted = t.accepted[:0]
	for i := range t.m.rcpts {
		t.accepted = append(t.accepted, i)
	}
	return f
}

// envelopeReply notes one reply; n is -1 for RSET's, 0 for MAIL's, then the
// recipients'. A failure it returns is MAIL's, or breaks the connection.
func (t *transaction) envelopeReply(n int, verb string, r smtp.Reply) *failure {
	f := t.check(verb, r, n > 0)
	switch {
	case f != nil && n < 0:
		return t.gone(verb, f.err) // RFC 5321 4.1.1.5: RSET can't be refused
	case n <= 0 || f != nil && t.c.broken:
		return f
	case f != nil:
		t.out[n-1] = sluice.Outcome{Reply: f.reply, Err: f.err}
	default:
		t.accepted = append(t.accepted, n-1)
	}
	return nil
}

// check says what a reply means where 250 is hoped for.
func (t *transaction) check(verb string, r smtp.Reply, rcpt bool) *failure {
	if r.Code == 250 || rcpt && r.Code == 251 {
		return nil
	}
	f := refused(t.where(verb), r)
	// 421 ends the connection (RFC 5321 3.8); a reply without sense has lost
	// count of what it answers.
	if r.Code == 421 || r.Code < 400 {
		t.c.broken = true
		f.stale = !t.textSent
		f.final = t.textSent
		return f
	}
	f.final = true
	return f
}

// lastWords reads what a next hop said before it closed its side, which a write
// that fails would hide: a 4xx or 5xx before the dot is a true refusal.
func (t *transaction) lastWords(step string) *failure {
	r, err := t.c.reply()
	if err != nil || r.Code < 400 {
		return nil
	}
	t.c.broken = true
	f := refused(t.where(step), r)
	f.final = t.textSent || r.Code != 421
	f.stale = !f.final
	return f
}

// text sends DATA, the message and the dot, and reads the answer.
func (t *transaction) text() *failure {
	c := t.c
	if err := c.deadline(t.ctx, c.cfg.CommandTimeout); err != nil {
		return t.gone("DATA", err)
	}
	r, err := c.command("DATA")
	if err != nil {
		return t.gone("DATA", err)
	}
	if r.Code != 354 {
		return t.check("DATA", smtp.Reply{Code: not250(r.Code), Enhanced: r.Enhanced, Lines: r.Lines}, false)
	}
	if err := c.deadline(t.ctx, c.cfg.DataTimeout); err != nil {
		return t.gone("text", err)
	}
	if f := t.write(); f != nil {
		return f
	}
	return t.answer()
}

// not250 keeps a 250 to DATA from looking like consent: it makes no sense there.
func not250(code int) int {
	if code == 250 {
		return 299
	}
	return code
}

// write sends the message with its dots stuffed, and the final dot with its last
// piece. Nothing but the dot makes a next hop responsible, so the sender's
// leaving counts until just before.
func (t *transaction) write() *failure {
	bp := pieces.Get().(*[]byte)
	defer pieces.Put(bp)
	buf := (*bp)[:0]
	var stuffer smtp.DotStuffer
	for _, src := range [][]byte{t.m.d.Header, t.m.d.Body} {
		for len(src) > 0 {
			n := min(len(src), piece-len(buf))
			if n <= 0 {
				if f := t.writePiece(buf); f != nil {
					return f
				}
				buf = buf[:0]
				continue
			}
			buf = stuffer.Append(buf, src[:n])
			src = src[n:]
		}
	}
	buf = stuffer.End(buf)
	*bp = buf
	// Whatever the next hop says before the dot can't be its answer to it.
	if !t.c.quiet() {
		if f := t.lastWords("text"); f != nil {
			return f
		}
		return t.gone("text", errEarly)
	}
	if !t.stop() {
		return t.gone("text", errInterrupted)
	}
	t.textSent, t.dotSent = true, true
	if _, err := t.c.Write(buf); err != nil {
		return t.unknown("dot", err)
	}
	return nil
}

func (t *transaction) writePiece(b []byte) *failure {
	t.textSent = true
	if _, err := t.c.Write(b); err != nil {
		if f := t.lastWords("text"); f != nil {
			return f
		}
		return t.gone("text", err)
	}
	return nil
}

// unknown makes the failure of a message that may have been taken.
func (t *transaction) unknown(step string, err error) *failure {
	f := t.gone(step, err)
	f.unknown = true
	return f
}

// answer reads the reply to the final dot: the one that says who has the
// message. LMTP has one for each recipient (RFC 2033 4.2).
func (t *transaction) answer() *failure {
	c := t.c
	if err := c.deadline(context.WithoutCancel(t.ctx), c.cfg.DotTimeout); err != nil {
		return t.unknown("dot", err)
	}
	accepted := t.accepted
	for k, i := range accepted {
		r, err := c.reply()
		if err != nil {
			t.accepted = accepted[k:]
			return t.unknown("dot", err)
		}
		if f := t.check("dot", r, false); f != nil {
			if f.reply == setUp {
				f.reply = passOn(r) // the commands are behind us: this is about the message
			}
			if r.Code < 400 {
				t.accepted, f.unknown = accepted[k:], true
				return f
			}
			t.out[i] = sluice.Outcome{Reply: f.reply, Err: f.err}
		} else {
			t.out[i] = sluice.Outcome{Reply: passOn(r)}
		}
		if !c.cfg.LMTP {
			for _, j := range accepted[1:] {
				t.out[j] = t.out[i]
			}
			break
		}
	}
	if c.from != c.to {
		c.broken = true // more replies than commands
	}
	c.unclean = false
	return nil
}
