package config

import (
	"fmt"
	"strings"
)

// Brand is a name that mail may only use from these domains, beside those that ship
// (sluice brand list). One that ships is added to.
type Brand struct {
	Name    string   `toml:"name"`
	Aliases []string `toml:"aliases"`
	Domains []string `toml:"domains"` // it speaks from there
	Links   []string `toml:"links"`   // and links to these as well
	Common  bool     `toml:"common"`  // the name is a word of the language too
}

// Person is somebody whose name strangers must not use.
type Person struct {
	Name      string   `toml:"name"`      // first and last name
	Addresses []string `toml:"addresses"` // all that are really theirs, private ones too
}

// Links says who is asked about where links lead.
type Links struct {
	// Lists are files of bad addresses: one address, host or domain a line, or the
	// formats that public lists come in.
	Lists []LinkList `toml:"lists"`
	// DNS are lists of domains in the DNS, such as dbl.spamhaus.org.
	DNS []LinkZone `toml:"dns"`
	// Expand asks known shorteners where their links lead. Whoever made a link may learn
	// from it that somebody asked.
	Expand bool `toml:"expand"`
	// Skip lists domains about which no list is asked, beside our own.
	Skip []string `toml:"skip"`
}

// LinkList is a list in a file, read anew when the file changes.
type LinkList struct {
	Path string `toml:"path"`
	Name string `toml:"name"` // what people see; default: "URL list"
	Kind string `toml:"kind"` // "bad" (default) or "abused": honest sites that others abuse
}

// LinkZone is a list of domains in the DNS. What it answers is known for the well-known
// ones.
type LinkZone struct {
	Zone    string `toml:"zone"`
	Name    string `toml:"name"`     // default: the zone
	KeyFile string `toml:"key_file"` // of a list that has a private key; never shown
}

// Review is the queue of delivered mail that an admin may want to look at.
type Review struct {
	Off    bool `toml:"off"`
	PerDay int  `toml:"per_day"` // messages of one tenant, 1 to 200
}

// Banner puts plain words on top of mail that is delivered and suspicious.
type Banner struct {
	On       bool   `toml:"on"`
	Language string `toml:"language"` // en (default), de, fr or es
	// Languages are those of single mailboxes, by address; others have their domain's.
	Languages map[string]string `toml:"languages"`
	// FirstContact says so of every first message of a stranger, though nothing else is
	// suspicious.
	FirstContact bool `toml:"first_contact"`
}

// Protect puts links of our own in place of those in delivered mail, so that they are
// checked once more at the time of the click: docs/links.md.
type Protect struct {
	On      bool     `toml:"on"`       // needs public_url and public.address
	Names   bool     `toml:"names"`    // bare names in text too, without https:// or a path
	Allow   []string `toml:"allow"`    // domains whose links stay as they are, beside our own
	OldURLs []string `toml:"old_urls"` // earlier values of public_url, whose links are still restored
	// Lifetime is how long a link can be followed; an older one is only shown.
	Lifetime Duration `toml:"lifetime"`
	// Block lists reasons for which nobody is let through; others warn.
	Block []string `toml:"block"`
}

func (c *Config) finishSpeakers() error {
	for i, b := range c.Brands {
		if strings.TrimSpace(b.Name) == "" || len(b.Domains)+len(b.Links)+len(b.Aliases) == 0 {
			return fmt.Errorf("config: brand %d %q: want a name, and domains, links or aliases", i+1, b.Name)
		}
	}
	for i := range c.Links.Lists {
		l := &c.Links.Lists[i]
		switch l.Kind {
		case "":
			l.Kind = "bad"
		case "bad", "abused":
		default:
			return fmt.Errorf("config: links.lists %q: kind %q: want bad or abused", l.Path, l.Kind)
		}
		if l.Path == "" {
			return fmt.Errorf("config: links.lists: entry %d has no path", i+1)
		}
	}
	for i := range c.Links.DNS {
		l := &c.Links.DNS[i]
		zone, err := domainName(l.Zone)
		if err != nil {
			return fmt.Errorf("config: links.dns: zone %q: %w", l.Zone, err)
		}
		l.Zone = zone
	}
	languages := map[string]string{}
	for a, l := range c.Banner.Languages {
		if !strings.Contains(a, "@") {
			return fmt.Errorf("config: banner: languages: %q: want an address; a domain has language of its own", a)
		}
		languages[strings.ToLower(a)] = l
	}
	c.Banner.Languages = languages
	if p := c.Protect; p.On && c.PublicURL == "" {
		return fmt.Errorf("config: protect: on needs public_url, where the links lead")
	}
	for i, d := range c.Protect.Allow {
		name, err := domainName(d)
		if err != nil {
			return fmt.Errorf("config: protect: allow: %q: %w", d, err)
		}
		c.Protect.Allow[i] = name
	}
	if n := c.Review.PerDay; n < 1 || n > 200 {
		return fmt.Errorf("config: review: per_day %d: want 1 to 200; or off = true", n)
	}
	return nil
}
