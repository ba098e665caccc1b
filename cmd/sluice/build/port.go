package build

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/gaissmai/bart"

	"sluice"
	"sluice/certs"
	"sluice/check"
	checkcampaign "sluice/check/campaign"
	checkcorrespondent "sluice/check/correspondent"
	checkdnsbl "sluice/check/dnsbl"
	checkreputation "sluice/check/reputation"
	"sluice/config"
	"sluice/deliver/relay"
	"sluice/directory"
	"sluice/directory/callahead"
	"sluice/directory/file"
	"sluice/directory/ldap"
	"sluice/directory/sql"
	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/gate/route"
	"sluice/learn/network"
)

// Port is what watches the port for the life of a daemon: what it has learned of
// those outside outlives a reload of the settings.
type Port struct {
	log      *slog.Logger
	resolver dns.Resolver

	mu        sync.Mutex
	spared    *bart.Lite
	lists     *dnsbl.Set
	listsOf   []config.DNSList
	stopLists context.CancelFunc
	directory *directory.Directory
	closers   []func()
	people    people
	networks  *network.DB
	filesOf   [2]string
}

// people is what the directories are made of: they keep their connections and
// memories as long as it stays the same.
type people struct {
	directories []config.Directory
	domains     []config.Domain
}

// NewPort makes one; r may be nil.
func NewPort(log *slog.Logger, r dns.Resolver) *Port {
	return &Port{log: log, resolver: r, spared: &bart.Lite{}}
}

// Apply takes new settings. What didn't change in them stays as it is.
func (p *Port) Apply(cfg *config.Config) error {
	spared := &bart.Lite{}
	for _, list := range [][]config.Prefix{cfg.Trusted, cfg.Connect.Spare, cfg.Connect.Proxies, cfg.Connect.XClient} {
		for _, n := range list {
			spared.Insert(n.Prefix)
		}
	}
	for _, a := range cfg.Allow {
		if n, err := netip.ParsePrefix(a.Value); a.Kind == "network" && err == nil && a.Tenant == "" {
			spared.Insert(n.Masked())
		} else if addr, err := netip.ParseAddr(a.Value); a.Kind == "network" && err == nil && a.Tenant == "" {
			spared.Insert(netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.applyLists(cfg); err != nil {
		return err
	}
	if err := p.applyDirectory(cfg); err != nil {
		return err
	}
	if err := p.applyNetworks(cfg); err != nil {
		return err
	}
	p.spared = spared
	return nil
}

// Spared says whether a client is never limited.
func (p *Port) Spared(a netip.Addr) bool {
	p.mu.Lock()
	t := p.spared
	p.mu.Unlock()
	return t.Contains(a.Unmap())
}

// Lists are the DNS lists in use; nil for none.
func (p *Port) Lists() *dnsbl.Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lists
}

// Directory knows the mailboxes; nil where no domain names one.
func (p *Port) Directory() *directory.Directory {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.directory
}

func (p *Port) applyLists(cfg *config.Config) error {
	if reflect.DeepEqual(p.listsOf, cfg.DNSLists) {
		return nil
	}
	var set *dnsbl.Set
	if len(cfg.DNSLists) > 0 && p.resolver != nil {
		var lists []dnsbl.List
		for _, l := range cfg.DNSLists {
			one, err := dnsList(l)
			if err != nil {
				return err
			}
			lists = append(lists, one)
		}
		var err error
		if set, err = dnsbl.New(dnsbl.Config{Lists: lists, Resolver: p.resolver, Trusted: p.Spared, Log: p.log}); err != nil {
			return err
		}
	} else if len(cfg.DNSLists) > 0 {
		p.log.Warn("DNS lists are configured, and nobody is asked: dns.servers is none")
	}
	if p.stopLists != nil {
		p.stopLists()
	}
	p.lists, p.listsOf = set, cfg.DNSLists
	if set != nil {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			set.Run(ctx)
		}()
		p.stopLists = func() {
			cancel()
			<-done
			_ = set.Close() // nothing is lost with questions under way
		}
	}
	return nil
}

// portChecks are the checks that ask what a daemon remembers.
func portChecks(cfg *config.Config, p *Port, m *Memory) []check.Checker {
	out := checkreputation.Checks(checkreputation.Config{Table: m.Reputation, Networks: p.Networks()})
	out = append(out, checkcorrespondent.Checks(m.Correspondents)...)
	out = append(append(out, checkcampaign.Checks(m.Campaigns)...), m.Checks...)
	if lists := p.Lists(); lists != nil {
		out = append(out, checkdnsbl.Checks(checkdnsbl.Config{Lists: lists, Threshold: cfg.Connect.BlockAt})...)
	}
	return out
}

func dnsList(l config.DNSList) (dnsbl.List, error) {
	out := dnsbl.List{Zone: l.Zone, Name: l.Name, Weight: l.Weight}
	switch l.Kind {
	case "allow":
		out.Kind = dnsbl.Allow
	case "block":
		out.Kind = dnsbl.Block
	}
	if l.KeyFile != "" {
		key, err := readSecret(l.KeyFile)
		if err != nil {
			return out, fmt.Errorf("dnsbl %s: key_file: %w", l.Zone, err)
		}
		out.Key = dnsbl.Key(strings.TrimSpace(string(key)))
	}
	return out, nil
}

func (p *Port) applyDirectory(cfg *config.Config) error {
	now := people{cfg.Directories, cfg.Domains}
	if reflect.DeepEqual(p.people, now) {
		return nil
	}
	domains := map[string]directory.Domain{}
	made := map[string]directory.Source{}
	var closers []func()
	for _, d := range cfg.Domains {
		var uses []directory.Use
		for _, name := range d.Recipients {
			c := directoryNamed(cfg, name)
			key := name
			if c.Kind == "callahead" && c.Server == "" {
				key += " " + hopKey(d) // each next hop is asked for its own
			}
			if made[key] == nil {
				src, err := source(cfg, c, d)
				if err != nil {
					return fmt.Errorf("directory %q: %w", name, err)
				}
				made[key] = src
				if c, ok := src.(interface{ Close() error }); ok {
					closers = append(closers, func() { _ = c.Close() }) // connections only
				}
			}
			uses = append(uses, directory.Use{Source: made[key], Timeout: c.Wait.Duration})
		}
		if len(uses) == 0 {
			continue
		}
		for _, n := range d.Names {
			domains[n] = directory.Domain{Sources: uses, Delimiters: d.Delimiter}
		}
	}
	p.closeDirectory()
	p.people, p.directory, p.closers = now, nil, closers
	if len(domains) > 0 {
		dir, err := directory.New(directory.Config{Domains: domains, Logger: p.log})
		if err != nil {
			return err
		}
		p.directory = dir
	}
	return nil
}

func (p *Port) closeDirectory() {
	if p.directory != nil {
		_ = p.directory.Close()
	}
	for _, c := range p.closers {
		c()
	}
}

func directoryNamed(cfg *config.Config, name string) config.Directory {
	for _, d := range cfg.Directories {
		if d.Name == name {
			return d
		}
	}
	return config.Directory{} // the configuration was checked
}

func (p *Port) applyNetworks(cfg *config.Config) error {
	files := [2]string{cfg.Connect.ASN, cfg.Connect.Country}
	if files == p.filesOf {
		return nil
	}
	var paths []string
	for _, f := range files {
		if f != "" {
			paths = append(paths, f)
		}
	}
	db, err := network.Open(paths...)
	if err != nil {
		return err
	}
	p.networks, p.filesOf = db, files
	return nil
}

// Networks know who operates an address; nil where no file is configured.
func (p *Port) Networks() *network.DB {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.networks
}

// Tidy reads files again that changed on disk.
func (p *Port) Tidy() {
	if changed, err := p.Networks().Refresh(); err != nil {
		p.log.Error("networks: the old file stays in use", "error", err)
	} else if changed {
		p.log.Info("networks: a file changed and was read again")
	}
}

// source makes one source of mailboxes.
func source(cfg *config.Config, c config.Directory, d config.Domain) (directory.Source, error) {
	switch c.Kind {
	case "list":
		return directory.NewList("list "+c.Name, c.Addresses, false)
	case "file":
		return file.New(file.Config{Path: c.Path})
	case "ldap":
		u, err := url.Parse(c.URL)
		if err != nil {
			return nil, err
		}
		a, _ := netip.ParseAddr(u.Hostname())
		return ldap.New(ldap.Config{URL: c.URL, Plain: u.Scheme == "ldap" && (a.IsLoopback() || u.Hostname() == "localhost"),
			BindDN: c.BindDN, PasswordFile: c.PasswordFile, Base: c.Base, Filter: c.Filter, Timeout: c.Wait.Duration})
	case "sql":
		return sql.New(sql.Config{URL: c.URL, PasswordFile: c.PasswordFile, Query: c.Query})
	case "callahead":
		out := callahead.Config{Hello: cfg.Hostname, Timeout: c.Wait.Duration}
		hops, mode := d.Relay, d.TLS.Mode
		if c.Server != "" {
			var r config.Route
			if err := r.UnmarshalText([]byte(c.Server)); err != nil {
				return nil, err
			}
			hops, mode = []config.Route{r}, ""
		}
		switch mode {
		case "none":
			out.TLS = callahead.TLSNone
		case "verify", "fingerprint":
			out.TLS = callahead.TLSVerify
		}
		for _, h := range hops {
			if h.Kind == "maildir" {
				return nil, fmt.Errorf("a maildir takes every address; nobody can be asked")
			}
			out.LMTP = h.Kind == "lmtp"
			out.Hosts = append(out.Hosts, h.Target)
		}
		return callahead.New(out)
	}
	return nil, fmt.Errorf("kind %q", c.Kind)
}

// Close ends what runs beside the mail.
func (p *Port) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopLists != nil {
		p.stopLists()
		p.stopLists = nil
	}
	p.closeDirectory()
	p.directory, p.closers = nil, nil
}

// outbound is the route of what users send to other systems; nil where there is
// none.
func outbound(cfg *config.Config) (*route.Route, error) {
	s := cfg.Submission
	if len(s.Relay) == 0 {
		return nil, nil
	}
	d := config.Domain{Names: []string{"(outbound)"}, Relay: s.Relay, TLS: s.TLS, User: s.User, PasswordFile: s.PasswordFile}
	del, err := Deliverer(cfg, d)
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return &route.Route{Key: "outbound " + hopKey(d), Tenant: cfg.Domains[0].Tenant, Deliverer: del, Sign: s.Sign}, nil
}

// login proves users' credentials at the servers that know them; nil where nobody
// logs in.
func login(cfg *config.Config) (sluice.Authenticator, error) {
	s := cfg.Submission
	if len(s.Login) == 0 {
		return nil, nil
	}
	c := relay.Config{Hello: cfg.Hostname, TLS: relay.TLSVerify, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		CommandTimeout: 15 * time.Second, MaxConns: cfg.Limits.RelayConns}
	switch s.LoginTLS {
	case "may":
		c.TLS = relay.TLSMay
	case "none":
		c.TLS = relay.TLSNone
	}
	for i, l := range s.Login {
		u, err := url.Parse(l)
		if err != nil {
			return nil, err
		}
		if i > 0 && c.Implicit != (u.Scheme == "smtps") {
			return nil, errors.New("submission: login: all smtp:// or all smtps://")
		}
		c.Implicit = u.Scheme == "smtps"
		port := u.Port()
		if port == "" {
			port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
		}
		c.Hosts = append(c.Hosts, net.JoinHostPort(u.Hostname(), port))
	}
	a, err := relay.NewAuthenticator(c)
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return a, nil
}

// Certs says where the certificate for mail comes from.
func Certs(cfg *config.Config, log *slog.Logger) certs.Config {
	t := cfg.TLS
	c := certs.Config{Cert: t.Cert, Key: t.Key, NoSelfMade: !t.SelfMade, Names: []string{cfg.Hostname}, Dir: cfg.Data, Log: log}
	if t.ACMEEmail != "" || len(t.ACMENames) > 0 {
		c.ACME = &certs.ACME{Email: t.ACMEEmail, CA: t.ACMECA, Names: t.ACMENames, HTTP: t.ACMEHTTP}
	}
	return c
}
