package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/gate"
	"sluice/mailauth"
	"sluice/mailauth/authres"
	"sluice/message"
	"sluice/reason"
	"sluice/scan"
)

type scanCmd struct {
	Paths        []string  `arg:"" optional:"" help:"Files, folders, mbox files, Maildirs; - for standard input." placeholder:"PATH"`
	Config       string    `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data         string    `help:"Data folder, for what was learned." placeholder:"DIR"`
	JSON         bool      `help:"One JSON object a message and line."`
	Ledger       bool      `help:"Show every message's evidence, not only a single one's."`
	IP           string    `help:"Client address; default: from the topmost Received."`
	Helo         string    `help:"HELO name; default: from the topmost Received."`
	From         *string   `help:"Envelope sender; <> for none."`
	Rcpt         []string  `help:"Envelope recipient."`
	Zone         string    `name:"dns-zone" help:"Answer DNS from this zone file or JSON only." type:"path" placeholder:"FILE"`
	TrustAuthres string    `help:"Believe the Authentication-Results of this authserv-id in stored mail." placeholder:"ID"`
	Now          time.Time `help:"Judge as if it were this time (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
	Batch        string    `help:"JSON lines with id, file, ip, helo, mail_from, rcpt, authenticated; judged in order." type:"path" placeholder:"FILE"`
	Jobs         int       `short:"j" help:"Messages at a time; default: one a processor."`
}

// scanResult is one line of scan --json. The shape is documented in
// docs/scan.md and stable.
type scanResult struct {
	ID       string            `json:"id"`
	File     string            `json:"file"`
	Verdict  *scanVerdict      `json:"verdict,omitempty"`
	Evidence []scanEvidence    `json:"evidence,omitempty"`
	Defects  []scanDefect      `json:"defects,omitempty"`
	Files    []sluice.FileSeen `json:"files,omitempty"`
	Left     int               `json:"files_left,omitempty"` // files beyond those
	Micros   int64             `json:"time_us"`
	Error    string            `json:"error,omitempty"`

	subject string
	notMail bool
}

type scanVerdict struct {
	Threat      string  `json:"threat"`
	Probability float64 `json:"probability"`
	Points      float64 `json:"points"`
	Action      string  `json:"action"`
	Hard        string  `json:"hard"`
	// Threats are shares: what it is, should it be unwanted.
	Threats sluice.Threats `json:"threats,omitzero"`
}

type scanEvidence struct {
	ID     string  `json:"id"`
	Group  string  `json:"group"`
	Points float64 `json:"points"`
	Raw    float64 `json:"raw"`
	Reason string  `json:"reason"`
	Detail string  `json:"detail"`
	State  string  `json:"state,omitempty"` // unknown or not_run; absent for facts
}

type scanDefect struct {
	Code      string `json:"code"`
	Part      int    `json:"part"`
	Off       int    `json:"off"`
	Len       int    `json:"len"`
	Detail    string `json:"detail"`
	Ambiguous bool   `json:"ambiguous,omitempty"`
}

// Run judges everything it is given and reports in the order of the input.
func (c *scanCmd) Run(a *app) error {
	cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
	if err != nil {
		return err
	}
	s, err := newScanner(a, c, cfg)
	if err != nil {
		return err
	}
	defer s.close()
	jobs, inputs := c.Jobs, c.sources(a)
	if c.Batch != "" {
		f, err := os.Open(c.Batch)
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		defer f.Close()
		// In order, with one memory: what one message teaches counts for the next.
		jobs, inputs = 1, batch(f, c.Batch)
	} else if len(c.Paths) == 0 {
		return errors.New("scan: say what to scan: files, folders, or - for standard input")
	}
	var out report = jsonReport{json.NewEncoder(a.stdout)}
	if !c.JSON {
		out = newTextReport(a.stdout, a.stderr, c.Ledger)
	}
	failed, other := 0, 0
	err = term.InOrder(a.ctx, jobs, inputs, s.judge, func(r *scanResult) error {
		switch {
		case r.notMail: // a folder may hold a README beside its mail
			other++
			return nil
		case r.Error != "":
			failed++
		}
		return out.message(r)
	})
	if err := errors.Join(err, out.end()); err != nil {
		return err
	}
	if other > 0 {
		fmt.Fprintf(a.stderr, "scan: left out %d files that are no mail\n", other)
	}
	if failed > 0 {
		return &exitError{1, fmt.Errorf("scan: %d of the messages could not be read", failed)}
	}
	return nil
}

// input is one thing to judge: a stored message, a line of a batch, or the
// error in its place.
type input struct {
	item *scan.Item
	job  *scan.Job // nil where it isn't of a batch
	err  error
}

func (c *scanCmd) sources(a *app) iter.Seq[input] {
	return func(yield func(input) bool) {
		for it := range scan.Sources(scan.Config{Paths: c.Paths, Stdin: a.stdin}) {
			if !yield(input{item: it}) {
				return
			}
		}
	}
}

func batch(r io.Reader, name string) iter.Seq[input] {
	return func(yield func(input) bool) {
		for j, err := range scan.Batch(r, name, filepath.Dir(name), 0) {
			in := input{err: err, job: j}
			if j != nil {
				in.item = &j.Item
			}
			if !yield(in) {
				return
			}
		}
	}
}

// scanner judges items with one gate.
type scanner struct {
	ctx  context.Context
	cmd  *scanCmd
	gate *gate.Gate
	ip   netip.Addr

	files  *build.Scanners
	begun  time.Time        // of the clock
	at     time.Time        // when the message comes, by its line of the batch
	stage  *build.Rehearsal // of a batch
	border *scan.Witness    // nil where no server's results are believed
}

func (s *scanner) close() {
	s.files.Close()
	if s.stage != nil {
		_ = s.stage.Close() // a folder of keys in the temporary one
	}
}

func newScanner(a *app, c *scanCmd, cfg *config.Config) (*scanner, error) {
	s := &scanner{ctx: a.ctx, cmd: c, begun: time.Now()}
	if c.IP != "" {
		ip, err := netip.ParseAddr(c.IP)
		if err != nil {
			return nil, fmt.Errorf("--ip %q: want an address such as 192.0.2.1 or 2001:db8::1", c.IP)
		}
		s.ip = ip.Unmap()
	}
	var r dns.Resolver // nobody is asked but the zone
	if c.Zone != "" {
		zone, err := dnstest.Load(c.Zone)
		if err != nil {
			return nil, err
		}
		r = zone
	}
	log := slog.New(slog.NewTextHandler(a.stderr, nil))
	here, err := daemon.Learned(a.ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if s.files, err = build.NewScanners(cfg, nil, nil, log); err != nil {
		return nil, err
	}
	gc := gate.Config{Clock: s.clock, Rand: rand.Reader}
	if c.Batch != "" {
		if s.stage, err = build.NewRehearsal(a.ctx, cfg, log, here, s.files); err != nil {
			return nil, err
		}
		gc.Settings, gc.Port, gc.Observe = s.stage.Settings, s.stage.Port, s.stage.Observe
	} else if gc.Settings, err = build.JudgeHere(cfg, log, false, here, s.files); err != nil {
		return nil, err
	}
	set := &gc.Settings
	if c.TrustAuthres != "" { // who believes a server's results believes what it saw of its client
		s.border = &scan.Witness{Behind: r}
		r = s.border
	}
	set.Verifier = mailauth.New(mailauth.Config{Resolver: r, Hostname: cfg.Hostname, Sealers: cfg.ARCSealers, Upstream: trust(c.TrustAuthres)})
	set.Budget = 5 * time.Minute
	s.gate = gate.New(gc)
	return s, nil
}

// trust believes the results of one server that stored messages passed.
func trust(id string) authres.Trust {
	if id == "" {
		return authres.Trust{}
	}
	return authres.Trust{IDs: []string{id}}
}

// clock is the real one, or one that starts at --now or the line's time, so that
// durations stay true.
func (s *scanner) clock() time.Time {
	start := s.cmd.Now
	if !s.at.IsZero() {
		start = s.at
	}
	if start.IsZero() {
		return time.Now()
	}
	return start.Add(time.Since(s.begun))
}

// judge reads and judges one message. One that can't be read is a result with
// an error.
func (s *scanner) judge(in input) *scanResult {
	if in.err != nil {
		return &scanResult{Error: in.err.Error()}
	}
	out := &scanResult{ID: in.item.ID, File: in.item.File}
	mail, err := in.item.Open()
	if err != nil {
		out.Error, out.notMail = err.Error(), errors.Is(err, scan.ErrNotMail) && !slices.Contains(s.cmd.Paths, in.item.File)
		return out
	}
	conn, env := s.envelope(in, mail)
	start := time.Now()
	ex := s.gate.Examine(s.ctx, conn, env, mail.Raw)
	out.Micros = time.Since(start).Microseconds()
	out.fill(ex)
	return out
}

// envelope is what the flags or the batch line say, and for the rest what the
// stored message remembers of its way.
func (s *scanner) envelope(in input, mail *scan.Mail) (*sluice.Conn, sluice.Envelope) {
	m := message.Parse(mail.Raw, message.DefaultLimits())
	e := scan.Stored(mail, m)
	var name scan.Reverse
	if s.border != nil {
		name = e.Border(m)
	}
	account := ""
	if j := in.job; j != nil {
		e.Client = first(j.Client, e.Client)
		e.Hello = first(j.Hello, e.Hello)
		if j.HasFrom {
			e.From, e.HasFrom = j.From, true
		}
		if len(j.Rcpts) > 0 {
			e.Rcpts = j.Rcpts
		}
		account = j.Account
		if s.at = j.Time; !s.at.IsZero() {
			s.begun = time.Now()
		}
	}
	e.Client, e.Hello = first(s.ip, e.Client), first(s.cmd.Helo, e.Hello)
	if s.cmd.From != nil {
		e.From, e.HasFrom = trimBrackets(*s.cmd.From), true
	}
	if len(s.cmd.Rcpt) > 0 {
		e.Rcpts = s.cmd.Rcpt
	}
	if s.border != nil && e.Client == e.Hop.Addr {
		s.border.Testify(e.Client, name)
	}
	conn, env := e.Session(in.item.ID, m, s.gate.Now())
	conn.Auth = account
	if in.job != nil && (in.job.Client.IsValid() || account != "") {
		conn.Stored = false // as if it came
	}
	return conn, env
}

// first returns the first value that isn't zero.
func first[T comparable](values ...T) (zero T) {
	for _, v := range values {
		if v != zero {
			return v
		}
	}
	return zero
}

func trimBrackets(s string) string {
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

// fill copies a verdict into its stable JSON shape.
func (r *scanResult) fill(ex *gate.Examined) {
	v := ex.Record.Verdict
	r.subject = ex.Record.Subject
	r.Verdict = &scanVerdict{Threat: v.Threat.String(), Probability: v.Probability, Points: v.Points, Threats: v.Threats,
		Action: ex.Action.String(), Hard: string(v.Hard)}
	r.Evidence, r.Files, r.Left = ledgerJSON(v.Ledger), ex.Record.Files, ex.Record.FilesLeft
	for _, d := range ex.Message.Defects {
		r.Defects = append(r.Defects, scanDefect{d.Code, d.Part, d.Range.Off, d.Range.Len, d.Detail, d.Ambiguous})
	}
}

func ledgerJSON(ledger []sluice.Contribution) []scanEvidence {
	out := make([]scanEvidence, 0, len(ledger))
	for _, c := range ledger {
		words := ""
		if e, ok := reason.Lookup(string(c.Reason)); ok {
			words = e.Admin
		}
		ev := scanEvidence{ID: string(c.Reason), Group: c.Group.String(), Points: c.Points, Raw: c.Raw, Reason: words, Detail: c.Detail}
		if c.State != sluice.Found {
			ev.State = c.State.String()
		}
		out = append(out, ev)
	}
	return out
}

type report interface {
	message(*scanResult) error
	end() error
}

type jsonReport struct{ enc *json.Encoder }

func (j jsonReport) message(r *scanResult) error { return j.enc.Encode(r) }
func (j jsonReport) end() error                  { return nil }
