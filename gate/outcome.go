package gate

import (
	"net/netip"
	"time"

	"sluice"
	"sluice/check/correspondent"
	checkrep "sluice/check/reputation"
	"sluice/internal/table"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/dialect"
	"sluice/learn/network"
	"sluice/learn/reputation"
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
func (s *session) learnFrom(j *judged, reply sluice.Reply) {
	p := &s.gate.cfg.Port
	if s.conn.Auth != "" && j.msg != nil && reply.Positive() && j.action <= sluice.Strip && p.Correspondents != nil {
		if out, ok := correspondent.Outgoing(s.conn, j.env, j.msg); ok {
			p.Correspondents.Sent(s.gate.cfg.Clock(), out)
		}
	}
	s.seen(j)
	if p.Reputation == nil || j.msg == nil || s.conn.Trusted || s.conn.AlreadyAccepted || s.conn.Auth != "" {
		return
	}
	good, bad := j.good, j.bad
	now := s.gate.cfg.Clock()
	s.wanted = s.wanted || good > 0
	if good > 0 && reply.Positive() && p.Correspondents != nil {
		if in, ok := correspondent.Incoming(s.conn, j.env, j.msg, s.tx.auth.Known()); ok {
			p.Correspondents.Received(now, in)
		}
	}
	if good > 0 && p.Guard != nil {
		p.Guard.Good(now, s.conn.Client.Addr())
	}
	if bad >= 0.5 && s.tx.traps == nil { // traps have counted already
		s.offend(reason.Unwanted)
	}
	p.Reputation.Observe(now, reputation.Outcome{Good: good, Bad: bad}, s.keys()...)
}

// seen counts the message in the memory of campaigns, whatever became of it.
func (s *session) seen(j *judged) {
	c := &s.gate.cfg.Port.Campaigns
	if c.Memory == nil || j.msg == nil {
		return
	}
	if p := c.Print(j.notes, j.msg); !p.Empty() {
		c.Memory.Observe(p, c.Sighting(s.conn, j.env, s.who().Known(), s.gate.cfg.Clock()))
	}
}

// keys are what an outcome of this session is remembered under: what the checks ask
// for, by what is known so far.
func (s *session) keys() []reputation.Key {
	var networks *network.DB
	if f := s.gate.cfg.Port.Networks; f != nil {
		networks = f()
	}
	auth := s.auth
	if s.tx != nil {
		auth = s.tx.auth
	}
	known, d := auth.Known(), s.conn.Dialect
	names := dialect.IDs(d)
	if checkrep.Confirmed(s.conn.Hello.Name, known) {
		for _, c := range dialect.Claims(s.conn.Hello.Name, "", "") {
			if c.Provider && dialect.Reached(d, dialect.StageData) {
				spoken, this := dialect.ProviderKeys(c.Name, d, dialect.StageData)
				names = append(names, spoken, this)
			}
		}
	}
	return checkrep.Keys(s.conn, known, networks, names...)
}

// judgeVisit remembers a session in which nothing was sent and something was tried.
func (s *session) judgeVisit() {
	if rep := s.gate.cfg.Port.Reputation; rep != nil && s.hostile && !s.wanted && !s.conn.AlreadyAccepted {
		rep.Observe(s.gate.cfg.Clock(), reputation.Outcome{Bad: 1}, s.keys()...)
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
	return table.New[netip.Addr](table.Config[pending]{Capacity: 20_000, Worth: func(*pending, time.Time) float64 { return 0.1 }})
}

// awaits notes a client that was asked to come again.
func (g *Gate) awaits(now time.Time, s *session) {
	if g.cfg.Port.Reputation == nil {
		return
	}
	keys := s.keys()
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
