package gate_test

import (
	"net/netip"
	"testing"

	"sluice"
	"sluice/gate"
	"sluice/reason"
)

// TestVersions: every verdict says by what it was made, also of what was never weighed.
func TestVersions(t *testing.T) {
	d := &counter{reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Thank you"}}
	a := newAttacked(t, func(c *gate.Config) {
		c.Settings.Desk = d
		c.Settings.Versions = sluice.Versions{Program: "1", Catalogue: "c", Model: "m", Config: "f"}
		c.Settings.Learned = func() string { return "+7" }
	})
	s := a.open()
	a.send(s, "", "bob@a.example")
	a.send(s, "malware", "bob@a.example")
	a.send(s, "spam", "bob@a.example")
	a.send(s, "panic", "bob@a.example")
	a.send(s, "report", "spam@reports.example")
	a.send(s, "", "nobody@a.example") // refused at RCPT
	s.Reset()
	s.Violation(t.Context(), sluice.Violation{Kind: reason.BareLF, Phase: sluice.PhaseMail})
	s.Close(sluice.EndedRefused)
	a.hop.panics = true
	a.conn.ID = "s2"
	a.send(a.open(), "", "bob@a.example")
	arrival := sluice.Arrival{Client: netip.MustParseAddrPort("198.51.100.9:1"), Now: a.now, Limit: 100, Mine: 3, MineLimit: 3}
	if r := a.gate.Admit(arrival).Refuse; r.Code == 0 {
		t.Fatal("let in")
	}
	if err := a.store.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := a.store.Records(t.Context(), sluice.Query{})
	if err != nil || len(rows) != 9 {
		t.Fatalf("%d records, want 9: %v", len(rows), err)
	}
	want := sluice.Versions{Program: "1", Catalogue: "c", Model: "m+7", Config: "f"}
	for _, r := range rows {
		if r.Verdict.Versions != want {
			t.Errorf("%v %v: judged by %+v", r.Phase, r.Reply, r.Verdict.Versions)
		}
	}
	for _, q := range a.held() {
		if q.Verdict.Versions != want {
			t.Errorf("in quarantine: judged by %+v", q.Verdict.Versions)
		}
	}
	ex := a.gate.Examine(t.Context(), new(sluice.Conn), sluice.Envelope{}, []byte(message("")))
	if ex.Record.Verdict.Versions != want {
		t.Errorf("examined: judged by %+v", ex.Record.Verdict.Versions)
	}
}
