package signal

import (
	"hash/fnv"
	"math"
	"time"
)

// The places of a ledger.
const (
	ownPlaces     = 16
	outsidePlaces = 8
)

// place is what is left of the signals of one kind and source.
type place struct {
	Source uint32 // hash
	At     uint32 // when Points was right, in seconds since epoch
	Points float32
	Kind   Kind
	Count  uint8 // signals, at most the type's range
	_      [2]byte
}

// Ledger is what is remembered of one subscriber's signals. Its zero value is empty.
// It is a plain value of fixed size, for a table of many; it is not safe for concurrent
// use.
type Ledger struct {
	Held    [ownPlaces]place
	Outside [outsidePlaces]place
}

// epoch keeps times in 32 bits.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

func stamp(t time.Time) uint32 {
	return uint32(min(max(t.Unix()-epoch, 0), math.MaxUint32))
}

func hash(s string) uint32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s))
	v := h.Sum64()
	return uint32(v ^ v>>32)
}

// left is what the place is worth at t.
func (p *place) left(w *Weights, t uint32) float64 {
	half := w.Kinds[p.Kind].HalfLife.Seconds()
	if half <= 0 || t <= p.At {
		return float64(p.Points)
	}
	return float64(p.Points) * math.Exp2(-float64(t-p.At)/half)
}

// Add counts a signal. The second of a kind and source counts half, the third a third,
// since they are likely the same mistake, if they are one. One that is older than what was counted before counts as now. It
// says by how much the subscriber's log-odds rose, in decibel.
func (l *Ledger) Add(w *Weights, now time.Time, s Signal) float64 {
	if s.Kind <= None || s.Kind >= Kinds {
		return 0
	}
	before := l.Sum(w, now).Total
	k := &w.Kinds[s.Kind]
	strength := s.Strength
	if !(strength > 0) || strength > 1 {
		strength = 1
	}
	places, t, source := l.Held[:], stamp(now), hash(s.Source)
	if w.outside(s.Kind) {
		places = l.Outside[:]
	}
	at, least := -1, math.Inf(1)
	for i := range places {
		p := &places[i]
		if p.Kind == s.Kind && p.Source == source {
			at = i
			break
		}
		worth := -1.0 // a free place goes first
		if p.Kind != None {
			worth = math.Abs(p.left(w, t))
		}
		if worth < least {
			at, least = i, worth
		}
	}
	p := &places[at]
	points, n := k.Points*strength, uint8(0)
	switch {
	case p.Kind == s.Kind && p.Source == source:
		n = p.Count
		points = points/(float64(n)+1) + p.left(w, t)
	case p.Kind != None && least > math.Abs(points):
		// All places hold what is worth more. Then the new one joins the last place of its
		// kind, if any: a new source must not count for nothing.
		at = -1
		for i := range places {
			if places[i].Kind == s.Kind {
				at = i
			}
		}
		if at < 0 {
			return 0
		}
		p = &places[at]
		n = p.Count
		points = points/(float64(n)+1) + p.left(w, t)
		source = p.Source
	}
	points = min(max(points, -k.PerSource), k.PerSource)
	*p = place{Source: source, At: max(t, p.At), Points: float32(points), Kind: s.Kind, Count: n + min(1, math.MaxUint8-n)}
	return l.Sum(w, now).Total - before
}

// Sum is what the ledger amounts to.
type Sum struct {
	Total  float64 // posterior log-odds, the prior included, in decibel
	Own    float64 // what own observation brings, without the prior
	Groups [Groups]float64
	Kinds  [Kinds]float64 // clipped by kind, not by group
}

// Probability is of the total.
func (s Sum) Probability() float64 { return 1 / (1 + math.Pow(10, -s.Total/10)) }

// Sum adds up what is left at a time.
func (l *Ledger) Sum(w *Weights, now time.Time) Sum {
	var s Sum
	t := stamp(now)
	for _, places := range [2][]place{l.Held[:], l.Outside[:]} {
		for i := range places {
			if p := &places[i]; p.Kind > None && p.Kind < Kinds {
				s.Kinds[p.Kind] += p.left(w, t)
			}
		}
	}
	for k := range s.Kinds {
		c := w.Kinds[k].PerKind
		s.Kinds[k] = min(max(s.Kinds[k], -c), c)
		s.Groups[w.Kinds[k].Group] += s.Kinds[k]
	}
	s.Total = w.Prior
	for g := range s.Groups {
		s.Groups[g] = min(max(s.Groups[g], -w.Groups[g]), w.Groups[g])
		s.Total += s.Groups[g]
		if Group(g) != Outside {
			s.Own += s.Groups[g]
		}
	}
	return s
}

// Empty says whether less than a decibel is left of everything.
func (l *Ledger) Empty(w *Weights, now time.Time) bool {
	s := l.Sum(w, now)
	for _, v := range s.Kinds {
		if math.Abs(v) >= 1 {
			return false
		}
	}
	return true
}

// Clear takes out what spoke against the subscriber: after a remedy, what was seen
// before says nothing of what comes.
func (l *Ledger) Clear() { *l = Ledger{} }
