package guard

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"sluice/guard/network"
	"sluice/internal/table"
	"sluice/reason"
)

// Rates bound what one client, network, domain or user may ask for. A whole period's
// worth may come at once. 0 takes the default, below 0 there is no limit.
type Rates struct {
	Connections       int // new ones a minute of a client; default 60
	PrefixConnections int // of a network; default 300
	Messages          int // an hour of a client; default 2,000
	PrefixMessages    int // of a network; default 10,000
	DomainMessages    int // of a sender's domain that authenticated; default 10,000. One that didn't counts by network.
	UserMessages      int // of a user who logged in; default 200
	UserRecipients    int // a day; default 2,000
	// Known is how many times as fast clients may be that sent wanted mail before;
	// default 10. Users are no clients in that sense.
	Known int
}

func (r *Rates) defaults() {
	set(&r.Connections, 60)
	set(&r.PrefixConnections, 300)
	set(&r.Messages, 2000)
	set(&r.PrefixMessages, 10_000)
	set(&r.DomainMessages, 10_000)
	set(&r.UserMessages, 200)
	set(&r.UserRecipients, 2000)
	set(&r.Known, 10)
}

// rate is so many events a period, all of which may come at once. One below zero is
// none at all.
type rate struct {
	every  int64 // nanoseconds between two
	period int64
}

func per(period time.Duration, n int) rate {
	if n <= 0 {
		return rate{0, int64(period)} // costs nothing
	}
	return rate{max(int64(period)/int64(n), 1), int64(period)}
}

func minute(n int) rate { return per(time.Minute, n) }
func hour(n int) rate   { return per(time.Hour, n) }

// bucket is the state of a rate: the theoretical arrival time of the generic cell
// rate algorithm (ITU-T I.371), which is when all that was taken has been paid for.
type bucket struct{ paid int64 }

// worth is nothing for a first event, and for what is paid for.
func worthOfBucket(r rate) func(*bucket, time.Time) float64 {
	every := float64(max(r.every, 1))
	return func(v *bucket, now time.Time) float64 {
		return max(float64(v.paid-now.UnixNano())/every-1, -1)
	}
}

// wait says how long cost must wait; 0 for not at all. One that is larger than the
// period waits for an empty bucket, not for ever.
func (v *bucket) wait(now, cost int64, r rate) time.Duration {
	owed := max(v.paid-now, 0)
	return time.Duration(max(owed+min(cost, r.period)-r.period, 0))
}

// take pays for cost, which it may only after no wait.
func (v *bucket) take(now, cost int64) { v.paid = max(v.paid, now) + cost }

// arrive counts a new connection of a client and of its network.
func (g *Guard) arrive(now time.Time, host, prefix network.Key) Decision {
	if wait := g.connection(0, now, host, minute(g.config.Rates.Connections), g.config.Rates.Connections, host); wait.Reason != "" {
		return wait
	}
	if wait := g.connection(1, now, prefix, minute(g.config.Rates.PrefixConnections), g.config.Rates.PrefixConnections, host); wait.Reason != "" {
		return wait
	}
	return allowed
}

func (g *Guard) connection(level int, now time.Time, k network.Key, r rate, limit int, host network.Key) Decision {
	t := now.UnixNano()
	var wait time.Duration
	g.arrivals[level].Update(k, now, func(v *bucket) {
		if wait = v.wait(t, r.every, r); wait == 0 {
			v.take(t, r.every)
		}
	})
	if wait == 0 {
		return allowed
	}
	if g.isGood(now, host) || g.hasLoggedIn(now, host) {
		cheap := r.every / int64(max(g.config.Rates.Known, 1))
		var longer time.Duration
		g.arrivals[level].Update(k, now, func(v *bucket) {
			if longer = v.wait(t, cheap, r); longer == 0 {
				v.take(t, cheap)
			}
		})
		if longer == 0 {
			return allowed
		}
		wait = longer
	}
	return Decision{Reason: reason.ConnectionRate, Until: now.Add(wait),
		Detail: fmt.Sprintf("%v opened more than %d connections in a minute", k, limit)}
}

// Sending is a message that somebody wants to send.
type Sending struct {
	Client netip.Addr
	Domain string // the sender's organisational domain; "" for a null sender
	// Authenticated says that SPF or DKIM stands for the domain. Without that it is
	// counted only together with the client's network, since everybody can claim it.
	Authenticated bool
	User          string // the account that logged in; "" for none
	Recipients    int    // 0 only asks and counts nothing
}

// Message says whether one more message is within the rates: of the client and its
// network where nobody logged in, of the domain, or of the user. Immune clients are
// limited as users only. The reason is SENDER_RATE, and Until when to retry.
func (g *Guard) Message(now time.Time, s Sending) Decision {
	var list [5]toll
	tolls := g.tolls(list[:0], now, s)
	for i := range tolls {
		if wait := tolls[i].wait(now); wait > 0 {
			return Decision{Reason: reason.SenderRate, Until: now.Add(wait), Detail: tolls[i].detail(s)}
		}
	}
	if s.Recipients > 0 {
		for i := range tolls {
			tolls[i].take(now)
		}
	}
	return allowed
}

// toll is one rate that a message has to pay.
type toll struct {
	table *table.Table[uint64, bucket]
	key   uint64
	rate  rate
	cost  int64
	limit int
	who   string
}

func (t *toll) wait(now time.Time) time.Duration {
	v, _ := t.table.Get(t.key)
	return v.wait(now.UnixNano(), t.cost, t.rate)
}

func (t *toll) take(now time.Time) {
	t.table.Update(t.key, now, func(v *bucket) { v.take(now.UnixNano(), t.cost) })
}

func (t *toll) detail(s Sending) string {
	what, period := "messages", "hour"
	if t.rate.period > int64(time.Hour) {
		what, period = "recipients", "day"
	}
	switch t.who {
	case "client":
		return fmt.Sprintf("%v sent more than %d %s in an %s", network.Host(s.Client), t.limit, what, period)
	case "network":
		return fmt.Sprintf("%v sent more than %d %s in an %s", network.Prefix(s.Client), t.limit, what, period)
	case "domain":
		return fmt.Sprintf("%q sent more than %d %s in an %s", s.Domain, t.limit, what, period)
	}
	return fmt.Sprintf("user %q: more than %d %s in one %s", s.User, t.limit, what, period)
}

func (g *Guard) tolls(list []toll, now time.Time, s Sending) []toll {
	r := g.config.Rates
	add := func(who string, i int, key uint64, limit, cheaper int) {
		if limit > 0 {
			h := hour(limit)
			list = append(list, toll{g.messages[i], key, h, max(h.every/int64(cheaper), 1), limit, who})
		}
	}
	if s.User != "" {
		key := g.account(s.User)
		add("user", 3, key, r.UserMessages, 1)
		if r.UserRecipients > 0 {
			day := per(24*time.Hour, r.UserRecipients)
			list = append(list, toll{g.posts, key, day, day.every * int64(max(s.Recipients, 1)), r.UserRecipients, "user"})
		}
		return list
	}
	if g.config.Immune(s.Client) {
		return list
	}
	cheaper := 1
	host, prefix := network.Host(s.Client), network.Prefix(s.Client)
	if g.isGood(now, host) {
		cheaper = max(r.Known, 1)
	}
	add("client", 0, g.hash(host), r.Messages, cheaper)
	add("network", 1, g.hash(prefix), r.PrefixMessages, cheaper)
	if s.Domain != "" {
		key := g.account(s.Domain)
		if !s.Authenticated {
			key ^= g.hash(prefix)
		}
		add("domain", 2, key, r.DomainMessages, cheaper)
	}
	return list
}

func (g *Guard) newMessages(n int) {
	r := g.config.Rates
	for i, limit := range []int{r.Messages, r.PrefixMessages, r.DomainMessages, r.UserMessages} {
		g.messages[i] = table.New[uint64](table.Config[bucket]{Capacity: n / 2, Worth: worthOfBucket(hour(limit))})
	}
	g.posts = table.New[uint64](table.Config[bucket]{Capacity: n / 4, Worth: worthOfBucket(per(24*time.Hour, r.UserRecipients))})
}

func (g *Guard) hash(k network.Key) uint64 { return maphash.Comparable(g.seed, k) }

// How many refusals of bots get a row of the log of their own.
const (
	sampleRate  = 20 // a second
	sampleBurst = 200
)

// Sample says whether the refusal of a bot is worth a full row of the log now: 20 a
// second are, and 200 at once. Others are only counted.
func (g *Guard) Sample(now time.Time) bool {
	const every, burst = int64(time.Second) / sampleRate, int64(time.Second) / sampleRate * sampleBurst
	t := now.UnixNano()
	for {
		paid := g.sampled.Load()
		next := max(paid, t) + every
		if next-t > burst {
			g.suppressed.Add(1)
			return false
		}
		if g.sampled.CompareAndSwap(paid, next) {
			return true
		}
	}
}

// Suppressed counts the refusals that got no row since start.
func (g *Guard) Suppressed() uint64 { return g.suppressed.Load() }
