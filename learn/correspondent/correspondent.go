// Package correspondent remembers who writes to whom: which outside addresses our
// own people have written to, who writes to them and is who it says, by what names,
// and which of our messages a reply may answer.
//
// # What makes a correspondent
//
// Only our side can make one at once: a message of a user of ours, written by a
// person and not by an autoresponder. Else it takes accepted mail of an
// authenticated author on five different days, the first and the last at least two
// weeks apart. How much comes in a day doesn't matter, so a spammer who writes daily
// has to be accepted, under a name that authenticates, for two weeks, and then has
// one or two decibels. A report ends what was learned of an address, for a month.
//
// A pair is remembered at three levels: their address and ours, their address and
// our domain, their domain and ours. Providers where anybody gets an address have no
// domain level.
//
// # What is stored
//
// Keys are hashes under a key of the site, 64 bits long, of tenant and addresses; the
// values are counts and days. Whoever has the store and not the key can't list
// correspondents, nor ask for one. Names are hashed too.
//
// # What strangers can't do
//
// Tables are bounded (see internal/table). What our side wrote to is worth more
// than anything that strangers can make, and an account of ours adds at most
// Config.Daily addresses in a day, so that a stolen account doesn't fill the table.
package correspondent

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"sluice"
	"sluice/internal/domains"
	"sluice/internal/shelf"
	"sluice/internal/table"
	"sluice/message/links"
)

// Config sets up a Table. Zero fields but Key take the default.
type Config struct {
	// Key is the site's secret under which addresses are hashed, at least 16 octets.
	// With another key all that was stored is unknown.
	Key []byte
	// Capacity is how many pairs are remembered, default 200,000, at most a million;
	// half as many names and message identifiers. All of it is about 20 MB by default.
	Capacity  int
	Days      int           // days with accepted mail that make a correspondent, default 5
	Span      time.Duration // between the first and the last of them, default 14 days
	Keep      time.Duration // how long what our side wrote counts, default 400 days
	KeepIn    time.Duration // how long after their last mail receipts count, default 120 days
	Replies   time.Duration // how long a reply to our mail is expected, default 60 days
	Daily     int           // addresses that one account of ours adds in a day, default 200
	SaveEvery time.Duration // the shortest time between two saves, default 5 minutes
}

const day = 24 * time.Hour

func (c *Config) defaults() {
	for _, f := range []struct {
		to  *int
		def int
	}{{&c.Capacity, 200_000}, {&c.Days, 5}, {&c.Daily, 200}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	c.Capacity = min(c.Capacity, 1_000_000)
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.Span, 14 * day}, {&c.Keep, 400 * day}, {&c.KeepIn, 120 * day}, {&c.Replies, 60 * day}, {&c.SaveEvery, 5 * time.Minute}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
}

// barDays is how long a report ends a correspondence.
const barDays = 30

// Bounds of one message.
const (
	maxRecipients = 50
	maxAddress    = 320
	maxIDs        = 20 // of References, the last ones
)

// hash names an address, a pair or a name; 0 is none.
type hash uint64

// Table is the memory. Its methods are safe for concurrent use.
type Table struct {
	cfg   Config
	key   [32]byte
	pairs *shelf.Shelf[hash, pair]
	names *shelf.Shelf[hash, name]
	ids   *shelf.Shelf[hash, sent]
	used  *table.Table[hash, quota]
	keep  *shelf.Keeper
}

// New makes an empty Table.
func New(cfg Config) (*Table, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("correspondent: the key has less than 16 octets")
	}
	cfg.defaults()
	t := &Table{cfg: cfg, key: sha256.Sum256(cfg.Key)}
	t.pairs = shelf.New[hash]("pair", cfg.Capacity, t.pairWorth)
	t.names = shelf.New[hash]("name", cfg.Capacity/2, nameWorth)
	t.ids = shelf.New[hash]("sent", cfg.Capacity/2, t.sentWorth)
	t.keep = t.keeper()
	t.used = table.New[hash](table.Config[quota]{Capacity: cfg.Capacity / 10, Worth: quotaWorth})
	return t, nil
}

// hash hashes words under the site's key. SHA-256 behind a secret prefix can be
// extended by who sees all of its output; here an eighth is.
func (t *Table) hash(words ...string) hash {
	b := append(make([]byte, 0, 512), t.key[:]...)
	for _, w := range words {
		b = binary.AppendUvarint(b, uint64(len(w)))
		b = append(b, w...)
	}
	sum := sha256.Sum256(b)
	return max(hash(binary.BigEndian.Uint64(sum[:])), 1)
}

// days counts the days since 1970; 16 bits last until 2149.
func days(t time.Time) uint16 { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }

func span(d time.Duration) int { return int(d / day) }

// since is how many days ago something was; never below 0.
func since(then, now uint16) int { return max(int(now)-int(then), 0) }

// pair is what went to and fro between two sides.
type pair struct {
	Sent      uint16 // messages of ours, at most 65535
	SentDay   uint16 // day of the last
	Days      uint16 // days with accepted mail of theirs
	FirstDay  uint16
	LastDay   uint16
	BarredDay uint16 // nothing counts before this day
}

func (t *Table) wrote(p *pair, today uint16) bool {
	return p.Sent > 0 && today >= p.BarredDay && since(p.SentDay, today) <= span(t.cfg.Keep)
}

func (t *Table) received(p *pair, today uint16) bool {
	return int(p.Days) >= t.cfg.Days && today >= p.BarredDay && since(p.FirstDay, p.LastDay) >= span(t.cfg.Span) &&
		since(p.LastDay, today) <= span(t.cfg.KeepIn)
}

// pairWorth keeps what our side wrote to before all that came by itself.
func (t *Table) pairWorth(p *pair, now time.Time) float64 {
	today := days(now)
	fresh := 1 / (1 + float64(since(max(p.LastDay, p.SentDay), today))/30)
	switch {
	case today < p.BarredDay:
		return 10 // so that more of the same doesn't make the report forgotten
	case t.wrote(p, today):
		return 100 + float64(min(p.Sent, 100))*fresh
	case since(p.LastDay, today) > span(t.cfg.KeepIn):
		return -1
	case p.Days > 1:
		return min(float64(p.Days), 50) * fresh
	}
	return 0
}

// sent is a message of ours and who it went to.
type sent struct{ Day uint16 }

func (t *Table) sentWorth(s *sent, now time.Time) float64 {
	return float64(span(t.cfg.Replies) - since(s.Day, days(now)))
}

// quota is how many addresses an account has added today.
type quota struct{ day, n uint16 }

func quotaWorth(q *quota, now time.Time) float64 {
	if q.day != days(now) {
		return -1
	}
	return float64(q.n)
}

// Mailbox is a name and an address. Both may be hostile.
type Mailbox struct{ Name, Address string }

// Outgoing is a message of a user of ours that was sent.
type Outgoing struct {
	Tenant    string
	From      Mailbox
	To        []Mailbox // of the envelope; names where the header has them
	MessageID string
	Automatic bool // an autoresponder, a list or a bounce wrote it: nothing is learned
}

// Incoming is a message that was accepted, nobody having found fault with it, and
// whose author is authenticated. Others must not be told.
type Incoming struct {
	Tenant string
	To     []string // of the envelope
	From   Mailbox
}

// Normal is an address as it is remembered: in lower case, without a tag. It is ""
// for what is no address.
func Normal(address string) string {
	if len(address) > maxAddress {
		return ""
	}
	address = strings.ToLower(strings.ToValidUTF8(address, "?"))
	local, domain, ok := cut(address)
	if !ok || len(address) > maxAddress { // some letters are longer in lower case
		return ""
	}
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	return local + "@" + domain
}

func cut(address string) (local, domain string, ok bool) {
	domain = sluice.DomainOf(address)
	local = strings.TrimSuffix(strings.TrimSuffix(address, domain), "@")
	return local, strings.TrimSuffix(domain, "."), local != "" && domain != ""
}

// Owner is who answers for an address: its organization, or itself at a provider
// where anybody gets one. The address must be [Normal].
func Owner(address string) string {
	_, d, _ := cut(address)
	if org := links.OrgDomain(d); !domains.FreeMail(d) && !domains.FreeMail(org) {
		return org
	}
	return address
}

// Level is how closely a pair knows each other.
type Level uint8

// The levels, the closest last.
const (
	Unknown   Level = iota
	ByDomain        // our domain and theirs
	ByAddress       // our domain and their address
	Person          // our address and theirs
)

// levels are the keys of a pair; 0 where there is none. Both addresses are Normal.
func (t *Table) levels(tenant, ours, theirs string) [Person + 1]hash {
	_, d, _ := cut(ours)
	out := [Person + 1]hash{ByAddress: t.hash("d", tenant, d, theirs), Person: t.hash("a", tenant, ours, theirs)}
	if o := Owner(theirs); o != theirs {
		out[ByDomain] = t.hash("o", tenant, d, o)
	}
	return out
}

// Sent learns of a message of ours.
func (t *Table) Sent(now time.Time, o Outgoing) {
	ours := Normal(o.From.Address)
	if ours == "" || o.Automatic {
		return
	}
	today := days(now)
	_, home, _ := cut(ours)
	t.learnName(now, o.Tenant, home, o.From.Name, ours)
	id := messageID(o.MessageID)
	for _, m := range o.To[:min(len(o.To), maxRecipients)] {
		theirs := Normal(m.Address)
		if _, d, _ := cut(theirs); theirs == "" || d == home {
			continue
		}
		keys := t.levels(o.Tenant, ours, theirs)
		if p, known := t.pairs.Get(keys[Person]); (!known || p.Sent == 0) && !t.allow(now, t.hash("q", o.Tenant, ours)) {
			continue
		}
		for _, k := range keys[ByDomain:] {
			t.pairs.Update(k, now, func(p *pair) bool {
				p.Sent = max(p.Sent, p.Sent+1)
				p.SentDay = max(p.SentDay, today)
				return true
			})
		}
		t.learnName(now, o.Tenant, ours, m.Name, theirs)
		if id != "" {
			t.ids.Update(t.hash("i", o.Tenant, id, Owner(theirs)), now, func(s *sent) bool {
				s.Day = max(s.Day, today)
				return true
			})
		}
	}
}

// allow books one new address of an account.
func (t *Table) allow(now time.Time, account hash) (ok bool) {
	today := days(now)
	t.used.Update(account, now, func(q *quota) {
		if q.day != today {
			*q = quota{day: today}
		}
		if ok = int(q.n) < t.cfg.Daily; ok {
			q.n++
		}
	})
	return ok
}

// Received learns of an accepted message of an authenticated author. Several on one
// day count as one.
func (t *Table) Received(now time.Time, in Incoming) {
	theirs := Normal(in.From.Address)
	if theirs == "" {
		return
	}
	today := days(now)
	seen := map[hash]bool{}
	for _, to := range in.To[:min(len(in.To), maxRecipients)] {
		ours := Normal(to)
		if ours == "" {
			continue
		}
		keys, fresh := t.levels(in.Tenant, ours, theirs), false
		for _, k := range keys[ByDomain:] {
			if k == 0 || seen[k] {
				continue
			}
			seen[k] = true
			t.pairs.Update(k, now, func(p *pair) bool {
				fresh = p.came(today)
				return fresh
			})
		}
		// The last level is the person's: a name a day, however much comes.
		if fresh && t.Known(now, in.Tenant, ours, theirs).Level == Person {
			t.learnName(now, in.Tenant, ours, in.From.Name, theirs)
		}
	}
}

// came counts a day with mail, and says whether that changed anything.
func (p *pair) came(today uint16) bool {
	if today <= p.LastDay || today < p.BarredDay {
		return false
	}
	if p.Days == 0 {
		p.FirstDay = today
	}
	p.LastDay = today
	p.Days = max(p.Days, p.Days+1)
	return true
}

// Report says that a recipient doesn't want an address's mail: whatever was learned
// of that address ends, for a month, for the recipient's whole domain.
func (t *Table) Report(now time.Time, tenant, ours, theirs string) {
	ours, theirs = Normal(ours), Normal(theirs)
	if ours == "" || theirs == "" {
		return
	}
	until := days(now.Add(barDays * day))
	keys := t.levels(tenant, ours, theirs)
	for _, k := range keys[ByAddress:] {
		t.pairs.Update(k, now, func(p *pair) bool {
			p.Days, p.FirstDay, p.LastDay, p.BarredDay = 0, 0, 0, until
			return true
		})
	}
}

// Relation is what is known of a pair.
type Relation struct {
	Level Level
	Wrote bool // our side has written to them; else they have written for long
	Sent  int  // messages of ours, at most 65535
	Days  int  // days with accepted mail of theirs
}

// Known says how well an address of ours knows one outside: the closest level, and
// there what our side did before what theirs did.
func (t *Table) Known(now time.Time, tenant, ours, theirs string) Relation {
	ours, theirs = Normal(ours), Normal(theirs)
	if ours == "" || theirs == "" {
		return Relation{}
	}
	today := days(now)
	var best Relation
	keys := t.levels(tenant, ours, theirs)
	for l := Person; l > Unknown; l-- {
		p, ok := t.pairs.Get(keys[l])
		if !ok {
			continue
		}
		if today < p.BarredDay {
			break // a report holds for the wider levels too
		}
		r := Relation{Level: l, Wrote: t.wrote(&p, today), Sent: int(p.Sent), Days: int(p.Days)}
		if (r.Wrote || t.received(&p, today)) && r.Decibel() < best.Decibel() {
			best = r
		}
	}
	return best
}

// Decibel is what a relation is worth of an authenticated author; 0 or less. Mail
// that our side asked for weighs most; an account may be stolen, so no relation
// outweighs strong evidence.
func (r Relation) Decibel() float64 {
	switch {
	case r.Wrote:
		return [...]float64{0, -2, -3.5, -5}[r.Level]
	}
	return [...]float64{0, -1, -1.5, -2}[r.Level]
}

// ReplyTo says whether one of ids is a message that an address of the tenant sent
// lately to the owner of theirs. Whoever asks must know that theirs is authenticated.
func (t *Table) ReplyTo(now time.Time, tenant string, ids []string, theirs string) bool {
	theirs = Normal(theirs)
	if theirs == "" {
		return false
	}
	o, today := Owner(theirs), days(now)
	for _, id := range ids[max(0, len(ids)-maxIDs):] {
		if id = messageID(id); id == "" {
			continue
		}
		if s, ok := t.ids.Get(t.hash("i", tenant, id, o)); ok && since(s.Day, today) <= span(t.cfg.Replies) {
			return true
		}
	}
	return false
}

// Stats counts the entries.
type Stats struct{ Pairs, Names, Sent table.Stats }

// Stats counts the entries.
func (t *Table) Stats() Stats {
	return Stats{t.pairs.Stats(), t.names.Stats(), t.ids.Stats()}
}
