package dialect

import "sluice"

// Stage is how much of a dialect an id speaks of. What was learned at one stage
// can be compared only with the same stage of another connection: an id of a later
// one knows more, so it has another name.
type Stage uint8

// The stages. A check uses the last one that its phase has seen: StageMail at
// MAIL, StageRcpt at RCPT, StageData for a message. StageHello is too coarse to
// judge by; StageEnd is for what is learned and shown after the connection.
const (
	StageHello Stage = iota // the first greeting
	StageMail               // … to the first MAIL
	StageRcpt               // … to the first RCPT
	StageData               // … to the first DATA or BDAT
	StageEnd                // all, with how it ended
)

var stageNames = [...]string{"hello", "mail", "rcpt", "data", "end"}

func (s Stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return "?"
}

// Stages returns all stages in order.
func Stages() []Stage { return []Stage{StageHello, StageMail, StageRcpt, StageData, StageEnd} }

// What each stage adds to an id. Left out is what depends on us (TLS, extensions
// such as 8BITMIME and DSN, refusals), on the message (its size and sender), on
// the network (timing), and on the host's name beyond its rough form.
const (
	helloMarks = Early | 3<<helloCase | HelloSpace | HelloTrail
	mailMarks  = 3<<mailCase | 3<<fromCase | 3<<sizeCase | pathMarks<<mailPath | ParamOther | Groups | AuthNotOffered
	rcptMarks  = 3<<rcptCase | 3<<toCase | pathMarks<<rcptPath
	dataMarks  = 3<<dataCase | DataSpace
	endMarks   = Tab | Probes | Garbage | LFOnly | Varies | Hasty | Deaf | NoHelloAfterTLS | 3<<ending
)

var stageMarks = [...]uint64{
	helloMarks,
	helloMarks | mailMarks,
	helloMarks | mailMarks | rcptMarks,
	helloMarks | mailMarks | rcptMarks | dataMarks,
	helloMarks | mailMarks | rcptMarks | dataMarks | endMarks,
}

// Reached says whether d has got as far as stage; StageEnd is always reached.
func Reached(d sluice.Dialect, stage Stage) bool {
	switch stage {
	case StageHello:
		return d.Marks&Early != 0 || get(d.Marks, helloCase, 2) != 0
	case StageMail:
		return get(d.Marks, mailCase, 2) != 0
	case StageRcpt:
		return get(d.Marks, rcptCase, 2) != 0
	case StageData:
		return get(d.Marks, dataCase, 2) != 0
	case StageEnd:
		return d != sluice.Dialect{}
	}
	return false
}

// ID names the dialect d as far as stage: "d1m." and ten hex digits, where "d1" is
// the version of this reckoning and "m" the stage. It is "" where d hasn't got so
// far. It is the same for all that one program says on one host, whatever the
// message, the sender, the number of recipients and what we offer.
func ID(d sluice.Dialect, stage Stage) string {
	if !Reached(d, stage) {
		return ""
	}
	return "d1" + stageNames[stage][:1] + "." + name(d, stage)
}

// name hashes what an id speaks of.
func name(d sluice.Dialect, stage Stage) string {
	h := newHash()
	h.add(byte(stage))
	marks := d.Marks & stageMarks[stage]
	if marks&Groups != 0 && get(marks, sizeCase, 2) == uint64(upperCase) {
		// Postfix gives no size where it may have to turn the message into 7 bit
		// for us, so among programs that pipeline it is nothing to go by.
		marks &^= 3 << sizeCase
	}
	for i := range 8 {
		h.add(byte(marks >> (8 * i)))
	}
	h.add(byte(coarse(Form(get(d.Marks, helloForm, 4)))))
	for _, v := range route(d.Order, stage) {
		h.add(byte(v))
	}
	return h.String()
}

// coarse joins forms that the host's configuration decides, not the program.
func coarse(f Form) Form {
	switch f {
	case FormUnderscore, FormOurs:
		return FormDomain
	case FormLiteral6:
		return FormLiteral
	}
	return f
}

// route is the way to the stage's command, without what follows from our
// configuration: STARTTLS with the greetings behind it, and AUTH.
func route(o uint64, stage Stage) []verb {
	out := make([]verb, 0, maxOrder)
	tls, greeted := false, false
	for ; o != 0; o >>= 4 {
		v := verb(o & 0xf)
		tls = greeted && (v == vSTARTTLS || tls && v.greets())
		greeted = greeted || v.greets()
		if tls || v == vAUTH {
			continue
		}
		out = append(out, v)
		if v.greets() && stage == StageHello || v == vMAIL && stage == StageMail ||
			v == vRCPT && stage == StageRcpt || v == vDATA || v == vBDAT {
			break
		}
	}
	return out
}
