// Package public serves the pages that strangers may see: why a message was
// refused. It has a listener and an origin of its own and no admin routes.
//
// A reference token is sealed and holds all that the page says, so the page
// needs no database. It shows the sender's own facts and the catalogue's words,
// never a recipient, a threshold, a score or a list's key. Where there is a record of
// the event, it also says what authentication found. The sender may say once why the
// refusal was wrong; that waits for an admin and mails nobody. Who proves to be the
// postmaster of a domain that authenticated in the event sees more of it (package proof).
//
// Pages are in the language of the browser, or of a link at the foot; words/ has them.
package public

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/tongue"
	"sluice/console/internal/web"
	"sluice/console/public/proof"
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

	// Click serves what is behind /c/, as package click makes it; nil: nothing is there.
	Click http.Handler
	// Lint serves /lint and what is below it, as package lint makes it; nil: nothing is
	// there.
	Lint http.Handler
	// Dictionary serves /reply, as package dictionary makes it; nil: nothing is there.
	Dictionary http.Handler
	// Self serves /self/, our own users' pages, as package portal makes it; nil: nothing is
	// there.
	Self http.Handler

	// Appeals keeps what senders say against refusals; nil: they aren't asked.
	Appeals sluice.Appeals
	// Record finds the record of an event, for what authentication found; nil or an
	// error: the page does without.
	Record func(ctx context.Context, id string) (*sluice.Record, error)
	// Proof lets the postmaster of a domain that authenticated in the event see more of
	// it; nil: nobody does. It needs Record.
	Proof *proof.Prover

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
	"name": func(lang string) string { return names[lang] },
	"esc":  func(s string) string { return explain.Escape(s, 300) },
	// Standards help the sender's admin; how we came by a reason doesn't.
	"rfc": func(source string) string {
		if strings.HasPrefix(source, "RFC ") {
			return source
		}
		return ""
	},
}

// names are what the languages call themselves.
var names = map[string]string{"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}

// site is the handler's state.
type site struct {
	cfg     Config
	pages   map[string]*template.Template
	tongues map[string]*words
	limiter web.Limiter

	appeals, allAppeals web.Limiter // of one address, of all
	provers             provers
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
	s := &site{cfg: cfg, limiter: web.Limiter{Burst: 30, Every: 2 * time.Second, Size: 20_000}, provers: newProvers(),
		appeals:    web.Limiter{Burst: 3, Every: 20 * time.Minute, Size: 20_000},
		allAppeals: web.Limiter{Burst: 200, Every: 24 * time.Hour / 200, Size: 1}}
	var err error
	if s.tongues, err = load(); err != nil {
		return nil, err
	}
	if s.pages, err = web.Pages(files, funcs); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /why/{token}", s.why)
	mux.HandleFunc("POST /why/{token}/appeal", s.appeal)
	mux.HandleFunc("POST /why/{token}/proof", s.prove)
	mux.HandleFunc("GET /assets/{file}", web.Assets(files, "public, max-age=3600"))
	mux.HandleFunc("GET /robots.txt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("User-agent: *\nDisallow: /\n"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.text(w, r, http.StatusNotFound, "none") })
	h := http.NewCrossOriginProtection().Handler(mux) // Sec-Fetch-Site and Origin
	h = s.limit(h)
	h = web.LimitBody(maxForm, h)
	if cfg.Click != nil || cfg.Lint != nil || cfg.Dictionary != nil || cfg.Self != nil {
		// They have limits of their own.
		all := http.NewServeMux()
		if cfg.Dictionary != nil {
			all.Handle("/reply", cfg.Dictionary)
		}
		if cfg.Self != nil {
			all.Handle("/self/", cfg.Self)
		}
		if cfg.Click != nil {
			all.Handle("/c/", cfg.Click)
		}
		if cfg.Lint != nil {
			all.Handle("/lint", cfg.Lint)
			all.Handle("/lint/", cfg.Lint)
		}
		all.Handle("/", h)
		h = all
	}
	if len(cfg.Hosts) > 0 {
		h = web.Hosts(cfg.Hosts, h)
	}
	return web.Recover(cfg.Log, web.Headers(web.PolicyWithForms, h)), nil
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
	Kind                    string // what happened, in a line
	When                    string
	Login                   bool       // it was a login that was refused
	Checked                 []checked  // what authentication found
	Ask                     bool       // offer an appeal
	Notice                  string     // what became of one
	Provable                []provable // domains whose postmasters may see more
	Prove                   string     // where they post to
	ProofNotice             string     // what became of a try
	More                    *more      // what they see
	Pass                    string     // of the page's own address, for its links
	Action                  string     // where the form posts to
	Self                    string     // the page's own path
	T                       *words
	Languages               []string
}

func (s *site) tongue(r *http.Request) *words { return s.tongues[tongue.Choose(r, languages)] }

func (s *site) render(w http.ResponseWriter, r *http.Request, status int, name string, v *view) {
	v.Node, v.Postmaster, v.Languages = s.cfg.Node, s.cfg.Postmaster, languages
	v.T, v.Self = s.tongue(r), strings.TrimSuffix(strings.TrimSuffix(r.URL.EscapedPath(), "/appeal"), "/proof")
	w.Header().Set("Content-Language", v.T.Lang)
	w.Header().Set("Vary", "Accept-Language")
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

// text shows a page of two sentences, by their key in the words.
func (s *site) text(w http.ResponseWriter, r *http.Request, status int, key string) {
	t := s.tongue(r)
	s.render(w, r, status, "text", &view{Title: t.Text[key], Text: t.Text[key+"_how"]})
}

func (s *site) home(w http.ResponseWriter, r *http.Request) { s.text(w, r, http.StatusOK, "home") }

// maxToken bounds what is given to Open, in octets.
const maxToken = 512

// open unseals the token of a request, or answers for it.
func (s *site) open(w http.ResponseWriter, r *http.Request) (Facts, bool) {
	token := r.PathValue("token")
	var f Facts
	err := ErrInvalid
	if len(token) <= maxToken {
		f, err = s.cfg.Open(token)
	}
	switch {
	case err == nil:
		return complete(f), true
	case errors.Is(err, ErrExpired):
		s.text(w, r, http.StatusGone, "token_old")
	default:
		if !errors.Is(err, ErrInvalid) {
			s.cfg.Log.Error("public: reference can't be opened", slog.Any("error", err))
		}
		s.text(w, r, http.StatusNotFound, "token_bad")
	}
	return Facts{}, false
}

func (s *site) why(w http.ResponseWriter, r *http.Request) {
	if f, ok := s.open(w, r); ok {
		s.show(w, r, http.StatusOK, &f, "")
	}
}

// show writes the page of a refusal. The notice is a key of the words that says what
// became of an appeal just posted; "" asks the store.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, f *Facts, notice string) {
	t := s.tongue(r)
	p := explain.WhyPageIn(facts(f, s.cfg.Node), t.Lang)
	p.Title = or(t.Class, p.Title)
	for i := range p.Facts {
		p.Facts[i][0] = or(t.Fact, p.Facts[i][0])
	}
	rec := s.record(r.Context(), f)
	v := &view{Title: p.Title, Page: &p, Kind: t.Text["refused"], When: t.Phase[f.Phase.String()], Login: f.Phase == sluice.PhaseAuth, More: s.more(r, f, rec, t.Lang)}
	if v.More != nil {
		v.Pass = r.URL.Query().Get("proof")
	} else {
		v.Checked, v.Provable = checkedOf(rec, t.Lang), s.provable(r.PathValue("token"), rec)
		v.Prove = "/why/" + r.PathValue("token") + "/proof?lang=" + t.Lang
	}
	if strings.HasPrefix(notice, "proof_") {
		v.ProofNotice, notice = t.Text[notice], ""
	}
	switch {
	case v.Login:
		v.Kind = t.Text["login"]
	case p.Retry:
		v.Kind = t.Text["later"]
	}
	if s.mayAppeal(f) {
		v.Ask, v.Action, v.Notice = true, "/why/"+r.PathValue("token")+"/appeal?lang="+t.Lang, t.Text[notice]
		if a := s.appealed(r.Context(), f); a != nil {
			v.Ask, v.Notice = false, t.Text["appeal_"+string(a.State)]
		}
	}
	s.render(w, r, status, "why", v)
}

// checked is one result of authentication.
type checked struct{ ID, Words, Lang string }

// authentication are the beginnings of the reasons that tell who a message came from.
var authentication = []string{"IPREV_", "HELO_SPF_", "SPF_", "DKIM_", "ARC_", "DMARC_", "SENDER_DOMAIN_"}

// checkedOf are what authentication found, where the record of the event is still there.
// It is about the sender's own domain; the details stay with the admin, and with the
// domain's postmaster.
func checkedOf(rec *sluice.Record, lang string) []checked {
	if rec == nil {
		return nil
	}
	var out []checked
	for _, prefix := range authentication {
		for _, c := range rec.Verdict.Ledger {
			e, ok := reason.Lookup(string(c.Reason))
			if !ok || c.State != sluice.Found || !strings.HasPrefix(e.ID, prefix) {
				continue
			}
			text, in := e.Page, "en"
			if w, ok := reason.In(lang, e.ID); ok {
				text, in = w.Page, lang
			}
			first, _, _ := strings.Cut(text, ". ")
			out = append(out, checked{e.ID, strings.TrimSuffix(first, ".") + ".", in})
		}
	}
	return out
}

// complete gives facts the code that their first reason has, where the opener doesn't
// know it.
func complete(f Facts) Facts {
	if f.Code != 0 {
		return f
	}
	f.Code = 550
	for _, id := range f.Reasons {
		if e, ok := reason.Lookup(string(id)); ok && e.Code != 0 {
			f.Code = e.Code
			break
		}
	}
	return f
}

// facts turns what an opener gave into what the words are made from.
func facts(f *Facts, node string) ref.Facts {
	return ref.Facts{ID: f.Ref, Time: f.Time, Node: node, Client: f.Client, Helo: f.Hello, Phase: f.Phase, Threat: f.Threat, Code: f.Code, Reasons: f.Reasons}
}
