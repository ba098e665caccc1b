package users

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/bounce"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/console/public/portal"
	"sluice/directory"
	"sluice/gate"
	"sluice/mailauth"
	"sluice/message"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

// telling is how our users are told; nil: nobody is.
type telling struct {
	*notice.Notifier
	words   *words.Words
	tickets *ticket.Sealer
	help    string
	admin   string // is called by mail, "" for nobody
}

// tell makes what the settings ask for. Without a public page nobody is told: there would
// be nothing to do for who is.
func (u *Users) tell(cfg *config.Config, site []byte, with Config) error {
	s := cfg.Subscribers.Notice
	base := cfg.PublicURL
	switch {
	case !s.On || with.Outbox == nil:
		return nil
	case base == "" || cfg.Public.Address == "":
		with.Trace.Warn("users whose mail is held aren't told: that needs public_url and [public]")
		return nil
	}
	t := &telling{help: either(s.Help, cfg.Postmaster), admin: s.Admin}
	var err error
	if t.words, err = words.New(s.Templates, s.Language); err != nil {
		return err
	}
	if t.tickets, err = ticket.New(ticket.Config{Keys: [][]byte{secret.For(site, "notice ticket")}, Rand: rand.Reader, Lifetime: s.Link.Duration}); err != nil {
		return err
	}
	service := func(c config.NoticeService) *notice.Service {
		if c.URL == "" {
			return nil
		}
		return &notice.Service{URL: c.URL, Body: c.Body, ContentType: c.ContentType, TokenFile: c.TokenFile, User: c.User, PasswordFile: c.PasswordFile,
			Receipts: base + portal.Receipts}
	}
	n := notice.Config{Warden: u.Warden, Directory: u.Directory, Words: t.words, Tickets: t.tickets, Page: base + portal.Path, Site: either(s.Site, cfg.Hostname), Help: t.help,
		SMS: service(s.SMS), Webhook: service(s.Webhook), Captive: service(s.Captive), Again: s.Again.Duration, Remind: s.Remind.Duration, Log: with.Trace,
		Wait: map[string]time.Duration{notice.ByMail: s.WaitMail.Duration, notice.BySMS: s.SMS.Wait.Duration, notice.ByWebhook: s.Webhook.Wait.Duration, notice.ByCaptive: s.Captive.Wait.Duration}}
	if from := either(s.From, cfg.Postmaster); from != "" {
		n.Mail = &notice.Mail{Outbox: with.Outbox, From: from, Name: s.Site, Hostname: cfg.Hostname, Sign: with.Sign, Final: final(cfg), Bounces: strings.ToLower(s.Bounces), Key: secret.For(site, "notice")}
	}
	if t.Notifier, err = notice.New(n); err != nil {
		return err
	}
	u.telling = t
	return nil
}

// Preview is what a notice would say.
func Preview(cfg *config.Config, lang, channel, kind string, now time.Time) (notice.Text, error) {
	s := cfg.Subscribers.Notice
	w, err := words.New(s.Templates, s.Language)
	if err != nil {
		return notice.Text{}, err
	}
	return notice.Preview(w, either(s.Site, cfg.Hostname), either(s.Help, cfg.Postmaster), either(cfg.PublicURL, "https://"+cfg.Hostname)+portal.Path, lang, channel, sluice.CaseKind(kind), now), nil
}

func either(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// final says whether the next hop for an address holds its mailbox: by LMTP and in files
// it does (RFC 2033), by SMTP where the settings say so.
func final(cfg *config.Config) func(addr string) bool {
	var domains []string
	for _, d := range cfg.Subscribers.Notice.Final {
		domains = append(domains, strings.ToLower(d))
	}
	for _, d := range cfg.Domains {
		if len(d.Relay) > 0 && !slices.ContainsFunc(d.Relay, func(r config.Route) bool { return r.Kind != "lmtp" && r.Kind != "maildir" }) {
			for _, name := range d.Names {
				domains = append(domains, strings.ToLower(name))
			}
		}
	}
	return func(addr string) bool { return slices.Contains(domains, strings.ToLower(sluice.DomainOf(addr))) }
}

// Pages is what our users see behind their links; nil where nobody is told.
func (u *Users) Pages(cfg *config.Config, proxies []netip.Prefix) (http.Handler, error) {
	if u == nil || u.telling == nil {
		return nil, nil
	}
	p := portal.Config{Tickets: u.telling.tickets, Words: u.telling.words, Case: u.Warden.Case, Proof: u.Warden.Proof, Confirm: u.Warden.Confirm,
		Receipt: u.telling.Receipt, ReceiptOf: u.telling.ReceiptOf, Help: u.telling.help, Node: cfg.Hostname, Proxies: proxies, Clock: time.Now, Log: u.cfg.Trace}
	if f := cfg.Subscribers.Notice.ReceiptTokenFile; f != "" {
		p.Token = func() (string, error) { return directory.ReadPassword(f) }
	}
	return portal.New(p)
}

// Route is the outbox's way out, and learns there what became of notices.
func (u *Users) Route(others func(context.Context, *sluice.Delivery) []sluice.Outcome, relay sluice.Deliverer, known func(addr string) bool) func(context.Context, *sluice.Delivery) []sluice.Outcome {
	if u == nil || u.telling == nil {
		return others
	}
	return u.telling.Route(others, relay, known)
}

// Desk puts the reverse-paths of notices beside the addresses of another desk.
func (u *Users) Desk(other gate.Desk) gate.Desk {
	if u == nil || u.telling == nil || other == nil {
		return other
	}
	return &desk{other, u.telling.Notifier}
}

// desk takes what comes back to notices.
type desk struct {
	gate.Desk
	notices *notice.Notifier
}

// Takes implements [gate.Desk].
func (d *desk) Takes(addr string) bool { return d.notices.Takes(addr) || d.Desk.Takes(addr) }

// Take implements [gate.Desk]. What comes back to a notice comes back to nobody else.
func (d *desk) Take(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (sluice.Reply, error) {
	if !slices.ContainsFunc(env.Rcpts, func(r sluice.Recipient) bool { return d.notices.Takes(r.Address) }) {
		return d.Desk.Take(ctx, conn, env, auth, m)
	}
	if len(env.Rcpts) > 1 {
		return sluice.Reply{Code: 554, Enhanced: "5.5.0", Text: "A notice about one message has one recipient"}, nil
	}
	d.notices.Returned(ctx, time.Now(), env.Rcpts[0].Address, bounce.Read(m, bounce.Config{}))
	return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Noted"}, nil
}

// page is the link in a refusal.
func (u *Users) page(ctx context.Context, id string) string {
	switch {
	case u.cfg.Page != nil:
		return u.cfg.Page(id)
	case u.telling == nil:
		return ""
	}
	c, err := u.Warden.Case(ctx, id)
	if err != nil {
		return ""
	}
	return u.telling.Link(c, time.Now())
}

// told passes a step of a case on to those who tell.
func (u *Users) told(c *sluice.Case, what cases.What) {
	if u.telling == nil {
		return
	}
	u.telling.Changed(c, what)
	if what == cases.Escalated && u.telling.admin != "" {
		if err := u.telling.Call(context.Background(), time.Now(), u.telling.admin, c, why(c), ""); err != nil {
			u.cfg.Trace.Error("an admin can't be called by mail", "case", c.ID, "error", err)
		}
	}
}

func why(c *sluice.Case) string {
	if c.Notified.IsZero() {
		return "the user couldn't be told"
	}
	return "the user doesn't answer"
}
