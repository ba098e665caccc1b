// Package doctor examines a set-up: what the configuration promises is looked at
// from where the gateway stands, and each finding that isn't in order comes with
// what to do. It changes nothing, and sends nothing but questions to the DNS and
// conversations that end before a message: EHLO and QUIT, and at a back end that
// is asked for its mailboxes RCPT for one that can't exist.
package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"sluice/certs"
	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/dns"
)

// Level is how bad a finding is.
type Level string

// The levels. Only Bad means that mail suffers.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Bad  Level = "bad"
)

// Finding is one line of the list. Its texts may hold what others wrote; Report
// escapes them.
type Finding struct {
	Area  string `json:"area"`
	What  string `json:"what"` // a name, an address, a path
	Level Level  `json:"level"`
	Text  string `json:"text"`
	Fix   string `json:"fix,omitempty"` // what to do; "" where all is well

	silent bool // there was no answer from the DNS, so nothing is known
}

// Config says what is examined.
type Config struct {
	Settings *config.Config
	Resolver dns.Resolver // nil: nobody is asked
	Certs    certs.Config // as the daemon has it
	Log      *slog.Logger // of what is built for a look; nil: none

	machine machine // tests stand in for it
}

// Each check has checkTime, and all of them together totalTime; parallel run at a
// time.
const (
	checkTime = 3 * time.Second
	totalTime = 15 * time.Second
	parallel  = 32
)

// check is one thing to look at; a function for each domain and each host keeps
// the time for all of them that of the slowest.
type check struct {
	area, what string
	run        func(ctx context.Context) []Finding
}

// examiner holds what checks share.
type examiner struct {
	cfg   *config.Config
	dns   dns.Resolver // errors where nobody is asked
	mute  bool         // nobody is asked
	certs certs.Config
	m     machine
	log   *slog.Logger
	port  *build.Port
}

// Load examines what a file configures, as sluice serve would read it; a file that
// can't be read is the one finding.
func Load(ctx context.Context, path string, flags config.Flags) *Report {
	cfg, err := config.Load(path, flags)
	if err != nil {
		return failed(err)
	}
	resolver := build.NewResolver(cfg)
	defer resolver.Close()
	return Run(ctx, Config{Settings: cfg, Resolver: resolver.Resolver,
		Certs: build.Certs(cfg, nil)})
}

// Run examines a set-up and reports in the order of the list. It takes at most 15
// seconds and a little.
func Run(ctx context.Context, c Config) *Report {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	x := &examiner{cfg: c.Settings, dns: c.Resolver, certs: c.Certs, m: c.machine.complete(), log: c.Log}
	if x.dns == nil {
		x.dns, x.mute = nobody{}, true
	}
	ctx, cancel := context.WithTimeout(ctx, totalTime)
	defer cancel()
	first := []Finding{{Area: areaConfig, What: "settings", Level: OK, Text: loaded(c.Settings)}}
	x.port = build.NewPort(c.Log, c.Resolver)
	defer x.port.Close()
	err := x.port.Apply(withoutFiles(c.Settings))
	if err == nil {
		_, err = build.Judge(c.Settings, c.Log, false)
	}
	if err != nil {
		first = append(first, Finding{Area: areaConfig, What: "settings", Level: Bad, Text: "sluice serve would stop: " + err.Error(), Fix: "correct the setting that the message names"})
	}
	return &Report{Findings: append(first, gather(all(ctx, x.checks()))...)}
}

// withoutFiles leaves out what has a check of its own and would hide others.
func withoutFiles(cfg *config.Config) *config.Config {
	c := *cfg
	c.Connect.ASN, c.Connect.Country = "", ""
	return &c
}

func loaded(cfg *config.Config) string {
	names := 0
	for _, d := range cfg.Domains {
		names += len(d.Names)
	}
	if cfg.FirstTry {
		return "loaded; no domain is configured, so this is a first try with the reserved example domains"
	}
	return fmt.Sprintf("loaded; %s for %s", count(len(cfg.Listen), "port"), count(names, "domain"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// all runs the checks, each within its time, and keeps their order.
func all(ctx context.Context, checks []check) []Finding {
	found := make([][]Finding, len(checks))
	slots := make(chan struct{}, parallel)
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				found[i] = c.within(ctx)
			case <-ctx.Done():
				found[i] = []Finding{{Area: c.area, What: c.what, Level: Warn, Text: "not looked at: there was no time left", Fix: "look again"}}
			}
		})
	}
	running.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

// gather makes one line of those in an area that a silent DNS left without a result:
// its trouble is said once.
func gather(list []Finding) (out []Finding) {
	silent := map[string]int{}
	for _, f := range list {
		if f.silent {
			silent[f.Area]++
		}
	}
	for _, f := range list {
		switch n := silent[f.Area]; {
		case !f.silent || n == 1:
			out = append(out, f)
		case n > 1:
			out = append(out, Finding{Area: f.Area, What: "not known", Level: Warn, Text: fmt.Sprintf("%d questions without an answer, such as %s: %s", n, f.What, f.Text), Fix: f.Fix})
			silent[f.Area] = 0
		}
	}
	return out
}

// grace is what a check may take beyond its time to say that it ran out.
const grace = time.Second

// within runs a check and doesn't wait for one that hangs, say in a file system
// that is away: the process ends soon.
func (c check) within(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- []Finding{{Area: c.area, What: c.what, Level: Bad, Text: fmt.Sprintf("the check itself fell over: %v; %s", v, debug.Stack()), Fix: "report it"}}
			}
		}()
		out := c.run(ctx)
		for i := range out {
			out[i].Area = c.area
			if out[i].What == "" {
				out[i].What = c.what
			}
		}
		done <- out
	}()
	t := time.NewTimer(checkTime + grace)
	defer t.Stop()
	select {
	case out := <-done:
		return out
	case <-t.C:
		return []Finding{{Area: c.area, What: c.what, Level: Bad, Text: "no answer within " + checkTime.String(), Fix: "find out what hangs: a network file system, a server"}}
	}
}

// one makes the findings of a check that has a single one.
func one(l Level, text, fix string) []Finding { return []Finding{{Level: l, Text: text, Fix: fix}} }

// silence is a finding that nothing can be found.
func silence(subject, why string) []Finding {
	return []Finding{{Level: Warn, Text: subject + "the DNS gives no answer: " + why, Fix: "look at the resolver above, or ask again later", silent: true}}
}

func ok(text string) []Finding { return one(OK, text, "") }

// nobody is a resolver that isn't there.
type nobody struct{}

// Lookup implements [dns.Resolver].
func (nobody) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrServFail, Err: errNobody}
}
