package sluice

import "context"

// Gate is the brain behind every door: one session per connection.
type Gate interface {
	// Open starts a session at the connect phase. The reply is the greeting
	// (220) or a refusal (4xx, 5xx, with Close set where the session ends at
	// once). The session is never nil; the door must Close it.
	Open(ctx context.Context, c *Conn) (Session, Reply)
}

// Session follows one connection through its phases. A door calls it from one
// goroutine. A positive reply lets the conversation go on; any other is sent as
// it is. Phases see what earlier ones found.
type Session interface {
	// Hello judges EHLO and HELO; Conn.Hello is already set. A positive reply's
	// text is not used: the door writes its own greeting line.
	Hello(ctx context.Context) Reply
	// TLS says that the handshake is done; Conn.TLS is set, Conn.Hello cleared.
	TLS(ctx context.Context)
	// Mail starts a transaction.
	Mail(ctx context.Context, from string, params []Param) Reply
	// Rcpt offers one recipient.
	Rcpt(ctx context.Context, to string, params []Param) Reply
	// Data is asked before 354, and before the first BDAT chunk is read.
	Data(ctx context.Context) Reply
	// Message judges and hands on a complete message, CRLF line ends and
	// dot-unstuffed, without the final dot. Its reply is the reply to the
	// final dot: 250 only after somebody durable has the message.
	Message(ctx context.Context, body Content) Reply
	// Violation reports hostile or broken protocol and returns the reply to
	// send. The door has already decided that the input is refused.
	Violation(ctx context.Context, v Violation) Reply
	// Reset ends the transaction, if any (RSET, EHLO, STARTTLS).
	Reset()
	// Close ends the session; outcome is one of the Ended… words.
	Close(ended string)
}

// How a session ended.
const (
	EndedQuit     = "quit"
	EndedLost     = "lost"     // the peer went away
	EndedTimeout  = "timeout"  // a command's or the session's deadline
	EndedRefused  = "refused"  // we closed it for what the peer did
	EndedShutdown = "shutdown" // we are stopping
	EndedPanic    = "panic"
)

// Content is a message's bytes. They stay valid until the owner (the door)
// releases them, which is after Message has returned; nobody writes to them.
type Content interface {
	// Bytes is the whole message. Large ones are mapped from an unlinked
	// spool file, so this costs address space, not heap.
	Bytes() []byte
}

// ViolationKind names what a peer did against the protocol. The values are
// reasons of the catalogue.
type ViolationKind = Reason

// Violation is one protocol event with the position of its bytes in the
// connection's input, counted from the first octet the client sent.
type Violation struct {
	Kind   ViolationKind
	Phase  Phase
	Offset int64
	Detail string // the offending bytes, Go-quoted, bounded
}
