package mailauth

import (
	"sluice/mailauth/arc"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
)

// Known is what has been found out about a session and its transaction; nil is what
// nobody asked for.
type Known struct {
	Reverse *iprev.Result
	HELO    *spf.Result // of the session's present greeting
	SPF     *spf.Result
	DKIM    []dkim.Result
	ARC     *arc.Result
	DMARC   *dmarc.Result
}

// Known returns the results that there are. It asks nothing.
func (a *Auth) Known() Known {
	var k Known
	if a == nil {
		return k
	}
	s := a.root()
	if r, ok := s.reverse.peek(); ok {
		k.Reverse = &r
	}
	s.helo.mu.Lock()
	if s.helo.done && s.heloFor == s.conn.Hello.Name {
		r := s.helo.v
		k.HELO = &r
	}
	s.helo.mu.Unlock()
	if !a.InTransaction() {
		return k
	}
	if r, ok := a.spf.peek(); ok {
		k.SPF = &r
	}
	if r, ok := a.arc.peek(); ok {
		k.ARC = &r
	}
	if r, ok := a.dmarc.peek(); ok {
		k.DMARC = &r
	}
	k.DKIM, _ = a.dkim.peek()
	return k
}
