// Package dictionary serves the page on which anybody may ask what a mail server's
// reply means. It knows nothing of this site's mail: the answer is the dictionary's
// alone, so there is nothing that it could tell. Nothing is kept of what is asked.
package dictionary

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/console/internal/web"
	"sluice/explain"
	"sluice/reply"
)

// Config wires the page.
type Config struct {
	Proxies []netip.Prefix   // reverse proxies whose X-Forwarded-For is believed
	Clock   func() time.Time // default time.Now
}

//go:embed page.html
var files embed.FS

// maxForm bounds a request's body.
const maxForm = 3 * reply.MaxText // a form may need three octets for one

type site struct {
	cfg     Config
	page    *template.Template
	limiter web.Limiter
}

// view is what the page shows.
type view struct {
	Asked  string // escaped
	Answer *reply.Answer
	Class  string
	Fault  string
	Link   string // a source that is a page
}

// New returns the handler of the page: GET shows the form, POST answers. It looks
// at the method only, so that it may be mounted anywhere.
func New(cfg Config) (http.Handler, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	t, err := template.ParseFS(files, "page.html")
	if err != nil {
		return nil, fmt.Errorf("dictionary: %w", err)
	}
	return &site{cfg: cfg, page: t, limiter: web.Limiter{Burst: 30, Every: 2 * time.Second, Size: 20_000}}, nil
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	var v view
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		if wait, ok := s.limiter.Allow(web.Client(r, s.cfg.Proxies), s.cfg.Clock()); !ok {
			h.Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			http.Error(w, "too many questions at once: wait a minute", http.StatusTooManyRequests)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "that is more than a reply", http.StatusRequestEntityTooLarge)
			return
		}
		v = answer(r.PostFormValue("reply"))
	default:
		h.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	var b bytes.Buffer
	if err := s.page.Execute(&b, v); err != nil {
		http.Error(w, "the page is out of order", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// answer is what the page says of a reply.
func answer(text string) view {
	text = strings.TrimSpace(text)
	if text == "" {
		return view{}
	}
	a := reply.Classify(reply.Query{Text: text})
	v := view{Asked: explain.Escape(text, reply.MaxText), Answer: &a, Class: strings.ReplaceAll(string(a.Likely), "_", " "), Fault: strings.ReplaceAll(string(a.Fault), "_", " ")}
	if strings.HasPrefix(a.Source, "https://") {
		v.Link = a.Source
	}
	return v
}
