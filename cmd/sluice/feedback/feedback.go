// Package feedback is the command that looks after labels: what was said of which
// message, by whom, and what came of it. It speaks to the log of this machine, or to
// a console elsewhere with a token.
package feedback

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice"
	"sluice/cmd/sluice/term"
	"sluice/console/labels"
	"sluice/scan"
)

// Book is the log of labels with whoever learns from it.
type Book interface {
	sluice.Teacher
	FeedbackEntry(ctx context.Context, seq int64) (*sluice.Feedback, error)
	ListFeedback(ctx context.Context, q sluice.FeedbackQuery) ([]*sluice.Feedback, error)
	// Clean takes a copy out of a mailbox back to what came to us, and finds the id of
	// its row in the log, "" for none.
	Clean(ctx context.Context, raw []byte) (clean []byte, id string)
	Close() error
}

// Env is what a command gets from the program.
type Env struct {
	Context        context.Context // kong hands over one value
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Open opens the log of this machine. Its teacher may be another than the
	// daemon's: what it writes, the daemon replays.
	Open func(ctx context.Context, config, data string) (Book, error)
	// User is who runs the command.
	User string
	// Secret reads the file of a token.
	Secret func(name string) ([]byte, error) // default os.ReadFile
}

// Command is the command line.
type Command struct {
	List      List      `cmd:"" help:"List what was said of messages, newest first."`
	Show      Show      `cmd:"" help:"Show one entry."`
	Add       Add       `cmd:"" help:"Say of messages what they are. Hooks of IMAP servers call this."`
	Undo      Undo      `cmd:"" help:"Take labels back, or refuse those that wait."`
	Accept    Accept    `cmd:"" help:"Let labels that wait count."`
	Reporters Reporters `cmd:"" help:"List those who give labels, and what their word is worth."`
}

// Where says whose log it is. Every command has it.
type Where struct {
	Config    string `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data      string `help:"Data folder of the daemon." placeholder:"DIR"`
	URL       string `help:"Speak to the console at this address instead of this machine's log." placeholder:"URL"`
	Token     string `help:"Token of the console. Others on this machine can read command lines: better in SLUICE_TOKEN, or a file." env:"SLUICE_TOKEN" placeholder:"TOKEN"`
	TokenFile string `help:"File with the token." type:"path" placeholder:"FILE"`
}

// with opens the book, runs f, and closes it.
func (w Where) with(env *Env, f func(context.Context, Book) error) error {
	ctx := env.Context
	b, err := w.open(ctx, env)
	if err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	if err = errors.Join(f(ctx, b), b.Close()); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	return nil
}

func (w Where) open(ctx context.Context, env *Env) (Book, error) {
	if w.URL == "" {
		return env.Open(ctx, w.Config, w.Data)
	}
	token := w.Token
	if w.TokenFile != "" {
		read := env.Secret
		if read == nil {
			read = os.ReadFile
		}
		b, err := read(w.TokenFile)
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(b))
	}
	return newRemote(w.URL, token)
}

// List lists entries.
type List struct {
	Where
	By    string `help:"Only by this reporter." placeholder:"NAME"`
	State string `help:"Only these: applied, held, refused." enum:"applied,held,refused," default:"" placeholder:"STATE"`
	Kind  string `help:"Only these: label, undo, counter, accept." enum:"label,undo,counter,accept," default:"" placeholder:"KIND"`
	ID    string `help:"Only about this message." placeholder:"ID"`
	Limit int    `short:"n" default:"50" help:"At most so many."`
	JSON  bool   `help:"One JSON object a line."`
}

// Run lists, newest first.
func (c *List) Run(env *Env) error {
	if c.Limit < 1 {
		return errors.New("feedback: --limit: want at least 1")
	}
	return c.with(env, func(ctx context.Context, b Book) error {
		q := sluice.FeedbackQuery{By: c.By, State: sluice.FeedbackState(c.State), Kind: sluice.FeedbackKind(c.Kind), ID: c.ID}
		n := 0
		for left := c.Limit; left > 0; {
			q.Limit = min(left, sluice.MaxPage)
			list, err := b.ListFeedback(ctx, q)
			if err != nil {
				return err
			}
			for _, f := range list {
				if err := c.entry(env, f); err != nil {
					return err
				}
			}
			n, left = n+len(list), left-len(list)
			if len(list) < q.Limit {
				break
			}
			q.Before = list[len(list)-1].Seq
		}
		if n == 0 && !c.JSON {
			fmt.Fprintln(env.Stderr, "no labels that fit")
		}
		return nil
	})
}

func (c *List) entry(env *Env, f *sluice.Feedback) error {
	if c.JSON {
		return json.NewEncoder(env.Stdout).Encode(labels.NewEntry(f))
	}
	_, err := fmt.Fprintln(env.Stdout, line(term.PaintFor(env.Stdout), f))
	return err
}

// said is what a label says a message is.
func said(f *sluice.Feedback) string {
	switch {
	case !f.Spam:
		return "wanted"
	case f.Threat == sluice.ThreatNone:
		return "unwanted"
	}
	return f.Threat.String()
}

// line is an entry as the list shows it.
func line(p term.Paint, f *sluice.Feedback) string {
	head := fmt.Sprintf("%6d  %s  ", f.Seq, f.Time.Local().Format("2006-01-02 15:04"))
	if f.Kind != sluice.FeedbackLabel {
		return head + fmt.Sprintf("%-9s %d  by %s", p.Bold(labels.KindWords(f.Kind)), f.Of, term.Plain(f.By, 80))
	}
	b := head + colour(p, f.Spam, fmt.Sprintf("%-9s", said(f))) + " " + state(p, f.State) + fmt.Sprintf(" %3.0f %%  %s  %s", 100*f.Trust, term.Plain(f.By, 80), p.Dim(labels.SourceWords(f.Source)))
	if len(f.To) > 0 {
		b += "  for " + term.Plain(strings.Join(f.To, ", "), 80)
	}
	if f.ID != "" {
		b += "  " + term.Plain(f.ID, 64)
	}
	if f.Why != "" {
		b += "  " + p.Dim(term.Plain(f.Why, 100))
	}
	return b
}

func colour(p term.Paint, spam bool, s string) string {
	if spam {
		return p.In("31", s)
	}
	return p.In("32", s)
}

func state(p term.Paint, s sluice.FeedbackState) string {
	words := fmt.Sprintf("%-11s", labels.StateWords(s))
	switch s {
	case sluice.FeedbackApplied:
		return p.In("32", words)
	case sluice.FeedbackHeld:
		return p.In("35", words)
	}
	return p.In("33", words)
}

// Show shows one entry.
type Show struct {
	Where
	Seq  int64 `arg:"" help:"Number of the entry."`
	JSON bool  `help:"As JSON."`
}

// Run shows it.
func (c *Show) Run(env *Env) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		f, err := b.FeedbackEntry(ctx, c.Seq)
		if err != nil {
			return noSuch(c.Seq, err)
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(labels.NewEntry(f))
		}
		show(env.Stdout, f)
		return nil
	})
}

func show(w io.Writer, f *sluice.Feedback) {
	p := term.PaintFor(w)
	row := func(k, s string) {
		if s != "" {
			fmt.Fprintf(w, "%-9s %s\n", k, s)
		}
	}
	row("entry", p.Bold(fmt.Sprint(f.Seq)))
	row("time", f.Time.Format(time.RFC1123Z))
	if f.Kind != sluice.FeedbackLabel {
		row("what", fmt.Sprintf("%s %d", labels.KindWords(f.Kind), f.Of))
	} else if f.Spam {
		row("says", colour(p, true, strings.TrimSuffix("unwanted, "+said(f), ", unwanted")))
	} else {
		row("says", colour(p, false, said(f)))
	}
	by := term.Plain(f.By, 254)
	if f.Kind == sluice.FeedbackLabel { // another entry has the source of its label
		by += ", " + labels.SourceWords(f.Source)
	}
	row("by", by)
	row("for", term.Plain(strings.Join(f.To, ", "), 1000))
	row("message", term.Plain(f.ID, 64))
	row("tenant", term.Plain(f.Tenant, 254))
	row("why", term.Plain(f.Why, 1000))
	if f.Kind != sluice.FeedbackLabel {
		return
	}
	row("state", strings.TrimSpace(state(p, f.State)))
	row("trust", fmt.Sprintf("%.0f %%", 100*f.Trust))
	if f.Trusted {
		row("", "trusted: it teaches the fast weights as well")
	}
}

// noSuch names what isn't there.
func noSuch(seq int64, err error) error {
	if errors.Is(err, sluice.ErrNotFound) {
		return fmt.Errorf("no entry %d in the log: %w", seq, err)
	}
	return err
}

// Undo takes labels back.
type Undo struct {
	Where
	Seqs []int64 `arg:"" name:"seq" help:"Numbers of labels."`
}

// Run takes them back one by one.
func (c *Undo) Run(env *Env) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		return each(c.Seqs, func(seq int64) error { return settle(ctx, env, seq, b.Undo) })
	})
}

// Accept lets labels count.
type Accept struct {
	Where
	Seqs []int64 `arg:"" name:"seq" help:"Numbers of labels that wait."`
}

// Run accepts them one by one.
func (c *Accept) Run(env *Env) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		return each(c.Seqs, func(seq int64) error { return settle(ctx, env, seq, b.Accept) })
	})
}

// each goes on where one fails.
func each(seqs []int64, f func(int64) error) error {
	var errs []error
	for _, s := range seqs {
		errs = append(errs, f(s))
	}
	return errors.Join(errs...)
}

func settle(ctx context.Context, env *Env, seq int64, do func(context.Context, int64, string) (*sluice.Feedback, error)) error {
	f, err := do(ctx, seq, env.User)
	if err != nil {
		return noSuch(seq, err)
	}
	words := map[sluice.FeedbackKind]string{sluice.FeedbackUndo: "taken back, as if it had never been", sluice.FeedbackAccept: "accepted; it counts from here on",
		sluice.FeedbackCounter: "trained against: it is too old to be replayed without it"}
	_, err = fmt.Fprintf(env.Stdout, "%d %s (entry %d)\n", seq, words[f.Kind], f.Seq)
	return err
}

// Reporters lists those who give labels.
type Reporters struct {
	Where
	Limit int  `short:"n" default:"50" help:"At most so many."`
	JSON  bool `help:"One JSON object a line."`
}

// Run lists them, latest first.
func (c *Reporters) Run(env *Env) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		list, err := b.Reporters(ctx, min(max(c.Limit, 1), sluice.MaxPage))
		if err != nil {
			return err
		}
		for _, r := range list {
			if c.JSON {
				err = json.NewEncoder(env.Stdout).Encode(labels.Reporter(r))
			} else {
				last := "never"
				if !r.Last.IsZero() {
					last = r.Last.Local().Format("2006-01-02 15:04")
				}
				_, err = fmt.Fprintf(env.Stdout, "%3.0f %%  %5d labels  agreed %.1f  disputed %.1f  last %s  %s\n", 100*r.Trust, r.Labels, r.Agreed, r.Disputed, last, term.Plain(r.Name, 254))
			}
			if err != nil {
				return err
			}
		}
		if len(list) == 0 && !c.JSON {
			fmt.Fprintln(env.Stderr, "nobody has given a label yet")
		}
		return nil
	})
}

// Add labels messages.
type Add struct {
	Where
	Spam   bool     `help:"They are unwanted." xor:"what" required:""`
	Ham    bool     `help:"They are wanted." xor:"what" required:""`
	Threat string   `help:"What unwanted ones are: spam, bulk, phish, scam, malware." placeholder:"THREAT"`
	By     string   `help:"Whose word it is, such as the owner of the mailbox. Default: yours, as an admin." placeholder:"USER"`
	To     []string `help:"Whose mail it was." placeholder:"ADDR"`
	Paths  []string `arg:"" name:"path" help:"Files, folders, mbox files or Maildirs; - is standard input."`
	JSON   bool     `help:"One JSON object a line."`
}

// Run labels every message of the paths.
func (c *Add) Run(env *Env) error {
	l := sluice.Label{Spam: c.Spam, Source: sluice.SourceAdmin, By: env.User, To: c.To}
	if c.By != "" {
		l.By, l.Source = c.By, sluice.SourceFolder
	}
	if c.Spam {
		l.Threat = sluice.ThreatSpam
	}
	if c.Threat != "" {
		if err := l.Threat.UnmarshalText([]byte(c.Threat)); err != nil || !c.Spam || l.Threat == sluice.ThreatNone {
			return fmt.Errorf("feedback: --threat %q: want one such as phish, and only with --spam", c.Threat)
		}
	}
	return c.with(env, func(ctx context.Context, b Book) error {
		var failed error
		done := 0
		for item := range scan.Sources(scan.Config{Paths: c.Paths, Stdin: env.Stdin, MaxSize: labels.MaxMessage}) {
			if err := ctx.Err(); err != nil {
				return err
			}
			m, err := item.Open()
			if err == nil && len(bytes.TrimSpace(m.Raw)) == 0 {
				err = fmt.Errorf("%s: empty", item.ID)
			}
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			one := l
			one.Raw, one.ID = b.Clean(ctx, m.Raw)
			f, err := b.Teach(ctx, &one)
			if err != nil {
				return errors.Join(failed, fmt.Errorf("%s: %w", term.Plain(item.ID, 200), err))
			}
			done++
			if err := c.report(env, item.ID, f); err != nil {
				return err
			}
		}
		if done == 0 && failed == nil {
			return errors.New("no message there")
		}
		return failed
	})
}

func (c *Add) report(env *Env, name string, f *sluice.Feedback) error {
	if c.JSON {
		return json.NewEncoder(env.Stdout).Encode(labels.NewEntry(f))
	}
	s, n := labels.StateWords(f.State), fmt.Sprint(f.Seq)
	if f.Seq == 0 { // one too many isn't written down
		n = "-"
	}
	if f.Why != "" {
		s += ": " + term.Plain(f.Why, 200)
	}
	_, err := fmt.Fprintf(env.Stdout, "%s  %s  %s\n", n, term.Plain(name, 200), s)
	return err
}
