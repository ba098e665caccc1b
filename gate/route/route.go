// Package route says whose mail goes where: the next hop of each recipient domain, what
// they can take, and the recipients that exist to catch mail nobody asked for.
package route

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/idna"

	"sluice"
	"sluice/judge/policy"
)

// Route says where the mail of some recipient domains goes and who owns them.
type Route struct {
	Key       string // names the next hop; recipients with different keys don't share a transaction
	Tenant    string
	Deliverer sluice.Deliverer
	Policy    *policy.Policy // nil: the default
	Sign      bool           // mail of our own that goes this way is signed by its author's domain
	// Directory knows the domain's mailboxes; nil: whatever the next hop takes.
	Directory sluice.Directory
	// DirectoryDown defers recipients while the directory can't answer; else they
	// are taken as if they existed.
	DirectoryDown bool
	RequireTLS    bool // mail is taken over TLS only
}

// Table finds the route of a recipient.
type Table struct {
	ByDomain map[string]*Route // lower-case A-labels
	Default  string            // the domain of a bare "postmaster"
	// Outbound takes what users of ours send to other systems; nil: they can't.
	Outbound *Route
}

// Of is the route of a transaction's recipient: what users of ours send to
// domains that aren't served here goes out.
func (r *Table) Of(addr string, outbound bool) (*Route, string) {
	rt, addr := r.Find(addr)
	if rt == nil && outbound && sluice.DomainOf(addr) != "" {
		rt = r.Outbound
	}
	return rt, addr
}

// Find returns the route of addr and the address to use for it, or nil where
// the domain isn't ours. Sluice never relays for other domains.
func (r *Table) Find(addr string) (*Route, string) {
	domain := sluice.DomainOf(addr)
	if domain == "" {
		if !sluice.IsPostmaster(addr) {
			return nil, addr
		}
		domain, addr = r.Default, addr+"@"+r.Default // RFC 5321 4.5.1
	}
	return r.ByDomain[ALabels(domain)], addr
}

// ALabels is a lower-case domain in A-labels, or as it is where it has none.
func ALabels(domain string) string {
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		return a
	}
	return domain
}

// Hidden says whether the local part asks the next hop to relay further
// ("user%elsewhere@ours", "elsewhere!user@ours", quoted "@"): a lax next hop
// would obey and become an open relay through us.
func Hidden(addr string) bool {
	return strings.ContainsAny(sluice.LocalOf(addr), "@%!")
}

// Hops lists each next hop once, but for the outbound one: it is no part of
// what strangers are offered.
func (r *Table) Hops() []sluice.Deliverer {
	var out []sluice.Deliverer
	for _, rt := range r.ByDomain {
		if !slices.Contains(out, rt.Deliverer) {
			out = append(out, rt.Deliverer)
		}
	}
	return out
}

// Close lets go of idle connections of all next hops.
func (r *Table) Close() {
	for _, d := range r.Hops() {
		_ = d.Close() // nothing is lost with an idle connection
	}
	if r.Outbound != nil {
		_ = r.Outbound.Deliverer.Close()
	}
}

// Intersect is what all next hops can take.
func Intersect(ctx context.Context, hops []sluice.Deliverer) sluice.Extensions {
	all := sluice.Extensions{EightBit: true, SMTPUTF8: true, DSN: true, Known: true}
	for _, e := range askAll(ctx, hops) {
		all.Known = all.Known && e.Known
		all.SMTPUTF8 = all.SMTPUTF8 && e.SMTPUTF8
		all.DSN = all.DSN && e.DSN
		// Every server of this century takes 8-bit mail: one that can't be
		// asked right now doesn't make clients send 7 bits.
		all.EightBit = all.EightBit && (e.EightBit || !e.Known)
		if e.Size > 0 && (all.Size == 0 || e.Size < all.Size) {
			all.Size = e.Size
		}
	}
	return all
}

// askAll asks every next hop, all at once: one that takes connections and says
// nothing costs seconds, and many of them must not cost minutes.
func askAll(ctx context.Context, hops []sluice.Deliverer) []sluice.Extensions {
	out := make([]sluice.Extensions, len(hops))
	if len(hops) == 1 {
		out[0] = hops[0].Extensions(ctx)
		return out
	}
	var wg sync.WaitGroup
	panics := make(chan any, len(hops))
	for i, d := range hops {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			out[i] = d.Extensions(ctx)
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p) // where the session's barrier stands
	default:
	}
	return out
}
