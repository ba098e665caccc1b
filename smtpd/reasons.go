package smtpd

import "sluice"

// The violations that the door reports. Their words are in reason/catalogue, most
// of them in protocol.toml.
const (
	// BareCR is a CR that no LF follows.
	BareCR sluice.Reason = "BARE_CR"
	// BareLF is an LF that no CR precedes.
	BareLF sluice.Reason = "BARE_LF"
	// Smuggling is a dot line whose line ends aren't CRLF on both sides: the
	// mark of SMTP smuggling.
	Smuggling sluice.Reason = "SMTP_SMUGGLING"
	// NUL is a zero octet in a command or in a message.
	NUL sluice.Reason = "NUL_OCTET"
	// TextLineTooLong is a line of the message over the limit.
	TextLineTooLong sluice.Reason = "TEXT_LINE_TOO_LONG"
	// CommandTooLong is a command line over the limit.
	CommandTooLong sluice.Reason = "COMMAND_TOO_LONG"
	// MessageTooBig is a message over the size limit.
	MessageTooBig sluice.Reason = "MESSAGE_TOO_BIG"
	// EarlyTalker is input that was there before our greeting was sent.
	EarlyTalker sluice.Reason = "EARLY_TALKER"
	// EarlyPipelining is input after a command that must be the last of its
	// group (RFC 2920 3.1), or after any command where PIPELINING wasn't offered.
	EarlyPipelining sluice.Reason = "EARLY_PIPELINING"
	// StartTLSInjection is clear text behind STARTTLS (RFC 3207 4.2).
	StartTLSInjection sluice.Reason = "STARTTLS_INJECTION"
	// NotSMTP is another protocol: HTTP, TLS without STARTTLS, binary.
	NotSMTP sluice.Reason = "NOT_SMTP"
	// TooManyErrors is a session over its limit of refused commands.
	TooManyErrors sluice.Reason = "TOO_MANY_ERRORS"
	// TooManyCommands is a session over its limit of commands.
	TooManyCommands sluice.Reason = "TOO_MANY_COMMANDS"
	// BadChunk is a BDAT command whose size can't be read, so that nobody knows
	// where the next command begins.
	BadChunk sluice.Reason = "BDAT_SYNTAX"
	// AuthNeedsTLS is AUTH in clear text.
	AuthNeedsTLS sluice.Reason = "AUTH_NEEDS_TLS"
	// AuthRequired is MAIL on a submission door before AUTH.
	AuthRequired sluice.Reason = "AUTH_REQUIRED"
	// ChunkCutShort is a connection lost inside a BDAT chunk.
	ChunkCutShort sluice.Reason = "BDAT_CUT_SHORT"
	// TooManyTransactions is a session over its limit of MAIL commands.
	TooManyTransactions sluice.Reason = "TOO_MANY_TRANSACTIONS"
	// CommandTimeout is a command that took longer than its total.
	CommandTimeout sluice.Reason = "COMMAND_TIMEOUT"
	// DataTimeout is a message that came too slowly.
	DataTimeout sluice.Reason = "DATA_TIMEOUT"
	// SessionTimeout is a session that lasted as long as one may.
	SessionTimeout sluice.Reason = "SESSION_TIMEOUT"
	// ShuttingDown is our own end.
	ShuttingDown sluice.Reason = "SHUTTING_DOWN"
	// NoRoom is a message for which there is no memory or disk just now.
	NoRoom sluice.Reason = "OUT_OF_MEMORY_BUDGET"
)
