// Package ldap is a directory of subscribers in LDAP: one search, whose entry's
// attributes are mapped to those of a roster.Entry. Connections are those of
// directory/ldap.
package ldap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	source "sluice/directory/ldap"
	"sluice/subscriber"
	"sluice/subscriber/roster"
)

// Config says which directory and what to search.
type Config struct {
	source.Config // its Filter isn't used

	// Filter is an RFC 4515 filter for a trace, with %a for the account, %m for the sender's
	// address, %c for the client's address (escaped, "" where it isn't known), %% for a
	// percent sign: "(uid=%a)". It isn't asked where none of what it names is known.
	Filter string
	// Key is a filter for an account, which a key "account:…" has: default Filter, where
	// that has only %a.
	Key string
	// Attributes map an entry's words account, key, tenant, name, class, language and zone to
	// attributes: default account to "uid".
	Attributes map[string]string
	// Contacts are attributes that hold contacts, in the order in which they are tried.
	Contacts []Contact
}

// Contact says which channel the values of an attribute are for.
type Contact struct {
	Attribute string
	Channel   string
	Same      bool // whoever has the account reads it too
}

// Source is the directory. It is safe for concurrent use; put it behind a
// [roster.Cached].
type Source struct {
	*source.Source
	cfg    Config
	wanted []string
}

var _ subscriber.Directory = (*Source)(nil)

var words = []string{"account", "key", "tenant", "name", "class", "language", "zone"}

// New prepares the source. Nothing is connected yet.
func New(cfg Config) (*Source, error) {
	if cfg.Attributes["account"] == "" && cfg.Attributes["key"] == "" {
		cfg.Attributes = maps.Clone(cfg.Attributes)
		if cfg.Attributes == nil {
			cfg.Attributes = map[string]string{}
		}
		cfg.Attributes["account"] = "uid"
	}
	if cfg.Key == "" && !strings.Contains(cfg.Filter, "%m") && !strings.Contains(cfg.Filter, "%c") {
		cfg.Key = cfg.Filter
	}
	for _, f := range [][2]string{{"filter", cfg.Filter}, {"key", cfg.Key}} {
		text, any, err := fill(f[1], map[byte]string{'a': "x*(", 'm': "x", 'c': "x"})
		if err == nil && !any {
			err = errors.New("no %a, %m or %c in it: it says the same of all")
		}
		if err == nil {
			_, err = ldap.CompileFilter(text)
		}
		if err != nil {
			return nil, fmt.Errorf("roster/ldap: %s: %w", f[0], err)
		}
	}
	s := &Source{cfg: cfg}
	for _, w := range slices.Sorted(maps.Keys(cfg.Attributes)) {
		if !slices.Contains(words, w) {
			return nil, fmt.Errorf("roster/ldap: attributes: %.40q; an entry has %s", w, strings.Join(words, ", "))
		}
		s.wanted = append(s.wanted, cfg.Attributes[w])
	}
	for _, c := range cfg.Contacts {
		if c.Attribute == "" || c.Channel == "" {
			return nil, errors.New("roster/ldap: a contact needs an attribute and a channel")
		}
		s.wanted = append(s.wanted, c.Attribute)
	}
	cfg.Config.Filter = ""
	var err error
	if s.Source, err = source.New(cfg.Config); err != nil {
		return nil, fmt.Errorf("roster/ldap: %w", err)
	}
	return s, nil
}

// fill puts values into a filter. known says that one of them isn't "".
func fill(filter string, values map[byte]string) (text string, known bool, err error) {
	var b strings.Builder
	for i := 0; i < len(filter); i++ {
		if filter[i] != '%' {
			b.WriteByte(filter[i])
			continue
		}
		i++
		v, ok := "", false
		if i < len(filter) {
			v, ok = values[filter[i]]
		}
		switch {
		case i < len(filter) && filter[i] == '%':
			b.WriteByte('%')
		case !ok:
			return "", false, errors.New("there are %a (the account), %m (the sender's address), %c (the client's address) and %%")
		default:
			known = known || v != ""
			b.WriteString(ldap.EscapeFilter(v))
		}
	}
	return b.String(), known, nil
}

// Find implements [subscriber.Directory].
func (s *Source) Find(ctx context.Context, t subscriber.Trace) (subscriber.Subject, bool, error) {
	client := ""
	if t.Client.IsValid() {
		client = t.Client.Unmap().String()
	}
	return s.ask(ctx, s.cfg.Filter, map[byte]string{'a': t.Account, 'm': t.Address, 'c': client})
}

// Subject implements [subscriber.Directory], for keys of accounts.
func (s *Source) Subject(ctx context.Context, key string) (subscriber.Subject, bool, error) {
	account, ok := strings.CutPrefix(key, "account:")
	if !ok {
		return subscriber.Subject{}, false, nil
	}
	return s.ask(ctx, s.cfg.Key, map[byte]string{'a': account, 'm': "", 'c': ""})
}

func (s *Source) ask(ctx context.Context, filter string, values map[byte]string) (none subscriber.Subject, ok bool, err error) {
	text, known, err := fill(filter, values)
	if err != nil || !known {
		return none, false, err
	}
	a, err := s.Entry(ctx, text, s.wanted...)
	if err != nil {
		return none, false, fmt.Errorf("roster/ldap: %w", err)
	}
	if a == nil {
		return none, false, nil
	}
	first := func(word string) string {
		if v := a[s.cfg.Attributes[word]]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	e := roster.Entry{Account: first("account"), Key: first("key"), Tenant: first("tenant"), Name: first("name"), Class: first("class"), Language: first("language"), Zone: first("zone")}
	for _, c := range s.cfg.Contacts {
		for _, v := range a[c.Attribute] {
			e.Contacts = append(e.Contacts, subscriber.Contact{Channel: c.Channel, Address: v, Same: c.Same})
		}
	}
	found, err := e.Subject()
	if err != nil {
		return none, false, fmt.Errorf("roster/ldap: %s: %w", s.Name(), err)
	}
	return found, true, nil
}
