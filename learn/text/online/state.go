package online

import "slices"

// Label is what somebody said about a message.
type Label struct {
	Features *Features
	Spam     bool
	Trusted  bool // by an administrator, a spam trap, a curated folder; not by anybody's click
	To       Recipient
}

// State is all that was learned, and learns. It is not safe for concurrent use: a
// Learner wraps it for that. It is determined by the labels and their order, to
// the last bit.
type State struct {
	svm   svm
	known knowledge
}

// NewState returns a state that knows nothing.
func NewState() *State {
	return &State{svm: svm{table: newTable(), near: newNear()}, known: knowledge{platt: newPlatt()}}
}

// Learn takes in one label. A message without features teaches nothing.
func (s *State) Learn(l Label) {
	if l.Features == nil || len(l.Features.index) == 0 {
		return
	}
	l.Features = l.Features.Sorted()
	before := judge(live{&s.svm}, l.Features, l.To, &s.known)
	s.known.platt.see(before.Margin, l.Spam)
	s.known.biases.learn(l.To, before.P, l.Spam)
	if l.Spam {
		s.known.spam++
	} else {
		s.known.ham++
	}
	c := float32(0)
	if l.Trusted {
		s.known.trusted++
		c = fastC
	}
	s.svm.see(l.Features, l.Spam, slowC, c)
}

// Score judges by what was learned so far.
func (s *State) Score(f *Features, to Recipient) Outcome {
	return judge(live{&s.svm}, f, to, &s.known)
}

// Labels returns how many labels were learned.
func (s *State) Labels() (ham, spam int) { return s.known.ham, s.known.spam }

// Model returns a snapshot. It costs a copy of what was written since the last.
func (s *State) Model() *Model {
	s.svm.near.flush(s.svm.table)
	return &Model{pages: s.svm.table.freeze(), known: s.known}
}

// live reads the weights as they are.
type live struct{ s *svm }

func (l live) gather(dst []slot, index []uint32) []slot {
	for _, i := range index {
		x := l.s.table.slots[i]
		if id := l.s.near.number[i]; id != 0 {
			w := l.s.near.weights[id]
			x.slow, x.fast = w.slow, w.fast
		}
		dst = append(dst, x)
	}
	return dst
}

// Model is a snapshot of a State. It never changes and is safe for concurrent use.
type Model struct {
	pages []*page
	known knowledge
}

// gather waits for memory, mostly; the shorter its loop, the more places are waited for
// at a time.
func (m *Model) gather(dst []slot, index []uint32) []slot {
	n := len(dst)
	dst = slices.Grow(dst, len(index))[:n+len(index)]
	to, pages := dst[n:], m.pages
	for k, i := range index[:len(to)] {
		if p := pages[i>>pageBits]; p != nil {
			to[k] = p[i&(pageSize-1)]
		} else {
			to[k] = slot{}
		}
	}
	return dst
}

// Score judges a message; to may be empty. Its time is linear in the features.
func (m *Model) Score(f *Features, to Recipient) Outcome { return judge(m, f, to, &m.known) }

// Labels returns how many labels were learned.
func (m *Model) Labels() (ham, spam int) { return m.known.ham, m.known.spam }
