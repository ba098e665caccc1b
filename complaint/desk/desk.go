// Package desk takes the reports that users send to the report addresses: who may
// teach, what is learned, and the one answer there is, which is the reply to the
// final dot. No mail is ever sent back: a report with a forged sender would make it
// backscatter, and an automaton would answer it.
package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"sluice"
	"sluice/complaint"
	"sluice/explain"
	"sluice/internal/pace"
	"sluice/mailauth"
	"sluice/mailauth/dmarc"
	"sluice/message"
	"sluice/reason"
)

// Config wires a desk. Teacher, Local and Clock are needed.
type Config struct {
	// Spam, Ham and Phish are the report addresses, domains in A-labels or not.
	Spam, Ham, Phish []string
	Reading          complaint.Config
	Teacher          sluice.Teacher
	// Local says whether a domain, in lower-case A-labels, is of this site: its
	// users may teach.
	Local func(domain string) bool
	// Networks are those whose clients are users of this site and speak for
	// themselves. A forwarder or a relay of other people's mail must not be here.
	Networks []netip.Prefix
	// Record finds a message in the log, so that an id in a report is believed only
	// where it fits. nil: ids are not used.
	Record func(ctx context.Context, id string) (*sluice.Record, error)
	// Find returns the bytes of a message of which only the header came, by id or
	// Message-ID; ErrNotFound. nil: none are kept.
	Find func(ctx context.Context, o complaint.Original) ([]byte, error)
	// Burst is how many messages somebody may report at once, Every how long it
	// takes until one more is allowed. Defaults: 100, 30 seconds.
	Burst int
	Every time.Duration

	Postmaster string // for questions, in refusals
	Clock      func() time.Time
	Logger     *slog.Logger // default: discards
}

// kind is what an address is for.
type kind uint8

const (
	spamKind kind = 1 << iota
	hamKind
	phishKind
)

// Desk takes reports. It is safe for concurrent use.
type Desk struct {
	cfg       Config
	addresses map[string]kind
	pace      *pace.Limiter
}

// New checks the configuration.
func New(cfg Config) (*Desk, error) {
	if cfg.Teacher == nil || cfg.Local == nil || cfg.Clock == nil {
		return nil, errors.New("desk: no teacher, no local domains or no clock")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Burst <= 0 {
		cfg.Burst = 100
	}
	if cfg.Every <= 0 {
		cfg.Every = 30 * time.Second
	}
	d := &Desk{cfg: cfg, addresses: map[string]kind{}, pace: pace.New(cfg.Burst, cfg.Every, 10_000)}
	for k, list := range map[kind][]string{spamKind: cfg.Spam, hamKind: cfg.Ham, phishKind: cfg.Phish} {
		for _, written := range list {
			a := canon(written)
			switch {
			case sluice.DomainOf(a) == "" || sluice.LocalOf(a) == "":
				return nil, fmt.Errorf("desk: %q is no address", written)
			case sluice.IsPostmaster(a) || strings.HasPrefix(a, "abuse@"):
				return nil, fmt.Errorf("desk: %s must reach a person, and can't be a report address", a) // RFC 2142
			case d.addresses[a] != 0:
				return nil, fmt.Errorf("desk: %s stands twice among the report addresses", a)
			}
			d.addresses[a] = k
		}
	}
	return d, nil
}

// canon is an address in lower case, its domain in A-labels.
func canon(addr string) string {
	domain := sluice.DomainOf(addr)
	if a, err := idna.Lookup.ToASCII(domain); err == nil {
		domain = a
	}
	return strings.ToLower(sluice.LocalOf(addr)) + "@" + domain
}

// Takes says whether addr is a report address. Mail to it isn't judged: it is full
// of what others are refused for.
func (d *Desk) Takes(addr string) bool { return d != nil && d.addresses[canon(addr)] != 0 }

// Take learns from a report, and returns the reply to its final dot. An error is the
// operator's; then the reply is temporary, and nothing was learned. All recipients of env are report
// addresses. auth may be nil; then only a login or a network proves anything.
func (d *Desk) Take(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (sluice.Reply, error) {
	now := d.cfg.Clock()
	by := complaint.Who(d.proof(ctx, conn, env, auth, m, now))
	log := d.cfg.Logger.With("id", env.ID, "by", by)
	refuse := func(why sluice.Reason) (sluice.Reply, error) {
		log.Info("desk: nothing learned from a report", "why", why)
		return explain.Reason(why, explain.Options{Ref: env.ID, Postmaster: d.cfg.Postmaster}), nil
	}
	if by == "" {
		return refuse(reason.ReportNotAllowed)
	}
	k := d.kindOf(env)
	clear := k == spamKind || k == hamKind || k == phishKind || k == spamKind|phishKind
	c := complaint.Read(m, d.cfg.Reading)
	list, err := d.whole(ctx, c)
	if err != nil {
		return sluice.ReplyTo(err), fmt.Errorf("desk: %w", err)
	}
	if why := c.Problem(clear); why != "" && (why != reason.ReportHeaderOnly || len(list) == 0) {
		return refuse(why)
	}
	if _, ok := d.pace.Allow(by, len(list), now); !ok {
		return refuse(reason.ReportLimit)
	}
	var t tally
	for _, o := range list {
		f, err := d.cfg.Teacher.Teach(ctx, d.label(ctx, c, k, env, by, o))
		t.count(f, err)
	}
	t.left = c.Left
	if t.failed == len(list) { // our own trouble: the reporter's server tries again
		return sluice.ReplyTo(t.err), fmt.Errorf("desk: %w", t.err)
	}
	reply := t.reply()
	log.Info("desk: a report was taken", "form", string(c.Form), "reply", reply.Text)
	if t.err != nil { // what was learned is learned: a second try would say it twice
		log.Error("desk: some messages of a report were left out", "messages", t.failed, "error", t.err)
	}
	return reply, nil
}

// proof collects what is known of the sender. DMARC is asked only where it matters.
func (d *Desk) proof(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message, now time.Time) complaint.Proof {
	p := complaint.Proof{Account: conn.Auth, Sender: env.From, Local: d.cfg.Local}
	if p.Account != "" {
		return p
	}
	from, clear := m.From()
	if clear {
		p.From = from.String()
		if auth.InTransaction() && d.cfg.Local(from.Domain) {
			if r := auth.DMARC(ctx, m, now); r.Value == dmarc.Pass && r.Domain == from.Domain {
				p.Author = p.From
			}
		}
	}
	// Behind a hop that speaks for others the address is what the hop says.
	client := conn.Client.Addr().Unmap()
	p.Inside = !conn.Via.IsValid() && slices.ContainsFunc(d.cfg.Networks, func(n netip.Prefix) bool { return n.Contains(client) })
	return p
}

func (d *Desk) kindOf(env *sluice.Envelope) (k kind) {
	for _, rc := range env.Rcpts {
		k |= d.addresses[canon(rc.Address)]
	}
	return k
}

// whole are the originals with a body; those of which only the header came are
// looked up.
func (d *Desk) whole(ctx context.Context, c *complaint.Complaint) ([]complaint.Original, error) {
	var out []complaint.Original
	for _, o := range c.Originals {
		if o.HeaderOnly {
			if d.cfg.Find == nil || o.ID == "" && o.MessageID == "" {
				continue
			}
			raw, err := d.cfg.Find(ctx, o)
			if errors.Is(err, sluice.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			o.Raw = raw
		}
		out = append(out, o)
	}
	return out, nil
}

// label says of one message what the report does.
func (d *Desk) label(ctx context.Context, c *complaint.Complaint, k kind, env *sluice.Envelope, by string, o complaint.Original) *sluice.Label {
	l := &sluice.Label{Raw: o.Raw, ID: d.confirmed(ctx, o), Tenant: env.Tenant, Source: sluice.SourceReport, By: by, Spam: k != hamKind}
	if c.Told {
		l.Spam, l.Threat = c.Spam, c.Threat
	}
	switch {
	case !l.Spam:
		l.Threat = sluice.ThreatNone
	case k&phishKind != 0:
		l.Threat = sluice.ThreatPhish
	case l.Threat == sluice.ThreatNone:
		l.Threat = sluice.ThreatSpam
	}
	if d.cfg.Local(sluice.DomainOf(by)) {
		l.To = []string{by}
		return l
	}
	for _, to := range c.To {
		if d.cfg.Local(sluice.DomainOf(to)) {
			l.To = append(l.To, strings.ToLower(to))
		}
	}
	return l
}

// Clean takes a copy out of a mailbox back to what came to us, and finds the id of its
// row in the log, "" for none.
func (d *Desk) Clean(ctx context.Context, raw []byte) (clean []byte, id string) {
	o := d.cfg.Reading.Original(raw)
	return o.Raw, d.confirmed(ctx, o)
}

// confirmed is the id of a message where the log knows it by the same Message-ID.
func (d *Desk) confirmed(ctx context.Context, o complaint.Original) string {
	if o.ID == "" || d.cfg.Record == nil {
		return ""
	}
	r, err := d.cfg.Record(ctx, o.ID)
	if err != nil || strings.Trim(r.MessageID, "<> ") != strings.Trim(o.MessageID, "<> ") {
		return ""
	}
	return r.ID
}
