// Package daemon is sluice serve: it opens the rooms, wires them, listens on every
// port, and reloads and stops in order.
package daemon

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sluice"
	"sluice/certs"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/build/lints"
	"sluice/cmd/sluice/build/readers"
	"sluice/cmd/sluice/build/traces"
	"sluice/cmd/sluice/build/users"
	"sluice/cmd/sluice/build/voices"
	"sluice/cmd/sluice/outside"
	"sluice/config"
	"sluice/console"
	"sluice/console/public"
	"sluice/console/public/proof"
	"sluice/explain/ref"
	"sluice/gate"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/campaign"
	"sluice/live"
	"sluice/smtpd"
)

// Daemon is the running gateway.
type Daemon struct {
	log      *slog.Logger
	rooms    *Rooms
	gate     *gate.Gate
	registry *prometheus.Registry
	console  *console.Console
	sealer   *ref.Sealer
	resolver *build.Resolver
	prover   *proof.Prover
	traces   *traces.Traces
	lists    *build.Resolver // asks the DNS lists
	port     *build.Port
	memory   *build.Memory
	learning *build.Learning
	scanners *build.Scanners
	speakers *build.Speakers
	teacher  sluice.Teacher // learning, and who else is told what people say
	places   *build.Places
	sent     *readers.Delivered // nil: no links are protected, or no campaigns remembered
	lints    *lints.Room
	users    *users.Users // nil: nobody follows our users
	certs    *certs.Manager
	reports  *reporting
	board    *live.Board
	control  net.Listener
	smtp     []*smtpListener
	web      []*webListener
}

type smtpListener struct {
	cfg    config.Listener
	ln     net.Listener
	server *smtpd.Server
}

type webListener struct {
	name   string
	ln     net.Listener
	server *http.Server
}

// Open opens what the daemon keeps and wires it; nothing listens yet.
func Open(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *Daemon, err error) {
	r, err := OpenRooms(ctx, cfg, log, true)
	if err != nil {
		return nil, err
	}
	d := &Daemon{log: log, rooms: r, registry: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	d.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	keys, err := ref.LoadOrCreateKeys(filepath.Join(cfg.Data, "ref.keys"), rand.Reader)
	if err != nil {
		return nil, err
	}
	if d.sealer, err = ref.New(ref.Config{Keys: keys, Rand: rand.Reader}); err != nil {
		return nil, err
	}
	d.resolver = build.NewResolver(cfg)
	d.resolver.Observe(d.registry)
	if d.prover, err = newProver(keys, d.resolver.Resolver); err != nil {
		return nil, err
	}
	if d.traces, err = traces.New(ctx, cfg, r.Store, log); err != nil {
		return nil, err
	}
	// The lists have a cache of their own: a flood of clients must not push out what is
	// known of senders.
	d.lists = build.NewResolver(cfg)
	d.port = build.NewPort(log, d.lists.Resolver)
	if err := d.port.Apply(cfg); err != nil {
		return nil, err
	}
	if err := build.RememberCatalogue(ctx, r.Store); err != nil {
		log.Error(err.Error())
	}
	d.memory = build.NewMemory(ctx, cfg, r.Store, d.port, log)
	d.memory.Checks = d.traces.Checks()
	if d.learning, err = build.NewLearning(cfg, r.Store, d.memory.Campaigns.Memory, d.memory.FreshCampaigns, log); err != nil {
		return nil, err
	}
	d.memory.Around = d.learning.SaveCampaigns
	d.learning.Start(ctx)
	if d.scanners, err = build.NewScanners(cfg, d.lists.Resolver, d.registry, log); err != nil {
		return nil, err
	}
	if d.speakers, err = build.NewSpeakers(ctx, cfg, r.Store, r.Store, d.memory, log); err != nil {
		return nil, err
	}
	d.teacher = d.learning
	if l := d.speakers.Ledger(ctx, r.Store); l != nil {
		d.teacher = voices.Around(d.learning, l, r.Store, log)
	}
	if d.users, err = users.New(ctx, cfg, users.Config{Log: r.Store, Cases: r.Store, Memos: r.Store, Outbox: r.Outbox, Sign: d.sign, Networks: d.port.Networks, Trace: log}); err != nil {
		return nil, err
	}
	if d.places, err = build.NewPlaces(cfg, d.lists.Resolver, log); err != nil {
		return nil, err
	}
	if cfg.Protect.On {
		d.sent = readers.NewDelivered(d.memory.Campaigns.Memory)
	}
	outer := outside.Rooms{Guard: d.memory.Guard, Reputation: d.memory.Reputation, Lists: d.port.Lists, Directory: d.port.Directory, Networks: d.port.Networks,
		Certificates: d.certificates, Scanners: d.scanners}
	d.board = live.New(time.Now(), outer.Board())
	if d.certs, err = certs.New(ctx, build.Certs(cfg, log)); err != nil {
		return nil, err
	}
	if d.reports, err = buildReports(cfg, r, d.resolver.Resolver, log, d.sign); err != nil {
		return nil, err
	}
	d.reports.observe(d.registry)
	if d.lints, err = lints.New(lints.Config{Settings: cfg, Outbox: r.Outbox, Model: d.learning.Model, Resolver: d.resolver.Resolver, Sign: d.sign, Relay: d.reports.relay, Log: log}); err != nil {
		return nil, err
	}
	set, err := d.settings(cfg)
	if err != nil {
		return nil, err
	}
	d.gate = gate.New(gate.Config{Settings: set, Quarantine: r.Quarantine, Index: r.Store, Outbox: r.Outbox, Log: r.Store,
		Port:    gate.Port{Guard: d.memory.Guard, Greylist: d.memory.Greylist, Live: d.board, Reputation: d.memory.Reputation, Correspondents: d.memory.Correspondents, Campaigns: d.memory.Campaigns, Spared: d.port.Spared, Networks: d.port.Networks},
		Observe: d.read, Sealer: d.sealer, Clock: time.Now, Rand: rand.Reader, Logger: log, Metrics: gate.NewMetrics(d.registry)})
	r.deliver = d.users.Route(d.lints.Route(d.reports.route(d.gate.Deliver), d.reaches), d.reports.relay, d.reaches)
	r.observe(d.registry)
	pages := console.Config{Store: r.Store, Reports: r.Store, Labels: r.Store, Teacher: d.teacher, Reviews: r.Store, Appeals: r.Store, Clean: d.clean, Quarantine: r.Quarantine, Release: d.release, Delete: d.gate.Delete,
		Port:  outer.Pages(d.board),
		Hosts: cfg.Console.Hosts, URL: consoleURL(cfg), Proxies: build.Prefixes(cfg.Console.Proxies), Tokens: byToken(cfg.Console.Tokens),
		Marks: marks(cfg.Policy), Health: r.health, Registry: d.registry,
		Version: build.Version, Clock: time.Now, Rand: rand.Reader, Log: log}
	if d.users != nil {
		pages.Cases = d.users.Book()
	}
	d.console, err = console.New(pages)
	return d, err
}

// sign makes signatures with the keys in force.
func (d *Daemon) sign(raw []byte, domain string, now time.Time) ([]byte, error) {
	if f := d.gate.Settings().Sign; f != nil {
		return f(raw, domain, now)
	}
	return nil, nil
}

// consoleURL is where a person finds the console; "" where it isn't served.
func consoleURL(cfg *config.Config) string {
	switch {
	case cfg.Console.Address == "":
		return ""
	case cfg.Console.URL != "":
		return cfg.Console.URL
	}
	return "http://" + cfg.Console.Address
}

func byToken(names map[string]string) map[string]string {
	out := map[string]string{}
	for name, secret := range names {
		out[secret] = name
	}
	return out
}

// marks draw the thresholds across a ledger's bars.
func marks(p config.Policy) []console.Mark {
	return []console.Mark{{Name: "tag", Points: verdict.Points(p.TagAt)}, {Name: "quarantine", Points: verdict.Points(p.QuarantineAt)},
		{Name: "reject", Points: verdict.Points(p.RejectAt)}}
}

// clean takes a message out of a mailbox back to what came to us.
func (d *Daemon) clean(ctx context.Context, raw []byte) ([]byte, string) {
	return d.gate.Settings().Desk.Clean(ctx, raw)
}

// release lets a message go and remembers that an admin wanted it.
func (d *Daemon) release(ctx context.Context, id, by string) error {
	return Release(ctx, d.gate, d.teacher, d.rooms.Quarantine, id, by)
}

// Listen opens every port before any of them is served, so that a port that is
// taken is one clear sentence and not half a daemon.
func (d *Daemon) Listen(cfg *config.Config) error {
	for _, l := range cfg.Listen {
		ln, err := listenOn("smtp", l.Address)
		if err != nil {
			return err
		}
		s := smtpd.New(smtpd.Config{Gate: d.gate, Log: d.log, Settings: doorSettings(cfg, l, d.gate, d.certs.TLS()),
			Budget: int64(cfg.Limits.InFlight), SpoolDir: d.rooms.spool, Door: l.Kind})
		d.smtp = append(d.smtp, &smtpListener{l, ln, s})
		d.observe(s, l.Address)
	}
	if ln, err := live.Listen(filepath.Join(cfg.Data, live.Socket)); err != nil {
		d.log.Warn("sluice top can't reach this daemon", "error", err)
	} else {
		d.control = ln
	}
	if cfg.Console.Address != "" {
		if err := d.listenWeb("console", cfg.Console.Address, d.console.Handler()); err != nil {
			return err
		}
	}
	if cfg.Public.Address != "" {
		clicks, err := readers.Clicks(cfg, build.Prefixes(cfg.Public.Proxies), build.Clicked(d.speakers, d.places, d.sent), d.log)
		if err != nil {
			return err
		}
		look, err := d.lints.Page(build.Prefixes(cfg.Public.Proxies))
		if err != nil {
			return err
		}
		words, err := lints.Dictionary(cfg, build.Prefixes(cfg.Public.Proxies))
		if err != nil {
			return err
		}
		self, err := d.users.Pages(cfg, build.Prefixes(cfg.Public.Proxies))
		if err != nil {
			return err
		}
		h, err := public.New(public.Config{Self: self, Open: d.openToken, Appeals: d.rooms.Store, Record: d.rooms.Store.Record, Proof: d.prover, Click: clicks, Lint: look, Dictionary: words, Node: cfg.Hostname, Postmaster: cfg.Postmaster,
			Proxies: build.Prefixes(cfg.Public.Proxies), Clock: time.Now, Log: d.log})
		if err != nil {
			return err
		}
		if err := d.listenWeb("public", cfg.Public.Address, h); err != nil {
			return err
		}
	}
	return nil
}

// read shows a judged message to those who read along.
func (d *Daemon) read(o *gate.Observation) {
	d.traces.Observe(o)
	d.reports.Observe(o)
	d.learning.Observe(o, func() *campaign.Print {
		if c := d.memory.Campaigns; c.Memory != nil {
			return c.Print(o.Notes, o.Message)
		}
		return nil
	})
	d.speakers.Observe(o)
	if c := d.memory.Campaigns; d.sent != nil && o.Message != nil && o.Reply.Positive() && o.Action <= sluice.Strip && o.Conn.Auth == "" {
		d.sent.Sent(o.ID, c.Print(o.Notes, o.Message), c.Sighting(o.Conn, o.Envelope, o.Auth.Known(), time.Now()))
	}
}

// certificates lists those for mail.
func (d *Daemon) certificates(time.Time) []console.Certificate {
	var out []console.Certificate
	for _, i := range d.certs.Info() {
		out = append(out, console.Certificate{Names: i.Names, Source: i.Source, Issuer: i.Issuer, Until: i.NotAfter, Trouble: i.Problem})
	}
	return out
}

// observe shows a door's gauges.
func (d *Daemon) observe(s *smtpd.Server, address string) {
	gauge := func(name, help string, f func(smtpd.Stats) float64) {
		d.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "sluice", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"address": address}}, func() float64 { return f(s.Stats()) }))
	}
	gauge("smtp_connections", "Connections now.", func(s smtpd.Stats) float64 { return float64(s.Open) })
	gauge("smtp_refused_connections", "Connections over a limit since the start.", func(s smtpd.Stats) float64 { return float64(s.Refused) })
	gauge("smtp_panics", "Sessions that panicked since the start.", func(s smtpd.Stats) float64 { return float64(s.Panics) })
	gauge("smtp_bytes_in_flight", "Message bytes held now.", func(s smtpd.Stats) float64 { return float64(s.InFlight) })
}

func (d *Daemon) listenWeb(name, addr string, h http.Handler) error {
	ln, err := listenOn(name, addr)
	if err != nil {
		return err
	}
	d.web = append(d.web, &webListener{name, ln, console.NewServer(h, d.log)})
	return nil
}

func listenOn(what, addr string) (net.Listener, error) {
	// Every wait has a deadline of its own, so probes by the kernel aren't needed.
	lc := net.ListenConfig{KeepAlive: -1}
	ln, err := lc.Listen(context.Background(), "tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: port %s is taken by another program; stop it, or choose another address with --listen or --console", what, addr)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s: no right to listen on %s; give the binary CAP_NET_BIND_SERVICE or use a port above 1023", what, addr)
	case err != nil:
		return nil, fmt.Errorf("%s: can't listen on %q: %w", what, addr, err)
	}
	return ln, nil
}

// typing is how long a command may take from its first octet to its last, even
// where a client may be silent for longer.
const typing = 30 * time.Second

func doorSettings(cfg *config.Config, l config.Listener, g *gate.Gate, t *tls.Config) smtpd.Settings {
	set := smtpd.Settings{Hostname: cfg.Hostname, TLS: t, ImplicitTLS: l.TLS == "implicit", AlreadyAccepted: l.AlreadyAccepted, Trusted: cfg.IsTrusted,
		Extensions: func(ctx context.Context) sluice.Extensions {
			e := g.Extensions(ctx)
			if max := int64(cfg.Limits.MessageSize); e.Size == 0 || e.Size > max {
				e.Size = max
			}
			return e
		},
		Limits: smtpd.Limits{Conns: cfg.Limits.Connections, ConnsPerClient: cfg.Limits.PerClient,
			Message: int64(cfg.Limits.MessageSize), Recipients: cfg.Limits.Recipients, Errors: cfg.Limits.Errors,
			TextLine: int(cfg.Limits.TextLine), CommandLine: int(cfg.Limits.CommandLine)},
		Timeouts: smtpd.Timeouts{Idle: cfg.Limits.Command.Duration, Command: min(cfg.Limits.Command.Duration, typing),
			Data: cfg.Limits.MessageArrive.Duration, Session: cfg.Limits.Session.Duration, MinRate: cfg.Limits.MinRate},
	}
	if l.TLS == "none" {
		set.TLS = nil
	}
	if l.Kind == sluice.DoorSubmission {
		set.Mechanisms, set.ClearTextAuth = []string{"PLAIN", "LOGIN", "OAUTHBEARER"}, l.AuthWithoutTLS
	}
	if l.Proxy {
		set.Proxies, set.ProxyRequired = in(cfg.Connect.Proxies), true
	}
	if hops := in(cfg.Connect.XClient); len(cfg.Connect.XClient) > 0 {
		set.Peers = func(a netip.Addr) smtpd.Peer { return smtpd.Peer{XClient: hops(a), XForward: hops(a)} }
	}
	return set
}

// in says whether an address is in one of the networks.
func in(list []config.Prefix) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		a = a.Unmap()
		return slices.ContainsFunc(list, func(p config.Prefix) bool { return p.Contains(a) })
	}
}

// Hello prints what a first user needs to know.
func (d *Daemon) Hello(ctx context.Context, w io.Writer, cfg *config.Config) error {
	url, err := "", error(nil)
	if cfg.Console.Address != "" {
		if url, err = d.console.SetupURL(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "Sluice is ready.\n")
	for _, s := range d.smtp {
		fmt.Fprintf(w, "  mail     smtp://%s  for %s\n", s.ln.Addr(), domainList(cfg))
	}
	for _, l := range d.web {
		fmt.Fprintf(w, "  %-8s http://%s\n", l.name, l.ln.Addr())
	}
	fmt.Fprintf(w, "  data     %s\n", cfg.Data)
	if url != "" {
		fmt.Fprintf(w, "\nFirst start: set the admin password once at\n  %s\n", url)
	}
	_, err = fmt.Fprintln(w)
	return err
}

func domainList(cfg *config.Config) string {
	var names []string
	for _, d := range cfg.Domains {
		names = append(names, d.Names...)
	}
	if len(names) > 6 {
		names = append(names[:6], fmt.Sprintf("and %d more", len(names)-6))
	}
	return strings.Join(names, ", ")
}

// openToken unseals a reference for the public page.
func (d *Daemon) openToken(token string) (public.Facts, error) {
	f, err := d.sealer.Open(token, time.Now())
	switch {
	case errors.Is(err, ref.ErrExpired):
		return public.Facts{}, public.ErrExpired
	case err != nil:
		return public.Facts{}, public.ErrInvalid
	}
	return public.Facts{Ref: f.ID, Time: f.Time, Client: f.Client, Hello: f.Helo, Phase: f.Phase, Threat: f.Threat, Code: f.Code, Reasons: f.Reasons}, nil
}

// Run serves until ctx ends, then stops gracefully.
func (d *Daemon) Run(ctx context.Context, load func() (*config.Config, error)) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { d.rooms.work(work) })
	wg.Go(func() { d.reports.Run(work) })
	wg.Go(func() { d.certs.Run(work) })
	wg.Go(func() { d.learning.Run(work) })
	wg.Go(func() { d.scanners.Run(work) })
	wg.Go(func() { d.places.Run(work) })
	wg.Go(func() { d.speakers.Run(work, d.rooms.Store) })
	if d.users != nil {
		wg.Go(func() { d.users.Run(work, releases{d.gate}, d.rooms.Store) })
	}
	wg.Go(func() { d.traces.Run(work, d.users) })
	wg.Go(func() { d.memory.Run(work, func() { d.gate.Tidy(); d.port.Tidy() }) })
	if d.control != nil {
		wg.Go(func() {
			if err := live.Serve(work, d.control, func() live.Snapshot { return d.board.Snapshot(time.Now()) }, d.log); err != nil {
				d.log.Error("control socket", "error", err)
			}
		})
	}
	failed := make(chan error, len(d.smtp)+len(d.web))
	for _, s := range d.smtp {
		go func() { failed <- s.server.Serve(s.ln) }()
	}
	for _, w := range d.web {
		go func() { failed <- w.server.Serve(w.ln) }()
	}
	for {
		select {
		case <-ctx.Done():
			d.shutdown()
			return nil
		case <-hup:
			d.reload(load)
		case err := <-failed:
			if !errors.Is(err, smtpd.ErrServerClosed) && !errors.Is(err, http.ErrServerClosed) {
				d.shutdown()
				return fmt.Errorf("a listener failed: %w", err)
			}
		}
	}
}

// releases lets mail go that a case held.
type releases struct{ *gate.Gate }

func (r releases) Policy() policy.Policy { return r.Settings().Policy }

// reload swaps settings for new sessions and drops none. Bad settings change
// nothing.
func (d *Daemon) reload(load func() (*config.Config, error)) {
	cfg, err := load()
	if err == nil {
		err = d.apply(cfg)
	}
	if err != nil {
		d.log.Error("reload: the old settings stay in force", "error", err)
		return
	}
	d.log.Info("reload: new sessions use the new settings", "config", cfg.Hash())
}

// settings are what the gate works with.
func (d *Daemon) settings(cfg *config.Config) (gate.Settings, error) {
	set, err := build.Settings(cfg, d.log, d.resolver.Resolver, d.port, d.memory, d.learning, d.scanners, d.speakers, d.places)
	if err != nil {
		return set, err
	}
	desk, err := build.Desk(cfg, d.teacher, d.rooms.Store, d.rooms.Quarantine, d.log)
	if err != nil {
		return set, err
	}
	if d.users != nil {
		set.Users = d.users
	}
	set.Trace = d.traces.Value
	if set.Desk, err = d.lints.Desk(d.users.Desk(desk)); err != nil || !lints.Wanted(cfg) {
		return set, err
	}
	unhurried, err := build.Unhurried(cfg, d.log, d.resolver.Resolver, d.port, d.memory, d.learning, d.scanners, d.speakers, d.places)
	if err != nil {
		return set, err
	}
	return set, d.lints.Apply(unhurried)
}

// reaches says whether the routes know a way to an address, for what we write ourselves.
func (d *Daemon) reaches(addr string) bool {
	to, _ := d.gate.Settings().Routes.Of(addr, true)
	return to != nil
}

func (d *Daemon) apply(cfg *config.Config) error {
	// What can be wrong without touching anything is found out first.
	if _, err := build.Judge(cfg, d.log, true); err != nil {
		return err
	}
	if _, err := build.Routes(cfg); err != nil {
		return err
	}
	if _, err := build.FileTable(cfg); err != nil {
		return err
	}
	if err := d.port.Apply(cfg); err != nil {
		return err
	}
	if err := d.speakers.Apply(cfg); err != nil {
		return err
	}
	set, err := d.settings(cfg)
	if err != nil {
		return err
	}
	if err := d.certs.Reload(context.Background(), build.Certs(cfg, d.log)); err != nil {
		return err
	}
	old := d.gate.Settings().Routes
	d.gate.Reload(set)
	old.Close() // idle connections only: sessions under way keep their routes
	for _, s := range d.smtp {
		s.server.Reload(doorSettings(cfg, s.cfg, d.gate, d.certs.TLS()))
	}
	return nil
}

// shutdown ends sessions between commands and lets running messages finish.
func (d *Daemon) shutdown() {
	d.log.Info("stopping: running messages are finished, idle sessions are told to come back")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range d.smtp {
		wg.Go(func() {
			if err := s.server.Shutdown(ctx); err != nil {
				d.log.Warn("stopping: some sessions were cut", "error", err)
			}
		})
	}
	for _, w := range d.web {
		wg.Go(func() { _ = w.server.Shutdown(ctx) }) // a page that is cut can be loaded again
	}
	wg.Wait()
}

// Close lets go of everything.
func (d *Daemon) Close() {
	for _, s := range d.smtp {
		_ = s.ln.Close() // closed already after a shutdown
	}
	for _, w := range d.web {
		_ = w.ln.Close()
	}
	if d.control != nil {
		_ = d.control.Close() // and removed; served no more after a shutdown
	}
	if d.certs != nil {
		d.certs.Close()
	}
	if d.port != nil {
		d.port.Close()
	}
	if d.scanners != nil {
		d.scanners.Close()
	}
	if d.places != nil {
		d.places.Close()
	}
	if d.learning != nil {
		if err := d.learning.Close(); err != nil {
			d.log.Error("closing", "error", err)
		}
	}
	d.resolver.Close()
	d.lists.Close()
	d.reports.close()
	if err := d.rooms.Close(); err != nil {
		d.log.Error("closing", "error", err)
	}
}
