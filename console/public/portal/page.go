package portal

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"sluice"
	"sluice/console/internal/tongue"
	"sluice/explain"
	"sluice/subscriber/notice/words"
)

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

// view is what the template sees; all of it is escaped.
type view struct {
	Lang, Title, Class, Note string
	Text                     []string
	T                        map[string]string // the page's words
	Seen                     []seen
	Steps                    []string
	Password, Help, Node     string
	Languages                []tongueOf
}

type seen struct{ What, When string }

type tongueOf struct{ Code, Name string }

// speech is the language of a request.
func (s *site) speech(r *http.Request) *words.Speech {
	return s.cfg.Words.Of(tongue.Choose(r, words.Languages()))
}

// render writes a page.
func (s *site) render(w http.ResponseWriter, r *http.Request, v *visit) {
	speech := s.speech(r)
	p := &view{Lang: speech.Code, T: speech.Page, Class: cmp.Or(v.say, "held"), Node: explain.Escape(s.cfg.Node, 300)}
	for _, code := range words.Languages() {
		p.Languages = append(p.Languages, tongueOf{code, s.cfg.Words.Of(code).Name})
	}
	if v.say == "" {
		s.restricted(p, v, speech)
	} else {
		values := []string{"until", ""}
		if v.c != nil {
			values[1] = moment(v.c.Until)
		}
		p.Title, p.Text = speech.Page[v.say+"_title"], []string{words.Fill(speech.Page[v.say], values...)}
	}
	if v.c != nil && s.cfg.Help != "" {
		p.Help = words.Fill(speech.Page["help"], "help", s.cfg.Help, "case", v.c.ID)
	}
	var b bytes.Buffer
	if err := page.Execute(&b, p); err != nil {
		s.cfg.Log.Error("portal: page can't be built", "error", err)
		http.Error(w, "This page can't be built; it was logged.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	if v.wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(v.wait/time.Second)+1))
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", speech.Code)
	h.Set("Vary", "Accept-Language")
	// Without it browsers would not say where the form comes from, and we could not tell
	// our page from others; no other site learns of the page's address by it.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(v.status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

// restricted fills in the page of a case whose mail is held.
func (s *site) restricted(p *view, v *visit, speech *words.Speech) {
	kind := words.Kind(v.c)
	p.Title = speech.Page["title_"+kind]
	p.Text = []string{words.Fill(speech.Page["lead_"+kind], "since", moment(v.c.Held))}
	if v.c.Kept > 0 && v.c.Restrict == sluice.RestrictHold {
		p.Text = append(p.Text, words.Fill(speech.Page["kept"], "kept", strconv.Itoa(v.c.Kept)))
	}
	for _, g := range v.c.Signals {
		when := words.Fill(speech.Page["once"], "last", moment(g.Last))
		if g.Count > 1 {
			when = words.Fill(speech.Page["times"], "count", strconv.Itoa(g.Count), "last", moment(g.Last))
		}
		p.Seen = append(p.Seen, seen{speech.Saw(g.Kind), when})
	}
	p.Steps, p.Password = speech.Steps[kind], speech.Page["password"]
	if v.note != "" {
		p.Note = speech.Page[v.note]
	}
}

// moment is a time that is the same everywhere.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
