// Package click serves the page behind the links that deliver/protect wrote: it says
// where a link leads, asks once more what is known of it, and forwards who then presses
// the button.
//
// Looking at a page changes nothing and forwards nobody, since scanners open every link
// of a message: only a POST from the page itself forwards, with 303. It leads to sealed
// addresses alone, so it is no open redirector, and to where the page said, since both
// come from one reading of the address. Nothing is fetched from there.
//
// A message's form may post here as well, if its action was rewritten; what it carries is
// dropped unread.
package click

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/message/links"
)

// What an opener says of a link that it can't open.
var (
	ErrInvalid = errors.New("click: not a link of ours")
	ErrCut     = errors.New("click: the link was cut")
)

// Link is what a sealed link holds.
type Link struct {
	URL  string // absolute, as it stood in the message; hostile
	Ref  string // of the message
	Time time.Time
}

// Target is what is judged.
type Target struct {
	Link
	Address string // as a browser asks for it: http or https, in ASCII
	Host    string // in lower case and A-labels
	Org     string // the organizational domain of Host
}

// Finding speaks against a target.
type Finding struct {
	Reason sluice.Reason
	Like   string // what it resembles, such as a domain, where the reason is of that; hostile
	Stop   bool   // nobody is let through
}

// Judge says what is known of a target at this moment. It must not fetch anything from
// there, and has to heed the context. An error means that it can't say.
type Judge func(ctx context.Context, t Target) ([]Finding, error)

// Event is a click that somebody may want to count: one is made when a page is shown and
// one when its button is pressed.
type Event struct {
	Target   Target
	Client   netip.Addr
	Findings []Finding
	Forward  bool
}

// Config wires the pages. Open is needed.
type Config struct {
	// Open unseals what stands behind /c/. Its errors are ErrInvalid or ErrCut (wrapped
	// or not); any other counts as ErrInvalid and is logged.
	Open func(path string) (Link, error)
	// Judges are asked at the same time, and waited for Wait; 0: 3 s.
	Judges []Judge
	Wait   time.Duration
	// Lifetime is how long a link can be followed; 0: 180 days. An older one is only
	// shown.
	Lifetime time.Duration
	// Record is told of each click; nil: nobody. It must not wait.
	Record func(Event)

	Proxies    []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
	Postmaster string         // whom to write to, "" for none
	Node       string         // the name of this gateway, shown on the pages

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default: discards
}

// policy is web.PolicyWithoutScript with a form. Browsers hold what a form's answer
// redirects to, and what that redirects to, against form-action as well (CSP 3, 6.4.2.1);
// no word of the page comes from strangers unescaped, so that it may lead anywhere.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' http: https:; base-uri 'none'; frame-ancestors 'none'"

const (
	maxPath  = 8 << 10 // of a link, in octets
	maxForm  = 8 << 10
	maxShown = 5 // findings
)

// site is the handler's state.
type site struct {
	cfg   Config
	words *catalogue
	page  *pages
	cross *http.CrossOriginProtection

	all, bad web.Limiter
}

// New checks the configuration and returns the handler of /c/.
func New(cfg Config) (http.Handler, error) {
	if cfg.Open == nil {
		return nil, errors.New("click: no way to open links")
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 3 * time.Second
	}
	if cfg.Lifetime <= 0 {
		cfg.Lifetime = 180 * 24 * time.Hour
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Record == nil {
		cfg.Record = func(Event) {}
	}
	words, err := load()
	if err != nil {
		return nil, err
	}
	page, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &site{cfg: cfg, words: words, page: page, cross: http.NewCrossOriginProtection(),
		// A whole organization may stand behind one address; a guesser of links wants
		// thousands.
		all: web.Limiter{Burst: 120, Every: 250 * time.Millisecond, Size: 20_000},
		bad: web.Limiter{Burst: 20, Every: 5 * time.Second, Size: 20_000},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /c/", s.look)
	mux.HandleFunc("POST /c/", s.follow)
	return web.Recover(cfg.Log, web.Headers(policy, mux)), nil
}

// look shows where a link leads.
func (s *site) look(w http.ResponseWriter, r *http.Request) {
	v, ok := s.open(w, r)
	if !ok {
		return
	}
	if r.Method == http.MethodHead { // nobody reads it
		v.status(w)
		return
	}
	s.show(w, r, v)
}

// follow forwards who has seen the page and pressed its button.
func (s *site) follow(w http.ResponseWriter, r *http.Request) {
	v, ok := s.open(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	// A page elsewhere must not send anybody through here, nor a form in a message.
	asked := s.cross.Check(r) == nil && r.ParseForm() == nil && r.PostForm.Get("go") == "1"
	if !asked {
		v.form = r.ContentLength != 0
		s.show(w, r, v)
		return
	}
	s.judge(r.Context(), v)
	seen := strings.Split(r.PostForm.Get("seen"), ",")
	unseen := slices.ContainsFunc(v.findings, func(f Finding) bool { return f.Stop || !slices.Contains(seen, string(f.Reason)) })
	if v.kind != leads || unseen || len(v.findings) > 0 && r.PostForm.Get("sure") != "1" {
		s.render(w, r, v)
		return
	}
	s.cfg.Record(Event{Target: v.target, Client: v.client, Findings: v.findings, Forward: true})
	// The page's own address holds the link, and is nobody's business there.
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", v.target.Address)
	w.WriteHeader(http.StatusSeeOther)
}

// open reads the link that is asked for, and answers itself where there is nothing to
// show.
func (s *site) open(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	now := s.cfg.Clock()
	v := &visit{client: web.Client(r, s.cfg.Proxies)}
	if wait, ok := s.all.Allow(v.client, now); !ok {
		s.busy(w, r, wait)
		return nil, false
	}
	path := strings.TrimPrefix(r.URL.Path, "/c/")
	var err error = ErrInvalid
	if len(path) <= maxPath {
		v.target.Link, err = s.cfg.Open(path)
	}
	if err != nil {
		if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrCut) {
			s.cfg.Log.Error("click: link can't be opened", slog.Any("error", err))
		}
		if wait, ok := s.bad.Allow(v.client, now); !ok {
			s.busy(w, r, wait)
			return nil, false
		}
		v.kind = invalid
		if errors.Is(err, ErrCut) {
			v.kind = cut
		}
		s.render(w, r, v)
		return nil, false
	}
	v.link = links.Parse(v.target.URL)
	v.target.Host, v.target.Org = v.link.Host, links.OrgDomain(v.link.Host)
	switch address, ok := v.link.Canonical(); {
	case now.Sub(v.target.Time) > s.cfg.Lifetime:
		v.kind = expired
	case !ok:
		v.kind = odd
	default:
		v.target.Address = address
	}
	return v, true
}

// show judges a link and shows its page.
func (s *site) show(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.kind == leads {
		s.judge(r.Context(), v)
		s.cfg.Record(Event{Target: v.target, Client: v.client, Findings: v.findings})
	}
	s.render(w, r, v)
}

func (s *site) busy(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	s.render(w, r, &visit{kind: busy})
}

// judge asks all judges. Who doesn't answer in time, or at all, leaves the visit
// unchecked: the person still sees where the link leads, and decides.
func (s *site) judge(ctx context.Context, v *visit) {
	if v.kind != leads {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Wait)
	defer cancel()
	type answer struct {
		found []Finding
		err   error
	}
	answers := make(chan answer, len(s.cfg.Judges))
	for _, j := range s.cfg.Judges {
		go func() {
			found, err := safely(ctx, j, v.target)
			answers <- answer{found, err}
		}()
	}
	v.findings, v.unchecked = nil, len(s.cfg.Judges) == 0
	for range s.cfg.Judges {
		select {
		case a := <-answers:
			if a.err != nil {
				v.unchecked = true
				s.cfg.Log.Warn("click: a check can't say", slog.Any("error", a.err))
			}
			v.add(a.found)
		case <-ctx.Done():
			v.unchecked = true
			s.cfg.Log.Warn("click: a check took too long", slog.String("ref", v.target.Ref))
			v.sort()
			return
		}
	}
	v.sort()
}

// safely keeps a judge's panic from ending the program.
func safely(ctx context.Context, j Judge, t Target) (found []Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("click: a check panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return j(ctx, t)
}
