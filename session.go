package sluice

import (
	"context"
	"net/netip"
	"time"
)

// Gate is the brain behind every door: one session per connection.
type Gate interface {
	// Admit is asked before anything is spent on a connection; it must be quick
	// and never wait.
	Admit(a Arrival) Admission
	// Open starts a session at the connect phase. The reply is the greeting
	// (220) or a refusal (4xx, 5xx, with Close set where the session ends at
	// once). The session is never nil; the door must Close it.
	Open(ctx context.Context, c *Conn) (Session, Reply)
}

// Arrival is a connection that was just accepted.
type Arrival struct {
	Client netip.AddrPort
	Local  netip.AddrPort
	Door   string
	Now    time.Time
	// Open counts the door's connections now, and Limit is the most it takes.
	Open, Limit int
	// Mine counts those of this client: an IPv4 address or an IPv6 /64. MineLimit is
	// the most it may have.
	Mine, MineLimit int
}

// Admission is the answer to an Arrival.
type Admission struct {
	// Refuse is what the client hears instead of a greeting; Code 0 lets it in.
	// After 554 the door waits a moment for QUIT (RFC 5321 3.1); 421 and 521
	// close at once.
	Refuse Reply
	// Known clients have sent wanted mail before: under load they keep their
	// place, and others give way.
	Known bool
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
	// Auth asks whether the client may act for an account. A positive reply means
	// that it may; Conn.Auth is set then. Only a submission door calls it, inside
	// TLS. Nobody keeps the credentials.
	Auth(ctx context.Context, c Credentials) Reply
	// Forwarded says that a hop of ours now speaks for another client (XFORWARD):
	// Conn.Client, Conn.Via and Conn.Hello are set. What was found out about the
	// client before is void.
	Forwarded(ctx context.Context)
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
	// MessageEach is Message for LMTP: one reply for each accepted recipient, in
	// order (RFC 2033 4.2).
	MessageEach(ctx context.Context, body Content) []Reply
	// Violation reports hostile or broken protocol and returns the reply to
	// send. The door has already decided that the input is refused.
	Violation(ctx context.Context, v Violation) Reply
	// Reset ends the transaction, if any (RSET, EHLO, STARTTLS).
	Reset()
	// Close ends the session; outcome is one of the Ended… words.
	Close(ended string)
}

// Credentials are what a client offers to prove who it is. They are never logged,
// kept or shown.
type Credentials struct {
	Mechanism string // "PLAIN", "LOGIN" or "OAUTHBEARER"
	Authorize string // the account to act for, "" for the same as User (RFC 4616)
	User      string // as sent
	Secret    string // the password, or the bearer token (RFC 7628)
}

// String hides the secret from every %v.
func (c Credentials) String() string { return c.Mechanism + " for " + c.User }

// GoString hides the secret from %#v.
func (c Credentials) GoString() string { return c.String() }

// Authenticator proves credentials.
type Authenticator interface {
	// Login returns the account's name. A wrong user or password is an [*Error]
	// with code 535; trouble on the way to an answer is one with 454.
	Login(ctx context.Context, c Credentials, conn *Conn) (account string, err error)
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
