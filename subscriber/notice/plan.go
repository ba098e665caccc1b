package notice

import (
	"slices"
	"strconv"
	"time"

	"sluice"
	"sluice/subscriber"
)

// step is what is to be done next for one case.
type step struct {
	contact subscriber.Contact
	id      string // of the try
	again   bool   // it is journalled already, and nobody knows whether it was sent
}

// lastResort is how long the owner of a stolen account may stay untold by the contacts
// that the thief doesn't read, until its own mailbox is tried as well.
const lastResort = 6 * time.Hour

// usable are the contacts that may be told of a case over channels that there are, in
// their order; a captive portal first, since it costs nobody anything.
//
// Of a stolen account the own mailbox comes last: where nothing else is left, or nothing
// else worked for [lastResort]. The owner reads it too; what the thief learns there is
// that he was found, and nothing in it lets him release anything.
func (n *Notifier) usable(c *sluice.Case, contacts []subscriber.Contact, now time.Time) []subscriber.Contact {
	have := map[string]bool{ByMail: n.cfg.Mail != nil, BySMS: n.cfg.SMS != nil, ByWebhook: n.cfg.Webhook != nil}
	var out, own []subscriber.Contact
	if n.cfg.Captive != nil && c.Kind != sluice.CaseStolen { // a thief sits on another line
		out = append(out, subscriber.Contact{Channel: ByCaptive, Address: c.Subject})
	}
	for _, k := range contacts {
		switch {
		case !have[k.Channel] || k.Address == "":
		case k.Channel == ByMail && !mailable(k.Address):
		case c.Kind == sluice.CaseStolen && k.Same: // the thief reads it
			if k.Channel == ByMail { // there are words for that
				own = append(own, k)
			}
		case slices.ContainsFunc(out, func(o subscriber.Contact) bool { return o.Channel == k.Channel && o.Address == k.Address }):
		default:
			out = append(out, k)
		}
	}
	if len(out) == 0 || now.Sub(c.Held) >= lastResort {
		out = append(out, own...)
	}
	return out
}

// next says whom to tell now; false where something is still waited for. It depends on
// nothing but the case's notices of this round, so that any process goes on from there.
//
// Contacts are tried in their order, each for as long as its channel may take to prove
// anything; then, from the first one again, those that failed after a pause that doubles
// and those that were accepted without proof once a day.
func (n *Notifier) next(c *sluice.Case, contacts []subscriber.Contact, now time.Time) (step, bool) {
	type past struct {
		tries, failed int
		last          *sluice.CaseNotice
	}
	tried := make([]past, len(contacts))
	for i := range c.Notices {
		t := &c.Notices[i]
		if t.Tried.Before(c.Held) {
			continue // of a round before
		}
		k := slices.IndexFunc(contacts, func(k subscriber.Contact) bool { return k.Channel == t.Channel && k.Address == t.Address })
		if k < 0 {
			continue
		}
		p := &tried[k]
		p.tries++
		if p.last = t; !t.Failed.IsZero() {
			p.failed++
			continue
		}
		left := t.Tried.Add(n.cfg.Wait[t.Channel]).Sub(now)
		unknown := t.Accepted.IsZero() && t.Delivered.IsZero() && t.Opened.IsZero() && t.Acknowledged.IsZero()
		if unknown && !n.begun[c.ID+"."+t.ID] && now.Sub(t.Tried) >= n.cfg.Grace && left > 0 {
			return step{contacts[k], t.ID, true}, true
		}
		if left > 0 {
			return step{}, false
		}
	}
	best := -1
	for i, p := range tried {
		if p.tries > 0 && now.Sub(p.last.Tried) < n.pause(p.last, p.failed) {
			continue
		}
		if best < 0 || p.tries < tried[best].tries {
			best = i
		}
	}
	if best < 0 {
		return step{}, false
	}
	return step{contact: contacts[best], id: contacts[best].Channel + "-" + strconv.Itoa(len(c.Notices)+1)}, true
}

// maxPause bounds the pause of a contact that fails.
const maxPause = 6 * time.Hour

// pause is how long a contact rests after its last try.
func (n *Notifier) pause(last *sluice.CaseNotice, failed int) time.Duration {
	if last.Failed.IsZero() {
		return n.cfg.Remind
	}
	return min(n.cfg.Again<<min(max(failed-1, 0), 10), max(maxPause, n.cfg.Again))
}

// captured says whether a captive portal was asked for.
func captured(c *sluice.Case) bool {
	return slices.ContainsFunc(c.Notices, func(t sluice.CaseNotice) bool { return t.Channel == ByCaptive })
}
