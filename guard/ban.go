package guard

import (
	"cmp"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"sluice"
	"sluice/guard/network"
	"sluice/reason"
)

// weights are judged: what only attack programs do fills the score at once, what
// broken ones do too needs to be repeated.
var weights = map[sluice.Reason]float64{
	reason.SMTPSmuggling:     10,
	reason.StarttlsInjection: 10,
	reason.Harvest:           10,
	reason.AuthGuessing:      10,
	reason.NotSMTP:           5,
	reason.EarlyTalker:       4,
	reason.Spamtrap:          4,
	reason.TooManyErrors:     3,
	reason.TooManyCommands:   3,
	reason.EarlyPipelining:   2,
	reason.CommandTooLong:    2,
	reason.NULOctet:          1,
}

// Weight is what an offence counts for; 0 for what is none.
func Weight(why sluice.Reason) float64 { return weights[why] }

// Ban is a client or network that is turned away.
type Ban struct {
	Network netip.Prefix // /32 or /64: a client; /24 or /48: a network
	Since   time.Time
	Until   time.Time
	Times   int           // how many in a row, this one included
	Reason  sluice.Reason // the last offence
}

// offender is a client's score.
type offender struct {
	score float64
	at    int64
}

// worth is nothing for a single small offence, which a flood can make up.
func (b Bans) worth(v *offender, now time.Time) float64 {
	return decay(v.score, v.at, now, b.HalfLife) - b.Threshold/2
}

// crowd marks which clients of a network offended lately, one bit for each of an
// IPv4 /24; those of an IPv6 /48 are hashed to the same number of bits.
type crowd struct {
	since   int64
	clients [4]uint64
}

const crowdFor = 24 * time.Hour

func (v *crowd) count() (n int) {
	for _, w := range v.clients {
		n += bits.OnesCount64(w)
	}
	return n
}

func (v *crowd) worth(now time.Time) float64 {
	return fresh(v.since, now, crowdFor) * float64(v.count()-1)
}

type ban struct {
	since, until int64
	times        int
	why          sluice.Reason
}

// recent is how long after a ban the next one is a further one.
const recent = 24 * time.Hour

func (v *ban) worth(now time.Time) float64 {
	over := now.UnixNano() - v.until
	if over < 0 {
		return 1 + time.Duration(-over).Hours() + float64(v.times)
	}
	return fresh(v.until, now, recent)
}

// Offend counts an offence of a client. The decision is CLIENT_BANNED where a ban
// starts with it: the caller should end the session then. What the guard finds out
// itself (harvests, guessed passwords) it has counted already.
func (g *Guard) Offend(now time.Time, addr netip.Addr, why sluice.Reason, weight float64) Decision {
	if !(weight > 0) || g.config.Immune(addr) {
		return allowed
	}
	host, prefix := network.Host(addr), network.Prefix(addr)
	if host == (network.Key{}) || g.hasLoggedIn(now, host) {
		return allowed
	}
	limit := g.config.Bans.Threshold
	if g.isGood(now, host) {
		limit *= 3
	}
	full, half := false, false
	g.offenders.Update(host, now, func(v *offender) {
		v.score = decay(v.score, v.at, now, g.config.Bans.HalfLife) + weight
		v.at = now.UnixNano()
		full, half = v.score >= limit, v.score >= limit/2
		if full {
			v.score = limit / 2 // the ban pays for the rest
		}
	})
	if half {
		g.crowd(now, host, prefix, why)
	}
	if !full {
		return allowed
	}
	g.ban(now, host, why)
	return g.banned(now, host, prefix)
}

// crowd bans a network in which many different clients offend.
func (g *Guard) crowd(now time.Time, host, prefix network.Key, why sluice.Reason) {
	if g.config.Bans.Neighbours < 0 {
		return
	}
	// The hash of an IPv4 address would do too, but then two of them may share a bit.
	bit := g.hash(host) % 256
	if a := host.Netip().Addr(); a.Is4() {
		bit = uint64(a.As4()[3])
	}
	many := false
	g.crowds.Update(prefix, now, func(v *crowd) {
		if fresh(v.since, now, crowdFor) <= 0 {
			*v = crowd{since: now.UnixNano()}
		}
		v.clients[bit/64] |= 1 << (bit % 64)
		many = v.count() >= g.config.Bans.Neighbours
	})
	if many && !g.isGood(now, prefix) {
		g.ban(now, prefix, why)
	}
}

// ban starts one, twice as long as the last if that was within a day. One that runs
// is not made longer.
func (g *Guard) ban(now time.Time, k network.Key, why sluice.Reason) {
	t := now.UnixNano()
	g.bans.Update(k, now, func(v *ban) {
		if v.until > t {
			return
		}
		if t-v.until >= int64(recent) {
			v.times = 0
		}
		length := doubled(g.config.Bans.First, v.times, g.config.Bans.Longest)
		*v = ban{since: t, until: t + int64(length), times: v.times + 1, why: why}
	})
	g.bansChanged.Note(k)
}

// doubled is first, doubled so many times, and longest at most.
func doubled(first time.Duration, times int, longest time.Duration) time.Duration {
	for i := 0; i < times && first < longest; i++ {
		first *= 2
	}
	return min(first, longest)
}

// banned says whether a client may not come in.
func (g *Guard) banned(now time.Time, host, prefix network.Key) Decision {
	t := now.UnixNano()
	if v, ok := g.bans.Get(host); ok && v.until > t {
		return v.decision(host)
	}
	if v, ok := g.bans.Get(prefix); ok && v.until > t && !g.hasLoggedIn(now, host) {
		return v.decision(prefix)
	}
	return allowed
}

func (v *ban) decision(k network.Key) Decision {
	until := time.Unix(0, v.until).UTC()
	return Decision{Reason: reason.ClientBanned, Until: until, Offence: v.why,
		Detail: fmt.Sprintf("%v is banned until %s for %s, ban %d in a row", k, until.Format(time.RFC3339), v.why, v.times)}
}

// Bans lists those that run, the latest first.
func (g *Guard) Bans(now time.Time) []Ban {
	t := now.UnixNano()
	var out []Ban
	for k, v := range g.bans.All() {
		if v.until > t {
			out = append(out, Ban{k.Netip(), time.Unix(0, v.since).UTC(), time.Unix(0, v.until).UTC(), v.times, v.why})
		}
	}
	slices.SortFunc(out, func(a, b Ban) int {
		return cmp.Or(b.Since.Compare(a.Since), a.Network.Addr().Compare(b.Network.Addr()), a.Network.Bits()-b.Network.Bits())
	})
	return out
}

// Unban ends the bans of a client and of its network, forgets what led to them, and
// says whether there was one.
func (g *Guard) Unban(now time.Time, addr netip.Addr) bool {
	host, prefix := network.Host(addr), network.Prefix(addr)
	g.offenders.Delete(host)
	one := g.lift(now, host)
	return g.pardon(now, prefix) || one
}

// pardon ends a network's ban and forgets its crowd.
func (g *Guard) pardon(now time.Time, prefix network.Key) bool {
	g.crowds.Delete(prefix)
	return g.lift(now, prefix)
}

// lift ends a ban as if it had never been. The entry stays, so that the journal
// writes that it is over.
func (g *Guard) lift(now time.Time, k network.Key) bool {
	lifted := false
	g.bans.Amend(k, now, func(v *ban) {
		if v.until > now.UnixNano() {
			lifted = true
			v.until, v.times = now.UnixNano(), 0
		}
	})
	if lifted {
		g.bansChanged.Note(k)
	}
	return lifted
}
