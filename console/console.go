// Package console is the admin's view of the gateway: pages and a JSON API over
// the root interfaces, and /healthz and /metrics beside them.
//
// The pages work without JavaScript; htmx, embedded, only refreshes lists in
// place. No GET changes anything: what acts is a POST that carries a token of
// its session. Everything a sender wrote is shown escaped and as text.
//
// There is no door without a login: while no account exists, the only way in is
// the one-time address of [Console.SetupURL].
package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sluice"
	"sluice/console/appeals"
	"sluice/console/cases"
	"sluice/console/internal/ledger"
	"sluice/console/internal/web"
	"sluice/console/labels"
	"sluice/console/review"
)

// Config wires the console. Store is needed; all else has a default or is left
// out of the pages.
type Config struct {
	Store      sluice.Store
	Quarantine sluice.Quarantine // nil: no message can be opened
	Reports    sluice.Reports    // nil: no page of reports
	Reviews    sluice.Reviews    // nil: no queue of delivered mail to look at
	Appeals    sluice.Appeals    // nil: no queue of what senders say against refusals
	Cases      cases.Book        // nil: nobody follows our own users
	Port       Port              // what is known of those outside

	// Labels and Teacher are the log of feedback and who learns from it. Where one is
	// nil, there is no page of it, and nobody can label.
	Labels  sluice.FeedbackLog
	Teacher sluice.Teacher
	// Clean takes off a message what came after us, and finds its id in the log, ""
	// for none. nil: messages are taken as they are.
	Clean func(ctx context.Context, raw []byte) (clean []byte, id string)

	// Release and Delete act on quarantined messages; by is the account. Where
	// one is nil, the pages offer no such thing.
	Release func(ctx context.Context, id, by string) error
	Delete  func(ctx context.Context, id, by string) error

	// Hosts are further names under which the console may be asked for. IP
	// addresses, localhost and the name in URL are always allowed.
	Hosts []string
	// URL is the address of the console as people type it, for SetupURL, such as
	// "http://127.0.0.1:8025". An https URL makes cookies Secure.
	URL string
	// Proxies are reverse proxies whose X-Forwarded-For is believed.
	Proxies []netip.Prefix
	// Tokens open the API and /metrics without a session: bearer token → name
	// for the audit log. New refuses tokens under 20 octets.
	Tokens map[string]string
	// MetricsFrom may read /metrics, and the cause in /healthz, without a login;
	// nil means loopback.
	MetricsFrom []netip.Prefix
	// Marks are drawn across the ledger: the points from which on policy acts.
	Marks []Mark

	Health   func(context.Context) error // an error is the cause of trouble; default: none
	Registry *prometheus.Registry        // nil: no /metrics
	Version  string                      // shown at the foot of each page

	Clock func() time.Time // default time.Now
	Rand  io.Reader        // default crypto/rand
	Log   *slog.Logger     // default: discards
}

// Mark is a line across the ledger's bars, such as "quarantine".
type Mark = ledger.Mark

// Console serves the pages. Make it with [New].
type Console struct {
	cfg      Config
	pages    map[string]*template.Template
	handler  http.Handler
	labels   *labels.Room // nil: no feedback
	reviews  *review.Room // nil: no queue
	appeals  *appeals.Room
	cases    *cases.Room
	sessions sessions
	logins   web.Limiter
	hashing  chan struct{} // slots for password hashing, which is costly
	tokens   map[[32]byte]string
	csrfKey  [32]byte
	secure   bool
	outcome  *prometheus.CounterVec

	setup struct {
		sync.Mutex
		token string // "" once used
	}
	counts struct {
		sync.Mutex
		at  time.Time
		val map[sluice.Action]int
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// New checks the configuration and builds the console.
func New(cfg Config) (*Console, error) {
	if cfg.Store == nil {
		return nil, errors.New("console: no store")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Health == nil {
		cfg.Health = func(context.Context) error { return nil }
	}
	if cfg.MetricsFrom == nil {
		cfg.MetricsFrom = loopback
	}
	base, err := url.Parse(cfg.URL)
	if err != nil || cfg.URL != "" && (base.Host == "" || base.Scheme != "http" && base.Scheme != "https") {
		return nil, fmt.Errorf("console: %q is no address like http://127.0.0.1:8025", cfg.URL)
	}
	c := &Console{
		cfg:     cfg,
		logins:  web.Limiter{Burst: 5, Every: 12 * time.Second, Size: 10_000},
		hashing: make(chan struct{}, 2),
		tokens:  make(map[[32]byte]string),
		secure:  base.Scheme == "https",
		outcome: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_console_logins_total", Help: "Logins to the console by result.",
		}, []string{"result"}),
	}
	for token, name := range cfg.Tokens {
		if len(token) < 20 || name == "" {
			return nil, errors.New("console: a bearer token needs a name and at least 20 octets")
		}
		c.tokens[sha256.Sum256([]byte(token))] = name
	}
	if _, err := io.ReadFull(cfg.Rand, c.csrfKey[:]); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if c.setup.token, err = c.secret(); err != nil {
		return nil, err
	}
	if c.pages, err = web.Pages(templateFiles, funcs); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	if cfg.Registry != nil {
		if err := cfg.Registry.Register(c.outcome); err != nil {
			return nil, fmt.Errorf("console: %w", err)
		}
	}
	c.labels = labels.New(labels.Config{Log: cfg.Labels, Teacher: cfg.Teacher, Clean: cfg.Clean, Clock: cfg.Clock, Logger: cfg.Log})
	c.reviews = review.New(review.Config{Reviews: cfg.Reviews, Teacher: cfg.Teacher, Clock: cfg.Clock, Logger: cfg.Log, Audit: c.audit})
	c.cases = cases.New(cases.Config{Book: cfg.Cases, Clock: cfg.Clock, Logger: cfg.Log, Audit: c.audit})
	c.appeals = appeals.New(appeals.Config{Appeals: cfg.Appeals, Clock: cfg.Clock, Logger: cfg.Log, Audit: c.audit})
	hosts := append([]string{base.Host}, cfg.Hosts...)
	var h http.Handler = c.routes()
	h = http.NewCrossOriginProtection().Handler(h) // Sec-Fetch-Site and Origin
	h = limitBody(h)
	h = web.Hosts(hosts, h)
	h = web.Headers(web.Policy, h)
	c.handler = web.Recover(cfg.Log, h)
	return c, nil
}

// Handler serves pages, API, /healthz and /metrics. Give it to [NewServer].
func (c *Console) Handler() http.Handler { return c.handler }

// NewServer returns a server with the limits and deadlines that a listener open
// to strangers needs.
func NewServer(h http.Handler, log *slog.Logger) *http.Server { return web.NewServer(h, log) }

func (c *Console) routes() *http.ServeMux {
	mux := http.NewServeMux()
	open := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, h) }
	open("GET /assets/{file}", web.Assets(assetFiles, "private, max-age=3600"))
	open("GET /healthz", c.healthz)
	open("GET /metrics", c.metrics())
	open("GET /setup/{token}", c.setupForm)
	open("POST /setup/{token}", c.setupPost)
	open("GET /login", c.loginForm)
	open("POST /login", c.loginPost)

	// page needs a session; a POST also its token.
	page := func(pattern string, h func(http.ResponseWriter, *http.Request, *visit)) {
		mux.Handle(pattern, c.signedIn(h))
	}
	page("GET /{$}", func(w http.ResponseWriter, r *http.Request, _ *visit) {
		http.Redirect(w, r, "/messages", http.StatusSeeOther)
	})
	page("POST /logout", c.logout)
	page("GET /account", c.accountForm)
	page("POST /account", c.accountPost)
	page("GET /messages", c.messages)
	page("GET /messages/{id}", c.message)
	page("GET /quarantine", c.quarantine)
	page("GET /quarantine/{id}", c.quarantined)
	page("GET /quarantine/{id}/{act}", c.confirm)
	page("POST /quarantine/{id}/{act}", c.act)
	if c.cfg.Reports != nil {
		page("GET /reports", c.reports)
	}
	if c.labels != nil {
		page("GET /feedback", c.feedback)
		page("POST /feedback/{seq}/{act}", c.feedbackAct)
		page("POST /quarantine/{id}/label", c.say)
	}
	if c.reviews != nil {
		page("GET /review", c.review)
		page("POST /review/{id}/{act}", c.reviewAct)
	}
	if c.appeals != nil {
		page("GET /appeals", c.appeal)
		page("POST /appeals/{id}/{act}", c.appealAct)
	}
	if c.cases != nil {
		page("GET /cases", c.caseList)
		page("GET /case-figures", c.caseFigures)
		page("GET /cases/{id}", c.caseShow)
		page("POST /cases/{id}/{act}", c.caseAct)
	}
	if c.cfg.Port.Live != nil {
		page("GET /live", c.live)
	}
	if c.cfg.Port.hosts() {
		page("GET /hosts", c.hosts)
	}
	if c.cfg.Port.canLift() {
		page("GET /hosts/lift", c.liftForm)
		page("POST /hosts/lift", c.liftPost)
	}
	page("/", func(w http.ResponseWriter, r *http.Request, v *visit) {
		c.fail(w, r, v, http.StatusNotFound, "There is no such page.", nil)
	})

	// api takes a bearer token, or a session with its token in a header.
	api := func(pattern string, h func(http.ResponseWriter, *http.Request, string)) {
		mux.Handle(pattern, c.apiUser(h))
	}
	api("GET /api/v1/messages", c.apiMessages)
	api("GET /api/v1/messages/{id}", c.apiMessage)
	api("GET /api/v1/quarantine", c.apiQuarantine)
	api("GET /api/v1/quarantine/{id}", c.apiQuarantined)
	api("POST /api/v1/quarantine/{id}/{act}", c.apiAct)
	if c.cfg.Reports != nil {
		api("GET /api/v1/reports", c.apiReports)
	}
	if c.labels != nil {
		api("GET /api/v1/labels", c.labels.ServeList)
		api("GET /api/v1/labels/{seq}", c.labels.ServeEntry)
		api("GET /api/v1/reporters", c.labels.ServeReporters)
		api("POST /api/v1/labels", c.apiAddLabel)
		api("POST /api/v1/labels/{seq}/{act}", c.apiActLabel)
	}
	if c.reviews != nil {
		api("GET /api/v1/reviews", c.reviews.ServeList)
		api("GET /api/v1/reviews/{id}", c.reviews.ServeEntry)
		api("POST /api/v1/reviews/{id}/{act}", c.reviews.ServeAct)
	}
	if c.appeals != nil {
		api("GET /api/v1/appeals", c.appeals.ServeList)
		api("GET /api/v1/appeals/{id}", c.appeals.ServeEntry)
		api("POST /api/v1/appeals/{id}/{act}", c.appeals.ServeAct)
	}
	if c.cases != nil {
		c.cases.API(api)
	}
	if c.cfg.Port.Live != nil {
		api("GET /api/v1/live", c.apiLive)
	}
	if c.cfg.Port.Hosts != nil {
		api("GET /api/v1/hosts", c.apiHosts)
	}
	if c.cfg.Port.Bans != nil {
		api("GET /api/v1/bans", c.apiBans)
	}
	if c.cfg.Port.canLift() {
		api("POST /api/v1/bans/lift", c.apiLift)
	}
	if c.cfg.Port.hosts() {
		api("GET /api/v1/sources", c.apiSources)
	}
	api("/api/", func(w http.ResponseWriter, _ *http.Request, _ string) {
		web.JSONError(w, http.StatusNotFound, "no such resource")
	})
	return mux
}

// secret returns 256 random bits as text.
func (c *Console) secret() (string, error) {
	var b [32]byte
	if _, err := io.ReadFull(c.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("console: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// healthz answers 200 or 503. The cause may name files and hosts, so only those
// who may read metrics see it.
func (c *Console) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	err := c.cfg.Health(r.Context())
	if err == nil {
		_, _ = io.WriteString(w, "ok\n")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	if c.observer(r) {
		_, _ = io.WriteString(w, err.Error()+"\n")
	} else {
		_, _ = io.WriteString(w, "not well\n")
	}
}

func (c *Console) metrics() http.HandlerFunc {
	if c.cfg.Registry == nil {
		return http.NotFound
	}
	h := promhttp.HandlerFor(c.cfg.Registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
	return func(w http.ResponseWriter, r *http.Request) {
		if !c.observer(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
			http.Error(w, "log in, or send a bearer token", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	}
}

// observer says whether the request may see metrics.
func (c *Console) observer(r *http.Request) bool {
	if web.Within(web.Client(r, c.cfg.Proxies), c.cfg.MetricsFrom) && !web.Forwarded(r, c.cfg.Proxies) || c.bearer(r) != "" {
		return true
	}
	_, ok := c.session(r, false)
	return ok
}

// SetupURL returns the one-time address at which the first account is made, ""
// where an account exists already.
func (c *Console) SetupURL(ctx context.Context) (string, error) {
	n, err := c.cfg.Store.CountAccounts(ctx)
	if err != nil {
		return "", fmt.Errorf("console: %w", err)
	}
	c.setup.Lock()
	defer c.setup.Unlock()
	if n > 0 || c.setup.token == "" {
		return "", nil
	}
	return strings.TrimSuffix(c.cfg.URL, "/") + "/setup/" + c.setup.token, nil
}
