package gate

import (
	"net/netip"
	"time"

	"sluice"
	"sluice/check"
	"sluice/internal/table"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/dialect"
	"sluice/learn/reputation"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/spf"
	"sluice/reason"
)

// learned are reasons outside the reputation group that rest on earlier outcomes.
var learned = map[sluice.Reason]bool{
	reason.DialectBad: true, reason.DialectGood: true, reason.TLSHelloBad: true, reason.TLSHelloGood: true,
}

// outcome is what a judged message tells of those who sent it: 1 where it was
// clearly wanted or unwanted, 0 where it can't be told. What rests on earlier outcomes
// is left out of the sum, lest a reputation confirm itself. DNS lists are others'
// outcomes and count.
func outcome(evidence []sluice.Evidence, w verdict.Weights, p policy.Policy, trapped bool) (good, bad float64) {
	if trapped {
		return 0, 2 // nobody writes to a trap in earnest; typing errors happen
	}
	fresh := make([]sluice.Evidence, 0, len(evidence))
	for _, e := range evidence {
		own := e.Group == sluice.GroupReputation
		switch e.Reason {
		case reason.DNSBLListed, reason.DNSBLBlocked, reason.DnswlListed, reason.Spamtrap:
			own = false
		}
		if !own && !learned[e.Reason] {
			fresh = append(fresh, e)
		}
	}
	v := verdict.Weigh(fresh, w)
	switch {
	case v.HardKind == sluice.HardStop && v.Hard != reason.AdminBlock:
		return 0, 1
	case v.HardKind == sluice.HardStop, v.HardKind == sluice.HardPass:
		return 0, 0 // an admin's word says nothing about others
	case v.Probability >= p.QuarantineAt:
		return 0, 1
	case v.Probability >= p.TagAt:
		return 0, 0.5
	case v.Probability <= 0.2:
		return 1, 0
	}
	return 0, 0
}

// learnFrom remembers what a judged message tells of those who sent it.
func (s *session) learnFrom(j *judged) {
	p := &s.gate.cfg.Port
	if p.Reputation == nil || j.msg == nil || s.conn.Trusted || s.conn.AlreadyAccepted || s.conn.Auth != "" {
		return
	}
	good, bad := outcome(s.evidence(), s.set.Weights, s.set.Policy, s.tx.traps != nil)
	if j.action != sluice.Accept {
		good = 0
	}
	now := s.gate.cfg.Clock()
	s.wanted = s.wanted || good > 0
	if good > 0 && p.Guard != nil {
		p.Guard.Good(now, s.conn.Client.Addr())
	}
	if bad >= 1 && j.action == sluice.Reject {
		s.offend(reason.Unwanted)
	}
	p.Reputation.Observe(now, reputation.Outcome{Good: good, Bad: bad}, s.keys(s.authenticated(j))...)
}

// authenticated is the domain that stands for a message; "" for none.
func (s *session) authenticated(j *judged) string {
	k := s.tx.auth.Known()
	switch {
	case k.DMARC != nil && k.DMARC.Value == dmarc.Pass:
		return k.DMARC.Domain
	case k.SPF != nil && k.SPF.Result == spf.Pass && check.Public(s.conn.Client.Addr()):
		return sluice.DomainOf(j.env.From)
	}
	return ""
}

// keys are what an outcome of this session is remembered under.
func (s *session) keys(domain string) []reputation.Key {
	f := reputation.Facts{Domain: domain, HeloConfirmed: s.confirmed()}
	if asn := s.gate.cfg.Port.ASN; asn != nil {
		f.ASN = asn(s.conn.Client.Addr())
	}
	keys := reputation.Keys(s.conn, f)
	if len(keys) == 0 || s.conn.Via.IsValid() && s.conn.Dialect == (sluice.Dialect{}) {
		return keys
	}
	for _, stage := range [...]dialect.Stage{dialect.StageMail, dialect.StageRcpt, dialect.StageData} {
		if dialect.Reached(s.conn.Dialect, stage) {
			keys = append(keys, reputation.DialectKey(dialect.ID(s.conn.Dialect, stage)))
		}
	}
	return keys
}

// judgeVisit remembers a session in which nothing was sent and something was tried.
func (s *session) judgeVisit() {
	if rep := s.gate.cfg.Port.Reputation; rep != nil && s.hostile && !s.wanted && !s.conn.AlreadyAccepted {
		rep.Observe(s.gate.cfg.Clock(), reputation.Outcome{Bad: 1}, s.keys("")...)
	}
}

// A client that is asked to come again and never does was no mail server: that is an
// unwanted outcome for the way it speaks, which other clients may share.

// pending is such a client.
type pending struct {
	at   time.Time
	keys []reputation.Key
}

// lateAfter is how long a client may take to come again: real servers try several
// times in this time.
const lateAfter = 4 * time.Hour

type awaited = table.Table[netip.Addr, pending]

func newAwaited() *awaited {
	return table.New[netip.Addr](table.Config[pending]{Capacity: 20_000, Worth: func(*pending, time.Time) float64 { return 0 }})
}

// awaits notes a client that was asked to come again.
func (g *Gate) awaits(now time.Time, s *session) {
	if g.cfg.Port.Reputation == nil {
		return
	}
	keys := s.keys("")
	g.awaited.Update(s.conn.Client.Addr(), now, func(p *pending) {
		if p.at.IsZero() {
			*p = pending{now, keys}
		}
	})
}

// returned strikes it off.
func (g *Gate) returned(a netip.Addr) { g.awaited.Delete(a) }

// Tidy looks for clients that never came again. Call it every few minutes.
func (g *Gate) Tidy() {
	rep, now := g.cfg.Port.Reputation, g.cfg.Clock()
	if rep == nil {
		return
	}
	var late [][]reputation.Key
	g.awaited.DeleteFunc(func(_ netip.Addr, p *pending) bool {
		if now.Sub(p.at) < lateAfter {
			return false
		}
		late = append(late, p.keys)
		return true
	})
	for _, keys := range late {
		rep.Observe(now, reputation.Outcome{Bad: 0.5}, keys...)
	}
}
