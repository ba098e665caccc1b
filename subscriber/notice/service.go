package notice

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sluice"
	"sluice/directory"
	"sluice/subscriber/notice/words"
)

// Service is something asked by HTTP: an SMS gateway, a webhook, a network's captive
// portal. In URL and Body stand {number} (the contact's address), {text}, {title}, {link},
// {id} (the notice's name), {case}, {subject}, {kind}, {language}, {action} ("on" or "off",
// for a captive portal) and {receipt} (the address for a receipt of this very notice).
type Service struct {
	// URL is "https://HOST/PATH", or "http://" to loopback; values are put in as parts of a
	// query. "{address}" alone asks the contact's own address.
	URL string
	// Body is put in as ContentType wants it: JSON strings (without their quotes), parts of
	// a form, or plain text. "": a JSON object with all of them.
	Body        string
	ContentType string // default application/json
	// TokenFile holds a bearer token; User and PasswordFile are for basic authentication.
	// Files are read at each request.
	TokenFile, User, PasswordFile string
	Receipts                      string // the address before a receipt's ticket, "" for none
	Timeout                       time.Duration
	Transport                     http.RoundTripper // nil: one of its own

	client *http.Client
}

// contactURL says that each contact is an address to be asked.
const contactURL = "{address}"

func (s *Service) check() error {
	if s.URL != contactURL {
		if err := far(strings.NewReplacer("{", "", "}", "").Replace(s.URL)); err != nil {
			return err
		}
	}
	s.ContentType = cmp.Or(s.ContentType, "application/json")
	kind, _, err := mime.ParseMediaType(s.ContentType)
	if err != nil {
		return fmt.Errorf("content type %q: %w", s.ContentType, err)
	}
	if kind == "application/json" && s.Body != "" && !json.Valid([]byte(fill(s.Body, func(string) string { return "x" }, nil))) {
		return errors.New("body: not JSON once values are put in")
	}
	if s.Timeout <= 0 {
		s.Timeout = 10 * time.Second
	}
	if s.Transport == nil {
		s.Transport = &http.Transport{MaxConnsPerHost: workers, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: s.Timeout, MaxResponseHeaderBytes: 32 << 10}
	}
	// A redirection would take the token and the text elsewhere.
	s.client = &http.Client{Timeout: s.Timeout, Transport: s.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return nil
}

// far refuses addresses to which names and links would go in clear text.
func far(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("url: want https://HOST/PATH")
	}
	if u.Scheme == "http" {
		if a := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (a == nil || !a.IsLoopback()) {
			return fmt.Errorf("who is told what goes to %s in clear text: want https", u.Host)
		}
	}
	return nil
}

// fill puts values into the names in braces, each made fit by escape.
func fill(text string, escape func(string) string, values map[string]string) string {
	var pairs []string
	for _, name := range []string{"number", "address", "text", "title", "link", "id", "case", "subject", "kind", "language", "action", "receipt"} {
		pairs = append(pairs, name, escape(values[name]))
	}
	return words.Fill(text, pairs...)
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 10

func (s *Service) send(ctx context.Context, m *message) (sluice.ProofLevel, string, error) {
	return s.ask(ctx, m.contact.Address, m.values(s, "on"))
}

func (m *message) values(s *Service, action string) map[string]string {
	v := map[string]string{"number": m.contact.Address, "address": m.contact.Address, "text": m.Text.Text, "title": m.Subject, "link": m.link, "id": m.name(),
		"case": m.c.ID, "subject": m.c.Subject, "kind": words.Kind(m.c), "language": m.language, "action": action}
	if s.Receipts != "" {
		v["receipt"] = s.Receipts + m.receipt
	}
	return v
}

// ask makes the request. A 2xx is "accepted", or "delivered" where the answer says so.
func (s *Service) ask(ctx context.Context, address string, values map[string]string) (sluice.ProofLevel, string, error) {
	to := address
	if s.URL != contactURL {
		to = fill(s.URL, url.QueryEscape, values)
	}
	if err := far(to); err != nil {
		return "", "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(s.body(values)))
	if err != nil {
		return "", "", errors.New("the address can't be asked") // which names the subscriber
	}
	req.Header.Set("Content-Type", s.ContentType)
	req.Header.Set("Idempotency-Key", values["id"]+"."+values["action"])
	if err := s.authorize(req); err != nil {
		return "", "", err
	}
	res, err := s.client.Do(req)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return "", "", fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if res.StatusCode/100 != 2 {
		return "", "", fmt.Errorf("%s answers %s", req.URL.Host, clip(res.Status))
	}
	var said struct{ Status string }
	if err == nil && json.Unmarshal(answer, &said) == nil && s.URL == contactURL && level(said.Status) == sluice.ProofDelivered {
		return sluice.ProofDelivered, clip(res.Status), nil
	}
	return sluice.ProofAccepted, clip(res.Status), nil
}

func (s *Service) body(values map[string]string) []byte {
	if s.Body == "" {
		b, _ := json.Marshal(values) // of strings: it can't fail
		return b
	}
	kind, _, _ := mime.ParseMediaType(s.ContentType) // checked
	escape := func(v string) string { return v }
	switch kind {
	case "application/json":
		escape = func(v string) string {
			b, _ := json.Marshal(v)
			return string(b[1 : len(b)-1])
		}
	case "application/x-www-form-urlencoded":
		escape = url.QueryEscape
	}
	return []byte(fill(s.Body, escape, values))
}

func (s *Service) authorize(req *http.Request) error {
	if s.TokenFile != "" {
		token, err := directory.ReadPassword(s.TokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if s.User != "" {
		password, err := directory.ReadPassword(s.PasswordFile)
		if err != nil {
			return err
		}
		req.SetBasicAuth(s.User, password)
	}
	return nil
}

// lift takes captive portals back from those who aren't restricted any more. What fails
// is tried at the next look.
func (n *Notifier) lift(ctx context.Context) {
	n.mu.Lock()
	list := n.free
	n.free = nil
	n.mu.Unlock()
	for i, id := range list {
		c, err := n.cfg.Warden.Case(ctx, id)
		if errors.Is(err, sluice.ErrNotFound) {
			continue
		}
		if err == nil && c.Restrict != sluice.RestrictNone {
			continue // held again meanwhile
		}
		if err == nil {
			m := &message{c: c, try: "captive-off"}
			m.contact.Channel, m.contact.Address = ByCaptive, c.Subject
			_, _, err = n.cfg.Captive.ask(ctx, c.Subject, m.values(&Service{}, "off"))
		}
		if err != nil {
			n.cfg.Log.Warn("a captive portal can't be lifted; it is tried again", "case", id, "error", err)
			n.mu.Lock()
			n.free = append(n.free, list[i:]...)
			n.mu.Unlock()
			return
		}
	}
}
