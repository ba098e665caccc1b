// Package directory knows who receives mail here: it asks the sources of a
// recipient's domain in turn and remembers what they said.
//
// The sources are in folders of their own: file, ldap, sql and callahead; [NewList]
// holds addresses of the configuration. A source that is away never makes an
// address unknown: only a clear no is [sluice.Absent], and everything else that is
// not a clear yes is [sluice.CantTell].
//
// Sources that answer from memory are asked each time. The answers of others are
// cached, in a table that random addresses can't flush, and are asked for once
// however many want to know. A yes is renewed before it ends, and outlives its
// source's trouble; a no is short; no trouble is remembered beyond seconds.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/internal/table"
	"sluice/smtp"
)

// Source answers for addresses of the domains that it is configured for. It is
// safe for concurrent use.
type Source interface {
	// Name says which source it is, without secrets: "file /etc/recipients",
	// "ldap://host".
	Name() string
	// Lookup finds an address. CantTell comes with an error where the source is in
	// trouble, and without one where it just has no answer. A Reply holds the back
	// end's words where it refused for another reason than not knowing the address.
	Lookup(ctx context.Context, q *Query) (sluice.Listing, error)
	// Trouble says in words for the operator what is wrong though answers come, ""
	// where nothing is: the file vanished, the back end takes every address.
	Trouble() string
}

// Instant is a [Source] that answers from memory. Its answers are not cached, so
// that a change counts at once.
type Instant interface {
	Source
	// Instant does nothing; it only marks the source.
	Instant()
}

// ErrBusy is in the error of a source that has more to do than it may. It is no
// sign that the source is down.
var ErrBusy = errors.New("too many lookups at a time")

// Config says whom to ask. Zero values get the default.
type Config struct {
	// Domains are the recipient domains by name, in lower-case A-labels. Nothing is
	// known of others: CantTell without an error.
	Domains map[string]Domain
	// Always are local parts that exist whatever the sources say; nil: postmaster
	// (RFC 5321 4.5.1) and abuse (RFC 2142). postmaster is always one of them.
	Always []string

	PresentFor time.Duration // how long a yes holds; default 1 h; renewed in the background when 3/4 are over
	AbsentFor  time.Duration // how long a no holds; default 10 min
	StaleFor   time.Duration // how long after its end a yes may be served while no source answers; default 24 h
	TroubleFor time.Duration // how long no answer is given again; default 3 s, at most 10 s

	Size       int // addresses remembered; default 100,000 (some 25 MB when full)
	MaxLookups int // lookups under way at a time; default 256; beyond it CantTell

	Logger *slog.Logger // a source that goes down or comes back; default: none
}

// Domain is one recipient domain.
type Domain struct {
	Sources []Use // in the order in which they are asked
	// As is the domain whose entries count in lists, for a domain that is another
	// name for it; "" for the domain itself.
	As            string
	Delimiters    string // octets that start an extension of a local part, such as "+"; "" for none
	CaseSensitive bool   // local parts differ by case
}

// Use is how a domain uses a source.
type Use struct {
	Source Source
	// Partial means that the source knows some of the domain's addresses only: its
	// no is passed over.
	Partial bool
	Timeout time.Duration // for one lookup; default 3 s, at most 30 s
}

// Directory asks sources and remembers. It is safe for concurrent use.
type Directory struct {
	cfg     Config
	domains map[string]*domain
	sources []*guard
	log     *slog.Logger

	cache   *table.Table[string, entry]
	mu      sync.Mutex
	flights map[string]*flight
	closed  bool
	running sync.WaitGroup
	counts  counts
}

var _ sluice.Directory = (*Directory)(nil)

type domain struct {
	as         string
	delimiters string
	sensitive  bool
	instant    []use // those at the start that answer from memory
	rest       []use
}

type use struct {
	*guard
	partial bool
	timeout time.Duration
}

func setDefault[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// New makes a directory. Nothing is asked yet.
func New(cfg Config) (*Directory, error) {
	if cfg.Always == nil {
		cfg.Always = []string{"abuse"}
	}
	cfg.Always = append([]string{"postmaster"}, cfg.Always...)
	setDefault(&cfg.PresentFor, time.Hour)
	setDefault(&cfg.AbsentFor, 10*time.Minute)
	setDefault(&cfg.StaleFor, 24*time.Hour)
	setDefault(&cfg.TroubleFor, 3*time.Second)
	cfg.TroubleFor = min(cfg.TroubleFor, 10*time.Second)
	setDefault(&cfg.Size, 100_000)
	setDefault(&cfg.MaxLookups, 256)
	d := &Directory{cfg: cfg, domains: map[string]*domain{}, log: cfg.Logger, flights: map[string]*flight{}}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.cache = table.New[string](table.Config[entry]{Capacity: cfg.Size, Worth: d.worth})
	guards := map[Source]*guard{}
	for _, name := range slices.Sorted(maps.Keys(cfg.Domains)) {
		if name == "" || name != fold(name) {
			return nil, fmt.Errorf("directory: domain %q is not in lower-case letters", name)
		}
		in := cfg.Domains[name]
		dom := &domain{as: in.As, delimiters: in.Delimiters, sensitive: in.CaseSensitive}
		for _, u := range in.Sources {
			if u.Source == nil {
				return nil, fmt.Errorf("directory: domain %q has a source that is nil", name)
			}
			setDefault(&u.Timeout, 3*time.Second)
			g := guards[u.Source]
			if g == nil {
				g = newGuard(u.Source, d.log)
				guards[u.Source] = g
				d.sources = append(d.sources, g)
			}
			g.domains = append(g.domains, name)
			next := use{guard: g, partial: u.Partial, timeout: min(u.Timeout, 30*time.Second)}
			if g.instant && len(dom.rest) == 0 {
				dom.instant = append(dom.instant, next)
			} else {
				dom.rest = append(dom.rest, next)
			}
		}
		d.domains[name] = dom
	}
	return d, nil
}

// Close waits for the lookups under way. Sources are closed by who made them.
func (d *Directory) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.running.Wait()
	return nil
}

// alwaysSource is the source of names that must exist.
const alwaysSource = "a name that every domain has"

// Lookup implements [sluice.Directory]. Where ctx ends first the answer is
// CantTell; the question stays under way for the next one who asks.
func (d *Directory) Lookup(ctx context.Context, address string) (sluice.Listing, error) {
	// RFC 5321 4.5.1: postmaster may come without a domain.
	if smtp.EqualFold(address, "postmaster") {
		return sluice.Listing{Presence: sluice.Present, Source: alwaysSource}, nil
	}
	local, name, err := split(address)
	if err != nil {
		return sluice.Listing{}, err
	}
	dom := d.domains[name]
	if dom == nil {
		if lower := fold(name); lower != name {
			return d.Lookup(ctx, local+"@"+lower)
		}
		return sluice.Listing{}, nil
	}
	normal := dom.normal(local)
	for _, a := range d.cfg.Always {
		if smtp.EqualFold(normal, a) {
			return sluice.Listing{Presence: sluice.Present, Source: alwaysSource}, nil
		}
	}
	key := address
	if normal != local {
		local, key = normal, normal+"@"+name
	}
	var asked *answer
	if len(dom.instant) > 0 {
		asked = &answer{}
		if asked.ask(ctx, dom.instant, dom.query(address, local, name)) || len(dom.rest) == 0 {
			return asked.listing, asked.err()
		}
	} else if len(dom.rest) == 0 {
		return sluice.Listing{}, nil
	}
	listing, err := d.remembered(ctx, question{key: key, dom: dom, address: address, local: local, name: name})
	if asked != nil && listing.Presence == sluice.CantTell {
		// What the first ones had to say is a part of why nobody knows.
		err = errors.Join(asked.err(), err)
	}
	return listing, err
}

// question is one that sources with a cache before them are asked.
type question struct {
	key                  string // the address as it is remembered
	dom                  *domain
	address, local, name string
}

func (q *question) ask(ctx context.Context) (sluice.Listing, error) {
	// A source that stumbles over what is no address would look as if it were down.
	if _, err := smtp.ParseAddress(q.address); err != nil {
		return sluice.Listing{}, fmt.Errorf("directory: %q: %w", q.address, err)
	}
	var a answer
	a.ask(ctx, q.dom.rest, q.dom.query(q.address, q.local, q.name))
	return a.listing, a.err()
}

func (d *domain) normal(local string) string {
	local = plain(local)
	if d.sensitive {
		return local
	}
	return fold(local)
}

// answer is what the sources asked so far have said.
type answer struct {
	listing sluice.Listing
	errs    []error
}

// ask asks one source after the other until one knows, and says whether one did.
func (a *answer) ask(ctx context.Context, sources []use, q *Query) bool {
	for _, u := range sources {
		l, err := u.ask(ctx, q)
		switch {
		case err != nil:
			a.errs = append(a.errs, err)
			l.Presence = sluice.CantTell
		case l.Presence == sluice.Absent && u.partial:
			continue
		}
		if l.Presence != sluice.CantTell {
			// A back end that said "mailbox full" is right, though another source
			// knows the mailbox.
			if l.Presence == sluice.Present && l.Reply.Code == 0 {
				l.Reply = a.listing.Reply
			}
			a.listing, a.errs = l, nil
			return true
		}
		if a.listing.Reply.Code == 0 && l.Reply.Code != 0 {
			a.listing = l
		}
	}
	return false
}

func (a *answer) err() error {
	switch len(a.errs) {
	case 0:
		return nil
	case 1:
		return a.errs[0]
	}
	return errors.Join(a.errs...)
}

// Health says how each source does, in the order of their domains' names.
func (d *Directory) Health() []Health {
	out := make([]Health, len(d.sources))
	for i, g := range d.sources {
		out[i] = g.health()
	}
	return out
}

// Domain says in one line how a domain's recipients are known.
func (d *Directory) Domain(name string) string {
	dom := d.domains[name]
	if dom == nil || len(dom.instant)+len(dom.rest) == 0 {
		return name + ": nothing knows its recipients"
	}
	var names []string
	for _, u := range slices.Concat(dom.instant, dom.rest) {
		n := u.source.Name()
		if u.partial {
			n += " (knows some)"
		}
		names = append(names, n)
	}
	return name + ": " + strings.Join(names, ", then ")
}
