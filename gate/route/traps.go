package route

import (
	"strings"

	"sluice"
)

// Traps are the recipients that exist to catch mail nobody asked for. The zero
// value has none.
type Traps struct {
	addresses map[string]bool
	domains   map[string]bool
}

// NewTraps takes addresses whose domains are in lower-case A-labels, and honeypot
// domains, in which every address is a trap but those that must always work.
func NewTraps(addresses, domains []string) Traps {
	t := Traps{addresses: map[string]bool{}, domains: map[string]bool{}}
	for _, a := range addresses {
		t.addresses[strings.ToLower(a)] = true
	}
	for _, d := range domains {
		t.domains[d] = true
	}
	return t
}

// Has says whether mail to addr is caught.
func (t Traps) Has(addr string) bool {
	if len(t.addresses)+len(t.domains) == 0 || sluice.IsPostmaster(addr) {
		return false
	}
	domain := ALabels(sluice.DomainOf(addr))
	return t.domains[domain] || t.addresses[strings.ToLower(sluice.LocalOf(addr))+"@"+domain]
}
