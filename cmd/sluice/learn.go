package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/term"
	"sluice/internal/durable"
	"sluice/learn/text"
	"sluice/message"
	"sluice/scan"
)

type learnCmd struct {
	Ham    []string `help:"Files, folders, mbox files or Maildirs of wanted mail." placeholder:"PATH…" sep:"none"`
	Spam   []string `help:"The same of unwanted mail." placeholder:"PATH…" sep:"none"`
	Forget bool     `help:"Forget first what was learned here before."`
	Data   string   `help:"Data folder." default:"sluice-data" placeholder:"DIR"`
	JSON   bool     `help:"Report as JSON."`
}

// learned is what Run reports.
type learned struct {
	Ham    int    `json:"ham"`
	Spam   int    `json:"spam"`
	Failed int    `json:"unreadable"`
	Model  string `json:"model"`
	File   string `json:"file"`
}

// Run learns from labelled mail, ham and spam in turns, and writes what it
// learned. A running daemon takes it at the next reload.
func (c *learnCmd) Run(a *app) error {
	if len(c.Ham)+len(c.Spam) == 0 && !c.Forget {
		return errors.New("learn: say what to learn from: --ham PATH… and --spam PATH…")
	}
	var before *text.Delta
	if !c.Forget {
		var err error
		if before, err = build.Learned(c.Data); err != nil {
			return err
		}
	}
	t := text.NewTrainer(text.Default(), before)
	out := learned{File: build.LearnedFile(c.Data)}
	work := inTurns(collect(a, c.Ham), collect(a, c.Spam))
	show := term.ProgressOn(a.stderr, len(work))
	err := term.InOrder(a.ctx, 0, term.Each(work), func(l labelled) learnable { return l.read() }, func(l learnable) error {
		show.Step()
		switch {
		case l.err != nil:
			out.Failed++
			fmt.Fprintf(a.stderr, "learn: %s\n", term.Plain(l.err.Error(), 300))
		case l.spam:
			out.Spam++
			t.Learn(l.doc, true, text.Trusted)
		default:
			out.Ham++
			t.Learn(l.doc, false, text.Trusted)
		}
		return nil
	})
	show.End()
	if err != nil {
		return err
	}
	if err := writeLearned(c.Data, t.Delta()); err != nil {
		return err
	}
	out.Model = t.Snapshot().Version()
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(out)
	}
	_, err = fmt.Fprintf(a.stdout, "learned from %d wanted and %d unwanted messages, %d unreadable\n%s\nA running daemon takes it after: kill -HUP\n",
		out.Ham, out.Spam, out.Failed, out.File)
	return err
}

func writeLearned(data string, d *text.Delta) error {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("learn: %w", err)
	}
	if err := durable.Replace(durable.OS{}, build.LearnedFile(data), d.Write); err != nil {
		return fmt.Errorf("learn: %w", err)
	}
	return nil
}

// labelled is a stored message and what it is.
type labelled struct {
	item *scan.Item
	spam bool
}

// learnable is a labelled message, read.
type learnable struct {
	doc  *text.Document
	spam bool
	err  error
}

func (l labelled) read() learnable {
	m, err := l.item.Open()
	if err != nil {
		return learnable{err: err}
	}
	return learnable{doc: text.FromMessage(message.Parse(m.Raw, message.DefaultLimits())), spam: l.spam}
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
