package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"sluice/guard/network"
	"sluice/reason"
)

// Logins says how many failed logins are too many. Failures are remembered by
// network and account together, by network over all accounts, and by account over
// all networks; the same wrong password again counts as none. 0 takes the default.
type Logins struct {
	// Tries is how many different wrong passwords one network may try for one
	// account before it is refused; default 10. From the third on each costs a
	// Delay: 1s, 2s, 4s … up to 30s.
	Tries int
	// Accounts is how many accounts one network may fail at, those apart that
	// logged in from there; default 20.
	Accounts int
	// Siege is how many failures of strange networks close an account to them, at
	// most three of each counted; default 30.
	Siege int
	// HalfLife is the time in which half of the failures are forgotten; default 1h,
	// and twelve times that for an account's failures from everywhere.
	HalfLife time.Duration
	// First is how long a refusal lasts (default 15m). It doubles for each further
	// one within a day, up to Longest (default 24h).
	First, Longest time.Duration
}

func (l *Logins) defaults() {
	set(&l.Tries, 10)
	set(&l.Accounts, 20)
	set(&l.Siege, 30)
	set(&l.HalfLife, time.Hour)
	set(&l.First, 15*time.Minute)
	set(&l.Longest, 24*time.Hour)
}

// free is how many failures cost no delay.
const free = 2

const longestDelay = 30 * time.Second

// undecided is how long a try counts as failed that nobody reported on.
const undecided = time.Minute

// lock is a sum of failures that closes for a time when it is full.
type lock struct {
	sum       float64
	at        int64
	until     int64
	times     uint8
	pending   uint8 // tries that were let in and aren't decided
	pendingAt int64
}

// rule is when a lock closes.
type rule struct {
	limit          int
	halfLife       time.Duration
	first, longest time.Duration
	keep           float64 // the share of the limit that stays when it closes
}

func (l Logins) pairRule() rule  { return rule{l.Tries, l.HalfLife, l.First, l.Longest, 0.5} }
func (l Logins) sprayRule() rule { return rule{l.Accounts, l.HalfLife, l.First, l.Longest, 0.5} }
func (l Logins) siegeRule() rule { return rule{l.Siege, 12 * l.HalfLife, l.First, l.Longest, 0.8} }

// failed adds a failure and says whether the lock closed with it.
func (v *lock) failed(now time.Time, r rule) bool {
	t := now.UnixNano()
	v.sum = decay(v.sum, v.at, now, r.halfLife) + 1
	v.at = t
	if v.sum < float64(r.limit) || v.until > t {
		return false
	}
	if t-v.until >= int64(recent) {
		v.times = 0
	}
	v.until = t + int64(doubled(r.first, int(v.times), r.longest))
	v.times = min(v.times+1, 100)
	v.sum = float64(r.limit) * r.keep // the time that it is closed pays for the rest
	return true
}

// begin counts a try as failed until it is decided: many at once must not pass all.
func (v *lock) begin(now time.Time) {
	v.forget(now)
	v.pending, v.pendingAt = min(v.pending+1, 250), now.UnixNano()
}

func (v *lock) end() {
	if v.pending > 0 {
		v.pending--
	}
}

func (v *lock) forget(now time.Time) {
	if now.UnixNano()-v.pendingAt > int64(undecided) {
		v.pending = 0
	}
}

// open says whether one more try is let in. So many undecided ones are tolerated
// beside the failures.
func (v *lock) open(now time.Time, tolerated int, r rule) bool {
	v.forget(now)
	sum := decay(v.sum, v.at, now, r.halfLife) + float64(max(int(v.pending)-tolerated, 0))
	return v.until <= now.UnixNano() && sum < float64(r.limit)
}

// worth is nothing for a single failure.
func (v *lock) worth(now time.Time) float64 {
	t := now.UnixNano()
	if v.until > t {
		return 100 + float64(v.times)
	}
	return max(decay(v.sum, v.at, now, time.Hour)-1, 0) + max(fresh(v.until, now, recent), 0)*float64(v.times)
}

// pairKey is a network, or a client of one that the account is at home in, and an
// account.
type pairKey struct {
	who     network.Key
	account uint64
}

type pair struct {
	lock
	paced   bucket // where the account is at home, in place of the lock
	repeats uint8
	next    uint8
	seen    [4]uint64 // keyed hashes of the last wrong passwords
}

// worth lets what comes again and again stay: a forgotten device.
func (v *pair) worth(now time.Time) float64 {
	owed := float64(v.paced.paid-now.UnixNano()) / float64(pace)
	return v.lock.worth(now) + max(owed-1, 0) + decay(float64(v.repeats), v.at, now, 24*time.Hour)/10
}

// spray is one network's failures over many accounts.
type spray struct {
	lock
	next     uint8
	accounts [24]uint32
}

func (v *spray) worth(now time.Time) float64 { return v.lock.worth(now) }

// siege is one account's failures from many networks.
type siege struct {
	lock
	next uint8
	seen [8]uint64
}

func (v *siege) worth(now time.Time) float64 { return v.lock.worth(now) }

// home is where an account logged in. Only who knows a password gets here.
type home struct {
	places []place
}

type place struct {
	host  network.Key // a client; its network is at home too
	last  int64
	noted int64 // the last that was to be written down
}

// places are remembered for each account.
const places = 24

func (v *home) worth(now time.Time) float64 {
	newest := int64(0)
	for _, p := range v.places {
		newest = max(newest, p.last)
	}
	return fresh(newest, now, loginFor)
}

// nearness says how well an account knows a client.
type nearness int

const (
	strange nearness = iota
	near             // its network logged in before
	exact            // it logged in itself
)

func (g *Guard) nearness(now time.Time, addr netip.Addr, account string) nearness {
	v, ok := g.homes.Get(fold(account))
	if !ok {
		return strange
	}
	host, prefix := network.Host(addr), network.Prefix(addr)
	found := strange
	for _, p := range v.places {
		switch {
		case fresh(p.last, now, loginFor) <= 0:
		case p.host == host:
			return exact
		case p.host.Within(prefix):
			found = near
		}
	}
	return found
}

// attempt is a login as the memories see it.
type attempt struct {
	near    nearness
	key     pairKey
	prefix  network.Key
	account uint64
	immune  bool
}

func (g *Guard) attempt(now time.Time, addr netip.Addr, account string) attempt {
	a := attempt{near: g.nearness(now, addr, account), prefix: network.Prefix(addr), account: g.account(account), immune: g.config.Immune(addr)}
	a.immune = a.immune || a.prefix == (network.Key{}) // a socket of our own machine is no network
	a.key = pairKey{a.prefix, a.account}
	if a.near == exact {
		// The owner's own device isn't slowed by its neighbours.
		a.key.who = network.Host(addr)
	}
	return a
}

// LoginAllowed says whether credentials may be looked at, and after which Delay. Each
// try that is allowed must be followed by one of LoginOK, LoginFailed and
// LoginUndecided; until then it counts as failed, so that many at once gain nothing.
// The reason is AUTH_GUESSING.
//
// From a network where the account logged in within 30 days, its owner is never
// locked out: there different wrong passwords are let in at a slow pace, one a
// minute after the first ten, and nothing that others do matters.
func (g *Guard) LoginAllowed(now time.Time, addr netip.Addr, account string) Decision {
	a := g.attempt(now, addr, account)
	if a.near == strange {
		if d := g.strangerAllowed(now, a, account); !d.Allow {
			return d
		}
	}
	d := allowed
	g.pairs.Update(a.key, now, func(v *pair) {
		d = v.allow(now, a, g.config.Logins)
		if d.Allow {
			v.begin(now)
		}
	})
	if !d.Allow {
		d.Detail = fmt.Sprintf("too many different wrong passwords of %v for account %q, until %s", a.key.who, account, d.Until.Format(time.RFC3339))
		return d
	}
	if a.near == strange {
		g.sieges.Update(a.account, now, func(v *siege) { v.begin(now) })
		if !a.immune {
			g.sprays.Update(a.prefix, now, func(v *spray) { v.begin(now) })
		}
	}
	return d
}

// strangerAllowed asks the memories that don't matter at home.
func (g *Guard) strangerAllowed(now time.Time, a attempt, account string) Decision {
	l := g.config.Logins
	refuse := func(v lock, detail string) Decision {
		until := now.Add(undecided)
		if v.until > now.UnixNano() {
			until = time.Unix(0, v.until).UTC()
		}
		return Decision{Reason: reason.AuthGuessing, Until: until, Detail: detail + ", until " + until.Format(time.RFC3339)}
	}
	if v, _ := g.sieges.Get(a.account); !v.open(now, l.Siege, l.siegeRule()) {
		return refuse(v.lock, fmt.Sprintf("many networks guess the password of account %q: only those are let in that it used before", account))
	}
	if a.immune {
		return allowed
	}
	if v, _ := g.sprays.Get(a.prefix); !v.open(now, l.Accounts, l.sprayRule()) {
		return refuse(v.lock, fmt.Sprintf("%v failed to log in to many accounts", a.prefix))
	}
	return allowed
}

// pace is that of different wrong passwords where the account is at home.
const pace = time.Minute

// allow says whether and after which delay the pair may try again.
func (v *pair) allow(now time.Time, a attempt, l Logins) Decision {
	v.forget(now)
	t := now.UnixNano()
	if a.near != strange {
		r := rate{every: int64(pace), period: int64(pace) * int64(l.Tries)}
		if wait := v.paced.wait(t, r.every*int64(v.pending+1), r); wait > 0 {
			return Decision{Reason: reason.AuthGuessing, Until: now.Add(wait)}
		}
		return allowed
	}
	if !v.open(now, 0, l.pairRule()) {
		until := now.Add(undecided)
		if v.until > t {
			until = time.Unix(0, v.until).UTC()
		}
		return Decision{Reason: reason.AuthGuessing, Until: until}
	}
	d := allowed
	if n := int(decay(v.sum, v.at, now, l.HalfLife)+0.5) + int(v.pending) - free; n > 0 {
		d.Delay = min(time.Second<<min(n-1, 10), longestDelay)
	}
	return d
}

// LoginFailed counts a wrong password. The hash is keyed by the caller with a key
// that is random for each process; it stays in memory, and 0 stands for none. The
// reason is AUTH_FAILED, with Allow, or AUTH_GUESSING where that was one too many and
// the session should end.
func (g *Guard) LoginFailed(now time.Time, addr netip.Addr, account string, password uint64) Decision {
	a, l := g.attempt(now, addr, account), g.config.Logins
	repeated, closed, first := false, false, false
	g.pairs.Update(a.key, now, func(v *pair) {
		v.end()
		if repeated = password != 0 && slices.Contains(v.seen[:], password); repeated {
			v.repeats = min(v.repeats+1, 100)
			return
		}
		v.seen[v.next], v.next = password, (v.next+1)%uint8(len(v.seen))
		if a.near != strange {
			v.paced.take(now.UnixNano(), int64(pace))
			return
		}
		closed = v.failed(now, l.pairRule())
		first = v.sum <= 3
	})
	if a.near != strange {
		return Decision{Allow: true, Reason: reason.AuthFailed}
	}
	d := Decision{Allow: !closed, Reason: reason.AuthFailed}
	if closed {
		d.Detail = fmt.Sprintf("%d different wrong passwords of %v for account %q", l.Tries, a.prefix, account)
	}
	if !a.immune {
		if g.sprayed(now, a, repeated) {
			d.Allow, d.Detail = false, fmt.Sprintf("%v failed to log in to %d accounts", a.prefix, l.Accounts)
		}
	}
	if !d.Allow {
		g.Offend(now, addr, reason.AuthGuessing, Weight(reason.AuthGuessing))
	}
	// No offence: the last failure of a siege may be the owner's own.
	if g.besieged(now, a, password, repeated || !first) {
		d.Allow, d.Detail = false, fmt.Sprintf("%d failed logins to account %q from many networks", l.Siege, account)
	}
	if !d.Allow {
		d.Reason = reason.AuthGuessing
	}
	return d
}

// sprayed counts a network's failure at an account, and says whether it was one too
// many.
func (g *Guard) sprayed(now time.Time, a attempt, repeated bool) (closed bool) {
	account := uint32(a.account) | 1
	g.sprays.Update(a.prefix, now, func(v *spray) {
		v.end()
		if repeated || slices.Contains(v.accounts[:], account) {
			return
		}
		v.accounts[v.next], v.next = account, (v.next+1)%uint8(len(v.accounts))
		closed = v.failed(now, g.config.Logins.sprayRule())
	})
	return closed
}

// besieged counts an account's failure, and says whether it was one too many. A
// network counts no more than three times: one alone must not close the account to
// others.
func (g *Guard) besieged(now time.Time, a attempt, password uint64, old bool) (closed bool) {
	g.sieges.Update(a.account, now, func(v *siege) {
		v.end()
		if old || password != 0 && slices.Contains(v.seen[:], password) {
			return
		}
		v.seen[v.next], v.next = password, (v.next+1)%uint8(len(v.seen))
		closed = v.failed(now, g.config.Logins.siegeRule())
	})
	return closed
}

// LoginUndecided gives back a try of which the back end couldn't say whether it was
// right.
func (g *Guard) LoginUndecided(now time.Time, addr netip.Addr, account string) {
	g.release(now, g.attempt(now, addr, account))
}

func (g *Guard) release(now time.Time, a attempt) {
	g.pairs.Amend(a.key, now, func(v *pair) { v.end() })
	if a.near != strange {
		return
	}
	g.sieges.Amend(a.account, now, func(v *siege) { v.end() })
	g.sprays.Amend(a.prefix, now, func(v *spray) { v.end() })
}

// LoginOK says that a password was right. The client's network is at home in the
// account from then on, and the client counts as one that logged in ([Guard.Authenticated]);
// unless it is a stranger that came amid guesses: then the decision has the reason
// AUTH_GUESSING, though it allows the login, and the password was probably stolen.
func (g *Guard) LoginOK(now time.Time, addr netip.Addr, account string) Decision {
	a, l := g.attempt(now, addr, account), g.config.Logins
	g.release(now, a)
	if a.near == strange && !a.immune {
		if v, ok := g.sprays.Get(a.prefix); ok && (v.until > now.UnixNano() || decay(v.sum, v.at, now, l.HalfLife) >= float64(l.Accounts)/2) {
			return Decision{Allow: true, Reason: reason.AuthGuessing,
				Detail: fmt.Sprintf("%v logged in to account %q after it failed at many others: the password may be stolen", a.prefix, account)}
		}
	}
	g.pairs.Amend(a.key, now, func(v *pair) { v.sum, v.until, v.times, v.paced = 0, 0, 0, bucket{} })
	g.atHome(now, addr, account)
	g.Authenticated(now, addr, account)
	return allowed
}

// atHome remembers where an account logged in.
func (g *Guard) atHome(now time.Time, addr netip.Addr, account string) {
	name, host := fold(account), network.Host(addr)
	if name == "" || len(name) > longestAccount || host == (network.Key{}) {
		return
	}
	changed := false
	g.homes.Update(name, now, func(v *home) { changed = v.add(now, host) })
	if changed {
		g.homesChanged.Note(name)
	}
}

// add notes a login from a client and says whether that is worth writing down. The
// places are replaced, never changed, since copies of the entry share them.
func (v *home) add(now time.Time, host network.Key) bool {
	t := now.UnixNano()
	list := slices.Clone(v.places)
	i := slices.IndexFunc(list, func(p place) bool { return p.host == host })
	switch {
	case i >= 0:
	case len(list) < places:
		list, i = append(list, place{}), len(list)
	default: // the oldest gives way
		i = 0
		for j := range list {
			if list[j].last < list[i].last {
				i = j
			}
		}
		list[i] = place{}
	}
	p := &list[i]
	changed := t-p.noted > int64(time.Hour)
	if changed {
		p.noted = t
	}
	p.host, p.last = host, t
	v.places = list
	return changed
}

// longestAccount is the length of an address (RFC 5321 4.5.3.1).
const longestAccount = 64 + 1 + 255

// fold puts ASCII letters into lower case; as in [Guard.account].
func fold(account string) string {
	for i := range len(account) {
		if c := account[i]; 'A' <= c && c <= 'Z' {
			b := []byte(account)
			for ; i < len(b); i++ {
				if c := b[i]; 'A' <= c && c <= 'Z' {
					b[i] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return account
}
