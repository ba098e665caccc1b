package live

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sluice"
	"sluice/reason"
)

// Snapshot is what the board knows at a time: a plain value, the same in JSON.
type Snapshot struct {
	Time     time.Time `json:"time"`
	Start    time.Time `json:"start"`
	Sessions []AtPhase `json:"sessions"` // now, every phase in order
	Total    Sums      `json:"total"`    // since the start
	Rates    []Rate    `json:"rates"`    // over 1, 5 and 60 seconds
	Seconds  Series    `json:"seconds"`  // the last 120, without the one that runs
	Minutes  Series    `json:"minutes"`  // the last 1440, with the one that runs
	Refusals []Refusal `json:"refusals"` // by reason, most in the last minute first
	Threats  []Threat  `json:"threats"`  // of messages that weren't simply accepted
	Networks []Network `json:"networks"` // most active first
	Dialects []Dialect `json:"dialects"` // most active first
	Scanners []Scanner `json:"scanners"` // those that look into files
}

// AtPhase counts the sessions in a phase.
type AtPhase struct {
	Phase sluice.Phase `json:"phase"`
	N     int64        `json:"n"`
}

// Open is the number of sessions now.
func (s *Snapshot) Open() (n int64) {
	for _, p := range s.Sessions {
		n += p.N
	}
	return n
}

// Uptime is how long it has been counting, in the two largest units.
func (s *Snapshot) Uptime() string {
	if s.Start.IsZero() {
		return "0 s"
	}
	switch d := max(s.Time.Sub(s.Start), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%d d %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	}
}

// Cut keeps the last minutes of the series, as a query gives their number; "" keeps
// all.
func (s *Snapshot) Cut(minutes string) error {
	if minutes == "" {
		return nil
	}
	n, err := strconv.Atoi(minutes)
	if err != nil || n < 0 {
		return errors.New("minutes: want a number")
	}
	s.Minutes = s.Minutes.Last(n)
	return nil
}

// Sums are counts by kind.
type Sums struct {
	Connections uint64 `json:"connections"`
	Refused     uint64 `json:"refused"`  // sessions, before DATA
	Deferred    uint64 `json:"deferred"` // sessions and messages
	Accepted    uint64 `json:"accepted"`
	Tagged      uint64 `json:"tagged"`
	Quarantined uint64 `json:"quarantined"`
	Rejected    uint64 `json:"rejected"` // at the final dot
}

// Messages is the number of those judged: without deferred ones, which come again.
func (s Sums) Messages() uint64 { return s.Accepted + s.Tagged + s.Quarantined + s.Rejected }

// Rate is how much happened in a second, on average.
type Rate struct {
	Seconds     int     `json:"seconds"` // that it is the average of
	Connections float64 `json:"connections"`
	Refused     float64 `json:"refused"`
	Messages    float64 `json:"messages"` // taken, withheld or rejected
	Accepted    float64 `json:"accepted"` // and tagged
}

// Series are counts for each of the same spans of time, oldest first. All lists have
// the same length.
type Series struct {
	Step        int       `json:"step"` // seconds
	End         time.Time `json:"end"`  // of the last one
	Connections []uint32  `json:"connections"`
	Refused     []uint32  `json:"refused"`
	Deferred    []uint32  `json:"deferred"`
	Accepted    []uint32  `json:"accepted"`
	Tagged      []uint32  `json:"tagged"`
	Quarantined []uint32  `json:"quarantined"`
	Rejected    []uint32  `json:"rejected"`
}

// columns are the lists in the order of the kinds.
func (s *Series) columns() [kinds]*[]uint32 {
	return [kinds]*[]uint32{&s.Connections, &s.Refused, &s.Deferred, &s.Accepted, &s.Tagged, &s.Quarantined, &s.Rejected}
}

func newList(step int, end int64, buckets []bucket) Series {
	s := Series{Step: step, End: time.Unix(end, 0).UTC()}
	for k, to := range s.columns() {
		list := make([]uint32, len(buckets))
		for i := range buckets {
			list[i] = buckets[i][k]
		}
		*to = list
	}
	return s
}

// Last is the series cut to its last n spans.
func (s Series) Last(n int) Series {
	for _, to := range s.columns() {
		*to = (*to)[max(0, len(*to)-max(n, 0)):]
	}
	return s
}

// rate averages the last n seconds.
func (s *Series) rate(n int) Rate {
	l := s.Last(n)
	var sums [kinds]float64
	for k, list := range l.columns() {
		for _, v := range *list {
			sums[k] += float64(v)
		}
		sums[k] /= float64(n)
	}
	return Rate{Seconds: n, Connections: sums[Connections], Refused: sums[Refused], Accepted: sums[Accepted] + sums[Tagged],
		Messages: sums[Accepted] + sums[Tagged] + sums[Quarantined] + sums[Rejected]}
}

// Lately counts what happened in the last minute, hour and day. The sums move on in
// thirtieths of these spans.
type Lately struct {
	Minute uint32 `json:"minute"`
	Hour   uint32 `json:"hour"`
	Day    uint32 `json:"day"`
}

func (l *Lately) add(m Lately) {
	l.Minute, l.Hour, l.Day = l.Minute+m.Minute, l.Hour+m.Hour, l.Day+m.Day
}

func (l Lately) compare(m Lately) int {
	return cmp.Or(cmp.Compare(l.Minute, m.Minute), cmp.Compare(l.Hour, m.Hour), cmp.Compare(l.Day, m.Day))
}

// Refusal counts the replies with a reason.
type Refusal struct {
	Reason sluice.Reason `json:"reason"`
	Words  string        `json:"words"` // of the catalogue, "" for none
	Lately
	Phases []RefusalAt `json:"phases"` // where, in the order of the phases
}

// RefusalAt counts them at one phase.
type RefusalAt struct {
	Phase sluice.Phase `json:"phase"`
	Lately
}

// Threat counts messages by what they are.
type Threat struct {
	Threat sluice.Threat `json:"threat"`
	Lately
}

// Activity is what a network or a dialect did. Rates are moving averages over about a
// quarter of an hour.
type Activity struct {
	Sessions  float64   `json:"sessions_per_minute"`
	Refusals  float64   `json:"refusals_per_minute"` // replies
	Share     float64   `json:"refused_share"`       // of its sessions, lately
	Total     uint64    `json:"sessions"`            // since it is followed
	Refused   uint64    `json:"refused"`             // of them
	Following time.Time `json:"since"`               // it is followed from here on
}

// Network is an IPv4 /24 or an IPv6 /48.
type Network struct {
	Network netip.Prefix `json:"network"`
	Activity
	Why    sluice.Reason `json:"last_reason,omitempty"` // of the last refusal
	Banned bool          `json:"banned"`                // all of it
	Bans   int           `json:"bans"`                  // of clients in it
}

// Dialect is a way to speak SMTP.
type Dialect struct {
	ID    string `json:"id"`
	Words string `json:"words"`
	Activity
	Bad   float64 `json:"bad"`   // learned probability of unwanted
	Known bool    `json:"known"` // something was learned
}

// most is how many networks and dialects a snapshot shows.
const most = 50

// Snapshot looks at everything.
func (b *Board) Snapshot(now time.Time) Snapshot {
	s := Snapshot{Time: now.UTC(), Sessions: []AtPhase{}, Refusals: []Refusal{}, Threats: []Threat{}, Networks: []Network{}, Dialects: []Dialect{}, Scanners: []Scanner{}}
	if b == nil {
		return s
	}
	s.Start = b.start.UTC()
	for p := sluice.PhaseConnect; int(p) < phaseCount; p++ {
		s.Sessions = append(s.Sessions, AtPhase{p, max(b.phases[p].Load(), 0)})
	}
	b.lists(now.Unix(), &s)
	for _, n := range [...]int{1, 5, 60} {
		s.Rates = append(s.Rates, s.Seconds.rate(n))
	}
	b.reasons(now.Unix(), &s)
	b.topNetworks(now, &s)
	b.topDialects(now, &s)
	if f := b.cfg.Scanners; f != nil {
		s.Scanners = append(s.Scanners, f(now)...)
	}
	return s
}

func (b *Board) lists(now int64, s *Snapshot) {
	b.series.Lock()
	all := &b.series.all
	all.seconds.at(now)
	all.minutes.at(now / 60)
	total := all.total
	second, minute := all.seconds.last, all.minutes.last // later than now where the clock ran back a little
	seconds := all.seconds.list(second-1, secondsKept)
	minutes := all.minutes.list(minute, minutesKept)
	b.series.Unlock()
	s.Total = Sums{total[Connections], total[Refused], total[Deferred], total[Accepted], total[Tagged], total[Quarantined], total[Rejected]}
	s.Seconds = newList(1, second, seconds)
	s.Minutes = newList(60, (minute+1)*60, minutes)
}

func (b *Board) reasons(now int64, s *Snapshot) {
	at := make(map[sluice.Reason]int)
	b.refusals.Lock()
	for c, w := range b.refusals.all.causes {
		l := w.at(now)
		if l == (Lately{}) {
			delete(b.refusals.all.causes, c)
			continue
		}
		i, ok := at[c.why]
		if !ok {
			i = len(s.Refusals)
			at[c.why] = i
			s.Refusals = append(s.Refusals, Refusal{Reason: c.why})
		}
		s.Refusals[i].add(l)
		s.Refusals[i].Phases = append(s.Refusals[i].Phases, RefusalAt{c.phase, l})
	}
	for t := range b.refusals.all.threats {
		if l := b.refusals.all.threats[t].at(now); l != (Lately{}) {
			s.Threats = append(s.Threats, Threat{sluice.Threat(t), l})
		}
	}
	b.refusals.Unlock()
	for i := range s.Refusals {
		r := &s.Refusals[i]
		if e, ok := reason.Lookup(string(r.Reason)); ok {
			r.Words = e.Reply
		}
		slices.SortFunc(r.Phases, func(x, y RefusalAt) int { return cmp.Compare(x.Phase, y.Phase) })
	}
	slices.SortFunc(s.Refusals, func(x, y Refusal) int { return cmp.Or(y.Lately.compare(x.Lately), cmp.Compare(x.Reason, y.Reason)) })
	slices.SortFunc(s.Threats, func(x, y Threat) int { return cmp.Or(y.Lately.compare(x.Lately), cmp.Compare(x.Threat, y.Threat)) })
}

// activity turns faded counts into rates: a counter that fades with a half-life H has
// r·H/ln 2 of r events a minute in the end, and less while the board is young. A key
// that isn't followed is taken for one that did nothing.
func (x *slot[K]) activity(up time.Duration) Activity {
	age := max(up.Seconds(), 60) // before that there are no rates
	minutes := halfLife / 60 / math.Ln2 * (1 - math.Exp2(-age/halfLife))
	a := Activity{Sessions: hundredth(x.sessions / minutes), Refusals: hundredth(x.refusals / minutes), Total: x.total.sessions,
		Refused: min(x.total.refused, x.total.sessions), Following: time.Unix(x.since, 0).UTC()}
	if x.sessions > 0 {
		a.Share = math.Round(1000*min(x.refused/x.sessions, 1)) / 1000
	}
	return a
}

func hundredth(f float64) float64 { return math.Round(100*f) / 100 }

// leaders are the slots that saw most themselves. What a slot inherited doesn't count:
// it says only how active a key may have been.
func leaders[K cmp.Ordered](all []slot[K]) []slot[K] {
	slices.SortFunc(all, func(x, y slot[K]) int {
		return cmp.Or(cmp.Compare(y.sessions+y.refused+y.refusals, x.sessions+x.refused+x.refusals), cmp.Compare(x.key, y.key))
	})
	return all[:min(len(all), most)]
}

// faint is the activity below which a key isn't shown any more.
const faint = 0.05

func (b *Board) topNetworks(now time.Time, s *Snapshot) {
	b.networks.Lock()
	all := b.networks.top.copied(now.Unix())
	b.networks.Unlock()
	var bans []netip.Prefix
	if b.cfg.Bans != nil {
		bans = b.cfg.Bans(now)
	}
	for _, x := range leaders(all) {
		if x.sessions+x.refusals < faint {
			continue
		}
		n := Network{Network: prefixOf(x.key), Activity: x.activity(now.Sub(b.start)), Why: x.why}
		for _, ban := range bans {
			switch {
			case !ban.Overlaps(n.Network):
			case ban.Bits() <= n.Network.Bits():
				n.Banned = true
			default:
				n.Bans++
			}
		}
		s.Networks = append(s.Networks, n)
	}
}

func (b *Board) topDialects(now time.Time, s *Snapshot) {
	b.dialects.Lock()
	all := b.dialects.top.copied(now.Unix())
	b.dialects.Unlock()
	for _, x := range leaders(all) {
		if x.sessions < faint {
			continue
		}
		d := Dialect{ID: x.key, Activity: x.activity(now.Sub(b.start))}
		if b.cfg.Words != nil {
			d.Words = b.cfg.Words(x.dialect)
		}
		if b.cfg.Bad != nil {
			d.Bad, d.Known = b.cfg.Bad(now, x.key)
		}
		s.Dialects = append(s.Dialects, d)
	}
}
