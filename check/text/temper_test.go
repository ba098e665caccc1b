package text

import (
	"testing"

	"sluice"
	"sluice/check"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/reason"
)

// TestTemper: the shipped model's word is held back by who speaks.
func TestTemper(t *testing.T) {
	paypal := brand.Shipped().Lookup("paypal")
	carried := []*service.Service{service.Of("mcsv.net")}
	for _, c := range []struct {
		name string
		s    check.Sender
		raw  float64
		want float64
	}{
		{"a person with a domain", check.Sender{Traffic: check.Personal, Modern: true, Known: true, Aligned: true}, -10, -10},
		{"a person at a free mailbox", check.Sender{Traffic: check.Personal, Modern: true, Known: true, Aligned: true, Free: true}, -10, -4},
		{"nobody has looked", check.Sender{Traffic: check.Personal, Modern: true, Free: true}, -10, -10},
		{"bad words of a free mailbox", check.Sender{Traffic: check.Personal, Modern: true, Known: true, Free: true}, 12, 12},
		{"a firm that fits", check.Sender{Traffic: check.Campaign, Modern: true, Known: true, Aligned: true, Coherent: true}, 12, 6},
		{"good words of one that fits", check.Sender{Traffic: check.Campaign, Modern: true, Known: true, Aligned: true, Coherent: true}, -10, -10},
		{"an unknown firm", check.Sender{Traffic: check.Campaign, Modern: true, Known: true, Aligned: true}, -10, -4},
		{"through a service", check.Sender{Traffic: check.Campaign, Modern: true, Known: true, Aligned: true, Carriers: carried}, -10, -10},
		{"nothing is proved", check.Sender{Traffic: check.Notice, Modern: true, Known: true}, -10, -1},
		{"a brand's name without a right", check.Sender{Traffic: check.Personal, Modern: true, Known: true, Aligned: true, Borrows: paypal}, -10, -1},
		{"the same through a service", check.Sender{Traffic: check.Notice, Modern: true, Known: true, Borrows: paypal, Signers: []string{"mcsv.net"}, Carriers: carried}, -10, -10},
		{"the same, nobody has looked", check.Sender{Traffic: check.Personal, Modern: true, Borrows: paypal}, -10, -1},
		{"mail of the time before", check.Sender{Traffic: check.Campaign}, -10, -10},
	} {
		e := sluice.Evidence{Reason: reason.TextHam, State: sluice.Found, Raw: c.raw}
		temper(&e, &c.s)
		if e.Raw != c.want || (e.Raw != c.raw) != (e.Detail != "") {
			t.Errorf("%s: %v → %v, want %v (%q)", c.name, c.raw, e.Raw, c.want, e.Detail)
		}
	}
}
