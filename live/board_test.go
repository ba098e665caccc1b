package live

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sluice"
	"sluice/reason"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// TestDay plays some sessions and reads the board as a page does.
func TestDay(t *testing.T) {
	b := New(noon, Config{})
	now := noon.Add(10 * time.Second)
	bot := b.Opened(now, netip.MustParseAddr("192.0.2.7"))
	bot.Refused(now, reason.EarlyTalker, sluice.PhaseConnect, 554)
	bot.Dialect(now, "d1h.0000000001", sluice.Dialect{Marks: 1})
	bot.Closed(now)
	bot.Closed(now) // once only

	list := b.Opened(now, netip.MustParseAddr("2001:db8:1:2::3"))
	list.Phase(sluice.PhaseRcpt)
	list.Refused(now, reason.UnknownRecipient, sluice.PhaseRcpt, 550)
	list.Phase(sluice.PhaseData)
	list.Judged(now, sluice.Accept, sluice.ThreatNone)
	list.Judged(now, sluice.Reject, sluice.ThreatPhish)
	list.Closed(now)

	grey := b.Opened(now, netip.MustParseAddr("::ffff:198.51.100.1"))
	grey.Refused(now, reason.Greylisted, sluice.PhaseRcpt, 450)
	grey.Closed(now)
	b.Turned(now, netip.MustParseAddr("192.0.2.8"), reason.ClientBanned, 554)
	open := b.Opened(now, netip.MustParseAddr("203.0.113.1"))
	open.Phase(sluice.PhaseHello)

	s := b.Snapshot(now.Add(time.Second))
	if want := (Sums{Connections: 5, Refused: 2, Deferred: 1, Accepted: 1, Rejected: 1}); s.Total != want {
		t.Errorf("total %+v, want %+v", s.Total, want)
	}
	if s.Open() != 1 || s.Sessions[1] != (AtPhase{sluice.PhaseHello, 1}) {
		t.Errorf("sessions %+v", s.Sessions)
	}
	if r := s.Rates[0]; r != (Rate{1, 5, 2, 2, 1}) {
		t.Errorf("rate %+v", r)
	}
	if got := fmt.Sprint(s.Networks[0].Network, s.Networks[0].Total, s.Networks[0].Refused, s.Networks[0].Share); got != "192.0.2.0/24 2 2 1" {
		t.Errorf("network %s", got)
	}
}
