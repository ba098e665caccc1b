package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/console/internal/web"
	"sluice/console/password"
)

const (
	sessionCookie = "sluice_session"
	formCookie    = "sluice_form" // ties the login form to its browser

	idleTime    = time.Hour      // without a click; refreshing lists don't count
	wholeTime   = 12 * time.Hour // then one logs in again
	maxSessions = 1000
)

// sessions are kept by the hash of their cookie, in memory only: a restart logs
// everybody out.
type sessions struct {
	mu  sync.Mutex
	all map[[32]byte]*session
}

type session struct {
	account       string
	created, seen time.Time
}

func (s *session) expired(now time.Time) bool {
	return now.Sub(s.seen) >= idleTime || now.Sub(s.created) >= wholeTime
}

func (s *sessions) add(cookie, account string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[[32]byte]*session)
	}
	var oldest [32]byte
	var at time.Time
	for k, v := range s.all {
		if v.expired(now) {
			delete(s.all, k)
		} else if at.IsZero() || v.seen.Before(at) {
			oldest, at = k, v.seen
		}
	}
	if len(s.all) >= maxSessions {
		delete(s.all, oldest)
	}
	s.all[sha256.Sum256([]byte(cookie))] = &session{account, now, now}
}

func (s *sessions) find(cookie string, now time.Time, touch bool) (account string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := sha256.Sum256([]byte(cookie))
	v, ok := s.all[key]
	if !ok {
		return "", false
	}
	if v.expired(now) {
		delete(s.all, key)
		return "", false
	}
	if touch {
		v.seen = now
	}
	return v.account, true
}

// removeOthers ends the sessions of an account but the one with this cookie.
func (s *sessions) removeOthers(account, cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := sha256.Sum256([]byte(cookie))
	for k, v := range s.all {
		if v.account == account && k != keep {
			delete(s.all, k)
		}
	}
}

func (s *sessions) remove(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, sha256.Sum256([]byte(cookie)))
}

// visit is a request of somebody who is logged in.
type visit struct {
	account string
	csrf    string
	cookie  string
}

// session returns the visit of a request. Lists that refresh themselves don't
// keep a session alive: an unattended screen logs out.
func (c *Console) session(r *http.Request, touch bool) (*visit, bool) {
	k, err := r.Cookie(sessionCookie)
	if err != nil || len(k.Value) > 100 {
		return nil, false
	}
	// htmx names the element that asks: these are the ones that refresh themselves.
	by := r.Header.Get("HX-Trigger")
	touch = touch && by != "list" && by != "chart"
	account, ok := c.sessions.find(k.Value, c.cfg.Clock(), touch)
	if !ok {
		return nil, false
	}
	return &visit{account, c.csrf(k.Value), k.Value}, true
}

// csrf derives the token of forms from a cookie.
func (c *Console) csrf(cookie string) string {
	m := hmac.New(sha256.New, c.csrfKey[:])
	m.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// signedIn wraps pages that need a login.
func (c *Console) signedIn(h func(http.ResponseWriter, *http.Request, *visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.session(r, true)
		if !ok {
			to := "/login"
			if r.Method == http.MethodGet && r.URL.Path != "/" {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			if r.Header.Get("HX-Request") != "" {
				w.Header().Set("HX-Redirect", to) // htmx would put the login page into the list
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead && !equal(r.PostFormValue("csrf"), v.csrf) {
			c.fail(w, r, v, http.StatusForbidden, "This form is out of date. Go back, reload the page, and try again.", nil)
			return
		}
		h(w, r, v)
	})
}

func (c *Console) cookie(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteStrictMode})
}

// form gives a page without a session its token, and the browser the cookie
// that goes with it.
func (c *Console) form(w http.ResponseWriter, r *http.Request) (string, error) {
	if k, err := r.Cookie(formCookie); err == nil && len(k.Value) == 43 {
		return c.csrf(k.Value), nil
	}
	value, err := c.secret()
	if err != nil {
		return "", err
	}
	c.cookie(w, formCookie, value, wholeTime)
	return c.csrf(value), nil
}

// formOK checks that a form without a session came from a page of ours.
func (c *Console) formOK(r *http.Request) bool {
	k, err := r.Cookie(formCookie)
	return err == nil && equal(r.PostFormValue("csrf"), c.csrf(k.Value))
}

type loginPage struct {
	layout
	Name, Next, Error string
	Min               int
	Token             string
}

func (c *Console) loginForm(w http.ResponseWriter, r *http.Request) {
	if _, ok := c.session(r, false); ok {
		http.Redirect(w, r, "/messages", http.StatusSeeOther)
		return
	}
	c.showLogin(w, r, http.StatusOK, "")
}

func (c *Console) showLogin(w http.ResponseWriter, r *http.Request, status int, problem string) {
	token, err := c.form(w, r)
	if err != nil {
		c.fail(w, r, nil, http.StatusInternalServerError, "No login now.", err)
		return
	}
	p := loginPage{layout: layout{Title: "Log in", CSRF: token}, Error: problem, Name: r.PostFormValue("name"), Next: local(r.FormValue("next"))}
	if n, err := c.cfg.Store.CountAccounts(r.Context()); err == nil && n == 0 && problem == "" {
		p.Error = "There is no account yet. Open the address that the program printed when it started; it prints a new one at each start."
	}
	c.render(w, status, "login", &p)
}

func (c *Console) loginPost(w http.ResponseWriter, r *http.Request) {
	if !c.formOK(r) {
		c.showLogin(w, r, http.StatusForbidden, "The form was out of date, or cookies are switched off. Please try again.")
		return
	}
	if !c.mayTry(w, r) {
		return
	}
	name := r.PostFormValue("name")
	a, err := c.cfg.Store.Account(r.Context(), name)
	if err != nil && !errors.Is(err, sluice.ErrNotFound) {
		c.fail(w, r, nil, http.StatusInternalServerError, "Accounts can't be read at the moment.", err)
		return
	}
	hash := ""
	if a != nil {
		hash = a.Password
	}
	if !c.verify(r, hash, r.PostFormValue("password")) {
		c.outcome.WithLabelValues("refused").Inc()
		c.cfg.Log.Warn("console: login refused", slog.String("account", escape(name)), slog.Any("client", web.Client(r, c.cfg.Proxies)))
		c.showLogin(w, r, http.StatusUnauthorized, "Name or password is wrong.")
		return
	}
	c.welcome(w, r, a.Name, local(r.PostFormValue("next")))
}

// mayTry counts one attempt at a secret, and answers the request where there
// were too many.
func (c *Console) mayTry(w http.ResponseWriter, r *http.Request) bool {
	wait, ok := c.logins.Allow(web.Client(r, c.cfg.Proxies), c.cfg.Clock())
	if !ok {
		c.outcome.WithLabelValues("limited").Inc()
		seconds := int(wait/time.Second) + 1
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		c.showLogin(w, r, http.StatusTooManyRequests, "Too many attempts. Wait "+strconv.Itoa(seconds)+" seconds.")
	}
	return ok
}

// verify hashes under a bound, so that a crowd at the login takes no memory
// from the mail.
func (c *Console) verify(r *http.Request, hash, word string) bool {
	select {
	case c.hashing <- struct{}{}:
		defer func() { <-c.hashing }()
		return password.Verify(hash, word)
	case <-r.Context().Done():
		return false
	}
}

// welcome begins a session.
func (c *Console) welcome(w http.ResponseWriter, r *http.Request, account, next string) {
	value, err := c.secret()
	if err != nil {
		c.fail(w, r, nil, http.StatusInternalServerError, "No login now.", err)
		return
	}
	c.sessions.add(value, account, c.cfg.Clock())
	c.cookie(w, sessionCookie, value, wholeTime)
	c.cookie(w, formCookie, "", -time.Second)
	c.outcome.WithLabelValues("ok").Inc()
	c.cfg.Log.Info("console: login", slog.String("account", escape(account)), slog.Any("client", web.Client(r, c.cfg.Proxies)))
	if next == "" {
		next = "/messages"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, v *visit) {
	c.sessions.remove(v.cookie)
	c.cookie(w, sessionCookie, "", -time.Second)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// local keeps a path on this server, and nothing else, as a place to go to.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") || len(next) > 500 {
		return ""
	}
	return next
}

// setupOpen says whether the one-time token is right and still good. It answers
// the request where not.
func (c *Console) setupOpen(w http.ResponseWriter, r *http.Request) bool {
	n, err := c.cfg.Store.CountAccounts(r.Context())
	if err != nil {
		c.fail(w, r, nil, http.StatusInternalServerError, "Accounts can't be read at the moment.", err)
		return false
	}
	c.setup.Lock()
	defer c.setup.Unlock()
	if n > 0 || c.setup.token == "" || !equal(c.setup.token, r.PathValue("token")) {
		c.fail(w, r, nil, http.StatusNotFound,
			"This address is not good, or not any more. The first account is made once; the program prints the address when it starts without one.", nil)
		return false
	}
	return true
}

func (c *Console) setupForm(w http.ResponseWriter, r *http.Request) {
	if c.setupOpen(w, r) {
		c.showSetup(w, r, http.StatusOK, "admin", "")
	}
}

func (c *Console) showSetup(w http.ResponseWriter, r *http.Request, status int, name, problem string) {
	token, err := c.form(w, r)
	if err != nil {
		c.fail(w, r, nil, http.StatusInternalServerError, "No set-up now.", err)
		return
	}
	c.render(w, status, "setup", &loginPage{layout: layout{Title: "Welcome", CSRF: token},
		Name: name, Error: problem, Min: password.MinLength, Token: r.PathValue("token")})
}

// wordProblem says what is wrong with a new password, "" for nothing.
func wordProblem(word, again string) string {
	switch {
	case len(word) < password.MinLength:
		return "The password is too short: at least " + strconv.Itoa(password.MinLength) + " characters."
	case len(word) > password.MaxLength:
		return "The password is too long: at most " + strconv.Itoa(password.MaxLength) + " characters."
	case word != again:
		return "The two passwords differ."
	}
	return ""
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9._@+-]{1,64}$`)

func (c *Console) setupPost(w http.ResponseWriter, r *http.Request) {
	if !c.setupOpen(w, r) {
		return
	}
	name, word := r.PostFormValue("name"), r.PostFormValue("password")
	problem := wordProblem(word, r.PostFormValue("again"))
	switch {
	case !c.formOK(r):
		problem = "The form was out of date, or cookies are switched off. Please try again."
	case !accountName.MatchString(name):
		problem = "A name has letters, digits, and . _ @ + - only."
	}
	if problem != "" {
		c.showSetup(w, r, http.StatusBadRequest, name, problem)
		return
	}
	hash, err := password.Hash(c.cfg.Rand, word)
	if err != nil {
		c.fail(w, r, nil, http.StatusInternalServerError, "The password can't be kept.", err)
		return
	}
	// Of two who come at the same moment, one wins.
	c.setup.Lock()
	used := c.setup.token == ""
	if !used {
		if err = c.cfg.Store.PutAccount(r.Context(), &sluice.Account{Name: name, Password: hash, Created: c.cfg.Clock()}); err == nil {
			c.setup.token = ""
		}
	}
	c.setup.Unlock()
	switch {
	case used:
		c.fail(w, r, nil, http.StatusNotFound, "The first account has just been made.", nil)
	case err != nil:
		c.fail(w, r, nil, http.StatusInternalServerError, "The account can't be kept.", err)
	default:
		c.cfg.Log.Info("console: first account made", slog.String("account", name), slog.Any("client", web.Client(r, c.cfg.Proxies)))
		c.welcome(w, r, name, "")
	}
}

func (c *Console) accountForm(w http.ResponseWriter, r *http.Request, v *visit) {
	c.showAccount(w, r, v, http.StatusOK, "")
}

func (c *Console) showAccount(w http.ResponseWriter, r *http.Request, v *visit, status int, problem string) {
	p := loginPage{layout: c.layout(r.Context(), v, "account", "Account"), Name: v.account, Error: problem, Min: password.MinLength}
	if r.URL.Query().Get("done") == "password" {
		p.Notice = "The password is changed. All other sessions of this account have ended."
	}
	c.render(w, status, "account", &p)
}

// accountPost changes one's own password. The old one is asked for, so that an
// unattended screen isn't enough, and guesses at it are limited like logins.
func (c *Console) accountPost(w http.ResponseWriter, r *http.Request, v *visit) {
	if !c.mayTry(w, r) {
		return
	}
	a, err := c.cfg.Store.Account(r.Context(), v.account)
	if err != nil {
		c.fail(w, r, v, http.StatusInternalServerError, "Accounts can't be read at the moment.", err)
		return
	}
	word := r.PostFormValue("password")
	if problem := wordProblem(word, r.PostFormValue("again")); problem != "" {
		c.showAccount(w, r, v, http.StatusBadRequest, problem)
		return
	}
	if !c.verify(r, a.Password, r.PostFormValue("old")) {
		c.showAccount(w, r, v, http.StatusForbidden, "The old password is wrong.")
		return
	}
	if a.Password, err = password.Hash(c.cfg.Rand, word); err == nil {
		err = c.cfg.Store.PutAccount(r.Context(), a)
	}
	if err != nil {
		c.fail(w, r, v, http.StatusInternalServerError, "The password can't be kept.", err)
		return
	}
	c.sessions.removeOthers(v.account, v.cookie)
	c.cfg.Log.Info("console: password changed", slog.String("account", escape(v.account)), slog.Any("client", web.Client(r, c.cfg.Proxies)))
	http.Redirect(w, r, "/account?done=password", http.StatusSeeOther)
}
