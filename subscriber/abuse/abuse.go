// Package abuse tells others of abuse: the network whose bots came to our port, at its
// abuse contact, and senders whose mail one of our users called spam, by the feedback
// loop that they ask for (CFBL-Address, RFC 9477) or have agreed on.
//
// Reports are ARF (RFC 5965) or XARF 4, and leave by the outbox. They hold no more than
// a header with the addresses of our users made unreadable (RFC 6590).
//
// # What can't happen
//
// Nothing is sent unless the configuration asks for it. Each address of a bot is told
// once in a while, a contact gets so many reports a day, and all of them together so
// many: whoever names somebody else's mailbox as the contact of his network, or makes a
// thousand bots, gets no further than that. Our own networks and domains get none. A
// feedback loop gets a report only for a person's word, never for a filter's.
package abuse

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/dns"
	"sluice/internal/shelf"
	"sluice/internal/table"
)

// Format is how a report is written.
type Format string

// The formats.
const (
	ARF  Format = "arf"
	XARF Format = "xarf"
)

// Contact is the abuse contact of a network, as an admin knows it.
type Contact struct {
	Network netip.Prefix
	Address string // "": this network gets no reports
	Format  Format // default that of the configuration
}

// Config sets up a [Reporter]. Zero numbers take the default.
type Config struct {
	Outbox   sluice.Outbox
	Hostname string // ours
	From     string // address of the reports' author
	OrgName  string // who we are; default Hostname
	// Sign makes signatures of a domain for what we write; nil fields where it has no
	// key. Feedback loops by CFBL-Address need it (RFC 9477 3.5).
	Sign func(raw []byte, domain string, now time.Time) ([]byte, error)
	// Key hashes what is remembered and makes addresses unreadable; at least 16 octets.
	Key []byte
	// Memos keeps who was told across restarts; nil: it is forgotten.
	Memos sluice.Memos

	// Bots of other networks. Without Contacts and Zone none are reported.

	Contacts []Contact    // the narrowest network counts
	Zone     string       // a DNS zone of contacts, such as abuse-contacts.abusix.zone; "" for none
	Resolver dns.Resolver // for Zone
	Format   Format       // default ARF
	// Own are networks of ours, Local says whether a domain, in lower case, is.
	Own   []netip.Prefix
	Local func(domain string) bool

	Least    int           // messages of an address until it is reported; default 3
	Wait     time.Duration // … and for how long more are awaited; default 1 hour
	Again    time.Duration // until an address is reported again; default 24 hours
	Capacity int           // addresses that wait; default 5,000

	// Feedback loops. Without CFBL and Loops none are served.

	CFBL  bool              // those that messages ask for
	Loops map[string]string // by signing domain (DKIM d=), in lower case: the address

	PerContact int // reports to one contact a day; default 10
	PerLoop    int // … and to a feedback loop; default 500
	PerDay     int // of all; default 1000

	SaveEvery time.Duration // default 10 minutes
	Log       *slog.Logger  // default: discards
}

func (c *Config) defaults() error {
	switch {
	case len(c.Key) < 16:
		return errors.New("abuse: the key has under 16 octets")
	case c.Outbox == nil || c.Hostname == "":
		return errors.New("abuse: an outbox and a host name are needed")
	case c.Zone != "" && c.Resolver == nil:
		return errors.New("abuse: a zone of contacts needs a resolver")
	case !mailable(c.From):
		return fmt.Errorf("abuse: author %q isn't an address", c.From)
	case c.CFBL && c.Sign == nil:
		return errors.New("abuse: CFBL-Address needs signed reports (RFC 9477 3.5)")
	}
	for _, k := range c.Contacts {
		if !k.Network.IsValid() || k.Address != "" && !mailable(k.Address) {
			return fmt.Errorf("abuse: contact %q of %s isn't an address of a network", k.Address, k.Network)
		}
		if !k.Format.known() {
			return fmt.Errorf("abuse: format %q isn't known", k.Format)
		}
	}
	for d, a := range c.Loops {
		if !mailable(a) {
			return fmt.Errorf("abuse: feedback loop %q of %s isn't an address", a, d)
		}
	}
	if !c.Format.known() {
		return fmt.Errorf("abuse: format %q isn't known", c.Format)
	}
	c.OrgName = cmp.Or(c.OrgName, c.Hostname)
	c.Format = cmp.Or(c.Format, ARF)
	for _, f := range []struct {
		to  *int
		def int
	}{{&c.Least, 3}, {&c.Capacity, 5000}, {&c.PerContact, 10}, {&c.PerLoop, 500}, {&c.PerDay, 1000}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.Wait, time.Hour}, {&c.Again, 24 * time.Hour}, {&c.SaveEvery, 10 * time.Minute}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	if c.Local == nil {
		c.Local = func(string) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

func (f Format) known() bool { return f == "" || f == ARF || f == XARF }

// mailable says whether an address can stand in a header and envelope of ours.
func mailable(addr string) bool {
	a, err := mail.ParseAddress(addr)
	return err == nil && a.Address == addr && len(addr) <= 254 && ascii(addr) && strings.Contains(sluice.DomainOf(addr), ".")
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x7f || r < ' ' })
}

// Sighting is one message that a bot brought, or tried to.
type Sighting struct {
	Client   netip.AddrPort
	MailFrom string
	Threat   sluice.Threat
	Trapped  bool   // it went to a spamtrap
	Message  []byte // as it came, at least its header; nil where none came. It isn't kept
}

// seen is what waits for its report.
type seen struct {
	first, last time.Time
	due         time.Time // of the report
	n           int
	sample      *sample
}

// sample is the latest message of an address.
type sample struct {
	client   netip.AddrPort
	mailFrom string
	threat   sluice.Threat
	trapped  bool
	header   []byte
	at       time.Time
}

// tells is how much: a message more than none, and a trap more than other recipients.
func (s *sample) tells() (n int) {
	if s.trapped {
		n = 1
	}
	if len(s.header) > 0 {
		n += 2
	}
	return n
}

// key is a place in what is stored.
type key uint64

// tally is how often something was done since, in seconds since 1970.
type tally struct{ Since, N uint32 }

// Reporter watches and writes. Its methods are safe for concurrent use.
type Reporter struct {
	cfg     Config
	waiting *table.Table[netip.Addr, seen]
	told    *shelf.Shelf[key, tally]
	keeper  shelf.Keeper

	sent, capped, nobody atomic.Uint64
}

// mostTold bounds the memory of who was told.
const mostTold = 100_000

// New makes a Reporter.
func New(cfg Config) (*Reporter, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	r := &Reporter{cfg: cfg}
	r.cfg.Contacts = slices.Clone(cfg.Contacts)
	slices.SortStableFunc(r.cfg.Contacts, func(a, b Contact) int { return b.Network.Bits() - a.Network.Bits() })
	r.waiting = table.New[netip.Addr](table.Config[seen]{Capacity: cfg.Capacity, Worth: func(s *seen, now time.Time) float64 {
		if now.Sub(s.last) > watchFor {
			return -1
		}
		return float64(s.n - 1)
	}})
	r.told = shelf.New[key]("told", mostTold, func(t *tally, now time.Time) float64 {
		if now.Unix()-int64(t.Since) > int64(max(cfg.Again, 24*time.Hour)/time.Second) {
			return -1
		}
		return float64(t.N)
	})
	r.keeper = shelf.Keeper{Kind: "abuse", Mark: fmt.Sprintf("%016x", r.hash("mark", "")), Every: cfg.SaveEvery, Shelves: []shelf.Kept{r.told}}
	return r, nil
}

// watchFor is how long an address is watched without anything new.
const watchFor = 24 * time.Hour

// Load reads who was told. Call it before anything is reported.
func (r *Reporter) Load(ctx context.Context, now time.Time) error {
	if r.cfg.Memos == nil {
		return nil
	}
	if _, err := r.keeper.Load(ctx, now, r.cfg.Memos); err != nil {
		return fmt.Errorf("abuse: %w", err)
	}
	return nil
}

// Save writes who was told, at most every Config.SaveEvery; with flush at once. What a
// kill loses may be reported a second time.
func (r *Reporter) Save(ctx context.Context, now time.Time, flush bool) error {
	if r.cfg.Memos == nil {
		return nil
	}
	save := r.keeper.Save
	if flush {
		save = r.keeper.Flush
	}
	if _, err := save(ctx, now, r.cfg.Memos); err != nil {
		return fmt.Errorf("abuse: %w", err)
	}
	return nil
}

// Stats are counters since the start.
type Stats struct {
	Waiting              int    // addresses
	Sent, Capped, Nobody uint64 // reports; those that a limit stopped; addresses without a contact
}

// Stats counts.
func (r *Reporter) Stats() Stats {
	return Stats{Waiting: r.waiting.Len(), Sent: r.sent.Load(), Capped: r.capped.Load(), Nobody: r.nobody.Load()}
}

func (r *Reporter) sum(what, s string) []byte {
	h := hmac.New(sha256.New, r.cfg.Key)
	h.Write([]byte("abuse\x00" + what + "\x00" + s))
	return h.Sum(nil)
}

func (r *Reporter) hash(what, s string) key {
	return key(max(binary.BigEndian.Uint64(r.sum(what, s)), 1))
}

// place is the key of an address: in IPv6 its /64, which is one subscriber.
func place(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}

// foreign says whether an address is of another network that could have a contact.
func (r *Reporter) foreign(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(r.cfg.Own, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Saw takes note of a bot: a message of a client that isn't ours, refused for what it
// is. Mail that proves to come from a known sender isn't a bot's and is not for here.
// It returns at once.
func (r *Reporter) Saw(now time.Time, s Sighting) {
	a := s.Client.Addr().Unmap()
	if len(r.cfg.Contacts) == 0 && r.cfg.Zone == "" || !r.foreign(a) {
		return
	}
	k := &sample{client: netip.AddrPortFrom(a, s.Client.Port()), mailFrom: s.MailFrom, threat: s.Threat, trapped: s.Trapped, header: head(s.Message), at: now}
	r.waiting.Update(place(a), now, func(w *seen) {
		if now.Sub(w.last) > watchFor {
			*w = seen{first: now, due: now.Add(r.cfg.Wait)}
		}
		w.last = now
		w.n++
		if w.sample == nil || k.tells() >= w.sample.tells() {
			w.sample = k
		}
	})
}

// mostSent bounds the reports of one call, so that contacts are asked for in peace.
const mostSent = 50

// Send reports the bots whose time has come, those with the most messages first. Call it
// every minute. The error is the first of the outbox or of a resolver; what failed is
// tried again.
func (r *Reporter) Send(ctx context.Context, now time.Time) (sent int, err error) {
	type due struct {
		place netip.Addr
		seen
	}
	var list []due
	for a, s := range r.waiting.All() {
		if now.Sub(s.last) > watchFor {
			r.waiting.Delete(a)
		} else if s.n >= r.cfg.Least && !now.Before(s.due) {
			list = append(list, due{a, s})
		}
	}
	slices.SortFunc(list, func(a, b due) int { return cmp.Or(b.n-a.n, a.place.Compare(b.place)) })
	for i, d := range list {
		if i == mostSent || ctx.Err() != nil {
			break
		}
		n, e := r.report(ctx, now, d.place, &d.seen)
		sent += n
		if e != nil {
			err = cmp.Or(err, e)
			continue
		}
		r.waiting.Delete(d.place)
	}
	return sent, err
}

// report tells the contacts of one address. nil: there is nothing left to do.
func (r *Reporter) report(ctx context.Context, now time.Time, a netip.Addr, s *seen) (sent int, err error) {
	before := r.hash("address", a.String())
	if t, ok := r.told.Get(before); ok && now.Unix()-int64(t.Since) < int64(r.cfg.Again/time.Second) {
		return 0, nil
	}
	to, err := r.contacts(ctx, s.sample.client.Addr())
	if err != nil { // others shall not wait for a zone that doesn't answer
		r.waiting.Amend(a, now, func(w *seen) { w.due = now.Add(r.cfg.Wait) })
		return 0, err
	}
	if len(to) == 0 {
		r.nobody.Add(1)
	}
	for _, c := range to {
		took, err := r.write(ctx, now, c, r.cfg.PerContact, &report{about: a.String(), seen: *s})
		if err != nil {
			return sent, err
		}
		if took {
			sent++
		}
	}
	r.told.Update(before, now, func(t *tally) bool { *t = tally{uint32(now.Unix()), 1}; return true })
	return sent, nil
}

// take counts up to most a day under a name, and says whether there was room.
func (r *Reporter) take(name string, now time.Time, most int) (ok bool) {
	r.told.Update(r.hash("limit", name), now, func(t *tally) bool {
		if now.Unix()/86400 != int64(t.Since)/86400 {
			*t = tally{Since: uint32(now.Unix())}
		}
		if ok = int(t.N) < most; ok {
			t.N++
		}
		return ok
	})
	return ok
}

// giveBack undoes take.
func (r *Reporter) giveBack(name string, now time.Time) {
	r.told.Update(r.hash("limit", name), now, func(t *tally) bool { t.N = max(t.N, 1) - 1; return true })
}

// prefix begins the ids of ours in the outbox. A gate's ids have no "-".
const prefix = "abuse-"

// write puts one report into the outbox, within the limits. A report that was already
// made today for the same reason has the same id.
func (r *Reporter) write(ctx context.Context, now time.Time, c Contact, most int, p *report) (took bool, err error) {
	name := strings.ToLower(c.Address)
	if !r.take("", now, r.cfg.PerDay) {
		r.capped.Add(1)
		return false, nil
	}
	if !r.take(name, now, most) {
		r.giveBack("", now)
		r.capped.Add(1)
		return false, nil
	}
	defer func() {
		if err != nil {
			r.giveBack("", now)
			r.giveBack(name, now)
		}
	}()
	p.id = r.sum("id", now.UTC().Format(time.DateOnly)+"\x00"+p.about+"\x00"+name)
	raw, err := r.compose(now, c, p)
	if err != nil {
		return false, err
	}
	id := prefix + hex.EncodeToString(p.id[:8])
	d := &sluice.Delivery{ID: id, Body: raw, Envelope: &sluice.Envelope{ID: id, Body: "7BIT", Outbound: true, Received: now, Rcpts: []sluice.Recipient{{Address: c.Address}}}}
	if r.cfg.Sign != nil {
		if d.Header, err = r.cfg.Sign(raw, sluice.DomainOf(r.cfg.From), now); err != nil {
			return false, fmt.Errorf("abuse: signing: %w", err)
		}
	}
	if p.signed && len(d.Header) == 0 {
		return false, fmt.Errorf("abuse: there is no key of %s, and this report must be signed (RFC 9477 3.5)", sluice.DomainOf(r.cfg.From))
	}
	if err := r.cfg.Outbox.Put(ctx, d); err != nil {
		return false, fmt.Errorf("abuse: %w", err)
	}
	r.sent.Add(1)
	r.cfg.Log.Info("abuse reported", "to", c.Address, "source", p.sample.client.Addr().String(), "format", string(c.Format), "id", id)
	return true, nil
}
