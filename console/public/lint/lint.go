// Package lint serves the page where a sender pastes or uploads a message, and is told
// how receivers see it and what to change; and the same as an API.
//
// Strangers see what the message says of itself: authentication, structure, the rules of
// large receivers, and in one word what would become of it. They are told no points, no
// words and no thresholds, and may ask a few times an hour: with more, a spammer would
// try until a message passes. Who shows a token of the API is told all.
//
// A message is looked at and forgotten: nothing of it is stored, logged or learned from.
package lint

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sluice/console/internal/web"
	"sluice/lint/report"
)

// Config wires the page. Lint is needed.
type Config struct {
	// Lint looks at a message as it stands in a file. It has to heed the context, and says
	// ErrBusy where it waited for others in vain.
	Lint func(ctx context.Context, raw []byte) (*report.Report, error)
	// Address makes an address to which one message may be mailed; nil: there are none.
	Address func() (string, error)
	// Token says whether a bearer token of the API is good; nil: nobody has one.
	Token func(token string) bool

	MaxSize  int64         // of a message, in octets; 0: 2 MiB
	Wait     time.Duration // for one look; 0: 20 s
	Requests int           // with a message, at a time; 0: 16

	Proxies    []netip.Prefix // reverse proxies whose X-Forwarded-For is believed
	Postmaster string         // whom to write to, "" for none
	Node       string         // the name of this gateway, shown on the page

	Clock func() time.Time // default time.Now
	Log   *slog.Logger     // default: discards
}

// ErrBusy says that others were looked at all the time.
var ErrBusy = errors.New("lint: others are being looked at")

// Paths are those that the handler serves.
var Paths = []string{"/lint", "/lint/address", "/lint/lint.css"}

//go:embed templates/lint.css
var style []byte

// site is the handler's state.
type site struct {
	cfg  Config
	page *pages
	room chan struct{} // requests whose message is in memory

	one, all web.Limiter // looks of one address, of everybody
}

// New checks the configuration and returns the handler of [Paths]. Security headers and
// the check of the Host header are the caller's.
func New(cfg Config) (http.Handler, error) {
	if cfg.Lint == nil {
		return nil, errors.New("lint: nobody looks at messages")
	}
	if cfg.MaxSize <= 0 {
		cfg.MaxSize = 2 << 20
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 20 * time.Second
	}
	if cfg.Requests <= 0 {
		cfg.Requests = 16
	}
	if cfg.Token == nil {
		cfg.Token = func(string) bool { return false }
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	page, err := parsePages()
	if err != nil {
		return nil, err
	}
	s := &site{cfg: cfg, page: page, room: make(chan struct{}, cfg.Requests),
		one: web.Limiter{Burst: 5, Every: 6 * time.Minute, Size: 20_000},
		all: web.Limiter{Burst: 60, Every: 10 * time.Second, Size: 1}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lint", func(w http.ResponseWriter, _ *http.Request) { s.show(w, http.StatusOK, &view{}) })
	mux.HandleFunc("POST /lint", s.look)
	if cfg.Address != nil {
		mux.HandleFunc("POST /lint/address", s.address)
	}
	mux.HandleFunc("GET /lint/lint.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(style) // the client is gone
	})
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// What is wrong with a request.
var (
	errEmpty = errors.New("lint: no message in the request")
	errKind  = errors.New("lint: neither a message nor a form")
)

// look answers a POST: a page for browsers, JSON for programs.
func (s *site) look(w http.ResponseWriter, r *http.Request) {
	token, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	full := has && s.cfg.Token(strings.TrimSpace(token))
	a := &answer{site: s, w: w, json: !isForm(r) || strings.Contains(r.Header.Get("Accept"), "application/json")}
	if has && !full {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
		a.fail(http.StatusUnauthorized, "This token isn't known.")
		return
	}
	if !full && !s.allow(a, r) {
		return
	}
	select {
	case s.room <- struct{}{}:
		defer func() { <-s.room }()
	default:
		a.busy()
		return
	}
	raw, err := s.read(w, r)
	switch _, large := errors.AsType[*http.MaxBytesError](err); {
	case large:
		a.fail(http.StatusRequestEntityTooLarge, "The message is larger than "+strconv.FormatInt(s.cfg.MaxSize>>10, 10)+" kB.")
		return
	case errors.Is(err, errEmpty):
		a.fail(http.StatusBadRequest, "There is no message: paste its source, or choose a file.")
		return
	case errors.Is(err, errKind):
		a.fail(http.StatusUnsupportedMediaType, "Send the message itself as message/rfc822, or a form.")
		return
	case err != nil:
		a.fail(http.StatusBadRequest, "The form can't be read.")
		return
	}
	s.judge(a, r, raw, full)
}

// allow counts a look of a stranger, and answers where there were too many.
func (s *site) allow(a *answer, r *http.Request) bool {
	wait, ok := s.one.Allow(web.Client(r, s.cfg.Proxies), s.cfg.Clock())
	if ok {
		wait, ok = s.all.Allow(netip.Addr{}, s.cfg.Clock())
	}
	if !ok {
		a.later(http.StatusTooManyRequests, wait, "That were many messages. Please come again in "+minutes(wait)+".")
	}
	return ok
}

// address shows one for a message by mail; it counts as a look.
func (s *site) address(w http.ResponseWriter, r *http.Request) {
	a := &answer{site: s, w: w, json: strings.Contains(r.Header.Get("Accept"), "application/json")}
	if !s.allow(a, r) {
		return
	}
	addr, err := s.cfg.Address()
	switch {
	case err != nil:
		s.cfg.Log.Error("lint: no address can be made", slog.Any("error", err))
		a.fail(http.StatusInternalServerError, "No address can be made at the moment; it is our fault, and was logged.")
	case a.json:
		web.JSON(w, http.StatusOK, map[string]string{"address": addr})
	default:
		s.show(w, http.StatusOK, &view{Address: addr})
	}
}

// judge looks.
func (s *site) judge(a *answer, r *http.Request, raw []byte, full bool) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Wait)
	defer cancel()
	rep, err := s.cfg.Lint(ctx, raw)
	switch {
	case errors.Is(err, ErrBusy):
		a.busy()
		return
	case err != nil:
		s.cfg.Log.Error("lint: a message can't be looked at", slog.Any("error", err))
		a.fail(http.StatusInternalServerError, "The message can't be looked at at the moment; it is our fault, and was logged.")
		return
	}
	if !full {
		rep = rep.Public()
	}
	a.report(rep)
}

// answer is how one request is answered.
type answer struct {
	*site
	w    http.ResponseWriter
	json bool
}

func (a *answer) report(r *report.Report) {
	if a.json {
		web.JSON(a.w, http.StatusOK, r)
		return
	}
	a.show(a.w, http.StatusOK, &view{Report: r})
}

func (a *answer) fail(status int, text string) {
	if a.json {
		web.JSONError(a.w, status, text)
		return
	}
	a.show(a.w, status, &view{Problem: text})
}

func (a *answer) busy() {
	a.later(http.StatusServiceUnavailable, time.Minute, "Others are being looked at. Please come again in a minute.")
}

func (a *answer) later(status int, wait time.Duration, text string) {
	a.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	a.fail(status, text)
}

func minutes(d time.Duration) string {
	if n := int(d/time.Minute) + 1; n > 1 {
		return strconv.Itoa(n) + " minutes"
	}
	return "a minute"
}

func kind(r *http.Request) (string, map[string]string) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", nil
	}
	return media, params
}

func isForm(r *http.Request) bool {
	media, _ := kind(r)
	return media == "application/x-www-form-urlencoded" || media == "multipart/form-data"
}

// formSlack is what a form needs beside the message; percent-encoding takes up to three
// octets for one.
const formSlack = 64 << 10

// read takes the message out of a request: its body, or the form's text or file.
func (s *site) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	media, params := kind(r)
	var raw []byte
	var err error
	switch media {
	case "message/rfc822", "message/global", "text/plain", "application/octet-stream":
		raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxSize))
	case "application/x-www-form-urlencoded":
		r.Body = http.MaxBytesReader(w, r.Body, 3*s.cfg.MaxSize+formSlack)
		if err = r.ParseForm(); err == nil {
			raw = []byte(r.PostForm.Get("message"))
		}
	case "multipart/form-data":
		r.Body = http.MaxBytesReader(w, r.Body, s.cfg.MaxSize+formSlack)
		raw, err = s.parts(r.Body, params["boundary"])
	default:
		return nil, errKind
	}
	switch {
	case err != nil:
		return nil, err
	case int64(len(raw)) > s.cfg.MaxSize:
		return nil, &http.MaxBytesError{Limit: s.cfg.MaxSize}
	case strings.TrimSpace(string(raw)) == "":
		return nil, errEmpty
	}
	return raw, nil
}

// maxParts bounds the fields of a form.
const maxParts = 10

// parts reads a form: a file counts before the text, which an editor may have changed.
func (s *site) parts(body io.Reader, boundary string) ([]byte, error) {
	if boundary == "" {
		return nil, errKind
	}
	var text []byte
	form := multipart.NewReader(body, boundary)
	for range maxParts {
		p, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(p)
		if err != nil {
			return nil, err
		}
		switch p.FormName() {
		case "file":
			if len(b) > 0 {
				return b, nil
			}
		case "message":
			text = b
		}
	}
	return text, nil
}
