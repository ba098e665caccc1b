// Package cases is the state machine of a subscriber's case: which step may follow
// which, who may take it, what it writes down, and what time alone asks for.
//
//	open ─► held ─► notified ─► remediated ─► watched ─► closed
//	  │       ▲         │             │           │
//	  │       └─────────┴── recur ────┴───────────┘
//	  └─► closed by fading, false alarm and merged from every live state
//
// Everything is a function over a [sluice.Case] and an event with its time: no clock, no
// store, no randomness. [Apply] either takes a step and adds a line to the audit, or
// returns an error and changes nothing.
package cases

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice"
)

// What is an event.
type What string

// The events.
const (
	Opened     What = "opened"
	Seen       What = "seen"       // one more signal; no line of the audit but for a new kind
	Held       What = "held"       // or restricted otherwise: Event.Restrict
	Noticed    What = "noticed"    // proof of a notice: Event.Notice
	Confirmed  What = "confirmed"  // the subscriber says that the steps are done
	Remedied   What = "remedied"   // an admin answers for it
	Watching   What = "watching"   // mail flows again
	Recurred   What = "recurred"   // abuse after a remedy
	Escalated  What = "escalated"  // an admin is called
	Faded      What = "faded"      // nothing more came of a suspicion
	Clean      What = "clean"      // the watch is over
	ClosedBy   What = "closed"     // by an admin
	FalseAlarm What = "falsealarm" // by an admin
	Reopened   What = "reopened"
	Merged     What = "merged" // Event.Other went on as this one, or this one as it
	Noted      What = "noted"
)

// Means is how a subscriber confirms.
type Means string

// The means. A mailed link proves that somebody reads the mailbox, and no more.
const (
	MailedLink Means = "mailed link"
	Captive    Means = "captive portal"      // on the subscriber's own line
	Second     Means = "second channel"      // a contact that the account's thief doesn't have
	Credential Means = "changed credentials" // the back end says that the password is another
	ByAdmin    Means = "admin"
)

// Event is something that happens to a case.
type Event struct {
	What  What
	Time  time.Time
	Actor string // "" is "sluice"
	Note  string // hostile

	Restrict sluice.Restriction // Held
	Points   float64            // Opened, Seen, Recurred: the posterior
	Own      bool               // … own observation speaks for it
	Kind     sluice.CaseKind    // Opened, Seen
	Signal   sluice.CaseSignal  // Seen: Kind, Count, Points, Detail, ID of one signal
	Means    Means              // Confirmed
	Notice   sluice.CaseNotice  // Noticed: ID, Channel, Address, Detail
	Level    sluice.ProofLevel  // Noticed
	Other    string             // Merged: the other's ID
}

// Errors that tell the caller what to say. Others are of form "cases: …".
var (
	ErrState     = errors.New("not in this state")
	ErrSecond    = errors.New("a stolen account can't be released by mail: use a second channel or change the password")
	ErrOnce      = errors.New("this case was already released by its subscriber once; an admin must do it now")
	ErrOlder     = errors.New("older than the last step")
	ErrTooMany   = errors.New("too many of them")
	ErrNoSuchOne = errors.New("no such try")
)

// Rules are the times and bounds of a site. Zero fields take the default.
type Rules struct {
	Watch       time.Duration // how long a released subscriber is watched; default 7 days
	WatchLonger time.Duration // added for each recurrence; default 7 days
	FadeAfter   time.Duration // an open case without a hold ends after so long without a signal; default 3 days
	TellWithin  time.Duration // an admin is called where nobody was told by then; default 24 h
	AnswerIn    time.Duration // … where nobody answered after being told; default 7 days
	ReopenIn    time.Duration // a case that ended is opened again, not another one made; default 14 days
}

// WithDefaults fills in what is zero.
func (r Rules) WithDefaults() Rules {
	const day = 24 * time.Hour
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&r.Watch, 7 * day}, {&r.WatchLonger, 7 * day}, {&r.FadeAfter, 3 * day}, {&r.TellWithin, day}, {&r.AnswerIn, 7 * day}, {&r.ReopenIn, 14 * day}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	return r
}

// Bounds of a case. Signals are one of each kind, so they need none.
const (
	MaxSteps   = 200 // lines of the audit; the state's changes are kept beyond, up to twice as many
	MaxNotices = 100
	maxNote    = 1000 // octets
	maxDetail  = 300
	maxMerged  = 50
)

// Sluice is the actor of what no person does, Subscriber that of the page.
const (
	Sluice     = "sluice"
	Subscriber = "subscriber"
)

// New opens a case.
func New(id, tenant, subject string, e Event) *sluice.Case {
	c := &sluice.Case{ID: id, Tenant: tenant, Subject: subject, Kind: cmp.Or(e.Kind, sluice.CaseInfected), State: sluice.CaseOpen,
		Points: e.Points, Own: e.Own, Opened: e.Time, FirstAbuse: e.Time, Updated: e.Time}
	e.What = Opened
	step(c, &e, "")
	return c
}

// next is which events lead where, by the state they may happen in. An event that
// doesn't change the state leads to "".
var next = map[What]map[sluice.CaseState]sluice.CaseState{
	Seen: {sluice.CaseOpen: "", sluice.CaseHeld: "", sluice.CaseNotified: "", sluice.CaseRemediated: "", sluice.CaseWatched: ""},
	Held: {sluice.CaseOpen: sluice.CaseHeld, sluice.CaseHeld: "", sluice.CaseNotified: ""},
	Noticed: {sluice.CaseOpen: "", sluice.CaseHeld: "", sluice.CaseNotified: "", sluice.CaseRemediated: "", sluice.CaseWatched: "",
		sluice.CaseClosed: "", sluice.CaseFalseAlarm: ""}, // proof comes when it comes
	Confirmed:  {sluice.CaseOpen: sluice.CaseRemediated, sluice.CaseHeld: sluice.CaseRemediated, sluice.CaseNotified: sluice.CaseRemediated},
	Remedied:   {sluice.CaseOpen: sluice.CaseRemediated, sluice.CaseHeld: sluice.CaseRemediated, sluice.CaseNotified: sluice.CaseRemediated},
	Watching:   {sluice.CaseRemediated: sluice.CaseWatched},
	Recurred:   {sluice.CaseRemediated: sluice.CaseHeld, sluice.CaseWatched: sluice.CaseHeld},
	Escalated:  {sluice.CaseOpen: "", sluice.CaseHeld: "", sluice.CaseNotified: "", sluice.CaseWatched: ""},
	Faded:      {sluice.CaseOpen: sluice.CaseClosed},
	Clean:      {sluice.CaseWatched: sluice.CaseClosed},
	ClosedBy:   live(sluice.CaseClosed),
	FalseAlarm: with(live(sluice.CaseFalseAlarm), sluice.CaseClosed, sluice.CaseFalseAlarm), // it may be found out later
	Reopened:   {sluice.CaseClosed: sluice.CaseOpen, sluice.CaseFalseAlarm: sluice.CaseOpen},
	Merged:     live(sluice.CaseMerged),
	Noted: {sluice.CaseOpen: "", sluice.CaseHeld: "", sluice.CaseNotified: "", sluice.CaseRemediated: "", sluice.CaseWatched: "",
		sluice.CaseClosed: "", sluice.CaseFalseAlarm: "", sluice.CaseMerged: ""},
}

func live(to sluice.CaseState) map[sluice.CaseState]sluice.CaseState {
	m := map[sluice.CaseState]sluice.CaseState{}
	for _, s := range []sluice.CaseState{sluice.CaseOpen, sluice.CaseHeld, sluice.CaseNotified, sluice.CaseRemediated, sluice.CaseWatched} {
		m[s] = to
	}
	return m
}

func with(m map[sluice.CaseState]sluice.CaseState, from, to sluice.CaseState) map[sluice.CaseState]sluice.CaseState {
	m[from] = to
	return m
}

// Allowed lists the events that a state takes, in the order of the words, for pages.
func Allowed(s sluice.CaseState) (out []What) {
	for what, from := range next {
		if _, ok := from[s]; ok {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}

// Apply takes a step. On an error the case is as it was.
func Apply(c *sluice.Case, e Event, r Rules) error {
	to, ok := next[e.What][c.State]
	if !ok {
		return fmt.Errorf("cases: %s: %w: %s", e.What, ErrState, c.State)
	}
	if e.Time.Before(c.Updated) {
		// Clocks of nodes differ by a little; what is told of the past is written as of now.
		if c.Updated.Sub(e.Time) > time.Hour {
			return fmt.Errorf("cases: %s: %w", e.What, ErrOlder)
		}
		e.Time = c.Updated
	}
	if err := check(c, &e); err != nil {
		return fmt.Errorf("cases: %s: %w", e.What, err)
	}
	from := c.State
	if to != "" {
		c.State = to
	}
	quiet := act(c, &e, r.WithDefaults())
	c.Updated = e.Time
	if !quiet || c.State != from {
		step(c, &e, from)
	}
	return nil
}

// check refuses what the state alone allows.
func check(c *sluice.Case, e *Event) error {
	switch e.What {
	case Confirmed:
		strong := e.Means == Second || e.Means == Credential || e.Means == ByAdmin
		switch {
		case e.Means == "":
			return errors.New("by no means")
		case c.Kind == sluice.CaseStolen && !strong:
			return ErrSecond
		case c.SelfReleases > 0 && e.Means != ByAdmin:
			return ErrOnce
		}
	case Noticed:
		known := slices.ContainsFunc(c.Notices, func(n sluice.CaseNotice) bool { return n.ID == e.Notice.ID })
		switch {
		case e.Notice.ID == "":
			return errors.New("without an id")
		case e.Level == sluice.ProofTried && !c.State.Live():
			return ErrState
		case e.Level == sluice.ProofTried && !known && len(c.Notices) >= MaxNotices:
			return ErrTooMany
		case e.Level != sluice.ProofTried && !known:
			return ErrNoSuchOne
		}
	case Merged:
		if e.Other == "" || e.Other == c.ID {
			return errors.New("with no other case")
		}
	case Held:
		if e.Restrict == sluice.RestrictNone {
			return errors.New("without a restriction")
		}
	}
	return nil
}

// act changes what the event is about. It says whether it is too small for the audit.
func act(c *sluice.Case, e *Event, r Rules) (quiet bool) {
	switch e.What {
	case Seen:
		return !seen(c, e)
	case Held:
		quiet = c.Restrict == e.Restrict && !c.Held.IsZero()
		c.Restrict = e.Restrict
		if c.Held.IsZero() {
			c.Held = e.Time
		}
	case Noticed:
		return noticed(c, e)
	case Confirmed:
		if e.Means != ByAdmin {
			c.SelfReleases++
		}
		c.Confirmed, c.Remediated = first(c.Confirmed, e.Time), e.Time
	case Remedied:
		c.Remediated = e.Time
	case Watching:
		c.Restrict, c.Watched = sluice.RestrictNone, e.Time
		c.Until = e.Time.Add(r.Watch + time.Duration(min(c.Recurred, 8))*r.WatchLonger)
	case Recurred:
		c.Recurred++
		c.Restrict, c.Held = cmp.Or(e.Restrict, sluice.RestrictHold), e.Time
		c.Notified, c.Remediated, c.Watched, c.Until, c.Escalated = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
		c.Points, c.Own = max(c.Points, e.Points), c.Own || e.Own
	case Escalated:
		c.Escalated = e.Time
	case Faded, Clean, ClosedBy, FalseAlarm:
		c.Closed, c.Restrict = e.Time, sluice.RestrictNone
	case Reopened:
		c.Reopened++
		c.Closed, c.Restrict, c.Points, c.Own = time.Time{}, sluice.RestrictNone, e.Points, e.Own
		c.Held, c.Notified, c.Remediated, c.Watched, c.Until, c.Escalated = time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}, time.Time{}
	case Merged:
		c.Closed, c.Into, c.Restrict = e.Time, e.Other, sluice.RestrictNone
	}
	return quiet
}

func first(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// seen adds a signal to its kind's sum, and says whether the kind is new here.
func seen(c *sluice.Case, e *Event) (isNew bool) {
	c.Points, c.Own = max(c.Points, e.Points), c.Own || e.Own
	if e.Kind == sluice.CaseStolen {
		c.Kind = e.Kind // and stays: it is the safer of the two
	}
	g := e.Signal
	if g.Kind == "" {
		return false
	}
	at := g.First
	if at.IsZero() {
		at = e.Time
	}
	if c.FirstAbuse.IsZero() || at.Before(c.FirstAbuse) {
		c.FirstAbuse = at
	}
	i := slices.IndexFunc(c.Signals, func(s sluice.CaseSignal) bool { return s.Kind == g.Kind })
	if i < 0 {
		g.First, g.Last, g.Count, g.Detail = at, e.Time, max(g.Count, 1), clip(g.Detail, maxDetail)
		c.Signals = append(c.Signals, g)
		return true
	}
	s := &c.Signals[i]
	s.Count += max(g.Count, 1)
	s.Points, s.Last = max(s.Points, g.Points), e.Time
	s.Detail, s.ID = cmp.Or(clip(g.Detail, maxDetail), s.Detail), cmp.Or(g.ID, s.ID)
	return false
}

// noticed writes down one more proof of a try. What was proven before stays.
func noticed(c *sluice.Case, e *Event) (quiet bool) {
	i := slices.IndexFunc(c.Notices, func(n sluice.CaseNotice) bool { return n.ID == e.Notice.ID })
	if i < 0 {
		n := e.Notice
		n.Tried, n.Detail = e.Time, clip(n.Detail, maxDetail)
		c.Notices = append(c.Notices, n)
		return false
	}
	n := &c.Notices[i]
	n.Detail = cmp.Or(clip(e.Notice.Detail, maxDetail), n.Detail)
	var at *time.Time
	switch e.Level {
	case sluice.ProofFailed:
		at = &n.Failed
	case sluice.ProofAccepted:
		at = &n.Accepted
	case sluice.ProofOpened:
		at = &n.Opened
	case sluice.ProofDelivered:
		at = &n.Delivered
	case sluice.ProofAcknowledged:
		at = &n.Acknowledged
		c.Confirmed = first(c.Confirmed, e.Time)
	default:
		return true
	}
	quiet = !at.IsZero()
	*at = first(*at, e.Time)
	if e.Level == sluice.ProofDelivered || e.Level == sluice.ProofAcknowledged {
		c.Told = first(c.Told, e.Time)
		if c.Notified.IsZero() && !n.Tried.Before(c.Held) { // of this round, not of one before
			c.Notified = e.Time
			if c.State == sluice.CaseHeld {
				c.State = sluice.CaseNotified
			}
		}
	}
	return quiet
}

// step adds a line to the audit. Beyond the bound, lines that change no state are
// counted only; beyond twice the bound, all.
func step(c *sluice.Case, e *Event, from sluice.CaseState) {
	if len(c.Steps) >= MaxSteps && (from == c.State || len(c.Steps) >= 2*MaxSteps) {
		c.LeftSteps++
		return
	}
	c.Steps = append(c.Steps, sluice.CaseStep{Time: e.Time, Actor: clip(cmp.Or(e.Actor, Sluice), 100), What: string(e.What),
		From: from, To: c.State, Note: clip(note(c, e), maxNote)})
}

// note says in words what the event brought.
func note(c *sluice.Case, e *Event) string {
	var s string
	switch e.What {
	case Opened, Recurred, Reopened:
		s = fmt.Sprintf("%.1f points", e.Points)
		if e.What == Recurred {
			s += fmt.Sprintf(", time %d", c.Recurred)
		}
	case Seen:
		s = fmt.Sprintf("%s, %.1f points in all", e.Signal.Kind, e.Points)
		if e.Signal.Detail != "" {
			s += ": " + clip(e.Signal.Detail, maxDetail)
		}
	case Held:
		s = string(e.Restrict)
	case Noticed:
		s = fmt.Sprintf("%s %s: %s", e.Notice.Channel, e.Notice.ID, e.Level)
		if e.Notice.Detail != "" {
			s += ": " + clip(e.Notice.Detail, maxDetail)
		}
	case Confirmed:
		s = "by " + string(e.Means)
	case Watching:
		s = "until " + c.Until.UTC().Format(time.DateTime)
	case Merged:
		s = "into " + e.Other
	}
	if e.Note != "" && s != "" {
		s += "; "
	}
	return s + e.Note
}

// clip cuts at a rune's start.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// Absorb lets another live case of the same person go on as this one, such as that of
// the line and that of the account: both change.
func Absorb(into, other *sluice.Case, e Event, r Rules) error {
	if !into.State.Live() || len(into.Merged) >= maxMerged {
		return fmt.Errorf("cases: %s: %w: %s", Merged, ErrState, into.State)
	}
	e.What, e.Other = Merged, into.ID
	if err := Apply(other, e, r); err != nil {
		return err
	}
	into.Merged = append(into.Merged, other.ID)
	for _, s := range other.Signals {
		seen(into, &Event{Time: s.Last, Signal: s, Points: into.Points})
	}
	if !other.FirstAbuse.IsZero() && other.FirstAbuse.Before(into.FirstAbuse) {
		into.FirstAbuse = other.FirstAbuse
	}
	into.Own, into.Points = into.Own || other.Own, max(into.Points, other.Points)
	into.Let, into.Kept = into.Let+other.Let, into.Kept+other.Kept
	into.Recurred = max(into.Recurred, other.Recurred)
	into.SelfReleases = max(into.SelfReleases, other.SelfReleases)
	if other.Kind == sluice.CaseStolen {
		into.Kind = sluice.CaseStolen // the safer of the two
	}
	if e.Time.After(into.Updated) {
		into.Updated = e.Time
	}
	into.Steps = append(into.Steps, sluice.CaseStep{Time: into.Updated, Actor: cmp.Or(e.Actor, Sluice), What: string(Merged), From: into.State, To: into.State, Note: clip("with "+other.ID+" "+e.Note, maxNote)})
	return nil
}

// Due says what time alone asks for at now, in order; each is to be applied, and then
// asked again.
func Due(c *sluice.Case, now time.Time, r Rules) (out []What) {
	r = r.WithDefaults()
	past := func(t time.Time, d time.Duration) bool { return !t.IsZero() && now.Sub(t) >= d }
	switch c.State {
	case sluice.CaseOpen:
		if c.Held.IsZero() && past(last(c), r.FadeAfter) {
			out = append(out, Faded)
		}
	case sluice.CaseHeld:
		if c.Escalated.IsZero() && past(c.Held, r.TellWithin) {
			out = append(out, Escalated)
		}
	case sluice.CaseNotified:
		if c.Escalated.IsZero() && past(c.Notified, r.AnswerIn) {
			out = append(out, Escalated)
		}
	case sluice.CaseWatched:
		if past(c.Until, 0) {
			out = append(out, Clean)
		}
	}
	return out
}

// last is when the last signal was seen.
func last(c *sluice.Case) time.Time {
	t := c.Opened
	for _, s := range c.Signals {
		if s.Last.After(t) {
			t = s.Last
		}
	}
	for _, s := range c.Steps { // a case that was opened again
		if What(s.What) == Reopened && s.Time.After(t) {
			t = s.Time
		}
	}
	return t
}

// Resumes says whether a case that ended is opened again, rather than another one made.
func Resumes(c *sluice.Case, now time.Time, r Rules) bool {
	return (c.State == sluice.CaseClosed || c.State == sluice.CaseFalseAlarm) && now.Sub(c.Closed) <= r.WithDefaults().ReopenIn
}
