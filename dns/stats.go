package dns

import (
	"net/netip"
	"time"
)

// LatencyBounds are the upper bounds of the latency counters.
var LatencyBounds = [...]time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond,
	100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// Stats are a [Cache]'s counters since its start, but for Entries and Bytes,
// which are what it holds now.
type Stats struct {
	Lookups  uint64 // all
	Hits     uint64 // answered from memory
	Misses   uint64 // not, or not at once
	Shared   uint64 // of the misses, those that joined a lookup under way
	Stale    uint64 // answered with data past their time
	Failures uint64 // lookups that no server answered
	Panics   uint64 // responses that broke the parser; should be zero for ever
	Evicted  uint64 // answers forgotten for want of room
	Flights  int    // lookups under way
	Entries  int
	Bytes    int // estimated
	Servers  []ServerStats
}

// ServerStats are the counters of one upstream server.
type ServerStats struct {
	Addr     netip.AddrPort
	Sent     uint64        // queries, UDP and TCP
	TCP      uint64        // answers fetched over TCP, being too long for UDP
	Answered uint64        // responses
	Failed   uint64        // tries that gave neither data nor denial: SERVFAIL, REFUSED, lame, malformed, no connection
	Timeouts uint64        // tries without a response in time
	Strays   uint64        // messages ignored because they didn't fit the query: late, or forged
	Waited   time.Duration // the sum of the responses' latencies
	Dead     bool          // asked last at present, for it didn't reply
	// Latency counts the responses that took no longer than each of
	// LatencyBounds, and in the last place the slower ones. Not cumulative.
	Latency [len(LatencyBounds) + 1]uint64
}

// Stats is a snapshot of the counters. It is safe to call at any time.
func (c *Cache) Stats() Stats {
	n := &c.counters
	st := Stats{Lookups: n.lookups.Load(), Hits: n.hits.Load(), Misses: n.misses.Load(), Shared: n.shared.Load(),
		Stale: n.stale.Load(), Failures: n.failures.Load(), Panics: n.panics.Load()}
	for i := range c.memory.shards {
		s := &c.memory.shards[i]
		s.mu.Lock()
		st.Flights += len(s.flights)
		st.Entries += len(s.entries)
		st.Bytes += s.bytes
		st.Evicted += s.evicted
		s.mu.Unlock()
	}
	for _, s := range c.servers {
		one := ServerStats{Addr: s.addr, Sent: s.sent.Load(), TCP: s.overTCP.Load(), Answered: s.answered.Load(), Failed: s.failed.Load(),
			Timeouts: s.timeouts.Load(), Strays: s.strays.Load(), Waited: time.Duration(s.waited.Load()),
			Dead: s.until.Load() > c.now().UnixNano()}
		for i := range s.latency {
			one.Latency[i] = s.latency[i].Load()
		}
		st.Servers = append(st.Servers, one)
	}
	return st
}
