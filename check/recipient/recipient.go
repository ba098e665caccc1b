// Package recipient holds the checks of what the receiving side has decided
// beforehand: the admin's allow and block lists.
package recipient

import (
	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/reason"
)

// Checks returns the checks of this folder. current gives the lists in force,
// so that a reload replaces them under running sessions; nil lists are empty.
func Checks(current func() *Lists) []check.Checker {
	c := &lookup{current: current}
	return []check.Checker{
		c.at(sluice.PhaseConnect, "network", c.network),
		c.at(sluice.PhaseHello, "helo", c.helo),
		c.at(sluice.PhaseMail, "sender", c.sender),
		c.at(sluice.PhaseRcpt, "tenant", c.tenant),
		c.at(sluice.PhaseMessage, "author", c.author),
	}
}

type lookup struct{ current func() *Lists }

func (c *lookup) at(p sluice.Phase, name string, run func(*Lists, *check.Input) *Entry) check.Checker {
	reasons := []sluice.Reason{reason.AdminBlock, reason.AdminAllow}
	if p > sluice.PhaseConnect {
		reasons = append(reasons, reason.AdminAllowUnauthenticated)
	}
	return check.Func(check.Info{
		Name: "recipient/" + name, Phase: p, Group: sluice.GroupRecipient, Cost: check.Trivial, Reasons: reasons,
	}, func(in *check.Input) []sluice.Evidence {
		l := c.current()
		if l == nil || in.Conn == nil {
			return nil
		}
		e := run(l, in)
		if e == nil {
			return nil
		}
		return []sluice.Evidence{check.Found(statement(e), e.String())}
	})
}

// statement says what an entry amounts to. A client's address can't be forged
// over TCP, so an allowed network passes by itself. Anybody can write any
// address, so an allowed one only speaks for the message.
func statement(e *Entry) sluice.Reason {
	switch {
	case !e.Allow:
		return reason.AdminBlock
	case e.Kind == Network:
		return reason.AdminAllow
	}
	return reason.AdminAllowUnauthenticated
}

// network, helo and sender meet the entries for all tenants at the earliest
// phase; who the recipient is isn't known yet.
func (c *lookup) network(l *Lists, in *check.Input) *Entry {
	return l.client(in.Conn.Client.Addr(), "", in.Now)
}

func (c *lookup) helo(l *Lists, in *check.Input) *Entry {
	return closest(l.helos, in.Conn.Hello.Name, "", in.Now)
}

func (c *lookup) sender(l *Lists, in *check.Input) *Entry {
	if in.Envelope == nil || in.Envelope.From == "" {
		return nil
	}
	return l.sender(in.Envelope.From, "", in.Now)
}

// tenant meets the entries of the recipients' tenant, of whatever kind: the
// strictest one.
func (c *lookup) tenant(l *Lists, in *check.Input) *Entry {
	if in.Envelope == nil || in.Envelope.Tenant == "" {
		return nil
	}
	t := in.Envelope.Tenant
	var best *Entry
	for _, e := range []*Entry{
		l.client(in.Conn.Client.Addr(), t, in.Now),
		closest(l.helos, in.Conn.Hello.Name, t, in.Now),
		l.sender(in.Envelope.From, t, in.Now),
	} {
		if e != nil && e.Tenant == t && (best == nil || best.Allow && !e.Allow) {
			best = e
		}
	}
	return best
}

// author meets the address that the recipient sees, where it isn't the
// envelope's.
func (c *lookup) author(l *Lists, in *check.Input) *Entry {
	tenant, envelope := "", ""
	if in.Envelope != nil {
		tenant, envelope = in.Envelope.Tenant, in.Envelope.From
	}
	var best *Entry
	for _, a := range in.Message.Addresses("From") {
		if s := a.String(); !header.EqualFold(s, envelope) {
			if e := l.sender(s, tenant, in.Now); e != nil && (best == nil || best.Allow && !e.Allow) {
				best = e
			}
		}
	}
	return best
}
