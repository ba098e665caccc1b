package config

import (
	"errors"
	"fmt"
	"strings"
)

// Lint looks at senders' own messages for them, by the public listener.
type Lint struct {
	// Page serves /lint, where a message is pasted, uploaded or posted by a program.
	Page bool `toml:"page"`
	// MaxSize bounds a message, on the page and by mail.
	MaxSize Size `toml:"max_size"`
	// AtOnce is how many are looked at a time; others wait.
	AtOnce int `toml:"at_once"`
	// Mail gives out addresses to which one message may be mailed each, and answers its
	// author.
	Mail bool `toml:"mail"`
	// MailDomain is the domain of these addresses; its mail has to come here. Default:
	// hostname.
	MailDomain string `toml:"mail_domain"`
}

func defaultLint() Lint { return Lint{Page: true, MaxSize: 2 << 20, AtOnce: 2} }

func (c *Config) checkLint() error {
	l := &c.Lint
	switch {
	case l.MaxSize < 10<<10 || l.MaxSize > 50<<20:
		return fmt.Errorf("config: lint: max_size %d: want 10KB to 50MB", l.MaxSize)
	case l.AtOnce < 1 || l.AtOnce > 64:
		return fmt.Errorf("config: lint: at_once %d: want 1 to 64", l.AtOnce)
	case !l.Mail && l.MailDomain != "":
		return errors.New("config: lint: mail_domain without mail: nobody is given an address there")
	case !l.Mail:
		return nil
	case !l.Page || c.Public.Address == "":
		return errors.New("config: lint: mail: addresses are given out on the page, so it needs page = true and [public] address")
	case c.Reports.Relay.Target == "" && len(c.Submission.Relay) == 0:
		return errors.New("config: lint: mail: answers go to strangers, so it needs a way out: reports.relay, or submission.relay")
	}
	written := l.MailDomain
	if written == "" {
		written = c.Hostname
	}
	name, err := domainName(written)
	if err != nil || !strings.Contains(name, ".") {
		return fmt.Errorf("config: lint: mail_domain %q: want a domain whose mail comes here, such as mx.example.org", written)
	}
	l.MailDomain = name
	return nil
}
