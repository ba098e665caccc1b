package baseline_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"sluice/subscriber/baseline"
	"sluice/subscriber/signal"
)

var (
	midnight = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday
	limits   = baseline.DefaultLimits()
)

// works sends a few messages to a few friends in office hours, for so many days.
func works(s *baseline.State, days int) time.Time {
	for d := range days {
		for h := 9; h < 17; h++ {
			at := midnight.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour)
			s.Sent(&limits, baseline.Message{Time: at, Recipients: []string{fmt.Sprint("friend", h)}, Program: "mua", Client: netip.MustParseAddr("192.0.2.7")}, true)
		}
	}
	return midnight.AddDate(0, 0, days)
}

func kinds(list []baseline.Finding) (out []signal.Kind) {
	for _, f := range list {
		out = append(out, f.Kind)
	}
	return out
}

func TestOrdinary(t *testing.T) {
	var s baseline.State
	for d := range 60 {
		for h := 9; h < 17; h++ {
			at := midnight.AddDate(0, 0, d).Add(time.Duration(h) * time.Hour)
			if f := s.Sent(&limits, baseline.Message{Time: at, Recipients: []string{"friend"}, Program: "mua"}, true); len(f) > 0 {
				t.Fatalf("day %d, %d o'clock: %+v", d, h, f)
			}
		}
	}
	if s.Days != 60 || s.Count != 480 {
		t.Errorf("%d days, %d messages", s.Days, s.Count)
	}
}

func TestSent(t *testing.T) {
	var usual baseline.State
	next := works(&usual, 30)
	for _, test := range []struct {
		name string
		m    baseline.Message
		want []signal.Kind
	}{
		{"as usual", baseline.Message{Time: next.Add(10 * time.Hour), Recipients: []string{"friend9"}, Program: "mua"}, nil},
		{"at night", baseline.Message{Time: next.Add(3 * time.Hour), Recipients: []string{"friend9"}, Program: "mua"}, []signal.Kind{signal.OddHours}},
		{"an hour early", baseline.Message{Time: next.Add(8 * time.Hour), Recipients: []string{"friend9"}, Program: "mua"}, nil},
		{"another program", baseline.Message{Time: next.Add(10 * time.Hour), Recipients: []string{"friend9"}, Program: "bot"}, []signal.Kind{signal.NewDialect}},
		{"many new recipients", baseline.Message{Time: next.Add(10 * time.Hour), Recipients: strangers(0, 60), Program: "mua"}, []signal.Kind{signal.FanOut}},
	} {
		s := usual
		if got := kinds(s.Sent(&limits, test.m, true)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func strangers(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint("stranger", i))
	}
	return out
}

// A burst is stated a few times, ever stronger, and not with each message.
func TestBurst(t *testing.T) {
	var s baseline.State
	at := works(&s, 30).Add(10 * time.Hour)
	var jumps []baseline.Finding
	for i := range 2000 {
		for _, f := range s.Sent(&limits, baseline.Message{Time: at.Add(time.Duration(i) * time.Second), Recipients: []string{"friend9"}, Program: "mua"}, false) {
			if f.Kind == signal.RateJump {
				jumps = append(jumps, f)
			}
		}
	}
	if len(jumps) < 3 || len(jumps) > 8 || jumps[0].N > 25 || jumps[len(jumps)-1].Strength < 0.99 {
		t.Errorf("%+v", jumps)
	}
}

// Nobody becomes a bulk sender within days by sending in bulk, and who is frozen never.
func TestRamp(t *testing.T) {
	for _, learn := range []bool{true, false} {
		var s baseline.State
		next := works(&s, 10)
		stated, days := 0, 0
		for d := range 8 {
			for i := range 400 {
				if slices.Contains(kinds(s.Sent(&limits, baseline.Message{Time: next.AddDate(0, 0, d).Add(10*time.Hour + time.Duration(i)*time.Second), Recipients: []string{"x"}}, learn)), signal.RateJump) {
					stated++
					days = d + 1
				}
			}
		}
		if learn && (days < 3 || days > 6) || !learn && days != 8 {
			t.Errorf("learning %v: a jump until day %d, usual %v", learn, days, s.Usual())
		}
	}
}

func TestLogin(t *testing.T) {
	at := midnight
	berlin := baseline.Login{Client: netip.MustParseAddr("192.0.2.7"), Country: "DE", Lat: 52.5, Lon: 13.4, Precise: true}
	paris := baseline.Login{Client: netip.MustParseAddr("192.0.2.8"), Country: "FR", Lat: 48.9, Lon: 2.4, Precise: true}
	rio := baseline.Login{Client: netip.MustParseAddr("192.0.2.9"), Country: "BR", Lat: -22.9, Lon: -43.2, Precise: true}
	vague := baseline.Login{Country: "US"}
	for _, test := range []struct {
		name  string
		then  baseline.Login
		after time.Duration
		want  []signal.Kind
	}{
		{"at home", berlin, time.Hour, nil},
		{"by plane", paris, 3 * time.Hour, []signal.Kind{signal.NewCountry}},
		{"by no plane", rio, 3 * time.Hour, []signal.Kind{signal.NewCountry, signal.Travel}},
		{"by a long flight", rio, 14 * time.Hour, []signal.Kind{signal.NewCountry}},
		{"without places, at once", vague, 10 * time.Minute, []signal.Kind{signal.NewCountry, signal.Travel}},
		{"without places, later", vague, 3 * time.Hour, []signal.Kind{signal.NewCountry}},
		{"from nowhere known", baseline.Login{Client: rio.Client}, time.Minute, nil},
	} {
		var s baseline.State
		berlin.Time = at
		if f := s.Login(&limits, berlin, true); len(f) > 0 {
			t.Errorf("the first login: %+v", f)
		}
		test.then.Time = at.Add(test.after)
		if got := kinds(s.Login(&limits, test.then, true)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	var s baseline.State
	many := 0
	for i := range 30 {
		for _, f := range s.Login(&limits, baseline.Login{Time: at.Add(time.Duration(i) * time.Minute), Client: netip.AddrFrom4([4]byte{10, byte(i), 0, 1})}, false) {
			if f.Kind == signal.ManyAddresses {
				many++
			}
		}
	}
	if many == 0 {
		t.Error("thirty networks in an hour, and nothing is said")
	}
}

func TestUnknown(t *testing.T) {
	var s baseline.State
	at := works(&s, 10).Add(10 * time.Hour)
	s.Sent(&limits, baseline.Message{Time: at, Recipients: strangers(0, 20)}, true)
	if f := s.Refused(&limits, at, 4, true); len(f) > 0 {
		t.Errorf("four: %+v", f)
	}
	if f := s.Refused(&limits, at, 4, true); len(f) != 1 || f[0].Kind != signal.UnknownRecipients {
		t.Errorf("eight of twenty: %+v", f)
	}
	if f := s.Refused(&limits, at, 1, true); len(f) > 0 {
		t.Errorf("said again: %+v", f)
	}
	if f := s.Bounced(&limits, at, 25, true); len(f) != 1 || f[0].Kind != signal.BounceStorm {
		t.Errorf("bounces: %+v", f)
	}
	if f := s.Refused(&limits, at.AddDate(0, 0, 1), 3, true); len(f) > 0 {
		t.Errorf("another day: %+v", f)
	}
}

// The state is small, and whatever comes stays within its bounds.
func TestState(t *testing.T) {
	if n := unsafe.Sizeof(baseline.State{}); n > 260 {
		t.Errorf("%d octets", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		var s baseline.State
		at := midnight
		for range rapid.IntRange(1, 100).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*24*time.Hour)).Draw(t, "wait")))
			learn := rapid.Bool().Draw(t, "learn")
			before := s
			var found []baseline.Finding
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				found = s.Sent(&limits, baseline.Message{Time: at, Recipients: strangers(0, rapid.IntRange(0, 200).Draw(t, "recipients")), Program: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "program")}, learn)
			case 1:
				found = s.Login(&limits, baseline.Login{Time: at, Country: rapid.SampledFrom([]string{"", "DE", "US", "x"}).Draw(t, "country"), Lat: rapid.Float64Range(-90, 90).Draw(t, "lat"), Precise: true}, learn)
			case 2:
				found = s.Refused(&limits, at, rapid.IntRange(0, 1<<20).Draw(t, "n"), learn)
			case 3:
				found = s.Bounced(&limits, at, rapid.IntRange(0, 1<<20).Draw(t, "n"), learn)
			}
			for _, f := range found {
				if !(f.Strength > 0 && f.Strength <= 1) || f.Kind == signal.None {
					t.Fatalf("%+v", f)
				}
			}
			if !learn && (s.Count != before.Count || s.Programs != before.Programs || s.Countries != before.Countries || s.Hours != before.Hours || s.Days != before.Days) {
				t.Fatal("it learned while frozen")
			}
			if !(s.PeakMessages >= 0 && s.PeakFresh >= 0 && s.Worth(at) >= 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func BenchmarkSent(b *testing.B) {
	var s baseline.State
	at := works(&s, 30)
	m := baseline.Message{Recipients: []string{"friend9@example.org"}, Program: "mua", Client: netip.MustParseAddr("192.0.2.7")}
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(time.Minute)
		m.Time = at
		s.Sent(&limits, m, true)
	}
}
