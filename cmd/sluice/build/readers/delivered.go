package readers

import (
	"context"
	"time"

	"sluice"
	"sluice/console/public/click"
	"sluice/internal/table"
	"sluice/learn/campaign"
	"sluice/reason"
)

// mostDelivered bounds how many messages are remembered, of some 300 octets each.
const mostDelivered = 50_000

// Delivered remembers what the mail was that our links were written into, so that the
// page behind them can say that it was reported since. It lives as long as the process.
type Delivered struct {
	campaigns *campaign.Memory
	prints    *table.Table[string, delivered]
}

type delivered struct {
	print  []byte
	domain string // that authenticated it; "" where none did
	known  bool   // a domain of good name
	at     time.Time
}

// NewDelivered makes an empty one; nil where no campaigns are remembered.
func NewDelivered(m *campaign.Memory) *Delivered {
	if m == nil {
		return nil
	}
	return &Delivered{m, table.New[string](table.Config[delivered]{Capacity: mostDelivered, Worth: func(d *delivered, now time.Time) float64 {
		return 1 / (1 + now.Sub(d.at).Hours()) // most clicks come soon
	}})}
}

// Sent remembers a message that was delivered with our links.
func (d *Delivered) Sent(id string, p *campaign.Print, s campaign.Sighting) {
	if d == nil || p.Empty() {
		return
	}
	if b, err := p.MarshalBinary(); err == nil {
		d.prints.Update(id, s.Time, func(v *delivered) { *v = delivered{b, s.Domain, s.History, s.Time} })
	}
}

// judge says whether the message that a link stood in was reported.
func (d *Delivered) judge(_ context.Context, t click.Target) ([]click.Finding, error) {
	if d == nil {
		return nil, nil
	}
	now := time.Now()
	one, ok := d.prints.Get(t.Ref)
	if !ok {
		return nil, nil
	}
	p := new(campaign.Print)
	if p.UnmarshalBinary(one.print) != nil {
		return nil, nil
	}
	for _, m := range d.campaigns.Look(p, campaign.Sighting{Time: now, Domain: one.domain, History: one.known}) {
		if m.Reported {
			return []click.Finding{{Reason: sluice.Reason(reason.CampaignReported)}}, nil
		}
	}
	return nil, nil
}
