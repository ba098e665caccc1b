package term

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/golden"
	"sluice/live"
)

// storm is a gateway in the middle of an attack.
func storm() live.Snapshot {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	s := live.Snapshot{Time: now, Start: now.Add(-76*time.Hour - 12*time.Minute),
		Sessions: []live.AtPhase{{Phase: sluice.PhaseConnect, N: 380}, {Phase: sluice.PhaseHello, N: 12}, {Phase: sluice.PhaseTLS}, {Phase: sluice.PhaseAuth, N: 4},
			{Phase: sluice.PhaseMail, N: 3}, {Phase: sluice.PhaseRcpt, N: 10}, {Phase: sluice.PhaseData, N: 2}, {Phase: sluice.PhaseHeader}, {Phase: sluice.PhaseMessage, N: 5}},
		Rates: []live.Rate{{Seconds: 1, Connections: 212, Refused: 208, Messages: 3, Accepted: 2}, {Seconds: 5, Connections: 190.2, Refused: 186.4, Messages: 2.8, Accepted: 2.4},
			{Seconds: 60, Connections: 64.3, Refused: 60.25, Messages: 3.05, Accepted: 2.9}},
		Refusals: []live.Refusal{
			{Reason: "EARLY_TALKER", Words: "you spoke before the greeting", Lately: live.Lately{Minute: 2310, Hour: 12_410, Day: 48_000}},
			{Reason: "RECIPIENT_UNKNOWN", Words: "no such mailbox here", Lately: live.Lately{Minute: 812, Hour: 2100, Day: 5013}},
			{Reason: "CLIENT_BANNED", Words: "your host attacked this server lately", Lately: live.Lately{Minute: 400, Hour: 4000, Day: 90_127}},
			{Reason: "AUTH_GUESSING", Words: "too many failed logins", Lately: live.Lately{Minute: 77, Hour: 900, Day: 3210}},
			{Reason: "DNSBL_LISTED", Words: "your address is on a list of spam sources \x1b[2J", Lately: live.Lately{Hour: 12, Day: 310}}},
		Networks: []live.Network{
			{Network: netip.MustParsePrefix("192.0.2.0/24"), Activity: live.Activity{Sessions: 1204.55, Share: 1, Total: 150_321}, Why: "EARLY_TALKER", Banned: true},
			{Network: netip.MustParsePrefix("2001:db8:1234::/48"), Activity: live.Activity{Sessions: 64.21, Share: 0.982, Total: 812}, Why: "HARVEST", Bans: 3},
			{Network: netip.MustParsePrefix("198.51.100.0/24"), Activity: live.Activity{Sessions: 2.5, Total: 4000}},
			{Network: netip.MustParsePrefix("203.0.113.0/24"), Activity: live.Activity{Sessions: 0.04, Share: 0.5, Total: 2}, Why: "SPF_FAIL"}},
		Dialects: []live.Dialect{
			{ID: "d1h.0123456789", Words: "speaks before the greeting; lost without QUIT", Activity: live.Activity{Sessions: 1100, Share: 0.999}, Bad: 0.99997, Known: true},
			{ID: "d1d.1123456789", Words: "EHLO with a domain name; upper case; SIZE; several commands in one segment; a space after the colon of MAIL; QUIT", Activity: live.Activity{Sessions: 61, Share: 0.02}, Bad: 0.013, Known: true},
			{ID: "d1d.2123456789", Activity: live.Activity{Sessions: 1}}},
		Scanners: []live.Scanner{{Name: "sandbox", Kind: live.ScannerProcesses, State: "up", Well: true, Processes: 2, Running: 2, Waiting: 1, Asked: 812, Deaths: 3},
			{Name: "clamd", Kind: live.ScannerEngine, State: "down", Trouble: []string{"connection refused \x1b[2J"}, Asked: 400, Found: 2}},
	}
	m := &s.Minutes
	*m = live.Series{Step: 60, End: now}
	for i := range 60 {
		bots := uint32(40)
		if i > 45 {
			bots = uint32(i-45) * 240
		}
		m.Connections, m.Refused = append(m.Connections, bots+uint32(20+i%7)), append(m.Refused, bots)
		m.Accepted, m.Tagged = append(m.Accepted, uint32(15+i%7)), append(m.Tagged, uint32(i%2))
		m.Quarantined, m.Rejected = append(m.Quarantined, uint32(i%3)), append(m.Rejected, uint32(i%5))
	}
	return s
}

func TestPicture(t *testing.T) {
	quiet := live.New(storm().Time, live.Config{}).Snapshot(storm().Time)
	for _, test := range []struct {
		name          string
		p             Picture
		s             live.Snapshot
		width, height int
		trouble       string
	}{
		{"80x24", Picture{UTF8: true}, storm(), 80, 24, ""},
		{"once", Picture{UTF8: true}, storm(), 80, 0, ""},
		{"ascii", Picture{Where: "https://console.example"}, storm(), 100, 30, ""},
		{"wide", Picture{UTF8: true}, storm(), 160, 40, ""},
		{"colour", Picture{UTF8: true, Paint: true}, storm(), 80, 24, "dial unix data/control.sock: connect: connection refused"},
		{"quiet", Picture{UTF8: true}, quiet, 80, 24, ""},
	} {
		lines := test.p.Draw(test.s, test.width, test.height, test.trouble)
		if test.height > 0 && len(lines) > test.height {
			t.Errorf("%s: %d lines", test.name, len(lines))
		}
		text := strings.Join(lines, "\n") + "\n"
		if test.p.Paint {
			text = strings.ReplaceAll(text, "\x1b", "ESC")
		}
		golden.Check(t, "testdata/top-"+test.name+".txt", []byte(text))
	}
}

// TestPictureFits: no size makes it fail, nor a line longer than the window.
func TestPictureFits(t *testing.T) {
	for _, s := range []live.Snapshot{storm(), {}} {
		for width := 1; width < 200; width += 7 {
			for height := 1; height < 60; height += 5 {
				for _, p := range []Picture{{}, {UTF8: true, Paint: true}} {
					lines := p.Draw(s, width, height, "trouble")
					if len(lines) > height {
						t.Fatalf("%d×%d: %d lines", width, height, len(lines))
					}
					for _, l := range lines {
						if n := visible(l); n > max(width, narrow) {
							t.Fatalf("%d×%d: %d columns: %q", width, height, n, l)
						}
						if rest := strings.ReplaceAll(l, "\x1b[0m", ""); !p.Paint.on() && strings.Contains(rest, "\x1b") {
							t.Fatalf("%d×%d: an escape in %q", width, height, l)
						}
					}
				}
			}
		}
	}
}

func (p Paint) on() bool { return bool(p) }

func TestVisible(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "▁▂": 2, "\x1b[31;1mred\x1b[0m!": 4, "\x1b[": 0, "\xff": 1} {
		if n := visible(s); n != want {
			t.Errorf("%q: %d, want %d", s, n, want)
		}
	}
}

func TestUTF8(t *testing.T) {
	for _, test := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false}, {"", "", "en_GB.UTF-8", true}, {"C", "", "en_GB.UTF-8", false}, {"", "C.utf8", "C", true},
	} {
		t.Setenv("LC_ALL", test.all)
		t.Setenv("LC_CTYPE", test.ctype)
		t.Setenv("LANG", test.lang)
		if got := UTF8(); got != test.want {
			t.Errorf("%v: %v", test, got)
		}
	}
}

func TestFigures(t *testing.T) {
	var got []string
	for _, v := range []float64{0, 0.04, 3.05, 99.4, 12_345.6, 1e6} {
		got = append(got, figure(v))
	}
	if s := fmt.Sprint(got); s != "[0 0.0 3.0 99 12346 1000k]" {
		t.Error(s)
	}
}
