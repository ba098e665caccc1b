package rules

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sluice"
	"sluice/check"
	"sluice/learn/network"
	"sluice/mailauth/dkim"
	"sluice/mailauth/spf"
	"sluice/message/header"
	"sluice/message/links"
)

// Bounds of what a rule sees: octets of a text, entries of a list. The max tags
// below repeat them, since the cost of a rule is estimated by them.
const (
	maxText    = 32768
	maxSubject = 1024
	maxWord    = 320 // an address
	maxHeader  = 2048
	maxList    = 100
)

// Env is all that a rule can name. The expr tag is the name, doc what it means, max
// the most octets of the value (of a list: of all entries together), from the first
// phase in which it is known. The document and the check at load are made of these
// tags.
type Env struct {
	Conn     Conn     `expr:"conn" doc:"the client and how it is connected" from:"connect"`
	Envelope Envelope `expr:"envelope" doc:"the transaction" from:"mail"`
	Message  Message  `expr:"message" doc:"what the sender wrote" from:"message"`
	Auth     Auth     `expr:"auth" doc:"who the sender is" from:"message"`
	Time     Clock    `expr:"time" doc:"when the message came, in the configured time zone" from:"connect"`

	Header     func(string) string            `expr:"header" doc:"the first field of this name, decoded; empty where there is none" args:"name" max:"2048" from:"message" example:"header(\"X-Mailer\") contains \"PHPMailer\""`
	Lower      func(string) string            `expr:"lower" doc:"the text in lower case" args:"text" from:"connect" example:"lower(message.subject) contains \"invoice\""`
	Domain     func(string) string            `expr:"domain" doc:"what stands behind the @ of an address, in lower case" args:"address" max:"320" from:"connect" example:"domain(message.reply_to) != message.from_domain"`
	Owner      func(string) string            `expr:"owner" doc:"the registrable domain of a host: example.co.uk of mail.example.co.uk" args:"host" max:"320" from:"connect" example:"owner(conn.helo) == \"example.com\""`
	Under      func(string, ...string) bool   `expr:"under" doc:"a domain is one of these or below one" args:"domain, \"example.com\", …" from:"connect" example:"under(message.from_domain, \"example.com\", \"example.org\")"`
	AnyUnder   func([]string, ...string) bool `expr:"any_under" doc:"one of a list's domains is one of these or below one" args:"list, \"example.com\", …" from:"connect" example:"any_under(message.link_domains, \"example.com\")"`
	Words      func(string, ...string) bool   `expr:"words" doc:"the text contains one of these, as whole words, whatever their case and the spaces between them" args:"text, \"gift card\", …" from:"connect" example:"words(message.text, \"gift card\", \"wire transfer\")"`
	AnyMatches func([]string, string) bool    `expr:"any_matches" doc:"an entry of a list matches a regular expression (RE2)" args:"list, \"expression\"" from:"connect" example:"any_matches(message.attachments, \"(?i)\\\\.(exe|scr)$\")"`
	InNetwork  func(string, ...string) bool   `expr:"in_network" doc:"an IP address is in one of these networks" args:"address, \"192.0.2.0/24\", …" from:"connect" example:"in_network(conn.address, \"192.0.2.0/24\", \"2001:db8::/32\")"`
}

// Conn is the connection.
type Conn struct {
	Address    string `expr:"address" doc:"the client's IP address" max:"46" from:"connect"`
	ASN        int    `expr:"asn" doc:"the number of the client's network operator; 0 where unknown" from:"connect"`
	Country    string `expr:"country" doc:"the country of the client's network, two capital letters; empty where unknown" max:"2" from:"connect"`
	Door       string `expr:"door" doc:"how mail came in: smtp, submission, lmtp, scan" max:"20" from:"connect"`
	Trusted    bool   `expr:"trusted" doc:"the client is one of the trusted networks" from:"connect"`
	HELO       string `expr:"helo" doc:"the greeting's name, in lower case" max:"320" from:"hello"`
	TLS        bool   `expr:"tls" doc:"the connection is encrypted" from:"mail"`
	TLSVersion string `expr:"tls_version" doc:"the version, such as TLS1.3; empty without TLS" max:"16" from:"mail"`
	User       string `expr:"user" doc:"the account that logged in; empty for strangers" max:"320" from:"mail"`
}

// Envelope is the transaction.
type Envelope struct {
	From       string   `expr:"from" doc:"the reverse-path; empty for bounces" max:"320" from:"mail"`
	FromDomain string   `expr:"from_domain" doc:"its domain, in lower case" max:"320" from:"mail"`
	Declared   int      `expr:"declared_size" doc:"octets that the client announced; 0 where it didn't" from:"mail"`
	To         []string `expr:"to" doc:"the recipients' addresses in lower case, the first 100" max:"32000" from:"message"`
	Recipients int      `expr:"recipients" doc:"the number of all recipients" from:"message"`
	Outbound   bool     `expr:"outbound" doc:"a user of ours writes to others" from:"message"`
	Tenant     string   `expr:"tenant" doc:"the owner of the recipients' domain" max:"320" from:"message"`
}

// Message is the mail itself.
type Message struct {
	Subject         string   `expr:"subject" doc:"the subject, decoded; the first 1024 octets" max:"1024" from:"message"`
	FromName        string   `expr:"from_name" doc:"the author's display name, decoded" max:"320" from:"message"`
	FromAddress     string   `expr:"from_address" doc:"the author's address, in lower case" max:"320" from:"message"`
	FromDomain      string   `expr:"from_domain" doc:"its domain" max:"320" from:"message"`
	ReplyTo         string   `expr:"reply_to" doc:"the first address of Reply-To, in lower case" max:"320" from:"message"`
	Text            string   `expr:"text" doc:"what a person reads, HTML rendered; the first 32768 octets" max:"32768" from:"message"`
	HTML            bool     `expr:"html" doc:"there is an HTML part" from:"message"`
	Links           int      `expr:"links" doc:"the number of links" from:"message"`
	LinkDomains     []string `expr:"link_domains" doc:"the hosts of web links, the first 100 different ones" max:"32000" from:"message"`
	Attachments     []string `expr:"attachments" doc:"file names, the first 100" max:"32000" from:"message"`
	AttachmentTypes []string `expr:"attachment_types" doc:"their declared media types, such as application/pdf" max:"32000" from:"message"`
	Size            int      `expr:"size" doc:"octets of the whole message" from:"message"`
}

// Auth is what was found out about the sender.
type Auth struct {
	SPF     string   `expr:"spf" doc:"pass, fail, softfail, neutral, none, temperror, permerror; empty where nobody could be asked" max:"16" from:"message"`
	DKIM    string   `expr:"dkim" doc:"pass where one signature is valid, else the first one's result; empty without a signature" max:"16" from:"message"`
	DMARC   string   `expr:"dmarc" doc:"pass, fail, none, temperror, permerror; empty where nobody could be asked" max:"16" from:"message"`
	Aligned bool     `expr:"aligned" doc:"SPF or DKIM passed for the author's own domain" from:"message"`
	Signers []string `expr:"signers" doc:"the domains of valid DKIM signatures, the first 100" max:"32000" from:"message"`
}

// Clock is the time of day.
type Clock struct {
	Hour    int    `expr:"hour" doc:"0 to 23" from:"connect"`
	Minute  int    `expr:"minute" doc:"0 to 59" from:"connect"`
	Weekday string `expr:"weekday" doc:"monday to sunday" max:"9" from:"connect"`
	Clock   string `expr:"clock" doc:"as 15:04, to compare: time.clock >= \"08:30\"" max:"5" from:"connect"`
}

// patterns are the regular expressions of any_matches, compiled at load.
type patterns map[string]*regexp.Regexp

// source is where an Env comes from.
type source struct {
	in       *check.Input
	networks *network.DB
	zone     *time.Location
	patterns patterns
	uses     map[string]bool // "message.text": only what some rule names is filled in
}

// needs says whether a rule names something of a part.
func (s *source) needs(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return s.uses[n] })
}

// newEnv reads what the rules name out of an input.
func newEnv(s *source) *Env {
	e := &Env{}
	s.conn(&e.Conn)
	s.envelope(&e.Envelope)
	if s.in.Message != nil {
		s.message(&e.Message)
		s.auth(&e.Auth)
	}
	now := s.in.Now.In(s.zone)
	e.Time = Clock{Hour: now.Hour(), Minute: now.Minute()}
	if s.needs("time.weekday") {
		e.Time.Weekday = strings.ToLower(now.Weekday().String())
	}
	if s.needs("time.clock") {
		e.Time.Clock = now.Format("15:04")
	}
	var lower folder
	e.Header = s.header
	e.Lower = lower.lower
	e.Words = func(text string, words ...string) bool { return containsWords(lower.lower(text), words) }
	e.Domain = func(a string) string { return header.Lower(sluice.DomainOf(a)) }
	e.Owner = func(h string) string { return links.OrgDomain(header.Lower(h)) }
	e.Under = under
	e.AnyUnder = func(list []string, names ...string) bool {
		return slices.ContainsFunc(list, func(d string) bool { return under(d, names...) })
	}
	e.AnyMatches = func(list []string, p string) bool {
		re := s.patterns[p]
		return re != nil && slices.ContainsFunc(list, re.MatchString)
	}
	e.InNetwork = inNetwork
	return e
}

func (s *source) conn(c *Conn) {
	in := s.in.Conn
	if in == nil {
		return
	}
	c.Door, c.Trusted, c.TLS = in.Door, in.Trusted, in.TLS != nil
	if a := in.Client.Addr().Unmap(); a.IsValid() && s.needs("conn.address") {
		c.Address = a.String()
	}
	if s.needs("conn.asn", "conn.country") && s.networks != nil {
		if info, ok := s.networks.Lookup(in.Client.Addr()); ok {
			c.ASN, c.Country = int(info.ASN), info.Country
		}
	}
	c.HELO, c.User = lowered(in.Hello.Name, maxWord), clip(in.Auth, maxWord)
	if in.TLS != nil {
		c.TLSVersion = in.TLS.Version
	}
}

func (s *source) envelope(e *Envelope) {
	in := s.in.Envelope
	if in == nil {
		return
	}
	e.From = lowered(in.From, maxWord)
	e.FromDomain = sluice.DomainOf(e.From)
	e.Declared, e.Recipients, e.Outbound, e.Tenant = int(in.Size), len(in.Rcpts), in.Outbound, in.Tenant
	if s.needs("envelope.to") {
		for _, r := range in.Rcpts[:min(len(in.Rcpts), maxList)] {
			e.To = append(e.To, lowered(r.Address, maxWord))
		}
	}
}

func (s *source) message(m *Message) {
	in := s.in.Message
	m.Size = len(in.Raw)
	if a, _ := in.From(); a.Raw != "" {
		m.FromName, m.FromAddress, m.FromDomain = clip(a.Name, maxWord), lowered(a.String(), maxWord), clip(a.Domain, maxWord)
	}
	if s.needs("message.subject") {
		m.Subject = clip(in.Header().Decoded("Subject"), maxSubject)
	}
	if s.needs("message.reply_to") {
		if list, _ := header.ParseAddressList(in.Header().Get("Reply-To")); len(list) > 0 {
			m.ReplyTo = lowered(list[0].String(), maxWord)
		}
	}
	if s.needs("message.text", "message.html", "message.links", "message.link_domains") {
		v := in.View()
		m.Text, m.HTML, m.Links = clip(v.Text, maxText), v.HasHTML, len(v.Links)
		if s.needs("message.link_domains") {
			m.LinkDomains = hosts(v.Links)
		}
	}
	if s.needs("message.attachments", "message.attachment_types") {
		for _, p := range in.Attachments() {
			if len(m.Attachments) == maxList {
				break
			}
			m.Attachments = append(m.Attachments, clip(p.Filename, maxWord))
			m.AttachmentTypes = append(m.AttachmentTypes, clip(p.Type, maxWord))
		}
	}
}

// hosts lists the different hosts of web links.
func hosts(list []links.Link) (out []string) {
	seen := make(map[string]bool, min(len(list), maxList))
	for i := range list {
		l := &list[i]
		if l.Host == "" || l.Scheme == "mailto" || seen[l.Host] || len(l.Host) > maxWord {
			continue
		}
		if len(out) == maxList {
			break
		}
		seen[l.Host] = true
		out = append(out, l.Host)
	}
	return out
}

func (s *source) auth(a *Auth) {
	k := s.in.Auth.Known()
	if k.SPF != nil {
		a.SPF = string(k.SPF.Result)
	}
	if k.DMARC != nil {
		a.DMARC, a.Aligned = string(k.DMARC.Value), k.Aligned()
	}
	for i := range k.DKIM {
		d := &k.DKIM[i]
		if a.DKIM == "" || d.Status == dkim.Pass {
			a.DKIM = string(d.Status)
		}
		if d.Status == dkim.Pass && len(a.Signers) < maxList {
			a.Signers = append(a.Signers, lowered(d.Domain, maxWord))
		}
	}
	if a.SPF == "" && k.DMARC != nil { // a trusted upstream's word
		for _, id := range k.DMARC.Identifiers {
			if id.Method == "spf" && id.Result == string(spf.Pass) {
				a.SPF = id.Result
			}
		}
	}
}

func (s *source) header(name string) string {
	if s.in.Message == nil {
		return ""
	}
	return clip(s.in.Message.Header().Decoded(name), maxHeader)
}

// clip cuts s at a limit, between characters, and makes it valid UTF-8.
func clip(s string, most int) string {
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "?")
}

// lowered is clip in lower case. Few letters have a longer lower case.
func lowered(s string, most int) string { return clip(strings.ToLower(clip(s, most)), most) }

// folder remembers the last long text in lower case: fifty rules ask for the same
// body. A comparison of a string with itself looks at its address only.
type folder struct{ from, to string }

func (f *folder) lower(s string) string {
	if len(s) < 256 {
		return strings.ToLower(s)
	}
	if s != f.from {
		f.from, f.to = s, strings.ToLower(s)
	}
	return f.to
}

// under says whether a domain is one of names or below one.
func under(domain string, names ...string) bool {
	domain = strings.TrimSuffix(domain, ".")
	return slices.ContainsFunc(names, func(n string) bool {
		if len(domain) < len(n) || !header.EqualFold(domain[len(domain)-len(n):], n) {
			return false
		}
		return len(domain) == len(n) || domain[len(domain)-len(n)-1] == '.'
	})
}

func inNetwork(address string, nets ...string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(nets, func(n string) bool {
		p, err := parseNetwork(n)
		return err == nil && p.Contains(a)
	})
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}

// containsWords looks for phrases in a text in lower case, with no letter or digit
// on either side. A space of a phrase stands for any run of white space.
func containsWords(text string, phrases []string) bool {
	return slices.ContainsFunc(phrases, func(p string) bool { return containsPhrase(text, strings.ToLower(p)) })
}

func containsPhrase(text, phrase string) bool {
	first, rest, _ := strings.Cut(phrase, " ")
	if first == "" {
		return false
	}
	for at := 0; ; {
		i := strings.Index(text[at:], first)
		if i < 0 {
			return false
		}
		i += at
		at = i + len(first)
		if end, ok := continues(text, at, rest); ok && boundary(text, i, end) {
			return true
		}
	}
}

// continues says whether text goes on with the words of rest behind at, and where
// they end.
func continues(text string, at int, rest string) (end int, ok bool) {
	for word := range strings.FieldsSeq(rest) {
		gap := spaces(text[at:])
		if gap == 0 || !strings.HasPrefix(text[at+gap:], word) {
			return 0, false
		}
		at += gap + len(word)
	}
	return at, true
}

// maxGap is the longest white space inside a phrase.
const maxGap = 64

func spaces(s string) int {
	for i, r := range s[:min(len(s), maxGap)] {
		if !unicode.IsSpace(r) {
			return i
		}
	}
	return min(len(s), maxGap)
}

// boundary says whether text[from:to] is no piece of a longer word.
func boundary(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return !wordRune(before) && !wordRune(after)
}

func wordRune(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
