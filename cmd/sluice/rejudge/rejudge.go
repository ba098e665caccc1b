// Package rejudge is sluice replay: it reads the log, has every record judged again,
// and shows who would be treated otherwise.
package rejudge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"sluice"
	"sluice/cmd/sluice/term"
	"sluice/replay"
)

// Log is where the records are.
type Log interface {
	Records(ctx context.Context, q sluice.Query) ([]*sluice.Record, error)
}

// Config says what to replay and where to write.
type Config struct {
	Log      Log
	Replayer *replay.Replayer
	Since    time.Time // zero: all of it
	Until    time.Time // what comes in meanwhile isn't looked at
	Examples int       // of each flip
	JSON     bool
	Stdout   io.Writer
	Stderr   io.Writer // for the progress
}

// Run replays the log, newest first, and writes what would change.
func Run(ctx context.Context, c Config) (*replay.Tally, error) {
	start := time.Now()
	t := &replay.Tally{Examples: c.Examples}
	progress := term.ProgressOn(c.Stderr, 0)
	err := each(ctx, c, func(rec *sluice.Record) {
		t.Add(c.Replayer.Judge(ctx, rec))
		progress.Step()
	})
	progress.End()
	if err != nil {
		return t, fmt.Errorf("replay: %w", err)
	}
	if c.JSON {
		return t, json.NewEncoder(c.Stdout).Encode(shape(t))
	}
	c.write(t, time.Since(start))
	return t, nil
}

// each yields the records; the next page is read while one is judged.
func each(ctx context.Context, c Config, yield func(*sluice.Record)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan []*sluice.Record, 2)
	failed := make(chan error, 1)
	go func() {
		defer close(pages)
		q := sluice.Query{Since: c.Since, Until: c.Until, Limit: sluice.MaxPage}
		for {
			page, err := c.Log.Records(ctx, q)
			if err != nil {
				failed <- err
				return
			}
			select {
			case pages <- page:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			}
			if len(page) < sluice.MaxPage {
				return
			}
			q.Before = page[len(page)-1].ID
		}
	}()
	for page := range pages {
		for _, rec := range page {
			yield(rec)
		}
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (c *Config) write(t *replay.Tally, took time.Duration) {
	w, p := c.Stdout, term.PaintFor(c.Stdout)
	what := "all of the log"
	if !c.Since.IsZero() {
		what = "since " + c.Since.Local().Format("2006-01-02 15:04")
	}
	fmt.Fprintf(w, "%s messages, %s, judged again in %.1f s: %s as before, %s otherwise\n", p.Bold(fmt.Sprint(t.Messages)), what, took.Seconds(),
		p.Bold(fmt.Sprint(t.Same)), p.Bold(fmt.Sprint(t.Messages-t.Same)))
	for _, f := range t.Flips() {
		to := f.Is.String()
		if f.Is == sluice.Accept && f.Unseen == f.Count {
			to = "would go on"
		}
		fmt.Fprintf(w, "\n%s → %s  %d%s\n", p.Action(f.Was.String()), p.Action(to), f.Count, doubts(f))
		line := func(k string, m map[string]int) {
			if names := most(m, 5); names != "" {
				fmt.Fprintf(w, "  %-9s %s\n", k, names)
			}
		}
		line("by", f.Reasons)
		line("to", f.Domains)
		for _, r := range f.Examples {
			rec := r.Record
			to := ""
			if all := rec.Recipients(); len(all) > 0 {
				to = all[0]
			}
			fmt.Fprintf(w, "  %s  %s  %s → %s  <%s> → <%s>  %s\n", rec.Time.Local().Format("2006-01-02 15:04"), rec.ID,
				p.Points(rec.Verdict.Points), p.Points(r.Verdict.Points), term.Plain(rec.Envelope.From, 50), term.Plain(to, 50), p.Dim(term.Plain(rec.Subject, 50)))
		}
	}
	note := func(n int, s string) {
		if n > 0 {
			fmt.Fprintf(w, "%s\n", p.Dim(fmt.Sprintf("%d %s", n, s)))
		}
	}
	if t.NotRun+t.OldText+t.OldCatalogue > 0 {
		fmt.Fprintln(w)
	}
	note(t.NotRun, "not certain: a check wasn't run then, as nothing hung on its answer")
	note(t.OldText, "with the text as judged then: another model, and the message isn't at hand")
	note(t.OldCatalogue, "with the points of then: that catalogue of reasons isn't known here")
}

func doubts(f *replay.Flip) string {
	switch {
	case f.Unseen > 0:
		return fmt.Sprintf(", %d of them without their message, which never came", f.Unseen)
	case f.NotRun > 0:
		return fmt.Sprintf(", %d of them not certain", f.NotRun)
	}
	return ""
}

// most names the commonest, with their counts.
func most(m map[string]int, n int) (out string) {
	names := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	for i, name := range names {
		if i == n {
			return out + fmt.Sprintf(" and %d more", len(names)-n)
		}
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%s %d", term.Plain(name, 80), m[name])
	}
	return out
}

// result is the stable JSON shape.
type result struct {
	Messages     int    `json:"messages"`
	Same         int    `json:"same"`
	NotRun       int    `json:"not_certain"`
	OldText      int    `json:"text_as_then"`
	OldCatalogue int    `json:"points_as_then"`
	Flips        []flip `json:"flips"`
}

type flip struct {
	Was      string         `json:"was"`
	Is       string         `json:"is"`
	Count    int            `json:"count"`
	Unseen   int            `json:"message_never_came"`
	NotRun   int            `json:"not_certain"`
	Reasons  map[string]int `json:"reasons"`
	Domains  map[string]int `json:"domains"`
	Examples []example      `json:"examples"`
}

type example struct {
	ID      string    `json:"id"`
	Time    time.Time `json:"time"`
	From    string    `json:"from"`
	Rcpt    []string  `json:"rcpt"`
	Subject string    `json:"subject"`
	Points  float64   `json:"points"`
	Then    float64   `json:"points_then"`
	Why     string    `json:"why"`
}

func shape(t *replay.Tally) result {
	out := result{Messages: t.Messages, Same: t.Same, NotRun: t.NotRun, OldText: t.OldText, OldCatalogue: t.OldCatalogue, Flips: []flip{}}
	for _, f := range t.Flips() {
		one := flip{Was: f.Was.String(), Is: f.Is.String(), Count: f.Count, Unseen: f.Unseen, NotRun: f.NotRun, Reasons: f.Reasons, Domains: f.Domains, Examples: []example{}}
		for _, r := range f.Examples {
			one.Examples = append(one.Examples, example{ID: r.Record.ID, Time: r.Record.Time, From: r.Record.Envelope.From, Rcpt: r.Record.Recipients(),
				Subject: r.Record.Subject, Points: r.Verdict.Points, Then: r.Record.Verdict.Points, Why: string(r.Why)})
		}
		out.Flips = append(out.Flips, one)
	}
	return out
}
