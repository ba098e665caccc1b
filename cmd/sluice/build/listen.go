package build

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice"
	"sluice/check"
	checkcorrespondent "sluice/check/correspondent"
	"sluice/check/identity"
	checklookalike "sluice/check/lookalike"
	checktext "sluice/check/text"
	checkthread "sluice/check/thread"
	checkurllist "sluice/check/urllist"
	"sluice/gate"
	"sluice/learn/anomaly"
	"sluice/learn/lookalike"
	"sluice/learn/text/online"
	"sluice/message/links"
	"sluice/reason"
)

// Observe learns from a judged message who speaks for whom. It returns at once.
func (s *Speakers) Observe(o *gate.Observation) {
	l := s.learned
	if l == nil || o.Message == nil || o.Trapped || !o.Reply.Positive() {
		return
	}
	in := &check.Input{Conn: o.Conn, Envelope: o.Envelope, Message: o.Message, Auth: o.Auth, Now: time.Now(), Notes: o.Notes}
	if o.Conn.Auth != "" {
		if o.Action <= sluice.Strip { // what is held may be a bot's
			s.sent(in)
		}
		return
	}
	if o.Good > 0 {
		s.received(in)
	}
	if o.Action <= sluice.Strip && !o.Conn.Trusted {
		l.rank(in, o)
	}
}

// sent learns whom our users write to.
func (s *Speakers) sent(in *check.Input) {
	l := s.learned
	out, ok := checkcorrespondent.Outgoing(in.Conn, in.Envelope, in.Message)
	if !ok || out.Automatic {
		return
	}
	for _, to := range out.To {
		l.brands.Sent(in.Now, out.Tenant, to.Address)
		org := links.OrgDomain(sluice.DomainOf(to.Address))
		if org != "" && l.domains.Wrote(in.Now, org) {
			s.alike.Add(lookalike.Name{Domain: org, Kind: lookalike.Correspondent})
		}
	}
	if m, ok := checkthread.Outgoing(in.Conn, in.Envelope, in.Message); ok {
		l.threads.Learn(in.Now, m)
	}
}

// received learns from mail that nobody found fault with.
func (s *Speakers) received(in *check.Input) {
	l := s.learned
	if named, ok := s.brandConfig().Incoming(in.Conn, in.Envelope, in.Message, in.Auth.Known()); ok {
		l.brands.Received(in.Now, named)
	}
	// What was worth knowing of the sender has been asked for: nothing is now.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if m, ok := checkthread.Incoming(ctx, in); ok {
		l.threads.Learn(in.Now, m)
	}
	if name, signers, ok := identity.Learned(ctx, in); ok {
		l.names.Received(in.Now, in.Envelope.Tenant, name, signers)
	}
	l.domains.Meet(in.Now, checkurllist.Orgs(in.Message))
	if c := l.memory.Campaigns; c.Memory != nil {
		c.Remember(in.Notes, in.Message, c.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now))
	}
}

// posing are reasons by which a message passes for somebody else's.
var posing = map[sluice.Reason]bool{reason.NameOfCorrespondent: true, reason.ProtectedName: true, reason.FromNameOurs: true, reason.OfficeOfOurs: true}

// rank gives a delivered message its place among the others of its tenant, and queues it
// for the admin where it is among the strangest of the day.
func (l *learnedSpeakers) rank(in *check.Input, o *gate.Observation) {
	if l.lane == nil || l.reviews == nil {
		return
	}
	author, _ := in.Message.From()
	ev := anomaly.Event{ID: o.ID, Tenant: in.Envelope.Tenant, Author: author.String(), Links: checkurllist.Orgs(in.Message)}
	for _, r := range in.Envelope.Rcpts {
		ev.Known = ev.Known || l.memory.Correspondents != nil && l.memory.Correspondents.Known(in.Now, in.Envelope.Tenant, r.Address, ev.Author).Wrote
	}
	for i := range o.Verdict.Ledger {
		c := &o.Verdict.Ledger[i]
		switch {
		case c.State != sluice.Found:
		case posing[c.Reason]:
			ev.Name = 1
		case c.Group == sluice.GroupScam && c.Raw > 0:
			ev.Ask += c.Raw
		}
	}
	if senders, ok := check.Noted[checklookalike.Senders](in.Notes); ok && len(senders) > 0 {
		ev.Name = max(ev.Name, senders[0].Match.Strength)
	}
	got := l.lane.Observe(in.Now, ev)
	if !got.Queue {
		return
	}
	r := &sluice.Review{ID: o.ID, Tenant: ev.Tenant, Time: in.Now, From: ev.Author, To: in.Envelope.Addresses(), Subject: in.Message.View().Subject,
		Score: got.Score, Why: got.Why, State: sluice.ReviewNew, Extractor: online.Extractor}
	var err error
	if r.Features, err = checktext.Features(in.Notes, in.Message).Sorted().MarshalBinary(); err != nil {
		r.Features = nil // a label teaches less
	}
	if c := l.memory.Campaigns; c.Memory != nil {
		if r.Print, err = c.Print(in.Notes, in.Message).MarshalBinary(); err != nil {
			r.Print = nil
		}
	}
	select {
	case l.queue <- reviewed{r, got.Replaces}:
	default:
		l.log.Warn("reviews: the database is slow; a message isn't queued", "id", o.ID)
	}
}

// Run writes the queue, and saves what was learned from time to time and at the end.
func (s *Speakers) Run(ctx context.Context, memos sluice.Memos) {
	l := s.learned
	if l == nil {
		return
	}
	t := time.NewTicker(saveEvery)
	defer t.Stop()
	for {
		select {
		case r := <-l.queue:
			l.write(ctx, r)
		case <-t.C:
			l.save(ctx, memos, kept.Save)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for len(l.queue) > 0 {
				l.write(ctx, <-l.queue)
			}
			l.save(ctx, memos, kept.Flush)
			return
		}
	}
}

func (l *learnedSpeakers) write(ctx context.Context, r reviewed) {
	err := l.reviews.PutReview(ctx, r.put)
	if err == nil && r.replaces != "" {
		err = l.reviews.DropReview(ctx, r.replaces)
	}
	if err != nil {
		l.log.Error("reviews: a message can't be queued", "id", r.put.ID, "error", err)
	}
}

func (l *learnedSpeakers) save(ctx context.Context, memos sluice.Memos, how func(kept, context.Context, time.Time, sluice.Memos) (int, error)) {
	var all error
	for _, k := range l.kept() {
		_, err := how(k, ctx, time.Now(), memos)
		all = errors.Join(all, err)
	}
	if all != nil && ctx.Err() == nil {
		l.log.Error("what was learned of senders can't be saved; it is tried again", "error", fmt.Sprint(all))
	}
}
