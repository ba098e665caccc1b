// Package mailauth finds out who a message is from: SPF, DKIM, ARC, DMARC,
// reverse DNS and the sender's domain, each once for a session or transaction,
// when the first check asks. The methods live in the folders below; this package
// remembers their results, keeps their questions within budgets, and puts the
// word of a trusted upstream in their place where there is one.
package mailauth

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"sluice"
	"sluice/dns"
	"sluice/mailauth/arc"
	"sluice/mailauth/author"
	"sluice/mailauth/authres"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/nullmx"
	"sluice/mailauth/spf"
	"sluice/message"
)

// Budgets of questions to the DNS. A message with ten signatures, a long ARC
// chain and the largest SPF policy stays within; a hostile one doesn't get more.
const (
	sessionLookups = 60
	sessionWait    = 6 * time.Second
	messageLookups = 250
	messageWait    = 10 * time.Second
)

// Config sets up a Verifier.
type Config struct {
	Resolver dns.Resolver // nil: nothing can be asked; only a trusted upstream's word counts
	Hostname string       // ours, for SPF's macro r
	// Sealers are the domains whose ARC seals are believed.
	Sealers []string
	// Upstream is whose Authentication-Results are believed, from clients that
	// TrustedClient accepts; no IDs: nobody's.
	Upstream      authres.Trust
	TrustedClient func(netip.Addr) bool
}

// Verifier makes an Auth for each session. It is safe for concurrent use.
type Verifier struct {
	cfg     Config
	sealers map[string]bool
}

// New makes a Verifier.
func New(cfg Config) *Verifier {
	v := &Verifier{cfg: cfg, sealers: map[string]bool{}}
	for _, s := range cfg.Sealers {
		if n, err := dns.Normalize(s); err == nil {
			v.sealers[n] = true
		}
	}
	return v
}

// Auth holds what is known of one session and, after Begin, of one transaction.
// Its methods are safe for concurrent use; each asks once and then remembers. A
// nil Auth knows nothing.
type Auth struct {
	v      *Verifier
	conn   *sluice.Conn
	budget *dns.Budget
	reader dns.Resolver

	reverse once[iprev.Result]
	helo    once[spf.Result]
	heloFor string // the name that helo is about

	*transaction // nil before Begin
}

type transaction struct {
	session *Auth
	env     *sluice.Envelope
	spf     once[spf.Result]
	sender  once[nullmx.Result]
	author  once[author.Author]
	dkim    once[[]dkim.Result]
	arc     once[arc.Result]
	dmarc   once[dmarc.Result]
	up      once[*authres.Field]
}

// once remembers one result.
type once[T any] struct {
	mu   sync.Mutex
	done bool
	v    T
}

func (o *once[T]) get(f func() T) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.done {
		o.v, o.done = f(), true
	}
	return o.v
}

// peek returns the result if it is known.
func (o *once[T]) peek() (T, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.v, o.done
}

// Open begins a session.
func (v *Verifier) Open(c *sluice.Conn) *Auth {
	a := &Auth{v: v, conn: c, budget: dns.NewBudget(sessionLookups, sessionWait)}
	if v.cfg.Resolver != nil {
		a.reader = dns.Limited(v.cfg.Resolver, a.budget)
	}
	return a
}

// Begin starts a transaction of the session. What the session knows is shared.
func (a *Auth) Begin(env *sluice.Envelope) *Auth {
	if a == nil {
		return nil
	}
	s := a
	if a.transaction != nil {
		s = a.session
	}
	t := &Auth{v: s.v, conn: s.conn, budget: dns.NewBudget(messageLookups, messageWait), transaction: &transaction{session: s, env: env}}
	if s.v.cfg.Resolver != nil {
		t.reader = dns.Limited(s.v.cfg.Resolver, t.budget)
	}
	return t
}

// root is the session behind a transaction.
func (a *Auth) root() *Auth {
	if a.transaction != nil {
		return a.session
	}
	return a
}

// Live says whether anything can be found out: there is a client address and a
// resolver.
func (a *Auth) Live() bool {
	return a != nil && a.v.cfg.Resolver != nil && a.conn.Client.Addr().IsValid()
}

// InTransaction says whether there is a sender to ask about.
func (a *Auth) InTransaction() bool { return a != nil && a.transaction != nil }

func (a *Auth) ip() netip.Addr { return a.conn.Client.Addr().Unmap() }

// Reverse looks up the client's name and whether it leads back (RFC 8601 3).
func (a *Auth) Reverse(ctx context.Context) iprev.Result {
	s := a.root()
	return s.reverse.get(func() iprev.Result { return iprev.Check(ctx, s.reader, s.ip()) })
}

// HELO evaluates the greeting's own SPF policy (RFC 7208 2.3). A new greeting is
// asked anew.
func (a *Auth) HELO(ctx context.Context, now time.Time) spf.Result {
	s := a.root()
	name := s.conn.Hello.Name
	s.helo.mu.Lock()
	if s.heloFor != name {
		s.helo.done, s.heloFor = false, name
	}
	s.helo.mu.Unlock()
	return s.helo.get(func() spf.Result { return spf.CheckHELO(ctx, s.reader, s.input("", now), spf.Limits{}) })
}

func (a *Auth) input(from string, now time.Time) spf.Input {
	return spf.Input{IP: a.ip(), HELO: a.conn.Hello.Name, MailFrom: from, Receiver: a.v.cfg.Hostname, Now: now}
}

// SPF evaluates the policy of the reverse-path's domain.
func (a *Auth) SPF(ctx context.Context, now time.Time) spf.Result {
	return a.spf.get(func() spf.Result { return spf.Check(ctx, a.reader, a.input(a.env.From, now), spf.Limits{}) })
}

// Sender says whether the reverse-path's domain can take replies (RFC 7505). The
// null sender has no domain to ask about; call it for others only.
func (a *Auth) Sender(ctx context.Context) nullmx.Result {
	return a.sender.get(func() nullmx.Result { return nullmx.Sender(ctx, a.reader, sluice.DomainOf(a.env.From)) })
}

// Author is the one reading of who the message says it is from.
func (a *Auth) Author(m *message.Message) author.Author {
	return a.author.get(func() author.Author { return author.Of(m) })
}

// DKIM verifies the message's signatures.
func (a *Auth) DKIM(ctx context.Context, m *message.Message, now time.Time) []dkim.Result {
	return a.dkim.get(func() []dkim.Result {
		if f := a.Upstream(m); f != nil {
			return upstreamDKIM(f)
		}
		if a.reader == nil {
			return nil
		}
		return dkim.Verify(ctx, a.reader, m, now, dkim.DefaultLimits())
	})
}

// ARC validates the message's chain.
func (a *Auth) ARC(ctx context.Context, m *message.Message) arc.Result {
	return a.arc.get(func() arc.Result {
		if a.reader == nil {
			return arc.Result{Status: arc.None}
		}
		return arc.Validate(ctx, a.reader, m, arc.DefaultLimits())
	})
}

// TrustedSealer is the newest sealer of a passing chain that the configuration
// trusts, or "". Its Authentication-Results say what held before it changed the
// message.
func (a *Auth) TrustedSealer(r arc.Result) string {
	if r.Status != arc.Pass || len(r.Sets) == 0 {
		return ""
	}
	last := r.Sets[len(r.Sets)-1]
	if last.FromSigned && a.v.sealers[last.Sealer] {
		return last.Sealer
	}
	return ""
}

// DMARC applies the author domain's policy (RFC 9989).
func (a *Auth) DMARC(ctx context.Context, m *message.Message, now time.Time) dmarc.Result {
	return a.dmarc.get(func() dmarc.Result {
		if f := a.Upstream(m); f != nil {
			return a.upstreamDMARC(f, m)
		}
		if a.reader == nil {
			return dmarc.Result{Value: dmarc.None, Why: "nobody could be asked"}
		}
		in := dmarc.Input{From: a.Author(m)}
		if a.Live() {
			s := a.SPF(ctx, now)
			in.SPF = dmarc.SPF{Result: string(s.Result), Domain: s.Domain}
		}
		for _, d := range a.DKIM(ctx, m, now) {
			in.DKIM = append(in.DKIM, dmarc.Signature{Result: string(d.Status), Domain: d.Domain, Selector: d.Selector})
		}
		r := dmarc.Evaluate(ctx, a.reader, in)
		if len(r.Identifiers) == 0 && r.Domain != "" {
			r.Identifiers = a.withoutPolicy(r.Domain, &in)
		}
		return r
	})
}
