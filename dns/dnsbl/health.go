package dnsbl

import (
	"fmt"
	"time"
)

// State is how far a list is to be believed.
type State uint8

// The states.
const (
	Untested State = iota // since the start; nothing that it lists counts yet
	Healthy
	Suspect // something is wrong; it is asked, and tested again soon
	Off     // not asked but for its tests
)

var stateNames = [...]string{"untested", "healthy", "suspect", "off"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// MarshalText writes the lower-case name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Counts are answers by kind.
type Counts struct {
	Listed    uint64
	NotListed uint64
	NoAnswer  uint64 // timeouts, server failures
	Refused   uint64 // the list says that it doesn't serve us
	Unusable  uint64 // answers that mean nothing
}

func (c *Counts) count(k kind) {
	switch k {
	case listed:
		c.Listed++
	case notListed:
		c.NotListed++
	case noAnswer:
		c.NoAnswer++
	case denied:
		c.Refused++
	case unusable, outside:
		c.Unusable++
	}
}

func (c *Counts) add(d Counts) {
	c.Listed += d.Listed
	c.NotListed += d.NotListed
	c.NoAnswer += d.NoAnswer
	c.Refused += d.Refused
	c.Unusable += d.Unusable
}

// Sum is all of them.
func (c Counts) Sum() uint64 { return c.Listed + c.NotListed + c.NoAnswer + c.Refused + c.Unusable }

// When a list falls ill and when it is well again. Judged: a single lost packet or
// a single new answer is no illness, ten minutes are enough to see one, and what is
// ill stays so until two tests in a row have passed.
const (
	buckets     = 10
	bucketTime  = time.Minute
	enough      = 10  // answers in the window, before their share says anything
	badShare    = 0.5 // of answers without a meaning, from which a list is suspect
	fineShare   = 0.2 // up to which it is healthy again
	maxRefused  = 3   // refusals in the window, before we stop asking
	distinct    = 64  // clients whose answers are looked at for "everything is listed"
	everything  = 61  // of them listed: 95 %
	patience    = 5 * time.Minute
	calm        = time.Hour // between two suspicions that everything is listed
	testHealthy = 15 * time.Minute
	testSuspect = 30 * time.Second
	testAgain   = time.Minute // the second test of a list that is off
	maxSilent   = 3           // tests without an answer; one is enough where clients get none either
	backoffMin  = time.Minute
	backoffMax  = time.Hour
	backoffLost = 5 * time.Minute  // the most where nobody answers: asking costs nobody anything
	backoffDeny = 10 * time.Minute // the least where the list asked us to stop
	forgiven    = time.Hour        // healthy for so long, the backoff begins anew
)

// health is one list's state. It is pure: time is an argument. Not safe for
// concurrent use.
type health struct {
	state State
	since time.Time
	why   string // in words, "" while all is well

	doubt      bool // what it lists isn't believed until a test has passed
	suspicious bool // because it seems to list everybody: the next test asks for random addresses too
	passed     int  // tests in a row
	silent     int  // tests in a row without an answer
	offs       int  // how often it went off, or stayed so, without an hour of health between
	wasOff     bool // the last offs are yet to be forgiven
	tested     time.Time
	next       time.Time // when to test
	quiet      time.Time // no suspicion before
	ended      bool      // for good

	total  Counts
	window [buckets]struct {
		minute int64
		Counts
	}
	recent recent
}

func newHealth(now time.Time, ended string) health {
	h := health{state: Untested, since: now, next: now, doubt: true, why: "not tested yet"}
	if ended != "" {
		h.state, h.ended, h.why = Off, true, "there is no such list any more: "+ended
	}
	return h
}

// asked says whether clients are asked for.
func (h *health) asked() bool { return h.state != Off }

// believed says whether its listings count.
func (h *health) believed() bool { return h.asked() && !h.doubt }

// due says whether it is time for a test.
func (h *health) due(now time.Time) bool { return !h.ended && !now.Before(h.next) }

func (h *health) enter(now time.Time, s State, why string) {
	if h.state != s {
		h.since = now
	}
	h.state, h.why = s, why
}

// observe takes a client's answer into account. It says whether state, doubt or why
// changed.
func (h *health) observe(now time.Time, client subject, o *outcome) bool {
	h.total.count(o.kind)
	w := &h.window[now.Unix()/int64(bucketTime/time.Second)%buckets]
	if m := now.Unix() / int64(bucketTime/time.Second); w.minute != m {
		w.minute, w.Counts = m, Counts{}
	}
	w.count(o.kind)
	if o.kind == listed || o.kind == notListed {
		h.recent.add(client, o.kind == listed)
	}
	if h.state == Off || h.state == Untested {
		return false // late answers; tests decide
	}
	sum := h.sum(now)
	switch {
	case o.kind == denied && sum.Refused >= maxRefused:
		h.off(now, o.why, backoffDeny, backoffMax)
	case o.kind == denied:
		return h.suspect(now, o.why, false)
	case o.kind == outside:
		return h.suspect(now, o.why, true)
	case h.recent.listed >= everything && !now.Before(h.quiet) && !h.suspicious:
		h.suspicious = true
		return h.suspect(now, fmt.Sprintf("lists %d of the last %d clients", h.recent.listed, len(h.recent.ring)), true)
	case o.why != "" && h.state == Healthy && bad(sum, badShare):
		return h.suspect(now, troubled(sum, o), false)
	default:
		return false
	}
	return true
}

// suspect begins or worsens a suspicion, and asks for a test at once.
func (h *health) suspect(now time.Time, why string, doubt bool) bool {
	if h.state == Suspect && (h.doubt || !doubt) {
		return false
	}
	h.enter(now, Suspect, why)
	h.doubt = h.doubt || doubt
	h.passed, h.silent = 0, 0
	h.next = now
	return true
}

// sum is what the window holds.
func (h *health) sum(now time.Time) (c Counts) {
	m := now.Unix() / int64(bucketTime/time.Second)
	for i := range h.window {
		if w := &h.window[i]; m-w.minute < buckets && w.minute <= m {
			c.add(w.Counts)
		}
	}
	return c
}

// bad says whether at least a share of enough answers is without a meaning.
func bad(c Counts, share float64) bool {
	n := c.Sum()
	return n >= enough && float64(n-c.Listed-c.NotListed) >= share*float64(n)
}

func troubled(c Counts, o *outcome) string {
	return fmt.Sprintf("%d of %d questions without a usable answer; the last one: %s", c.Sum()-c.Listed-c.NotListed, c.Sum(), o.why)
}

// verdict is what a test says.
type verdict uint8

const (
	passes   verdict = iota + 1
	fails            // it says what no list may, or not what each must
	deniesUs         // it doesn't serve us
	silence          // no answer
)

// tested takes a test into account. It says whether state, doubt or why changed.
func (h *health) testedAs(now time.Time, v verdict, why string) bool {
	before := *h
	h.tested = now
	if h.ended {
		return false
	}
	switch v {
	case passes:
		h.pass(now)
	case silence:
		h.missed(now, why)
	case deniesUs:
		h.off(now, why, backoffDeny, backoffMax)
	case fails:
		h.off(now, why, backoffMin, backoffMax)
	}
	return h.state != before.state || h.doubt != before.doubt || h.why != before.why
}

func (h *health) pass(now time.Time) {
	h.passed++
	h.silent = 0
	if h.wasOff && h.state == Healthy && now.Sub(h.since) >= forgiven {
		h.offs, h.wasOff = 0, false
	}
	switch h.state {
	case Untested, Healthy:
		h.well(now)
	case Suspect:
		if h.suspicious {
			// It listed many because many were bad.
			h.quiet, h.suspicious, h.recent = now.Add(calm), false, recent{}
		}
		h.doubt = false
		sum := h.sum(now)
		switch {
		case !bad(sum, fineShare) && (h.passed >= 2 || sum.Refused == 0 && sum.Unusable == 0 && sum.NoAnswer == 0):
			h.well(now)
		case bad(sum, badShare) && now.Sub(h.since) >= patience:
			h.off(now, h.why, backoffMin, backoffLost)
		default:
			h.next = now.Add(testSuspect)
		}
	case Off:
		if h.passed < 2 {
			h.next = now.Add(testAgain)
			return
		}
		h.window = [buckets]struct {
			minute int64
			Counts
		}{}
		h.recent = recent{}
		h.well(now)
	}
}

func (h *health) well(now time.Time) {
	h.enter(now, Healthy, "")
	h.doubt, h.suspicious = false, false
	h.next = now.Add(testHealthy)
}

func (h *health) missed(now time.Time, why string) {
	h.passed = 0
	h.silent++
	switch {
	case h.state == Off || h.silent >= maxSilent || bad(h.sum(now), badShare):
		h.off(now, "no answer to its tests: "+why, backoffMin, backoffLost)
	case h.state == Healthy:
		h.enter(now, Suspect, "no answer to its test: "+why)
		fallthrough
	default:
		h.next = now.Add(testSuspect)
	}
}

// off stops the questions; the next test waits longer each time.
func (h *health) off(now time.Time, why string, least, most time.Duration) {
	h.enter(now, Off, why)
	h.passed, h.doubt, h.suspicious, h.wasOff = 0, true, false, true
	wait := min(max(backoffMin<<min(h.offs, 10), least), most)
	h.offs++
	h.next = now.Add(wait)
}

// recent are the last distinct clients with an answer, and how many of them were
// listed.
type recent struct {
	ring   [distinct]sighting
	n, at  int
	listed int
}

type sighting struct {
	client subject
	listed bool
}

func (r *recent) add(client subject, isListed bool) {
	for i := range r.ring[:r.n] {
		if r.ring[i].client == client {
			r.set(i, sighting{client, isListed})
			return
		}
	}
	if r.n < len(r.ring) {
		r.n++
	}
	r.set(r.at, sighting{client, isListed})
	r.at = (r.at + 1) % len(r.ring)
}

func (r *recent) set(i int, s sighting) {
	if r.ring[i].listed {
		r.listed--
	}
	if s.listed {
		r.listed++
	}
	r.ring[i] = s
}
