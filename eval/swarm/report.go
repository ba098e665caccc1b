package swarm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/eval/swarm/talk"
)

// Slow is the delay from which an honest message counts as delayed.
const Slow = 5 * time.Minute

// FamilyReport sums up one family's sessions.
type FamilyReport struct {
	Family       string         `json:"family"`
	Kind         string         `json:"kind"`
	Honest       bool           `json:"honest"`
	Sessions     int            `json:"sessions"`
	RefusedEarly int            `json:"refused_early"`
	RefusedDot   int            `json:"refused_dot"`
	Delivered    int            `json:"delivered"` // sessions
	Accepted     int            `json:"accepted"`  // messages
	Rebuffed     int            `json:"rebuffed"`
	Survived     int            `json:"survived"`
	Trapped      int            `json:"trapped"`
	Left         int            `json:"left"`
	Absent       int            `json:"absent"`
	Breaches     map[string]int `json:"breaches,omitempty"`
	Refusals     map[string]int `json:"refusals,omitempty"` // "rcpt 550 5.1.1" or "mail cut" → sessions
	Endings      map[string]int `json:"endings,omitempty"`  // of sessions that weren't refused: outcome and last reply → sessions
	Problems     map[string]int `json:"problems,omitempty"`
	Messages     HonestReport   `json:"messages,omitzero"` // of an honest family
	Octets       int64          `json:"octets"`            // sent by the client
	Seconds      float64        `json:"seconds"`           // of all sessions together
}

// HonestReport sums up honest messages.
type HonestReport struct {
	Messages      int            `json:"messages"`
	Delivered     int            `json:"delivered"`
	Refused       int            `json:"refused"`
	Pending       int            `json:"pending"`
	Undeliverable int            `json:"undeliverable"`
	Delayed       int            `json:"delayed"` // over Slow until acceptance, or never accepted
	MaxDelay      time.Duration  `json:"max_delay"`
	MaxTries      int            `json:"max_tries"`
	GreetingP50   time.Duration  `json:"greeting_p50,omitzero"` // latencies of all families together
	GreetingP99   time.Duration  `json:"greeting_p99,omitzero"`
	ReplyP99      time.Duration  `json:"reply_p99,omitzero"` // replies to commands
	DotP99        time.Duration  `json:"dot_p99,omitzero"`   // replies to the final dot
	Trouble       map[string]int `json:"trouble,omitempty"`
}

// Report is a run in figures.
type Report struct {
	Seed     uint64         `json:"seed"`
	Split    Split          `json:"split"`
	Factor   float64        `json:"factor"`
	Took     time.Duration  `json:"took"`
	Late     time.Duration  `json:"late"` // see Result
	BotsLate time.Duration  `json:"bots_late"`
	Unbegun  int            `json:"unbegun"`
	Bots     int            `json:"bots"`      // hostile sessions that had a connection
	BotEarly int            `json:"bot_early"` // of them refused before DATA
	Honest   HonestReport   `json:"honest"`
	Families []FamilyReport `json:"families"`
	Faults   []string       `json:"faults,omitempty"` // of the swarm itself
}

// Early is the share of hostile sessions that were refused before DATA.
func (r *Report) Early() float64 { return float64(r.BotEarly) / float64(max(r.Bots, 1)) }

// Report sums up a run of this population.
func (p *Population) Report(res *Result) *Report {
	rep := &Report{Seed: p.cfg.Seed, Split: p.cfg.Split, Factor: p.cfg.Factor, Took: res.Took, Late: res.Late, BotsLate: res.BotsLate, Unbegun: res.Unbegun, Faults: res.Faults}
	by := map[string]*FamilyReport{}
	for _, f := range p.families {
		by[f.ID] = &FamilyReport{Family: f.ID, Kind: f.Kind, Honest: f.Honest, Breaches: map[string]int{}, Refusals: map[string]int{}, Endings: map[string]int{}, Problems: map[string]int{}}
	}
	var greeting, reply, dot []time.Duration
	for _, s := range res.Sessions {
		f := by[s.Family]
		f.add(s)
		if !s.Honest {
			if s.Outcome != talk.Absent {
				rep.Bots++
			}
			if s.Outcome == talk.RefusedEarly {
				rep.BotEarly++
			}
			continue
		}
		if s.Greeted > 0 {
			greeting = append(greeting, s.Greeted)
		}
		for _, r := range s.Replies {
			switch r.Phase {
			case "greeting":
			case "dot":
				dot = append(dot, r.After)
			default:
				reply = append(reply, r.After)
			}
		}
	}
	mail := map[string][]Message{}
	for _, m := range res.Messages {
		mail[m.Family] = append(mail[m.Family], m)
	}
	rep.Honest = honestReport(res.Messages)
	h := &rep.Honest
	h.GreetingP50, h.GreetingP99 = quantile(greeting, 0.5), quantile(greeting, 0.99)
	h.ReplyP99, h.DotP99 = quantile(reply, 0.99), quantile(dot, 0.99)
	for _, f := range p.families {
		if f.Honest {
			by[f.ID].Messages = honestReport(mail[f.ID])
		}
		rep.Families = append(rep.Families, *by[f.ID])
	}
	return rep
}

func (f *FamilyReport) add(s *talk.Session) {
	f.Sessions++
	f.Octets += s.Sent
	f.Seconds += s.Seconds
	f.Accepted += s.Accepted
	switch s.Outcome {
	case talk.Delivered:
		f.Delivered++
	case talk.RefusedEarly:
		f.RefusedEarly++
	case talk.RefusedDot:
		f.RefusedDot++
	case talk.Rebuffed:
		f.Rebuffed++
	case talk.Survived:
		f.Survived++
	case talk.Trapped:
		f.Trapped++
	case talk.Absent:
		f.Absent++
	default:
		f.Left++
	}
	if n := len(s.Replies); s.Outcome == talk.Left || s.Outcome == talk.Survived {
		last := "silence"
		if n > 0 {
			last = fmt.Sprintf("%s %d", s.Replies[n-1].Phase, s.Replies[n-1].Code)
		}
		f.Endings[fmt.Sprintf("%s after %s", s.Outcome, last)]++
	}
	if s.Breach != "" {
		f.Breaches[s.Breach]++
	}
	if s.Problem != "" {
		f.Problems[s.Problem]++
	}
	if s.Phase != "" {
		what := fmt.Sprintf("%s %d %s", s.Phase, s.Code, s.Enhanced)
		if s.Code == 0 {
			what = s.Phase + " cut"
		}
		f.Refusals[strings.TrimSpace(what)]++
	}
}

func honestReport(messages []Message) HonestReport {
	h := HonestReport{Trouble: map[string]int{}}
	for _, m := range messages {
		h.Messages++
		switch m.Fate {
		case Arrived:
			h.Delivered++
		case Refused:
			h.Refused++
		case Pending:
			h.Pending++
		case Undeliverable:
			h.Undeliverable++
			continue
		}
		h.MaxDelay, h.MaxTries = max(h.MaxDelay, m.Delay), max(h.MaxTries, m.Tries)
		if m.Delay > Slow || m.Fate == Pending {
			h.Delayed++
		}
		if m.Fate == Refused || m.Fate == Pending || m.Delay > Slow {
			h.Trouble[fmt.Sprintf("%s: %s at %s %d", m.Family, m.Fate, m.Phase, m.Code)]++
		}
	}
	return h
}

func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// Bars are what a run must reach.
type Bars struct {
	Early   float64 // least share of hostile sessions refused before DATA
	Refused int     // most honest messages refused
	Delayed int     // most honest messages delayed over Slow
}

// Miss says which bars the run missed.
func (r *Report) Miss(b Bars) []string {
	var out []string
	if r.Early() < b.Early {
		out = append(out, fmt.Sprintf("%.2f %% of hostile sessions were refused before DATA, not %.2f %%", 100*r.Early(), 100*b.Early))
	}
	if r.Honest.Refused > b.Refused {
		out = append(out, fmt.Sprintf("%d honest messages were refused, more than %d", r.Honest.Refused, b.Refused))
	}
	if r.Honest.Delayed > b.Delayed {
		out = append(out, fmt.Sprintf("%d honest messages were delayed over %v or never accepted, more than %d", r.Honest.Delayed, Slow, b.Delayed))
	}
	if r.Unbegun > 0 {
		out = append(out, fmt.Sprintf("%d conversations never began: more time, or wider lanes", r.Unbegun))
	}
	if len(r.Faults) > 0 {
		out = append(out, "the swarm could not begin some conversations: "+r.Faults[0])
	}
	if r.Honest.Delivered == 0 && b.Early > 0 {
		out = append(out, "no honest message was delivered: the run shows nothing")
	}
	return out
}

// Table is the report for people.
func (r *Report) Table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "honest family\tsessions\tmessages\tdelivered\trefused\tpending\tundeliverable\tdelayed\tlongest\ttries\tms\trefusals")
	for _, f := range r.Families {
		if m := f.Messages; f.Honest {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%d\t%.0f\t%s\n", f.Family, f.Sessions, m.Messages, m.Delivered, m.Refused, m.Pending,
				m.Undeliverable, m.Delayed, m.MaxDelay.Round(time.Second), m.MaxTries, f.mean(), f.words())
		}
	}
	_ = w.Flush()
	fmt.Fprintln(w, "\nhostile family\tsessions\tearly\tdot\tdelivered\trebuffed\tsurvived\ttrapped\tleft\tabsent\taccepted\tms\toctets\trefusals")
	for _, f := range r.Families {
		if !f.Honest {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.0f\t%d\t%s\n", f.Family, f.Sessions, f.RefusedEarly, f.RefusedDot, f.Delivered,
				f.Rebuffed, f.Survived, f.Trapped, f.Left, f.Absent, f.Accepted, f.mean(), f.Octets/int64(max(f.Sessions, 1)), f.words())
		}
	}
	_ = w.Flush()
	h := r.Honest
	fmt.Fprintf(&b, "\nseed %d, split %s, factor %g, %.1f s; begun late by at most %v (honest), %v (bots), %d never begun\n",
		r.Seed, r.Split, r.Factor, r.Took.Seconds(), r.Late.Round(time.Millisecond), r.BotsLate.Round(time.Millisecond), r.Unbegun)
	fmt.Fprintf(&b, "hostile: %d sessions, %d refused before DATA (%.2f %%)\n", r.Bots, r.BotEarly, 100*r.Early())
	fmt.Fprintf(&b, "honest: %d messages, %d delivered, %d refused, %d pending, %d undeliverable by right; %d delayed over %v, longest %v (simulated)\n",
		h.Messages, h.Delivered, h.Refused, h.Pending, h.Undeliverable, h.Delayed, Slow, h.MaxDelay.Round(time.Second))
	us := time.Microsecond
	fmt.Fprintf(&b, "honest: greeting p50 %v, p99 %v; reply p99 %v; final dot p99 %v\n", h.GreetingP50.Round(us), h.GreetingP99.Round(us), h.ReplyP99.Round(us), h.DotP99.Round(us))
	for _, t := range r.Faults {
		fmt.Fprintf(&b, "fault of the swarm: %s\n", t)
	}
	for _, t := range top(h.Trouble, 20) {
		fmt.Fprintf(&b, "honest trouble: %s\n", t)
	}
	return b.String()
}

// mean is the mean length of a session in milliseconds.
func (f *FamilyReport) mean() float64 { return 1000 * f.Seconds / float64(max(f.Sessions, 1)) }

// words are a family's refusals and breaches, most frequent first.
func (f *FamilyReport) words() string {
	out := top(f.Refusals, 4)
	out = append(out, top(f.Endings, 2)...)
	for _, t := range top(f.Breaches, 4) {
		out = append(out, "BREACH "+t)
	}
	for _, t := range top(f.Problems, 2) {
		out = append(out, "problem "+t)
	}
	return strings.Join(out, ", ")
}

// top lists a counter's largest entries.
func top(m map[string]int, n int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(m[b]-m[a], strings.Compare(a, b)) })
	var out []string
	for _, k := range keys[:min(n, len(keys))] {
		out = append(out, fmt.Sprintf("%s ×%d", k, m[k]))
	}
	return out
}
