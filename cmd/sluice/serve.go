package main

import (
	"log/slog"

	"sluice/cmd/sluice/daemon"
	"sluice/config"
	"sluice/smtpd"
)

type serveCmd struct {
	Config  string   `help:"Settings file (TOML); see docs/sluice.example.toml." type:"path" placeholder:"FILE"`
	Listen  []string `help:"SMTP address." placeholder:"HOST:PORT"`
	Console string   `help:"Address of the admin console." placeholder:"HOST:PORT"`
	Data    string   `help:"Folder for everything kept." placeholder:"DIR"`
	Domains []string `help:"Recipient domains to take mail for." placeholder:"DOMAIN,…"`
	Relay   string   `help:"Where their mail goes: smtp://HOST:PORT or maildir:PATH." placeholder:"WHERE"`
	JSON    bool     `help:"Log as JSON."`
}

func (c *serveCmd) load() (*config.Config, error) {
	return config.Load(c.Config, config.Flags{Listen: c.Listen, Console: c.Console, Data: c.Data, Domains: c.Domains, Relay: c.Relay})
}

// Run is the daemon: load, open, build, run, close in reverse.
func (c *serveCmd) Run(a *app) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := smtpd.RaiseFileLimit(); err != nil {
		return err
	}
	d, err := daemon.Open(a.ctx, cfg, c.logger(a))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Listen(cfg); err != nil {
		return err
	}
	if err := d.Hello(a.ctx, a.stdout, cfg); err != nil {
		return err
	}
	return d.Run(a.ctx, c.load)
}

func (c *serveCmd) logger(a *app) *slog.Logger {
	if c.JSON {
		return slog.New(slog.NewJSONHandler(a.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(a.stderr, nil))
}
