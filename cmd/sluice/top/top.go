// Package top watches a gateway in the terminal: one picture, one a second, or JSON.
package top

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/cmd/sluice/term"
	"sluice/live"
)

// Config says what to show, and where.
type Config struct {
	From   *live.Client
	Name   string // of what is watched, "" for the daemon of this machine
	Stdin  io.Reader
	Stdout io.Writer
	Once   bool // one picture, or one JSON object
	JSON   bool // an object a second
}

// minutes is how much of the past a picture needs.
const minutes = 60

// Run shows what goes on until ctx ends or the user types q. The first answer has to
// come; later ones may fail, since a gateway may be restarted.
func Run(ctx context.Context, c Config) error {
	first, err := c.From.Snapshot(ctx, minutes)
	if err != nil {
		return err
	}
	p := term.Picture{Paint: term.PaintFor(c.Stdout), UTF8: term.UTF8(), Where: c.Name}
	switch {
	case c.JSON:
		return c.stream(ctx, first)
	case c.Once:
		width, _, ok := term.Size(c.Stdout)
		if !ok {
			width = 80
		}
		_, err := fmt.Fprintln(c.Stdout, strings.Join(p.Draw(first, width, 0, ""), "\n"))
		return err
	}
	return c.watch(ctx, p, first)
}

func (c *Config) stream(ctx context.Context, s live.Snapshot) error {
	e := json.NewEncoder(c.Stdout)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := e.Encode(s); err != nil || c.Once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var err error
		if s, err = c.From.Snapshot(ctx, minutes); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// watch redraws. Where the gateway stops, the last picture stays, with a word about it.
func (c *Config) watch(ctx context.Context, p term.Picture, s live.Snapshot) error {
	screen, err := term.Take(c.Stdin, c.Stdout)
	if err != nil {
		return fmt.Errorf("%w: use --once for one picture, or --json", err)
	}
	defer screen.Close()
	return screen.Watch(ctx, func(width, height int) []string {
		trouble := ""
		ctx, cancel := context.WithTimeout(ctx, 900*time.Millisecond)
		defer cancel()
		if next, err := c.From.Snapshot(ctx, minutes); err == nil {
			s = next
		} else {
			trouble = err.Error()
		}
		return p.Draw(s, width, height, trouble)
	})
}
