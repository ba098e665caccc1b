package config

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Notice is how our own users are told that their mail is on hold. The page behind its
// links is served where [public] is, under public_url.
type Notice struct {
	On        bool   `toml:"on"`        // tell anybody at all; default true
	Site      string `toml:"site"`      // who we are, in notices; default: the hostname
	Help      string `toml:"help"`      // whom to ask; default: the postmaster
	Language  string `toml:"language"`  // of who has none: en, de, fr or es
	Templates string `toml:"templates"` // a folder of words that replace ours
	Admin     string `toml:"admin"`     // is told by mail of cases that need an admin

	From     string   `toml:"from"`      // the author of mail; default: the postmaster
	Bounces  string   `toml:"bounces"`   // a domain of ours: a delivery status notification is asked for, to there
	Final    []string `toml:"final"`     // domains whose next hop holds the mailboxes: its 250 is proof
	WaitMail Duration `toml:"wait_mail"` // how long proof is waited for before the next contact is tried

	Link    Duration `toml:"link"`   // how long a link is good
	Again   Duration `toml:"again"`  // before a contact that failed is tried again, doubled each time up to 6 h
	Remind  Duration `toml:"remind"` // … that was accepted without proof
	PerDay  int      `toml:"per_day"`
	PerHour int      `toml:"per_hour"` // of all cases

	// ReceiptTokenFile holds a token with which services say what became of notices, at
	// /self/delivered; they need none for the address that each notice brings.
	ReceiptTokenFile string `toml:"receipt_token_file"`

	SMS     NoticeService `toml:"sms"`
	Webhook NoticeService `toml:"webhook"`
	Captive NoticeService `toml:"captive"`
}

// NoticeService is asked by HTTP. In url and body stand {number}, {text}, {title}, {link},
// {id}, {case}, {subject}, {kind}, {language}, {action} and {receipt}.
type NoticeService struct {
	URL          string   `toml:"url"` // "": the channel isn't used; webhook: "{address}" asks the contact's own address
	Body         string   `toml:"body"`
	ContentType  string   `toml:"content_type"`
	TokenFile    string   `toml:"token_file"`
	User         string   `toml:"user"`
	PasswordFile string   `toml:"password_file"`
	Wait         Duration `toml:"wait"` // how long its proof is waited for
}

func defaultNotice() Notice {
	service := func(wait time.Duration) NoticeService {
		return NoticeService{ContentType: "application/json", Wait: dur(wait)}
	}
	return Notice{On: true, WaitMail: dur(2 * time.Hour), Link: dur(14 * day), Again: dur(15 * time.Minute), Remind: dur(day), PerDay: 12, PerHour: 1000,
		SMS: service(30 * time.Minute), Webhook: service(10 * time.Minute), Captive: service(time.Hour)}
}

func (c *Config) finishNotice() error {
	n := &c.Subscribers.Notice
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("config: subscribers: notice: "+format, args...)
	}
	for name, a := range map[string]string{"from": n.From, "admin": n.Admin} {
		if p, err := mail.ParseAddress(a); a != "" && (err != nil || p.Address != a) {
			return wrong("%s: %q isn't an address", name, a)
		}
	}
	for name, s := range map[string]NoticeService{"sms": n.SMS, "webhook": n.Webhook, "captive": n.Captive} {
		if s.URL == "" || name == "webhook" && s.URL == "{address}" {
			continue
		}
		u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(s.URL))
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
			return wrong("%s: url: want https://HOST/PATH", name)
		}
		if (s.User == "") != (s.PasswordFile == "") {
			return wrong("%s: user and password_file go together", name)
		}
	}
	switch {
	case n.Language != "" && !slices.Contains([]string{"en", "de", "fr", "es"}, n.Language):
		return wrong("language %q: want en, de, fr or es", n.Language)
	case n.Templates != "" && !filepath.IsAbs(n.Templates):
		return wrong("templates %q: want an absolute path", n.Templates)
	case n.Link.Duration <= 0 || n.Again.Duration <= 0 || n.Remind.Duration <= 0 || n.WaitMail.Duration <= 0:
		return wrong("link, again, remind and wait_mail: want more than nothing")
	case n.PerDay < 1 || n.PerHour < 1:
		return wrong("per_day and per_hour: want at least 1")
	}
	if n.Bounces != "" && !slices.ContainsFunc(c.Domains, func(d Domain) bool { return slices.Contains(d.Names, strings.ToLower(n.Bounces)) }) {
		return wrong("bounces %q: want a domain of [[domain]], whose mail comes in here", n.Bounces)
	}
	return nil
}

func loopback(host string) bool {
	a := net.ParseIP(host)
	return host == "localhost" || a != nil && a.IsLoopback()
}
