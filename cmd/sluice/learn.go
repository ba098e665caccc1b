package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"sluice"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/learn/feedback"
	"sluice/scan"
)

type learnCmd struct {
	place
	Ham    []string `help:"Files, folders, mbox files or Maildirs of wanted mail." placeholder:"PATH…" sep:"none"`
	Spam   []string `help:"The same of unwanted mail." placeholder:"PATH…" sep:"none"`
	Most   int      `help:"At most so many of each kind, the last ones. More hardly teach." default:"10000"`
	Forget bool     `help:"Take back first what this command has taught before."`
	JSON   bool     `help:"Report as JSON."`
}

// learned is what Run reports.
type learned struct {
	Ham       int `json:"ham"`
	Spam      int `json:"spam"`
	Failed    int `json:"unreadable"`
	Refused   int `json:"refused"` // messages that teach nothing
	Left      int `json:"left"`    // more than --most
	TakenBack int `json:"taken_back"`
	Model     struct {
		Ham  int `json:"ham"`
		Spam int `json:"spam"`
	} `json:"model"` // labels that it rests on
}

// Run gives labels to sorted mail. They go into the log of labels as any other: a
// running daemon learns them at once, and each can be taken back.
func (c *learnCmd) Run(a *app) (err error) {
	if len(c.Ham)+len(c.Spam) == 0 && !c.Forget {
		return errors.New("learn: say what to learn from: --ham PATH… and --spam PATH…")
	}
	cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("learn: %w", err)
	}
	b, err := daemon.OpenBook(a.ctx, cfg, slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var out learned
	if c.Forget {
		if out.TakenBack, err = forget(a.ctx, b); err != nil {
			return err
		}
	}
	ham, spam := collect(a, c.Ham), collect(a, c.Spam)
	for _, list := range []*[]*scan.Item{&ham, &spam} {
		if n := len(*list) - c.Most; n > 0 {
			*list = (*list)[n:]
			out.Left += n
		}
	}
	if err := teach(a, b, inTurns(ham, spam), &out); err != nil {
		return err
	}
	out.Model.Ham, out.Model.Spam = b.Model().Labels()
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(out)
	}
	return out.print(a)
}

func (l *learned) print(a *app) error {
	if l.TakenBack > 0 {
		fmt.Fprintf(a.stdout, "took back %d labels\n", l.TakenBack)
	}
	fmt.Fprintf(a.stdout, "learned from %d wanted and %d unwanted messages; %d unreadable, %d without anything to learn from\n", l.Ham, l.Spam, l.Failed, l.Refused)
	if l.Left > 0 {
		fmt.Fprintf(a.stdout, "left out the first %d; --most takes more\n", l.Left)
	}
	_, err := fmt.Fprintf(a.stdout, "the model rests on %d wanted and %d unwanted messages now; a running daemon has it within seconds\n", l.Model.Ham, l.Model.Spam)
	return err
}

// learnBatch is how many labels are written in one step.
const learnBatch = 256

// teach gives the labels, and lets the model learn beside the reading.
func teach(a *app, b *daemon.Book, work []labelled, out *learned) error {
	ctx, stop := context.WithCancel(a.ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { b.Room.Run(ctx, nil) })
	by := whoami()
	var batch []*sluice.Label
	flush := func() error {
		entries, err := b.TeachAll(ctx, batch)
		for _, f := range entries {
			switch {
			case f.State != sluice.FeedbackApplied:
				out.Refused++
			case f.Spam:
				out.Spam++
			default:
				out.Ham++
			}
		}
		batch = batch[:0]
		return err
	}
	show := term.ProgressOn(a.stderr, len(work))
	defer show.End()
	err := term.InOrder(ctx, 0, term.Each(work), func(l labelled) learnable { return l.read(ctx, b) }, func(l learnable) error {
		show.Step()
		if l.err != nil {
			out.Failed++
			fmt.Fprintf(a.stderr, "learn: %s\n", term.Plain(l.err.Error(), 300))
			return nil
		}
		l.label.Source, l.label.By = sluice.SourceLearn, by
		if batch = append(batch, l.label); len(batch) == learnBatch {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return b.CatchUp(ctx)
}

// forget takes back all that this command has taught and that still counts.
func forget(ctx context.Context, b *daemon.Book) (n int, err error) {
	for q := (sluice.FeedbackQuery{Kind: sluice.FeedbackLabel, State: sluice.FeedbackApplied, Limit: sluice.MaxPage}); ; {
		page, err := b.ListFeedback(ctx, q)
		if err != nil || len(page) == 0 {
			return n, err
		}
		for _, f := range page {
			if q.Before = f.Seq; f.Source != sluice.SourceLearn {
				continue
			}
			switch _, err := b.Undo(ctx, f.Seq, whoami()); {
			case err == nil:
				n++
			case !errors.Is(err, feedback.ErrLabel): // it was taken back before
				return n, err
			}
		}
	}
}

// labelled is a stored message and what it is.
type labelled struct {
	item *scan.Item
	spam bool
}

// learnable is a labelled message, read.
type learnable struct {
	label *sluice.Label
	err   error
}

func (l labelled) read(ctx context.Context, b *daemon.Book) learnable {
	m, err := l.item.Open()
	if err != nil {
		return learnable{err: err}
	}
	raw, id := b.Clean(ctx, m.Raw)
	return learnable{label: &sluice.Label{Raw: raw, ID: id, Spam: l.spam}}
}

func collect(a *app, paths []string) (out []*scan.Item) {
	for it := range scan.Sources(scan.Config{Paths: paths, Stdin: a.stdin}) {
		out = append(out, it)
	}
	return out
}

// inTurns mixes both kinds evenly: a learner that sees one after the other
// remembers the last.
func inTurns(ham, spam []*scan.Item) []labelled {
	out := make([]labelled, 0, len(ham)+len(spam))
	for h, s := 0, 0; h < len(ham) || s < len(spam); {
		if s == len(spam) || h < len(ham) && h*len(spam) <= s*len(ham) {
			out = append(out, labelled{ham[h], false})
			h++
		} else {
			out = append(out, labelled{spam[s], true})
			s++
		}
	}
	return out
}
