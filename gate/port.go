package gate

import (
	"fmt"
	"net/netip"
	"time"

	"sluice"
	"sluice/check"
	checkcampaign "sluice/check/campaign"
	checkrep "sluice/check/reputation"
	"sluice/guard"
	"sluice/guard/greylist"
	"sluice/internal/table"
	"sluice/learn/correspondent"
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
	// Correspondents knows who writes to whom; nil: nobody.
	Correspondents *correspondent.Table
	// Campaigns remembers what many messages have in common; without a memory: nothing.
	Campaigns checkcampaign.Config
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
	client := a.Client.Addr()
	spared := g.spared(client)
	crowded := a.Open >= a.Limit-a.Limit/4
	known := spared || crowded && g.known(a.Now, client)
	d := guard.Decision{Allow: true}
	if p := g.cfg.Port.Guard; p != nil {
		d = p.Admit(a.Now, client)
	}
	switch {
	case d.Offence == reason.DNSBLBlocked:
		d.Reason = d.Offence // the lists help it more than we do
	case !d.Allow:
	case a.MineLimit > 0 && a.Mine >= a.MineLimit && !spared:
		d = guard.Decision{Reason: reason.ConnectionLimit, Detail: fmt.Sprintf("%d connections at once", a.Mine)}
	case crowded && !known:
		d = guard.Decision{Reason: reason.Overload, Detail: fmt.Sprintf("%d of %d connections are in use", a.Open, a.Limit)}
	default:
		return sluice.Admission{Known: known}
	}
	return sluice.Admission{Refuse: g.turnAway(a, d)}
}

// turnAway words the refusal of a connection that gets no session. Under attack only
// a sample of them gets a row of the log; all are counted.
func (g *Gate) turnAway(a sluice.Arrival, d guard.Decision) sluice.Reply {
	g.cfg.Metrics.refused(d.Reason, sluice.PhaseConnect)
	s := &session{gate: g, set: g.Settings(), conn: &sluice.Conn{Client: a.Client, Local: a.Local, Start: a.Now, Door: a.Door}}
	id := g.newID()
	v := sluice.Verdict{Threat: sluice.ThreatNone, Ledger: []sluice.Contribution{{Evidence: sluice.Evidence{
		Reason: d.Reason, Phase: sluice.PhaseConnect, State: sluice.Unknown, Detail: d.Detail}}}}
	r := s.say(d.Reason, id, sluice.PhaseConnect, &v)
	g.cfg.Port.Live.Turned(a.Now, a.Client.Addr(), d.Reason, r.Code)
	if p := g.cfg.Port.Guard; p == nil || p.Sample(a.Now) {
		s.conn.ID = id
		s.recordRefusal(id, sluice.PhaseConnect, v, r)
	}
	return r
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
	r := s.say(d.Reason, s.tx.env.ID, sluice.PhaseMail, &sluice.Verdict{})
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
