package gate

import (
	"net/netip"
	"time"

	"sluice"
	"sluice/check"
	checkrep "sluice/check/reputation"
	"sluice/explain"
	"sluice/guard"
	"sluice/guard/greylist"
	"sluice/internal/table"
	"sluice/learn/network"
	"sluice/learn/reputation"
	"sluice/live"
	"sluice/mailauth/spf"
	"sluice/message/links"
	"sluice/reason"
)

// Port is what the gate remembers of those outside. Every part may be nil: then
// nobody is limited, known or asked to come again.
type Port struct {
	Guard      *guard.Guard
	Greylist   *greylist.List
	Reputation *reputation.Table
	// Live shows what goes on; nil: nobody looks.
	Live *live.Board
	// Networks knows who operates an address; nil: nobody does.
	Networks func() *network.DB
	// Spared clients are never limited, banned, paused or asked to come again:
	// trusted networks, proxies, what the admin lists. It must be quick.
	Spared func(netip.Addr) bool
}

// greeted are clients that were listened to and kept silent, as they must: they
// aren't made to wait again for a while.
type greeted = table.Table[netip.Addr, time.Time]

// greetedFor is how long that holds.
const greetedFor = 24 * time.Hour

func newGreeted() *greeted {
	return table.New[netip.Addr](table.Config[time.Time]{Capacity: 50_000, Worth: func(at *time.Time, now time.Time) float64 {
		return float64(greetedFor-now.Sub(*at)) / float64(greetedFor) // waiting has to be paid for in time
	}})
}

// known says whether a client has sent wanted mail and hardly any other.
func (g *Gate) known(now time.Time, a netip.Addr) bool {
	return g.cfg.Port.Reputation != nil && g.cfg.Port.Reputation.Known(now, a)
}

// spared says whether a client is none of the port's business.
func (g *Gate) spared(a netip.Addr) bool { return g.cfg.Port.Spared != nil && g.cfg.Port.Spared(a) }

// Admit implements [sluice.Gate].
func (g *Gate) Admit(a sluice.Arrival) sluice.Admission {
	p := &g.cfg.Port
	if p.Guard == nil {
		return sluice.Admission{Known: true}
	}
	d := p.Guard.Admit(a.Now, a.Client.Addr())
	if d.Allow {
		return sluice.Admission{Known: a.Open > a.Limit/2 && g.known(a.Now, a.Client.Addr())}
	}
	set := g.Settings()
	why := d.Reason
	g.cfg.Metrics.refused(why, sluice.PhaseConnect)
	s := &session{gate: g, set: set, conn: &sluice.Conn{Client: a.Client, Local: a.Local, Start: a.Now, Door: a.Door}}
	id := g.newID()
	v := sluice.Verdict{Threat: sluice.ThreatBot}
	e, _ := reason.Lookup(string(why))
	r := explain.Reason(why, s.options(id, sluice.PhaseConnect, &v, e.Code))
	p.Live.Turned(a.Now, a.Client.Addr(), why, r.Code)
	if p.Guard.Sample(a.Now) {
		s.conn.ID = id
		ev := sluice.Evidence{Reason: why, Phase: sluice.PhaseConnect, Group: sluice.GroupSession, Threat: sluice.ThreatBot, Detail: d.Detail}
		s.ledger = []sluice.Evidence{ev}
		s.recordRefusal(id, sluice.PhaseConnect, s.verdict(), r)
	}
	return sluice.Admission{Refuse: r}
}

// pause is how long a client is listened to before it is greeted: bots talk first.
func (s *session) pause() time.Duration {
	if s.set.GreetPause == 0 || s.conn.Door != sluice.DoorSMTP || s.conn.Trusted || s.conn.AlreadyAccepted || s.gate.cfg.Port.Guard == nil {
		return 0
	}
	now, a := s.gate.cfg.Clock(), s.conn.Client.Addr()
	if s.gate.spared(a) || s.gate.known(now, a) {
		return 0
	}
	if at, ok := s.gate.greeted.Get(a); ok && now.Sub(at) < greetedFor {
		return 0
	}
	s.paused = true
	return s.set.GreetPause
}

// passedGreeting remembers a client that waited for its greeting.
func (s *session) passedGreeting() {
	if !s.paused {
		return
	}
	s.paused = false
	now := s.gate.cfg.Clock()
	s.gate.greeted.Update(s.conn.Client.Addr(), now, func(at *time.Time) { *at = now })
}

// offences are what a session ends for without an attack on the protocol, and what
// that counts for beside the guard's own [guard.Weight]: a client that comes again
// and again is then refused before it costs anything.
var offences = map[sluice.Reason]float64{
	reason.DNSBLBlocked: 3.4,
	reason.AdminBlock:   3.4,
	reason.RelayDenied:  1,
	reason.Unwanted:     2.5, // a message refused for its content
}

// hostile is the weight of an offence from which on a session without a wanted
// message counts as an unwanted outcome for whoever had it.
const hostile = 2

// offend counts what only those do that mean no good.
func (s *session) offend(why sluice.Reason) {
	weight := guard.Weight(why)
	if weight == 0 {
		weight = offences[why]
	}
	s.hostile = s.hostile || weight >= hostile
	g := s.gate.cfg.Port.Guard
	if g == nil || s.conn.Trusted || s.conn.AlreadyAccepted || s.conn.Stored {
		return
	}
	g.Offend(s.gate.cfg.Clock(), s.conn.Client.Addr(), why, weight)
}

// counted tells the guard of a recipient and returns what it makes of the client.
func (s *session) counted(addr string, known bool) guard.Harvest {
	g := s.gate.cfg.Port.Guard
	if g == nil || s.conn.Trusted || s.conn.Auth != "" || s.conn.AlreadyAccepted {
		return guard.Harvest{}
	}
	return g.Recipient(s.gate.cfg.Clock(), guard.Probe{Client: s.conn.Client.Addr(), Recipient: addr, Known: known})
}

// overRate answers MAIL where the sender has sent too much.
func (s *session) overRate(from string) (sluice.Reply, bool) {
	g := s.gate.cfg.Port.Guard
	if g == nil || s.conn.AlreadyAccepted || s.conn.Trusted {
		return sluice.Reply{}, false
	}
	d := g.Message(s.gate.cfg.Clock(), s.sending(from, 0))
	if d.Allow {
		return sluice.Reply{}, false
	}
	e, _ := reason.Lookup(string(d.Reason))
	r := explain.Reason(d.Reason, s.options(s.tx.env.ID, sluice.PhaseMail, &sluice.Verdict{}, e.Code))
	s.refused(d.Reason, sluice.PhaseMail, r)
	s.tx.void, s.tx.voidPhase, s.tx.voidReply = true, sluice.PhaseMail, r
	return r, true
}

func (s *session) sending(from string, rcpts int) guard.Sending {
	m := guard.Sending{Client: s.conn.Client.Addr(), Domain: links.OrgDomain(sluice.DomainOf(from)), User: s.conn.Auth, Recipients: rcpts}
	r := s.tx.auth.Known().SPF
	m.Authenticated = r != nil && r.Result == spf.Pass
	return m
}

// grey says whether a client is asked to come again, since nothing is known of it
// and something speaks against it.
func (s *session) grey(rcpt string) bool {
	g := s.gate.cfg.Port.Greylist
	now, a := s.gate.cfg.Clock(), s.conn.Client.Addr()
	if g == nil || s.conn.Door != sluice.DoorSMTP || s.gate.spared(a) || s.gate.known(now, a) {
		return false
	}
	if s.answers == nil {
		s.answers = g.Session()
	}
	key := greylist.Key{Client: a, Domain: s.vouched(), Hello: s.conn.Hello.Name, Sender: s.tx.env.From, Recipient: rcpt}
	v := s.answers.Check(now, key)
	e := check.Unknown(reason.Greylisted, v.Detail) // not evidence: it says why the client waits
	e.Phase = sluice.PhaseRcpt
	if v.State != greylist.Pass {
		s.tx.ledger = append(s.tx.ledger, e)
		s.gate.awaits(now, s)
		return true
	}
	s.gate.returned(a)
	if v.Retried && !s.tx.returned {
		s.tx.returned = true
		e := check.Found(reason.GreylistPassed, v.Detail)
		e.Phase = sluice.PhaseRcpt
		s.tx.ledger = append(s.tx.ledger, e)
	}
	return false
}

// vouched is the organizational domain that stands for the client before there is a
// message: that of a sender whose policy names it, or of a greeting that the DNS
// confirms; "" for none.
func (s *session) vouched() string {
	known := s.tx.auth.Known()
	switch {
	case !check.Public(s.conn.Client.Addr()):
		return ""
	case known.SPF != nil && known.SPF.Result == spf.Pass && s.tx.env.From != "":
		return links.OrgDomain(sluice.DomainOf(s.tx.env.From))
	case checkrep.Confirmed(s.conn.Hello.Name, known):
		return links.OrgDomain(s.conn.Hello.Name)
	}
	return ""
}

// refused counts a refusal for those who watch.
func (s *session) refused(why sluice.Reason, at sluice.Phase, r sluice.Reply) {
	s.gate.cfg.Metrics.refused(why, at)
	s.visit.Refused(s.gate.cfg.Clock(), why, at, r.Code)
}
