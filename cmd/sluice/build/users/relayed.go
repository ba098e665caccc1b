package users

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"sluice"
	"sluice/internal/table"
	"sluice/subscriber"
)

// relayed finds who sent mail that reports name: by its reference or Message-ID in the
// log, by address and moment among the latest.
type relayed struct {
	log   sluice.Log
	lines *table.Table[netip.Addr, line]
}

// line is who sent from an address: the latest of each account, a few of them, since
// addresses are shared.
type line [4]struct {
	account, from, tenant string
	at                    time.Time
}

const (
	mostLines = 50_000
	// Feeds tell of a day; dynamic addresses move sooner, and clocks differ.
	lineAround = 2 * time.Hour
	lineFor    = 48 * time.Hour
)

func newRelayed(log sluice.Log) *relayed {
	return &relayed{log, table.New[netip.Addr](table.Config[line]{Capacity: mostLines, Worth: func(l *line, now time.Time) float64 {
		return max(0, (lineFor - now.Sub(l[0].at)).Hours())
	}})}
}

// saw remembers who sent from where.
func (r *relayed) saw(c *sluice.Conn, env *sluice.Envelope) {
	now := time.Now()
	r.lines.Update(c.Client.Addr().Unmap(), now, func(l *line) {
		i := 0
		for i < len(l)-1 && !l[i].at.IsZero() && l[i].account != c.Auth {
			i++
		}
		copy(l[1:i+1], l[:i])
		l[0].account, l[0].from, l[0].tenant, l[0].at = c.Auth, env.From, env.Tenant, now
	})
}

// Mail implements [subscriber.Relayed].
func (r *relayed) Mail(ctx context.Context, id, messageID string) (subscriber.Trace, bool, error) {
	rec, err := r.record(ctx, id, messageID)
	if errors.Is(err, sluice.ErrNotFound) || err == nil && rec == nil {
		return subscriber.Trace{}, false, nil
	}
	if err != nil {
		return subscriber.Trace{}, false, err
	}
	return subscriber.Trace{Account: rec.Conn.Auth, Address: rec.Envelope.From, Client: rec.Conn.Client.Addr().Unmap(), Tenant: rec.Tenant, Time: rec.Conn.Start}, true, nil
}

// record finds mail that our users sent and we took; nil where there is none.
func (r *relayed) record(ctx context.Context, id, messageID string) (*sluice.Record, error) {
	bare := strings.Trim(messageID, "<> ")
	if id == "" {
		if bare == "" {
			return nil, nil
		}
		list, err := r.log.Records(ctx, sluice.Query{Relayed: bare, Limit: 1})
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return list[0], nil
	}
	rec, err := r.log.Record(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case !rec.Reply.Positive() || rec.Conn.Auth == "" && !rec.Envelope.Outbound, bare != "" && strings.Trim(rec.MessageID, "<> ") != bare:
		return nil, nil
	}
	return rec, nil
}

// Line implements [subscriber.Relayed].
func (r *relayed) Line(_ context.Context, client netip.Addr, at time.Time) (subscriber.Trace, bool, error) {
	l, ok := r.lines.Get(client.Unmap())
	if !ok {
		return subscriber.Trace{}, false, nil
	}
	best := -1
	for i := range l {
		if d := at.Sub(l[i].at).Abs(); !l[i].at.IsZero() && d <= lineAround && (best < 0 || d < at.Sub(l[best].at).Abs()) {
			best = i
		}
	}
	if best < 0 {
		return subscriber.Trace{}, false, nil
	}
	b := l[best]
	return subscriber.Trace{Account: b.account, Address: b.from, Client: client.Unmap(), Tenant: b.tenant, Time: b.at}, true, nil
}
