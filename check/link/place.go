package link

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message/links"
	"sluice/reason"
)

// newPlace looks at the kind of place where links lead: shorteners, free web
// space, open redirectors, cheap top-level domains. Honest mail leads there
// too, so each counts little.
func newPlace() check.Checker {
	return check.Func(check.Info{
		Name: "link/place", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkShortener, reason.LinkFreeHost, reason.LinkRedirect, reason.LinkRiskyTLD, reason.LinkFreeHostLogin},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		places(&s, in, clickable(in.Message.View()))
		return s.list
	})
}

// site is what places look at once for each host.
type site struct {
	org   string
	name  string   // among the redirectors
	on    []string // beginnings of paths that lead on
	risky bool     // top-level domain
}

// places states where links lead.
func places(s *statements, in *check.Input, list []*links.Link) {
	us, orgs := author(in.Message), check.OrgsOf(in)
	sites := make(map[string]site, 16) // most links of a message lead to few hosts
	for _, l := range list {
		if !web(l) || l.Host == "" {
			continue
		}
		of, seen := sites[l.Host]
		if !seen {
			of = siteOf(l.Host, orgs.Of(l.Host))
			sites[l.Host] = of
		}
		if to := redirects(l, of); to != "" {
			s.add(reason.LinkRedirect, l, check.Quote(l.Host)+" leads on to "+check.Quote(to))
		}
		// "sendmail.cf" in plain text is a file; the sender's own domain has
		// counted already.
		if of.risky && (!seen || l.Source == links.FromAnchor) && of.org != us && (l.Source == links.FromAnchor || strings.Contains(l.Raw, "://")) {
			s.add(reason.LinkRiskyTLD, l, check.Quote(l.Host))
		}
		switch {
		case seen:
		case domains.Shortener(l.Host):
			s.add(reason.LinkShortener, l, check.Quote(l.Host))
		case domains.FreeHost(l.Host):
			if of.org != us {
				s.add(reason.LinkFreeHost, l, check.Quote(l.Host))
				if speaksOfLogin(l) {
					s.add(reason.LinkFreeHostLogin, l, check.Quote(l.Raw))
				}
			}
		}
	}
}

func siteOf(host, org string) site {
	s := site{org: org, name: org, risky: domains.RiskyTLD(host)}
	if strings.HasPrefix(org, "google.") {
		s.name = "google"
	}
	s.on = redirectors[s.name]
	return s
}

// same says whether a redirector that leads to org leads to itself.
func (s *site) same(org string) bool {
	rest, ok := strings.CutPrefix(org, s.name)
	return ok && (rest == "" || rest[0] == '.')
}

// redirectors are well-known sites that lead anywhere, by the beginnings of the paths
// that do it.
var redirectors = map[string][]string{
	"google":   {"/url?", "/amp/s/", "/aclk?", "/travel/clk?", "/local_url?", "/imgres?", "/ServiceLogin?"}, // google.com, google.de, …
	"bing.com": {"/ck/a?", "/aclick?", "/news/apiclick"}, "duckduckgo.com": {"/l/?"}, "baidu.com": {"/link?"}, "yandex.ru": {"/clck/"}, "yandex.com": {"/clck/"},
	"yahoo.com": {"/_ylt=", "/cbclk/", "/**", "/*http"}, "sogou.com": {"/link?"}, "so.com": {"/link?"}, "naver.com": {"/redirect", "/rd?"},
	"youtube.com": {"/redirect?", "/attribution_link?"}, "facebook.com": {"/l.php?", "/flx/warn/"}, "instagram.com": {"/?u=", "/linkshim"}, "messenger.com": {"/l.php?"},
	"linkedin.com": {"/redir/", "/safety/go?", "/authwall?"}, "vk.com": {"/away.php?"}, "ok.ru": {"/dk?"}, "tiktok.com": {"/link/v2?", "/redirect"}, "reddit.com": {"/t3_", "/?url="},
	"pinterest.com": {"/offsite/"}, "weibo.cn": {"/sinaurl?"}, "weibo.com": {"/sinaurl?"}, "medium.com": {"/r/?", "/m/global-identity"}, "snapchat.com": {"/web/?"}, "vimeo.com": {"/log_in?"},
	"adobe.com": {"/r/"}, "doubleclick.net": {""}, "googleadservices.com": {"/pagead/"}, "googlesyndication.com": {"/pagead/", "/aclk?"}, "umblr.com": {"/redirect?"},
	"slack-redir.net": {"/link?"}, "steamcommunity.com": {"/linkfilter/"}, "imdb.com": {"/r/"}, "indeed.com": {"/r?"}, "dropbox.com": {"/referrer_cleansing_redirect?"},
	"skimresources.com": {"/?"}, "viglink.com": {"/?", "/api/"}, "translate.goog": {""}, "archive.org": {"/web/"}, "anonym.to": {"/?"}, "href.li": {"/?"}, "nullrefer.com": {"/?"}, "dereferer.me": {"/?"},
}

// redirects returns where a well-known redirector leads, as far as it says so: also
// where that is encoded several times, or in base64.
func redirects(l *links.Link, of site) string {
	for _, begin := range of.on {
		if !strings.HasPrefix(l.Path, begin) {
			continue
		}
		for _, u := range links.Carried(l.Path) {
			if t := links.Parse(u); t.Host != "" && !of.same(org(t.Host)) {
				return t.Host
			}
		}
		break
	}
	return ""
}

// login are words in the address of a page that asks for something secret.
var login = []string{"login", "logon", "signin", "sign-in", "verify", "verif", "account", "secure", "webmail", "password", "passwort", "update-", "billing", "invoice",
	"wallet", "banking", "office365", "o365", "outlook", "sharepoint", "onedrive", "docusign", "paypal", "microsoft", "metamask", "recover", "unlock"}

// speaksOfLogin says whether a link's host, or its path, holds such a word. Forms of
// services that make forms stand under the service's own words.
func speaksOfLogin(l *links.Link) bool {
	path, _, _ := strings.Cut(l.Path, "?")
	return holdsWord(l.Host, login) || holdsWord(strings.ToLower(path[:min(len(path), 200)]), login)
}

func holdsWord(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
