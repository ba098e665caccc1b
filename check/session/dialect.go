package session

import (
	"fmt"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/learn/dialect"
	"sluice/reason"
)

// Learned is what experience says of fingerprints. Decibels speak against the
// client where positive; 0 is no opinion. The detail has the counts.
type Learned interface {
	// Dialect weighs one of dialect.ID's names.
	Dialect(id string, now time.Time) (decibel float64, detail string)
	// TLSHello weighs one of dialect.TLSFingerprint's.
	TLSHello(fingerprint string, now time.Time) (decibel float64, detail string)
	// Count is how many outcomes are remembered under a name that
	// dialect.ProviderKeys made, faded.
	Count(name string, now time.Time) float64
}

// What a learned fingerprint may weigh, and from where on it is worth a line.
const (
	mostLearned  = 6.0
	leastLearned = 0.5
)

// A provider's servers are known once so many of their connections were seen; a
// dialect that was hardly ever among them contradicts the name.
const (
	providerKnown = 50
	providerSpeak = 0.5
)

// speaks says whether how the client speaks is its own and says anything: not that
// of our own hosts and users, who use what they like.
func speaks(in *check.Input) bool {
	c := in.Conn
	return c != nil && !c.Stored && !local(c) && c.Dialect != sluice.Dialect{}
}

// newUnusual states the marks that no recorded program makes, up to MAIL.
func newUnusual() check.Checker {
	return check.Func(check.Info{
		Name: "session/dialect-mail", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.DialectUnusual},
	}, func(in *check.Input) []sluice.Evidence {
		if !speaks(in) {
			return nil
		}
		return unusual(dialect.Upto(in.Conn.Dialect, dialect.StageMail))
	})
}

// newUnusualLater states those that came after MAIL, where MAIL had none: one way
// of speaking is one fact.
func newUnusualLater() check.Checker {
	return check.Func(check.Info{
		Name: "session/dialect-data", Phase: sluice.PhaseData, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.DialectUnusual},
	}, func(in *check.Input) []sluice.Evidence {
		if !speaks(in) || len(dialect.Unusual(dialect.Upto(in.Conn.Dialect, dialect.StageMail))) > 0 {
			return nil
		}
		return unusual(in.Conn.Dialect)
	})
}

func unusual(d sluice.Dialect) []sluice.Evidence {
	marks := dialect.Unusual(d)
	if len(marks) == 0 {
		return nil
	}
	return []sluice.Evidence{check.Found(reason.DialectUnusual, strings.Join(marks, "; "))}
}

// newContradiction compares the dialect with the program or provider that the
// greeting and the message name.
func newContradiction(learned Learned) check.Checker {
	return check.Func(check.Info{
		Name: "session/dialect-claim", Phase: sluice.PhaseMessage, Group: sluice.GroupSession, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.DialectContradiction},
	}, func(in *check.Input) []sluice.Evidence {
		if !speaks(in) {
			return nil
		}
		for _, c := range claims(in) {
			if why := contradiction(c, in, learned); why != "" {
				return []sluice.Evidence{check.Found(reason.DialectContradiction, c.Name+" according to "+c.By+": "+why)}
			}
		}
		return nil
	})
}

func contradiction(c dialect.Claim, in *check.Input, learned Learned) string {
	d := in.Conn.Dialect
	if !c.Provider {
		return dialect.Contradiction(c.Name, d, dialect.StageData)
	}
	if learned == nil || !dialect.Reached(d, dialect.StageMail) {
		return ""
	}
	anyDialect, this := dialect.ProviderKeys(c.Name, d, dialect.StageMail)
	total, seen := learned.Count(anyDialect, in.Now), learned.Count(this, in.Now)
	if total < providerKnown || seen >= providerSpeak {
		return ""
	}
	return fmt.Sprintf("%.0f connections of its servers spoke otherwise; this one: %s", total, dialect.Describe(dialect.Upto(d, dialect.StageMail)))
}

// claims lists who the client says it is. A message that came by way of others
// tells about those, so its fields count only where the client has written them
// itself: the topmost Received of a server that greets with the name in it, and
// the mailer's own where nobody has received it before.
func claims(in *check.Input) []dialect.Claim {
	helo := in.Conn.Hello.Name
	var mailer, domain string
	if received := in.Message.Header().Values("Received"); len(received) > 0 {
		if wroteReceived(received[0], helo) {
			mailer = received[0]
		}
	} else {
		mailer = in.Message.Header().Get("X-Mailer")
		if in.Envelope != nil {
			_, domain = cutDomain(in.Envelope.From)
		}
	}
	return dialect.Claims(helo, mailer, domain)
}

// wroteReceived says whether a Received field is by the host that greets as helo,
// or by a program that names no host.
func wroteReceived(field, helo string) bool {
	field = strings.ToLower(field[:min(len(field), 1000)])
	if strings.HasPrefix(strings.TrimLeft(field, " \t\r\n"), "(nullmailer ") {
		return true
	}
	words := strings.Fields(field)
	for i, w := range words {
		if w == "by" && i+1 < len(words) {
			return helo != "" && strings.TrimSuffix(words[i+1], ".") == strings.ToLower(strings.TrimSuffix(helo, "."))
		}
	}
	return false
}

func cutDomain(address string) (local, domain string) {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i], address[i+1:]
	}
	return address, ""
}

// newLearnedDialect weighs the dialect by what came of it before.
func newLearnedDialect(learned Learned) check.Checker {
	return check.Func(check.Info{
		Name: "session/dialect-learned", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.DialectBad, reason.DialectGood},
	}, func(in *check.Input) []sluice.Evidence {
		if learned == nil || !speaks(in) {
			return nil
		}
		d := in.Conn.Dialect
		id := dialect.ID(d, dialect.StageMail)
		if id == "" {
			return nil
		}
		db, detail := learned.Dialect(id, in.Now)
		return weigh(db, reason.DialectBad, reason.DialectGood, func() string {
			words := id + ": " + dialect.Describe(dialect.Upto(d, dialect.StageMail))
			if known := dialect.Clients(d, dialect.StageMail); len(known) > 0 {
				words += "; as " + strings.Join(known, ", ")
			}
			return words + "; " + detail
		})
	})
}

// newLearnedTLS weighs the ClientHello likewise.
func newLearnedTLS(learned Learned) check.Checker {
	return check.Func(check.Info{
		Name: "session/tls-learned", Phase: sluice.PhaseTLS, Group: sluice.GroupSession, Cost: check.Trivial,
		Reasons: []sluice.Reason{reason.TLSHelloBad, reason.TLSHelloGood},
	}, func(in *check.Input) []sluice.Evidence {
		c := in.Conn
		if learned == nil || c == nil || c.Stored || local(c) || c.TLS == nil || c.TLS.Fingerprint == "" {
			return nil
		}
		db, detail := learned.TLSHello(c.TLS.Fingerprint, in.Now)
		return weigh(db, reason.TLSHelloBad, reason.TLSHelloGood, func() string {
			words := c.TLS.Fingerprint
			if known := dialect.TLSClients(words); len(known) > 0 {
				words += ": as " + strings.Join(known, ", ")
			}
			return words + "; " + detail
		})
	})
}

// weigh makes evidence of decibels.
func weigh(db float64, bad, good sluice.Reason, detail func() string) []sluice.Evidence {
	db = min(max(db, -mostLearned), mostLearned)
	var e sluice.Evidence
	switch {
	case db >= leastLearned:
		e = check.Found(bad, detail())
	case db <= -leastLearned:
		e = check.Found(good, detail())
	default: // and no number at all
		return nil
	}
	e.Raw = db
	return []sluice.Evidence{e}
}
