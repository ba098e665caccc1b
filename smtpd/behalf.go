package smtpd

import (
	"cmp"
	"context"
	"net/netip"

	"sluice"
)

// This file is who the client is, as the driver keeps it in sluice.Conn: by AUTH,
// and by what a host of ours says of the clients that it speaks for.

// identities are what the connection said of the peer before it spoke for others.
type identities struct {
	peer    sluice.Conn  // before XCLIENT
	session *sluice.Conn // before XFORWARD; nil: it speaks for nobody now
}

// authenticate asks the gate about credentials.
func (c *conn) authenticate(ctx context.Context, cred *sluice.Credentials) {
	r := c.sess.Auth(ctx, *cred)
	if r.Positive() && c.info.Auth == "" {
		// A gate that knows the account's own name has set it.
		c.info.Auth = cmp.Or(cred.Authorize, cred.User, cred.Mechanism)
	}
	c.m.Answer(r)
}

func (c *conn) identities() *identities {
	if c.own == nil {
		c.own = &identities{peer: c.info}
	}
	return c.own
}

// becomeAnother ends the peer's session; the next one is of the client that the
// peer names (XCLIENT).
func (c *conn) becomeAnother(f *Forward) {
	c.dropBody()
	c.sess.Close(sluice.EndedQuit)
	c.sess = nil
	own := c.identities()
	own.session = nil
	c.info = own.peer
	c.info.ID = newID()
	c.info.Auth = f.Login
	c.info.Hello = sluice.Hello{}
	if f.Local.IsValid() {
		c.info.Local = f.Local
	}
	c.name(own.peer, f.Client)
	if f.Client.IsValid() && c.set.Trusted != nil {
		c.info.Trusted = c.set.Trusted(f.Client.Addr())
	}
}

// speakFor is for a transaction of another client's (XFORWARD), or the end of that.
func (c *conn) speakFor(f *Forward) {
	own := c.identities()
	if own.session == nil {
		before := c.info
		own.session = &before
	}
	c.name(*own.session, f.Client)
	if !f.Client.IsValid() {
		c.info.Hello = own.session.Hello
		own.session = nil
		return
	}
	c.info.Hello = f.Hello
}

// name puts a client's address in the place of the hop's; one that isn't valid
// leaves the hop.
func (c *conn) name(hop sluice.Conn, client netip.AddrPort) {
	c.info.Client, c.info.Via, c.info.Dialect = hop.Client, hop.Via, c.m.Dialect()
	if client.IsValid() {
		c.info.Client, c.info.Via = client, hop.Client
	}
}
