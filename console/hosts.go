package console

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/console/internal/ledger"
	"sluice/console/internal/web"
	"sluice/live"
)

// Port is what the pages Live and Hosts show. A nil function hides its part.
type Port struct {
	// Live is what goes on now.
	Live func(now time.Time) live.Snapshot
	// Hosts lists the first n reputations of a kind in an order, one of [Kinds] and
	// [Orders].
	Hosts func(now time.Time, kind, order string, n int) []Host
	// Host is what is known of one client: of its address, network and operator.
	Host func(now time.Time, client netip.Addr) []Host
	// Bans are those that run now, the latest first.
	Bans func(now time.Time) []Ban
	// Lift ends the bans of a client, or of a network given by its first address; by is
	// the account. ErrNotFound: there is none.
	Lift func(ctx context.Context, network netip.Prefix, by string) error
	// Lists are the DNS lists, Directories the sources of recipients, Certificates
	// what the doors show to clients.
	Lists        func(now time.Time) []List
	Directories  func(now time.Time) []Directory
	Certificates func(now time.Time) []Certificate
}

// hosts says whether there is anything for the page of that name.
func (p *Port) hosts() bool {
	return p.Hosts != nil || p.Bans != nil || p.Lists != nil || p.Directories != nil || p.Certificates != nil
}

// canLift says whether bans can be lifted: only what is shown can be.
func (p *Port) canLift() bool { return p.Bans != nil && p.Lift != nil }

// Choice is an entry of a list to choose from.
type Choice struct {
	ID, Words string
	One       string // of them, where there may be one
}

// Kinds are the kinds of reputations. The ids are those of package learn/reputation.
var Kinds = []Choice{{"address", "addresses", "address"}, {"prefix", "networks", "network"}, {"asn", "operators", "operator"},
	{"helo", "greetings", "greeting"}, {"domain", "sender domains", "sender domain"}, {"dialect", "dialects", "dialect"}, {"tls", "TLS programs", "TLS program"}}

// Orders are what a list begins with.
var Orders = []Choice{{ID: "worst", Words: "worst first"}, {ID: "best", Words: "best first"}, {ID: "latest", Words: "latest first"}, {ID: "most", Words: "most mail first"}}

// Host is a reputation.
type Host struct {
	Kind        string    `json:"kind"`
	Key         string    `json:"key"`            // as a client gave it: hostile text
	Words       string    `json:"words,omitzero"` // what the key means, "" where it speaks for itself
	Good        float64   `json:"good"`           // faded counts of outcomes
	Bad         float64   `json:"bad"`
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"`
	Probability float64   `json:"probability"` // of unwanted
	Decibel     float64   `json:"decibel"`     // that it counts; positive is against it
	Known       bool      `json:"known"`       // it has sent wanted mail, and is let in first
}

// Ban is a client or network that is turned away.
type Ban struct {
	Network netip.Prefix  `json:"network"`
	Since   time.Time     `json:"since"`
	Until   time.Time     `json:"until"`
	Times   int           `json:"times"` // in a row
	Reason  sluice.Reason `json:"reason"`
}

// List is a DNS list.
type List struct {
	Name     string    `json:"name"`
	Zone     string    `json:"zone"` // without a key
	Kind     string    `json:"kind"`
	Weight   float64   `json:"weight"`
	State    string    `json:"state"` // "healthy", "untested", "suspect", "off"
	Since    time.Time `json:"since,omitzero"`
	Why      string    `json:"why,omitzero"`
	Believed bool      `json:"believed"` // what it lists counts
	Tested   time.Time `json:"tested,omitzero"`
	Next     time.Time `json:"next,omitzero"` // test
	Recent   Answers   `json:"recent"`        // in the last ten minutes
	Total    Answers   `json:"total"`         // since the start
}

// Answers of a list by kind.
type Answers struct {
	Listed    uint64 `json:"listed"`
	NotListed uint64 `json:"not_listed"`
	NoAnswer  uint64 `json:"no_answer"`
	Refused   uint64 `json:"refused"`
	Unusable  uint64 `json:"unusable"`
}

// Sum is all of them.
func (a Answers) Sum() uint64 { return a.Listed + a.NotListed + a.NoAnswer + a.Refused + a.Unusable }

// Failed are those that say nothing about a client.
func (a Answers) Failed() uint64 { return a.NoAnswer + a.Refused + a.Unusable }

// Directory is a source of recipients.
type Directory struct {
	Source  string    `json:"source"`
	Domains []string  `json:"domains"`
	State   string    `json:"state"` // as package directory names it
	Fine    bool      `json:"fine"`  // the state is no trouble
	Since   time.Time `json:"since,omitzero"`
	Retry   time.Time `json:"retry,omitzero"` // when it is asked again
	Trouble string    `json:"trouble,omitzero"`

	Asked    uint64 `json:"asked"`
	Present  uint64 `json:"present"`
	Absent   uint64 `json:"absent"`
	CantTell uint64 `json:"cant_tell"`
	Failed   uint64 `json:"failed"`
}

// Certificate is one that a door shows.
type Certificate struct {
	Names   []string  `json:"names"`
	Source  string    `json:"source"` // "file", "ACME", "self-made" …
	Issuer  string    `json:"issuer"`
	Until   time.Time `json:"until"`
	Trouble string    `json:"trouble,omitzero"`
}

// soon is how long before its end a certificate is a worry.
const soon = 14 * 24 * time.Hour

// Worry says whether the certificate is over soon, or already.
func (c Certificate) Worry(now time.Time) bool { return c.Trouble != "" || c.Until.Sub(now) < soon }

const (
	hostRows    = 50
	maxHostRows = 1000
)

type hostsPage struct {
	layout
	Kinds, Orders       []Choice
	Kind, Order         string
	Address             string
	Problem             string
	Searched, CanSearch bool
	CanList, CanLift    bool
	Rows                []hostRow
	Bans                []Ban
	HasBans             bool
	MoreBans            int
	Lists               []List
	Directories         []Directory
	Certificates        []Certificate
}

// hostRow is a reputation with its bar: hundredths of the width, with 0 dB in the
// middle.
type hostRow struct {
	Host
	KindWords string
	X, W      float64
	Against   bool
}

// widest is the decibel at the end of the bar.
const widest = 6.0

func newHostRow(h Host) hostRow {
	r := hostRow{Host: h, Against: h.Decibel > 0, X: 50}
	for _, k := range Kinds {
		if k.ID == h.Kind {
			r.KindWords = k.One
		}
	}
	r.W = ledger.Round(50 * min(math.Abs(h.Decibel), widest) / widest)
	if !r.Against {
		r.X = ledger.Round(50 - r.W)
	}
	return r
}

// shownBans bounds the page; the API lists all.
const shownBans = 200

// choice returns the id if it is one of the list, else the first.
func choice(list []Choice, id string) string {
	for _, c := range list {
		if c.ID == id {
			return id
		}
	}
	return list[0].ID
}

func (c *Console) hosts(w http.ResponseWriter, r *http.Request, v *visit) {
	port, now := &c.cfg.Port, c.cfg.Clock()
	p := hostsPage{layout: c.layout(r.Context(), v, "hosts", "Hosts"), Kinds: Kinds, Orders: Orders,
		Kind: choice(Kinds, r.FormValue("kind")), Order: choice(Orders, r.FormValue("order")), Address: strings.TrimSpace(r.FormValue("address")),
		CanList: port.Hosts != nil, CanSearch: port.Host != nil, CanLift: port.canLift(), HasBans: port.Bans != nil}
	if r.FormValue("done") == "lift" {
		p.Notice = "The ban is lifted. The client starts with a clean slate."
	}
	var rows []Host
	switch {
	case p.Address != "" && p.CanSearch:
		a, err := netip.ParseAddr(p.Address)
		if err != nil {
			p.Problem = "That is no IP address."
			break
		}
		p.Searched = true
		rows = port.Host(now, a.Unmap().WithZone(""))
	case p.CanList:
		rows = port.Hosts(now, p.Kind, p.Order, hostRows)
	}
	for _, h := range rows {
		p.Rows = append(p.Rows, newHostRow(h))
	}
	if p.HasBans {
		p.Bans = port.Bans(now)
		p.MoreBans = max(0, len(p.Bans)-shownBans)
		p.Bans = p.Bans[:len(p.Bans)-p.MoreBans]
	}
	if port.Lists != nil {
		p.Lists = port.Lists(now)
	}
	if port.Directories != nil {
		p.Directories = port.Directories(now)
	}
	if port.Certificates != nil {
		p.Certificates = port.Certificates(now)
	}
	c.render(w, http.StatusOK, "hosts", &p)
}

type liftPage struct {
	layout
	Ban Ban
}

// parseNetwork reads an address or a network.
func parseNetwork(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, errors.New("no address and no network")
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return a.Prefix(64) // what counts as one client
	}
	return a.Prefix(32)
}

// banOf finds the ban that a request names, or answers it.
func (c *Console) banOf(w http.ResponseWriter, r *http.Request, v *visit, network string) (Ban, bool) {
	n, err := parseNetwork(network)
	if err == nil {
		for _, b := range c.cfg.Port.Bans(c.cfg.Clock()) {
			if b.Network == n {
				return b, true
			}
		}
	}
	c.fail(w, r, v, http.StatusNotFound, "No such ban runs any more.", nil)
	return Ban{}, false
}

// liftForm asks before a ban is lifted.
func (c *Console) liftForm(w http.ResponseWriter, r *http.Request, v *visit) {
	if b, ok := c.banOf(w, r, v, r.FormValue("network")); ok {
		c.render(w, http.StatusOK, "lift", &liftPage{layout: c.layout(r.Context(), v, "hosts", "Lift a ban"), Ban: b})
	}
}

func (c *Console) liftPost(w http.ResponseWriter, r *http.Request, v *visit) {
	b, ok := c.banOf(w, r, v, r.PostFormValue("network"))
	if !ok {
		return
	}
	switch err := c.cfg.Port.Lift(r.Context(), b.Network, v.account); {
	case errors.Is(err, sluice.ErrNotFound):
		c.fail(w, r, v, http.StatusNotFound, "No such ban runs any more.", nil)
		return
	case err != nil:
		c.fail(w, r, v, http.StatusConflict, "That didn't work: "+escape(err.Error())+".", err)
		return
	}
	c.audit(r, "lift", b.Network.String(), v.account)
	http.Redirect(w, r, "/hosts?done=lift", http.StatusSeeOther)
}

// apiHosts lists reputations: ?kind, ?order and ?limit, or ?address for one client.
func (c *Console) apiHosts(w http.ResponseWriter, r *http.Request, _ string) {
	q, now := r.URL.Query(), c.cfg.Clock()
	var rows []Host
	var err error
	if s := q.Get("address"); s != "" {
		rows, err = c.lookUp(now, s)
	} else {
		rows, err = c.topHosts(now, q)
	}
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	web.JSON(w, http.StatusOK, map[string]any{"hosts": listed(rows)})
}

func (c *Console) lookUp(now time.Time, address string) ([]Host, error) {
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return nil, errors.New("address: no IP address")
	case c.cfg.Port.Host == nil:
		return nil, errors.New("address: not kept here")
	}
	return c.cfg.Port.Host(now, a.Unmap().WithZone("")), nil
}

func (c *Console) topHosts(now time.Time, q url.Values) ([]Host, error) {
	kind, order, n := choice(Kinds, q.Get("kind")), choice(Orders, q.Get("order")), hostRows
	switch {
	case q.Has("kind") && q.Get("kind") != kind:
		return nil, errors.New("no such kind")
	case q.Has("order") && q.Get("order") != order:
		return nil, errors.New("no such order")
	}
	if s := q.Get("limit"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 || n > maxHostRows {
			return nil, errors.New("limit: want 1 to " + strconv.Itoa(maxHostRows))
		}
	}
	return c.cfg.Port.Hosts(now, kind, order, n), nil
}

// listed is never null in JSON.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (c *Console) apiBans(w http.ResponseWriter, _ *http.Request, _ string) {
	web.JSON(w, http.StatusOK, map[string]any{"bans": listed(c.cfg.Port.Bans(c.cfg.Clock()))})
}

// apiLift takes the field "network" of a form: an address or a network.
func (c *Console) apiLift(w http.ResponseWriter, r *http.Request, by string) {
	n, err := parseNetwork(r.PostFormValue("network"))
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, "network: "+err.Error())
		return
	}
	if err := c.cfg.Port.Lift(r.Context(), n, by); err != nil {
		c.apiFail(w, r, err)
		return
	}
	c.audit(r, "lift", n.String(), by)
	web.JSON(w, http.StatusOK, map[string]string{"network": n.String(), "done": "lift"})
}

// apiSources is the health of what others tell us: lists, directories, certificates.
func (c *Console) apiSources(w http.ResponseWriter, _ *http.Request, _ string) {
	now, out := c.cfg.Clock(), map[string]any{}
	if f := c.cfg.Port.Lists; f != nil {
		out["lists"] = listed(f(now))
	}
	if f := c.cfg.Port.Directories; f != nil {
		out["directories"] = listed(f(now))
	}
	if f := c.cfg.Port.Certificates; f != nil {
		out["certificates"] = listed(f(now))
	}
	web.JSON(w, http.StatusOK, out)
}
