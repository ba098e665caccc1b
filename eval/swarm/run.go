package swarm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Result is all that happened in a run.
type Result struct {
	Sessions []*Session    `json:"sessions"` // in the order in which they ended
	Messages []Message     `json:"messages"` // of honest senders
	Took     time.Duration `json:"took"`
	// Late is how far the runner fell behind its plan at worst: its lanes were
	// full. Figures of a run that was late are figures of the runner.
	Late time.Duration `json:"late"`
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
	for _, j := range r.p.jobs {
		if !in(j.family) {
			continue
		}
		if !r.wait(j.at - time.Since(r.begin)) {
			return
		}
		select {
		case slots <- struct{}{}:
		case <-r.ctx.Done():
			return
		}
		if late := time.Since(r.begin) - j.at; late > 0 {
			r.mu.Lock()
			r.res.Late = max(r.res.Late, late)
			r.mu.Unlock()
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

// wait sleeps; false when the run is over.
func (r *runner) wait(d time.Duration) bool {
	if d <= 0 {
		return r.ctx.Err() == nil
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
func (r *runner) session(j job, src *Source, try int, talk func(*client) error) *Session {
	f := j.family
	s := &Session{Family: f.ID, Kind: f.Kind, Honest: f.Honest, Door: "smtp", Source: src.Addr, Helo: src.Helo, Try: try}
	switch {
	case f.Honest && f.program.door != "":
		s.Door = f.program.door
	case f.kind != nil && f.kind.attacker && r.p.cfg.Submission != "" && j.seed%2 == 0 && f.Kind[:4] == "auth":
		s.Door = "submission"
	}
	s.attacker = f.kind != nil && f.kind.attacker
	c, err := dial(r.ctx, &r.p.cfg, s, r.p.cfg.door(s.Door), src.Addr, r.p.cfg.Patience)
	if err == nil {
		stop := context.AfterFunc(r.ctx, func() { _ = c.conn.SetDeadline(time.Now()) })
		c.d, c.rng = f.Dialect, seeded(j.seed, "talk")
		if f.Honest {
			c.secret = src.secret
			c.d.TLS = c.d.TLS && r.p.cfg.TLS || s.Door != "smtp"
			c.d.Gap, c.d.Segment = f.program.lag, f.program.rate
		}
		if s.Door == "smtps" {
			err = c.startTLS()
		}
		if err == nil {
			err = talk(c)
		}
		if errors.Is(err, errOver) && s.attacker {
			c.ended()
		}
		stop()
		c.close()
	}
	s.Seconds = time.Since(s.Start).Seconds()
	if err != nil && !errors.Is(err, errCut) && !errors.Is(err, errRefused) && (f.Honest || !errors.Is(err, errOver)) {
		s.Problem = err.Error()
	}
	s.judge()
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
		return
	}
	for try := 1; ; try++ {
		s := r.session(j, src, try, func(c *client) error { return f.kind.act(c, &bot{r.p, f, src, mails}) })
		if try > len(f.kind.retries) || s.Accepted > 0 || len(mails[0].pending()) == 0 ||
			!r.wait(r.compress(f.kind.retries[try-1])) {
			return
		}
	}
}

// compress shortens a wait of real software.
func (r *runner) compress(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.p.cfg.Factor)
}

// honest runs an honest conversation: what is deferred is tried again by the
// program's schedule. It gives its slot back while it waits.
func (r *runner) honest(j job, slots chan struct{}) {
	f := j.family
	pr, rng := f.program, seeded(j.seed, "mail")
	mails, err := r.p.letters(rng, f, &f.Sources[j.source], time.Now())
	if err != nil {
		return
	}
	tries, spent := make([]int, len(mails)), time.Duration(0) // spent in waits, as simulated, and in sessions
	delay := make([]time.Duration, len(mails))
	for try := 1; ; try++ {
		var due []*mail
		for i, m := range mails {
			if len(m.pending()) > 0 {
				due, tries[i] = append(due, m), try
			}
		}
		src := j.source
		if pr.pool {
			src = (src + try - 1) % len(f.Sources)
		}
		s := r.session(j, &f.Sources[src], try, func(c *client) error { return c.converse(due) })
		left := 0
		for i, m := range mails {
			switch {
			case len(m.pending()) > 0:
				left++
				delay[i] = spent + time.Since(s.Start)
			case delay[i] == 0 || tries[i] == try:
				delay[i] = spent + max(0, m.accepted.Sub(s.Start))
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
func (r *runner) mail(f *Family, m *mail, tries int, delay time.Duration) {
	msg := Message{Family: f.ID, Fate: Arrived, Tries: tries, Delay: delay}
	alive := 0
	for _, rc := range m.rcpts {
		if rc.dead {
			continue
		}
		alive++
		switch {
		case rc.code/100 == 5:
			msg.Fate, msg.Code, msg.Phase = Refused, rc.code, m.phase
		case rc.code/100 != 2 && msg.Fate != Refused:
			msg.Fate, msg.Code, msg.Phase = Pending, rc.code, m.phase
		}
	}
	if alive == 0 || f.program.stale {
		msg.Fate = Undeliverable
	}
	r.mu.Lock()
	r.res.Messages = append(r.res.Messages, msg)
	r.mu.Unlock()
}
