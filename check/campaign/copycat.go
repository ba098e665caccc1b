package campaign

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/learn/text"
	"sluice/message"
	"sluice/reason"
)

// copies asks whether a message is a copy of somebody's campaign that leads elsewhere.
type copies struct{ cfg Config }

// Info declares the check.
func (c copies) Info() check.Info {
	return check.Info{
		Name: "campaign/copycat", Phase: sluice.PhaseMessage, Group: sluice.GroupCampaign, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.Copycat, reason.CopycatHint},
	}
}

// Check looks the message up. It waits for who the sender is: that is half of it.
func (c copies) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil || in.Conn == nil || in.Envelope == nil || in.Conn.Auth != "" {
		return nil, ctx.Err()
	}
	p := c.cfg.CopyPrint(in.Notes, in.Message)
	if p.Empty() {
		return nil, ctx.Err()
	}
	if in.Auth.InTransaction() {
		in.Auth.DMARC(ctx, in.Message, in.Now)
	}
	p = p.Shows(c.cfg.pictures(ctx, in))
	f := c.cfg.Copycats.Look(p, c.cfg.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now))
	return copied(&f), ctx.Err()
}

// CopyPrint reads a message for the memory of copy-cats, once where notes are kept.
func (c Config) CopyPrint(n *check.Notes, m *message.Message) *copycat.Print {
	return check.Note(n, func() *copycat.Print {
		shown := check.Note(n, func() *text.Shown { return text.Show(m) })
		return c.Copycats.PrintShown(m, c.Print(n, m), shown)
	})
}

// pictures are what was seen of the pictures that a message encloses. They are noted for
// Remember.
func (c Config) pictures(ctx context.Context, in *check.Input) seen {
	enclosed := func(p *message.Part) bool { return strings.HasPrefix(p.Type, "image/") && !p.Ghost }
	if c.Pictures == nil || !slices.ContainsFunc(in.Message.Parts, enclosed) {
		return nil
	}
	return check.Note(in.Notes, func() seen {
		var out seen
		for _, k := range c.Pictures(ctx, in) {
			out = append(out, copycat.Picture{Hash: k.PHash, Width: k.Width, Height: k.Height})
		}
		return out
	})
}

// seen are the pictures of a message.
type seen []copycat.Picture

// Remember lets a message that was accepted teach the memory of copy-cats. What is
// returned is for the other nodes of a fleet; nil where there is nothing to tell.
func (c Config) Remember(n *check.Notes, m *message.Message, s campaign.Sighting) *copycat.Entry {
	if c.Copycats == nil || c.Memory == nil || s.Domain == "" || !s.History {
		return nil
	}
	shown, _ := check.Noted[seen](n)
	return c.Copycats.Observe(c.CopyPrint(n, m).Shows(shown), s)
}

// copied states what was found, and names the twin.
func copied(f *copycat.Finding) []sluice.Evidence {
	id := sluice.Reason(reason.Copycat)
	switch f.Verdict {
	case copycat.Copy:
	case copycat.Hint, copycat.Posing:
		id = reason.CopycatHint
	default:
		return nil
	}
	words := fmt.Sprintf("same mail as the one from %s of %s%s, but %s leads to %s; %s%s",
		f.Twin.Domain, f.Twin.Last.Format("2 January 2006"), titled(f.Twin.Subject), pointer(&f.Call), check.Quote(f.Call.Host), f.Near, lacking(f.Why))
	if f.Verdict == copycat.Posing {
		words = fmt.Sprintf("shows the logo that mail from %s carries, last on %s, but %s leads to %s", f.Twin.Domain, f.Twin.Last.Format("2 January 2006"), pointer(&f.Call), check.Quote(f.Call.Host))
	}
	e := check.Found(id, words)
	e.Phase = sluice.PhaseMessage
	return []sluice.Evidence{e}
}

func titled(subject string) string {
	if subject == "" {
		return ""
	}
	return " (" + check.Quote(subject) + ")"
}

func pointer(c *copycat.Call) string {
	what := "the link"
	if c.Button {
		what = "the button"
	}
	if c.Words != "" {
		what += " " + check.Quote(c.Words)
	}
	return what
}

func lacking(why string) string {
	if why == "" {
		return ""
	}
	return "; " + why
}
