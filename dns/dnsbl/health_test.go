package dnsbl

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// step is one thing that happens to a list.
type step struct {
	after time.Duration
	seen  *outcome // a client's answer, times times
	times int
	test  verdict // or a test
	state State   // afterwards
	doubt bool
	next  time.Duration // to the next test
}

var (
	yes    = &outcome{kind: listed}
	no     = &outcome{kind: notListed}
	lost   = &outcome{kind: noAnswer, why: "no answer in time"}
	denial = &outcome{kind: denied, why: "refuses"}
	odd    = &outcome{kind: unusable, why: "odd"}
	parked = &outcome{kind: outside, why: "parked"}
)

func TestHealth(t *testing.T) {
	const s, m = time.Second, time.Minute
	well := step{test: passes, state: Healthy, next: 15 * m}
	for name, steps := range map[string][]step{
		"well from the start":   {well, {after: 15 * m, test: passes, state: Healthy, next: 15 * m}},
		"no answer at first":    {{test: silence, state: Untested, doubt: true, next: 30 * s}, {after: 30 * s, test: passes, state: Healthy, next: 15 * m}},
		"bad from the start":    {{test: fails, state: Off, doubt: true, next: m}},
		"never any answer":      {{test: silence, state: Untested, doubt: true, next: 30 * s}, {test: silence, state: Untested, doubt: true, next: 30 * s}, {test: silence, state: Off, doubt: true, next: m}, {test: silence, state: Off, doubt: true, next: 2 * m}, {test: silence, state: Off, doubt: true, next: 4 * m}, {test: silence, state: Off, doubt: true, next: 5 * m}, {test: silence, state: Off, doubt: true, next: 5 * m}},
		"backoff to an hour":    {{test: fails, state: Off, doubt: true, next: m}, {test: fails, state: Off, doubt: true, next: 2 * m}, {test: fails, state: Off, doubt: true, next: 4 * m}, {test: fails, state: Off, doubt: true, next: 8 * m}, {test: fails, state: Off, doubt: true, next: 16 * m}, {test: fails, state: Off, doubt: true, next: 32 * m}, {test: fails, state: Off, doubt: true, next: 60 * m}, {test: fails, state: Off, doubt: true, next: 60 * m}},
		"asked to stop":         {{test: deniesUs, state: Off, doubt: true, next: 10 * m}},
		"two passes to recover": {{test: fails, state: Off, doubt: true, next: m}, {after: m, test: passes, state: Off, doubt: true, next: m}, {after: m, test: passes, state: Healthy, next: 15 * m}},
		"a pass and a fail":     {{test: fails, state: Off, doubt: true, next: m}, {test: passes, state: Off, doubt: true, next: m}, {test: fails, state: Off, doubt: true, next: 2 * m}, {test: passes, state: Off, doubt: true, next: m}},
		"flapping waits longer": {{test: fails, state: Off, doubt: true, next: m}, {test: passes, state: Off, doubt: true, next: m}, {test: passes, state: Healthy, next: 15 * m}, {after: 15 * m, test: fails, state: Off, doubt: true, next: 2 * m}},
		"an hour is forgiven": {{test: fails, state: Off, doubt: true, next: m}, {test: passes, state: Off, doubt: true, next: m}, {test: passes, state: Healthy, next: 15 * m},
			{after: time.Hour, test: passes, state: Healthy, next: 15 * m}, {test: fails, state: Off, doubt: true, next: m}},
		"one lost packet":        {well, {seen: lost, times: 1, state: Healthy, next: 15 * m}},
		"half lost":              {well, {seen: no, times: 5, state: Healthy, next: 15 * m}, {seen: lost, times: 5, state: Suspect}},
		"fewer than half":        {well, {seen: no, times: 60, state: Healthy, next: 15 * m}, {seen: lost, times: 50, state: Healthy, next: 15 * m}},
		"few":                    {well, {seen: lost, times: 9, state: Healthy, next: 15 * m}},
		"a long time ago":        {well, {seen: lost, times: 9, state: Healthy, next: 15 * m}, {after: 10 * m, seen: lost, times: 9, state: Healthy, next: 5 * m}},
		"another minute's place": {well, {seen: lost, times: 9, state: Healthy, next: 15 * m}, {after: 11 * m, seen: lost, times: 9, state: Healthy, next: 4 * m}},
		"the last ten minutes":   {well, {seen: lost, times: 9, state: Healthy, next: 15 * m}, {after: 9 * m, seen: lost, times: 1, state: Suspect}},
		"suspect, then fine":     {well, {seen: lost, times: 10, state: Suspect}, {seen: no, times: 60, state: Suspect}, {test: passes, state: Suspect, next: 30 * s}, {after: 30 * s, test: passes, state: Healthy, next: 15 * m}},
		"suspect for long":       {well, {seen: lost, times: 10, state: Suspect}, {after: m, test: passes, state: Suspect, next: 30 * s}, {after: 4 * m, test: passes, state: Off, doubt: true, next: m}},
		"suspect and silent":     {well, {seen: lost, times: 10, state: Suspect}, {test: silence, state: Off, doubt: true, next: m}},
		"healthy and silent":     {well, {test: silence, state: Suspect, next: 30 * s}, {test: silence, state: Suspect, next: 30 * s}, {test: silence, state: Off, doubt: true, next: m}},
		"a silent moment":        {well, {test: silence, state: Suspect, next: 30 * s}, {test: passes, state: Healthy, next: 15 * m}},
		"refused before tested":  {{seen: denial, times: 9, state: Untested, doubt: true}, well, {seen: no, times: 1, state: Healthy, next: 15 * m}, {seen: denial, times: 1, state: Off, doubt: true, next: 10 * m}},
		"new answers":            {well, {seen: odd, times: 10, state: Suspect}},
		"a new answer":           {well, {seen: odd, times: 1, state: Healthy, next: 15 * m}},
		"one refusal":            {well, {seen: denial, times: 1, state: Suspect}, {test: passes, state: Suspect, next: 30 * s}, {after: 11 * m, test: passes, state: Healthy, next: 15 * m}},
		"three refusals":         {well, {seen: denial, times: 2, state: Suspect}, {seen: denial, times: 1, state: Off, doubt: true, next: 10 * m}},
		"somebody else's":        {well, {seen: parked, times: 1, state: Suspect, doubt: true}, {test: fails, state: Off, doubt: true, next: m}},
		"everybody":              {well, {seen: yes, times: 60, state: Healthy, next: 15 * m}, {seen: yes, times: 1, state: Suspect, doubt: true}},
		"everybody, honestly":    {well, {seen: yes, times: 61, state: Suspect, doubt: true}, {test: passes, state: Healthy, next: 15 * m}, {seen: yes, times: 200, state: Healthy, next: 15 * m}, {after: time.Hour, seen: yes, times: 61, state: Suspect, doubt: true}},
		"most":                   {well, {seen: no, times: 4, state: Healthy, next: 15 * m}, {seen: yes, times: 60, state: Healthy, next: 15 * m}},
		"late answers":           {{test: fails, state: Off, doubt: true, next: m}, {seen: yes, times: 100, state: Off, doubt: true, next: m}, {seen: denial, times: 5, state: Off, doubt: true, next: m}},
		"from one doubt to two":  {well, {seen: denial, times: 1, state: Suspect}, {seen: parked, times: 1, state: Suspect, doubt: true}},
	} {
		t.Run(name, func(t *testing.T) {
			h, now, n := newHealth(start, ""), start, uint32(1<<24)
			for i, st := range steps {
				now = now.Add(st.after)
				if st.seen == nil {
					h.testedAs(now, st.test, "why")
				}
				for range st.times {
					n++
					h.observe(now, subject{addr: addr(n)}, st.seen)
				}
				if h.state != st.state || h.doubt != st.doubt || h.next.Sub(now) != st.next {
					t.Fatalf("step %d: %s, doubt %v, next test in %v; want %s, %v, %v (%s)", i+1, h.state, h.doubt, h.next.Sub(now), st.state, st.doubt, st.next, h.why)
				}
				if (h.state == Healthy) != (h.why == "") {
					t.Fatalf("step %d: %s: %q", i+1, h.state, h.why)
				}
			}
		})
	}
}

// One client that comes again and again is one client.
func TestHealthCountsDistinctClients(t *testing.T) {
	h := newHealth(start, "")
	h.testedAs(start, passes, "")
	for range 1000 {
		h.observe(start, subject{addr: addr(1 << 24)}, yes)
	}
	if h.state != Healthy || h.recent.listed != 1 {
		t.Errorf("%s, %d listed", h.state, h.recent.listed)
	}
	h.observe(start, subject{addr: addr(1 << 24)}, no)
	if h.recent.listed != 0 {
		t.Errorf("%d listed after the client was taken off", h.recent.listed)
	}
}

// Whatever happens, a list counts only after a test has passed since the last reason
// to doubt it, is tested again within an hour and a quarter, and says why it is ill.
func TestHealthAlwaysRecoversAndNeverBelievesTooSoon(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, now := newHealth(start, ""), start
		trusted, n := false, uint32(1<<24)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20*60).Draw(t, "seconds")) * time.Second)
			if rapid.Bool().Draw(t, "test") {
				v := rapid.SampledFrom([]verdict{passes, fails, deniesUs, silence}).Draw(t, "verdict")
				h.testedAs(now, v, "why")
				switch v {
				case passes:
					trusted = true
				case fails, deniesUs:
					trusted = false
				}
			} else {
				o := rapid.SampledFrom([]*outcome{yes, no, lost, denial, odd, parked}).Draw(t, "seen")
				for range rapid.IntRange(1, 70).Draw(t, "times") {
					n++
					h.observe(now, subject{addr: addr(n)}, o)
				}
				trusted = trusted && o != parked
			}
			if h.believed() && !trusted {
				t.Fatalf("believed: %s %q", h.state, h.why)
			}
			if h.believed() && !h.asked() || h.next.After(now.Add(backoffMax)) || (h.why == "") != (h.state == Healthy) {
				t.Fatalf("%s %q, believed %v, next test in %v", h.state, h.why, h.believed(), h.next.Sub(now))
			}
			var in int
			for _, s := range h.recent.ring[:h.recent.n] {
				if s.listed {
					in++
				}
			}
			if in != h.recent.listed {
				t.Fatalf("%d listed, counted %d", in, h.recent.listed)
			}
		}
		for range 4 { // it is always a way back to health, if the list is fine from now on
			now = now.Add(buckets * bucketTime)
			h.testedAs(now, passes, "")
		}
		if h.state != Healthy || !h.believed() {
			t.Fatalf("didn't recover: %s %q", h.state, h.why)
		}
	})
}
