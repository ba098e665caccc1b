package build

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"sluice"
	"sluice/check"
	enginecheck "sluice/check/engine"
	checkfiles "sluice/check/inspect"
	"sluice/check/link"
	checklookalike "sluice/check/lookalike"
	checktext "sluice/check/text"
	"sluice/config"
	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/engine"
	"sluice/engine/clamd"
	"sluice/engine/hashlist"
	"sluice/engine/icap"
	"sluice/inspect"
	"sluice/inspect/pool"
	"sluice/inspect/tools"
	learned "sluice/learn/text"
)

// Scanners are those that look into files: sandboxed processes of ours, and engines
// beside us. They live as long as the process.
type Scanners struct {
	Pool    *pool.Pool   // nil: nobody looks into files
	Tools   *tools.Tools // nil: none are asked for
	Engines []*engine.Guarded
	Hashes  *hashlist.Set // nil: none
	Zones   *hashlist.DNS // nil: none

	checks []check.Checker // of the engines
}

// NewScanners makes what the settings ask for; reg may be nil, and so may ask: then no
// list in the DNS is asked.
func NewScanners(cfg *config.Config, ask dns.Resolver, reg prometheus.Registerer, log *slog.Logger) (*Scanners, error) {
	s, err := Engines(cfg, ask, log)
	if err != nil {
		return nil, err
	}
	if s.Tools, err = newTools(cfg, reg, log); err != nil {
		s.Close()
		return nil, err
	}
	if f := cfg.Files; !f.Off {
		c := pool.Config{Size: f.Processes, Memory: int64(f.Memory), Strict: f.Strict, Budget: budget(f), Log: log}
		if s.Hashes != nil { // a list may come to hold TLSH digests while we run
			c.Args = append(c.Args, "-tlsh")
		}
		if reg != nil {
			c.Metrics = pool.NewMetrics(reg)
		}
		s.Pool = pool.New(c)
	}
	return s, nil
}

// Engines makes those beside us alone: nothing of it runs before [Scanners.Run].
func Engines(cfg *config.Config, ask dns.Resolver, log *slog.Logger) (*Scanners, error) {
	s := &Scanners{}
	e, list := cfg.Engines, enginecheck.Config{SkipText: cfg.Engines.SkipText}
	add := func(scanner engine.Scanner, c config.Scanner) {
		g := engine.Guard(scanner, engine.GuardConfig{Parallel: c.Parallel, Timeout: c.Timeout.Duration, Log: log})
		s.Engines = append(s.Engines, g)
		list.Engines = append(list.Engines, enginecheck.Engine{Scanner: g, Absent: absence(c.Unavailable, check.Open), MaxSize: int(c.MaxSize)})
	}
	if len(e.Clamd.Addresses) > 0 {
		c, err := clamd.New(clamd.Config{Hosts: engine.HostsConfig{Addresses: e.Clamd.Addresses}, MaxSize: int64(e.Clamd.MaxSize), Suspicious: e.Clamd.Suspicious})
		if err != nil {
			return nil, fmt.Errorf("engines: %w", err)
		}
		add(c, e.Clamd)
	}
	if len(e.ICAP.Addresses) > 0 {
		c, err := icap.New(icap.Config{URLs: e.ICAP.Addresses, MaxSize: int64(e.ICAP.MaxSize)})
		if err != nil {
			return nil, fmt.Errorf("engines: %w", err)
		}
		add(c, e.ICAP)
	}
	if len(e.Hashes) > 0 {
		var files []hashlist.File
		for _, h := range e.Hashes {
			f := hashlist.File{Path: h.Path, Name: h.Name}
			if h.Kind == "suspicious" {
				f.Kind = engine.Suspicious
			}
			files = append(files, f)
		}
		var err error
		if s.Hashes, err = hashlist.New(hashlist.Config{Files: files, Log: log}); err != nil {
			return nil, fmt.Errorf("engines: %w", err)
		}
		list.Hashes = s.Hashes
	}
	if len(e.HashZones) > 0 && ask != nil {
		zones, err := hashZones(e.HashZones)
		if err != nil {
			return nil, err
		}
		if s.Zones, err = hashlist.NewDNS(zones, dnsbl.Config{Resolver: ask, Log: log}); err != nil {
			return nil, fmt.Errorf("engines: %w", err)
		}
		list.DNS = s.Zones
	}
	s.checks = enginecheck.Checks(list)
	return s, nil
}

func hashZones(list []config.HashZone) (out []hashlist.DNSList, err error) {
	for _, z := range list {
		one := hashlist.DNSList{List: dnsbl.List{Zone: z.Zone, TestPoint: z.TestPoint, Untested: z.Untested}, Behind: z.Behind}
		if err := one.Form.UnmarshalText([]byte(z.Form)); err != nil {
			return nil, fmt.Errorf("engines: hash_zones %s: %w", z.Zone, err)
		}
		if z.Kind == "malware" {
			one.Kind = engine.Malware
		}
		if z.KeyFile != "" {
			key, err := readSecret(z.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("engines: hash_zones %s: key_file: %w", z.Zone, err)
			}
			one.Key = dnsbl.Key(strings.TrimSpace(string(key)))
		}
		out = append(out, one)
	}
	return out, nil
}

func budget(f config.Files) inspect.Budget {
	return inspect.Budget{Depth: f.Depth, Entries: f.Entries, Bytes: int64(f.Bytes), Ratio: int64(f.Ratio), Time: f.Time.Duration}
}

func absence(s string, otherwise check.Absence) check.Absence {
	switch s {
	case "accept":
		return check.Open
	case "defer":
		return check.Temporary
	case "refuse":
		return check.Closed
	}
	return otherwise
}

// Run looks after the engines until ctx ends.
func (s *Scanners) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, e := range s.Engines {
		wg.Go(func() { e.Run(ctx) })
	}
	if s.Hashes != nil {
		wg.Go(func() { s.Hashes.Run(ctx) })
	}
	if s.Zones != nil {
		wg.Go(func() { s.Zones.Run(ctx) })
	}
	if s.Tools != nil {
		wg.Go(func() { s.Tools.Run(ctx) })
	}
	wg.Wait()
}

// Close ends the processes.
func (s *Scanners) Close() {
	if s.Zones != nil {
		_ = s.Zones.Close() // it has nothing to write
	}
	if s.Pool != nil {
		s.Pool.Close()
	}
	if s.Tools != nil {
		s.Tools.Close()
	}
}

// checks are those of files, by the settings in force; s may be nil.
func fileChecks(cfg *config.Config, k known) ([]check.Checker, error) {
	s := k.scanners
	if s == nil {
		return nil, nil
	}
	out := append([]check.Checker{}, s.checks...)
	c, err := fileConfig(cfg, k)
	if err != nil || c.Inspector == nil {
		return out, err
	}
	return append(out, checkfiles.Checks(c)...), nil
}

// fileConfig is how files are looked into; without an Inspector, nobody does.
func fileConfig(cfg *config.Config, k known) (c checkfiles.Config, err error) {
	table, err := FileTable(cfg)
	s := k.scanners
	if err != nil || s == nil || s.Pool == nil {
		return c, err
	}
	return checkfiles.Config{Inspector: s.Pool, Budget: budget(cfg.Files), Table: table,
		Text:   func(text string) []sluice.Evidence { return checktext.InFiles(learned.Default(), text) },
		Absent: absence(cfg.Files.Unavailable, check.Temporary), Known: enginecheck.Known(s.Hashes), Tools: toolsFor(cfg, s.Tools),
		Links: func(in *check.Input, list []inspect.Link) []sluice.Evidence {
			urls := make([]string, 0, len(list))
			for _, l := range list {
				urls = append(urls, l.URL)
			}
			out := append(link.InFiles(in, urls), checklookalike.InLinks(k.speakers.alikeConfig(), urls, "in a file")...)
			return append(out, k.places.inFiles(urls)...)
		}}, nil
}

// FileTable is the table of what happens to files: the default, and over it what the
// settings say.
func FileTable(cfg *config.Config) (checkfiles.Table, error) {
	t := checkfiles.DefaultTable()
	for name, word := range cfg.Files.Actions {
		c, ok := inspect.ParseClass(strings.ReplaceAll(name, "_", " "))
		if !ok {
			return t, fmt.Errorf("files: actions: no class of files is called %q; the classes are %s", name, strings.ReplaceAll(inspect.AllClasses().String(), " ", "_"))
		}
		a, err := checkfiles.ParseAction(word)
		if err != nil {
			return t, fmt.Errorf("files: actions: %s: %w", name, err)
		}
		t.Classes[c] = a
	}
	t.Extensions = map[string]checkfiles.Action{}
	for ext, word := range cfg.Files.Extensions {
		a, err := checkfiles.ParseAction(word)
		if err != nil {
			return t, fmt.Errorf("files: extensions: %s: %w", ext, err)
		}
		t.Extensions[ext] = a
	}
	return t, nil
}
