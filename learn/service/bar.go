package service

import (
	"hash/fnv"
	"time"
)

// Voice is one who says of a message whether it is wanted.
type Voice struct {
	By      string // who, as [sluice.Label.By]
	Trusted bool   // an admin, a trap: the word of one is enough
}

// key is a voice as it is remembered; 0 is nobody.
func (v Voice) key() uint32 {
	h := fnv.New32a()
	h.Write([]byte(v.By)) // never fails
	return max(h.Sum32(), 1)
}

// Series counts days on which something happened, by their number since 1970.
type Series struct{ Days, First, Last uint16 }

// Join is both as one.
func (s Series) Join(t Series) Series {
	switch {
	case s.Days == 0:
		return t
	case t.Days == 0:
		return s
	}
	return Series{Days: max(s.Days, s.Days+t.Days), First: min(s.First, t.First), Last: max(s.Last, t.Last)}
}

// Bar is what was said against a sender, and what it ended. One trusted voice, or two
// users who differ, end for a month what was learned; a trusted voice for the sender
// outweighs them. Each voice can be taken back, and with the last of them the bar goes
// and what it ended is there again. It is a value of a shelf.
type Bar struct {
	Before        Series
	Until         uint16 // the day on which it is forgotten
	Against, Good uint16 // trusted voices
	Users         [2]uint32
}

// barTime is how long a bar holds.
const barTime = barDays * day

// Holds says whether enough was said.
func (b *Bar) Holds() bool {
	return b.Good == 0 && (b.Against > 0 || b.Users[0] != 0 && b.Users[1] != 0)
}

// Say takes a voice in, at a time. ends says that what was learned ends by it, until the
// day b.Until, and has to be put into b.Before; lifts, that b.Before holds again.
func (b *Bar) Say(now time.Time, v Voice, unwanted bool) (ends, lifts bool) {
	if days(now) >= b.Until {
		*b = Bar{}
	}
	was := b.Holds()
	switch k := v.key(); {
	case v.Trusted && unwanted:
		b.Against = max(b.Against, b.Against+1)
	case v.Trusted:
		b.Good = max(b.Good, b.Good+1)
	case !unwanted, b.Users[0] == k, b.Users[1] == k:
	case b.Users[0] == 0:
		b.Users[0] = k
	default:
		b.Users[1] = k
	}
	if !was {
		b.Until = days(now.Add(barTime))
	}
	return !was && b.Holds(), was && !b.Holds()
}

// Unsay takes a voice back.
func (b *Bar) Unsay(now time.Time, v Voice, unwanted bool) (ends, lifts bool) {
	if days(now) >= b.Until {
		return false, false // it is forgotten already
	}
	was := b.Holds()
	switch k := v.key(); {
	case v.Trusted && unwanted:
		b.Against -= min(b.Against, 1)
	case v.Trusted:
		b.Good -= min(b.Good, 1)
	case unwanted && b.Users[0] == k:
		b.Users = [2]uint32{b.Users[1]}
	case unwanted && b.Users[1] == k:
		b.Users[1] = 0
	}
	return !was && b.Holds(), was && !b.Holds()
}

// Worth is what a shelf keeps bars by.
func (b *Bar) Worth(now time.Time) float64 {
	if days(now) >= b.Until {
		return -1
	}
	return 1
}
