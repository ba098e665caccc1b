package gate

import (
	"context"
	"errors"
	"hash/maphash"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/explain"
	"sluice/reason"
)

// mostFailures is how many failed logins one session may have: a mail program asks
// its user after the first.
const mostFailures = 3

// secrets keys the hashes by which the guard knows the same wrong password again.
// They are of no use outside this process.
var secrets = maphash.MakeSeed()

// Auth implements [sluice.Session]. The back end proves the credentials; the guard
// says whether they may be looked at at all.
func (s *session) Auth(ctx context.Context, c sluice.Credentials) sluice.Reply {
	account := c.User
	if c.Authorize != "" {
		account = c.Authorize
	}
	guard, now, client := s.gate.cfg.Port.Guard, s.gate.cfg.Clock(), s.conn.Client.Addr()
	if guard != nil {
		d := guard.LoginAllowed(now, client, account)
		if !d.Allow {
			return s.refuseLogin(d.Reason, d.Detail)
		}
		if !wait(ctx, d.Delay) {
			guard.LoginUndecided(now, client, account)
			return s.refuseLogin(reason.AuthTemporary, "the client went away")
		}
	}
	name, err := "", error(&sluice.Error{Reply: sluice.Reply{Code: 454}, Why: reason.AuthTemporary, Err: errors.New("no login server is configured")})
	if s.set.Login != nil {
		name, err = s.set.Login.Login(ctx, c, s.conn)
	}
	now = s.gate.cfg.Clock()
	e, _ := errors.AsType[*sluice.Error](err)
	switch {
	case err == nil:
		s.conn.Auth = name
		s.forgive()
		if guard != nil {
			if d := guard.LoginOK(now, client, account); d.Reason != "" {
				ev := check.Unknown(d.Reason, d.Detail) // for the record: the owner isn't to be punished for it
				ev.Phase = sluice.PhaseAuth
				s.ledger = append(s.ledger, ev)
				s.gate.cfg.Logger.Warn("a login that looks stolen", "account", explain.Escape(name, 120), "client", client.String(), "detail", explain.Escape(d.Detail, 300))
			}
		}
		s.gate.cfg.Metrics.logins.WithLabelValues("ok").Inc()
		if s.set.Users != nil {
			s.set.Users.Login(ctx, s.conn)
		}
		s.run(ctx, sluice.PhaseAuth, nil)
		return sluice.Reply{Code: 235, Enhanced: "2.7.0", Text: "Welcome"}
	case e != nil && e.Why == reason.AuthFailed:
		why := e.Why
		if guard != nil {
			if d := guard.LoginFailed(now, client, account, maphash.String(secrets, c.Secret)|1); !d.Allow {
				why = d.Reason
			}
		}
		r := s.refuseLogin(why, "account "+account)
		if s.failures++; s.failures >= mostFailures && !r.Close {
			r.Code, r.Enhanced, r.Close = 421, "4.7.0", true // RFC 4954 4: it may come again
		}
		return r
	}
	if guard != nil {
		guard.LoginUndecided(now, client, account)
	}
	s.gate.cfg.Metrics.trouble.WithLabelValues("login").Inc()
	s.gate.cfg.Logger.Error("logins can't be checked", "error", err)
	return s.refuseLogin(reason.AuthTemporary, "")
}

// refuseLogin answers a login that isn't to be. The detail never holds a secret.
func (s *session) refuseLogin(why sluice.Reason, detail string) sluice.Reply {
	e, _ := reason.Lookup(string(why))
	id := s.gate.newID()
	v := sluice.Verdict{}
	if e.Hard == "stop" {
		ev := check.Found(why, detail)
		ev.Phase = sluice.PhaseAuth
		s.ledger = append(s.ledger, ev)
		v = s.verdict()
	}
	r := s.say(why, id, sluice.PhaseAuth, &v)
	r.Slow = why == reason.AuthGuessing
	s.refused(why, sluice.PhaseAuth, r)
	s.gate.cfg.Metrics.logins.WithLabelValues(strings.ToLower(string(why))).Inc()
	s.gate.cfg.Logger.Info("login refused", "id", id, "session", s.conn.ID, "client", s.conn.Client.Addr().String(),
		"reason", string(why), "detail", explain.Escape(detail, 200))
	return r
}

// wait sleeps, unless ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
