package main

import (
	"sluice/cmd/sluice/brand"
	"sluice/cmd/sluice/build"
	"sluice/config"
)

// brandCmd shows whose names are known.
type brandCmd struct {
	List brandList `cmd:"" help:"List the brands: who speaks from where."`
	Show brandShow `cmd:"" help:"Say what a display name claims, or who speaks from a domain."`
}

type brandList struct {
	Config  string `help:"Settings file (TOML), for brands of your own." type:"path" placeholder:"FILE"`
	Kind    string `help:"Only this kind, such as bank or parcel." placeholder:"KIND"`
	Country string `help:"Only those of a country, and those of all." placeholder:"CC"`
	JSON    bool   `help:"As JSON."`
}

// Run lists them.
func (c *brandList) Run(a *app) error {
	cfg, err := config.Load(c.Config, config.Flags{})
	if err != nil {
		return err
	}
	list, err := build.Brands(cfg)
	if err != nil {
		return err
	}
	return brand.List(a.stdout, list, brand.Filter{Kind: c.Kind, Country: c.Country}, c.JSON)
}

type brandShow struct {
	Config string `help:"Settings file (TOML), for brands of your own." type:"path" placeholder:"FILE"`
	What   string `arg:"" help:"A name, or a domain."`
	JSON   bool   `help:"As JSON."`
}

// Run shows what a name or a domain is to the list.
func (c *brandShow) Run(a *app) error {
	cfg, err := config.Load(c.Config, config.Flags{})
	if err != nil {
		return err
	}
	list, err := build.Brands(cfg)
	if err != nil {
		return err
	}
	return brand.Show(a.stdout, list, c.What, c.JSON)
}
