// Package walk goes through every refusal that the gateway can give, over real SMTP, and
// opens the page behind each: a reply is a promise to the sender that somebody has
// thought about its code, its words and what it must not tell.
package walk

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/console/public"
	"sluice/deliver/quarantine"
	"sluice/explain/ref"
	"sluice/gate"
	"sluice/gate/route"
	"sluice/guard"
	"sluice/guard/greylist"
	"sluice/judge/pipeline"
	"sluice/judge/policy"
	"sluice/judge/verdict"
	"sluice/reason"
	"sluice/smtpd"
	"sluice/store/memory"
)

// What no reply and no page may hold.
const (
	client    = "203.0.113.77"
	recipient = "very.private.name@a.example"
	secret    = "key0123abcd.lists.example limit=0.99912 words=viagra,rolex"
	publicURL = "https://refused.gateway.example.net"
)

// world is a gateway on loopback. Fields are set before start.
type world struct {
	t     *testing.T
	gate  gate.Config
	door  smtpd.Config
	guard *guard.Guard
	hop   sluice.Reply // of the next hop, to every recipient
	hopOf error
	lmtp  bool // the final dot gets a reply for each recipient

	last *talk
	log  sluice.Log

	server *smtpd.Server
	addr   string
	pages  interface {
		Get(path string) (int, string)
	}
}

// next is the hop behind the gateway.
type next struct{ w *world }

func (h next) Deliver(_ context.Context, d *sluice.Delivery) []sluice.Outcome {
	out := make([]sluice.Outcome, 0, len(d.Envelope.Rcpts))
	for _, r := range d.Envelope.Rcpts {
		out = append(out, sluice.Outcome{Recipient: r.Address, Reply: h.w.hop, Err: h.w.hopOf})
	}
	return out
}
func (next) Extensions(context.Context) sluice.Extensions {
	return sluice.Extensions{EightBit: true, SMTPUTF8: true, Known: true}
}
func (next) Close() error { return nil }

// stated makes the facts that a message's X-State field, or a sender's local part, names:
// the reason strongly enough to lead, and company that the sum needs.
func stated(id string, phase sluice.Phase) []sluice.Evidence {
	e, ok := reason.Lookup(strings.ToUpper(id))
	if !ok {
		return nil
	}
	var group sluice.Group
	var threat sluice.Threat
	if group.UnmarshalText([]byte(e.Group)) != nil {
		group = sluice.GroupStructure // of a reason that checks don't state
	}
	_ = threat.UnmarshalText([]byte(e.Threat))
	lead := sluice.Evidence{Reason: sluice.Reason(e.ID), Phase: phase, Group: group, Threat: threat, Raw: 20, Detail: "Walk.Test (by " + secret + " for " + recipient + ")"}
	if e.Hard == "stop" {
		lead.Raw, lead.Hard = 0, sluice.HardStop
		return []sluice.Evidence{lead}
	}
	with := sluice.GroupText
	if group == with {
		with = sluice.GroupLink
	}
	return []sluice.Evidence{lead, {Reason: reason.Unwanted, Phase: phase, Group: with, Threat: threat, Raw: 9, Detail: secret}}
}

func scripted() []check.Checker {
	early := check.Info{Name: "walk/early", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Reasons: []sluice.Reason{reason.Unwanted}}
	late := check.Info{Name: "walk/late", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Reasons: []sluice.Reason{reason.Unwanted}}
	return []check.Checker{
		check.Func(early, func(in *check.Input) []sluice.Evidence {
			return stated(sluice.LocalOf(in.Envelope.From), sluice.PhaseMail)
		}),
		check.Func(late, func(in *check.Input) []sluice.Evidence {
			id := in.Message.Header().Get("X-State")
			switch id {
			case "hold":
				return []sluice.Evidence{{Reason: reason.FileHeld, Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Detail: secret}}
			case reason.InternalPanic:
				panic(secret)
			case reason.CheckIncomplete, reason.ScanTimeout:
				return []sluice.Evidence{{Reason: sluice.Reason(id), Phase: sluice.PhaseMessage, State: sluice.Unknown, Detail: secret}}
			}
			return stated(id, sluice.PhaseMessage)
		}),
	}
}

// people is a directory.
type people struct{}

func (people) Lookup(_ context.Context, a string) (sluice.Listing, error) {
	switch local, _, _ := strings.Cut(a, "@"); local {
	case "very.private.name", "walker":
		return sluice.Listing{Presence: sluice.Present}, nil
	case "unsure":
		return sluice.Listing{}, fmt.Errorf("directory: %s", secret)
	case "full":
		return sluice.Listing{Reply: sluice.Reply{Code: 452, Enhanced: "4.2.2", Text: "<" + recipient + ">: mailbox is full"}}, nil
	}
	return sluice.Listing{Presence: sluice.Absent}, nil
}

// logins knows ann, or nobody.
type logins struct{ err error }

func (l logins) Login(context.Context, sluice.Credentials, *sluice.Conn) (string, error) {
	return "ann", l.err
}

// restricted does one thing to the mail of all users.
type restricted sluice.Restriction

func (restricted) Login(context.Context, *sluice.Conn) {}
func (r restricted) Standing(context.Context, *sluice.Conn, string) gate.Restricted {
	return gate.Restricted{Restrict: sluice.Restriction(r), Case: secret}
}
func (r restricted) Judge(context.Context, *gate.Observation, int) gate.Restricted {
	return gate.Restricted{Restrict: sluice.Restriction(r), Case: secret}
}
func (restricted) Refused(context.Context, *sluice.Conn, *sluice.Envelope, int) {}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, hop: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "taken"}}
	kept, err := quarantine.New(quarantine.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := ref.New(ref.Config{Keys: [][]byte{bytes.Repeat([]byte{7}, ref.KeySize)}, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	weights := verdict.Weights{Prior: -10}
	for g := range weights.Groups {
		weights.Groups[g] = verdict.Group{Slope: 1, Low: 40, High: 40}
	}
	p := policy.Default()
	p.TagAt, p.QuarantineAt, p.RejectAt = 0.7, 0.8, 0.9
	ours := &route.Route{Key: "ours", Tenant: "a", Deliverer: next{w}, Directory: people{}}
	store := memory.New()
	w.log = store
	w.gate = gate.Config{
		Settings: gate.Settings{Hostname: "mx.a.example", Node: "mx-07", Weights: weights, Policy: p, PublicURL: publicURL, Postmaster: "postmaster@a.example",
			Routes: route.Table{ByDomain: map[string]*route.Route{
				"a.example": ours,
				"c.example": {Key: "theirs", Tenant: "c", Deliverer: next{w}},
				"t.example": {Key: "tls", Tenant: "t", Deliverer: next{w}, RequireTLS: true},
				"d.example": {Key: "down", Tenant: "d", Deliverer: next{w}, Directory: people{}, DirectoryDown: true},
			}, Default: "a.example"},
			Pipeline: pipeline.New(scripted(), pipeline.Config{Clock: time.Now, Weights: weights})},
		Quarantine: kept, Index: store, Log: store, Sealer: sealer, Clock: time.Now, Rand: rand.Reader,
	}
	w.door = smtpd.Config{Log: slog.New(slog.DiscardHandler), SpoolDir: t.TempDir(), Settings: smtpd.Settings{Hostname: "mx.a.example",
		Proxies:    func(netip.Addr) bool { return true },
		Extensions: func(context.Context) sluice.Extensions { return sluice.Extensions{EightBit: true, Known: true} }}}
	h, err := public.New(public.Config{Node: "mx.a.example", Postmaster: "postmaster@a.example", Clock: time.Now, Open: func(token string) (public.Facts, error) {
		f, err := sealer.Open(token, time.Now())
		if err != nil {
			return public.Facts{}, public.ErrInvalid
		}
		return public.Facts{Ref: f.ID, Time: f.Time, Client: f.Client, Hello: f.Helo, Phase: f.Phase, Threat: f.Threat, Code: f.Code, Reasons: f.Reasons}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.pages = getter(func(path string) (int, string) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec.Code, rec.Body.String()
	})
	return w
}

type getter func(string) (int, string)

func (g getter) Get(path string) (int, string) { return g(path) }

// guarded gives the port a memory.
func (w *world) guarded(c guard.Config) {
	w.guard = guard.New(c)
	w.gate.Port.Guard = w.guard
	w.gate.Port.Greylist = greylist.New(greylist.Config{})
}

// start opens the port.
func (w *world) start() {
	w.t.Helper()
	w.door.Gate = gate.New(w.gate)
	w.server = smtpd.New(w.door)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- w.server.Serve(l) }()
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = w.server.Shutdown(ctx)
		<-done
	})
}

// talk is one connection.
type talk struct {
	w    *world
	conn net.Conn
	in   *bufio.Reader
}

// dial connects as the client, by the PROXY protocol.
func (w *world) dial() *talk {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "PROXY TCP4 %s 192.0.2.1 4000 25\r\n", client)
	w.last = &talk{w: w, conn: conn, in: bufio.NewReader(conn)}
	return w.last
}

// read reads one reply: its lines, with their ends.
func (c *talk) read() []string {
	c.w.t.Helper()
	var lines []string
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.w.t.Fatalf("the connection ended after %q: %v", lines, err)
		}
		lines = append(lines, line)
		if len(line) < 4 || line[3] != '-' {
			return lines
		}
	}
}

// each reads the replies to the other recipients of a message (RFC 2033 4.2) and returns
// the last one.
func (w *world) each(first []string) []string {
	w.t.Helper()
	second := w.last.read()
	if first[0][:9] != second[0][:9] {
		w.t.Errorf("one recipient hears %q, the other %q", first, second)
	}
	return second
}

// say sends raw octets and reads one reply.
func (c *talk) say(raw string) []string {
	c.w.t.Helper()
	if _, err := c.conn.Write([]byte(raw)); err != nil {
		c.w.t.Fatal(err)
	}
	return c.read()
}

// reply is a refusal as it came over the wire.
type reply struct {
	lines    []string
	code     int
	enhanced string
	text     string // of all lines
	ref      string
	token    string
}

var (
	lineForm = regexp.MustCompile(`^([245]\d\d)[ -](?:([245]\.\d{1,3}\.\d{1,3}) )?(.*)\r\n$`)
	refForm  = regexp.MustCompile(` ref ([0-9A-Z]{16})(?: |$)`)
	linkForm = regexp.MustCompile(regexp.QuoteMeta(publicURL) + `/why/([A-Za-z0-9_-]+)`)
)

// parse reads a refusal and checks its form.
func parse(t *testing.T, lines []string) reply {
	t.Helper()
	r := reply{lines: lines}
	var texts []string
	for i, line := range lines {
		m := lineForm.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not a line of a reply: %q", line)
		}
		if len(line) > 512 { // RFC 5321 4.5.3.1.5
			t.Errorf("a line of %d octets: %q", len(line), line)
		}
		for _, b := range []byte(m[3]) {
			if b < ' ' || b > '~' {
				t.Errorf("the line isn't printable ASCII: %q", line)
				break
			}
		}
		code := int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
		if i == 0 {
			r.code, r.enhanced = code, m[2]
		}
		if code != r.code || m[2] != r.enhanced { // RFC 2034 4
			t.Errorf("line %d says %d %s, the first one %d %s", i+1, code, m[2], r.code, r.enhanced)
		}
		texts = append(texts, m[3])
	}
	r.text = strings.Join(texts, " ")
	if r.code >= 400 && (r.enhanced == "" || int(r.enhanced[0]-'0') != r.code/100) {
		t.Errorf("the enhanced code of %d is %q", r.code, r.enhanced)
	}
	if m := refForm.FindStringSubmatch(r.text); m != nil {
		r.ref = m[1]
	}
	if m := linkForm.FindStringSubmatch(r.text); m != nil {
		r.token = m[1]
	}
	return r
}
