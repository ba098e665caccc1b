// Package baseline remembers how one subscriber usually sends, in a value of fixed
// size: how many messages and new recipients an hour, at which hours, by which
// programs, from which countries and networks. [State.Sent] and [State.Login] compare
// and say what is out of the ordinary; what is ordinary is learned from them as well,
// slowly, so that nobody becomes a bulk sender within a day by sending in bulk.
//
// It learns nothing while learning is frozen: what an intruder does must not become the
// custom.
package baseline

import (
	"math"
	"math/bits"
	"net/netip"
	"time"

	"sluice/subscriber/signal"
)

// Sizes of the state.
const (
	programs  = 4
	countries = 4
	knownBits = 512 // of the filter of recipients
	dayBits   = 64  // of the counter of a day's networks
)

// State is what is usual for one subscriber. Its zero value knows nothing. It is a
// plain value, for a table of many; it is not safe for concurrent use.
type State struct {
	First, Last uint16 // days since 2020: the first and the last of which there is something
	Days        uint16 // on which something was sent
	SentDay     uint16 // the last of them
	Count       uint32 // messages, at most the type's range

	Hour     uint32 // hours since 2020: the one being counted
	Messages uint16 // in it
	Fresh    uint16 // recipients in it that were new
	Jump     uint8  // how high the hour's messages and new recipients have been stated, in steps
	Fan      uint8

	// The usual peak: highest counts of an hour, faded by half in 30 days.
	PeakMessages float32
	PeakFresh    float32
	DayPeak      uint16 // highest of this day so far
	DayFresh     uint16

	// Of this day: recipients, those that don't exist, mail that bounced; and how high
	// the last two have been stated.
	DayRcpts, DayUnknown, DayBounced uint16
	UnknownStep, BounceStep          uint8

	// Messages that the judge found suspicious: of this day, all and those that may become
	// custom; and of the days before, faded.
	DayOdd, DayOddLearn uint8
	LastOdd             uint8 // of the last day with any
	Odds                float32

	Hours [24]uint8 // by hour of the day in UTC, faded by halving

	Programs  [programs]seen
	Countries [countries]seen
	NetDay    uint16 // the day of NetBits
	NetBits   uint64 // linear counter of that day's networks
	NetPeak   float32

	// Recipients that were learned, and those of them that were new, both halved now and
	// then; and of this day the new ones and how high they have been stated.
	Rcpts, Strangers uint16
	DayStrangers     uint16
	StrangerStep     uint8

	Place     seenPlace
	Known     [knownBits / 64]uint64 // filter of recipients
	KnownFull uint16                 // bits set
}

// seen is one of several things that were seen: a hash and when.
type seen struct {
	ID    uint32
	Day   uint16
	Count uint16
}

// seenPlace is where the last login came from.
type seenPlace struct {
	Country  [2]byte
	At       uint32 // seconds since 2020; 0: nothing known
	Lat, Lon float32
	Precise  uint8 // Lat and Lon are known
	Travels  uint8 // how often places were too far apart: a private network's exits
	_        [2]byte
}

var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix()-epoch, 1), math.MaxUint32)) }
func hourOf(t time.Time) uint32  { return seconds(t) / 3600 }
func dayOf(t time.Time) uint16   { return uint16(seconds(t) / 86400) }

// Limits say from when on something is out of the ordinary.
type Limits struct {
	// Floor is how many messages an hour anybody may send without a remark, FreshFloor
	// how many new recipients.
	Floor, FreshFloor float64
	// Times the usual peak is a jump; at ten times as much the signal is at full
	// strength.
	Times float64
	// Acquainted is after how many messages a program or hour that was never seen is new
	// rather than merely unknown yet.
	// After a third of it a new program counts, by its share.
	Acquainted uint32
	// Speed in km/h that nobody travels at, over at least Distance km.
	Speed, Distance float64
	// Networks of one day, and how many times the usual, are many.
	Networks float64
	// Unknown recipients and Bounces of a day that are worth a remark, where they are at
	// least UnknownShare of its recipients.
	Unknown, Bounces, UnknownShare float64
}

// DefaultLimits are judged: a person writes fewer than 20 messages an hour, and a
// letter to all members of a club is one such hour in months.
func DefaultLimits() Limits {
	return Limits{Floor: 20, FreshFloor: 25, Times: 3, Acquainted: 10, Speed: 1000, Distance: 500, Networks: 6, Unknown: 5, Bounces: 20, UnknownShare: 0.25}
}

// Message is what of one message sent counts here.
type Message struct {
	Time       time.Time
	Recipients []string // accepted ones, folded
	Program    string   // an id of the client's dialect, as of learn/dialect; "" for none
	Client     netip.Addr
}

// Finding is something out of the ordinary.
type Finding struct {
	Kind     signal.Kind
	Strength float64
	N, Usual float64 // for people: how many, and how many usually
	Source   string  // what of the kind it was, "" where there is only one
}

// fade is the half-life of the usual peaks, in days.
const fade = 30

// turn closes hours and days that are over. learn says whether they become custom.
func (s *State) turn(t time.Time, learn bool) {
	day, hour := dayOf(t), hourOf(t)
	if s.First == 0 {
		s.First, s.Last, s.Hour = day, day, hour
	}
	if hour > s.Hour {
		if learn {
			s.DayPeak, s.DayFresh = max(s.DayPeak, s.Messages), max(s.DayFresh, s.Fresh)
		}
		s.Hour, s.Messages, s.Fresh, s.Jump, s.Fan = hour, 0, 0, 0, 0
	}
	if day > s.Last {
		f := float32(math.Exp2(-float64(day-s.Last) / fade))
		// A day may not more than double what is usual: who ramps up is seen ramping.
		s.PeakMessages = learned(s.PeakMessages*f, s.DayPeak)
		s.PeakFresh = learned(s.PeakFresh*f, s.DayFresh)
		s.NetPeak *= f
		s.Odds = min(s.Odds+float32(min(s.DayOddLearn, 3)), 1000) * f
		if s.DayOdd > 0 {
			s.LastOdd = s.DayOdd
		}
		s.DayOdd, s.DayOddLearn = 0, 0
		s.Last, s.DayPeak, s.DayFresh = day, 0, 0
		s.DayRcpts, s.DayUnknown, s.DayBounced, s.UnknownStep, s.BounceStep = 0, 0, 0, 0, 0
		s.DayStrangers, s.StrangerStep = 0, 0
	}
}

// start is what a subscriber may become used to on a first day.
const start = 30

func learned(usual float32, peak uint16) float32 {
	return max(usual, min(float32(peak), max(2*usual, start)))
}

// Sent compares one message with what is usual and counts it. learn is false while the
// subscriber is under suspicion.
func (s *State) Sent(l *Limits, m Message, learn bool) (found []Finding) {
	s.turn(m.Time, learn)
	day := dayOf(m.Time)
	if learn && s.SentDay != day {
		s.SentDay, s.Days = day, add16(s.Days, 1)
	}
	fresh := 0
	for _, r := range m.Recipients {
		h := fold(r)
		if !s.knows(h) {
			fresh++
		}
		if learn || s.KnownFull < knownBits/2 {
			s.know(h)
		}
	}
	s.Messages = add16(s.Messages, 1)
	s.Fresh = add16(s.Fresh, fresh)
	s.DayRcpts = add16(s.DayRcpts, len(m.Recipients))
	s.DayStrangers = add16(s.DayStrangers, fresh)
	if learn {
		s.Rcpts, s.Strangers = add16(s.Rcpts, len(m.Recipients)), add16(s.Strangers, fresh)
		for s.Rcpts > 400 {
			s.Rcpts, s.Strangers = s.Rcpts/2, s.Strangers/2
		}
	}

	found = s.jump(found, signal.RateJump, float64(s.Messages), float64(s.PeakMessages), l.Floor, l.Times, &s.Jump)
	if s.tells() {
		found = s.jump(found, signal.FanOut, float64(s.Fresh), float64(s.PeakFresh), l.FreshFloor, l.Times, &s.Fan)
	}
	acquainted := s.Count >= l.Acquainted
	if at := m.Time.UTC().Hour(); acquainted && s.Count >= 5*l.Acquainted && s.Hours[at] == 0 && s.Hours[(at+23)%24] == 0 && s.Hours[(at+1)%24] == 0 {
		found = append(found, Finding{Kind: signal.OddHours, Strength: 1, N: float64(at)})
	}
	if m.Program != "" {
		others, times := remember(s.Programs[:], hash(m.Program), day, learn)
		if share := float64(s.Count) / float64(l.Acquainted); times == 0 && others > 0 && share >= 0.3 {
			if others > 2 {
				share *= 0.6 // who has three programs gets a fourth
			}
			found = append(found, Finding{Kind: signal.NewDialect, Strength: min(share, 1)})
		}
		if others > 0 && times < 3 {
			found = s.strangers(found, l)
		}
	}
	if m.Client.IsValid() {
		found = s.network(found, l, m.Client, day, learn)
	}
	if learn {
		s.hour(m.Time.UTC().Hour())
		if s.Count < math.MaxUint32 {
			s.Count++
		}
	}
	return found
}

// jump states that a count is out of the ordinary, once for each doubling in the hour.
func (s *State) jump(found []Finding, kind signal.Kind, n, usual, floor, times float64, stated *uint8) []Finding {
	over := n / max(floor, times*usual)
	if over <= 1 {
		return found
	}
	step := uint8(1 + min(math.Log2(over), 30))
	if step <= *stated {
		return found
	}
	*stated = step
	return append(found, Finding{Kind: kind, Strength: min(0.5+0.5*math.Log10(over), 1), N: n, Usual: usual})
}

// tells says whether the filter of recipients says anything: a fuller one takes
// everybody for known.
func (s *State) tells() bool { return s.KnownFull < knownBits*3/4 }

// strangers states that nearly all of a day's recipients are new to somebody who writes
// to known ones: by how unlikely that is, once for each doubling. It is asked of messages
// of a program that is new as well: a club's letter goes to new members too, but from
// where its letters come from.
func (s *State) strangers(found []Finding, l *Limits) []Finding {
	n := float64(s.DayStrangers)
	if n == 0 || n < 0.8*float64(s.DayRcpts) || float64(s.Rcpts) < float64(l.Acquainted) || !s.tells() {
		return found
	}
	step := uint8(1 + math.Log2(n))
	if step <= s.StrangerStep {
		return found
	}
	s.StrangerStep = step
	usual := (float64(s.Strangers) + 1) / (float64(s.Rcpts) + 2)
	return append(found, Finding{Kind: signal.Strangers, Strength: min(-10*n*math.Log10(usual)/surely, 1), N: n, Usual: math.Round(usual * n)})
}

// surely is how unlikely, in decibel, strangers are at full strength.
const surely = 24

// Refused counts recipients that don't exist, by the answer of the next hop or of our
// own directory, and Bounced mail that came back.
func (s *State) Refused(l *Limits, t time.Time, n int, learn bool) (found []Finding) {
	s.turn(t, learn)
	s.DayUnknown = add16(s.DayUnknown, n)
	return s.share(found, signal.UnknownRecipients, s.DayUnknown, l.Unknown, l.UnknownShare, &s.UnknownStep)
}

// Bounced counts bounces of mail that the subscriber sent.
func (s *State) Bounced(l *Limits, t time.Time, n int, learn bool) (found []Finding) {
	s.turn(t, learn)
	s.DayBounced = add16(s.DayBounced, n)
	return s.share(found, signal.BounceStorm, s.DayBounced, l.Bounces, l.UnknownShare, &s.BounceStep)
}

// share states that a count is large, and large among the day's recipients, once for
// each doubling.
func (s *State) share(found []Finding, kind signal.Kind, n uint16, floor, share float64, stated *uint8) []Finding {
	of := max(float64(s.DayRcpts), float64(n))
	if float64(n) < floor || float64(n) < share*of {
		return found
	}
	step := uint8(1 + min(math.Log2(float64(n)/floor), 30))
	if step <= *stated {
		return found
	}
	*stated = step
	return append(found, Finding{Kind: kind, Strength: min(0.4+float64(n)/of*0.6, 1), N: float64(n), Usual: of})
}

// network counts the networks of a day.
func (s *State) network(found []Finding, l *Limits, a netip.Addr, day uint16, learn bool) []Finding {
	h := network64(a)
	if s.NetDay != day {
		s.NetDay, s.NetBits = day, 0
	}
	before := s.NetBits
	s.NetBits |= 1 << (h % dayBits)
	if s.NetBits == before {
		return found
	}
	n := linear(s.NetBits)
	if n >= l.Networks && n >= 2*float64(s.NetPeak) {
		found = append(found, Finding{Kind: signal.ManyAddresses, Strength: min(n/(2*l.Networks), 1), N: math.Round(n), Usual: float64(s.NetPeak)})
	}
	if learn {
		s.NetPeak = max(s.NetPeak, min(float32(n), max(2*s.NetPeak, float32(l.Networks)/2)))
	}
	return found
}

// linear counts distinct values by the free bits (Whang, Vander-Zanden, Taylor: A
// Linear-Time Probabilistic Counting Algorithm, TODS 1990).
func linear(b uint64) float64 {
	free := dayBits - bits.OnesCount64(b)
	return dayBits * math.Log(dayBits/math.Max(float64(free), 0.5))
}

// network64 hashes what counts as one network: an IPv4 /24, an IPv6 /48.
func network64(a netip.Addr) uint64 {
	a = a.Unmap()
	b := a.As16()
	n := 15
	if a.Is6() {
		n = 6
	}
	return mix(fnv(string(b[:n])))
}

// Login is one login that succeeded.
type Login struct {
	Time    time.Time
	Client  netip.Addr
	Country string // two letters; "" where it isn't known
	// Lat and Lon in degrees, where Precise.
	Lat, Lon float64
	Precise  bool
}

// Login compares a login with what is usual and counts it.
func (s *State) Login(l *Limits, g Login, learn bool) (found []Finding) {
	s.turn(g.Time, learn)
	day := dayOf(g.Time)
	if len(g.Country) == 2 {
		if others, times := remember(s.Countries[:], hash(g.Country), day, learn); times == 0 && others > 0 && s.Place.At != 0 {
			// Whose network ends in three countries has a fourth tomorrow.
			found = append(found, Finding{Kind: signal.NewCountry, Strength: 1 / float64(others), Source: g.Country})
		}
		n := len(found)
		found = s.travel(found, l, g)
		travels := s.Place.Travels
		if learn && len(found) > n && travels < math.MaxUint8 {
			travels++
		}
		s.Place = seenPlace{Country: [2]byte([]byte(g.Country)), At: seconds(g.Time), Lat: float32(g.Lat), Lon: float32(g.Lon), Travels: travels}
		if g.Precise {
			s.Place.Precise = 1
		}
	}
	if g.Client.IsValid() {
		found = s.network(found, l, g.Client, day, learn)
	}
	return found
}

// travel compares the place with that of the login before.
func (s *State) travel(found []Finding, l *Limits, g Login) []Finding {
	p := &s.Place
	if p.At == 0 || string(p.Country[:]) == g.Country {
		return found
	}
	hours := float64(int64(seconds(g.Time))-int64(p.At)) / 3600
	if hours < 0 {
		hours = -hours
	}
	if p.Precise == 0 || !g.Precise {
		// Without places, two countries within the hour are at most a border.
		if hours < 1 {
			return append(found, Finding{Kind: signal.Travel, Strength: 0.5 / float64(1+p.Travels), N: hours})
		}
		return found
	}
	km := distance(float64(p.Lat), float64(p.Lon), g.Lat, g.Lon)
	if km > l.Distance && km > l.Speed*max(hours, 0.1) {
		found = append(found, Finding{Kind: signal.Travel, Strength: 1 / float64(1+p.Travels), N: math.Round(km)})
	}
	return found
}

// distance on the sphere in km, by the haversine formula.
func distance(lat1, lon1, lat2, lon2 float64) float64 {
	const rad, earth = math.Pi / 180, 6371
	a := math.Sin((lat2 - lat1) * rad / 2)
	b := math.Sin((lon2 - lon1) * rad / 2)
	h := a*a + math.Cos(lat1*rad)*math.Cos(lat2*rad)*b*b
	return 2 * earth * math.Asin(math.Sqrt(min(h, 1)))
}

// rememberFor is for how many days one of several things stays known.
const rememberFor = 180

// remember looks something up and, where learning is on, keeps it. It says how many
// others are known, and how often this one was seen before.
func remember(list []seen, id uint32, day uint16, learn bool) (others int, times uint16) {
	id = max(id, 1)
	at, least := -1, 0
	for i := range list {
		p := &list[i]
		switch {
		case p.ID == id && day-p.Day <= rememberFor:
			at, times = i, p.Count
		case p.ID != 0:
			others++
		}
		if p.ID == 0 || list[least].ID != 0 && (p.Day < list[least].Day || p.Day == list[least].Day && p.Count < list[least].Count) {
			least = i
		}
	}
	switch {
	case !learn:
	case at >= 0:
		list[at].Day, list[at].Count = max(day, list[at].Day), add16(times, 1)
	default:
		list[least] = seen{ID: id, Day: day, Count: 1}
	}
	return others, times
}

// Odd counts a message that the judge found suspicious or worse, and says what share of
// its worth is left where that is custom: a shop's letters read like others' spam.
func (s *State) Odd(t time.Time, learn bool) float64 {
	s.turn(t, learn)
	s.DayOdd = add8(s.DayOdd)
	if learn {
		s.DayOddLearn = add8(s.DayOddLearn)
	}
	usual := float64(s.Odds) / lasting
	if usual < customary || float64(s.DayOdd) > 1+3*usual {
		return 1
	}
	return 0.4
}

// customary is how many suspicious messages a day are custom: three within weeks.
const customary = 0.05

// lasting is how many times what comes each day the faded sum of it is.
const lasting = fade / math.Ln2

// Wanted is the word of an admin that suspicious mail of this subscriber is custom: as
// much of it as there was on the last day.
func (s *State) Wanted(t time.Time) {
	s.turn(t, false)
	s.Odds = max(s.Odds, 4, lasting*float32(min(max(s.DayOdd, s.LastOdd), mostWanted)))
}

// mostWanted is how many a day one word can make custom.
const mostWanted = 5

// hour counts an hour of the day. When one is full all are halved, but never to zero:
// what was usual once stays known.
func (s *State) hour(h int) {
	if s.Hours[h] == math.MaxUint8 {
		for i := range s.Hours {
			s.Hours[i] = (s.Hours[i] + 1) / 2
		}
	}
	s.Hours[h]++
}

// Worth is how much would be lost with the state: days on which something was sent,
// faded since.
func (s *State) Worth(now time.Time) float64 {
	if s.Days == 0 {
		return 0
	}
	return float64(s.Days) * math.Exp2(-float64(max(int(dayOf(now))-int(s.Last), 0))/fade)
}

// Usual is the usual peak of messages in an hour.
func (s *State) Usual() float64 { return float64(s.PeakMessages) }

// ThisHour is how many messages were sent in the hour of t.
func (s *State) ThisHour(t time.Time) int {
	if hourOf(t) != s.Hour {
		return 0
	}
	return int(s.Messages)
}

func (s *State) knows(h uint64) bool {
	a, b := h%knownBits, h>>32%knownBits
	return s.Known[a/64]>>(a%64)&1 == 1 && s.Known[b/64]>>(b%64)&1 == 1
}

func (s *State) know(h uint64) {
	for _, a := range [2]uint64{h % knownBits, h >> 32 % knownBits} {
		if s.Known[a/64]>>(a%64)&1 == 0 {
			s.Known[a/64] |= 1 << (a % 64)
			s.KnownFull++
		}
	}
}

func add8(n uint8) uint8 { return n + min(1, math.MaxUint8-n) }

func add16(n uint16, by int) uint16 { return uint16(min(int(n)+by, math.MaxUint16)) }

// fold is FNV-1a, mixed so that all its bits depend on all octets. It is stored, so it
// stays as it is.
func fold(s string) uint64 { return mix(fnv(s)) }

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func mix(h uint64) uint64 {
	h ^= h >> 29
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>32
}

func hash(s string) uint32 { h := fold(s); return uint32(h ^ h>>32) }
