// Package guard decides who is let in and how fast: bans, rates, a sequential test
// for directory harvests, and the defence of logins. Everything it remembers is in
// bounded tables that a flood of strangers can't flush of what was earned.
//
// It is pure: times are arguments, and it answers at once. What it knows comes from
// its callers, phase by phase:
//
//	connect  Admit; Sample, for whether a refusal is worth a row of the log
//	any      Offend, for what only attackers do (Weight says how much)
//	auth     LoginAllowed, then LoginOK, LoginFailed or LoginUndecided
//	mail     Message without recipients, to ask
//	rcpt     Recipient, with what the directory says
//	data     Message with the number of recipients, which counts
//	after    Good, when a message was wanted
//
// # Who is spared
//
// Bans that hit proxies, allow-listed networks and the owner's own home are what
// people complain of most in servers that ban. So addresses that Config.Immune names
// are never limited, and those that logged in within 30 days are never banned;
// neither counts against its network. Behind a proxy the caller must pass the client's
// address, never the proxy's.
//
// # Keys
//
// A client is an IPv4 address or an IPv6 /64, a network an IPv4 /24 or an IPv6 /48.
package guard

import (
	"hash/maphash"
	"math"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice"
	"sluice/guard/journal"
	"sluice/guard/network"
	"sluice/internal/table"
)

// Config sets up a Guard. The zero value takes the default everywhere.
type Config struct {
	// Immune names clients that are never limited, banned or counted: proxies,
	// trusted and allow-listed networks, our own. It must be quick.
	Immune func(netip.Addr) bool
	// Known says whether wanted mail ever came from a client (a /32 or /64) or a
	// network (a /24 or /48), beside what Good told. It is asked only where somebody
	// is about to be limited or banned.
	Known func(netip.Prefix) bool

	Bans    Bans
	Rates   Rates
	Harvest Harvesting
	Logins  Logins

	// Clients is how many clients the larger memories hold at most; default 100,000.
	// All memories together take at most 700 octets for each, and 1 kB for each
	// account that logged in.
	Clients int
}

// Bans says when a client is banned, and for how long.
type Bans struct {
	// Threshold is the sum of weights at which a ban starts; default 10. It is
	// three times as high for clients that sent wanted mail.
	Threshold float64
	// HalfLife is the time in which an offence loses half its weight; default 1h.
	HalfLife time.Duration
	// First is the length of a first ban (default 10m); it doubles for each further
	// one within a day of the last, up to Longest (default 24h).
	First, Longest time.Duration
	// Neighbours is how many different clients of a network must have reached half
	// the threshold within a day for a ban of the whole network, of which none may
	// ever have been good; default 12. Below 0: networks are never banned.
	Neighbours int
}

// Decision is an answer of the guard.
type Decision struct {
	Allow  bool
	Reason sluice.Reason // why not; where Allow is set, what the peer did all the same, mostly ""
	Until  time.Time     // when it may try again
	Delay  time.Duration // where Allow is set: how long to wait before going on
	Detail string        // for the admin
	// Offence is what a ban is for.
	Offence sluice.Reason
}

var allowed = Decision{Allow: true}

// Guard holds the memories. Its methods are safe for concurrent use.
type Guard struct {
	config Config
	seed   maphash.Seed

	arrivals  [2]*table.Table[network.Key, bucket] // of clients, of networks
	offenders *table.Table[network.Key, offender]
	crowds    *table.Table[network.Key, crowd]
	bans      *table.Table[network.Key, ban]
	good      *table.Table[network.Key, goodness] // clients and networks
	logged    *table.Table[network.Key, login]    // clients that logged in

	sprt  [3]sprt // of clients, of networks, of autonomous systems
	tests [3]*table.Table[uint64, test]

	messages [4]*table.Table[uint64, bucket] // by client, network, domain, user
	posts    *table.Table[uint64, bucket]    // recipients by user

	pairs  *table.Table[pairKey, pair]
	sprays *table.Table[network.Key, spray]
	sieges *table.Table[uint64, siege]
	homes  *table.Table[string, home]

	sampled    atomic.Int64
	suppressed atomic.Uint64
	swept      atomic.Int64 // when old memos were dropped

	bansChanged  *journal.Journal[network.Key]
	homesChanged *journal.Journal[string]
}

// New makes a Guard that remembers nothing yet. It panics where Config.Harvest has
// shares or errors that make no test.
func New(c Config) *Guard {
	c.defaults()
	n := c.Clients
	g := &Guard{
		config: c, seed: maphash.MakeSeed(), // for keys of tables only, so that nobody can aim at one
		arrivals: [2]*table.Table[network.Key, bucket]{
			table.New[network.Key](table.Config[bucket]{Capacity: n, Worth: worthOfBucket(minute(c.Rates.Connections))}),
			table.New[network.Key](table.Config[bucket]{Capacity: n / 2, Worth: worthOfBucket(minute(c.Rates.PrefixConnections))}),
		},
		offenders:    table.New[network.Key](table.Config[offender]{Capacity: n, Worth: c.Bans.worth}),
		crowds:       table.New[network.Key](table.Config[crowd]{Capacity: n / 4, Worth: (*crowd).worth}),
		bans:         table.New[network.Key](table.Config[ban]{Capacity: n / 2, Worth: (*ban).worth}),
		good:         table.New[network.Key](table.Config[goodness]{Capacity: n, Worth: (*goodness).worth}),
		logged:       table.New[network.Key](table.Config[login]{Capacity: n / 2, Worth: (*login).worth}),
		pairs:        table.New[pairKey](table.Config[pair]{Capacity: n, Worth: (*pair).worth}),
		sprays:       table.New[network.Key](table.Config[spray]{Capacity: n / 4, Worth: (*spray).worth}),
		sieges:       table.New[uint64](table.Config[siege]{Capacity: n / 4, Worth: (*siege).worth}),
		homes:        table.New[string](table.Config[home]{Capacity: n / 2, Worth: (*home).worth}),
		bansChanged:  journal.New[network.Key](n / 2),
		homesChanged: journal.New[string](n / 2),
	}
	g.newTests(n)
	g.newMessages(n)
	return g
}

func (c *Config) defaults() {
	if c.Immune == nil {
		c.Immune = func(netip.Addr) bool { return false }
	}
	if c.Known == nil {
		c.Known = func(netip.Prefix) bool { return false }
	}
	set(&c.Clients, 100_000)
	set(&c.Bans.Threshold, 10)
	set(&c.Bans.HalfLife, time.Hour)
	set(&c.Bans.First, 10*time.Minute)
	set(&c.Bans.Longest, 24*time.Hour)
	set(&c.Bans.Neighbours, 12)
	c.Rates.defaults()
	c.Harvest.defaults()
	c.Logins.defaults()
}

// set gives an unset setting its default.
func set[T int | float64 | time.Duration](setting *T, to T) {
	if *setting == 0 {
		*setting = to
	}
}

// Admit says whether a new connection is let in. It must be asked once for each,
// since it counts them. The reasons are CLIENT_BANNED and CONNECTION_RATE.
func (g *Guard) Admit(now time.Time, addr netip.Addr) Decision {
	if g.config.Immune(addr) {
		return allowed
	}
	host, prefix := network.Host(addr), network.Prefix(addr)
	if host == (network.Key{}) {
		return allowed // a socket without an address: a door of our own machine
	}
	if d := g.banned(now, host, prefix); !d.Allow {
		return d
	}
	return g.arrive(now, host, prefix)
}

// Good says that a client sent a message that was wanted. It may then send more at a
// time, is slower to be banned, and keeps its network from being banned as a whole.
func (g *Guard) Good(now time.Time, addr netip.Addr) {
	host, prefix := network.Host(addr), network.Prefix(addr)
	if host == (network.Key{}) {
		return
	}
	for _, k := range [...]network.Key{host, prefix} {
		g.good.Update(k, now, func(v *goodness) { v.last, v.count = now.UnixNano(), v.count+1 })
	}
	g.pardon(now, prefix)
}

// goodness is worth more with each wanted message, and fades in 60 days.
type goodness struct {
	last  int64
	count uint32
}

const goodFor = 60 * 24 * time.Hour

func (v *goodness) worth(now time.Time) float64 {
	return fresh(v.last, now, goodFor) * (1 + math.Log2(float64(v.count)+1))
}

// fresh falls from 1 to 0 within span, and below it afterwards.
func fresh(last int64, now time.Time, span time.Duration) float64 {
	return 1 - float64(now.UnixNano()-last)/float64(span)
}

// isGood says whether a client or network ever sent wanted mail.
func (g *Guard) isGood(now time.Time, k network.Key) bool {
	if v, ok := g.good.Get(k); ok && fresh(v.last, now, goodFor) > 0 {
		return true
	}
	return g.config.Known(k.Netip())
}

// Authenticated says that a client logged in. For 30 days since it is never banned,
// nor counted against its network; that is so for the client alone, not for its
// neighbours. A ban of it ends.
func (g *Guard) Authenticated(now time.Time, addr netip.Addr, account string) {
	host, prefix := network.Host(addr), network.Prefix(addr)
	if host == (network.Key{}) {
		return
	}
	g.logged.Update(host, now, func(v *login) { v.last, v.account = now.UnixNano(), g.account(account) })
	g.offenders.Delete(host)
	g.lift(now, host)
	g.pardon(now, prefix)
}

// login is a client's last one. Nobody gets here without a password, so the latest
// are worth most.
type login struct {
	last    int64
	account uint64
}

const loginFor = 30 * 24 * time.Hour

func (v *login) worth(now time.Time) float64 { return fresh(v.last, now, loginFor) }

func (g *Guard) hasLoggedIn(now time.Time, host network.Key) bool {
	v, ok := g.logged.Get(host)
	return ok && fresh(v.last, now, loginFor) > 0
}

// account is the key of an account. Letters' case doesn't count: most back ends
// ignore it, and a guesser must not gain by it.
func (g *Guard) account(name string) uint64 {
	var h maphash.Hash
	h.SetSeed(g.seed)
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h.WriteByte(c)
	}
	return h.Sum64()
}

// decay is what is left of a sum after a time.
func decay(sum float64, since int64, now time.Time, halfLife time.Duration) float64 {
	if gone := now.UnixNano() - since; gone > 0 {
		return sum * math.Exp2(-float64(gone)/float64(halfLife))
	}
	return sum
}
