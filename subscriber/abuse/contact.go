package abuse

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"sluice"
	"sluice/dns"
)

// mostContacts bounds those of one network.
const mostContacts = 2

// contacts finds whom to tell of an address: by the table, else by the zone.
func (r *Reporter) contacts(ctx context.Context, a netip.Addr) ([]Contact, error) {
	for _, c := range r.cfg.Contacts {
		if c.Network.Contains(a) {
			if c.Format == "" {
				c.Format = r.cfg.Format
			}
			return r.usable(c), nil
		}
	}
	if r.cfg.Zone == "" {
		return nil, nil
	}
	texts, err := dns.LookupTXT(ctx, r.cfg.Resolver, dns.ReverseUnder(a, r.cfg.Zone))
	if dns.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("abuse: contact of %s: %w", a, err)
	}
	var out []Contact
	seen := map[string]bool{}
	for _, t := range texts {
		for word := range strings.FieldsFuncSeq(t, func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
			if low := strings.ToLower(word); !seen[low] && len(out) < mostContacts {
				seen[low] = true
				out = append(out, r.usable(Contact{Address: word, Format: r.cfg.Format})...)
			}
		}
	}
	return out, nil
}

// usable leaves out who can't or mustn't be told. Our own domains aren't: whoever may
// write a contact into a zone could otherwise send us in circles.
func (r *Reporter) usable(c Contact) []Contact {
	if !mailable(c.Address) || r.cfg.Local(strings.ToLower(sluice.DomainOf(c.Address))) {
		return nil
	}
	return []Contact{c}
}
