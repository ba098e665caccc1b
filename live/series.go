package live

// Kind is what a series counts.
type Kind uint8

// The kinds. Connections, Refused and part of Deferred are sessions, the others are
// messages.
const (
	Connections Kind = iota
	Refused          // sessions turned away before DATA
	Deferred         // sessions and messages asked to come again
	Accepted
	Tagged
	Quarantined
	Rejected // messages refused at the final dot
	kinds
)

// How much is kept.
const (
	secondsKept = 120
	minutesKept = 24 * 60
)

// bucket counts one span of time.
type bucket [kinds]uint32

// series counts by second and by minute.
type series struct {
	total   [kinds]uint64
	seconds ring
	minutes ring
}

func newSeries() series {
	// One more than is kept: the second that runs isn't over.
	return series{seconds: ring{n: make([]bucket, secondsKept+1)}, minutes: ring{n: make([]bucket, minutesKept)}}
}

func (s *series) add(now int64, k Kind) {
	s.total[k]++
	s.seconds.at(now)[k]++
	s.minutes.at(now / 60)[k]++
}

// ring is the last buckets up to the number last, each at its number modulo the
// length.
type ring struct {
	last int64
	n    []bucket
}

// tolerance is how many buckets a clock may run back before the ring believes that it
// was set: what comes a little late counts as now.
const tolerance = 5

// at moves on to a bucket and returns it.
func (r *ring) at(number int64) *bucket {
	size := int64(len(r.n))
	if number < r.last {
		if r.last-number <= tolerance {
			number = r.last
		} else { // the clock was set back
			clear(r.n)
			r.last = number
		}
	}
	if number-r.last >= size {
		clear(r.n)
		r.last = number
	}
	for r.last < number {
		r.last++
		r.n[r.last%size] = bucket{}
	}
	return &r.n[number%size]
}

// list copies the last n buckets before and with the number end, oldest first.
func (r *ring) list(end int64, n int) []bucket {
	out := make([]bucket, n)
	for i := range out {
		number := end - int64(n-1-i)
		if number >= 0 && number <= r.last && r.last-number < int64(len(r.n)) {
			out[i] = r.n[number%int64(len(r.n))]
		}
	}
	return out
}
