package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client asks a running gateway for snapshots.
type Client struct {
	base, token string
	http        http.Client
}

// timeout of one question.
const timeout = 5 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 8 << 20

// ErrRefused is that a console doesn't know the token.
var ErrRefused = errors.New("live: the console doesn't take the token; it needs one of console.tokens in the settings")

// OnSocket asks the daemon whose control socket is at path.
func OnSocket(path string) *Client {
	c := &Client{base: "http://sluice/live"}
	c.http = http.Client{Timeout: timeout, CheckRedirect: stay, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}}}
	return c
}

// OnConsole asks the console at an address such as https://console.example.org, with a
// bearer token.
func OnConsole(address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("live: %q is no address like https://console.example.org", address)
	}
	c := &Client{base: strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/") + "/api/v1/live", token: token}
	c.http = http.Client{Timeout: timeout, CheckRedirect: stay}
	return c, nil
}

// stay follows no redirect: the token is for the console alone.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Snapshot asks for the state now, with the last minutes of the series.
func (c *Client) Snapshot(ctx context.Context, minutes int) (Snapshot, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"?minutes="+strconv.Itoa(minutes), nil)
	if err != nil {
		return Snapshot{}, fmt.Errorf("live: %w", err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return Snapshot{}, fmt.Errorf("live: %w", err)
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return Snapshot{}, ErrRefused
	case resp.StatusCode != http.StatusOK:
		words, _ := io.ReadAll(io.LimitReader(body, 300))
		return Snapshot{}, fmt.Errorf("live: the gateway answers %d: %q", resp.StatusCode, strings.TrimSpace(string(words)))
	}
	var s Snapshot
	if err := json.NewDecoder(body).Decode(&s); err != nil {
		return Snapshot{}, fmt.Errorf("live: the answer can't be read: %w", err)
	}
	return s, nil
}
