package system

import (
	"fmt"
	"testing"

	"sluice"
	"sluice/directory"
	"sluice/directory/callahead"
)

// TestCallAheadToPostfix asks a real back end for recipients: many unknown ones,
// which it slows down and hangs up on, and known ones between them.
func TestCallAheadToPostfix(t *testing.T) {
	p := startPostfix(t, "virtual_mailbox_domains = a.example, sender.example")
	src, err := callahead.New(callahead.Config{Hosts: []string{p.addr}, Hello: "gate.example"})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	uses := []directory.Use{{Source: src}}
	d, err := directory.New(directory.Config{Domains: map[string]directory.Domain{
		"a.example": {Sources: uses}, "sender.example": {Sources: uses}, "elsewhere.example": {Sources: uses}}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	want := func(address string, p sluice.Presence) {
		t.Helper()
		if l, err := d.Lookup(t.Context(), address); l.Presence != p || err != nil {
			t.Errorf("%s: %s, %v; want %s", address, l.Presence, err, p)
		}
	}
	want("bob@a.example", sluice.Present) // no postmaster there: it has to take somebody first
	for i := range 60 {
		want(fmt.Sprintf("nobody%d@a.example", i), sluice.Absent)
	}
	want("carol@a.example", sluice.Present)
	want("jürgen@a.example", sluice.Present)
	want("jurgen@a.example", sluice.Absent)
	want("BOB@a.example", sluice.Present)
	want(`"bob"@a.example`, sluice.Present)
	want("ann@sender.example", sluice.Present)
	// It relays for loopback, so it takes whatever is elsewhere.
	want("bob@elsewhere.example", sluice.CantTell)
	want("nobody@elsewhere.example", sluice.CantTell)
	for _, h := range d.Health() {
		t.Log(h)
	}
}
