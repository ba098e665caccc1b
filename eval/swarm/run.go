package swarm

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/eval/swarm/talk"
)

// Result is all that happened in a run.
type Result struct {
	Sessions []*talk.Session `json:"sessions"` // in the order in which they ended
	Messages []Message       `json:"messages"` // of honest senders
	Took     time.Duration   `json:"took"`
	// Late is how far honest conversations fell behind the plan at worst, because
	// their lane was full; BotsLate the same of hostile ones. Latencies of a run
	// whose honest part was late are figures of the runner.
	Late     time.Duration `json:"late"`
	BotsLate time.Duration `json:"bots_late"`
	Unbegun  int           `json:"unbegun"`          // conversations that the time was too short for
	Faults   []string      `json:"faults,omitempty"` // of the swarm itself: conversations that couldn't begin
}

// Labels is the truth about every session, by start.
func (r *Result) Labels() []Label {
	var out []Label
	for _, s := range r.Sessions {
		out = append(out, Label{s.Family, s.Honest, s.Source, s.Start})
	}
	slices.SortStableFunc(out, func(a, b Label) int { return a.Start.Compare(b.Start) })
	return out
}

// Fate is what became of an honest message.
type Fate string

// The fates of honest messages.
const (
	Arrived       Fate = "delivered"     // all recipients that exist have it
	Refused       Fate = "refused"       // a recipient that exists was refused for good
	Pending       Fate = "pending"       // it was still deferred when the run ended
	Undeliverable Fate = "undeliverable" // no recipient exists, or the sender has no right: a refusal is due
)

// Message is an honest message's way.
type Message struct {
	Family string        `json:"family"`
	Fate   Fate          `json:"fate"`
	Tries  int           `json:"tries"`
	Delay  time.Duration `json:"delay"`           // simulated, from the first try to acceptance, or so far
	Phase  string        `json:"phase,omitempty"` // of the last refusal
	Code   int           `json:"code,omitempty"`
}

// Label is the truth about one session, for measuring what a server learned.
type Label struct {
	Family string     `json:"family"`
	Honest bool       `json:"honest"`
	Source netip.Addr `json:"source"`
	Start  time.Time  `json:"start"`
}

// runner carries a population through a run.
type runner struct {
	p     *Population
	ctx   context.Context
	begin time.Time
	wg    sync.WaitGroup

	mu  sync.Mutex // guards res
	res Result
}

// Run plays the population against the server. It returns when all conversations
// are over, or the time and the grace are, or ctx is.
func (p *Population) Run(ctx context.Context) *Result {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Time+p.cfg.Grace)
	defer cancel()
	r := &runner{p: p, ctx: ctx, begin: time.Now()}
	lanes := []struct {
		width int
		in    func(*Family) bool
	}{
		{p.cfg.Honests, func(f *Family) bool { return f.Honest }},
		{p.cfg.Quick, func(f *Family) bool { return !f.Honest && !f.kind.holds }},
		{p.cfg.Holders, func(f *Family) bool { return !f.Honest && f.kind.holds }},
	}
	var dispatchers sync.WaitGroup
	for _, l := range lanes {
		dispatchers.Go(func() { r.lane(l.width, l.in) })
	}
	dispatchers.Wait()
	r.wg.Wait()
	r.res.Took = time.Since(r.begin)
	return &r.res
}

// lane begins the jobs of some families in time, at most width at once.
func (r *runner) lane(width int, in func(*Family) bool) {
	slots := make(chan struct{}, width)
	var mine []job
	for _, j := range r.p.jobs {
		if in(j.family) {
			mine = append(mine, j)
		}
	}
	for i, j := range mine {
		began := r.wait(j.at - time.Since(r.begin))
		if began {
			select {
			case slots <- struct{}{}:
				began = r.wait(0)
			case <-r.ctx.Done():
				began = false
			}
		}
		if !r.began(j, began, len(mine)-i) {
			return
		}
		r.wg.Go(func() {
			if j.family.Honest {
				r.honest(j, slots)
			} else {
				r.bot(j)
			}
			<-slots
		})
	}
}

// began notes how late a job began, or that it and the rest never will.
func (r *runner) began(j job, ok bool, rest int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	late := &r.res.BotsLate
	if j.family.Honest {
		late = &r.res.Late
	}
	if !ok {
		r.res.Unbegun += rest
	} else {
		*late = max(*late, time.Since(r.begin)-j.at)
	}
	return ok
}

// wait sleeps; false when the run is over, by the clock too: the context may
// hear of it later than the connections do.
func (r *runner) wait(d time.Duration) bool {
	if d <= 0 {
		end, _ := r.ctx.Deadline()
		return r.ctx.Err() == nil && time.Now().Before(end)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// session runs one connection from beginning to end and records it.
func (r *runner) session(j job, src *Source, try int, act func(*talk.Client) error, after func(*talk.Session)) *talk.Session {
	f := j.family
	s := &talk.Session{Family: f.ID, Kind: f.Kind, Honest: f.Honest, Door: "smtp", Source: src.Addr, Helo: src.Helo, Try: try}
	switch {
	case f.Honest && f.program.door != "":
		s.Door = f.program.door
	case f.kind != nil && f.kind.attacker && r.p.cfg.Submission != "" && j.seed%2 == 0 && f.Kind[:4] == "auth":
		s.Door = "submission"
	}
	s.Attacker = f.kind != nil && f.kind.attacker
	c := talk.Config{Addr: r.p.cfg.door(s.Door), Server: r.p.cfg.Name, Source: src.Addr, Implicit: s.Door == "smtps", Dialect: f.Dialect,
		Rand: seeded(j.seed, "talk"), Account: src.secret, Patience: r.p.cfg.Patience}
	if f.Honest {
		c.Dialect.TLS = c.Dialect.TLS && r.p.cfg.TLS || s.Door != "smtp"
		c.Dialect.Gap, c.Dialect.Segment = f.program.lag, f.program.rate
	}
	talk.Run(r.ctx, c, s, act)
	if after != nil {
		after(s)
	}
	r.mu.Lock()
	r.res.Sessions = append(r.res.Sessions, s)
	r.mu.Unlock()
	return s
}

// bot runs a hostile conversation, with retries where the kind retries.
func (r *runner) bot(j job) {
	f, src := j.family, &j.family.Sources[j.source]
	rng := seeded(j.seed, "mail")
	mails, err := r.p.pitch(rng, f, src, time.Now())
	if err != nil {
		r.fault(err)
		return
	}
	cfg := &r.p.cfg
	target := &talk.Target{Name: cfg.Name, Domain: cfg.Domain, Mailbox: cfg.Mailbox, Guess: guessed, Form: f.Form, Mails: mails}
	for try := 1; ; try++ {
		s := r.session(j, src, try, func(c *talk.Client) error { return f.kind.act(c, target) }, func(s *talk.Session) { r.trapped(s, mails[0]) })
		if try > len(f.kind.retries) || s.Accepted > 0 || len(mails[0].Pending()) == 0 ||
			!r.wait(r.compress(f.kind.retries[try-1])) {
			return
		}
	}
}

// trapped tells a message that only spamtraps got from one that people got.
func (r *runner) trapped(s *talk.Session, m *talk.Mail) {
	if s.Outcome != talk.Delivered {
		return
	}
	for _, rc := range m.Rcpts {
		local, _, _ := strings.Cut(rc.Addr, "@")
		if rc.Code/100 == 2 && !slices.Contains(r.p.cfg.Traps, local) {
			return
		}
	}
	s.Outcome = talk.Trapped
}

func (r *runner) fault(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.res.Faults) < 20 {
		r.res.Faults = append(r.res.Faults, err.Error())
	}
}

// compress shortens a wait of real software.
func (r *runner) compress(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.p.cfg.Factor)
}

// staleTries is how often a device with an old password tries the same message.
const staleTries = 20

// honest runs an honest conversation: what is deferred is tried again by the
// program's schedule. It gives its slot back while it waits.
func (r *runner) honest(j job, slots chan struct{}) {
	f := j.family
	pr, rng := f.program, seeded(j.seed, "mail")
	mails, err := r.p.letters(rng, f, &f.Sources[j.source], time.Now())
	if err != nil {
		r.fault(err)
		return
	}
	tries, spent := make([]int, len(mails)), time.Duration(0) // spent in waits, as simulated, and in sessions
	delay := make([]time.Duration, len(mails))
	for try := 1; ; try++ {
		var due []*talk.Mail
		for i, m := range mails {
			if len(m.Pending()) > 0 {
				due, tries[i] = append(due, m), try
			}
		}
		src := j.source
		if pr.pool {
			src = (src + try - 1) % len(f.Sources)
		}
		s := r.session(j, &f.Sources[src], try, func(c *talk.Client) error { return c.Converse(due) }, nil)
		left := 0
		for i, m := range mails {
			if pr.stale && try < staleTries {
				m.Decide(m.All(), 0, "") // nobody reads the device's errors
			}
			switch {
			case len(m.Pending()) > 0:
				left++
				delay[i] = spent + time.Since(s.Start)
			case delay[i] == 0 || tries[i] == try:
				delay[i] = spent + max(0, m.Accepted.Sub(s.Start))
			}
		}
		spent += time.Since(s.Start)
		if left == 0 {
			break
		}
		wait := pr.retry[min(try, len(pr.retry))-1]
		<-slots
		ok := r.wait(r.compress(wait))
		slots <- struct{}{}
		if !ok {
			break
		}
		spent += wait
	}
	for i, m := range mails {
		r.mail(f, m, tries[i], delay[i])
	}
}

// mail records an honest message's fate.
func (r *runner) mail(f *Family, m *talk.Mail, tries int, delay time.Duration) {
	msg := Message{Family: f.ID, Fate: Arrived, Tries: tries, Delay: delay}
	alive := 0
	for _, rc := range m.Rcpts {
		if rc.Dead {
			continue
		}
		alive++
		switch {
		case rc.Code/100 == 5:
			msg.Fate, msg.Code, msg.Phase = Refused, rc.Code, m.Phase
		case rc.Code/100 != 2 && msg.Fate != Refused:
			msg.Fate, msg.Code, msg.Phase = Pending, rc.Code, m.Phase
		}
	}
	if alive == 0 || f.program.stale {
		msg.Fate = Undeliverable
	}
	r.mu.Lock()
	r.res.Messages = append(r.res.Messages, msg)
	r.mu.Unlock()
}
