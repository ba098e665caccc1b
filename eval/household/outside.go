package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"sluice/subscriber"
	"sluice/subscriber/signal"
)

// feed is one line of a report that is on its way to us.
type feed struct {
	report subscriber.Report
	again  bool
	r      *rand.Rand
}

func (f *feed) next(ctx context.Context, w *world) time.Duration {
	got, err := w.warden.Report(ctx, w.now, f.report)
	if err != nil {
		w.fail(err)
	}
	w.reports[got]++
	if !f.again && f.r.Float64() < duplicates {
		f.again = true
		return exponential(f.r, 3*time.Hour)
	}
	return -1
}

// mails are those that reports name.
type mails map[string]subscriber.Trace

// Mail finds who sent mail that we relayed.
func (m mails) Mail(_ context.Context, id, _ string) (subscriber.Trace, bool, error) {
	t, ok := m[id]
	return t, ok, nil
}

// Line finds who used an address of ours.
func (m mails) Line(_ context.Context, client netip.Addr, at time.Time) (subscriber.Trace, bool, error) {
	t, ok := m[client.String()+at.Format(time.DateOnly)]
	return t, ok, nil
}

// name lets reports find a message.
func (w *world) name(who int, client netip.Addr) string {
	id := "m" + strconv.Itoa(len(w.mails))
	w.mails[id] = subscriber.Trace{Account: w.people[who].subject.Account, Client: client, Time: w.now}
	return id
}

// complain lets a recipient report a message that just left.
func (w *world) complain(who int, client netip.Addr, r *rand.Rand) {
	rep := subscriber.Report{Kind: signal.AbuseReport, Reporter: fmt.Sprintf("fbl%d.example", r.IntN(5)), Proven: true, ID: w.name(who, client), At: w.now}
	w.reported(rep, w.now.Add(exponential(r, 6*time.Hour)), r)
}

// reported sends a report on its way, and with it its share of wrong ones.
func (w *world) reported(rep subscriber.Report, at time.Time, r *rand.Rand) {
	own := rand.New(rand.NewPCG(r.Uint64(), 6))
	w.agenda.push(at, &feed{report: rep, r: own})
	if own.Float64() >= wrongShare/(1-wrongShare) {
		return
	}
	i := own.IntN(len(w.people))
	wrong := subscriber.Report{Kind: rep.Kind, Reporter: rep.Reporter, Proven: true, ID: w.name(i, w.people[i].home), At: at}
	w.agenda.push(at, &feed{report: wrong, r: own})
	if own.Float64() < takenBack {
		wrong.Kind = signal.NotSpam
		w.agenda.push(at.Add(exponential(own, day)), &feed{report: wrong, r: own})
	}
}

// sinkholes are feeds that saw infected hosts call home.
func (w *world) sinkholes(today int) {
	r := w.dice.at(w.o.Seed, 7, today).Rand
	for _, x := range w.sick {
		hit, delay, more := r.Float64() < sinkhole, time.Duration(r.Float64()*float64(day)), r.Uint64()
		if !hit || x.began.IsZero() || x.over || x.family == stolen || x.family == snowshoe {
			continue
		}
		p := &w.people[x.who]
		w.mails[p.home.String()+w.now.Format(time.DateOnly)] = subscriber.Trace{Account: p.subject.Account, Client: p.home, Time: w.now}
		w.reported(subscriber.Report{Kind: signal.FeedReport, Reporter: "sinkhole.example", Proven: true, Client: p.home, At: w.now}, w.now.Add(delay), rand.New(rand.NewPCG(more, 8)))
	}
}
