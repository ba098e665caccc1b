// Package speaker takes what people say of a message to the memories of who speaks
// under which name: [brand.Table] and [service.Memory]. What was learned of a sender ends
// by complaints, and is there again once they are taken back.
//
// Only what was proved of a message counts: whoever forges a firm's address and is
// complained of must not end what is known of the firm. So a message is read together
// with the domains that proved themselves when it came ([sluice.Record.Authenticated]).
package speaker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Said is what a message said of its speaker, as far as it was proved.
type Said struct {
	Tenant  string   `json:",omitzero"`
	From    string   `json:",omitzero"` // the author's address; "" where it wasn't proved
	Name    string   `json:",omitzero"` // that people read
	Signers []string `json:",omitzero"` // organizations that proved themselves
}

// maxSigners bounds how many organizations of a message count.
const maxSigners = 4

// maxName bounds a name that is kept.
const maxName = 200

// Of reads a message that was labelled; ok is false where nothing that it says of its
// author was proved, or where no author can be read.
func Of(tenant string, m *message.Message, proved []sluice.Authenticated) (s Said, ok bool) {
	if m == nil {
		return s, false
	}
	author, clear := m.From()
	domain := header.Lower(author.Domain)
	if !clear || domain == "" {
		return s, false
	}
	s = Said{Tenant: tenant, Name: clip(author.Name)}
	org := links.OrgDomain(domain)
	for _, p := range proved {
		o := links.OrgDomain(header.Lower(p.Domain))
		if o == "" {
			continue
		}
		if o == org {
			s.From = author.String()
		}
		// SPF proves who may send for the reverse-path, and signs nothing.
		if p.By != "spf" && !slices.Contains(s.Signers, o) && len(s.Signers) < maxSigners {
			s.Signers = append(s.Signers, o)
		}
	}
	if len(s.From) > maxName {
		s.From = ""
	}
	return s, s.From != "" || s.Name != "" && len(s.Signers) > 0
}

func clip(s string) string {
	if len(s) <= maxName {
		return s
	}
	return strings.ToValidUTF8(s[:maxName], "")
}

// Memories are those that are told. Either may be nil.
type Memories struct {
	Brands *brand.Table
	Names  *service.Memory
	// List gives the brands in force; nil: as shipped.
	List func() *brand.List
}

func (m *Memories) incoming(s *Said) (in brand.Incoming, ok bool) {
	list := brand.Shipped
	if m.List != nil {
		list = m.List
	}
	in = brand.Incoming{Tenant: s.Tenant, From: s.From, Claims: list().Claimed(s.Name, s.From)}
	return in, m.Brands != nil && s.From != "" && len(in.Claims) > 0
}

// Say takes one voice to them.
func (m *Memories) Say(now time.Time, s Said, v service.Voice, unwanted bool) {
	if in, ok := m.incoming(&s); ok {
		m.Brands.Say(now, in, v, unwanted)
	}
	if m.Names != nil {
		m.Names.Say(now, s.Tenant, s.Name, s.Signers, v, unwanted)
	}
}

// Unsay takes it back.
func (m *Memories) Unsay(now time.Time, s Said, v service.Voice, unwanted bool) {
	if in, ok := m.incoming(&s); ok {
		m.Brands.Unsay(now, in, v, unwanted)
	}
	if m.Names != nil {
		m.Names.Unsay(now, s.Tenant, s.Name, s.Signers, v, unwanted)
	}
}

// MemoKind is the [sluice.Memo.Kind] under which is kept what labels told.
const MemoKind = "said"

// Bounds of what is remembered of labels: their bars hold for a month.
const (
	keep = 31 * 24 * time.Hour
	most = 20_000
)

// Ledger tells the memories of each label once, and can take it back by the label's
// number in the log. Its methods are safe for concurrent use.
type Ledger struct {
	m     Memories
	memos sluice.Memos

	mu   sync.Mutex
	told map[int64]told
}

// told is what one label told.
type told struct {
	Said     Said
	By       string    `json:",omitzero"`
	Trusted  bool      `json:",omitzero"`
	Unwanted bool      `json:",omitzero"`
	Counts   bool      `json:",omitzero"` // the memories know
	Time     time.Time `json:",omitzero"`
}

// NewLedger makes an empty Ledger.
func NewLedger(m Memories, memos sluice.Memos) *Ledger {
	return &Ledger{m: m, memos: memos, told: map[int64]told{}}
}

// Load reads what was told before. What can't be read is left out; the error names the
// first.
func (l *Ledger) Load(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.memos.DropMemos(ctx, MemoKind, now.Add(-keep)); err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	var unread error
	err := l.memos.EachMemo(ctx, MemoKind, func(m sluice.Memo) error {
		seq, err := strconv.ParseInt(m.Key, 10, 64)
		var t told
		if err == nil {
			err = json.Unmarshal(m.Value, &t)
		}
		if err != nil {
			unread = errors.Join(unread, fmt.Errorf("speaker: what label %.20q told can't be read: %w", m.Key, err))
			return nil
		}
		l.told[seq] = t
		return nil
	})
	l.bound()
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	return unread
}

func (l *Ledger) bound() {
	if len(l.told) <= most {
		return
	}
	for _, seq := range slices.Sorted(maps.Keys(l.told))[:most/8] {
		delete(l.told, seq)
	}
}

// Label takes in an entry of the log that is a label, and what was labelled. A label
// that is held tells nothing until it is accepted.
func (l *Ledger) Label(ctx context.Context, f *sluice.Feedback, s Said) error {
	if f.Kind != sluice.FeedbackLabel || f.State == sluice.FeedbackRefused {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, twice := l.told[f.Seq]; twice {
		return nil
	}
	t := told{Said: s, By: f.By, Trusted: f.Trusted, Unwanted: f.Spam, Time: f.Time}
	return l.set(ctx, f.Time, f.Seq, t, f.State == sluice.FeedbackApplied)
}

// Decide takes in an entry that accepts a label or takes it back. Of labels that it was
// never told it knows nothing.
func (l *Ledger) Decide(ctx context.Context, f *sluice.Feedback) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.told[f.Of]
	if !ok {
		return nil
	}
	switch f.Kind {
	case sluice.FeedbackAccept:
		t.Trusted = t.Trusted || !t.Counts // an admin's from here on
		return l.set(ctx, f.Time, f.Of, t, true)
	case sluice.FeedbackUndo, sluice.FeedbackCounter:
		return l.set(ctx, f.Time, f.Of, t, false)
	}
	return nil
}

// set makes a label count or not, and writes it down; mu is held.
func (l *Ledger) set(ctx context.Context, now time.Time, seq int64, t told, counts bool) error {
	v := service.Voice{By: t.By, Trusted: t.Trusted}
	switch {
	case counts && !t.Counts:
		l.m.Say(now, t.Said, v, t.Unwanted)
	case !counts && t.Counts:
		l.m.Unsay(now, t.Said, v, t.Unwanted)
	}
	t.Counts = counts
	l.told[seq] = t
	l.bound()
	b, err := json.Marshal(&t)
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	if err := l.memos.PutMemos(ctx, []sluice.Memo{{Kind: MemoKind, Key: strconv.FormatInt(seq, 10), Value: b, Updated: t.Time}}); err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	return nil
}
