package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Connect says how strangers are received before they have said anything.
type Connect struct {
	// GreetPause is how long an unknown client is listened to before it is
	// greeted: bots talk first. At most 6s; "off" greets everybody at once. Known
	// clients never wait.
	GreetPause Pause `toml:"greet_pause"`
	// Proxies are load balancers that say by the PROXY protocol who the client is;
	// they must do so on listeners with proxy = true.
	Proxies []Prefix `toml:"proxies"`
	// XClient are relays of ours that say by XCLIENT or XFORWARD who the client is.
	XClient []Prefix `toml:"xclient"`
	// Never bans or limits these networks; trusted ones, proxies and allowed ones
	// are spared anyway.
	Spare []Prefix `toml:"spare"`
	// BlockAt is the sum of weights of the DNS lists that name a client from which
	// on its mail is refused.
	BlockAt float64 `toml:"block_at"`
	// ASN and Country are databases in MaxMind's format (mmdb); empty: not used.
	ASN     string `toml:"asn"`
	Country string `toml:"country"`
}

// DNSList is a DNS block or allow list. What it answers is known for the well-known
// ones.
type DNSList struct {
	Zone string `toml:"zone"`
	// KeyFile holds the private key of a list that has one; it is put in front of
	// the zone and never shown.
	KeyFile string  `toml:"key_file"`
	Kind    string  `toml:"kind"`   // block (default) or allow
	Weight  float64 `toml:"weight"` // points of a plain listing; 0: the list's own
	Name    string  `toml:"name"`   // as people know it; default: the zone
}

// Greylist asks unknown clients that look like bots for a second try.
type Greylist struct {
	Off  bool     `toml:"off"`
	Wait Duration `toml:"wait"` // 10s to 5m
	// GreyAt is the probability of being unwanted from which on a client is grey.
	GreyAt float64 `toml:"grey_at"`
}

// Traps are addresses that nobody ever gave out, and domains without a single
// mailbox: who writes to them has a list of guessed or collected addresses.
type Traps struct {
	Addresses []string `toml:"addresses"`
	Domains   []string `toml:"domains"`
}

// Submission lets users log in and send, on listeners of kind "submission".
type Submission struct {
	// Login is the mail server that checks names and passwords: "smtp://HOST:PORT"
	// with STARTTLS, or "smtps://HOST:PORT".
	Login []string `toml:"login"`
	// LoginTLS is "verify" (default), "may" or "none": the last two are for a server
	// on this machine.
	LoginTLS string `toml:"login_tls"`
	// Relay takes what users send to other domains.
	Relay        []Route  `toml:"relay"`
	TLS          RelayTLS `toml:"tls"`
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	Sign         bool     `toml:"sign"`
	// Only lists domains all of whose mail leaves through here: a notice about mail of
	// theirs without our trace is then about a forgery from the first day. Of others that
	// is learned within ten days.
	Only []string `toml:"only"`
	// Networks are trusted ones whose machines, such as our mail server, send to other
	// domains without logging in.
	Networks []Prefix `toml:"networks"`
}

// Directory is a source that knows mailboxes; domains name it in recipients.
type Directory struct {
	Name string `toml:"name"`
	Kind string `toml:"kind"` // list, file, ldap, sql or callahead

	Addresses []string `toml:"addresses"` // list: addresses, or @domain for all of it
	Path      string   `toml:"path"`      // file: one address a line

	URL          string `toml:"url"`           // ldap: ldap:// or ldaps://; sql: postgres:// or sqlite:PATH
	BindDN       string `toml:"bind_dn"`       // ldap
	PasswordFile string `toml:"password_file"` // ldap, sql
	Base         string `toml:"base"`          // ldap
	Filter       string `toml:"filter"`        // ldap, such as (mail=%s)
	Query        string `toml:"query"`         // sql, such as SELECT 1 FROM mailbox WHERE address = $1

	Server string   `toml:"server"`  // callahead: smtp://HOST:PORT; default: the domain's relay
	Wait   Duration `toml:"timeout"` // default 3s
}

// AdminRule is a rule of the admin's own; docs/rules.md is its language.
type AdminRule struct {
	Name   string  `toml:"name"`
	When   string  `toml:"when"`
	Points float64 `toml:"points"` // −6 to 6; positive speaks against the message
	Why    string  `toml:"why"`
	Phase  string  `toml:"phase"` // connect, hello, mail or message; default: the earliest possible
	DryRun bool    `toml:"dry_run"`
	Tenant string  `toml:"tenant"`
}

// Rates bound what clients may ask for in a time. 0 takes the default.
type Rates struct {
	Connections       int `toml:"connections"`        // new ones a minute, of one address
	PrefixConnections int `toml:"prefix_connections"` // of one network (/24, /64)
	Messages          int `toml:"messages"`           // an hour, of one address
	DomainMessages    int `toml:"domain_messages"`    // an hour, of one sender domain
	UserMessages      int `toml:"user_messages"`      // an hour, of one user who logged in
	UserRecipients    int `toml:"user_recipients"`    // a day
}

// Campaign is the memory of what many messages have in common. It is read at the
// start only.
type Campaign struct {
	Off bool `toml:"off"`
	// Fingerprints is how many are kept, twelve for a message and about 40 octets
	// each: 10_000 to 100_000_000.
	Fingerprints int `toml:"fingerprints"`
	// OutbreakNetworks is how many unrelated networks must send the same new message
	// within an hour to make an outbreak: 2 to 100.
	OutbreakNetworks int `toml:"outbreak_networks"`
}

// Feedback is where users report mail to. Each list may be empty.
type Feedback struct {
	Spam  []string `toml:"spam"`  // addresses for unwanted mail
	Ham   []string `toml:"ham"`   // for mail that was wrongly held or tagged
	Phish []string `toml:"phish"` // for mail that pretends or steals
	// Networks are those whose clients are our users and speak for themselves. Users
	// who log in, and local senders who authenticate, may report from anywhere.
	Networks []Prefix `toml:"networks"`
}

// Pause is a time, or "off".
type Pause struct {
	time.Duration
	Off bool
}

// UnmarshalText reads either.
func (p *Pause) UnmarshalText(b []byte) error {
	if string(b) == "off" {
		*p = Pause{Off: true}
		return nil
	}
	var d Duration
	if err := d.UnmarshalText(b); err != nil {
		return err
	}
	if d.Duration > 6*time.Second {
		return fmt.Errorf("pause %q: at most 6s, since honest clients wait too", b)
	}
	*p = Pause{Duration: d.Duration}
	return nil
}

func (c *Config) finishPort() error {
	for i := range c.Listen {
		if err := c.checkListener(&c.Listen[i]); err != nil {
			return fmt.Errorf("config: listen %q: %w", c.Listen[i].Address, err)
		}
	}
	if b := c.Connect.BlockAt; !(b > 0 && b <= 100) {
		return fmt.Errorf("config: connect: block_at %v: want a weight above 0", b)
	}
	for i := range c.DNSLists {
		l := &c.DNSLists[i]
		zone, err := domainName(l.Zone)
		switch {
		case err != nil:
			return fmt.Errorf("config: dnsbl %d: zone %q: %w", i+1, l.Zone, err)
		case l.Kind != "" && l.Kind != "block" && l.Kind != "allow":
			return fmt.Errorf("config: dnsbl %q: kind %q: want block or allow", l.Zone, l.Kind)
		case l.Weight < 0 || l.Weight > 30:
			return fmt.Errorf("config: dnsbl %q: weight %v: want points from 0 to 30; kind says which way they count", l.Zone, l.Weight)
		}
		l.Zone = zone
	}
	if err := c.checkFeedback(); err != nil {
		return err
	}
	if err := c.checkTools(); err != nil {
		return err
	}
	if err := c.checkFiles(); err != nil {
		return err
	}
	if n := c.Campaign.Fingerprints; n < 10_000 || n > 100_000_000 {
		return fmt.Errorf("config: campaign: fingerprints: %d: want 10_000 to 100_000_000", n)
	}
	if n := c.Campaign.OutbreakNetworks; n < 2 || n > 100 {
		return fmt.Errorf("config: campaign: outbreak_networks: %d: want 2 to 100", n)
	}
	if w := c.Greylist.Wait.Duration; w < time.Second || w > 5*time.Minute {
		return fmt.Errorf("config: greylist: wait %v: want 1s to 5m", w)
	}
	if g := c.Greylist.GreyAt; !(g > 0 && g <= 1) {
		return fmt.Errorf("config: greylist: grey_at %v: want a probability above 0", g)
	}
	if err := c.checkTraps(); err != nil {
		return err
	}
	if err := c.checkDirectories(); err != nil {
		return err
	}
	return c.checkSubmission()
}

func (c *Config) checkListener(l *Listener) error {
	if l.Kind == "" {
		l.Kind = "smtp"
	}
	if l.TLS == "" {
		l.TLS = "starttls"
	}
	_, port, err := net.SplitHostPort(l.Address)
	switch {
	case err != nil && !strings.HasPrefix(l.Address, "/"):
		return errors.New("want ADDRESS:PORT")
	case !slices.Contains([]string{"smtp", "submission", "lmtp"}, l.Kind):
		return fmt.Errorf("kind %q: want smtp, submission or lmtp", l.Kind)
	case !slices.Contains([]string{"starttls", "implicit", "none"}, l.TLS):
		return fmt.Errorf("tls %q: want starttls, implicit or none", l.TLS)
	case l.Kind == "lmtp" && port == "25":
		return errors.New("LMTP must not run on port 25 (RFC 2033 5)")
	case l.Kind == "submission" && len(c.Submission.Login) == 0:
		return errors.New("users can't log in: the section [submission] has no login server")
	case l.Kind == "submission" && l.TLS == "none" && !l.AuthWithoutTLS:
		return errors.New("passwords would cross the network in clear text; set tls to starttls or implicit")
	case l.Proxy && len(c.Connect.Proxies) == 0:
		return errors.New("proxy: no proxies are listed in [connect]")
	}
	// An LMTP client always has a queue: what we refused for its content it would
	// bounce to a forged sender.
	l.AlreadyAccepted = l.AlreadyAccepted || l.Kind == "lmtp"
	return nil
}

// addresses brings a list into one form: domains in lower-case A-labels.
func addresses(section string, list []string) error {
	for i, a := range list {
		local, domain, ok := strings.Cut(a, "@")
		name, err := domainName(domain)
		if !ok || local == "" || err != nil {
			return fmt.Errorf("config: %s: %q: want an address such as old.list@example.org", section, a)
		}
		list[i] = local + "@" + name
	}
	return nil
}

func (c *Config) checkFeedback() error {
	for _, list := range [][]string{c.Feedback.Spam, c.Feedback.Ham, c.Feedback.Phish} {
		if err := addresses("feedback", list); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkTraps() error {
	if err := addresses("traps", c.Traps.Addresses); err != nil {
		return err
	}
	for i, d := range c.Traps.Domains {
		name, err := domainName(d)
		if err != nil {
			return fmt.Errorf("config: traps: %q: %w", d, err)
		}
		c.Traps.Domains[i] = name
		for _, own := range c.Domains {
			if slices.Contains(own.Names, name) {
				return fmt.Errorf("config: traps: %q has mailboxes: it is listed as a domain too", d)
			}
		}
	}
	return nil
}

func (c *Config) checkDirectories() error {
	known := map[string]bool{}
	for i := range c.Directories {
		d := &c.Directories[i]
		if d.Name == "" || known[d.Name] {
			return fmt.Errorf("config: directory %d: name %q: want a name of its own", i+1, d.Name)
		}
		known[d.Name] = true
		if d.Wait.Duration > 30*time.Second {
			return fmt.Errorf("config: directory %q: timeout %v: at most 30s, since the sender waits", d.Name, d.Wait.Duration)
		}
		if err := d.check(); err != nil {
			return fmt.Errorf("config: directory %q: %w", d.Name, err)
		}
	}
	for i := range c.Domains {
		d := &c.Domains[i]
		switch d.Delimiter {
		case "":
			d.Delimiter = "+"
		case "none":
			d.Delimiter = ""
		}
		for _, n := range d.Recipients {
			if !known[n] {
				return fmt.Errorf("config: domain %q: recipients: there is no [[directory]] with the name %q", d.Names[0], n)
			}
		}
	}
	return nil
}

func (d *Directory) check() error {
	scheme := ""
	if u, err := url.Parse(d.URL); err == nil {
		scheme = u.Scheme
	}
	switch d.Kind {
	case "list":
		if len(d.Addresses) == 0 {
			return errors.New("addresses is empty")
		}
	case "file":
		if d.Path == "" {
			return errors.New("path is empty")
		}
	case "ldap":
		switch {
		case scheme != "ldap" && scheme != "ldaps":
			return fmt.Errorf("url %q: want ldap://HOST or ldaps://HOST", d.URL)
		case d.Base == "" || !strings.Contains(d.Filter, "%"):
			return errors.New("want base, and filter with the place of the address, such as (mail=%s)")
		}
	case "sql":
		switch {
		case scheme != "postgres" && scheme != "postgresql" && scheme != "sqlite":
			return fmt.Errorf("url %q: want postgres://HOST/DATABASE or sqlite:PATH", d.URL)
		case d.Query == "":
			return errors.New("query is empty; want something like SELECT 1 FROM mailbox WHERE address = $1")
		}
	case "callahead":
	default:
		return fmt.Errorf("kind %q: want list, file, ldap, sql or callahead", d.Kind)
	}
	return nil
}

func (c *Config) checkSubmission() error {
	s := &c.Submission
	for _, n := range s.Networks {
		if !slices.ContainsFunc(c.Trusted, func(t Prefix) bool { return t.Bits() <= n.Bits() && t.Contains(n.Addr()) }) {
			return fmt.Errorf("config: submission: networks: %s isn't within trusted; whoever may send to everybody must be", n)
		}
	}
	if len(s.Login)+len(s.Networks) == 0 {
		if len(s.Relay) > 0 {
			return errors.New("config: submission: relay without login or networks: nobody could use it")
		}
		return nil
	}
	for _, l := range s.Login {
		u, err := url.Parse(l)
		if err != nil || u.Host == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
			return fmt.Errorf("config: submission: login %q: want smtp://HOST:PORT or smtps://HOST:PORT", l)
		}
	}
	if s.LoginTLS == "" {
		s.LoginTLS = "verify"
	}
	if !slices.Contains([]string{"verify", "may", "none"}, s.LoginTLS) {
		return fmt.Errorf("config: submission: login_tls %q: want verify, may or none", s.LoginTLS)
	}
	if len(s.Relay) == 0 {
		return errors.New("config: submission: relay is missing: where should mail to other domains go?")
	}
	d := Domain{Names: []string{"(submission)"}, Relay: s.Relay, TLS: s.TLS, User: s.User, PasswordFile: s.PasswordFile, Sign: s.Sign}
	if err := d.checkHop(len(c.Sign) > 0); err != nil {
		return fmt.Errorf("config: submission: %w", err)
	}
	s.TLS = d.TLS
	return nil
}
