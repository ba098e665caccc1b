package smtpd

import (
	"cmp"
	"time"
)

// withDefaults fills in zero fields.
func (l Limits) withDefaults() Limits {
	l.Conns = cmp.Or(l.Conns, Capacity())
	l.ConnsPerClient = cmp.Or(l.ConnsPerClient, 50)
	l.CommandLine = cmp.Or(l.CommandLine, 1024)
	l.TextLine = cmp.Or(l.TextLine, 16<<10)
	l.Message = cmp.Or(l.Message, 50<<20)
	l.Swallow = cmp.Or(l.Swallow, 64<<20)
	l.Recipients = cmp.Or(l.Recipients, 1000)
	l.Errors = cmp.Or(l.Errors, 20)
	l.Refusals = cmp.Or(l.Refusals, 100)
	l.Commands = cmp.Or(l.Commands, 10_000)
	l.Transactions = cmp.Or(l.Transactions, 1000)
	l.Slow = cmp.Or(l.Slow, max(1, l.Conns/4))
	l.LogLines = cmp.Or(l.LogLines, 10)
	return l
}

// stressed is what new sessions get under load: enough for honest clients, little
// for the others.
func (l Limits) stressed() Limits {
	l.Swallow = min(l.Swallow, 1<<20)
	l.Errors = min(l.Errors, 3)
	l.Refusals = min(l.Refusals, 10)
	l.Commands = min(l.Commands, 2000)
	l.Transactions = min(l.Transactions, 20)
	return l
}

func (t Timeouts) withDefaults() Timeouts {
	t.GreetPause = cmp.Or(t.GreetPause, 6*time.Second)
	t.Proxy = cmp.Or(t.Proxy, 5*time.Second)
	t.Refused = cmp.Or(t.Refused, 5*time.Second)
	t.Slow = cmp.Or(t.Slow, 30*time.Second)
	t.Idle = cmp.Or(t.Idle, 5*time.Minute)
	t.Command = cmp.Or(t.Command, 30*time.Second)
	t.Data = cmp.Or(t.Data, 30*time.Minute)
	t.DataIdle = cmp.Or(t.DataIdle, 3*time.Minute)
	t.DataGrace = cmp.Or(t.DataGrace, time.Minute)
	t.MinRate = cmp.Or(t.MinRate, 500)
	t.Write = cmp.Or(t.Write, time.Minute)
	t.Handshake = cmp.Or(t.Handshake, 30*time.Second)
	t.Session = cmp.Or(t.Session, 2*time.Hour)
	return t
}

// stressed is what all sessions get under load, running ones included.
func (t Timeouts) stressed() Timeouts {
	t.GreetPause = 0
	t.Proxy = min(t.Proxy, 2*time.Second)
	t.Refused = min(t.Refused, time.Second)
	t.Idle = min(t.Idle, 10*time.Second)
	t.Command = min(t.Command, 5*time.Second)
	t.DataIdle = min(t.DataIdle, 20*time.Second)
	t.DataGrace = min(t.DataGrace, 10*time.Second)
	t.Write = min(t.Write, 10*time.Second)
	t.Handshake = min(t.Handshake, 10*time.Second)
	return t
}

// settings are Settings made ready for use.
type settings struct {
	Settings
	machine, machineStressed   MachineConfig
	timeouts, timeoutsStressed Timeouts
}

func newSettings(set Settings, door string) *settings {
	set.Limits = set.Limits.withDefaults()
	set.Timeouts = set.Timeouts.withDefaults()
	set.Hostname = cmp.Or(set.Hostname, "localhost")
	set.TLS = listening(set.TLS)
	s := &settings{
		Settings: set,
		machine: MachineConfig{
			Hostname: set.Hostname, Door: door, StartTLS: set.TLS != nil && !set.ImplicitTLS, TLS: set.ImplicitTLS,
			Mechanisms: set.Mechanisms, ClearTextAuth: set.ClearTextAuth, Limits: set.Limits,
		},
		timeouts:         set.Timeouts,
		timeoutsStressed: set.Timeouts.stressed(),
	}
	s.machineStressed = s.machine
	s.machineStressed.Limits = set.Limits.stressed()
	return s
}

// DefaultMachineConfig is for those who run a [Machine] without a Server.
func DefaultMachineConfig(hostname string) *MachineConfig {
	return &MachineConfig{Hostname: hostname, Limits: Limits{}.withDefaults()}
}
