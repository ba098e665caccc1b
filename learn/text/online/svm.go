package online

// The relaxed online support vector machine: an example is looked at only where it
// is nearer to the boundary than relaxed; then its multiplier α moves towards
// margin 1 and stays within [0, C], and the examples before it follow.
const (
	relaxed = 0.8
	window  = 500 // examples that are looked back on

	// Examples that hardly moved when last looked at are passed over, but for one in
	// rest of them each time: those that don't count (α = 0) and lay this far on their
	// side, and those that do and were as near to 1 as calm.
	far  = 1.0
	calm = 0.03
	rest = 4
)

// Bounds on what one example counts. Reference figures: with a tenth of the labels
// wrong C = 1 makes not quite twice the ranking errors, C = 100 fifteen times.
const (
	slowC = 1
	fastC = 100
)

// multiplier is an example's part in one set of weights.
type multiplier struct {
	c      float32 // most that α may be; 0 where the example isn't learned from
	alpha  float32
	margin float32 // on its own side, when last looked at, before the step
}

// example is a labelled message in the window.
type example struct {
	f          *Features // numbered by near
	spam       bool
	slow, fast multiplier
}

func (e *example) sign() float32 {
	if e.spam {
		return 1
	}
	return -1
}

// svm is the state of both learners.
type svm struct {
	table *table
	near  *near
	ring  []*example
	next  int    // where the next example goes in a full ring
	turns uint32 // passes over the window
}

// see puts a message into the window, and goes through the window once, newest
// first, where it is too near to the boundary. It returns what the message read
// before. An example with c = 0 is not learned from by that set of weights.
func (s *svm) see(f *Features, spam bool, slowC, fastC float32) margins {
	e := &example{f: s.near.take(f.Sorted(), s.table), spam: spam, slow: multiplier{c: slowC}, fast: multiplier{c: fastC}}
	newest := s.next
	if len(s.ring) < window {
		newest = len(s.ring)
		s.ring = append(s.ring, e)
	} else {
		s.near.release(s.ring[s.next].f, s.table)
		s.ring[s.next] = e
		s.next = (s.next + 1) % window
	}
	s.table.count(f, spam)
	m := s.near.read(e.f)
	e.slow.margin, e.fast.margin = m.slow*e.sign(), m.fast*e.sign()
	slow := e.slow.c > 0 && e.slow.margin < relaxed
	fast := e.fast.c > 0 && e.fast.margin < relaxed
	if !slow && !fast {
		return m
	}
	s.pass(newest, slow, fast)
	return m
}

// pass goes through the window once, from newest backwards.
func (s *svm) pass(newest int, slow, fast bool) {
	s.turns++
	for k := range len(s.ring) {
		at := (newest - k + len(s.ring)) % len(s.ring)
		turn := (uint32(at)+s.turns)%rest == 0
		e := s.ring[at]
		doSlow, doFast := slow && e.slow.due(turn), fast && e.fast.due(turn)
		if doSlow || doFast {
			s.step(e, doSlow, doFast)
		}
	}
}

func (m *multiplier) due(turn bool) bool {
	if m.alpha > 0 {
		return turn || m.margin < 1-calm || m.margin > 1+calm
	}
	return m.c > 0 && (turn || m.margin < far)
}

// step moves e's multipliers by one coordinate step, and with them the weights.
func (s *svm) step(e *example, doSlow, doFast bool) {
	m := s.near.read(e.f)
	var slow, fast float32
	if doSlow {
		slow = e.slow.step(m.slow*e.sign()) * e.sign()
	}
	if doFast {
		fast = e.fast.step(m.fast*e.sign()) * e.sign()
	}
	if slow == 0 && fast == 0 {
		return
	}
	s.near.add(e.f, slow, fast)
}

// step returns by how much α moves.
func (m *multiplier) step(margin float32) float32 {
	m.margin = margin
	if margin >= relaxed && m.alpha == 0 {
		return 0
	}
	alpha := min(max(m.alpha+1-margin, 0), m.c)
	d := alpha - m.alpha
	m.alpha = alpha
	return d
}
