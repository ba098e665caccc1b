// Package thread remembers which conversations our users are in: the identifiers of
// their messages, who takes part, and prints of what was written, by whom.
//
// # Who takes part
//
// A thread begins with a message of ours, or with one of an authenticated author that
// was accepted. Its participants are author and recipients. Who else is in it later
// has to be let in by one who is: as a recipient of a participant's message, or by a
// message of ours. A stranger who answers is not let in by answering.
//
// A participant is remembered as the owner of its address: its organization, or the
// address itself at a provider where anybody gets one (see correspondent.Owner). So
// colleagues are in a thread together. A thread of more than twelve owners, or of a
// mailing list, is open: it says nothing of anybody.
//
// # What was written
//
// Of a message's own text, without what it quotes, runs of eight words are hashed, and
// every sixteenth or so is kept, by winnowing: the smallest hash of each window. So any
// run of 24 words has one, wherever lines were broken. What stands in several threads,
// such as a signature or a disclaimer, is nobody's.
//
// # What is stored
//
// Hashes under a key of the site, numbers and days: no address, name, identifier or
// word. What learn/correspondent remembers of our Message-IDs answers another question,
// whether the owner of an address was sent that very message; it stays there, since a
// thread grows by others' mail and that memory must not. Tables are bounded (see
// internal/table). A thread that our side wrote in is worth more than any other.
package thread

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/shelf"
	"sluice/internal/table"
	"sluice/learn/correspondent"
)

// Config sets up a Table. Zero fields but Key take the default.
type Config struct {
	// Key is the site's secret under which all is hashed, at least 16 octets.
	Key []byte
	// Capacity is how many message identifiers are remembered, default 200,000, at most
	// a million; half as many threads, and twice as many prints. All of it is about
	// 45 MB by default.
	Capacity  int
	Keep      time.Duration // how long after its last message a thread is known, default 90 days
	SaveEvery time.Duration // the shortest time between two saves, default 5 minutes
}

const day = 24 * time.Hour

// Bounds of one message.
const (
	maxParticipants = 12 // owners of a thread; with more it is open
	maxNames        = 8
	maxPeople       = 60 // addresses that are read of a message
	open            = 1 << 0
	ours            = 1 << 1
)

// hash names whatever is remembered; 0 is none.
type hash uint64

// who is a participant or a name: 32 bits of a hash, compared with at most twelve.
type who uint32

// message is the thread of an identifier.
type message struct {
	Thread hash
	Day    uint16
	Ours   bool // our side wrote in the thread when it was learned
}

// thread is a conversation.
type thread struct {
	Who   [maxParticipants]who
	Names [maxNames]who // of those outside
	N     uint8
	Named uint8
	Flags uint8
	Day   uint16
}

// print is a run of words that somebody wrote.
type print struct {
	Thread hash // ^0: stands in several
	Author who
	Day    uint16
	Ours   bool
}

const several = ^hash(0)

// Table is the memory. Its methods are safe for concurrent use.
type Table struct {
	cfg     Config
	key     [32]byte
	ids     *shelf.Shelf[hash, message]
	threads *shelf.Shelf[hash, thread]
	prints  *shelf.Shelf[hash, print]
	*shelf.Keeper
}

// MemoKind is the [sluice.Memo.Kind] under which threads are kept.
const MemoKind = "thread"

// New makes an empty Table. Load, Save and Flush are those of [shelf.Keeper].
func New(cfg Config) (*Table, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("thread: the key has less than 16 octets")
	}
	if cfg.Capacity <= 0 {
		cfg.Capacity = 200_000
	}
	cfg.Capacity = min(cfg.Capacity, 1_000_000)
	if cfg.Keep <= 0 {
		cfg.Keep = 90 * day
	}
	if cfg.SaveEvery <= 0 {
		cfg.SaveEvery = 5 * time.Minute
	}
	t := &Table{cfg: cfg, key: sha256.Sum256(append([]byte("thread\x00"), cfg.Key...))}
	t.ids = shelf.New[hash]("id", cfg.Capacity, func(m *message, now time.Time) float64 { return t.worth(m.Day, m.Ours, now) })
	t.threads = shelf.New[hash]("thread", cfg.Capacity/2, func(c *thread, now time.Time) float64 {
		return t.worth(c.Day, c.Flags&ours != 0, now)
	})
	t.prints = shelf.New[hash]("print", 2*cfg.Capacity, func(p *print, now time.Time) float64 { return t.worth(p.Day, p.Ours, now) })
	t.Keeper = &shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(t.hash("key")), 16), Every: cfg.SaveEvery,
		Shelves: []shelf.Kept{t.ids, t.threads, t.prints}}
	return t, nil
}

// hash hashes words under the site's key.
func (t *Table) hash(words ...string) hash {
	b := append(make([]byte, 0, 512), t.key[:]...)
	for _, w := range words {
		b = binary.AppendUvarint(b, uint64(len(w)))
		b = append(b, w...)
	}
	sum := sha256.Sum256(b)
	return min(max(hash(binary.BigEndian.Uint64(sum[:])), 1), several-1)
}

func (t *Table) who(kind, tenant, s string) who { return max(who(t.hash(kind, tenant, s)>>32), 1) }

// owner is the participant that an address is; 0 for what is no address.
func (t *Table) owner(tenant, address string) who {
	if address = correspondent.Normal(address); address == "" {
		return 0
	}
	return t.who("w", tenant, correspondent.Owner(address))
}

func days(t time.Time) uint16 { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }

// left is for how many days something counts yet; below 0 it is over.
func (t *Table) left(then uint16, now time.Time) float64 {
	return float64(int(t.cfg.Keep/day) - max(int(days(now))-int(then), 0))
}

// worth keeps what our side wrote before all that only others did.
func (t *Table) worth(then uint16, ours bool, now time.Time) float64 {
	w := t.left(then, now)
	if ours && w >= 0 {
		w += 1000
	}
	return w
}

// Mailbox is a name and an address; both may be hostile.
type Mailbox = correspondent.Mailbox

// Message is one that was sent for a user of ours, or that was accepted of an
// authenticated author, nobody having found fault with it. Others must not be told.
type Message struct {
	Tenant    string
	Ours      bool // a user of ours wrote it
	Open      bool // of a mailing list: anybody may be in the thread
	MessageID string
	Refers    []string // identifiers of References and In-Reply-To, oldest first
	From      Mailbox
	People    []Mailbox // To, Cc, Reply-To, and the envelope's recipients
	Text      string    // what the author wrote, without quotes
}

// Learn takes a message into its thread.
func (t *Table) Learn(now time.Time, m Message) {
	author, today := t.owner(m.Tenant, m.From.Address), days(now)
	if author == 0 {
		return
	}
	id := correspondent.MessageIDs("<" + strings.Trim(m.MessageID, " \t<>") + ">")
	if len(id) == 0 {
		return
	}
	at, known := t.find(now, m.Tenant, m.Refers)
	if !known {
		first := id[0]
		if len(m.Refers) > 0 {
			first = m.Refers[0]
		}
		at = t.hash("t", m.Tenant, first)
	}
	let, mine := false, false
	t.threads.Update(at, now, func(c *thread) bool {
		if t.left(c.Day, now) < 0 {
			*c = thread{}
		}
		let = m.Ours || m.Open || c.Flags&open != 0 || c.N == 0 || c.has(author)
		if !let {
			return false
		}
		before := *c
		if m.Open {
			c.Flags |= open
		}
		if m.Ours {
			c.Flags |= ours
		}
		mine = c.Flags&ours != 0
		c.Day = max(c.Day, today)
		c.add(author)
		if !m.Ours {
			c.name(t.named(m.Tenant, m.From.Name))
		}
		for _, p := range m.People[:min(len(m.People), maxPeople)] {
			c.add(t.owner(m.Tenant, p.Address))
			c.name(t.named(m.Tenant, p.Name))
		}
		if len(m.People) > maxPeople {
			c.Flags |= open
		}
		return *c != before
	})
	if !let {
		return
	}
	for _, one := range append(id, m.Refers...) {
		t.ids.Update(t.hash("i", m.Tenant, one), now, func(x *message) bool {
			if x.Thread != 0 && x.Thread != at && t.left(x.Day, now) >= 0 {
				return false // the first thread keeps it
			}
			before := *x
			x.Thread, x.Day, x.Ours = at, max(x.Day, today), mine
			return *x != before
		})
	}
	if m.Open {
		return
	}
	for _, h := range t.shingles(m.Tenant, m.Text) {
		t.prints.Update(h, now, func(p *print) bool {
			before := *p
			switch {
			case p.Thread == 0 || t.left(p.Day, now) < 0:
				*p = print{Thread: at, Author: author}
			case p.Thread != at:
				p.Thread = several
			}
			p.Day, p.Ours = max(p.Day, today), mine
			return *p != before
		})
	}
}

func (c *thread) has(w who) bool {
	return w != 0 && slices.Contains(c.Who[:min(c.N, maxParticipants)], w)
}

func (c *thread) add(w who) {
	switch {
	case w == 0 || c.has(w) || c.Flags&open != 0:
	case c.N >= maxParticipants:
		c.Flags |= open
	default:
		c.Who[c.N] = w
		c.N++
	}
}

func (c *thread) name(w who) {
	if w != 0 && c.Named < maxNames && !slices.Contains(c.Names[:c.Named], w) {
		c.Names[c.Named] = w
		c.Named++
	}
}

func (t *Table) named(tenant, display string) who {
	if display = correspondent.FoldName(display); display == "" {
		return 0
	}
	return t.who("n", tenant, display)
}

// find is the thread of the latest identifier that is known.
func (t *Table) find(now time.Time, tenant string, ids []string) (hash, bool) {
	for _, id := range slices.Backward(ids) {
		if m, ok := t.ids.Get(t.hash("i", tenant, id)); ok && t.left(m.Day, now) >= 0 {
			return m.Thread, true
		}
	}
	return 0, false
}

// Place is where a message stands among the threads that are known.
type Place struct {
	Known    bool // it refers to a thread of ours, which isn't open
	In       bool // its author is a participant
	Ours     bool // a user of ours wrote in that thread
	Beside   bool // a participant from elsewhere than the recipients' side is among its visible recipients
	Namesake bool // its author isn't in it, and has the name of one who is
}

// Ask is a message that came. Refers and From are as it claims.
type Ask struct {
	Tenant     string
	Refers     []string
	From       Mailbox
	Visible    []Mailbox // To and Cc
	Recipients []string  // of the envelope
}

// Place says where a message stands.
func (t *Table) Place(now time.Time, a Ask) Place {
	author := t.owner(a.Tenant, a.From.Address)
	at, ok := t.find(now, a.Tenant, a.Refers)
	if !ok || author == 0 {
		return Place{}
	}
	c, ok := t.threads.Get(at)
	if !ok || t.left(c.Day, now) < 0 || c.Flags&open != 0 {
		return Place{}
	}
	p := Place{Known: true, In: c.has(author), Ours: c.Flags&ours != 0}
	if p.In {
		return p
	}
	if n := t.named(a.Tenant, a.From.Name); n != 0 {
		p.Namesake = slices.Contains(c.Names[:min(c.Named, maxNames)], n)
	}
	home := t.owners(a.Tenant, a.Recipients)
	for _, v := range a.Visible[:min(len(a.Visible), maxPeople)] {
		if w := t.owner(a.Tenant, v.Address); c.has(w) && !slices.Contains(home, w) {
			p.Beside = true
			break
		}
	}
	return p
}

func (t *Table) owners(tenant string, addresses []string) (out []who) {
	for _, a := range addresses[:min(len(addresses), maxPeople)] {
		out = append(out, t.owner(tenant, a))
	}
	return out
}

// Taken is text of a thread that its bearer isn't in.
type Taken struct {
	Prints int  // runs of words of the thread that has most
	Ours   bool // a user of ours wrote in it
}

// Taken looks for quoted text that somebody else wrote in a thread in which the author
// of the message doesn't take part. The message's own thread doesn't count.
func (t *Table) Taken(now time.Time, a Ask, quoted string) Taken {
	author := t.owner(a.Tenant, a.From.Address)
	if author == 0 {
		return Taken{}
	}
	own, _ := t.find(now, a.Tenant, a.Refers)
	counts := map[hash]int{}
	var most hash
	for _, h := range t.shingles(a.Tenant, quoted) {
		p, ok := t.prints.Get(h)
		if !ok || p.Thread == several || p.Author == author || p.Thread == own || t.left(p.Day, now) < 0 {
			continue
		}
		counts[p.Thread]++
		if n := counts[p.Thread]; n > counts[most] || n == counts[most] && p.Thread < most {
			most = p.Thread
		}
	}
	c, ok := t.threads.Get(most)
	if !ok || c.Flags&open != 0 || c.has(author) || t.left(c.Day, now) < 0 {
		return Taken{}
	}
	return Taken{Prints: counts[most], Ours: c.Flags&ours != 0}
}

// Stats counts the entries.
type Stats struct{ IDs, Threads, Prints table.Stats }

// Stats counts the entries.
func (t *Table) Stats() Stats { return Stats{t.ids.Stats(), t.threads.Stats(), t.prints.Stats()} }
