package click

import (
	"bytes"
	"cmp"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"sluice/explain"
	"sluice/message/links"
)

// kind is what a page says.
type kind uint8

const (
	leads kind = iota // somewhere: with what is known of it
	expired
	odd // nowhere that a browser can go
	invalid
	cut
	busy
)

// kinds have a name in the words, and a status.
var kinds = [...]struct {
	name   string
	status int
}{
	leads: {"look", http.StatusOK}, expired: {"expired", http.StatusGone}, odd: {"odd", http.StatusOK},
	invalid: {"invalid", http.StatusNotFound}, cut: {"cut", http.StatusNotFound}, busy: {"busy", http.StatusTooManyRequests},
}

// visit is one request.
type visit struct {
	kind      kind
	client    netip.Addr
	target    Target
	link      links.Link
	findings  []Finding // each reason once, what stops first
	unchecked bool
	form      bool // a form came with it
}

func (v *visit) status(w http.ResponseWriter) { w.WriteHeader(kinds[v.kind].status) }

// add takes what a judge found.
func (v *visit) add(found []Finding) {
	for _, f := range found {
		i := slices.IndexFunc(v.findings, func(o Finding) bool { return o.Reason == f.Reason })
		switch {
		case f.Reason == "":
		case i >= 0:
			v.findings[i].Stop = v.findings[i].Stop || f.Stop
		default:
			v.findings = append(v.findings, f)
		}
	}
}

// sort makes the order the same whoever answered first.
func (v *visit) sort() {
	rank := func(f Finding) int {
		if f.Stop {
			return 0
		}
		return 1
	}
	slices.SortFunc(v.findings, func(a, b Finding) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Reason, b.Reason)) })
}

func (v *visit) stopped() bool { return len(v.findings) > 0 && v.findings[0].Stop }

// pages are the templates.
type pages struct{ t *template.Template }

func parsePages() (*pages, error) {
	t, err := template.ParseFS(files, "templates/click.html")
	if err != nil {
		return nil, err
	}
	return &pages{t}, nil
}

// view is what the template sees; all of it is escaped.
type view struct {
	Lang, Title, Class, Text string
	Leads                    string
	Before, Org, Letters     string // the host in two pieces, and in Unicode where that differs
	Whole, Address           string
	Notes                    []string
	Causes                   []string
	Why                      string
	Action, Seen             string
	Sure, Go, Close          string // "" for none
	From, Ask, Mail, After   string
	Gateway                  string
}

// maxAddress is how much of an address is shown.
const maxAddress = 4 << 10

// render writes a page.
func (s *site) render(w http.ResponseWriter, r *http.Request, v *visit) {
	lang := s.words.choose(r.Header.Get("Accept-Language"))
	say := s.words.languages[lang].say
	p := &view{Lang: lang, Class: kinds[v.kind].name, Title: say(kinds[v.kind].name + "_title"), Text: say(kinds[v.kind].name)}
	day := v.target.Time.UTC().Format(time.DateOnly)
	switch v.kind {
	case leads:
		s.target(p, v, lang)
	case expired, odd:
		p.Text = say(kinds[v.kind].name, "date", day)
		p.Whole, p.Address = say("whole"), explain.Escape(v.target.URL, maxAddress)
	}
	if v.form {
		p.Notes = append(p.Notes, say("form"))
	}
	if v.target.Ref != "" {
		p.From = say("from", "ref", explain.Escape(v.target.Ref, 40), "date", day)
		p.Ask = say("ask_none")
		if p.Mail = s.cfg.Postmaster; p.Mail != "" {
			p.Ask, p.After, _ = strings.Cut(say("ask"), "{postmaster}")
		}
	}
	p.Gateway = say("gateway")
	if s.cfg.Node != "" {
		p.Gateway += " · " + explain.Escape(s.cfg.Node, 300)
	}
	var b bytes.Buffer
	if err := s.page.t.Execute(&b, p); err != nil {
		s.cfg.Log.Error("click: page can't be built", slog.Any("error", err))
		http.Error(w, "This page can't be built; it was logged.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Vary", "Accept-Language")
	// Without it browsers would not say where the form comes from, and we could not tell
	// our page from others; no other site learns of the page's address by it.
	h.Set("Referrer-Policy", "same-origin")
	v.status(w)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

// target fills in where a link leads and what is known of it.
func (s *site) target(p *view, v *visit, lang string) {
	words := s.words.languages[lang]
	say := words.say
	host := v.target.Host
	p.Leads, p.Whole, p.Address = say("leads"), say("whole"), explain.Escape(v.target.Address, maxAddress)
	p.Before, p.Org = explain.Escape(strings.TrimSuffix(host, v.target.Org), 300), explain.Escape(v.target.Org, 300)
	if u, _ := idna.Punycode.ToUnicode(host); disguised(u) {
		p.Notes = append(p.Notes, say("alphabets")) // to show it would help to deceive
	} else if u, err := idna.Display.ToUnicode(host); err == nil && u != host {
		p.Letters = say("letters", "host", explain.Escape(u, 300))
	}
	switch {
	case v.stopped():
		p.Class, p.Title, p.Text = "stop", say("stop_title"), say("stop")
	case len(v.findings) > 0:
		p.Class, p.Title, p.Text = "warn", say("warn_title"), ""
		p.Sure, p.Go, p.Close = say("sure"), say("anyway"), say("close")
	case v.unchecked:
		p.Text, p.Go = say("unchecked")+" "+say("look"), say("go", "host", explain.Escape(host, 80))
	default:
		p.Text, p.Go = say("clean")+" "+say("look"), say("go", "host", explain.Escape(host, 80))
	}
	if len(v.findings) > 0 {
		p.Why = say("causes")
	}
	var seen []string
	for i, f := range v.findings {
		seen = append(seen, string(f.Reason))
		if sentence := words.kind(s.words.kinds[f.Reason], explain.Escape(f.Like, 100)); i < maxShown && !slices.Contains(p.Causes, sentence) {
			p.Causes = append(p.Causes, sentence)
		}
	}
	p.Seen = strings.Join(seen, ",")
	if v.unchecked && len(v.findings) > 0 {
		p.Notes = append(p.Notes, say("unchecked"))
	}
	if v.link.User != "" {
		p.Notes = append(p.Notes, say("user"))
	}
	if v.link.Scheme == "http" {
		p.Notes = append(p.Notes, say("plain"))
	}
}

// latin are letters of Cyrillic and Greek that look like Latin ones.
const latin = "асеорхуіјѕԁӏһԛԝԍвкмнтѵгпшὁοναρτυχκιγωϲϳ"

// disguised says whether a label of a host can be read as a Latin one and isn't: it
// mixes Latin letters with those of Cyrillic or Greek, or has only such of them as look
// Latin.
func disguised(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		ascii, other, alike := false, false, true
		for _, r := range label {
			switch {
			case r < 0x80:
				ascii = ascii || 'a' <= r && r <= 'z'
			case unicode.In(r, unicode.Cyrillic, unicode.Greek):
				other = true
				alike = alike && strings.ContainsRune(latin, r)
			}
		}
		if other && (ascii || alike) {
			return true
		}
	}
	return false
}
