package smtpd

import "sluice"

// This file is what LMTP (RFC 2033) does otherwise than SMTP: LHLO, one reply for
// each recipient behind a message, and 503 where none was accepted.

func (m *Machine) lmtp() bool { return m.cfg.Door == sluice.DoorLMTP }

// noRcptsCode is the reply to DATA without recipients: RFC 5321 3.3, RFC 2033 4.2.
func (m *Machine) noRcptsCode() int {
	if m.lmtp() {
		return 503
	}
	return 554
}

// AnswerEach answers a Message event of an LMTP door: one reply for each accepted
// recipient, in order.
func (m *Machine) AnswerEach(rs []sluice.Reply) {
	if m.await != Message {
		panic("smtpd: AnswerEach without Message")
	}
	m.await = NeedInput
	m.answerMessage(ourTrouble, rs)
}

// answerMessage sends the replies to a message; r stands for those that each hasn't.
func (m *Machine) answerMessage(r sluice.Reply, each []sluice.Reply) {
	n := m.replies(m.xfer)
	m.endTransaction()
	m.state = stateCommand
	if n = n - len(each); n < 0 {
		each = each[:len(each)+n]
	}
	closes := r.Close && n > 0
	for _, own := range each {
		if own.Code < 200 || own.Code > 599 {
			own = ourTrouble
		}
		closes = closes || own.Close
		own.Close = false
		m.reply(own)
	}
	if r.Close = closes; n > 0 {
		m.replyEach(n, r)
	} else if closes {
		m.close(sluice.EndedRefused)
	}
}

// replies says how many replies the end of the message or chunk has; without
// recipients it is one all the same.
func (m *Machine) replies(x *transfer) int {
	if m.lmtp() && (!x.chunked || x.last) { // RFC 2033 4.2, 4.3
		return m.rcpts
	}
	return 1
}

// replyEach writes the same reply n times, but once at least.
func (m *Machine) replyEach(n int, r sluice.Reply) {
	closes := r.Close
	r.Close = false
	for range n - 1 {
		m.reply(r)
	}
	r.Close = closes
	m.reply(r)
}
