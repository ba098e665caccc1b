package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/dns"
	"sluice/gate"
	"sluice/learn/text"
	"sluice/lint"
	"sluice/lint/letter"
	"sluice/message"
	"sluice/scan"
)

type lintCmd struct {
	File   string    `arg:"" help:"The message as a file, - for standard input: as it arrived, or a draft." placeholder:"FILE"`
	Config string    `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data   string    `help:"Data folder, for what was learned." placeholder:"DIR"`
	IP     string    `help:"Address that sends; default: from the topmost Received." placeholder:"ADDRESS"`
	Helo   string    `help:"HELO name; default: from the topmost Received." placeholder:"NAME"`
	From   *string   `help:"Envelope sender; default: Return-Path, else the author." placeholder:"ADDRESS"`
	Zone   string    `name:"dns-zone" help:"Answer DNS from this zone file or JSON only." type:"path" placeholder:"FILE"`
	Now    time.Time `help:"Judge as if it were this time (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
	All    bool      `short:"a" help:"Show every detail, the ledger, and the sources."`
	Public bool      `help:"Show only what the public page would."`
	JSON   bool      `help:"As JSON."`
}

// lintTrouble is the exit status where there is no report: 1 and 2 are reports.
const lintTrouble = 3

// Run looks at one message. The exit status is for scripts: 0 nothing to change, 1
// advice, 2 the message would be withheld.
func (c *lintCmd) Run(a *app) error {
	status, err := c.run(a)
	if err != nil {
		return &exitError{lintTrouble, err}
	}
	if status != 0 {
		return &exitError{code: status}
	}
	return nil
}

func (c *lintCmd) run(a *app) (int, error) {
	cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
	if err != nil {
		return 0, err
	}
	mail, err := oneMail(a, c.File)
	if err != nil {
		return 0, fmt.Errorf("lint: %w", err)
	}
	r, err := (&authCmd{Zone: c.Zone}).resolver(cfg)
	if err != nil { // the settings say that nobody is asked
		r = &build.Resolver{}
	}
	defer r.Close()
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	l, err := c.linter(a.ctx, cfg, r.Resolver, slog.New(slog.NewTextHandler(a.stderr, nil)))
	if err != nil {
		return 0, err
	}
	defer l.files.Close()
	in, err := c.input(mail)
	if err != nil {
		return 0, err
	}
	rep := l.Lint(a.ctx, in)
	if c.Public {
		rep = rep.Public()
	}
	if c.JSON {
		return rep.Status(), json.NewEncoder(a.stdout).Encode(rep)
	}
	letter.Write(a.stdout, term.PaintFor(a.stdout), rep, c.All)
	return rep.Status(), nil
}

// oneMail reads the only message of a file.
func oneMail(a *app, file string) (*scan.Mail, error) {
	for it := range scan.Sources(scan.Config{Paths: []string{file}, Stdin: a.stdin}) {
		return it.Open()
	}
	return nil, fmt.Errorf("%s holds no message", file)
}

// linter is one with what it needs closed.
type linter struct {
	*lint.Linter
	files *build.Scanners
}

func (c *lintCmd) linter(ctx context.Context, cfg *config.Config, r dns.Resolver, log *slog.Logger) (*linter, error) {
	here, err := daemon.Learned(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	files, err := build.NewScanners(cfg, nil, nil, log)
	if err != nil {
		return nil, err
	}
	set, err := build.JudgeHere(cfg, log, false, here, files)
	if err != nil {
		files.Close()
		return nil, err
	}
	set.Verifier = build.Verifier(cfg, r)
	set.Budget = time.Minute
	start, now := time.Now(), c.Now
	clock := func() time.Time { return now.Add(time.Since(start)) }
	lc := lint.Config{Gate: gate.New(gate.Config{Settings: set, Clock: clock, Rand: rand.Reader}),
		Verifier: set.Verifier, Resolver: r, Weights: set.Weights, Policy: set.Policy, Clock: clock}
	if here != nil {
		lc.Words = func(m *message.Message, most int) []text.Token { return here.Top(m, most) }
	}
	l, err := lint.New(lc)
	if err != nil {
		files.Close()
		return nil, err
	}
	return &linter{l, files}, nil
}

// input is the message with the session that brought it, as far as flags and message
// tell.
func (c *lintCmd) input(mail *scan.Mail) (lint.Input, error) {
	var ip netip.Addr
	if c.IP != "" {
		var err error
		if ip, err = netip.ParseAddr(c.IP); err != nil {
			return lint.Input{}, fmt.Errorf("--ip %q: want an address such as 192.0.2.1 or 2001:db8::1", c.IP)
		}
	}
	return lint.FromFile(c.File, mail, c.Now, func(o *scan.Origin) {
		if ip.IsValid() {
			o.Hop.With = ""
		}
		o.Client, o.Hello = first(ip.Unmap(), o.Client), first(c.Helo, o.Hello)
		if c.From != nil {
			o.From, o.HasFrom = trimBrackets(*c.From), true
		}
	}), nil
}
