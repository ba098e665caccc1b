package doctor

import (
	"context"
	"fmt"
	"os"
	"time"

	"sluice/learn/network"
)

// The areas, in the order of the list.
const (
	areaConfig    = "Configuration"
	areaPorts     = "Ports"
	areaDNS       = "DNS"
	areaTLS       = "Certificate"
	areaData      = "Data folder"
	areaHops      = "Next hops"
	areaMailboxes = "Mailboxes"
	areaUsers     = "Logins"
	areaLists     = "DNS lists"
	areaHost      = "This host's name"
	areaDomains   = "Domains"
	areaFiles     = "Files"
	areaSystem    = "System"
)

// checks lists what there is to look at.
func (x *examiner) checks() (out []check) {
	add := func(area, what string, run func(context.Context) []Finding) {
		out = append(out, check{area, what, run})
	}
	cfg := x.cfg
	for _, l := range cfg.Listen {
		add(areaPorts, l.Address, x.listener(l))
	}
	if cfg.Console.Address != "" {
		add(areaPorts, cfg.Console.Address, x.web(cfg.Console.Address, "the console"))
		add(areaPorts, "console", x.console)
	}
	if cfg.Public.Address != "" {
		add(areaPorts, cfg.Public.Address, x.web(cfg.Public.Address, "the public pages"))
		if cfg.Lint.Page {
			add(areaPorts, "/lint", x.lint)
		}
	}
	add(areaTLS, "certificate", x.certificate)
	add(areaData, cfg.Data, x.data)
	for _, h := range x.hops() {
		add(areaHops, h.use, x.hop(h))
	}
	add(areaMailboxes, "directories", x.mailboxes)
	for _, l := range cfg.Submission.Login {
		add(areaUsers, l, x.login(l))
	}
	add(areaDNS, "resolver", x.resolver)
	if len(cfg.DNSLists) > 0 {
		for _, name := range x.lists() {
			add(areaLists, name, x.list(name))
		}
	}
	if !x.mute && !cfg.FirstTry {
		add(areaHost, cfg.Hostname, x.host)
		for _, d := range cfg.Domains {
			for _, n := range d.Names {
				add(areaDomains, n, x.mx(n))
				add(areaDomains, n, x.spf(n))
				add(areaDomains, n, x.dmarc(n))
			}
		}
	}
	if !x.mute {
		for _, s := range cfg.Sign {
			add(areaDomains, s.Selector+"._domainkey."+s.Domain, x.signKey(s))
		}
	}
	add(areaFiles, "sandbox", x.sandbox)
	add(areaFiles, "scanners", x.scanners)
	add(areaFiles, "tools", x.tools)
	add(areaSystem, "open files", x.files)
	add(areaSystem, "clock", x.clock)
	for _, f := range []string{cfg.Connect.ASN, cfg.Connect.Country} {
		if f != "" {
			add(areaSystem, f, x.networks(f))
		}
	}
	return out
}

// fewClients are less than a burst of bots brings.
const fewClients = 256

func (x *examiner) files(context.Context) []Finding {
	n := x.m.capacity()
	const fix = "raise the limit of open files (LimitNOFILE= in its unit, ulimit -n) to 65536"
	switch want := x.cfg.Limits.Connections; {
	case want > n:
		return one(Warn, fmt.Sprintf("room for %d clients with this shell's limit, fewer than limits.connections (%d)", n, want), fix)
	case n < fewClients:
		return one(Warn, fmt.Sprintf("room for only %d clients with this shell's limit", n), fix)
	}
	return ok(fmt.Sprintf("room for %d clients with this shell's limit", n))
}

// built is a time that has passed for certain.
var built = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (x *examiner) clock(context.Context) []Finding {
	now := x.m.now()
	text := now.UTC().Format("2006-01-02 15:04 MST")
	if now.Before(built) {
		return one(Bad, "it says "+text+", which is long over: signatures, certificates and bans depend on the time", "set the clock, and run chrony or systemd-timesyncd")
	}
	synced, err := x.m.synced()
	switch {
	case err != nil:
		return ok(text + "; whether anything keeps it right can't be seen from here")
	case !synced:
		return one(Warn, text+"; nothing keeps it right", "run chrony or systemd-timesyncd")
	}
	return ok(text + ", kept right")
}

// oldNetworks is the age from which on too many addresses have changed hands.
const oldNetworks = 120 * 24 * time.Hour

func (x *examiner) networks(path string) func(context.Context) []Finding {
	return func(context.Context) []Finding {
		if _, err := network.Open(path); err != nil {
			return one(Bad, err.Error(), "sluice serve stops at this; fetch the file again, or leave the setting out")
		}
		st, err := os.Stat(path)
		if err != nil {
			return one(Bad, err.Error(), "fetch the file again")
		}
		days := int(x.m.now().Sub(st.ModTime()) / (24 * time.Hour))
		if x.m.now().Sub(st.ModTime()) > oldNetworks {
			return one(Warn, "can be read, and is "+count(days, "day")+" old", "fetch it from time to time; the daemon takes the new file by itself")
		}
		return ok("can be read, " + count(days, "day") + " old")
	}
}
