package online

import "slices"

// Unlearn takes a label back whose place in the log is no longer known, so that
// the labels can't be replayed without it. It is counter-training, measured out:
// the message's features are moved the other way by as much as the label moved
// them, as far as can be told.
//
// How much that was, the weights remember: a feature that only this message had
// was moved by nothing else. Where there is none, the features that the fewest
// others had tell, with their equal share. What other examples learned because
// this one was there stays, and so do the calibration and the recipients' terms,
// which forget by themselves. A label that was never learned must not be taken
// back.
//
// Where the right label is known, learn it afterwards.
func (s *State) Unlearn(l Label) {
	if l.Features == nil || len(l.Features.index) == 0 {
		return
	}
	f := l.Features.Sorted()
	k := &s.known
	if l.Spam {
		k.spam = max(k.spam-1, 0)
	} else {
		k.ham = max(k.ham-1, 0)
	}
	if l.Trusted {
		k.trusted--
	}
	k.trusted = min(max(k.trusted, 0), k.ham+k.spam)
	s.svm.forget(f, l.Spam)
}

// forgetPasses is how often the window is gone through after a label was taken back.
const forgetPasses = 3

// forget takes f out of the window, or its estimated part out of the weights. The
// window is gone through afterwards: examples that share features with f are put
// right, having leaned on it or against it.
func (s *svm) forget(f *Features, spam bool) {
	defer func() {
		if n := len(s.ring); n > 0 {
			for range forgetPasses {
				s.pass((s.next-1+n)%n, true, true)
			}
		}
	}()
	sign := float32(1)
	if !spam {
		sign = -1
	}
	if e := s.find(f, spam); e != nil {
		s.near.add(e.f, -e.slow.alpha*sign, -e.fast.alpha*sign)
		// It keeps its place: the window goes on as if it had never been near.
		e.slow, e.fast = multiplier{}, multiplier{}
		s.table.uncount(f, spam)
		return
	}
	slow, fast := s.traces(f, spam)
	numbered := s.near.take(f, s.table)
	s.near.add(numbered, -slow*sign, -fast*sign)
	s.near.release(numbered, s.table)
	s.table.uncount(f, spam)
}

// find returns the newest example of the window with the features and the label.
func (s *svm) find(f *Features, spam bool) *example {
	for k := range len(s.ring) {
		e := s.ring[(s.next-1-k+2*len(s.ring))%len(s.ring)]
		if e.spam != spam || e.f.ends != f.ends || e.slow.c == 0 && e.fast.c == 0 {
			continue
		}
		if !slices.EqualFunc(e.f.index, f.index, func(id, slot uint32) bool { return s.near.slots[id] == slot }) {
			continue
		}
		return e
	}
	return nil
}

// traces estimates the multipliers of an example that has left the window: the
// median of weight over value, by the features of its class alone that the fewest
// labels had, shared out among these.
func (s *svm) traces(f *Features, spam bool) (slow, fast float32) {
	weights := live{s}.gather(nil, f.index)
	least := uint32(0)
	for _, x := range weights {
		own, other := x.spam, x.ham
		if !spam {
			own, other = other, own
		}
		if other == 0 && own > 0 && (least == 0 || own < least) {
			least = own
		}
	}
	if least == 0 {
		return 0, 0 // nothing is its own: what it taught, others of both classes taught too
	}
	var slows, fasts []float32
	start := int32(0)
	for v, end := range f.ends {
		per := f.norm[v] * float32(least)
		if !spam {
			per = -per
		}
		for _, x := range weights[start:end] {
			if spam && x.ham == 0 && x.spam == least || !spam && x.spam == 0 && x.ham == least {
				slows, fasts = append(slows, x.slow/per), append(fasts, x.fast/per)
			}
		}
		start = end
	}
	return min(max(median(slows), 0), slowC), min(max(median(fasts), 0), fastC)
}

func median(all []float32) float32 {
	slices.Sort(all)
	return all[len(all)/2]
}

// uncount takes back what count noted.
func (t *table) uncount(f *Features, spam bool) {
	for _, i := range f.index {
		s := &t.slots[i]
		if spam {
			s.spam = max(s.spam, 1) - 1
		} else {
			s.ham = max(s.ham, 1) - 1
		}
		t.dirty[i>>pageBits] = true
	}
}
