// Package public serves the pages that strangers may see: why a message was
// refused. It has a listener and an origin of its own and no admin routes.
//
// A reference token is sealed and holds all that the page says, so the page
// needs no database. It shows the sender's own facts and the catalogue's words,
// never a recipient, a threshold, a score or a list's key.
package public

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/explain"
	"sluice/explain/ref"
	"sluice/reason"
)

// What an opener says of a token that it can't open.
var (
	ErrInvalid = errors.New("public: not a reference of ours")
	ErrExpired = errors.New("public: the reference has expired")
)

// Facts are what a sealed reference holds.
type Facts struct {
	Ref     string // the reference as printed in the reply
	Time    time.Time
	Client  netip.Addr
	Hello   string // as the client sent it, hostile
	Phase   sluice.Phase
	Threat  sluice.Threat
	Code    int             // of the reply; 0: the first reason's
	Reasons []sluice.Reason // strongest first
}

// Config wires the public pages. Open is needed.
type Config struct {
	// Open unseals a token. Its errors are ErrInvalid or ErrExpired (wrapped or
	// not); any other counts as ErrInvalid and is logged.
	Open func(token string) (Facts, error)

	Hosts      []string       // names that may be asked for beside addresses; empty: any
	Proxies    []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
	Postmaster string         // whom to write to, "" for none
	Node       string         // the name of this gateway, shown on the pages

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default: discards
}

//go:embed templates/*.html assets
var files embed.FS

var funcs = template.FuncMap{
	"esc": func(s string) string { return explain.Escape(s, 300) },
	// Standards help the sender's admin; how we came by a reason doesn't.
	"rfc": func(source string) string {
		if strings.HasPrefix(source, "RFC ") {
			return source
		}
		return ""
	},
}

// site is the handler's state.
type site struct {
	cfg     Config
	pages   map[string]*template.Template
	limiter web.Limiter
}

// New checks the configuration and returns the handler.
func New(cfg Config) (http.Handler, error) {
	if cfg.Open == nil {
		return nil, errors.New("public: no way to open references")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// A person reads a page or two; a guesser of tokens wants thousands.
	s := &site{cfg: cfg, pages: make(map[string]*template.Template), limiter: web.Limiter{Burst: 30, Every: 2 * time.Second, Size: 20_000}}
	for _, name := range []string{"why", "text"} {
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return nil, err
		}
		s.pages[name] = t
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /why/{token}", s.why)
	mux.HandleFunc("GET /assets/{file}", asset)
	mux.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("User-agent: *\nDisallow: /\n"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.text(w, http.StatusNotFound, "There is no such page", "The link in the refusal may have been broken across two lines: put it together again, without spaces.")
	})
	var h http.Handler = s.limit(mux)
	h = web.LimitBody(1<<10, h)
	if len(cfg.Hosts) > 0 {
		h = web.Hosts(cfg.Hosts, h)
	}
	return web.Recover(cfg.Log, web.Headers(web.PolicyWithoutScript, h)), nil
}

// limit bounds how often one address may ask.
func (s *site) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/assets/") { // cheap, and part of a page already counted
			next.ServeHTTP(w, r)
			return
		}
		if wait, ok := s.limiter.Allow(web.Client(r, s.cfg.Proxies), s.cfg.Clock()); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			http.Error(w, "Too many requests from your address; please wait a little.", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// view is what the templates see.
type view struct {
	Title, Node, Postmaster string
	Page                    *explain.Page
	Text                    string
	When                    string
	Login                   bool // it was a login that was refused
}

func (s *site) render(w http.ResponseWriter, status int, name string, v *view) {
	v.Node, v.Postmaster = s.cfg.Node, s.cfg.Postmaster
	var b bytes.Buffer
	if err := s.pages[name].Execute(&b, v); err != nil {
		s.cfg.Log.Error("public: page can't be built", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "This page can't be built; it was logged.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client is gone
}

func (s *site) text(w http.ResponseWriter, status int, title, text string) {
	s.render(w, status, "text", &view{Title: title, Text: text})
}

func (s *site) home(w http.ResponseWriter, _ *http.Request) {
	s.text(w, http.StatusOK, "A mail gateway stands here",
		"It checks mail before it is taken. Where it refuses a message, its reply says why and holds a link to a page here that explains it to the sender. There is nothing else to see.")
}

// maxToken bounds what is given to Open, in octets.
const maxToken = 512

func (s *site) why(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	var f Facts
	err := ErrInvalid
	if len(token) <= maxToken {
		f, err = s.cfg.Open(token)
	}
	switch {
	case err == nil:
		p := explain.WhyPage(facts(f, s.cfg.Node))
		s.render(w, http.StatusOK, "why", &view{Title: p.Title, Page: &p, When: phases[f.Phase], Login: f.Phase == sluice.PhaseAuth})
	case errors.Is(err, ErrExpired):
		s.text(w, http.StatusGone, "This reference is too old",
			"Explanations are kept for some weeks. Send the message again: if it is refused again, the new reply holds a new link.")
	default:
		if !errors.Is(err, ErrInvalid) {
			s.cfg.Log.Error("public: reference can't be opened", slog.Any("error", err))
		}
		s.text(w, http.StatusNotFound, "This reference isn't known here",
			"Copy the whole link from the refusal, without line breaks. Some programs cut long links or add characters to them.")
	}
}

// facts turns what an opener gave into what the words are made from.
func facts(f Facts, node string) ref.Facts {
	if f.Code == 0 {
		f.Code = 550
		for _, id := range f.Reasons {
			if e, ok := reason.Lookup(string(id)); ok && e.Code != 0 {
				f.Code = e.Code
				break
			}
		}
	}
	return ref.Facts{ID: f.Ref, Time: f.Time, Node: node, Client: f.Client, Helo: f.Hello, Phase: f.Phase, Threat: f.Threat, Code: f.Code, Reasons: f.Reasons}
}

// phases say when it happened, in words of somebody who doesn't know SMTP.
var phases = map[sluice.Phase]string{
	sluice.PhaseConnect: "when your server connected",
	sluice.PhaseHello:   "when your server said its name",
	sluice.PhaseTLS:     "when encryption began",
	sluice.PhaseAuth:    "at the login",
	sluice.PhaseMail:    "when your server named the sender",
	sluice.PhaseRcpt:    "when your server named a recipient",
	sluice.PhaseData:    "before the message was sent",
	sluice.PhaseHeader:  "while the message was read",
	sluice.PhaseMessage: "after the message was read",
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, err := files.ReadFile("assets/" + strings.ToLower(name))
	kind := assetTypes[path.Ext(name)]
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(b)
}
