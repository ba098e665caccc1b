package reputation

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"time"
)

// quota is what a source has added to a key today.
type quota struct {
	day       uint32
	good, bad float32
}

const daySeconds = 24 * 60 * 60

// quotaWorth keeps those that used most of today's.
func quotaWorth(q *quota, now time.Time) float64 {
	if q.day != seconds(now)/daySeconds {
		return -1
	}
	return float64(q.good + q.bad)
}

// source is a client as far as its say in shared keys is limited.
type source struct{ client netip.Prefix }

// limit is a network and how many times the daily outcomes it may add.
type limit struct {
	net   netip.Prefix
	times float64
}

func sources(keys []Key) source {
	for _, k := range keys {
		if k.Kind == Address {
			return source{k.Net}
		}
	}
	return source{}
}

// of lists the networks that a client counts in when it adds to a key of a kind. A
// prefix is its clients' own, so there each client is a source; everywhere else,
// a neighbourhood is, and in IPv6 also what a registry gives to one operator, since
// 65,536 neighbourhoods cost its owner nothing.
func (s source) of(k Kind) [2]limit {
	if k == Prefix || !s.client.IsValid() {
		return [2]limit{{s.client, 1}}
	}
	a := s.client.Addr()
	out := [2]limit{{network(a, neighbours4, neighbours6), 1}}
	if a.Is6() {
		out[1] = limit{network(a, 0, registry6), registryTimes}
	}
	return out
}

// registryTimes is how many neighbourhoods' worth a registry's allocation counts.
const registryTimes = 4

// allow returns how much of an outcome may be counted for a shared key today, and
// books it.
func (t *Table) allow(now time.Time, limits [2]limit, k Key, o Outcome) Outcome {
	today := seconds(now) / daySeconds
	for _, l := range limits {
		if l.times == 0 {
			continue
		}
		most := l.times * t.cfg.Daily
		t.used.Update(t.pair(l.net, k), now, func(q *quota) {
			if q.day != today {
				*q = quota{day: today}
			}
			o.Good = min(o.Good, max(most-float64(q.good), 0))
			o.Bad = min(o.Bad, max(most-float64(q.bad), 0))
			q.good += float32(o.Good)
			q.bad += float32(o.Bad)
		})
	}
	return o
}

// pair hashes a source and a key. That two pairs meet (2⁻⁶⁴) would only make them
// share a limit.
func (t *Table) pair(src netip.Prefix, k Key) uint64 {
	type pair struct {
		src netip.Prefix
		key Key
	}
	return maphash.Comparable(t.seed, pair{src, k})
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Net.Addr().Compare(b.Net.Addr()), cmp.Compare(a.Name, b.Name))
}
