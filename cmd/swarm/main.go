// Command swarm plays honest senders and bots against an SMTP server of one's
// own and reports what the server made of each. See docs/swarm.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sluice/eval/bareloop"
	"sluice/eval/swarm"
)

// commands is what swarm can do.
type commands struct {
	Run        runCmd        `cmd:"" help:"Play the population against a server and report."`
	Families   familiesCmd   `cmd:"" help:"List the families that a seed stands for."`
	Zones      zonesCmd      `cmd:"" help:"Print DNS data for the population as a master file."`
	Recipients recipientsCmd `cmd:"" help:"Print the addresses that the server has to have."`
	Accounts   accountsCmd   `cmd:"" help:"Print names and passwords of honest users of the submission doors."`
	Bare       bareCmd       `cmd:"" help:"Serve the bare accept-write-read-write-close loop, to compare costs with."`
}

// population are the flags that say who plays.
type population struct {
	Seed      uint64         `default:"1" help:"Number that everything random comes from."`
	Split     string         `default:"train" enum:"train,test" help:"Half of the hostile families. Whoever tunes looks at train only."`
	Only      string         `help:"Glob of kinds that play."`
	Mix       map[string]int `help:"Weights of kinds, KIND=WEIGHT;…; 0 leaves one out."`
	Honest    int            `default:"200" help:"Honest conversations."`
	Bots      int            `default:"2000" help:"Hostile sessions."`
	Variants  int            `default:"3" help:"Families of each hostile kind."`
	HonestNet string         `default:"127.10.0.0/16" help:"Network of honest clients."`
	BotNet    string         `default:"127.20.0.0/16" help:"Network of bots."`
	Domain    string         `default:"harbour.swarm" help:"Domain of the recipients."`
	Name      string         `help:"The server's own name (default: mx. and the domain)."`
	Server    string         `default:"127.0.0.1" help:"The server's own address, which liars greet with."`
	Door      string         `name:"submission" help:"The server's submission door, host:port."`
	SMTPS     string         `name:"smtps" help:"The server's door with TLS from the start, host:port."`
}

func (p population) config() (swarm.Config, error) {
	c := swarm.Config{Seed: p.Seed, Split: swarm.Split(p.Split), Only: p.Only, Mix: p.Mix, Honest: p.Honest, Bots: p.Bots, Variants: p.Variants,
		Domain: p.Domain, Name: p.Name, Submission: p.Door, SMTPS: p.SMTPS}
	var err error
	if c.HonestNet, err = netip.ParsePrefix(p.HonestNet); err != nil {
		return c, err
	}
	if c.BotNet, err = netip.ParsePrefix(p.BotNet); err != nil {
		return c, err
	}
	c.Server, err = netip.ParseAddr(p.Server)
	return c, err
}

func (p population) make() (*swarm.Population, error) {
	c, err := p.config()
	if err != nil {
		return nil, err
	}
	return swarm.New(c)
}

// app is what every command gets beside its own flags.
type app struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

type runCmd struct {
	population
	Addr           string        `required:"" help:"The server's door for mail, host:port, on loopback."`
	TLS            bool          `name:"tls" default:"true" negatable:"" help:"Clients whose software does so use STARTTLS where it is offered."`
	Time           time.Duration `default:"60s" help:"Sessions begin within this time."`
	Grace          time.Duration `default:"60s" help:"And may go on for this time."`
	Patience       time.Duration `default:"30s" help:"How long a client holds a connection at most."`
	Factor         float64       `default:"60" help:"Retry schedules run so many times faster; shorten the server's greylisting by the same factor."`
	Honests        int           `default:"128" help:"Honest connections at a time."`
	Quick          int           `default:"256" help:"Hostile connections at a time, of those that come and go."`
	Holders        int           `default:"512" help:"Hostile connections at a time, of those that stay."`
	Corpus         string        `help:"Folder of *.eml to take honest messages from, instead of templates."`
	BotCorpus      string        `help:"Folder of *.eml to take unwanted messages from."`
	JSON           string        `name:"json" help:"Write the report as JSON to this file."`
	Sessions       string        `help:"Write every session as a line of JSON to this file."`
	Require        bool          `help:"Leave with status 1 where the bars below are missed."`
	RequireEarly   float64       `default:"0.95" help:"Least share of hostile sessions refused before DATA."`
	RequireRefused int           `default:"0" help:"Most honest messages refused."`
	RequireDelayed int           `default:"0" help:"Most honest messages delayed over five minutes."`
}

// missed is the error of a run below its bars.
type missed struct{ bars []string }

func (m missed) Error() string { return fmt.Sprintf("%d bars missed", len(m.bars)) }

func (c *runCmd) Run(a *app) error {
	if err := loopback(c.Addr, c.Door, c.SMTPS); err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.Addr, cfg.TLS = c.Addr, c.TLS
	cfg.Time, cfg.Grace, cfg.Patience, cfg.Factor = c.Time, c.Grace, c.Patience, c.Factor
	cfg.Honests, cfg.Quick, cfg.Holders = c.Honests, c.Quick, c.Holders
	cfg.Corpus, cfg.BotCorpus = c.Corpus, c.BotCorpus
	p, err := swarm.New(cfg)
	if err != nil {
		return err
	}
	res := p.Run(a.ctx)
	rep := p.Report(res)
	fmt.Fprint(a.stdout, rep.Table())
	if err := writeJSON(c.JSON, rep); err != nil {
		return err
	}
	if err := writeJSON(c.Sessions, res.Sessions...); err != nil {
		return err
	}
	if bars := rep.Miss(swarm.Bars{Early: c.RequireEarly, Refused: c.RequireRefused, Delayed: c.RequireDelayed}); c.Require && len(bars) > 0 {
		for _, b := range bars {
			fmt.Fprintf(a.stderr, "swarm: %s\n", b)
		}
		return missed{bars}
	}
	return nil
}

// loopback keeps the swarm on this machine: it attacks what it talks to.
func loopback(addrs ...string) error {
	for _, s := range addrs {
		if s == "" {
			continue
		}
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			return fmt.Errorf("%q is no address and port: %w", s, err)
		}
		if a.Addr().IsLoopback() {
			continue
		}
		// In a network namespace of its own a rig gives itself other addresses.
		own, err := net.InterfaceAddrs()
		if err != nil {
			return err
		}
		mine := false
		for _, o := range own {
			p, err := netip.ParsePrefix(o.String())
			mine = mine || err == nil && p.Addr() == a.Addr()
		}
		if !mine {
			return fmt.Errorf("%s is not an address of this machine: the swarm attacks nobody else", s)
		}
	}
	return nil
}

// writeJSON writes values, one a line, to a file; nothing where it has no name.
func writeJSON[T any](name string, values ...T) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

type familiesCmd struct {
	population
	JSON bool `name:"json" help:"As JSON, with the sources."`
}

func (c *familiesCmd) Run(a *app) error {
	p, err := c.make()
	if err != nil {
		return err
	}
	for _, f := range p.Families() {
		if c.JSON {
			if err := json.NewEncoder(a.stdout).Encode(f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%s\t%d addresses\t%s\n\t%s\n", f.ID, len(f.Sources), f.About, f.Dialect)
		if !f.Honest {
			fmt.Fprintf(a.stdout, "\tform=%q naming=%s pitch=%s\n", f.Form, f.Naming, f.Pitch)
		}
	}
	return nil
}

type zonesCmd struct {
	population
	Blocklist string `help:"Print a DNS list of this name that knows most bots, instead."`
}

func (c *zonesCmd) Run(a *app) error {
	p, err := c.make()
	if err != nil {
		return err
	}
	if c.Blocklist != "" {
		_, err = io.WriteString(a.stdout, p.Blocklist(c.Blocklist))
		return err
	}
	_, err = io.WriteString(a.stdout, p.Zones())
	return err
}

type recipientsCmd struct {
	population
	Traps bool `help:"The spamtraps instead."`
}

func (c *recipientsCmd) Run(a *app) error {
	p, err := c.make()
	if err != nil {
		return err
	}
	list := p.Recipients()
	if c.Traps {
		list = p.Traps()
	}
	for _, r := range list {
		fmt.Fprintln(a.stdout, r)
	}
	return nil
}

type accountsCmd struct{ population }

func (c *accountsCmd) Run(a *app) error {
	p, err := c.make()
	if err != nil {
		return err
	}
	accounts := p.Accounts()
	for _, user := range slices.Sorted(maps.Keys(accounts)) {
		fmt.Fprintf(a.stdout, "%s %s\n", user, accounts[user])
	}
	return nil
}

type bareCmd struct {
	Listen string `default:"127.0.0.1:2599" help:"Where to listen."`
}

func (c *bareCmd) Run(a *app) error {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "swarm: the bare loop listens on %v\n", l.Addr())
	defer context.AfterFunc(a.ctx, func() { l.Close() })()
	return bareloop.Serve(l)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: 0 for success, 1 for bars missed, 2 for the
// rest.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c commands
	exit := -1
	parser, err := kong.New(&c, kong.Name("swarm"), kong.Description("Honest senders and bots for an SMTP server of one's own."),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { exit = n }), kong.Bind(&app{ctx, stdout, stderr}))
	if err != nil {
		fmt.Fprintf(stderr, "swarm: %v\n", err)
		return 2
	}
	k, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err == nil {
		err = k.Run()
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "swarm: %v\n", err)
	if errors.As(err, new(missed)) {
		return 1
	}
	return 2
}
