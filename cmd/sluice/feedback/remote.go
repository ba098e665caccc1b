package feedback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/labels"
)

// maxAnswer bounds what a console may answer.
const maxAnswer = 16 << 20

// remote is the log behind a console's API. It speaks for the token, so the name of
// who runs the command isn't sent.
type remote struct {
	base, token string
	http        http.Client
}

func newRemote(address, token string) (*remote, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is no address like https://console.example.org", address)
	case token == "":
		return nil, errors.New("a console wants a token: SLUICE_TOKEN, or --token-file")
	}
	return &remote{base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/") + "/api/v1", token: token,
		http: http.Client{Timeout: time.Minute,
			// The token is for the console alone.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Close lets go of idle connections.
func (r *remote) Close() error {
	r.http.CloseIdleConnections()
	return nil
}

// ask sends a request and reads the answer into out.
func (r *remote) ask(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		req.Header.Set("Content-Type", "message/rfc822")
	}
	res, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return err
	}
	switch {
	case res.StatusCode == http.StatusNotFound:
		return fmt.Errorf("the console: %w", sluice.ErrNotFound)
	case res.StatusCode == http.StatusUnauthorized:
		return errors.New("the console doesn't take this token")
	case res.StatusCode/100 != 2:
		var e struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(answer, &e) != nil || e.Error == "" {
			return fmt.Errorf("the console answers %s", res.Status)
		}
		return fmt.Errorf("the console: %q", e.Error)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the console's answer can't be read: %w", err)
	}
	return nil
}

// entry asks for one entry.
func (r *remote) entry(ctx context.Context, method, path string, query url.Values, body []byte) (*sluice.Feedback, error) {
	var e labels.Entry
	if err := r.ask(ctx, method, path, query, body, &e); err != nil {
		return nil, err
	}
	return e.Feedback(), nil
}

// Clean implements [Book]: the console does that.
func (r *remote) Clean(_ context.Context, raw []byte) ([]byte, string) { return raw, "" }

// Teach implements [sluice.Teacher].
func (r *remote) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	q := url.Values{"spam": {"0"}, "to": l.To}
	if l.Spam {
		q.Set("spam", "1")
		q.Set("threat", l.Threat.String())
	}
	if l.Source != sluice.SourceAdmin {
		q.Set("by", l.By)
		q.Set("source", string(l.Source))
	}
	return r.entry(ctx, http.MethodPost, "/labels", q, l.Raw)
}

// Undo implements [sluice.Teacher].
func (r *remote) Undo(ctx context.Context, seq int64, _ string) (*sluice.Feedback, error) {
	return r.entry(ctx, http.MethodPost, "/labels/"+strconv.FormatInt(seq, 10)+"/undo", nil, nil)
}

// Accept implements [sluice.Teacher].
func (r *remote) Accept(ctx context.Context, seq int64, _ string) (*sluice.Feedback, error) {
	return r.entry(ctx, http.MethodPost, "/labels/"+strconv.FormatInt(seq, 10)+"/accept", nil, nil)
}

// Reporters implements [sluice.Teacher].
func (r *remote) Reporters(ctx context.Context, limit int) ([]sluice.Reporter, error) {
	var a struct {
		Reporters []labels.Reporter `json:"reporters"`
	}
	err := r.ask(ctx, http.MethodGet, "/reporters", url.Values{"limit": {strconv.Itoa(limit)}}, nil, &a)
	out := make([]sluice.Reporter, 0, len(a.Reporters))
	for _, x := range a.Reporters {
		out = append(out, sluice.Reporter(x))
	}
	return out, err
}

// FeedbackEntry implements [Book].
func (r *remote) FeedbackEntry(ctx context.Context, seq int64) (*sluice.Feedback, error) {
	return r.entry(ctx, http.MethodGet, "/labels/"+strconv.FormatInt(seq, 10), nil, nil)
}

// ListFeedback implements [Book].
func (r *remote) ListFeedback(ctx context.Context, q sluice.FeedbackQuery) ([]*sluice.Feedback, error) {
	v := url.Values{}
	for k, s := range map[string]string{"by": q.By, "state": string(q.State), "kind": string(q.Kind), "id": q.ID, "tenant": q.Tenant} {
		if s != "" {
			v.Set(k, s)
		}
	}
	v.Set("limit", strconv.Itoa(q.Page()))
	if q.Before > 0 {
		v.Set("before", strconv.FormatInt(q.Before, 10))
	}
	var a struct {
		Labels []labels.Entry `json:"labels"`
	}
	err := r.ask(ctx, http.MethodGet, "/labels", v, nil, &a)
	out := make([]*sluice.Feedback, 0, len(a.Labels))
	for _, e := range a.Labels {
		out = append(out, e.Feedback())
	}
	return out, err
}
