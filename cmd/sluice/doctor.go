package main

import (
	"sluice/cmd/sluice/doctor"
	"sluice/config"
)

type doctorCmd struct {
	Config string `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data   string `help:"Folder for everything kept." placeholder:"DIR"`
	JSON   bool   `help:"As JSON."`
}

// Run prints the list, and fails if something in it is broken.
func (c *doctorCmd) Run(a *app) error {
	r := doctor.Load(a.ctx, c.Config, config.Flags{Data: c.Data})
	if err := r.Write(a.stdout, c.JSON); err != nil {
		return err
	}
	if r.Count(doctor.Bad) > 0 {
		return &exitError{code: 1}
	}
	return nil
}
