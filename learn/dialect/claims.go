package dialect

import (
	"slices"
	"strings"

	"sluice"
)

// Upto is d as it was at the first command of stage, as far as ids, Unusual and
// Contradiction look.
func Upto(d sluice.Dialect, stage Stage) sluice.Dialect {
	if int(stage) >= len(stageMarks) || stage == StageEnd {
		return d
	}
	form := d.Marks & (15 << helloForm)
	return sluice.Dialect{Marks: d.Marks&stageMarks[stage] | form, Order: d.Order}
}

// Unusual lists, in words, the marks of d that no recorded program makes. A
// sentence each: an honest client has none.
func Unusual(d sluice.Dialect) []string {
	var out []string
	k := recorded()
	for _, f := range caseFields {
		if c := get(d.Marks, f.at, 2); c != 0 && k.cases[f.at]&(1<<c) == 0 {
			out = append(out, f.word+" in "+caseWords[c])
		}
	}
	if c := get(d.Marks, sizeCase, 2); c != 0 && k.cases[sizeCase]&(1<<c) == 0 {
		out = append(out, "SIZE in "+caseWords[c])
	}
	for _, w := range markWords {
		if w.odd && d.Marks&w.mark == w.mark && k.marks&w.mark == 0 {
			out = append(out, w.words)
		}
	}
	return out
}

// IDs are the names under which the outcome of a connection is remembered: its
// dialect at each stage that it has reached.
func IDs(d sluice.Dialect) []string {
	var out []string
	for _, s := range Stages() {
		if id := ID(d, s); id != "" {
			out = append(out, id)
		}
	}
	return out
}

// A Claim is what a client or a message says of the program that speaks.
type Claim struct {
	Name string // a program of the recordings, or a provider: "Postfix", "Google"
	By   string // who says so: "Received", "X-Mailer", "greeting", "sender"
	// Provider claims can't be held against recordings, since a provider's servers
	// can't be recorded here: what was learned of them speaks.
	Provider bool
}

// trails are what programs write into the fields of messages. Those are here whose
// mail comes from the program itself; a mail reader (Mutt, s-nail, git send-email)
// may hand its mail to any other, so its name is no claim.
var trails = []struct {
	text, name string
}{
	{"(postfix)", "Postfix"}, {"(postfix, from userid ", "Postfix"}, {"(exim ", "Exim"}, {"(opensmtpd)", "OpenSMTPD smtp"},
	{"(nullmailer ", "nullmailer"}, {"swaks v", "swaks"},
}

// providers by the domains that their outgoing servers greet with, and those of
// their users' addresses.
var providers = []struct {
	name          string
	hosts, people []string
}{
	{"Google", []string{"google.com"}, []string{"gmail.com", "googlemail.com"}},
	{"Microsoft", []string{"outlook.com"}, []string{"hotmail.com", "live.com", "msn.com", "outlook.com"}},
	{"Yahoo", []string{"yahoo.com", "yahoo.net", "aol.com"}, []string{"aol.com", "yahoo.com", "ymail.com"}},
	{"Apple", []string{"icloud.com", "me.com"}, []string{"icloud.com", "mac.com", "me.com"}},
	{"Amazon SES", []string{"amazonses.com"}, nil},
	{"SendGrid", []string{"sendgrid.net"}, nil},
	{"Mailchimp", []string{"mcsv.net", "rsgsv.net", "mandrillapp.com"}, nil},
	{"Mailgun", []string{"mailgun.net"}, nil},
	{"GMX", []string{"gmx.net"}, []string{"gmx.de", "gmx.net"}},
	{"WEB.DE", []string{"web.de"}, []string{"web.de"}},
	{"Fastmail", []string{"messagingengine.com"}, []string{"fastmail.com", "fastmail.fm"}},
	{"Proton", []string{"protonmail.ch"}, []string{"proton.me", "protonmail.com"}},
	{"Yandex", []string{"yandex.net"}, []string{"yandex.com", "yandex.ru"}},
	{"Mail.ru", []string{"mail.ru"}, []string{"mail.ru"}},
	{"Zoho", []string{"zoho.com", "zohomail.com"}, []string{"zoho.com", "zohomail.com"}},
}

// Claims lists who the client says it is: helo is the name of its greeting, mailer
// a text in which a program names itself (the X-Mailer of a message that came
// straight from its author's program, or the Received field that the client itself
// has written), and domain the sender's, where the message came straight. Any may
// be "".
func Claims(helo, mailer, domain string) []Claim {
	var out []Claim
	add := func(c Claim) {
		if !slices.ContainsFunc(out, func(o Claim) bool { return o.Name == c.Name }) {
			out = append(out, c)
		}
	}
	const most = 1000 // octets of a field that are looked at
	mailer = strings.ToLower(mailer[:min(len(mailer), most)])
	for _, t := range trails {
		if strings.Contains(mailer, t.text) {
			add(Claim{Name: t.name, By: "the message"})
		}
	}
	if sendmailTrail(mailer) {
		add(Claim{Name: "Sendmail", By: "the message"})
	}
	helo, domain = plainName(helo), plainName(domain)
	for _, p := range providers {
		if slices.ContainsFunc(p.hosts, func(h string) bool { return helo == h || strings.HasSuffix(helo, "."+h) }) {
			add(Claim{Name: p.name, By: "the greeting", Provider: true})
		}
		if slices.Contains(p.people, domain) {
			add(Claim{Name: p.name, By: "the sender", Provider: true})
		}
	}
	return out
}

func plainName(s string) string {
	return strings.ToLower(strings.TrimSuffix(s[:min(len(s), 255)], "."))
}

// sendmailTrail knows the version that Sendmail puts behind its host's name:
// "(8.17.1/8.17.1)".
func sendmailTrail(s string) bool {
	for {
		i := strings.Index(s, "(8.")
		if i < 0 {
			return false
		}
		s = s[i+3:]
		word, _, ok := strings.Cut(s, ")")
		program, config, both := strings.Cut(word, "/")
		if ok && both && len(word) < 60 && strings.HasPrefix(config, "8.") && strings.Trim(program, "0123456789.") == "" {
			return true
		}
	}
}

// Contradiction says how d differs from everything that the recorded program
// called claim does as far as stage, in a sentence; "" where it may be that
// program, and where there is no recording of it. Only what is in the program's
// code counts: the case of its words, spaces, brackets. Pipelining, SIZE and the
// greeting's form hang on configuration, versions, and what stands between.
func Contradiction(claim string, d sluice.Dialect, stage Stage) string {
	d = Upto(d, stage)
	var cases [64]uint64
	var marks uint64
	found := false
	for _, s := range recorded().spoken {
		if s.client == claim {
			found = true
			marks |= s.dialect.Marks
			addCases(&cases, s.dialect.Marks)
		}
	}
	if !found {
		return ""
	}
	for _, f := range caseFields {
		c := get(d.Marks, f.at, 2)
		if c == 0 || cases[f.at] == 0 || cases[f.at]&(1<<c) != 0 {
			continue
		}
		return claim + " writes " + f.word + " in " + caseWords[firstBit(cases[f.at])] + ", this client in " + caseWords[c]
	}
	for _, w := range markWords {
		if w.mark&codeMarks != 0 && d.Marks&w.mark != 0 && marks&w.mark == 0 {
			return "this client has " + w.words + ", " + claim + " never"
		}
	}
	return ""
}

// codeMarks are the marks that no configuration changes.
const codeMarks = HelloSpace | HelloTrail | pathMarks<<mailPath | pathMarks<<rcptPath | DataSpace | Tab | LFOnly

// addCases notes the letter cases of m, at the index of their field.
func addCases(cases *[64]uint64, m uint64) {
	for _, f := range caseFields {
		if c := get(m, f.at, 2); c != 0 {
			cases[f.at] |= 1 << c
		}
	}
	if c := get(m, sizeCase, 2); c != 0 {
		cases[sizeCase] |= 1 << c
	}
}

func firstBit(b uint64) int {
	for i := range caseWords {
		if b&(1<<i) != 0 {
			return i
		}
	}
	return 0
}

// ProviderKeys are the names under which the dialects of a provider's servers are
// counted: of any dialect, and of d's at stage. Learn them only where the DNS
// confirms the greeting; otherwise whoever borrows the name teaches us.
func ProviderKeys(provider string, d sluice.Dialect, stage Stage) (anyDialect, this string) {
	name := strings.ToLower(strings.ReplaceAll(provider, " ", "-"))
	return name + "/any", name + "/" + ID(d, stage)
}
