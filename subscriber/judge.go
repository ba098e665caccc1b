package subscriber

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/subscriber/baseline"
	"sluice/subscriber/cases"
	"sluice/subscriber/signal"
)

// Decision is what is to be done with the mail of a subject at this moment.
type Decision struct {
	// Restrict is none, or what to do: hold in quarantine, refuse with the link of the
	// page, ask for a new authentication, or, for clamp, defer this message (Standing
	// never clamps: only Judge counts messages).
	Restrict sluice.Restriction
	Case     string // ID of the live case, "" for none
	Watched  bool   // after a release
	Points   float64
}

// Message is what of one outgoing message counts here, at its final dot.
type Message struct {
	ID         string // in the log
	Recipients []string
	Unknown    int    // recipients that were refused as unknown in the same transaction
	Traps      int    // recipients that are spamtraps
	Program    string // the client's dialect, as learn/dialect.ID; "" for none
	Client     netip.Addr

	Verdict sluice.Verdict
	// Print names the message among its like: a campaign's print, or a hash of subject and
	// body; "" for none. Signals of one print count as of one source.
	Print string
	// Campaign says that Print is a near-duplicate of mail that came in from strangers and
	// was unwanted.
	Campaign bool
	// Colleagues is the share of recipients in the sender's own domain.
	Colleagues float64
}

// Points of a verdict from which on mail is odd, and bad: P 0.7 and 0.95, as policy
// tags and quarantines.
const (
	oddFrom = 3.7
	badFrom = 12.8
	sureAt  = 30.0 // P 0.999
)

// strength maps a verdict's points to a share of the kind's: 0.7 where it would be
// quarantined, 1 where it would be rejected.
func strength(points float64) float64 {
	return min(max(0.7+0.3*(points-badFrom)/(sureAt-badFrom), 0.7), 1)
}

// signals of a message by itself.
func (m *Message) signals() (out []signal.Signal) {
	v := &m.Verdict
	bad := v.Points >= badFrom && v.HardKind != sluice.HardPass
	add := func(k signal.Kind, s float64, detail string) {
		out = append(out, signal.Signal{Kind: k, Strength: s, Source: m.Print, Detail: detail, ID: m.ID})
	}
	switch {
	case v.Threat == sluice.ThreatMalware && (v.HardKind == sluice.HardStop || bad):
		add(signal.MalwareMail, 1, string(v.Hard))
		bad = true
	case bad && (v.Threat == sluice.ThreatPhish || v.Threat == sluice.ThreatScam || v.Threat == sluice.ThreatCopycat):
		add(signal.PhishMail, strength(v.Points), fmt.Sprintf("%v, %.1f points", v.Threat, v.Points))
		if m.Colleagues >= 0.5 {
			add(signal.LateralPhish, strength(v.Points), "to colleagues")
		}
	case v.HardKind == sluice.HardStop && v.Threat != sluice.ThreatNone: // certain, whatever the sum
		bad = true
		add(signal.SpamMail, 1, string(v.Hard))
	case bad:
		add(signal.SpamMail, strength(v.Points), fmt.Sprintf("%v, %.1f points", v.Threat, v.Points))
	case v.Points >= oddFrom && v.HardKind != sluice.HardPass:
		add(signal.OddMail, 1, fmt.Sprintf("%v, %.1f points", v.Threat, v.Points))
	}
	if m.Campaign {
		s := 0.4 // what strangers sent as well may be a newsletter that is forwarded
		if bad {
			s = 0.35 // or spam that somebody asked to see: little more than that it is spam
		}
		add(signal.CampaignMail, s, "strangers sent it as well")
	}
	if m.Traps > 0 {
		out = append(out, signal.Signal{Kind: signal.TrapHit, Strength: 1, Source: m.Print, ID: m.ID, Detail: fmt.Sprintf("%d traps", m.Traps)})
	}
	return out
}

// Standing says how a subject stands, from memory.
func (w *Warden) Standing(now time.Time, s *Subject) Decision {
	st, ok := w.stands(s.Key)
	if !ok {
		return Decision{}
	}
	d := Decision{Case: st.id, Restrict: st.restrict, Watched: st.state == sluice.CaseWatched}
	if d.Restrict == sluice.RestrictClamp {
		d.Restrict = sluice.RestrictNone
	}
	return d
}

func (w *Warden) stands(subject string) (standing, bool) {
	w.standingMu.RLock()
	st, ok := w.standing[subject]
	w.standingMu.RUnlock()
	return st, ok
}

// limits are those for the subject's class: who is expected to send much may.
func (w *Warden) limits(s *Subject) *baseline.Limits {
	l := w.cfg.Limits
	if s.Class == Bulk || s.Class == Server {
		more := *l
		more.Floor, more.FreshFloor, more.Bounces = 50*l.Floor, 50*l.FreshFloor, 10*l.Bounces
		return &more
	}
	return l
}

// learns says whether what the subject does now may become custom. Suspicion of a
// decibel or more of own signals stops that.
func (w *Warden) learns(k key, now time.Time, st standing, live bool) bool {
	if live && st.state != sluice.CaseWatched {
		return false
	}
	d, ok := w.doubts.Get(k)
	return !ok || d.Ledger.Sum(w.cfg.Weights, now).Own < 10
}

// Judge counts a message and says what is to be done with it.
func (w *Warden) Judge(ctx context.Context, now time.Time, s *Subject, m *Message) Decision {
	w.counts.judged.Add(1)
	k := w.hash("subject", s.Key)
	st, live := w.stands(s.Key)
	learn := w.learns(k, now, st, live)
	limits := w.limits(s)
	var found []baseline.Finding
	var usual float64
	var hour int
	w.habits.Update(k, now, func(h *baseline.State) bool {
		found = h.Sent(limits, baseline.Message{Time: now, Recipients: m.Recipients, Program: m.Program, Client: m.Client}, learn)
		if m.Unknown > 0 {
			found = append(found, h.Refused(limits, now, m.Unknown, learn)...)
		}
		usual, hour = h.Usual(), h.ThisHour(now)
		return true
	})
	content := m.signals()
	if n := w.spread(now, k, m, st); n > 0 {
		content = append(content, signal.Signal{Kind: signal.CampaignMail, Strength: 1, Source: m.Print, ID: m.ID, Detail: fmt.Sprintf("%d others whose mail is held sent it as well", n)})
	}
	w.customary(now, k, content, learn)
	signals := w.describe(found, m.ID, content)
	if g, ok := w.crowd(now, s, k, m.Client); ok {
		signals = append(signals, g)
	}
	d := w.weigh(ctx, now, s, k, signals, true)
	if d.Restrict == sluice.RestrictClamp || d.Watched && d.Restrict == sluice.RestrictNone {
		limit := w.cfg.ClampTo
		if d.Watched {
			limit = max(limit, int(2*usual))
		}
		d.Restrict = sluice.RestrictNone
		if hour > limit {
			d.Restrict = sluice.RestrictClamp
		}
	}
	if d.Restrict != sluice.RestrictNone {
		w.counts.kept.Add(1)
		if st, ok := w.stands(s.Key); ok {
			st.kept.Add(1)
		}
	}
	return d
}

// spread remembers what held subscribers send, and says how many others than this one
// sent the same message. A bot's text that the judge takes for innocent is known by those
// whose device gave itself away otherwise.
func (w *Warden) spread(now time.Time, k key, m *Message, st standing) (others int) {
	if m.Print == "" {
		return 0
	}
	p := w.hash("print", m.Print)
	mine := uint64(1) << (k % 64)
	have, known := w.prints.Get(p)
	if known && now.Unix()/86400-int64(have.day) <= spreadFor {
		others = bits.OnesCount64(have.bits &^ mine)
	}
	// A bot that writes ever new texts must not push out those of others.
	if st.restrict == sluice.RestrictNone || !known && st.texts.Add(1) > textsOfCase {
		return others
	}
	w.prints.Update(p, now, func(s *spread) {
		s.day, s.bits = int32(now.Unix()/86400), s.bits|mine
	})
	return others
}

// textsOfCase is how many texts of one case are remembered.
const textsOfCase = 50

// crowdFor is for how many days a network is remembered.
const crowdFor = 30

// spreadFor is for how many days a text of held subscribers is known, since the last of
// them.
const spreadFor = 7

// spread counts the held subscribers that sent one text.
type spread struct {
	day  int32
	bits uint64
}

// customary weakens what a subscriber's mail always looks like.
func (w *Warden) customary(now time.Time, k key, content []signal.Signal, learn bool) {
	for i := range content {
		g := &content[i]
		if g.Kind != signal.OddMail && g.Kind != signal.SpamMail && g.Kind != signal.PhishMail {
			continue
		}
		w.habits.Update(k, now, func(h *baseline.State) bool {
			g.Strength *= h.Odd(now, learn)
			return true
		})
		return // one message, one of these
	}
}

// describe turns findings into signals.
func (w *Warden) describe(found []baseline.Finding, id string, out []signal.Signal) []signal.Signal {
	for _, f := range found {
		g := signal.Signal{Kind: f.Kind, Strength: f.Strength, Source: f.Source, ID: id}
		if f.N > 0 {
			g.Detail = fmt.Sprintf("%.0f, usually %.0f", f.N, f.Usual)
		}
		out = append(out, g)
	}
	return out
}

// Login counts a login that succeeded.
func (w *Warden) Login(ctx context.Context, now time.Time, s *Subject, g baseline.Login) Decision {
	k := w.hash("subject", s.Key)
	st, live := w.stands(s.Key)
	learn := w.learns(k, now, st, live)
	g.Time = now
	var found []baseline.Finding
	w.habits.Update(k, now, func(h *baseline.State) bool {
		found = h.Login(w.limits(s), g, learn)
		return true
	})
	signals := w.describe(found, "", nil)
	if c, ok := w.crowd(now, s, k, g.Client); ok {
		signals = append(signals, c)
	}
	return w.weigh(ctx, now, s, k, signals, false)
}

// crowd counts the accounts of a network, for subjects that are accounts.
func (w *Warden) crowd(now time.Time, s *Subject, k key, a netip.Addr) (g signal.Signal, many bool) {
	if s.Account == "" || !a.IsValid() {
		return g, false
	}
	a = a.Unmap()
	n := 32
	if a.Is6() {
		n = 64
	}
	p, err := a.Prefix(n)
	if err != nil {
		return g, false
	}
	day := int32(now.Unix() / 86400)
	w.crowds.Update(p, now, func(c *crowd) {
		if c.day != day {
			c.usual = max(c.usual*0.95, min(float32(bits.OnesCount64(c.bits)), max(2*c.usual, 8)))
			c.day, c.bits, c.stage = day, 0, 0
		}
		c.bits |= 1 << (k % 64)
		n := bits.OnesCount64(c.bits)
		if n >= 8 && float64(n) >= 2*float64(c.usual) {
			many = true
			g = signal.Signal{Kind: signal.ManyAccounts, Strength: min(float64(n)/16, 1), Source: p.String(), Detail: fmt.Sprintf("%d accounts from %v today", n, p)}
		}
	})
	return g, many
}

// Refused counts recipients that the next hop doesn't know, and Bounced bounces to mail
// that the subject sent.
func (w *Warden) Refused(ctx context.Context, now time.Time, s *Subject, n int) Decision {
	return w.later(ctx, now, s, func(h *baseline.State, l *baseline.Limits, learn bool) []baseline.Finding {
		return h.Refused(l, now, n, learn)
	})
}

// Bounced counts bounces of mail that we know the subject sent (by the trace header):
// those of forged mail say nothing of it.
func (w *Warden) Bounced(ctx context.Context, now time.Time, s *Subject, n int) Decision {
	return w.later(ctx, now, s, func(h *baseline.State, l *baseline.Limits, learn bool) []baseline.Finding {
		return h.Bounced(l, now, n, learn)
	})
}

func (w *Warden) later(ctx context.Context, now time.Time, s *Subject, f func(*baseline.State, *baseline.Limits, bool) []baseline.Finding) Decision {
	k := w.hash("subject", s.Key)
	var found []baseline.Finding
	w.habits.Update(k, now, func(h *baseline.State) bool {
		found = f(h, w.limits(s), false)
		return true
	})
	return w.weigh(ctx, now, s, k, w.describe(found, "", nil), false)
}

// Signal counts what was seen elsewhere: an address on a DNS list, failed logins, a
// spamtrap.
func (w *Warden) Signal(ctx context.Context, now time.Time, s *Subject, g signal.Signal) Decision {
	return w.weigh(ctx, now, s, w.hash("subject", s.Key), []signal.Signal{g}, false)
}

// weigh adds signals and draws the conclusions. sent says that this is about a message
// that is at the door.
func (w *Warden) weigh(ctx context.Context, now time.Time, s *Subject, k key, signals []signal.Signal, sent bool) Decision {
	st, live := w.stands(s.Key)
	d := Decision{Case: st.id, Restrict: st.restrict, Watched: st.state == sluice.CaseWatched}
	if len(signals) == 0 {
		if sent && !live {
			w.left(k, now)
		}
		return d
	}
	var sum signal.Sum
	var let int
	var since time.Time
	var pardon bool
	worth := make([]float64, len(signals))
	w.doubts.Update(k, now, func(x *suspicion) bool {
		if x.Since == 0 || x.Ledger.Empty(w.cfg.Weights, now) {
			x.Since, x.Let = uint32(now.Unix()), 0
		}
		for i, g := range signals {
			worth[i] = x.Ledger.Add(w.cfg.Weights, now, g)
		}
		sum = x.Ledger.Sum(w.cfg.Weights, now)
		let, since, pardon = int(x.Let), time.Unix(int64(x.Since), 0).UTC(), int64(x.Pardon) > now.Unix()
		return true
	})
	d.Points = sum.Total
	open, hold := w.cfg.OpenAt, w.cfg.HoldAt
	if d.Watched {
		open, hold = open-w.cfg.WatchAt, hold-w.cfg.WatchAt
	}
	if pardon {
		open, hold = open+10, hold+10
	}
	own := sum.Own >= w.cfg.OwnLeast
	if live || own && sum.Total >= open {
		p := proceeding{subject: s, now: now, sum: sum, signals: signals, worth: worth, let: let, since: since,
			own: own, hold: own && sum.Total >= hold && w.cfg.Weights.Prior+sum.Own >= open, kind: kindOf(s, &sum)}
		d = w.proceed(ctx, p)
	}
	if sent && d.Restrict == sluice.RestrictNone {
		w.left(k, now)
	}
	return d
}

// left counts a message that goes out while something speaks against its sender.
func (w *Warden) left(k key, now time.Time) {
	if _, ok := w.doubts.Get(k); !ok {
		return
	}
	w.doubts.Update(k, now, func(x *suspicion) bool {
		if x.Let < math.MaxUint32 {
			x.Let++
		}
		return false
	})
}

// kindOf tells a stolen account from an infected device: by where logins came from.
func kindOf(s *Subject, sum *signal.Sum) sluice.CaseKind {
	if s.Account != "" && sum.Kinds[signal.NewCountry]+sum.Kinds[signal.Travel]+sum.Kinds[signal.ManyAddresses] >= 6 {
		return sluice.CaseStolen
	}
	return sluice.CaseInfected
}

// proceeding is what the hot path hands to the case.
type proceeding struct {
	subject   *Subject
	now       time.Time
	sum       signal.Sum
	signals   []signal.Signal
	worth     []float64
	let       int
	since     time.Time
	own, hold bool
	kind      sluice.CaseKind
}

// restriction is what the class asks for.
func (w *Warden) restriction(s *Subject) sluice.Restriction {
	if s.Class == Exempt {
		return sluice.RestrictNone
	}
	if r, ok := w.cfg.Restrict[s.Class]; ok {
		return r
	}
	return sluice.RestrictHold
}

// events are what the signals mean for a case that is there.
func (p *proceeding) seen() (out []cases.Event) {
	for i, g := range p.signals {
		out = append(out, cases.Event{What: cases.Seen, Time: p.now, Points: p.sum.Total, Own: p.own, Kind: p.kind,
			Signal: sluice.CaseSignal{Kind: g.Kind.String(), Count: 1, Points: math.Round(10*p.worth[i]) / 10, First: p.now, Detail: g.Detail, ID: g.ID}})
	}
	return out
}

func newStanding(c *sluice.Case) standing {
	return standing{id: c.ID, state: c.State, restrict: c.Restrict, kept: new(atomic.Int64), texts: new(atomic.Int64)}
}
