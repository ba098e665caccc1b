package build

import (
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/config"
	"sluice/dns"
)

// Resolver is whom a daemon or a command asks: a cache, and where the servers
// are the system's own a guard before it.
type Resolver struct {
	dns.Resolver // nil where nobody is asked
	cache        *dns.Cache
	guard        *dns.Guard
}

// NewResolver makes one. The system's servers are believed as long as they
// know the root zone; servers that an admin names are believed as they are.
func NewResolver(cfg *config.Config) *Resolver {
	var servers []netip.AddrPort
	for _, s := range cfg.DNS.Servers {
		if !s.IsValid() {
			return &Resolver{}
		}
		servers = append(servers, s.AddrPort)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	r := &Resolver{cache: dns.NewCache(dns.Config{Servers: servers, Trusted: append(trusted, Prefixes(cfg.DNS.TrustAD)...)})}
	r.Resolver = r.cache
	if len(servers) == 0 {
		r.guard = dns.NewGuard(r.cache, time.Minute, time.Now)
		r.Resolver = r.guard
	}
	return r
}

// Close gives up questions under way.
func (r *Resolver) Close() {
	if r != nil && r.cache != nil {
		_ = r.cache.Close() // always nil
	}
}

// Observe shows the cache's counters.
func (r *Resolver) Observe(reg prometheus.Registerer) {
	if r.cache == nil {
		return
	}
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "sluice", Subsystem: "dns", Name: name, Help: help}, f))
	}
	stat := func(name, help string, f func(dns.Stats) float64) {
		gauge(name, help, func() float64 { return f(r.cache.Stats()) })
	}
	stat("lookups", "Questions since the start.", func(s dns.Stats) float64 { return float64(s.Lookups) })
	stat("hits", "Questions answered from memory.", func(s dns.Stats) float64 { return float64(s.Hits) })
	stat("stale", "Answers past their time, because no server answered.", func(s dns.Stats) float64 { return float64(s.Stale) })
	stat("failures", "Questions that no server answered.", func(s dns.Stats) float64 { return float64(s.Failures) })
	stat("entries", "Answers kept.", func(s dns.Stats) float64 { return float64(s.Entries) })
	gauge("usable", "0 while the system's resolver doesn't know the root zone and nobody is asked.", func() float64 {
		if r.guard != nil && r.guard.Err() != nil {
			return 0
		}
		return 1
	})
}

// Prefixes are the networks of a list.
func Prefixes(in []config.Prefix) (out []netip.Prefix) {
	for _, p := range in {
		out = append(out, p.Prefix)
	}
	return out
}
