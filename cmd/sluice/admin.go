package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/dictionary"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/explain"
	"sluice/explain/ref"
	"sluice/gate"
	"sluice/replay"
)

// place is where an admin's command finds the daemon's data.
type place struct {
	Config string `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data   string `help:"Data folder of the daemon." placeholder:"DIR"`
}

// open opens the rooms beside a daemon that may be running.
func (p place) open(a *app) (*daemon.Rooms, *config.Config, error) {
	cfg, err := config.Load(p.Config, config.Flags{Data: p.Data})
	if err != nil {
		return nil, nil, err
	}
	r, err := daemon.OpenRooms(a.ctx, cfg, slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), false)
	return r, cfg, err
}

// with opens the rooms, runs f, and closes them.
func (p place) with(a *app, f func(*daemon.Rooms, *config.Config) error) error {
	r, cfg, err := p.open(a)
	if err != nil {
		return err
	}
	return errors.Join(f(r, cfg), r.Close())
}

type explainCmd struct {
	place
	ID   string `arg:"" help:"The reference in a reply, a log line or the console; or, in quotes, what any mail server answered; or a FILE with a bounce." placeholder:"ID|REPLY|FILE"`
	JSON bool   `help:"As JSON."`
}

// Run shows one record: what came, what was found, what was done, what was said.
// A reply or a bounce of any server is explained from the dictionary.
func (c *explainCmd) Run(a *app) error {
	switch {
	case dictionary.IsReply(c.ID):
		return dictionary.Reply(a.stdout, c.ID, c.JSON)
	case dictionary.IsFile(c.ID):
		return dictionary.Bounce(a.stdout, a.stdin, c.ID, c.JSON)
	}
	return c.with(a, func(r *daemon.Rooms, cfg *config.Config) error {
		rec, err := r.Store.Record(a.ctx, reference(c.ID))
		if errors.Is(err, sluice.ErrNotFound) {
			return &exitError{1, fmt.Errorf("explain: no message %q in the log; rows are kept as long as keep.log says", c.ID)}
		}
		if err != nil {
			return err
		}
		without := replay.Without(rec, build.Terms(cfg))
		if c.JSON {
			out := recordJSON(rec)
			out["passes_without"] = append([]sluice.Reason{}, without...)
			return json.NewEncoder(a.stdout).Encode(out)
		}
		writeRecord(a.stdout, rec)
		if len(without) > 0 {
			fmt.Fprintf(a.stdout, "  would be delivered without: %s\n", strings.Join(names(without), ", "))
		}
		return nil
	})
}

func names(list []sluice.Reason) (out []string) {
	for _, r := range list {
		out = append(out, string(r))
	}
	return out
}

// reference reads an id as people type it: any case, in groups, O for 0.
func reference(s string) string {
	if id := ref.Canon(s); id != "" {
		return id
	}
	return s
}

func writeRecord(w io.Writer, r *sluice.Record) {
	p, v := term.PaintFor(w), verdictOf(r)
	line := func(k, s string) { fmt.Fprintf(w, "%-10s %s\n", k, s) }
	line("message", p.Bold(r.ID))
	line("received", r.Time.Format(time.RFC1123Z))
	line("client", r.Conn.Client.Addr().String()+"  "+term.Plain(r.Conn.Hello.Verb+" "+r.Conn.Hello.Name, 255))
	line("from", "<"+term.Plain(r.Envelope.From, 320)+">")
	for _, rc := range r.Envelope.Rcpts {
		line("to", "<"+term.Plain(rc.Address, 320)+">")
	}
	if r.Subject != "" {
		line("subject", term.Plain(r.Subject, 200))
	}
	line("verdict", fmt.Sprintf("%s, %s", p.Action(v.Action), v.Threat))
	line("reply", term.Plain(r.Reply.String(), 512))
	for _, o := range r.Outcomes {
		line("next hop", "<"+term.Plain(o.Recipient, 320)+"> "+term.Plain(o.Reply.String(), 512))
	}
	line("judged by", fmt.Sprintf("sluice %s, catalogue %s, model %s, config %s", r.Verdict.Versions.Program,
		r.Verdict.Versions.Catalogue, r.Verdict.Versions.Model, r.Verdict.Versions.Config))
	if len(r.Files) > 0 {
		fmt.Fprintln(w, "files")
		p.Files(w, r.Files, r.FilesLeft)
	}
	fmt.Fprintln(w)
	writeLedger(w, p, ledgerJSON(r.Verdict.Ledger), v)
}

// recordJSON is a record's stable JSON shape.
func recordJSON(r *sluice.Record) map[string]any {
	outcomes := make([]map[string]any, 0, len(r.Outcomes))
	for _, o := range r.Outcomes {
		outcomes = append(outcomes, map[string]any{"recipient": o.Recipient, "reply": o.Reply.String(), "unknown": o.Unknown})
	}
	files := append([]sluice.FileSeen{}, r.Files...) // a list, though it be empty
	return map[string]any{
		"id": r.ID, "tenant": r.Tenant, "time": r.Time, "client": r.Conn.Client.Addr().String(), "helo": r.Conn.Hello.Name,
		"from": r.Envelope.From, "rcpt": r.Envelope.Addresses(), "subject": r.Subject, "message_id": r.MessageID, "size": r.Size,
		"phase": r.Phase.String(), "verdict": verdictOf(r), "evidence": ledgerJSON(r.Verdict.Ledger), "outcomes": outcomes,
		"reply": r.Reply.String(), "time_us": r.Micros, "versions": r.Verdict.Versions,
		"files": files, "files_left": r.FilesLeft,
	}
}

// fileFilter chooses messages by what they carried.
type fileFilter struct {
	SHA256 string `name:"sha256" help:"Only with a file, at any depth, that has this digest." placeholder:"HEX"`
	File   string `help:"Only with a file, at any depth, whose name holds this." placeholder:"NAME"`
	Inside string `help:"Only with a file, at any depth, in which this was found: part of an address, or a sign such as MACRO_AUTORUN." placeholder:"TEXT"`
}

func (f fileFilter) into(q *sluice.Query) (err error) {
	q.File, q.Inside = f.File, f.Inside
	if f.SHA256 != "" {
		if q.SHA256, err = sluice.ParseDigest(f.SHA256); err != nil {
			return fmt.Errorf("--sha256 %q: %w", f.SHA256, err)
		}
	}
	return nil
}

type logCmd struct {
	place
	fileFilter
	Action string        `help:"Only this action: accept, tag, quarantine, defer, reject."`
	Since  time.Duration `help:"Only the last while, such as 2h." placeholder:"TIME"`
	Text   string        `arg:"" optional:"" help:"Part of sender, recipient, subject or id."`
	Limit  int           `short:"n" default:"50" help:"At most so many."`
	JSON   bool          `help:"One JSON object a line."`
}

// Run lists records.
func (c *logCmd) Run(a *app) error {
	q := sluice.Query{Text: c.Text, Limit: c.Limit}
	if err := c.into(&q); err != nil {
		return fmt.Errorf("log: %w", err)
	}
	if c.Since > 0 {
		q.Since = time.Now().Add(-c.Since)
	}
	if c.Action != "" {
		var act sluice.Action
		if err := act.UnmarshalText([]byte(c.Action)); err != nil {
			return fmt.Errorf("log: --action %q: want accept, tag, quarantine, defer or reject", c.Action)
		}
		q.Action = &act
	}
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		recs, err := r.Store.Records(a.ctx, q)
		if err != nil {
			return err
		}
		enc, p := json.NewEncoder(a.stdout), term.PaintFor(a.stdout)
		for _, rec := range recs {
			if c.JSON {
				if err := enc.Encode(recordJSON(rec)); err != nil {
					return err
				}
				continue
			}
			v := verdictOf(rec)
			to := ""
			if len(rec.Envelope.Rcpts) > 0 {
				to = rec.Envelope.Rcpts[0].Address
			}
			fmt.Fprintf(a.stdout, "%s  %s  %s%s  %s  <%s> → <%s>  %s\n", rec.Time.Local().Format("2006-01-02 15:04:05"), rec.ID,
				p.Action(v.Action), strings.Repeat(" ", max(0, 10-len(v.Action))), p.Points(v.Points),
				term.Plain(rec.Envelope.From, 60), term.Plain(to, 60), p.Dim(term.Plain(rec.Subject, 60)))
		}
		if len(recs) == 0 && !c.JSON {
			fmt.Fprintln(a.stderr, "nothing in the log that fits")
		}
		return nil
	})
}

type quarantineCmd struct {
	List    quarantineList    `cmd:"" help:"List withheld messages, newest first."`
	Show    quarantineShow    `cmd:"" help:"Show one with its evidence, or its bytes."`
	Release quarantineRelease `cmd:"" help:"Send it on to its recipients."`
	Delete  quarantineDelete  `cmd:"" help:"Remove it for good."`
	Reindex quarantineReindex `cmd:"" help:"Rebuild the index from the files."`
}

type quarantineList struct {
	place
	fileFilter
	Text  string `arg:"" optional:"" help:"Part of sender, recipient, subject or id."`
	Limit int    `short:"n" default:"50" help:"At most so many."`
	JSON  bool   `help:"One JSON object a line."`
}

// Run lists the index.
func (c *quarantineList) Run(a *app) error {
	q := sluice.Query{Text: c.Text, Limit: c.Limit}
	if err := c.into(&q); err != nil {
		return fmt.Errorf("quarantine list: %w", err)
	}
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		rows, err := r.Store.Quarantined(a.ctx, q)
		if err != nil {
			return err
		}
		enc, p := json.NewEncoder(a.stdout), term.PaintFor(a.stdout)
		for _, q := range rows {
			if c.JSON {
				if err := enc.Encode(quarantinedJSON(q)); err != nil {
					return err
				}
				continue
			}
			state := "held"
			if !q.Released.IsZero() {
				state = "released"
			}
			fmt.Fprintf(a.stdout, "%s  %s  %-8s  %-8s %s  <%s> → %s  %s\n", q.Stored.Local().Format("2006-01-02 15:04"), q.ID, state,
				q.Verdict.Threat, p.Points(q.Verdict.Points), term.Plain(q.Envelope.From, 60),
				term.Plain(strings.Join(q.Envelope.Addresses(), ", "), 80), p.Dim(term.Plain(q.Subject, 60)))
		}
		if len(rows) == 0 && !c.JSON {
			fmt.Fprintln(a.stderr, "nothing in quarantine that fits")
		}
		return nil
	})
}

func quarantinedJSON(q *sluice.Quarantined) map[string]any {
	m := map[string]any{"id": q.ID, "tenant": q.Tenant, "from": q.Envelope.From, "rcpt": q.Envelope.Addresses(), "subject": q.Subject,
		"stored": q.Stored, "expires": q.Expires, "size": q.Size, "threat": q.Verdict.Threat.String(), "points": q.Verdict.Points,
		"probability": q.Verdict.Probability, "evidence": ledgerJSON(q.Verdict.Ledger)}
	if !q.Released.IsZero() {
		m["released"] = q.Released
	}
	return m
}

type quarantineShow struct {
	place
	ID   string `arg:"" help:"Its id."`
	Raw  bool   `help:"Write the message's bytes as they came (hostile: not for a terminal)."`
	JSON bool   `help:"As JSON."`
}

// Run shows one message.
func (c *quarantineShow) Run(a *app) error {
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		q, body, err := r.Quarantine.Open(a.ctx, reference(c.ID))
		if err != nil {
			return noSuch("quarantine", c.ID, err)
		}
		defer body.Close()
		switch {
		case c.JSON:
			return json.NewEncoder(a.stdout).Encode(quarantinedJSON(q))
		case c.Raw:
			if term.IsTerminal(a.stdout) {
				return errors.New("quarantine show --raw: the message may hold terminal commands; send the output to a file")
			}
			_, err := io.Copy(a.stdout, body)
			return err
		}
		v := q.Verdict
		fmt.Fprintf(a.stdout, "id       %s\nstored   %s, until %s\nclient   %s  %s\nfrom     <%s>\nto       %s\nsubject  %s\nsize     %d bytes\n\n",
			q.ID, q.Stored.Format(time.RFC1123Z), q.Expires.Format(time.DateOnly), q.Conn.Client.Addr(), term.Plain(q.Conn.Hello.Name, 255),
			term.Plain(q.Envelope.From, 320), term.Plain(strings.Join(q.Envelope.Addresses(), ", "), 500), term.Plain(q.Subject, 300), q.Size)
		if rec, err := r.Store.Record(a.ctx, q.ID); err == nil && len(rec.Files) > 0 { // the log may be shorter than the quarantine
			fmt.Fprintln(a.stdout, "files")
			term.PaintFor(a.stdout).Files(a.stdout, rec.Files, rec.FilesLeft)
			fmt.Fprintln(a.stdout)
		}
		writeLedger(a.stdout, term.PaintFor(a.stdout), ledgerJSON(v.Ledger), &scanVerdict{Threat: v.Threat.String(), Points: v.Points, Probability: v.Probability, Hard: string(v.Hard)})
		head, err := io.ReadAll(io.LimitReader(body, 2048))
		if err != nil {
			return err
		}
		fmt.Fprintln(a.stdout)
		for l := range strings.SplitSeq(string(head), "\n") {
			fmt.Fprintf(a.stdout, "  | %s\n", explain.Escape(strings.TrimSuffix(l, "\r"), 160))
		}
		return nil
	})
}

// noSuch turns a missing id into a sentence.
func noSuch(what, id string, err error) error {
	if errors.Is(err, sluice.ErrNotFound) {
		return &exitError{1, fmt.Errorf("%s: no message %q here; sluice quarantine list shows what there is", what, id)}
	}
	return err
}

type quarantineRelease struct {
	place
	IDs []string `arg:"" name:"id" help:"Ids."`
}

// Run puts messages into the outbox; a running daemon sends them on.
func (c *quarantineRelease) Run(a *app) error {
	return c.with(a, func(r *daemon.Rooms, cfg *config.Config) error {
		g, err := adminGate(r, cfg)
		if err != nil {
			return err
		}
		teacher, err := build.NewTeacher(cfg, r.Store, r.Log)
		if err != nil {
			return err
		}
		defer teacher.Text.Close()
		for _, id := range c.IDs {
			id = reference(id)
			if err := daemon.Release(a.ctx, g, teacher, r.Quarantine, id, whoami()); err != nil {
				return noSuch("quarantine", id, err)
			}
			fmt.Fprintf(a.stdout, "%s released; it leaves through the outbox while sluice serve runs\n", id)
		}
		return nil
	})
}

type quarantineDelete struct {
	place
	IDs []string `arg:"" name:"id" help:"Ids."`
}

// Run removes messages.
func (c *quarantineDelete) Run(a *app) error {
	return c.with(a, func(r *daemon.Rooms, cfg *config.Config) error {
		g, err := adminGate(r, cfg)
		if err != nil {
			return err
		}
		for _, id := range c.IDs {
			id = reference(id)
			if err := g.Delete(a.ctx, id, whoami()); err != nil {
				return noSuch("quarantine", id, err)
			}
			fmt.Fprintf(a.stdout, "%s deleted\n", id)
		}
		return nil
	})
}

type quarantineReindex struct {
	place
}

// Run rebuilds the index.
func (c *quarantineReindex) Run(a *app) error {
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		kept, broken, err := r.Quarantine.Reindex(a.ctx, r.Store)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%d messages indexed, %d files could not be read\n", kept, broken)
		if broken > 0 {
			return &exitError{1, fmt.Errorf("quarantine reindex: %d unreadable files are left as they are", broken)}
		}
		return nil
	})
}

// adminGate is a gate for release and delete: it judges nothing.
func adminGate(r *daemon.Rooms, cfg *config.Config) (*gate.Gate, error) {
	set, err := build.Judge(cfg, r.Log, false)
	if err != nil {
		return nil, err
	}
	if err := build.AddSigning(cfg, &set); err != nil {
		r.Log.Warn("what is released goes out without a DKIM signature", "error", err)
	}
	return gate.New(gate.Config{Settings: set, Quarantine: r.Quarantine, Index: r.Store, Outbox: r.Outbox, Log: r.Store,
		Clock: time.Now, Rand: rand.Reader, Logger: r.Log}), nil
}

func whoami() string {
	if u := os.Getenv("USER"); u != "" {
		return "cli:" + u
	}
	return "cli"
}
