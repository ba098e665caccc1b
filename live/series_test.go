package live

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
)

// TestRing compares rings with a list of all that happened.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 20).Draw(t, "size")
		r := ring{n: make([]bucket, size)}
		counted := map[int64]uint32{}
		now := int64(1_000_000)
		r.at(now)
		for range rapid.IntRange(0, 100).Draw(t, "events") {
			switch step := rapid.Int64Range(-2*tolerance, 30).Draw(t, "step"); {
			case step >= 0:
				now += step
			case -step <= tolerance: // a little late: counts as now
				r.at(now + step)[Refused]++
				counted[now]++
				continue
			default: // set back: all that was is gone
				now += step
				clear(counted)
			}
			r.at(now)[Refused]++
			counted[now]++
		}
		r.at(now)
		for i, b := range r.list(now, size) {
			number := now - int64(size-1-i)
			if b[Refused] != counted[number] {
				t.Fatalf("bucket %d: %d, want %d", number, b[Refused], counted[number])
			}
		}
	})
}

// TestWindows: the sums are those of the last thirty parts.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w windows
		var at []int64
		now := int64(1_700_000_000)
		for range rapid.IntRange(0, 200).Draw(t, "events") {
			now += rapid.SampledFrom([]int64{0, 0, 1, 2, 5, 59, 61, 600, 3601, 50_000, 90_000}).Draw(t, "step")
			w.add(now)
			at = append(at, now)
		}
		now += rapid.Int64Range(0, 4000).Draw(t, "later")
		in := func(span int64) (n uint32) {
			part := span / steps
			for _, x := range at {
				if now/part-x/part < steps {
					n++
				}
			}
			return n
		}
		if got, want := w.at(now), (Lately{in(aMinute), in(anHour), in(aDay)}); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

func TestWindowClockSetBack(t *testing.T) {
	var w windows
	w.add(2_000_000_000) // before NTP has put it right
	w.add(1_700_000_000)
	w.add(1_700_000_001)
	if got := w.at(1_700_000_001); got != (Lately{2, 2, 2}) {
		t.Errorf("%+v", got)
	}
}

// TestWhatIsKept: 120 whole seconds, and 1440 minutes with the one that runs.
func TestWhatIsKept(t *testing.T) {
	b := New(noon, Config{})
	b.Opened(noon, netip.Addr{})
	for after, want := range map[time.Duration]uint32{0: 0, time.Second: 1, 120 * time.Second: 1, 121 * time.Second: 0} {
		var n uint32
		for _, v := range b.Snapshot(noon.Add(after)).Seconds.Connections {
			n += v
		}
		if n != want {
			t.Errorf("%v later the seconds hold %d, want %d", after, n, want)
		}
		b = New(noon, Config{})
		b.Opened(noon, netip.Addr{})
	}
	for after, want := range map[time.Duration]uint32{0: 1, 1439 * time.Minute: 1, 1440 * time.Minute: 0} {
		b = New(noon, Config{})
		b.Opened(noon, netip.Addr{})
		s := b.Snapshot(noon.Add(after))
		var n uint32
		for _, v := range s.Minutes.Connections {
			n += v
		}
		if n != want || len(s.Minutes.Connections) != minutesKept || !s.Minutes.End.Equal(noon.Add(after).Truncate(time.Minute).Add(time.Minute)) {
			t.Errorf("%v later the minutes hold %d, want %d; they end at %v", after, n, want, s.Minutes.End)
		}
	}
}

// TestCausesAreBounded: reasons without end end as one.
func TestCausesAreBounded(t *testing.T) {
	r := newRefusals()
	for i := range 5000 {
		r.add(1_700_000_000, sluice.Reason(rune(0x4e00+i)), sluice.PhaseRcpt)
	}
	if len(r.causes) != maxCauses+1 || r.causes[cause{Other, 0}].at(1_700_000_000).Minute != 5000-maxCauses {
		t.Errorf("%d causes", len(r.causes))
	}
}
