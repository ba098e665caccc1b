// Package dnsbl holds the checks of what DNS lists say about the client. One states
// at connect what is remembered and waits for nobody; the other waits at MAIL for
// what was missing. A list's silence is never evidence.
package dnsbl

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/check"
	"sluice/dns/dnsbl"
	"sluice/reason"
)

// Config says which lists count, and when they decide alone.
type Config struct {
	Lists *dnsbl.Set
	// Threshold is the weight of block lists, less that of allow lists, from which
	// the client is refused; 0: 8. Negative: never.
	Threshold float64
	// Wait is how long MAIL waits for the lists, all together; 0: 2 s.
	Wait time.Duration
}

const (
	defaultThreshold = 8
	defaultWait      = 2 * time.Second
	// most is what all listings of one kind are worth as evidence: they are judged and
	// soft. The threshold counts the lists' full weights.
	most = 6.0
)

// Checks returns the checks of this folder.
func Checks(c Config) []check.Checker {
	if c.Threshold == 0 {
		c.Threshold = defaultThreshold
	}
	if c.Wait <= 0 {
		c.Wait = defaultWait
	}
	s := &shared{Config: c, stated: &stated{}}
	return []check.Checker{&connect{s}, &mail{s}, &hello{s}}
}

type shared struct {
	Config
	stated *stated
}

// Unknown comes first: it is what a check without an answer amounts to.
var reasons = []sluice.Reason{reason.DNSBLUnknown, reason.DNSBLListed, reason.DnswlListed, reason.DNSBLBlocked}

// asks says whether the lists have a say: not about those who log in, of whom many
// are on lists of dynamic addresses as they should be, not about our own hosts, and
// not about a message from a disk, whose client was listed or not at another time.
func asks(c *sluice.Conn) bool {
	return c.Client.Addr().IsValid() && !c.Trusted && c.Auth == "" && c.Door != sluice.DoorSubmission && !c.Stored
}

type connect struct{ *shared }

// Info returns the declaration.
func (c *connect) Info() check.Info {
	return check.Info{Name: "dnsbl/connect", Phase: sluice.PhaseConnect, Group: sluice.GroupReputation, Cost: check.Cheap, Reasons: reasons}
}

// Check states what is remembered, if that is all there is to know: half of it might
// lack the allow list that speaks for the client.
func (c *connect) Check(_ context.Context, in *check.Input) ([]sluice.Evidence, error) {
	c.stated.forget(in.Conn.ID, in.Now) // another client may stand behind the connection now (XFORWARD)
	if !asks(in.Conn) {
		return nil, nil
	}
	r, complete := c.Lists.Cached(in.Conn.Client.Addr())
	if !complete {
		return nil, nil // most who come and go without a word aren't worth a question
	}
	found := c.state(r, sluice.PhaseConnect)
	if len(found) > 0 && !c.stated.note(in.Conn.ID) && found[0].Hard != sluice.HardStop {
		return nil, nil // MAIL will state it, having no way to know that it was stated
	}
	return found, nil
}

// hello asks, and doesn't wait: whoever greets will mostly want to send.
type hello struct{ *shared }

// Info returns the declaration.
func (h *hello) Info() check.Info {
	return check.Info{Name: "dnsbl/hello", Phase: sluice.PhaseHello, Group: sluice.GroupReputation, Cost: check.Cheap, Reasons: reasons[:1]}
}

// Check begins the questions.
func (h *hello) Check(_ context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if asks(in.Conn) && !h.stated.has(in.Conn.ID) {
		h.Lists.Start(in.Conn.Client.Addr())
	}
	return nil, nil
}

type mail struct{ *shared }

// Info returns the declaration. The deadline leaves the check time to say what it
// has when its own wait is over.
func (m *mail) Info() check.Info {
	return check.Info{Name: "dnsbl/mail", Phase: sluice.PhaseMail, Group: sluice.GroupReputation, Cost: check.Remote,
		Deadline: m.Wait + time.Second, Reasons: reasons}
}

// Check waits for the lists and states what connect didn't.
func (m *mail) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if !asks(in.Conn) || m.stated.has(in.Conn.ID) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.Wait)
	defer cancel()
	return m.state(m.Lists.Lookup(ctx, in.Conn.Client.Addr()), sluice.PhaseMail), nil
}

// state turns a result into evidence, what decides first.
func (s *shared) state(r dnsbl.Result, phase sluice.Phase) []sluice.Evidence {
	if len(r.Answers) == 0 {
		return nil
	}
	var found []sluice.Evidence
	var unknown, blocking []string
	block, allow := most/max(r.Block, most), most/max(r.Allow, most)
	for _, a := range r.Answers {
		switch {
		case !a.Listed:
			unknown = append(unknown, a.List+": "+a.Why)
		case a.Kind == dnsbl.Allow:
			ev := check.Found(reason.DnswlListed, words(a))
			ev.Raw = -a.Weight * allow
			found = append(found, ev)
		default:
			ev := check.Found(reason.DNSBLListed, words(a))
			ev.Raw = a.Weight * block
			found = append(found, ev)
			blocking = append(blocking, words(a))
		}
	}
	if len(unknown) > 0 {
		found = append(found, check.Unknown(reason.DNSBLUnknown, strings.Join(unknown, "; ")))
	}
	if score := r.Block - r.Allow; s.Threshold > 0 && r.Block > 0 && score >= s.Threshold {
		detail := fmt.Sprintf("lists weigh %.1f, from %.1f on refused: %s", score, s.Threshold, strings.Join(blocking, "; "))
		found = append([]sluice.Evidence{check.Found(reason.DNSBLBlocked, detail)}, found...)
	}
	for i := range found {
		found[i].Phase = phase
	}
	return found
}

// words is a listing in words: the list, its answers, what they mean, where to read
// more.
func words(a dnsbl.Said) string {
	codes := make([]string, len(a.Codes))
	for i, c := range a.Codes {
		codes[i] = c.String()
	}
	s := fmt.Sprintf("%s: %s (%s)", a.List, strings.Join(codes, ", "), a.Meaning)
	if a.Page != "" {
		s += ", see " + a.Page
	}
	return s
}

// stated remembers the connections about which connect has spoken: what was said
// then stands in their ledger, and must not stand there twice. It is bounded; who
// finds it full leaves the word to MAIL.
type stated struct {
	mu       sync.Mutex
	now, old map[string]struct{}
	turned   time.Time
}

const (
	maxStated = 1 << 16
	turnTime  = time.Hour // longer than any session
)

// note remembers a connection, or says that it can't.
func (s *stated) note(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" || len(s.now) >= maxStated {
		return false
	}
	if s.now == nil {
		s.now = map[string]struct{}{}
	}
	s.now[id] = struct{}{}
	return true
}

func (s *stated) forget(id string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := at.Sub(s.turned); age >= turnTime || age < 0 {
		s.now, s.old, s.turned = nil, s.now, at
	}
	delete(s.now, id)
	delete(s.old, id)
}

func (s *stated) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := s.now[id]
	_, old := s.old[id]
	return now || old
}
