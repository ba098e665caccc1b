package build

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/check"
	checkexpand "sluice/check/expand"
	checklookalike "sluice/check/lookalike"
	checkurllist "sluice/check/urllist"
	"sluice/cmd/sluice/build/readers"
	"sluice/config"
	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/engine/expand"
	"sluice/engine/urllist"
	"sluice/learn/domain"
	"sluice/message/links"
)

// Places are who knows about where links lead: lists in files and in the DNS, and what
// asks shorteners. They live as long as the process.
type Places struct {
	Files  *urllist.Set   // nil: none
	DNS    *urllist.DNS   // nil: none
	Client *expand.Client // nil: nobody asks
	own    []string
}

// NewPlaces makes what the settings ask for; ask may be nil: then no list in the DNS is
// asked.
func NewPlaces(cfg *config.Config, ask dns.Resolver, log *slog.Logger) (*Places, error) {
	p := &Places{own: slices.Clone(cfg.Links.Skip)}
	for _, d := range cfg.Domains {
		p.own = append(p.own, d.Names...)
	}
	for i, d := range p.own {
		p.own[i] = links.OrgDomain(strings.ToLower(d))
	}
	var files []urllist.File
	for _, l := range cfg.Links.Lists {
		f := urllist.File{Path: l.Path, Name: l.Name, Kind: urllist.Bad}
		if l.Kind == "abused" {
			f.Kind = urllist.Abused
		}
		files = append(files, f)
	}
	var err error
	if len(files) > 0 {
		if p.Files, err = urllist.New(urllist.Config{Files: files, Log: log}); err != nil {
			return nil, fmt.Errorf("links: %w", err)
		}
	}
	if len(cfg.Links.DNS) > 0 && ask == nil {
		log.Warn("lists of domains are configured, and nobody is asked: dns.servers is none")
	} else if len(cfg.Links.DNS) > 0 {
		var zones []urllist.DNSList
		for _, z := range cfg.Links.DNS {
			one := urllist.DNSList{List: dnsbl.List{Zone: z.Zone, Name: z.Name}}
			if z.KeyFile != "" {
				key, err := readSecret(z.KeyFile)
				if err != nil {
					return nil, fmt.Errorf("links: %s: key_file: %w", z.Zone, err)
				}
				one.Key = dnsbl.Key(strings.TrimSpace(string(key)))
			}
			zones = append(zones, urllist.Known(one))
		}
		if p.DNS, err = urllist.NewDNS(zones, dnsbl.Config{Resolver: ask, Log: log}); err != nil {
			return nil, fmt.Errorf("links: %w", err)
		}
	}
	if cfg.Links.Expand && ask == nil {
		log.Warn("shorteners are to be asked where they lead, and can't be: dns.servers is none")
	} else if cfg.Links.Expand {
		p.Client = expand.New(expand.Config{Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return dns.LookupAddrs(ctx, ask, host)
		}})
	}
	return p, nil
}

// lists is how checks ask.
func (p *Places) lists() checkurllist.Config {
	return checkurllist.Config{Files: p.Files, DNS: p.DNS, Skip: func(org string) bool { return slices.Contains(p.own, org) }}
}

// checks are those that ask about places. alike judges where shorteners lead, and seen
// knows where mail has led before; nil: nothing is known.
func (p *Places) checks(alike checklookalike.Config, seen *domain.Memory) []check.Checker {
	if p == nil {
		return nil
	}
	ask := p.lists()
	ask.Seen = seen
	out := checkurllist.Checks(ask)
	return append(out, checkexpand.Checks(checkexpand.Config{Client: p.Client, Judges: []checkexpand.Judge{
		{Reasons: checkurllist.Reasons(),
			Run: func(ctx context.Context, _ *check.Input, urls []string, where string) []sluice.Evidence {
				return checkurllist.InLinks(ctx, p.lists(), urls, where)
			}},
		{Reasons: checklookalike.LinkReasons(),
			Run: func(_ context.Context, _ *check.Input, urls []string, where string) []sluice.Evidence {
				return checklookalike.InLinks(alike, urls, where)
			}},
	}})...)
}

// Clicked is whom the page behind protected links asks.
func Clicked(sp *Speakers, pl *Places, sent *readers.Delivered) readers.Known {
	return readers.Known{Lists: pl.lists(), Alike: sp.alikeConfig(), Sent: sent}
}

// inFiles judges links that were found in files.
func (p *Places) inFiles(urls []string) []sluice.Evidence {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), filesWait)
	defer cancel()
	return checkurllist.InLinks(ctx, p.lists(), urls, "in a file")
}

// filesWait is how long lists in the DNS are waited for about links in files.
const filesWait = 3 * time.Second

// Run keeps the lists until ctx ends.
func (p *Places) Run(ctx context.Context) {
	var all sync.WaitGroup
	if p.Files != nil {
		all.Go(func() { p.Files.Run(ctx) })
	}
	if p.DNS != nil {
		all.Go(func() { p.DNS.Run(ctx) })
	}
	all.Wait()
}

// Close ends questions under way.
func (p *Places) Close() {
	if p != nil && p.DNS != nil {
		_ = p.DNS.Close() // nothing is lost with them
	}
}
