package gate

import (
	"context"

	"sluice"
	"sluice/check"
	"sluice/explain"
	"sluice/gate/route"
	"sluice/guard"
	"sluice/judge/policy"
	"sluice/reason"
)

// Rcpt implements [sluice.Session]. The cheapest reasons to refuse come first, and
// who exists is told last, to those whom nothing speaks against.
func (s *session) Rcpt(ctx context.Context, to string, params []sluice.Param) sluice.Reply {
	tx := s.tx
	if tx == nil || tx.void {
		return sluice.Reply{Code: 503, Enhanced: "5.5.1", Text: "MAIL first"}
	}
	if s.harvest {
		return s.harvested(to)
	}
	if s.reports(to) {
		return s.rcptDesk(ctx, to, params)
	}
	trap := s.set.Traps.Has(to)
	rt, addr := s.set.Routes.Of(to, s.sends())
	switch {
	case tx.desk:
		return s.refuseRcpt(to, reason.MixedRecipients)
	case trap:
		rt = tx.route // a trap goes no way of its own
	case rt == nil || route.Hidden(addr):
		return s.refuseRcpt(to, reason.RelayDenied)
	case tx.route != nil && (rt.Key != tx.route.Key || rt.Tenant != tx.route.Tenant):
		// The first recipient fixed the transaction's key: one reply at the
		// dot can't speak for two next hops.
		return s.refuseRcpt(to, reason.MixedRecipients)
	case rt.RequireTLS && s.conn.TLS == nil && !s.conn.Trusted:
		return s.refuseRcpt(to, reason.TLSRequiredHere)
	}
	env := tx.env
	if rt != nil {
		env.Tenant, env.Outbound = rt.Tenant, rt == s.set.Routes.Outbound
	}
	env.Rcpts = []sluice.Recipient{{Address: addr, Params: params}}
	before := len(tx.ledger)
	s.run(ctx, sluice.PhaseRcpt, &env)
	if trap && s.hardStop() == "" {
		s.trap(addr) // from whomever isn't known to be bad
	} else if why := s.early(addr); why != "" {
		tx.ledger = tx.ledger[:before] // it spoke of this recipient, which isn't in the transaction
		return s.refuseRcpt(to, why)
	} else if r, refused := s.absent(ctx, rt, to, addr); refused {
		return r
	}
	if rt != nil {
		tx.route, tx.env.Tenant, tx.env.Outbound = rt, env.Tenant, env.Outbound
	}
	tx.env.Rcpts = append(tx.env.Rcpts, env.Rcpts[0])
	return sluice.Reply{Code: 250, Enhanced: "2.1.5", Text: "Recipient noted"}
}

// early asks policy about a recipient before there is a message, and the greylist
// where policy calls the client grey. It returns why the recipient is refused, or
// "".
func (s *session) early(addr string) sluice.Reason {
	v := s.verdict()
	c := policy.Circumstances{AlreadyAccepted: s.conn.AlreadyAccepted, Trusted: s.conn.Trusted}
	if s.conn.Auth != "" && v.HardKind != sluice.HardStop {
		return "" // a user of ours, wherever the client stands
	}
	d := policy.Early(v, s.set.Policy, addr, c)
	switch {
	case d.Why == reason.Greylisted:
		if s.grey(addr) {
			return d.Why
		}
	case d.Action != sluice.Accept:
		s.offend(d.Why)
		return d.Why
	}
	return ""
}

// trap notes a recipient that exists to catch mail nobody asked for. The message
// is taken, so that it can be learned from, and goes to quarantine for it.
func (s *session) trap(addr string) {
	tx := s.tx
	if tx.traps == nil {
		tx.traps = map[string]bool{}
		tx.ledger = append(tx.ledger, check.Found(reason.Spamtrap, addr))
		s.offend(reason.Spamtrap)
	}
	tx.traps[addr] = true
}

// absent asks the directory and refuses a mailbox that doesn't exist.
func (s *session) absent(ctx context.Context, rt *route.Route, to, addr string) (sluice.Reply, bool) {
	if rt.Directory == nil || s.conn.Trusted || sluice.IsPostmaster(addr) {
		return sluice.Reply{}, false
	}
	local, domain := sluice.LocalOf(addr), route.ALabels(sluice.DomainOf(addr))
	l, err := rt.Directory.Lookup(ctx, local+"@"+domain)
	if l.Reply.Temporary() || l.Reply.Permanent() {
		// The back end knows the mailbox and won't have its mail now.
		why, code := explain.RelayedReason(l.Reply)
		r := explain.Relayed(l.Reply, s.options(s.tx.env.ID, sluice.PhaseRcpt, &sluice.Verdict{}, code, why))
		s.missed(to, r)
		return r, true
	}
	if l.Presence != sluice.CantTell {
		known := l.Presence == sluice.Present
		switch h := s.counted(local+"@"+domain, known); {
		case h.State == guard.Harvester && !known:
			return s.foundHarvest(to, h.Detail), true
		case h.State == guard.Suspect:
			// One answer for all, so that guessing tells nothing; an honest
			// sender's next try comes when that is over.
			return s.refuseRcpt(to, reason.RecipientsUnavailable), true
		case !known:
			return s.refuseRcpt(to, reason.RecipientUnknown), true
		}
		return sluice.Reply{}, false
	}
	if err != nil {
		s.gate.cfg.Logger.Warn("the directory of recipients can't answer", "domain", domain, "source", l.Source, "error", err)
		s.gate.cfg.Metrics.trouble.WithLabelValues("directory").Inc()
	}
	if rt.DirectoryDown {
		return s.refuseRcpt(to, reason.RecipientsUnavailable), true
	}
	return sluice.Reply{}, false
}

// foundHarvest ends what a client can learn here: from now on it gets one answer
// to all recipients.
func (s *session) foundHarvest(to, detail string) sluice.Reply {
	s.harvest = true
	e := check.Found(reason.Harvest, detail)
	e.Phase = sluice.PhaseRcpt
	s.ledger = append(s.ledger, e)
	return s.harvested(to)
}

// harvested is the one answer to all recipients of a client that guesses them: it
// doesn't tell who exists, and takes its time.
func (s *session) harvested(to string) sluice.Reply {
	r := s.refuseRcpt(to, reason.Harvest)
	r.Slow = true
	return r
}

// mostWaits is how many recipients of one session are asked to come again.
const mostWaits = 20

// refuseRcpt answers one recipient and remembers that for the log.
func (s *session) refuseRcpt(to string, why sluice.Reason) sluice.Reply {
	v := s.verdict()
	r := s.say(why, s.tx.env.ID, sluice.PhaseRcpt, &v)
	if why == reason.Greylisted {
		// All further ones would hear the same: a list's server comes again for
		// them, and a guesser is done here.
		if s.waits++; s.waits >= mostWaits {
			r.Code, r.Close = 421, true
		}
	}
	s.missed(to, r)
	s.refused(why, sluice.PhaseRcpt, r)
	return r
}

// missed remembers a refused recipient.
func (s *session) missed(to string, r sluice.Reply) {
	s.tx.misses++
	if len(s.tx.refused) < maxRefused {
		s.tx.refused = append(s.tx.refused, sluice.Outcome{Recipient: to, Reply: r})
	}
}
