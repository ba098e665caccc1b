// Package config reads Sluice's settings: documented structs, strict TOML. An
// unknown key or a bad value is an error with line and column; nothing is
// guessed. Every setting has a default, so an empty file is a valid one.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole of Sluice's settings.
type Config struct {
	// Hostname is the name in the greeting, in Received and in
	// Authentication-Results. Default: the machine's name.
	Hostname string `toml:"hostname"`
	// Data is the folder for the database, quarantine, outbox and Maildir.
	Data string `toml:"data"`
	// PublicURL is the base of the public why page, such as
	// "https://mail.example.org". Empty: replies carry a reference and the
	// postmaster's address instead of a link.
	PublicURL string `toml:"public_url"`
	// Postmaster is the address that replies name. Default: postmaster@ the
	// first domain.
	Postmaster string `toml:"postmaster"`
	// Trusted networks hold our own relays: their mail is judged, but what
	// would be refused is quarantined, because they have accepted it already.
	// Loopback isn't trusted unless listed.
	Trusted []Prefix `toml:"trusted"`

	// ARCSealers are the domains whose ARC seals are believed (RFC 8617).
	ARCSealers []string `toml:"arc_sealers"`

	Listen   []Listener `toml:"listen"`
	DNS      DNS        `toml:"dns"`
	Upstream Upstream   `toml:"upstream"`
	TLS      TLS        `toml:"tls"`
	Console  Console    `toml:"console"`
	Public   Public     `toml:"public"`
	Domains  []Domain   `toml:"domain"`
	Sign     []SignKey  `toml:"sign"`
	Policy   Policy     `toml:"policy"`
	Limits   Limits     `toml:"limits"`
	Keep     Keep       `toml:"keep"`
	Reports  Reports    `toml:"reports"`
	Block    []Rule     `toml:"block"`
	Allow    []Rule     `toml:"allow"`

	Connect     Connect     `toml:"connect"`
	DNSLists    []DNSList   `toml:"dnsbl"`
	Greylist    Greylist    `toml:"greylist"`
	Traps       Traps       `toml:"traps"`
	Submission  Submission  `toml:"submission"`
	Directories []Directory `toml:"directory"`
	Rates       Rates       `toml:"rates"`
	Rules       []AdminRule `toml:"rule"`
	Campaign    Campaign    `toml:"campaign"`
	Feedback    Feedback    `toml:"feedback"`
	Files       Files       `toml:"files"`
	Engines     Engines     `toml:"engines"`
	Tools       Tools       `toml:"tools"`
	Brands      []Brand     `toml:"brand"`
	People      []Person    `toml:"person"`
	Links       Links       `toml:"links"`
	Review      Review      `toml:"review"`
	Banner      Banner      `toml:"banner"`
	Subscribers Subscribers `toml:"subscribers"`
	Protect     Protect     `toml:"protect"`
	Lint        Lint        `toml:"lint"`

	FirstTry   bool `toml:"-"` // no domain was configured: the reserved example domains are served
	sourceHash string
}

// Listener is one SMTP port.
type Listener struct {
	Address string `toml:"address"`
	// Kind is "smtp" (default): mail from anywhere; "submission": our users, who
	// log in; or "lmtp".
	Kind string `toml:"kind"`
	// TLS is "starttls" (default), "implicit" (port 465) or "none".
	TLS string `toml:"tls"`
	// Proxy: every connection comes through one of connect.proxies.
	Proxy bool `toml:"proxy"`
	// AuthWithoutTLS takes logins in clear text: for tests, and behind a proxy on
	// the same machine that ends TLS.
	AuthWithoutTLS bool `toml:"auth_without_tls"`
	// AlreadyAccepted marks a port behind a queue: its mail is never refused,
	// since that would make backscatter, but quarantined.
	AlreadyAccepted bool `toml:"already_accepted"`
}

// DNS says whom to ask about senders.
type DNS struct {
	// Servers are resolvers, "ADDRESS" or "ADDRESS:PORT". Empty: those of the
	// system, as long as they know the root zone; "none" asks nobody.
	Servers []Server `toml:"servers"`
	// TrustAD lists resolvers whose DNSSEC validation is believed. Loopback ones
	// always are.
	TrustAD []Prefix `toml:"trust_ad"`
}

// Upstream is a relay of ours whose Authentication-Results are believed in place
// of our own checks.
type Upstream struct {
	AuthServID string   `toml:"authserv_id"`
	Networks   []Prefix `toml:"networks"`
}

// TLS is where the certificate for mail comes from: files; else, where acme_email or
// acme_names is set, an authority by ACME (RFC 8555); else one that we make ourselves
// at the first start.
type TLS struct {
	Cert string `toml:"cert"` // PEM file, leaf first
	Key  string `toml:"key"`
	// ACMEEmail is where the authority writes to. Setting it, or names, agrees to its
	// terms.
	ACMEEmail string   `toml:"acme_email"`
	ACMENames []string `toml:"acme_names"` // default: hostname
	// ACMEHTTP is where the challenge http-01 is answered; the authority asks on port
	// 80.
	ACMEHTTP string `toml:"acme_http"`
	ACMECA   string `toml:"acme_ca"` // URL of its directory; default: Let's Encrypt
	// SelfMade false leaves TLS off where there is no other certificate.
	SelfMade bool `toml:"self_made"`
}

// Console is the admin's web page.
type Console struct {
	Address string   `toml:"address"` // empty: not served
	Hosts   []string `toml:"hosts"`   // further Host header values that may reach it
	// URL is where people find it if a web server stands in front, such as
	// "https://sluice.example.org". An https URL makes its cookies Secure.
	URL string `toml:"url"`
	// Proxies are web servers in front whose X-Forwarded-For is believed.
	Proxies []Prefix `toml:"proxies"`
	// Tokens open the JSON API without a login: a name for the audit log → a
	// secret of 20 or more characters.
	Tokens map[string]string `toml:"tokens"`
}

// Public is the listener of the why page. It has no admin routes.
type Public struct {
	Address string   `toml:"address"` // empty: not served
	Proxies []Prefix `toml:"proxies"` // web servers in front whose X-Forwarded-For is believed
	// Dictionary serves /reply, which says what mail servers' replies mean.
	Dictionary bool `toml:"dictionary"`
}

// Domain says who owns recipient domains and where their mail goes.
type Domain struct {
	Names  []string `toml:"names"`
	Tenant string   `toml:"tenant"` // default: the first name
	// Relay lists next hops in order of preference: "smtp://HOST:PORT",
	// "lmtp://HOST:PORT" or "lmtp:/SOCKET", or a single "maildir:PATH".
	Relay []Route `toml:"relay"`
	// TLS to the next hop: "may" (default), "none", "verify" or "fingerprint".
	// With user it is "verify" by default.
	TLS RelayTLS `toml:"tls"`
	// Fingerprints are SHA-256 digests of certificates or their public keys, for
	// tls = "fingerprint".
	Fingerprints []Fingerprint `toml:"fingerprints"`
	// User logs in at the next hop, with the first line of PasswordFile, which
	// nobody but its owner may read.
	User         string `toml:"user"`
	PasswordFile string `toml:"password_file"`
	// Sign puts a DKIM signature on mail that our own machines and users send
	// this way, with the keys of its author's domain.
	Sign bool `toml:"sign"`
	// Recipients names the directories that know the domain's mailboxes, in order.
	// Empty: the next hop decides.
	Recipients []string `toml:"recipients"`
	// Delimiter is what starts an extension of a mailbox's name, such as the "+" of
	// ann+lists@; default "+". "none": nothing does.
	Delimiter string `toml:"delimiter"`
	// DeferUnlisted asks senders to come again while no directory answers; else
	// their mail is taken as if the mailbox existed.
	DeferUnlisted bool `toml:"defer_unlisted"`
	// RequireTLS refuses mail in clear text.
	RequireTLS bool `toml:"require_tls"`
	// Language of the people there, for words that are written into their mail;
	// default: banner.language.
	Language string `toml:"language"`
}

// SignKey is one DKIM key. Several of a domain take turns: the newest one that is
// due signs, of each kind (RSA, Ed25519).
type SignKey struct {
	Domain    string `toml:"domain"`   // who signs: d=
	Selector  string `toml:"selector"` // s=
	Key       string `toml:"key"`      // PEM file, as sluice key new writes it
	NotBefore Start  `toml:"not_before"`
}

// Policy holds the probabilities from which on an action is taken.
type Policy struct {
	TagAt        float64 `toml:"tag_at"`
	QuarantineAt float64 `toml:"quarantine_at"`
	RejectAt     float64 `toml:"reject_at"`
	SubjectTag   string  `toml:"subject_tag"` // put before the subject of tagged mail; empty: none
}

// Limits bound what clients may ask for.
type Limits struct {
	MessageSize   Size     `toml:"message_size"`
	Recipients    int      `toml:"recipients"`
	Connections   int      `toml:"connections"` // 0: what the limit of open files allows
	PerClient     int      `toml:"connections_per_client"`
	InFlight      Size     `toml:"bytes_in_flight"`
	Session       Duration `toml:"session"`
	Command       Duration `toml:"command"`
	MessageArrive Duration `toml:"message"`
	Judge         Duration `toml:"judge"`
	RelayConns    int      `toml:"relay_connections"`
	// TextLine and CommandLine are the longest lines taken; Errors the refused
	// commands after which a session ends; MinRate the octets a second that a
	// message must arrive with.
	TextLine    Size `toml:"text_line"`
	CommandLine Size `toml:"command_line"`
	Errors      int  `toml:"errors"`
	MinRate     int  `toml:"min_rate"`
}

// Keep says how long and how much is kept.
type Keep struct {
	Log            Duration `toml:"log"`
	Quarantine     Duration `toml:"quarantine"`
	QuarantineSize Size     `toml:"quarantine_size"`
	Outbox         Duration `toml:"outbox"`
	// Labels is how long a label can be taken back as if it had never been.
	Labels Duration `toml:"labels"`
}

// Reports says how we report on mail to other systems, and where they report to
// us.
type Reports struct {
	// From is the author's address of DMARC aggregate reports. Empty: none are
	// sent.
	From    string `toml:"from"`
	OrgName string `toml:"org_name"` // who we are, in reports; default: hostname
	Contact string `toml:"contact"`  // a page or address for questions; may be empty
	// Relay is the smart host that takes reports for any domain:
	// "smtp://HOST:PORT". Reports are sent only where there is one.
	Relay Route `toml:"relay"`
	// TLS to it, and a login, as for a domain.
	TLS          RelayTLS `toml:"tls"`
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	// MinMessages is how many accepted messages with a DMARC pass, in 30 days, make
	// a domain known well enough to get reports.
	MinMessages int `toml:"min_messages"`
	MaxPerDay   int `toml:"max_per_day"` // reports sent a day
	// Inbox lists recipients whose mail is read for reports on our domains, after
	// it was delivered as always.
	Inbox []string `toml:"inbox"`
	Keep  Duration `toml:"keep"` // received reports, and what was sent
}

// Rule is one line of an admin's block or allow list.
type Rule struct {
	Kind   string `toml:"kind"` // address, domain, network, helo
	Value  string `toml:"value"`
	Why    string `toml:"why"`
	Until  Time   `toml:"until"` // zero: for good
	Tenant string `toml:"tenant"`
	By     string `toml:"by"`
}

// Default is the configuration of a first try on one machine.
func Default() *Config {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return &Config{
		Hostname: strings.ToLower(host),
		Data:     "sluice-data",
		Listen:   []Listener{{Address: "127.0.0.1:2525"}},
		Console:  Console{Address: "127.0.0.1:8025"},
		Public:   Public{Dictionary: true},
		TLS:      TLS{SelfMade: true},
		Policy:   Policy{TagAt: 0.7, QuarantineAt: 0.95, RejectAt: 0.999},
		Limits: Limits{MessageSize: 50 << 20, Recipients: 1000, PerClient: 50,
			InFlight: 256 << 20, Session: dur(30 * time.Minute), Command: dur(5 * time.Minute),
			MessageArrive: dur(10 * time.Minute), Judge: dur(30 * time.Second), RelayConns: 50},
		Keep: Keep{Log: dur(30 * day), Quarantine: dur(30 * day), QuarantineSize: 10 << 30, Outbox: dur(5 * day), Labels: dur(30 * day)},
		Connect: Connect{GreetPause: Pause{Duration: 5 * time.Second}, BlockAt: 8,
			Spare: []Prefix{{netip.MustParsePrefix("127.0.0.0/8")}, {netip.MustParsePrefix("::1/128")}}},
		Files:    defaultFiles(),
		Tools:    defaultTools(),
		Campaign: Campaign{Fingerprints: 1_000_000, OutbreakNetworks: 4},
		Greylist: Greylist{Wait: dur(time.Minute), GreyAt: 0.2},
		Review:   Review{PerDay: 10},
		Banner:   Banner{Language: "en"},
		Protect:  Protect{Lifetime: dur(180 * day), Block: []string{"URL_LISTED"}},
		Lint:     defaultLint(),

		Subscribers: defaultSubscribers(),

		Reports: Reports{MinMessages: 10, MaxPerDay: 500, Keep: dur(90 * day)},
	}
}

const day = 24 * time.Hour

func dur(d time.Duration) Duration { return Duration{d} }

// finish fills what other settings imply and checks what no single value shows.
func (c *Config) finish() error {
	if len(c.Domains) == 0 {
		c.FirstTry = true
		c.Domains = reservedDomains(c.Hostname)
	}
	seen := map[string]bool{}
	for i := range c.Domains {
		d := &c.Domains[i]
		if len(d.Names) == 0 {
			return fmt.Errorf("config: domain %d: names is empty; list the recipient domains it serves", i+1)
		}
		for j, n := range d.Names {
			a, err := domainName(n)
			if err != nil {
				return fmt.Errorf("config: domain %q: %w", n, err)
			}
			if seen[a] && !c.FirstTry {
				return fmt.Errorf("config: domain %q is listed twice; mail for it can go one way only", n)
			}
			seen[a], d.Names[j] = true, a
		}
		if d.Tenant == "" {
			d.Tenant = d.Names[0]
		}
		if len(d.Relay) == 0 {
			d.Relay = []Route{{Kind: "maildir", Target: filepath.Join(c.Data, "maildir")}}
		}
		for _, r := range d.Relay[1:] {
			if r.Kind == "maildir" || d.Relay[0].Kind != r.Kind {
				return fmt.Errorf("config: domain %q: several relays are all smtp:// or all lmtp://; a maildir stands alone", d.Names[0])
			}
		}
		if err := d.checkHop(len(c.Sign) > 0); err != nil {
			return fmt.Errorf("config: domain %q: %w", d.Names[0], err)
		}
	}
	if err := c.checkSign(); err != nil {
		return err
	}
	p := c.Policy
	if !(0 < p.TagAt && p.TagAt <= p.QuarantineAt && p.QuarantineAt <= p.RejectAt && p.RejectAt <= 1) {
		return fmt.Errorf("config: policy: want 0 < tag_at ≤ quarantine_at ≤ reject_at ≤ 1, got %v, %v, %v", p.TagAt, p.QuarantineAt, p.RejectAt)
	}
	if c.Limits.InFlight < c.Limits.MessageSize {
		return fmt.Errorf("config: limits: bytes_in_flight (%d) is less than message_size (%d): the largest messages would never fit", c.Limits.InFlight, c.Limits.MessageSize)
	}
	if (c.Upstream.AuthServID == "") != (len(c.Upstream.Networks) == 0) {
		return fmt.Errorf("config: upstream: authserv_id and networks go together: results are believed from known addresses only")
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return fmt.Errorf("config: tls: cert and key go together; one of them is missing")
	}
	if c.PublicURL != "" && !strings.HasPrefix(c.PublicURL, "https://") && !strings.HasPrefix(c.PublicURL, "http://") {
		return fmt.Errorf("config: public_url %q: want https://HOST", c.PublicURL)
	}
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.Postmaster == "" {
		c.Postmaster = "postmaster@" + c.Domains[0].Names[0]
	}
	if len(c.Listen) == 0 {
		return fmt.Errorf("config: no listen section: no port to take mail on")
	}
	if err := c.Reports.check(); err != nil {
		return err
	}
	if err := c.finishPort(); err != nil {
		return err
	}
	if err := c.checkLint(); err != nil {
		return err
	}
	if err := c.finishSpeakers(); err != nil {
		return err
	}
	if err := c.finishSubscribers(); err != nil {
		return err
	}
	return c.checkRules()
}

// check looks at the addresses, and at what belongs together.
func (r *Reports) check() error {
	for i, a := range append([]string{r.From}, r.Inbox...) {
		local, domain, ok := strings.Cut(a, "@")
		if _, err := domainName(domain); (!ok || local == "" || err != nil) && (i > 0 || a != "") {
			return fmt.Errorf("config: reports: %q: want an address such as dmarc@example.org", a)
		}
	}
	switch {
	case r.Relay.Kind != "" && r.Relay.Kind != "smtp":
		return fmt.Errorf("config: reports: relay %q: reports go to other systems; want smtp://HOST:PORT", r.Relay)
	case (r.User == "") != (r.PasswordFile == ""):
		return fmt.Errorf("config: reports: user and password_file go together; one of them is missing")
	case r.TLS.Mode == "fingerprint":
		return fmt.Errorf("config: reports: tls: want none, may or verify")
	case r.MinMessages < 1 || r.MaxPerDay < 1:
		return fmt.Errorf("config: reports: min_messages and max_per_day must be at least 1, got %d and %d", r.MinMessages, r.MaxPerDay)
	case r.Keep.Duration < 31*day:
		return fmt.Errorf("config: reports: keep is under 31d: what domains sent in the last 30 days says who gets reports")
	}
	if r.User != "" && r.TLS.Mode == "" {
		r.TLS.Mode = "verify"
	}
	return nil
}

// checkHop looks at what belongs together in how the next hop is reached.
func (d *Domain) checkHop(keys bool) error {
	if (d.TLS.Mode == "fingerprint") != (len(d.Fingerprints) > 0) {
		return errors.New(`tls = "fingerprint" and fingerprints go together; one of them is missing`)
	}
	if (d.User == "") != (d.PasswordFile == "") {
		return errors.New("user and password_file go together; one of them is missing")
	}
	if d.User != "" && d.Relay[0].Kind != "smtp" {
		return errors.New("user: a login needs an smtp:// relay")
	}
	if d.User != "" && d.TLS.Mode == "" {
		d.TLS.Mode = "verify"
	}
	if d.Sign && !keys {
		return errors.New("sign: there is no [[sign]] section with a key to sign with")
	}
	return nil
}

// checkSign looks at the list of keys; the files are read by whoever signs.
func (c *Config) checkSign() error {
	type name struct{ domain, selector string }
	seen := map[name]bool{}
	for i := range c.Sign {
		k := &c.Sign[i]
		domain, err := domainName(k.Domain)
		if err != nil {
			return fmt.Errorf("config: sign %d: domain %q: %w", i+1, k.Domain, err)
		}
		selector, err := domainName(k.Selector)
		if err != nil {
			return fmt.Errorf("config: sign %d: selector %q: want a name such as 2027a", i+1, k.Selector)
		}
		k.Domain, k.Selector = domain, selector
		if k.Key == "" {
			return fmt.Errorf("config: sign %d (%s): key is empty; make one with sluice key new", i+1, k.Domain)
		}
		if n := (name{k.Domain, k.Selector}); seen[n] {
			return fmt.Errorf("config: sign %d: the selector %q of %s has a key already; every key needs its own", i+1, k.Selector, k.Domain)
		} else {
			seen[n] = true
		}
	}
	return nil
}

// reservedDomains is what a first try serves: this host, and names that can
// never be anybody's (RFC 2606, RFC 6761).
func reservedDomains(host string) []Domain {
	return []Domain{{Tenant: "local", Names: []string{host, "localhost", "example.com", "example.net", "example.org"}}}
}

func (c *Config) checkRules() error {
	for _, l := range [...]struct {
		name  string
		rules []Rule
	}{{"block", c.Block}, {"allow", c.Allow}} {
		for i, r := range l.rules {
			switch r.Kind {
			case "address", "domain", "helo":
			case "network":
				if _, err := parsePrefix(r.Value); err != nil {
					return fmt.Errorf("config: %s %d: %w", l.name, i+1, err)
				}
			default:
				return fmt.Errorf("config: %s %d: kind %q: want address, domain, network or helo", l.name, i+1, r.Kind)
			}
			if r.Value == "" {
				return fmt.Errorf("config: %s %d: value is empty", l.name, i+1)
			}
			if r.Why == "" {
				return fmt.Errorf("config: %s %d (%s): why is empty; say why, so that the next admin knows", l.name, i+1, r.Value)
			}
		}
	}
	return nil
}

// IsTrusted says whether a is in a trusted network.
func (c *Config) IsTrusted(a netip.Addr) bool {
	a = a.Unmap()
	for _, p := range c.Trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Hash is a short fingerprint of the settings, kept with every verdict.
func (c *Config) Hash() string { return c.sourceHash }
