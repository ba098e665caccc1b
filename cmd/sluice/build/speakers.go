package build

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/check"
	checkbrand "sluice/check/brand"
	"sluice/check/identity"
	checklookalike "sluice/check/lookalike"
	checkthread "sluice/check/thread"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/learn/anomaly"
	"sluice/learn/brand"
	"sluice/learn/correspondent"
	"sluice/learn/domain"
	"sluice/learn/lookalike"
	"sluice/learn/reputation"
	"sluice/learn/service"
	"sluice/learn/speaker"
	"sluice/learn/thread"
)

// Speakers is what is known of who may speak in whose name: brands and people, domains
// that look like others', conversations, and what is unusual. The lists hold from the
// start; what is learned lives as long as the daemon, and what matters of it longer.
type Speakers struct {
	brands  atomic.Pointer[brand.List]
	people  atomic.Pointer[correspondent.People]
	alike   *lookalike.Index
	learned *learnedSpeakers // nil: nothing is remembered

	mu  sync.Mutex
	own []string // our domains, as they stand in alike
}

// learnedSpeakers is what mail has taught.
type learnedSpeakers struct {
	memory  *Memory
	brands  *brand.Table
	names   *service.Memory
	domains *domain.Memory
	threads *thread.Table
	lane    *anomaly.Lane // nil: nothing is queued
	reviews sluice.Reviews
	queue   chan reviewed
	log     *slog.Logger
}

// reviewed is a message for the queue, and the one whose place it takes.
type reviewed struct {
	put      *sluice.Review
	replaces string
}

// ListedSpeakers knows the lists alone.
func ListedSpeakers(cfg *config.Config) (*Speakers, error) {
	s := &Speakers{alike: lookalike.New(lookalike.Config{})}
	if err := s.Apply(cfg); err != nil {
		return nil, err
	}
	for _, b := range s.brands.Load().All() {
		for i, d := range b.Domains {
			s.alike.Add(lookalike.Name{Domain: d, Kind: lookalike.Brand, Weight: uint8(max(0, 100-i))})
		}
	}
	return s, nil
}

// NewSpeakers knows the lists, and loads what was learned. What can't be read is
// forgotten: a gateway without a memory is better than none.
func NewSpeakers(ctx context.Context, cfg *config.Config, store sluice.Store, reviews sluice.Reviews, mem *Memory, log *slog.Logger) (*Speakers, error) {
	s, err := ListedSpeakers(cfg)
	if err != nil {
		return nil, err
	}
	key, err := secret.Site(cfg.Data)
	if err != nil {
		log.Error("who speaks for whom: nothing is remembered", "error", err)
		return s, nil
	}
	l := &learnedSpeakers{memory: mem, reviews: reviews, queue: make(chan reviewed, 64), log: log, domains: domain.New(domain.Config{})}
	if l.brands, err = brand.New(brand.Config{Key: secret.For(key, brand.MemoKind)}); err != nil {
		return nil, err
	}
	if l.names, err = service.NewMemory(service.Config{Key: secret.For(key, "service")}); err != nil {
		return nil, err
	}
	if l.threads, err = thread.New(thread.Config{Key: secret.For(key, thread.MemoKind)}); err != nil {
		return nil, err
	}
	if !cfg.Review.Off {
		if l.lane, err = anomaly.New(anomaly.Config{Key: secret.For(key, anomaly.MemoKind), Budget: cfg.Review.PerDay}); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	for _, k := range l.kept() {
		if _, err := k.Load(ctx, now, store); err != nil {
			log.Error("some of what was learned of senders can't be read and is forgotten", "error", err)
		}
	}
	for org, days := range l.domains.Written {
		s.alike.Add(lookalike.Name{Domain: org, Kind: lookalike.Correspondent, Weight: uint8(min(days, 100))})
	}
	s.learned = l
	mem.Related = s.related
	return s, nil
}

// Brands is the list in force: the shipped one with the admin's.
func Brands(cfg *config.Config) (*brand.List, error) {
	var more []brand.Brand
	for _, b := range cfg.Brands {
		one := brand.Brand{Domains: b.Domains, Links: b.Links}
		for _, n := range append([]string{b.Name}, b.Aliases...) {
			one.Names = append(one.Names, brand.Name{Text: n, Common: b.Common})
		}
		more = append(more, one)
	}
	list, err := brand.Shipped().With(more)
	if err != nil {
		return nil, fmt.Errorf("brand: %w", err)
	}
	return list, nil
}

// Ledger takes what people say of messages to what was learned; nil where nothing is.
func (s *Speakers) Ledger(ctx context.Context, memos sluice.Memos) *speaker.Ledger {
	if s.learned == nil {
		return nil
	}
	l := speaker.NewLedger(speaker.Memories{Brands: s.learned.brands, Names: s.learned.names, List: s.brands.Load}, memos)
	if err := l.Load(ctx, time.Now()); err != nil {
		s.learned.log.Error("some of what people said of senders can't be read and is forgotten", "error", err)
	}
	return l
}

// Apply takes the lists of new settings.
func (s *Speakers) Apply(cfg *config.Config) error {
	list, err := Brands(cfg)
	if err != nil {
		return err
	}
	var protected []correspondent.Protected
	for _, p := range cfg.People {
		protected = append(protected, correspondent.Protected{Name: p.Name, Addresses: p.Addresses})
	}
	people, err := correspondent.NewPeople(protected)
	if err != nil {
		return fmt.Errorf("person: %w", err)
	}
	s.brands.Store(list)
	s.people.Store(people)
	var own []string
	if !cfg.FirstTry { // reserved names look like everybody's example
		for _, d := range cfg.Domains {
			own = append(own, d.Names...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.own {
		if !slices.Contains(own, d) {
			s.alike.Remove(d, lookalike.Own)
		}
	}
	for _, d := range own {
		s.alike.Add(lookalike.Name{Domain: d, Kind: lookalike.Own, Weight: 100})
	}
	s.own = own
	return nil
}

// alikeConfig is how checks ask who is protected.
func (s *Speakers) alikeConfig() checklookalike.Config {
	c := checklookalike.Config{Index: s.alike, Title: func(d string) string {
		if of := s.brands.Load().Of(d); len(of) > 0 {
			return of[0].String()
		}
		return ""
	}}
	if s.learned != nil {
		rep := s.learned.memory.Reputation
		c.Established = func(org string) bool {
			score := rep.Score(time.Now(), reputation.DomainKey(org))
			return score.Good >= 3 && score.Bad <= score.Good/10
		}
	}
	return c
}

func (s *Speakers) brandConfig() checkbrand.Config {
	c := checkbrand.Config{List: s.brands.Load}
	if s.learned != nil {
		c.Memory = s.learned.brands
	}
	return c
}

// checks are those that ask who looks like whom, and who is in a conversation.
func (s *Speakers) checks() []check.Checker {
	out := checklookalike.Checks(s.alikeConfig())
	if l := s.learned; l != nil {
		out = append(out, identity.Known(l.names)...)
		out = append(out, checkthread.Checks(checkthread.Config{Threads: l.threads, Correspondents: l.memory.Correspondents})...)
	}
	return out
}

// correspondents are who writes to whom; nil where nobody knows.
func (s *Speakers) correspondents() *correspondent.Table {
	if s.learned == nil {
		return nil
	}
	return s.learned.memory.Correspondents
}

// places is where mail has led before; nil where nobody knows.
func (s *Speakers) places() *domain.Memory {
	if s.learned == nil {
		return nil
	}
	return s.learned.domains
}

// related says whether a domain belongs to a brand that owner belongs to.
func (s *Speakers) related(owner, domain string) bool {
	return slices.ContainsFunc(s.brands.Load().Of(owner), func(b *brand.Brand) bool { return b.Sends(domain) })
}

// kept is what is saved.
type kept interface {
	Load(ctx context.Context, now time.Time, memos sluice.Memos) (int, error)
	Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error)
	Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error)
}

func (l *learnedSpeakers) kept() []kept {
	out := []kept{l.brands, l.names, l.domains, l.threads}
	if l.lane != nil {
		out = append(out, l.lane)
	}
	return out
}
