// Package dialect knows SMTP programs by the way they speak. Two programs that say
// the same thing say it differently: in upper or lower case, with or without a
// space after the colon, with or without a SIZE, one command at a time or several
// in one segment, with a QUIT or without. Who writes a mail server takes trouble
// over this and changes it once in ten years; who writes a bot takes none
// (Stringhini et al., "B@bel: Leveraging Email Delivery for Spam Mitigation",
// USENIX Security 2012).
//
// A [Trace] collects the marks while a client speaks, [ID] names the dialect for
// counting what came of it, [Describe] puts it in words. What honest programs do
// is no opinion: the package holds recordings of real ones (testdata/recorded),
// and [Unusual], [Clients] and [Contradiction] read those.
//
// [TLSFingerprint] does the same for the first packet of TLS.
//
// The package is pure: it reads no clock and opens nothing.
package dialect

// A dialect's Marks are single bits and small fields. Those of one command are
// taken from the first of its kind in a connection and stay, so that a dialect at
// MAIL is the same whether it is asked then or at the end.
const (
	// Early: spoke before our greeting (RFC 5321 3.1).
	Early uint64 = 1 << 0

	helloCase = 1 // letterCase of EHLO or HELO
	helloForm = 3 // Form of its argument
	// HelloSpace: more than one space, or a tab, before the name.
	HelloSpace uint64 = 1 << 7
	// HelloTrail: white space behind the name.
	HelloTrail uint64 = 1 << 8

	mailCase = 9  // letterCase of MAIL
	fromCase = 11 // letterCase of FROM
	sizeCase = 13 // letterCase of SIZE; 0: not given
	mailPath = 15 // where the path's marks begin
	// MailSpaceAfter: white space behind the colon (RFC 5321 3.3 forbids it).
	MailSpaceAfter = spaceAfter << mailPath
	// MailSpaceBefore: white space before the colon.
	MailSpaceBefore = spaceBefore << mailPath
	// MailNoBrackets: an address without < and >.
	MailNoBrackets = noBrackets << mailPath
	// MailSpace: more than one space, or a tab, before FROM or a parameter, or any
	// inside the brackets.
	MailSpace = oddSpace << mailPath
	// MailTrail: white space at the end of the line.
	MailTrail = trailing << mailPath

	// ParamBody, ParamUTF8, ParamAuth, ParamDSN, ParamOther: the parameters of
	// MAIL beside SIZE; DSN is RET or ENVID. They follow from the message and from
	// what we offer, so they are in no id.
	ParamBody  uint64 = 1 << 20
	ParamUTF8  uint64 = 1 << 21
	ParamAuth  uint64 = 1 << 22
	ParamDSN   uint64 = 1 << 23
	ParamOther uint64 = 1 << 24
	// SizeLater: SIZE isn't the first parameter.
	SizeLater uint64 = 1 << 25
	// NullSender: the first sender was <>.
	NullSender uint64 = 1 << 26
	// Groups: MAIL had another command behind it in the same segment (RFC 2920).
	Groups uint64 = 1 << 27

	rcptCase = 28
	toCase   = 30
	rcptPath = 32
	// RcptSpaceAfter and the others: as those of MAIL.
	RcptSpaceAfter  = spaceAfter << rcptPath
	RcptSpaceBefore = spaceBefore << rcptPath
	RcptNoBrackets  = noBrackets << rcptPath
	RcptSpace       = oddSpace << rcptPath
	RcptTrail       = trailing << rcptPath
	// RcptParams: RCPT had parameters (RFC 3461 4).
	RcptParams uint64 = 1 << 37

	dataCase = 38 // letterCase of DATA or BDAT
	// DataSpace: white space behind DATA, or odd spaces in BDAT.
	DataSpace uint64 = 1 << 40

	// Tab: a tab in a command.
	Tab uint64 = 1 << 41
	// Probes: VRFY or EXPN.
	Probes uint64 = 1 << 42
	// Garbage: a line that is no command.
	Garbage uint64 = 1 << 43
	// AuthNotOffered: AUTH before MAIL where we hadn't offered it.
	AuthNotOffered uint64 = 1 << 44
	// LFOnly: a command line that ends with LF alone.
	LFOnly uint64 = 1 << 45
	// Long: a command line of more than 512 octets (RFC 5321 4.5.3.1.4).
	Long uint64 = 1 << 46
	// UsesTLS: it started TLS.
	UsesTLS uint64 = 1 << 47
	// NoHelloAfterTLS: and went on without greeting again (RFC 3207 4.2).
	NoHelloAfterTLS uint64 = 1 << 48

	timing    = 49 // Pace of the first MAIL
	afterTemp = 52 // Reaction to a 4xx at RCPT
	afterPerm = 55 // Reaction to a 5xx at RCPT
	ending    = 58 // Ending

	// Hasty: it didn't wait for a reply where it had to (RFC 2920 3.1).
	Hasty uint64 = 1 << 60
	// Varies: later commands had another form than the first.
	Varies uint64 = 1 << 61
	// Deaf: it went on with a transaction that we had refused.
	Deaf uint64 = 1 << 62
)

// Timing is the field that holds the [Pace]. It is in no id.
const Timing uint64 = 7 << timing

// The marks of a path command, relative to mailPath and rcptPath.
const (
	spaceAfter uint64 = 1 << iota
	spaceBefore
	noBrackets
	oddSpace
	trailing
)

// letterCase is how a word is written.
type letterCase uint64

const (
	upperCase letterCase = 1 + iota
	lowerCase
	mixedCase
)

var caseWords = [...]string{"", "upper case", "lower case", "mixed case"}

// Form is what kind of name a client gives in its greeting.
type Form uint64

// The forms.
const (
	FormDomain     Form = 1 + iota // a name with a dot
	FormWord                       // a name without one
	FormLiteral                    // [192.0.2.1]
	FormLiteral6                   // [IPv6:2001:db8::1]
	FormAddress                    // an address without brackets
	FormLocalhost                  // localhost, localhost.localdomain
	FormUnderscore                 // a name with an underscore
	FormOurs                       // our own name
	FormNone                       // no name
	FormWords                      // several words
	FormOdd                        // anything else
)

var formWords = [...]string{"", "a domain name", "a bare word", "an address literal", "an IPv6 literal", "a bare address", "localhost",
	"a name with an underscore", "our own name", "no name", "several words", "no name of a host"}

// Pace is how long after our reply a command came.
type Pace uint64

// The paces.
const (
	PaceSegment Pace = 1 + iota // in the same segment as the command before
	PaceInstant                 // under 1 ms: the same machine, or no thought at all
	PaceQuick                   // under 20 ms: the same town
	PaceUsual                   // under 1 s
	PaceSlow
)

var paceWords = [...]string{"", "in the same segment", "within 1 ms", "within 20 ms", "within 1 s", "after more than 1 s"}

// Reaction is what a client does after its recipient was refused.
type Reaction uint64

// The reactions.
const (
	GoesOn     Reaction = 1 + iota // next recipient, or DATA for those accepted
	Resets                         // RSET
	Quits                          // QUIT
	DataAnyway                     // DATA though none was accepted, and not in one segment with RCPT
	Drops                          // closes the connection
	StartsOver                     // MAIL, EHLO or HELO
	Other
)

var reactionWords = [...]string{"", "goes on", "RSET", "QUIT", "DATA all the same", "drops the connection", "starts over", "something else"}

// Ending is how a connection ended.
type Ending uint64

// The endings.
const (
	EndQuit    Ending = 1 + iota // by QUIT
	EndDropped                   // the client closed or went silent
	EndRefused                   // we closed it
)

var endingWords = [...]string{"", "QUIT", "no QUIT", "we closed"}

// get returns the field of width bits that begins at bit at.
func get(marks uint64, at, width int) uint64 { return marks >> at & (1<<width - 1) }

// The commands as Order holds them, 4 bits each.
type verb uint8

const (
	none verb = iota
	vHELO
	vEHLO
	vSTARTTLS
	vAUTH
	vMAIL
	vRCPT
	vDATA
	vBDAT
	vRSET
	vNOOP
	vVRFY // and EXPN
	vQUIT
	vLHLO
	vOther // another command of SMTP: HELP, ETRN, TURN, XCLIENT, XFORWARD
	vGarbage
)

var verbWords = [...]string{"", "HELO", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "QUIT", "LHLO", "another command", "no command"}

func (v verb) greets() bool { return v == vHELO || v == vEHLO || v == vLHLO }

// maxOrder is how many commands Order holds.
const maxOrder = 16

// order yields the commands of Order.
func order(o uint64) []verb {
	out := make([]verb, 0, maxOrder)
	for ; o != 0; o >>= 4 {
		out = append(out, verb(o&0xf))
	}
	return out
}
