package callahead

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice"
	"sluice/smtp"
)

// character is what is known of how the back end treats a domain's addresses.
type character struct {
	probing chan struct{} // held by the one lookup that probes

	mu      sync.Mutex
	next    time.Time // of the next probe
	probed  bool      // once at least
	takes   bool      // it took a made-up address
	refuses bool      // it refused postmaster too, and has taken nobody yet
	anybody bool      // it took an address once that wasn't made up, while it refused made-up ones
	words   string    // with which it refused postmaster
	other   string    // its last answer, where that was a refusal that isn't about the address
}

// maxDomains bounds the domains that are told apart. Only configured domains are
// asked about, so that nobody outside can fill them.
const maxDomains = 100_000

func (s *Source) domain(name string) *character {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.domains[name]
	if d == nil {
		d = &character{probing: make(chan struct{}, 1)}
		if len(s.domains) < maxDomains {
			s.domains[name] = d
		}
	}
	return d
}

// again is how soon a probe that told nothing is made again.
const again = time.Minute

// lock says whether the caller has to probe, and then to unlock. One does at a
// time: before the first probe the others wait, since no answer means anything
// yet; later they go on with what is known.
func (d *character) lock(ctx context.Context) (bool, error) {
	due, probed := d.state(time.Now())
	switch {
	case !due:
		return false, nil
	case probed:
		select {
		case d.probing <- struct{}{}:
			return true, nil
		default:
			return false, nil
		}
	}
	select {
	case d.probing <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if due, _ = d.state(time.Now()); !due {
		d.unlock()
	}
	return due, nil
}

func (d *character) unlock() { <-d.probing }

func (d *character) state(now time.Time) (due, probed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !now.Before(d.next), d.probed
}

// learn takes a probe's results: for a made-up address, and for postmaster.
func (d *character) learn(now time.Time, every time.Duration, made, master sluice.Presence, said string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.probed, d.next = true, now.Add(every)
	switch made {
	case sluice.Present:
		d.takes, d.refuses = true, false
	case sluice.Absent:
		d.takes = false
		d.refuses, d.words = master == sluice.Absent && !d.anybody, said
	default:
		d.next = now.Add(min(again, every))
	}
}

// known notes that the back end has taken an address.
func (d *character) known() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.probed && !d.takes {
		d.anybody, d.refuses = true, false
	}
}

// listing is what an answer means from a back end of this character.
func (d *character) listing(source string, r smtp.Reply) sluice.Listing {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, keep := verdict(r)
	l := sluice.Listing{Presence: p, Source: source}
	if keep {
		l.Reply = said(r)
	}
	d.other = ""
	if p == sluice.CantTell && r.Code >= 500 {
		d.other = words(r)
	}
	if d.takes && p == sluice.Present && !keep || d.refuses && p == sluice.Absent {
		l.Presence = sluice.CantTell
	}
	return l
}

// trouble says in words for the operator why answers mean nothing, "" where they
// do.
func (d *character) trouble() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.takes:
		return "the back end takes every address, even a made-up one, so asking it tells nothing; make it refuse unknown recipients at RCPT, or name another directory"
	case d.refuses:
		return fmt.Sprintf("the back end refuses every address, even postmaster (%s), so its no means nothing; let this host relay to it, and give it a postmaster (RFC 5321 4.5.1)", d.words)
	case d.other != "":
		return fmt.Sprintf("the back end refused for a reason that isn't the address (%s), which tells nothing; it is asked as the null sender, so see whether it takes bounces from this host", d.other)
	}
	return ""
}
