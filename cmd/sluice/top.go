package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"sluice/cmd/sluice/top"
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

// Run shows what goes on now.
func (c *topCmd) Run(a *app) error {
	conf := top.Config{Name: c.URL, Stdin: a.stdin, Stdout: a.stdout, Once: c.Once, JSON: c.JSON}
	path := ""
	if c.URL != "" {
		var err error
		if conf.From, err = live.OnConsole(c.URL, c.Token); err != nil {
			return err
		}
	} else {
		cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
		if err != nil {
			return err
		}
		path = filepath.Join(cfg.Data, live.Socket)
		conf.From = live.OnSocket(path)
	}
	defer conf.From.Close()
	switch err := top.Run(a.ctx, conf); {
	case err == nil:
		return nil
	case path != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return fmt.Errorf("top: no gateway runs with this data folder (%s); start sluice serve, or name its folder with --data", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("top: no right to read %s; run it as the gateway's user", path)
	default:
		return fmt.Errorf("top: %w", err)
	}
}
