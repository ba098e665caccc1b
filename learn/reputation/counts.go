package reputation

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Outcome is what became of a connection or message: how much it speaks for
// wanted, how much for unwanted. 1 is one message whose label is sure.
type Outcome struct {
	Good, Bad float64
}

// mostOutcome is the most that one outcome counts.
const mostOutcome = 5

func (o Outcome) bounded() Outcome {
	bound := func(f float64) float64 {
		if !(f > 0) { // NaN too
			return 0
		}
		return min(f, mostOutcome)
	}
	return Outcome{bound(o.Good), bound(o.Bad)}
}

// counts are the faded counts of one key. Times are Unix seconds: with float32
// they keep an entry small, and last until 2106.
type counts struct {
	good, bad float32
	at        uint32 // when the counts were these, and the key was last seen
	first     uint32 // when the key was first seen
	dirty     bool   // changed since it was saved
	stored    bool   // is in the store
}

func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 0), math.MaxUint32)) }

func moment(s uint32) time.Time { return time.Unix(int64(s), 0).UTC() }

// fade is how much is left of what was counted at one time at a later one. Time
// that runs backwards fades nothing.
func fade(from, to uint32, halfLife time.Duration) float64 {
	if to <= from {
		return 1
	}
	return math.Exp2(-float64(to-from) / halfLife.Seconds())
}

// faded returns the counts at a time.
func (c *counts) faded(at uint32, halfLife time.Duration) (good, bad float64) {
	f := fade(c.at, at, halfLife)
	return float64(c.good) * f, float64(c.bad) * f
}

// add counts an outcome. Where the sum would pass the window, what was counted
// before shrinks in proportion: old outcomes give way to new ones, so a host that
// was taken over, or cleaned, is known by what it does now.
func (c *counts) add(o Outcome, at uint32, halfLife time.Duration, window float64) {
	good, bad := c.faded(at, halfLife)
	if room := window - o.Good - o.Bad; good+bad > room {
		shrink := max(room, 0) / (good + bad)
		good, bad = good*shrink, bad*shrink
	}
	if c.at == 0 {
		c.first = at
	}
	c.good, c.bad = float32(good+o.Good), float32(bad+o.Bad)
	c.at, c.dirty = max(c.at, at), true
}

// Merge sums stored values of one key from several nodes, by the rule that the
// package comment gives: a value of each node, its newest. The result is a stored
// value; the order of nodes doesn't matter.
func Merge(halfLife time.Duration, values ...[]byte) ([]byte, error) {
	var sum counts
	for _, v := range values {
		c, err := parseCounts(v, mostBase)
		if err != nil {
			return nil, err
		}
		sum.merge(c, halfLife)
	}
	return sum.text(), nil
}

// merge adds the counts of another node, both faded to the later of their times.
func (c *counts) merge(o counts, halfLife time.Duration) {
	if o.at == 0 {
		return
	}
	if c.at == 0 {
		*c = o
		return
	}
	at := max(c.at, o.at)
	good, bad := c.faded(at, halfLife)
	g, b := o.faded(at, halfLife)
	c.good, c.bad, c.at, c.first = float32(good+g), float32(bad+b), at, min(c.first, o.first)
}

// text is the stored form: good, bad, and the times of the counts and of the first
// sight, in Unix seconds.
func (c counts) text() []byte {
	return fmt.Appendf(nil, "1 %g %g %d %d", c.good, c.bad, c.at, c.first)
}

// parseCounts reads what text wrote, where the sum may not be larger than most.
func parseCounts(b []byte, most float64) (c counts, err error) {
	f := strings.Fields(string(b[:min(len(b), 200)]))
	if len(f) != 5 {
		return counts{}, fmt.Errorf("reputation: %.80q are no counts", b)
	}
	if f[0] != "1" {
		return counts{}, fmt.Errorf("reputation: counts of version %.20q, written by a newer program", f[0])
	}
	good, err1 := strconv.ParseFloat(f[1], 32)
	bad, err2 := strconv.ParseFloat(f[2], 32)
	at, err3 := strconv.ParseUint(f[3], 10, 32)
	first, err4 := strconv.ParseUint(f[4], 10, 32)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return counts{}, fmt.Errorf("reputation: %.80q are no counts: %w", b, err)
	}
	c = counts{good: float32(good), bad: float32(bad), at: uint32(at), first: uint32(first)}
	if !(c.good >= 0 && c.bad >= 0 && float64(c.good)+float64(c.bad) <= most*1.001) || c.at == 0 || c.first > c.at {
		return counts{}, fmt.Errorf("reputation: impossible counts %.80q", b)
	}
	return c, nil
}
