// Package portal serves the page that a user of ours finds behind the link of a notice: what
// was seen, what to do step by step, and a button that lets the mail go again once.
//
// The link is a sealed ticket for one case and round, and good for some days. Looking at the
// page changes nothing but a note that it was opened, since scanners open every link; only
// a POST from the page itself is the user's word. A link that went to the account's own
// mailbox tells nothing of a stolen account and releases none: its thief reads that too.
//
// Kinds of signals are shown, and nobody's address.
//
// Beside it, services that were asked to carry a notice say here what became of it.
package portal

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/subscriber/cases"
	"sluice/subscriber/notice/ticket"
	"sluice/subscriber/notice/words"
)

// Path is where the pages are; before a ticket, "/self/".
const Path = "/self/"

// Receipts is the path before a receipt's ticket.
const Receipts = Path + "delivered/"

// Config wires the pages. Tickets, Words, Case, Proof and Confirm are needed.
type Config struct {
	Tickets *ticket.Sealer
	Words   *words.Words
	// Case, Proof and Confirm are those of a subscriber.Warden.
	Case    func(ctx context.Context, id string) (*sluice.Case, error)
	Proof   func(ctx context.Context, now time.Time, id, try string, level sluice.ProofLevel, detail string) (*sluice.Case, error)
	Confirm func(ctx context.Context, now time.Time, id string, by cases.Means) (*sluice.Case, error)
	// Changed says whether the subject's password is another than when the case was held:
	// then any link releases. nil: nobody knows.
	Changed func(ctx context.Context, subject string, held time.Time) (bool, error)

	// Receipt takes what a service says of the notice whose ticket it has, and ReceiptOf
	// of one by its name from who has Token; nil or "": none is taken.
	Receipt   func(ctx context.Context, now time.Time, token, status, detail string) error
	ReceiptOf func(ctx context.Context, now time.Time, name, status, detail string) error
	Token     func() (string, error)

	Help    string         // whom to ask
	Node    string         // the name of this gateway
	Proxies []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
	Clock   func() time.Time
	Log     *slog.Logger
}

// maxForm bounds what is posted, in octets.
const maxForm = 16 << 10

type site struct {
	cfg      Config
	cross    *http.CrossOriginProtection
	all, bad web.Limiter
	services web.Limiter
}

// New checks the configuration and returns the handler of everything below [Path].
func New(cfg Config) (http.Handler, error) {
	if cfg.Tickets == nil || cfg.Words == nil || cfg.Case == nil || cfg.Proof == nil || cfg.Confirm == nil {
		return nil, errors.New("portal: the configuration lacks something")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &site{cfg: cfg, cross: http.NewCrossOriginProtection(),
		// A whole organization may stand behind one address; a guesser of tickets wants
		// thousands, and a gateway tells of each message.
		all:      web.Limiter{Burst: 60, Every: time.Second, Size: 20_000},
		bad:      web.Limiter{Burst: 20, Every: 5 * time.Second, Size: 20_000},
		services: web.Limiter{Burst: 2000, Every: 20 * time.Millisecond, Size: 1000}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"{ticket}", s.look)
	mux.HandleFunc("POST "+Path+"{ticket}", s.act)
	mux.HandleFunc("POST "+Path+"delivered", s.named)
	mux.HandleFunc("POST "+Receipts+"{ticket}", s.receipt)
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		s.render(w, r, &visit{say: "invalid", status: http.StatusNotFound})
	})
	return web.Recover(cfg.Log, web.Headers(web.PolicyWithForms, web.LimitBody(maxForm, mux))), nil
}

// visit is one request for a page.
type visit struct {
	say    string // which page: the beginning of its words' names; "" the page of a case that restricts
	status int
	note   string // what became of a POST, "" for nothing to say
	t      ticket.Ticket
	c      *sluice.Case
	means  cases.Means
	wait   time.Duration
}

// open reads the ticket and finds what there is to say.
func (s *site) open(r *http.Request) *visit {
	now, client := s.cfg.Clock(), web.Client(r, s.cfg.Proxies)
	if wait, ok := s.all.Allow(client, now); !ok {
		return &visit{say: "busy", status: http.StatusTooManyRequests, wait: wait}
	}
	t, err := s.cfg.Tickets.Open(r.PathValue("ticket"), now)
	if err == nil && t.Use.Means() == "" {
		err = ticket.ErrInvalid
	}
	switch {
	case errors.Is(err, ticket.ErrExpired):
		return &visit{say: "expired", status: http.StatusGone}
	case err != nil:
		if wait, ok := s.bad.Allow(client, now); !ok {
			return &visit{say: "busy", status: http.StatusTooManyRequests, wait: wait}
		}
		return &visit{say: "invalid", status: http.StatusNotFound}
	}
	v := &visit{t: t, status: http.StatusOK, means: t.Use.Means()}
	v.c, err = s.cfg.Case(r.Context(), t.Case)
	switch {
	case errors.Is(err, sluice.ErrNotFound): // so old that it was deleted
		v.say = "over"
		return v
	case err != nil:
		return s.trouble(r, "a case can't be read", err)
	}
	v.say = v.state()
	if v.say == "second" && s.changed(r, v) {
		v.say, v.means = "", cases.Credential
		if v.c.SelfReleases > 0 {
			v.say = "admin"
		}
	}
	return v
}

func (s *site) trouble(r *http.Request, what string, err error) *visit {
	if r.Context().Err() == nil {
		s.cfg.Log.Error("portal: "+what, "error", err)
	}
	return &visit{say: "trouble", status: http.StatusServiceUnavailable}
}

// changed asks for the password; who can't say hasn't said yes.
func (s *site) changed(r *http.Request, v *visit) bool {
	if s.cfg.Changed == nil {
		return false
	}
	ok, err := s.cfg.Changed(r.Context(), v.c.Subject, v.c.Held)
	if err != nil {
		s.cfg.Log.Warn("portal: nobody can say whether a password was changed", "case", v.c.ID, "error", err)
	}
	return ok && err == nil
}

// state says which page a case has for a ticket.
func (v *visit) state() string {
	c := v.c
	ours := c.Held.Unix() == v.t.Round.Unix()
	switch c.State {
	case sluice.CaseHeld, sluice.CaseNotified:
	case sluice.CaseRemediated, sluice.CaseWatched:
		if !ours {
			return "over"
		}
		return "released"
	case sluice.CaseOpen:
		return "open"
	case sluice.CaseMerged: // goes on as another case, of which there are other notices
		return "expired"
	default:
		return "over"
	}
	switch {
	case !ours: // abuse was seen again since
		return "expired"
	case c.Kind == sluice.CaseStolen && v.means != cases.Second:
		return "second"
	case c.SelfReleases > 0:
		return "admin"
	}
	return ""
}

// look shows the page, and notes once that somebody or something opened it.
func (s *site) look(w http.ResponseWriter, r *http.Request) {
	v := s.open(r)
	if r.Method == http.MethodGet && v.c != nil && v.t.Try != "" && v.c.State.Live() &&
		slices.ContainsFunc(v.c.Notices, func(n sluice.CaseNotice) bool { return n.ID == v.t.Try && n.Opened.IsZero() }) {
		if _, err := s.cfg.Proof(r.Context(), s.cfg.Clock(), v.c.ID, v.t.Try, sluice.ProofOpened, ""); err != nil && r.Context().Err() == nil {
			s.cfg.Log.Warn("portal: that a page was opened can't be noted", "case", v.c.ID, "error", err)
		}
	}
	s.render(w, r, v)
}

// act takes the user's word, from our own page only.
func (s *site) act(w http.ResponseWriter, r *http.Request) {
	v := s.open(r)
	if v.c == nil || v.say != "" || s.cross.Check(r) != nil || r.ParseForm() != nil {
		s.render(w, r, v)
		return
	}
	now := s.cfg.Clock()
	release := r.PostForm.Get("act") == "release"
	steps := s.speech(r).Steps[words.Kind(v.c)]
	for i := range steps {
		if release && !slices.Contains(r.PostForm["step"], strconv.Itoa(i)) {
			v.note = "all"
			s.render(w, r, v)
			return
		}
	}
	if !release && r.PostForm.Get("act") != "read" {
		s.render(w, r, v)
		return
	}
	// Who says that they are done has read it, too.
	if v.t.Try != "" {
		c, err := s.cfg.Proof(r.Context(), now, v.c.ID, v.t.Try, sluice.ProofAcknowledged, "")
		if err != nil && !errors.Is(err, cases.ErrNoSuchOne) {
			s.render(w, r, s.trouble(r, "a user's word can't be written", err))
			return
		}
		if err == nil {
			v.c = c
		}
	}
	if !release {
		v.note = "read_done"
		s.render(w, r, v)
		return
	}
	c, err := s.cfg.Confirm(r.Context(), now, v.c.ID, v.means)
	switch {
	case errors.Is(err, cases.ErrSecond):
		v.say = "second"
	case errors.Is(err, cases.ErrOnce):
		v.say = "admin"
	case errors.Is(err, cases.ErrState): // somebody else was quicker: show what is
		v = s.open(r)
	case err != nil:
		v = s.trouble(r, "a user's word can't be written", err)
	default:
		v.c, v.say = c, "released"
	}
	s.render(w, r, v)
}

// receipt takes what a service says of the notice whose ticket it was given.
func (s *site) receipt(w http.ResponseWriter, r *http.Request) {
	if !s.service(w, r) {
		return
	}
	said, ok := read(r)
	if s.cfg.Receipt == nil || !ok {
		web.JSONError(w, http.StatusBadRequest, "want a status, as JSON or a form")
		return
	}
	s.taken(w, s.cfg.Receipt(r.Context(), s.cfg.Clock(), r.PathValue("ticket"), said.status, said.detail))
}

// named takes the same of who knows the token and says the notice's name.
func (s *site) named(w http.ResponseWriter, r *http.Request) {
	if !s.service(w, r) {
		return
	}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || s.cfg.ReceiptOf == nil || s.cfg.Token == nil || !s.known(given) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		web.JSONError(w, http.StatusUnauthorized, "want the token for receipts")
		return
	}
	said, ok := read(r)
	if !ok || said.id == "" {
		web.JSONError(w, http.StatusBadRequest, "want id and status, as JSON or a form")
		return
	}
	s.taken(w, s.cfg.ReceiptOf(r.Context(), s.cfg.Clock(), said.id, said.status, said.detail))
}

func (s *site) known(given string) bool {
	want, err := s.cfg.Token()
	if err != nil || want == "" {
		if err != nil {
			s.cfg.Log.Error("portal: the token for receipts can't be read", "error", err)
		}
		return false
	}
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// service bounds how often services speak.
func (s *site) service(w http.ResponseWriter, r *http.Request) bool {
	wait, ok := s.services.Allow(web.Client(r, s.cfg.Proxies), s.cfg.Clock())
	if !ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		web.JSONError(w, http.StatusTooManyRequests, "too many receipts")
	}
	return ok
}

func (s *site) taken(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, ticket.ErrExpired):
		web.JSONError(w, http.StatusGone, "this notice is too old")
	case errors.Is(err, ticket.ErrInvalid):
		web.JSONError(w, http.StatusNotFound, "no such notice")
	default:
		web.JSONError(w, http.StatusBadRequest, "no such status: want delivered, failed or accepted, or a word of SMPP for them")
	}
}

type said struct{ id, status, detail string }

// read takes a receipt as JSON or as a form.
func read(r *http.Request) (x said, ok bool) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/json" {
		var j struct{ ID, Status, Detail string }
		if json.NewDecoder(r.Body).Decode(&j) != nil {
			return x, false
		}
		return said{j.ID, j.Status, j.Detail}, j.Status != ""
	}
	if r.ParseForm() != nil {
		return x, false
	}
	x = said{r.PostForm.Get("id"), r.PostForm.Get("status"), r.PostForm.Get("detail")}
	return x, x.status != ""
}
