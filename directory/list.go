package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/idna"

	"sluice"
	"sluice/smtp"
)

// Entries is a set of list entries: addresses, local parts alone (which count in
// every domain), and "@domain" for all of a domain.
type Entries map[string]struct{}

// Add reads one entry. The domain is turned into lower-case A-labels; the local
// part is folded too, unless sensitive.
func (e Entries) Add(entry string, sensitive bool) error {
	key, err := entryKey(entry, sensitive)
	if err != nil {
		return err
	}
	e[key] = struct{}{}
	return nil
}

var errEntry = errors.New("neither an address, nor @domain, nor a local part")

func entryKey(entry string, sensitive bool) (string, error) {
	if len(entry) > maxAddress {
		return "", errEntry
	}
	at := strings.LastIndexByte(entry, '@')
	if strings.HasSuffix(entry, `"`) {
		at = -1 // a quoted local part alone
	}
	local, domain := entry, ""
	if at >= 0 {
		local, domain = entry[:at], entry[at+1:]
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil { // an underscore, say, which exists and is no U-label
			ascii = fold(domain)
		}
		domain = ascii
	}
	// The grammar of the whole, with stand-ins for what may be missing.
	whole := cmp.Or(local, "x") + "@" + cmp.Or(domain, "x")
	if _, err := smtp.ParseAddress(whole); err != nil || local == "" && domain == "" || at >= 0 && domain == "" {
		return "", errEntry
	}
	local = plain(local)
	if !sensitive {
		local = fold(local)
	}
	if at < 0 {
		return local, nil
	}
	return local + "@" + domain, nil
}

// Match says whether one of the forms is an entry.
func (e Entries) Match(forms []Form) bool {
	for _, f := range forms {
		if _, ok := e[f.Address]; ok {
			return true
		}
	}
	return false
}

// List is a source of addresses that the configuration holds.
type List struct {
	name    string
	entries Entries
}

var _ Instant = (*List)(nil)

// NewList makes a source of entries as [Entries] takes them.
func NewList(name string, entries []string, sensitive bool) (*List, error) {
	l := &List{name: name, entries: make(Entries, len(entries))}
	for _, e := range entries {
		if err := l.entries.Add(e, sensitive); err != nil {
			return nil, fmt.Errorf("directory: %s: %q is %w", name, e, err)
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("directory: %s: it is empty", name)
	}
	return l, nil
}

// Name implements [Source].
func (l *List) Name() string { return l.name }

// Lookup implements [Source].
func (l *List) Lookup(_ context.Context, q *Query) (sluice.Listing, error) {
	out := sluice.Listing{Presence: sluice.Absent, Source: l.name}
	if l.entries.Match(q.Forms) {
		out.Presence = sluice.Present
	}
	return out, nil
}

// Trouble implements [Source]: there can be none.
func (l *List) Trouble() string { return "" }

// Instant implements [Instant].
func (l *List) Instant() {}
