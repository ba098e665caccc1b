// Package live knows what goes on at the port right now: sessions by phase, rates,
// refusals by reason, and which networks and dialects are behind them. The gate
// feeds a [Board], pages and terminals read its [Snapshot].
//
// Everything is bounded and in memory only; a restart begins anew. Feeding costs
// some tens of nanoseconds and no allocation, so that it may be done for each
// connection of a flood.
//
// # What is counted
//
// A session is refused if it was turned away before it began, or ended without a
// message after a refusal: a mailing with one unknown recipient among many is not.
// It is deferred if it was only asked to come again. Both are counted when the
// session ends. Messages are counted by what was done with them. Refusals by reason
// are replies: a session may hear many.
//
// # Who is at the top
//
// Networks (an IPv4 /24, an IPv6 /48) and dialects are kept in sketches of a fixed
// size: space saving (Metwally, Agrawal and El Abbadi 2005) with randomised admission
// (Ben Basat, Chen, Einziger, Friedman and Kassner 2019). A newcomer takes the place of
// the least active entry with a probability of one in its activity. So a flood of
// addresses that nobody sees twice wears out only what is as faint as itself: after N
// of them, entries with more than about √(2N/size) events stay. Activity fades with
// a half-life of ten minutes.
package live

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"sluice"
)

// Config sets up a Board. Every field may be zero. The functions are called by
// [Board.Snapshot] only, for the few rows that it shows.
type Config struct {
	Networks int // that are followed, default 1024
	Dialects int // default 256

	// Bans are the networks and addresses that are banned now.
	Bans func(now time.Time) []netip.Prefix
	// Bad is the learned probability that a client of a dialect is unwanted; ok is
	// false where nothing is known.
	Bad func(now time.Time, id string) (p float64, ok bool)
	// Words describe a dialect.
	Words func(d sluice.Dialect) string
	// Scanners are those that look into files.
	Scanners func(now time.Time) []Scanner
}

// Board holds the counters. Its methods are safe for concurrent use, and those of a
// nil Board do nothing.
type Board struct {
	cfg    Config
	start  time.Time
	phases [phaseCount]atomic.Int64 // sessions now

	series struct {
		sync.Mutex
		all series
	}
	refusals struct {
		sync.Mutex
		all refusals
	}
	networks struct {
		sync.Mutex
		top sketch[uint64]
	}
	dialects struct {
		sync.Mutex
		top sketch[string]
	}
}

const phaseCount = int(sluice.PhaseMessage) + 1

// New makes an empty Board; now is what its uptime counts from.
func New(now time.Time, cfg Config) *Board {
	if cfg.Networks <= 0 {
		cfg.Networks = 1024
	}
	if cfg.Dialects <= 0 {
		cfg.Dialects = 256
	}
	b := &Board{cfg: cfg, start: now}
	b.series.all = newSeries()
	b.refusals.all = newRefusals()
	b.networks.top = newSketch[uint64](cfg.Networks)
	b.dialects.top = newSketch[string](cfg.Dialects)
	return b
}

// Visit is one connection on the board. The session holds it and calls it from one
// goroutine; those of the zero Visit do nothing. Copies must not be used beside it.
type Visit struct {
	board    *Board
	network  uint64
	phase    sluice.Phase // 0: not open
	data     bool         // it came as far as DATA
	refused  bool
	deferred bool
}

// Opened counts a connection, which is at the connect phase.
func (b *Board) Opened(now time.Time, client netip.Addr) Visit {
	if b == nil {
		return Visit{}
	}
	v := Visit{board: b, network: networkKey(client), phase: sluice.PhaseConnect}
	b.phases[v.phase].Add(1)
	b.count(now, Connections)
	b.network(now, v.network, event{sessions: 1})
	return v
}

// Turned counts a connection that was turned away before it became a session.
func (b *Board) Turned(now time.Time, client netip.Addr, why sluice.Reason, code int) {
	if b == nil {
		return
	}
	what := Refused
	if deferral(code) {
		what = Deferred
	}
	b.count(now, Connections, what)
	b.refusal(now, why, sluice.PhaseConnect)
	e := event{sessions: 1, refusals: 1, why: why}
	if what == Refused {
		e.refused = 1
	}
	b.network(now, networkKey(client), e)
}

// Phase says where the session is now.
func (v *Visit) Phase(to sluice.Phase) {
	if v.phase == 0 || to == v.phase || to == 0 || int(to) >= phaseCount {
		return
	}
	v.board.phases[v.phase].Add(-1)
	v.board.phases[to].Add(1)
	v.phase = to
	v.data = v.data || to >= sluice.PhaseData
}

// Forwarded says that the session speaks for another client from now on (XFORWARD).
func (v *Visit) Forwarded(now time.Time, client netip.Addr) {
	if v.phase == 0 {
		return
	}
	v.network = networkKey(client)
	v.board.network(now, v.network, event{sessions: 1})
}

// Refused counts a refusal: a reply with a 4xx or 5xx code and its leading reason.
func (v *Visit) Refused(now time.Time, why sluice.Reason, phase sluice.Phase, code int) {
	if v.phase == 0 {
		return
	}
	if deferral(code) {
		v.deferred = true
	} else {
		v.refused = true
	}
	v.board.refusal(now, why, phase)
	v.board.network(now, v.network, event{refusals: 1, why: why})
}

// deferral says whether a code asks to come again. 421 does too, but ends the session.
func deferral(code int) bool { return code >= 400 && code < 500 && code != 421 }

// Judged counts a message by what was done with it: the strongest action among its
// recipients.
func (v *Visit) Judged(now time.Time, action sluice.Action, threat sluice.Threat) {
	if v.phase == 0 {
		return
	}
	v.data = true
	v.board.count(now, done(action))
	if action != sluice.Accept {
		v.board.threat(now, threat)
	}
}

// done is what an action counts as.
func done(a sluice.Action) Kind {
	switch a {
	case sluice.Accept:
		return Accepted
	case sluice.Tag, sluice.Banner, sluice.Strip:
		return Tagged
	case sluice.QuarantineIt, sluice.Hold:
		return Quarantined
	case sluice.Defer:
		return Deferred
	}
	return Rejected
}

// Dialect counts how the client spoke. It is called once, before [Visit.Closed].
func (v *Visit) Dialect(now time.Time, id string, d sluice.Dialect) {
	if v.phase == 0 || id == "" || len(id) > maxID {
		return
	}
	e := event{sessions: 1, dialect: d}
	if v.turnedDown() {
		e.refused = 1
	}
	b := v.board
	b.dialects.Lock()
	b.dialects.top.add(now.Unix(), id, e)
	b.dialects.Unlock()
}

// maxID bounds the name of a dialect.
const maxID = 64

// turnedDown says whether the session has sent no message and heard a refusal.
func (v *Visit) turnedDown() bool { return v.refused && !v.data }

// Closed ends the visit. Further calls do nothing.
func (v *Visit) Closed(now time.Time) {
	if v.phase == 0 {
		return
	}
	b := v.board
	b.phases[v.phase].Add(-1)
	switch {
	case v.turnedDown():
		b.count(now, Refused)
		b.network(now, v.network, event{refused: 1})
	case v.deferred && !v.data:
		b.count(now, Deferred)
	}
	v.phase = 0
}

func (b *Board) count(now time.Time, kinds ...Kind) {
	b.series.Lock()
	for _, k := range kinds {
		b.series.all.add(now.Unix(), k)
	}
	b.series.Unlock()
}

func (b *Board) refusal(now time.Time, why sluice.Reason, phase sluice.Phase) {
	b.refusals.Lock()
	b.refusals.all.add(now.Unix(), why, phase)
	b.refusals.Unlock()
}

func (b *Board) threat(now time.Time, t sluice.Threat) {
	if int(t) >= sluice.ThreatCount {
		return
	}
	b.refusals.Lock()
	b.refusals.all.threats[t].add(now.Unix())
	b.refusals.Unlock()
}

func (b *Board) network(now time.Time, key uint64, e event) {
	if key == 0 {
		return
	}
	b.networks.Lock()
	b.networks.top.add(now.Unix(), key, e)
	b.networks.Unlock()
}

// Marks of a network's key: the rest are the first 24 bits of an IPv4 address or the
// first 48 of an IPv6 address.
const (
	mark4 = 1 << 62
	mark6 = 1 << 63
)

// networkKey is the /24 or /48 of a client, 0 for none.
func networkKey(a netip.Addr) uint64 {
	switch a = a.Unmap(); {
	case a.Is4():
		b := a.As4()
		return mark4 | uint64(b[0])<<16 | uint64(b[1])<<8 | uint64(b[2])
	case a.Is6():
		b := a.As16()
		return mark6 | binary.BigEndian.Uint64(b[:8])>>16
	}
	return 0
}

// prefixOf is the network of a key.
func prefixOf(key uint64) netip.Prefix {
	if key&mark4 != 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(key >> 16), byte(key >> 8), byte(key)}), 24)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], key<<16)
	return netip.PrefixFrom(netip.AddrFrom16(b), 48)
}
