// Package campaign holds the checks that ask the memories of campaigns: whether the
// same message was reported, comes from everywhere at once, is one of a wanted
// campaign of its own domain, or a copy of somebody's that leads elsewhere. They only
// read; the message is counted after its verdict, with [Config.Sighting] and
// [Config.Remember].
package campaign

import (
	"context"
	"fmt"
	"math"
	"time"

	"sluice"
	"sluice/check"
	"sluice/inspect"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
	"sluice/mailauth"
	"sluice/mailauth/dmarc"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// Config gives the check its memory.
type Config struct {
	Memory *campaign.Memory // nil: nothing is remembered
	// Copycats remembers what copies are held against; nil: nothing. It needs Memory,
	// which is its Config.Prints.
	Copycats *copycat.Memory
	// Pictures tells what was seen of the pictures that a message encloses, so that
	// logos are remembered and known again; it may wait for whoever decodes them. nil:
	// nobody looks at them.
	Pictures func(ctx context.Context, in *check.Input) []inspect.Image
	// History says whether mail of a registrable domain was wanted here before; nil:
	// of none.
	History func(now time.Time, domain string) bool
	// Operator says who runs the network of a client, as an AS number; nil: unknown.
	Operator func(c *sluice.Conn) uint32
}

// Checks returns the check, none without a memory.
func Checks(c Config) []check.Checker {
	if c.Memory == nil {
		return nil
	}
	out := []check.Checker{checker{c}}
	if c.Copycats != nil {
		out = append(out, copies{c})
	}
	return out
}

type checker struct{ cfg Config }

// Info declares the check. It waits for who the sender is, and reads the whole text.
func (c checker) Info() check.Info {
	return check.Info{
		Name: "campaign/memory", Phase: sluice.PhaseMessage, Group: sluice.GroupCampaign, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.CampaignReported, reason.CampaignOutbreak, reason.CampaignWanted},
	}
}

// Check looks the message up. Mail of our own users is looked up as well: a stolen
// account sends campaigns.
func (c checker) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil || in.Conn == nil || in.Envelope == nil {
		return nil, ctx.Err()
	}
	p := c.cfg.Print(in.Notes, in.Message)
	if p.Empty() {
		return nil, ctx.Err()
	}
	if in.Auth.InTransaction() {
		in.Auth.DMARC(ctx, in.Message, in.Now)
	}
	s := c.cfg.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now)
	return evidence(c.cfg.Memory.Look(p, s), in.Now), ctx.Err()
}

// Print reads a message, once where notes are kept.
func (c Config) Print(n *check.Notes, m *message.Message) *campaign.Print {
	return check.Note(n, func() *campaign.Print { return c.Memory.Print(m) })
}

// Sighting is how a message came, from what the session and its authentication know.
// One without a live client came from nowhere, and so did one of a user of ours or of a
// trusted hop: where people of ours are when they pass a joke on makes no outbreak.
func (c Config) Sighting(conn *sluice.Conn, env *sluice.Envelope, known mailauth.Known, now time.Time) campaign.Sighting {
	s := campaign.Sighting{Time: now, Recipients: env.Addresses()}
	if conn.Client.IsValid() && !conn.Stored && !conn.Trusted && conn.Auth == "" && check.Public(conn.Client.Addr()) {
		s.Client = conn.Client.Addr()
		if c.Operator != nil {
			s.ASN = c.Operator(conn)
		}
	}
	if d := known.DMARC; d != nil && d.Value == dmarc.Pass && d.Domain != "" {
		s.Domain = links.OrgDomain(d.Domain)
		s.History = c.History != nil && c.History(now, s.Domain)
	}
	return s
}

// Weights of reports.
const (
	trusted = 24.0 // decibels of a trusted report; the catalogue says why
	enough  = 0.5  // reports that are worth all of it
	least   = 0.5  // decibels that are worth a line of the ledger
)

// evidence states each reason once: of several clusters that one which says the most.
func evidence(matches []campaign.Match, now time.Time) []sluice.Evidence {
	var reported, outbreak, wanted *campaign.Match
	for i := range matches {
		k := &matches[i]
		if k.Reported && (reported == nil || k.Bad-k.Good > reported.Bad-reported.Good) {
			reported = k
		}
		if k.Outbreak && (outbreak == nil || k.Unrelated > outbreak.Unrelated) {
			outbreak = k
		}
		if k.Wanted && wanted == nil {
			wanted = k
		}
	}
	var out []sluice.Evidence
	if reported != nil {
		if raw := math.Round(10*trusted*min(1, (reported.Bad-reported.Good)/enough)) / 10; raw >= least {
			e := check.Found(reason.CampaignReported, fmt.Sprintf("%s, reported %.1f against %.1f%s", history(reported), reported.Bad, reported.Good, twin(reported)))
			e.Raw = raw
			if reported.Threat != sluice.ThreatNone {
				e.Threat = reported.Threat
			}
			out = append(out, e)
		}
	}
	if outbreak != nil && reported == nil {
		out = append(out, check.Found(reason.CampaignOutbreak, fmt.Sprintf("%d unrelated networks within %s; %s",
			outbreak.Unrelated, now.Sub(outbreak.Since).Round(time.Second), history(outbreak))))
	}
	if wanted != nil && reported == nil {
		own := wanted.Twins[0]
		out = append(out, check.Found(reason.CampaignWanted, fmt.Sprintf("%s has sent it to about %.0f since %s; %s",
			own.Domain, own.Recipients, own.First.Format("2 Jan 2006"), history(wanted))))
	}
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out
}

// history says in words what is known of a cluster.
func history(k *campaign.Match) string {
	return fmt.Sprintf("%s alike by %.0f %%, about %.0f seen from %.0f networks since %s", k.Kind, 100*k.Similarity, k.Messages, k.Networks, k.First.Format("2 Jan 15:04"))
}

// twin names the domain whose mail the message resembles.
func twin(k *campaign.Match) string {
	for _, t := range k.Twins {
		if !t.Own {
			return fmt.Sprintf("; %s sends the like, last on %s", t.Domain, t.Last.Format("2 Jan 2006"))
		}
	}
	return ""
}
