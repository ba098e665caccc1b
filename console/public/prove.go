package public

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/console/public/proof"
	"sluice/explain"
	"sluice/explain/ref"
	"sluice/reason"
)

// provers bounds how often the DNS is asked for proofs: by one reader, about one domain,
// by all. The last two keep the page from being a way to have us ask somebody's name
// servers again and again.
type provers struct{ reader, domain, all web.Limiter }

func newProvers() provers {
	return provers{
		reader: web.Limiter{Burst: 6, Every: time.Minute, Size: 20_000},
		domain: web.Limiter{Burst: 6, Every: time.Minute, Size: 20_000},
		all:    web.Limiter{Burst: 120, Every: 5 * time.Second, Size: 1},
	}
}

// allow says whether the DNS may be asked about a domain now.
func (p *provers) allow(reader netip.Addr, domain string, now time.Time) bool {
	sum := sha256.Sum256([]byte(domain))
	for _, l := range []struct {
		of  *web.Limiter
		key netip.Addr
	}{{&p.reader, reader}, {&p.domain, netip.AddrFrom16([16]byte(sum[:16]))}, {&p.all, netip.Addr{}}} {
		if _, ok := l.of.Allow(l.key, now); !ok {
			return false
		}
	}
	return true
}

// record is the record of the event that a token speaks of; nil where there is none (any
// more).
func (s *site) record(ctx context.Context, f *Facts) *sluice.Record {
	if s.cfg.Record == nil || f.Ref == "" {
		return nil
	}
	rec, err := s.cfg.Record(ctx, f.Ref)
	if err != nil || rec == nil || rec.Conn.Client.Addr().Unmap() != f.Client.Unmap() {
		return nil
	}
	return rec
}

// provable is a domain whose postmaster may prove that it is his.
type provable struct{ Domain, Name, Text string }

// provable lists the domains that authenticated in the event, and no others.
func (s *site) provable(token string, rec *sluice.Record) (out []provable) {
	if s.cfg.Proof == nil || rec == nil {
		return nil
	}
	for _, a := range rec.Authenticated {
		out = append(out, provable{a.Domain, proof.Name(a.Domain), s.cfg.Proof.Challenge(token, a.Domain)})
	}
	return out
}

// prove looks for the record in the DNS that a reader says is there, and leads him to the
// page that says more. A GET never comes here.
func (s *site) prove(w http.ResponseWriter, r *http.Request) {
	f, ok := s.open(w, r)
	if !ok {
		return
	}
	token, domain := r.PathValue("token"), r.PostFormValue("domain")
	if !slices.ContainsFunc(s.provable(token, s.record(r.Context(), &f)), func(p provable) bool { return p.Domain == domain }) {
		s.text(w, r, http.StatusNotFound, "none")
		return
	}
	reader, now := web.Client(r, s.cfg.Proxies), s.cfg.Clock()
	if !s.provers.allow(reader, domain, now) {
		s.show(w, r, http.StatusTooManyRequests, &f, "proof_full")
		return
	}
	found, err := s.cfg.Proof.Check(r.Context(), token, domain)
	switch {
	case err != nil:
		s.cfg.Log.Info("public: a proof can't be looked for", slog.String("domain", domain), slog.Any("error", err))
		s.show(w, r, http.StatusServiceUnavailable, &f, "proof_broken")
	case !found:
		s.show(w, r, http.StatusUnprocessableEntity, &f, "proof_missing")
	default:
		s.cfg.Log.Info("a postmaster proved a domain", slog.String("ref", f.Ref), slog.String("domain", domain), slog.String("reader", reader.String()))
		q := url.Values{"proof": {s.cfg.Proof.Pass(token, domain, now)}}
		if r.URL.Query().Get("lang") != "" {
			q.Set("lang", s.tongue(r).Lang)
		}
		http.Redirect(w, r, "/why/"+token+"?"+q.Encode()+"#proof", http.StatusSeeOther)
	}
}

// more is what a postmaster sees who has proved a domain that authenticated in the event:
// what authentication found with its details, and the points of what spoke against the
// message, by group. It has no recipient, no threshold and no sum, no list's key, no word
// of the text model, and no trap.
type more struct {
	Domain string
	Proved []sluice.Authenticated
	Tree   []leaf
	Groups []weighed
}

// leaf is one result of authentication.
type leaf struct {
	checked
	Detail  string
	Unknown bool // it couldn't be told
}

// weighed is a group of reasons that spoke against the message.
type weighed struct {
	Group, Points string
	Reasons       []pointed
	points        float64
}

type pointed struct {
	ID, Points, Words, Fix, Lang string
	points                       float64
	stop                         bool
}

// rank sorts what decides alone above all points.
func (p pointed) rank() float64 { return 1e9*p.stopped() + p.points }

func (p pointed) stopped() float64 {
	if p.stop {
		return 1
	}
	return 0
}

// more is nil for a reader without a pass.
func (s *site) more(r *http.Request, f *Facts, rec *sluice.Record, lang string) *more {
	pass := r.URL.Query().Get("proof")
	if s.cfg.Proof == nil || rec == nil || pass == "" {
		return nil
	}
	var domains []string
	for _, a := range rec.Authenticated {
		domains = append(domains, a.Domain)
	}
	domain, ok := s.cfg.Proof.Passed(r.PathValue("token"), pass, domains, s.cfg.Clock())
	if !ok {
		return nil
	}
	m := &more{Domain: domain, Proved: rec.Authenticated, Tree: tree(rec, lang)}
	if len(f.Reasons) > 0 {
		// Where the next hop refused, or we were in trouble, nothing that we found is the
		// cause.
		if e, ok := reason.Lookup(string(f.Reasons[0])); ok && e.Group == "delivery" {
			return m
		}
	}
	m.Groups = groups(rec, s.tongues[lang].Group, lang)
	return m
}

// tree lists what authentication found, a method after the other.
func tree(rec *sluice.Record, lang string) (out []leaf) {
	for _, prefix := range authentication {
		for i := range rec.Verdict.Ledger {
			c := &rec.Verdict.Ledger[i]
			e, ok := reason.Lookup(string(c.Reason))
			if !ok || c.State == sluice.NotRun || !strings.HasPrefix(e.ID, prefix) {
				continue
			}
			words, in, _ := translated(&e, lang)
			out = append(out, leaf{checked{e.ID, words, in}, withoutMailboxes(c.Detail), c.State == sluice.Unknown})
		}
	}
	return out
}

// mostPointed is how many reasons of a group are shown.
const mostPointed = 5

// groups adds up what spoke against the message, strongest first.
func groups(rec *sluice.Record, names map[string]string, lang string) (out []weighed) {
	of := map[sluice.Group]*weighed{}
	for i := range rec.Verdict.Ledger {
		c := &rec.Verdict.Ledger[i]
		e, ok := reason.Lookup(string(c.Reason))
		if !ok || c.State != sluice.Found || c.Group == sluice.GroupPrior || c.Reason == reason.Spamtrap || c.Hard == sluice.HardPass {
			continue
		}
		g := of[c.Group]
		if g == nil {
			g = &weighed{Group: or(names, c.Group.String())}
			of[c.Group] = g
		}
		g.points += c.Points
		if c.Points <= 0 && c.Hard != sluice.HardStop {
			continue
		}
		p := pointed{ID: e.ID, Points: decibels(c.Points), points: c.Points, stop: c.Hard == sluice.HardStop}
		if p.stop {
			p.Points = ""
		}
		p.Words, p.Lang, p.Fix = translated(&e, lang)
		g.Reasons = append(g.Reasons, p)
	}
	for _, g := range of {
		slices.SortStableFunc(g.Reasons, func(a, b pointed) int {
			return cmp.Or(cmp.Compare(b.rank(), a.rank()), cmp.Compare(a.ID, b.ID))
		})
		g.Reasons = g.Reasons[:min(len(g.Reasons), mostPointed)]
		if len(g.Reasons) > 0 && (g.points > 0 || g.Reasons[0].stop) {
			if g.points > 0 {
				g.Points = decibels(g.points)
			}
			out = append(out, *g)
		}
	}
	slices.SortFunc(out, func(a, b weighed) int {
		return cmp.Or(cmp.Compare(b.Reasons[0].stopped(), a.Reasons[0].stopped()), cmp.Compare(b.points, a.points), cmp.Compare(a.Group, b.Group))
	})
	return out
}

func decibels(points float64) string { return fmt.Sprintf("%+.1f", points) }

// translated are the words and the advice of a reason in a language, or in English.
func translated(e *reason.Entry, lang string) (words, in, fix string) {
	for _, c := range explain.WhyPageIn(ref.Facts{Reasons: []sluice.Reason{sluice.Reason(e.ID)}}, lang).Causes {
		return c.Words, c.Lang, c.Fix
	}
	return e.Page, "en", ""
}

// withoutMailboxes takes addresses out of a detail: results that others wrote into a
// message may name whom it was for. What is left still has to be escaped.
func withoutMailboxes(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if strings.Contains(w, "@") {
			words[i] = "…"
		}
	}
	return strings.Join(words, " ")
}
