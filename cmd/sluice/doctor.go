package main

import (
	"sluice/certs"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/doctor"
	"sluice/cmd/sluice/term"
	"sluice/config"
)

type doctorCmd struct {
	Config string `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data   string `help:"Folder for everything kept." placeholder:"DIR"`
	JSON   bool   `help:"As JSON."`
}

// Run prints the list, and fails if something in it is broken.
func (c *doctorCmd) Run(a *app) error {
	r := c.examine(a)
	show := func() error { return r.Text(a.stdout, term.PaintFor(a.stdout)) }
	if c.JSON {
		show = func() error { return r.JSON(a.stdout) }
	}
	if err := show(); err != nil {
		return err
	}
	if r.Count(doctor.Bad) > 0 {
		return &exitError{code: 1}
	}
	return nil
}

func (c *doctorCmd) examine(a *app) *doctor.Report {
	cfg, err := config.Load(c.Config, config.Flags{Data: c.Data})
	if err != nil {
		return doctor.Failed(err)
	}
	resolver := build.NewResolver(cfg)
	defer resolver.Close()
	return doctor.Run(a.ctx, doctor.Config{Settings: cfg, Resolver: resolver.Resolver,
		Certs: certs.Config{Cert: cfg.TLS.Cert, Key: cfg.TLS.Key, Names: []string{cfg.Hostname}, Dir: cfg.Data}})
}
