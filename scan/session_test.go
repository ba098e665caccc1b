package scan_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/message"
	"sluice/scan"
)

func TestSession(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	m := message.Parse([]byte("From: A <a@a.example>\r\n\r\nx\r\n"), message.DefaultLimits())
	for _, tt := range []struct {
		name   string
		origin scan.Origin
		conn   sluice.Conn
		env    sluice.Envelope
	}{
		{"nothing known", scan.Origin{}, sluice.Conn{}, sluice.Envelope{From: "a@a.example"}},
		{"the null sender", scan.Origin{HasFrom: true}, sluice.Conn{}, sluice.Envelope{}},
		{"all", scan.Origin{Client: netip.MustParseAddr("192.0.2.1"), Hello: "mx.b.example", From: "b@b.example", HasFrom: true, Rcpts: []string{"<c@c.example>", "d@c.example"}},
			sluice.Conn{Client: netip.MustParseAddrPort("192.0.2.1:0"), Hello: sluice.Hello{Verb: "EHLO", Name: "mx.b.example"}},
			sluice.Envelope{From: "b@b.example", Rcpts: []sluice.Recipient{{Address: "c@c.example"}, {Address: "d@c.example"}}}},
	} {
		conn, env := tt.origin.Session("id", m, now)
		tt.conn.ID, tt.conn.Door, tt.conn.Start, tt.conn.Stored = "id", "scan", now, true
		tt.env.Received = now
		if d := cmp.Diff(&tt.conn, conn, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Errorf("%s: connection (-want +got)\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.env, env); d != "" {
			t.Errorf("%s: envelope (-want +got)\n%s", tt.name, d)
		}
	}
}
