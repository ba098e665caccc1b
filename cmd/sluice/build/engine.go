// Package build turns the configuration into the rooms that work by it: the
// judge, the routes, who signs, whom the DNS is asked by. The commands wire what
// it makes.
package build

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	checkfiles "sluice/check/inspect"
	"sluice/check/recipient"
	"sluice/check/rules"
	"sluice/check/session"
	checktext "sluice/check/text"
	"sluice/cmd/sluice/build/readers"
	"sluice/config"
	"sluice/deliver/maildir"
	"sluice/deliver/relay"
	"sluice/dns"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/judge/checks"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/mailauth"
	"sluice/mailauth/authres"
	"sluice/reason"
)

// Version is the program's; a release sets it with -ldflags -X.
var Version = "devel"

// Settings turns the configuration into what the gate works with: routes,
// checks, weights, policy.
func Settings(cfg *config.Config, log *slog.Logger, r dns.Resolver, port *Port, mem *Memory, l *Learning, s *Scanners, sp *Speakers, pl *Places) (gate.Settings, error) {
	k := known{l.Model, spoken{mem.Reputation}, s, sp, pl}
	if mem.Campaigns.Pictures == nil { // once, before anybody asks
		files, err := fileConfig(cfg, k)
		if err != nil {
			return gate.Settings{}, err
		}
		if files.Inspector != nil {
			mem.Campaigns.Pictures = checkfiles.Pictures(files)
		}
	}
	set, err := judge(cfg, log, true, k, portChecks(cfg, port, mem)...)
	if err != nil {
		return set, err
	}
	set.GreetPause = cfg.Connect.GreetPause.Duration
	set.Traps = route.NewTraps(cfg.Traps.Addresses, cfg.Traps.Domains)
	if set.Login, err = login(cfg); err != nil {
		return set, err
	}
	set.Learned = l.Version
	set.Verifier = Verifier(cfg, r)
	if set.Annotate, err = readers.Annotator(cfg); err != nil {
		return set, err
	}
	if set.Sign, err = Signer(cfg); err != nil {
		return set, err
	}
	if set.Seal, err = Sealer(cfg); err != nil {
		return set, err
	}
	if set.Routes, err = Routes(cfg); err != nil {
		return set, err
	}
	if dir := port.Directory(); dir != nil {
		for _, d := range cfg.Domains {
			if len(d.Recipients) > 0 {
				for _, n := range d.Names {
					set.Routes.ByDomain[n].Directory = dir
				}
			}
		}
	}
	if nets := cfg.Submission.Networks; len(nets) > 0 {
		set.Senders = func(a netip.Addr) bool {
			return slices.ContainsFunc(nets, func(p config.Prefix) bool { return p.Contains(a.Unmap()) })
		}
	}
	set.Routes.Outbound, err = outbound(cfg)
	return set, err
}

// Judge is Settings without next hops, for scanning stored mail. A
// frugal judge skips checks that can't change the action any more.
func Judge(cfg *config.Config, log *slog.Logger, frugal bool) (gate.Settings, error) {
	return judge(cfg, log, frugal, known{})
}

// JudgeHere is Judge with what was learned at this site, and those who look into
// files; both may be nil.
func JudgeHere(cfg *config.Config, log *slog.Logger, frugal bool, here *online.Model, s *Scanners) (gate.Settings, error) {
	return judge(cfg, log, frugal, known{text: func() *online.Model { return here }, scanners: s})
}

// known is what a judge has beside its settings. All of it may be nil.
type known struct {
	text     func() *online.Model // what was learned here
	spoken   session.Learned      // how clients speak: only a daemon knows
	scanners *Scanners
	speakers *Speakers // default: the lists
	places   *Places
}

// judge is Judge with all that is known, and more checks.
func judge(cfg *config.Config, log *slog.Logger, frugal bool, k known, more ...check.Checker) (gate.Settings, error) {
	model := text.Default()
	admin, err := lists(cfg)
	if err != nil {
		return gate.Settings{}, err
	}
	if k.speakers == nil {
		if k.speakers, err = ListedSpeakers(cfg); err != nil {
			return gate.Settings{}, err
		}
	}
	list := append(checks.Checks(checks.Config{Names: []string{cfg.Hostname}, Addrs: listenAddrs(cfg),
		Learned: k.spoken, Inspected: k.scanners != nil && k.scanners.Pool != nil, Lists: func() *recipient.Lists { return admin },
		Correspondents: k.speakers.correspondents(), Brands: k.speakers.brandConfig(), People: k.speakers.people.Load}), checktext.Model(model, k.text))
	list = append(list, k.speakers.checks()...)
	list = append(list, k.places.checks(k.speakers.alikeConfig(), k.speakers.places())...)
	own, err := adminRules(cfg)
	if err != nil {
		return gate.Settings{}, err
	}
	files, err := fileChecks(cfg, k)
	if err != nil {
		return gate.Settings{}, err
	}
	list = append(append(append(list, own...), files...), more...)
	pol, weights := buildPolicy(cfg), verdict.DefaultWeights()
	pipe := pipeline.Config{Clock: time.Now, Weights: weights, Panicked: panicked(log)}
	if frugal {
		pipe.Bands = []float64{pol.TagAt, pol.QuarantineAt, pol.RejectAt}
	}
	return gate.Settings{
		Hostname: cfg.Hostname, Node: cfg.Hostname,
		Pipeline: pipeline.New(list, pipe),
		Weights:  weights, Policy: pol,
		Versions:   sluice.Versions{Program: Version, Catalogue: reason.Hash(), Model: model.Version(), Config: cfg.Hash()},
		SubjectTag: cfg.Policy.SubjectTag, Trusted: func(a netip.Addr) bool { return cfg.IsTrusted(a) },
		PublicURL: cfg.PublicURL, Postmaster: cfg.Postmaster,
		Budget: cfg.Limits.Judge.Duration, Retention: cfg.Keep.Quarantine.Duration,
	}, nil
}

// adminRules compiles the admin's own rules. A bad one is an error: nothing starts
// half.
func adminRules(cfg *config.Config) ([]check.Checker, error) {
	if len(cfg.Rules) == 0 {
		return nil, nil
	}
	var list []rules.Rule
	for _, r := range cfg.Rules {
		one := rules.Rule{Name: r.Name, When: r.When, Points: r.Points, Why: r.Why, DryRun: r.DryRun, Tenant: r.Tenant}
		if r.Phase != "" {
			if err := one.Phase.UnmarshalText([]byte(r.Phase)); err != nil {
				return nil, fmt.Errorf("rule %q: phase %q: want connect, hello, mail or message", r.Name, r.Phase)
			}
		}
		list = append(list, one)
	}
	set, problems := rules.Compile(list)
	if len(problems) > 0 {
		var all []error
		for _, p := range problems {
			all = append(all, errors.New(p.String()))
		}
		return nil, fmt.Errorf("rules: %w", errors.Join(all...))
	}
	return rules.Checks(rules.Config{Current: func() *rules.Set { return set }, Zone: time.Local}), nil
}

// Verifier makes what finds out who a sender is; r may be nil.
func Verifier(cfg *config.Config, r dns.Resolver) *mailauth.Verifier {
	c := mailauth.Config{Resolver: r, Hostname: cfg.Hostname, Sealers: cfg.ARCSealers}
	if id := cfg.Upstream.AuthServID; id != "" {
		c.Upstream = authres.Trust{IDs: []string{id}}
		c.TrustedClient = func(a netip.Addr) bool {
			return slices.ContainsFunc(cfg.Upstream.Networks, func(p config.Prefix) bool { return p.Contains(a) })
		}
	}
	return mailauth.New(c)
}

// listenAddrs are our own addresses, as far as the configuration names them.
func listenAddrs(cfg *config.Config) (out []netip.Addr) {
	for _, l := range cfg.Listen {
		if a, err := netip.ParseAddrPort(l.Address); err == nil && !a.Addr().IsUnspecified() && !a.Addr().IsLoopback() {
			out = append(out, a.Addr())
		}
	}
	return out
}

func buildPolicy(cfg *config.Config) policy.Policy {
	p := cfg.Policy
	out := policy.Default()
	out.TagAt, out.QuarantineAt, out.RejectAt = p.TagAt, p.QuarantineAt, p.RejectAt
	out.GreyAt = cfg.Greylist.GreyAt
	return out
}

// panicked logs what a check fell over: the message went on without it.
func panicked(log *slog.Logger) func(string, any, []byte) {
	return func(check string, v any, stack []byte) {
		log.Error("a check panicked", "check", check, "panic", fmt.Sprint(v), "stack", string(stack))
	}
}

// lists are the admin's block and allow rules.
func lists(cfg *config.Config) (*recipient.Lists, error) {
	var out []recipient.Entry
	add := func(rules []config.Rule, allow bool) {
		for _, r := range rules {
			out = append(out, recipient.Entry{Kind: recipient.Kind(r.Kind), Value: r.Value, Allow: allow, Why: r.Why,
				Until: r.Until.Time, Tenant: r.Tenant, By: r.By})
		}
	}
	add(cfg.Block, false)
	add(cfg.Allow, true)
	return recipient.New(out)
}

// Routes finds the next hop of every recipient domain; domains that go the same
// way share it.
func Routes(cfg *config.Config) (route.Table, error) {
	rs := route.Table{ByDomain: map[string]*route.Route{}, Default: cfg.Domains[0].Names[0]}
	byKey := map[string]sluice.Deliverer{}
	for _, d := range cfg.Domains {
		key := hopKey(d)
		del := byKey[key]
		if del == nil {
			var err error
			if del, err = Deliverer(cfg, d); err != nil {
				return rs, fmt.Errorf("domain %s: %w", d.Names[0], err)
			}
			byKey[key] = del
		}
		rt := &route.Route{Key: key, Tenant: d.Tenant, Deliverer: del, Sign: d.Sign, RequireTLS: d.RequireTLS, DirectoryDown: d.DeferUnlisted}
		if d.Sign { // a message of both kinds is two
			rt.Key += " sign"
		}
		for _, n := range d.Names {
			rs.ByDomain[n] = rt
		}
	}
	return rs, nil
}

// hopKey tells next hops apart by all that makes a difference on the way there.
func hopKey(d config.Domain) string {
	var b strings.Builder
	b.WriteString("tls=" + d.TLS.Mode)
	for _, f := range d.Fingerprints {
		b.WriteString(" " + relay.Fingerprint(f).String())
	}
	if d.User != "" {
		fmt.Fprintf(&b, " user=%q password_file=%q", d.User, d.PasswordFile)
	}
	for _, r := range d.Relay {
		b.WriteString(" " + r.String())
	}
	return b.String()
}

// Deliverer makes the next hop of a domain.
func Deliverer(cfg *config.Config, d config.Domain) (sluice.Deliverer, error) {
	if d.Relay[0].Kind == "maildir" {
		return maildir.New(maildir.Config{Dir: d.Relay[0].Target, Hostname: cfg.Hostname})
	}
	c := relay.Config{Hello: cfg.Hostname, TLS: relay.TLSMay, LMTP: d.Relay[0].Kind == "lmtp", TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxConns: cfg.Limits.RelayConns}
	switch d.TLS.Mode {
	case "none":
		c.TLS = relay.TLSNone
	case "verify":
		c.TLS = relay.TLSVerify
	case "fingerprint":
		c.TLS = relay.TLSFingerprint
	}
	for _, f := range d.Fingerprints {
		c.Fingerprints = append(c.Fingerprints, relay.Fingerprint(f))
	}
	if d.User != "" {
		secret, err := readSecret(d.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password_file: %w", err)
		}
		password, _, _ := strings.Cut(string(secret), "\n")
		c.Login = &relay.Login{User: d.User, Password: strings.TrimSuffix(password, "\r")}
	}
	for _, r := range d.Relay {
		c.Hosts = append(c.Hosts, r.Target)
	}
	return relay.New(c)
}
