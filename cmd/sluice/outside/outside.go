// Package outside shows what the daemon's rooms know of those outside: it turns their
// values into those of the live board and of the console's pages.
package outside

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/console"
	"sluice/directory"
	"sluice/dns/dnsbl"
	"sluice/guard"
	"sluice/learn/dialect"
	"sluice/learn/network"
	"sluice/learn/reputation"
	"sluice/live"
)

// Rooms are those that know something. Each may be nil; the functions are asked anew
// each time, since a reload may change what they return, which may be nil too.
type Rooms struct {
	Guard        *guard.Guard
	Reputation   *reputation.Table
	Lists        func() *dnsbl.Set
	Directory    func() *directory.Directory
	Networks     func() *network.DB
	Certificates func(now time.Time) []console.Certificate
	Scanners     *build.Scanners
}

// Board is how the live board asks them.
func (r Rooms) Board() live.Config {
	c := live.Config{Words: words}
	if g := r.Guard; g != nil {
		c.Bans = func(now time.Time) []netip.Prefix {
			var out []netip.Prefix
			for _, b := range g.Bans(now) {
				out = append(out, b.Network)
			}
			return out
		}
	}
	if t := r.Reputation; t != nil {
		c.Bad = func(now time.Time, id string) (float64, bool) {
			s := t.Score(now, reputation.DialectKey(id))
			return s.Probability, s.Outcomes() >= 1
		}
	}
	if r.Scanners != nil {
		c.Scanners = scanners(r.Scanners)
	}
	return c
}

// words describe a dialect, and name the programs that speak so.
func words(d sluice.Dialect) string {
	out := dialect.Describe(d)
	if who := dialect.Clients(d, dialect.StageEnd); len(who) > 0 {
		out += " (as " + strings.Join(who, ", ") + ")"
	}
	return out
}

// Pages is what the console shows.
func (r Rooms) Pages(board *live.Board) console.Port {
	p := console.Port{Certificates: r.Certificates}
	if board != nil {
		p.Live = board.Snapshot
	}
	if r.Reputation != nil {
		p.Hosts, p.Host = r.hosts, r.host
	}
	if r.Guard != nil {
		p.Bans, p.Lift = r.bans, r.lift
	}
	if r.Lists != nil {
		p.Lists = r.lists
	}
	if r.Directory != nil {
		p.Directories = r.directories
	}
	return p
}

var orders = map[string]reputation.Order{"worst": reputation.Worst, "best": reputation.Best, "latest": reputation.Latest, "most": reputation.Most}

func (r Rooms) hosts(now time.Time, kind, order string, n int) []console.Host {
	for _, k := range reputation.Kinds {
		if k.String() != kind {
			continue
		}
		var out []console.Host
		for _, s := range r.Reputation.Top(now, k, orders[order], n) {
			out = append(out, r.score(now, s))
		}
		return out
	}
	return nil
}

// host is what is known of a client by its address alone.
func (r Rooms) host(now time.Time, client netip.Addr) []console.Host {
	keys := []reputation.Key{reputation.AddressKey(client), reputation.PrefixKey(client)}
	if info, ok := r.operator(client); ok && info.ASN != 0 {
		keys = append(keys, reputation.ASNKey(info.ASN))
	}
	var out []console.Host
	for _, k := range keys {
		if k.Valid() {
			out = append(out, r.score(now, r.Reputation.Score(now, k)))
		}
	}
	return out
}

func (r Rooms) operator(a netip.Addr) (network.Info, bool) {
	if r.Networks == nil {
		return network.Info{}, false
	}
	return r.Networks().Lookup(a)
}

func (r Rooms) score(now time.Time, s reputation.Score) console.Host {
	h := console.Host{Kind: s.Key.Kind.String(), Key: s.Key.Text(), Good: s.Good, Bad: s.Bad, First: s.First, Last: s.Last,
		Probability: s.Probability, Decibel: s.Decibel}
	switch s.Key.Kind {
	case reputation.Address, reputation.Prefix:
		if info, ok := r.operator(s.Key.Net.Addr()); ok {
			h.Words = info.String()
		}
		h.Known = s.Key.Kind == reputation.Address && r.Reputation.Known(now, s.Key.Net.Addr())
	case reputation.Dialect:
		h.Words = strings.Join(speakers()[s.Key.Name], ", ")
	case reputation.TLSHello:
		h.Words = strings.Join(dialect.TLSClients(s.Key.Name), ", ")
	}
	return h
}

// speakers are the recorded programs by the names of their dialects. An id can't be
// turned back into a dialect.
var speakers = sync.OnceValue(func() map[string][]string {
	out := map[string][]string{}
	for _, rec := range dialect.Recordings() {
		for _, id := range dialect.IDs(rec.Replay(dialect.OurName)) {
			if list := out[id]; len(list) == 0 || list[len(list)-1] != rec.Client { // recordings are sorted by client
				out[id] = append(list, rec.Client)
			}
		}
	}
	return out
})

func (r Rooms) bans(now time.Time) []console.Ban {
	var out []console.Ban
	for _, b := range r.Guard.Bans(now) {
		out = append(out, console.Ban(b))
	}
	return out
}

// lift ends the bans of a client and of the network around it.
func (r Rooms) lift(_ context.Context, n netip.Prefix, _ string) error {
	if !r.Guard.Unban(time.Now(), n.Addr()) {
		return sluice.ErrNotFound
	}
	return nil
}

func (r Rooms) lists(time.Time) []console.List {
	set := r.Lists()
	if set == nil {
		return nil
	}
	var out []console.List
	for _, h := range set.Health() {
		out = append(out, console.List{Name: h.Name, Zone: h.Zone, Kind: h.Kind.String(), Weight: h.Weight, State: h.State.String(),
			Since: h.Since, Why: h.Why, Believed: h.Believed, Tested: h.Tested, Next: h.Next,
			Recent: console.Answers(h.Recent), Total: console.Answers(h.Total)})
	}
	return out
}

func (r Rooms) directories(time.Time) []console.Directory {
	d := r.Directory()
	if d == nil {
		return nil
	}
	var out []console.Directory
	for _, h := range d.Health() {
		out = append(out, console.Directory{Source: h.Source, Domains: h.Domains, State: h.State.String(),
			Fine: h.State == directory.Working || h.State == directory.Untried, Since: h.Since, Retry: h.Retry, Trouble: h.Trouble,
			Asked: h.Asked, Present: h.Present, Absent: h.Absent, CantTell: h.CantTell, Failed: h.Failed})
	}
	return out
}
