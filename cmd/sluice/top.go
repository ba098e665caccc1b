package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/live"
)

type topCmd struct {
	place
	URL   string `help:"Ask the console at this address instead of the daemon of this machine." placeholder:"URL"`
	Token string `help:"Token of the console. Others on this machine can read command lines: better in SLUICE_TOKEN." env:"SLUICE_TOKEN" placeholder:"TOKEN"`
	Once  bool   `help:"Print one picture and end."`
	JSON  bool   `help:"One JSON object a second; with --once, one."`
}

// minutesShown is how much of the past the picture needs.
const minutesShown = 60

// Run shows what goes on now.
func (c *topCmd) Run(a *app) error {
	from, where, err := c.source()
	if err != nil {
		return err
	}
	defer from.Close()
	first, err := from.Snapshot(a.ctx, minutesShown)
	if err != nil {
		return c.advice(err, where)
	}
	switch {
	case c.JSON:
		return c.stream(a, from, first)
	case c.Once:
		width, _, ok := term.Size(a.stdout)
		if !ok {
			width = 80
		}
		p := term.Picture{Paint: term.PaintFor(a.stdout), UTF8: term.UTF8(), Where: c.URL}
		_, err := fmt.Fprintln(a.stdout, strings.Join(p.Draw(first, width, 0, ""), "\n"))
		return err
	}
	return c.watch(a, from, first)
}

// source is who is asked, and its name.
func (c *topCmd) source() (*live.Client, string, error) {
	if c.URL != "" {
		from, err := live.OnConsole(c.URL, c.Token)
		return from, c.URL, err
	}
	cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(cfg.Data, live.Socket)
	return live.OnSocket(path), path, nil
}

// advice says what to do where nobody answers.
func (c *topCmd) advice(err error, where string) error {
	switch {
	case c.URL == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return fmt.Errorf("top: no gateway runs with this data folder (%s); start sluice serve, or name its folder with --data", where)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("top: no right to read %s; run it as the gateway's user", where)
	}
	return fmt.Errorf("top: %w", err)
}

func (c *topCmd) stream(a *app, from *live.Client, s live.Snapshot) error {
	e := json.NewEncoder(a.stdout)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := e.Encode(s); err != nil || c.Once {
			return err
		}
		select {
		case <-a.ctx.Done():
			return nil
		case <-tick.C:
		}
		var err error
		if s, err = from.Snapshot(a.ctx, minutesShown); a.ctx.Err() != nil {
			return nil
		} else if err != nil {
			return fmt.Errorf("top: %w", err)
		}
	}
}

// watch redraws until the user has seen enough. Where the gateway stops, the last
// picture stays with a word about it.
func (c *topCmd) watch(a *app, from *live.Client, s live.Snapshot) error {
	screen, err := term.Take(a.stdin, a.stdout)
	if err != nil {
		return fmt.Errorf("top: %w: use --once for one picture, or --json", err)
	}
	defer screen.Close()
	p := term.Picture{Paint: term.PaintFor(a.stdout), UTF8: term.UTF8(), Where: c.URL}
	return screen.Watch(a.ctx, func(width, height int) []string {
		trouble := ""
		ctx, cancel := context.WithTimeout(a.ctx, 900*time.Millisecond)
		defer cancel()
		if next, err := from.Snapshot(ctx, minutesShown); err == nil {
			s = next
		} else {
			trouble = err.Error()
		}
		return p.Draw(s, width, height, trouble)
	})
}
