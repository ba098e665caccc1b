package pipeline

import (
	"sluice"
	"sluice/reason"
)

// settled says why e can't change the action any more, "" where it can. rest are
// the checks of this phase that have not run yet, e among them. Later phases
// don't enter into it: they have runs of their own, and what they may find can't
// turn on a check of this one.
func (r *run) settled(e *entry, rest []*entry) string {
	stop, pass := r.hard()
	switch {
	case stop != nil && final(stop):
		// Nothing overrides it. A further stop would say the same.
		return "decided by " + string(stop.Reason)
	case pass != nil && !e.malware && !e.info.Always:
		return "decided by " + string(pass.Reason)
	case stop != nil && !e.mayPass && !e.malware && !e.info.Always:
		return "decided by " + string(stop.Reason)
	case e.info.Always:
		return ""
	case stop == nil && pass == nil && !e.mayStop && !e.mayPass && r.phase == sluice.PhaseMessage && r.within(rest):
		return "the sum can't change the action"
	}
	return ""
}

// hard finds the stop that decides most, and a pass.
func (r *run) hard() (stop, pass *sluice.Evidence) {
	for _, l := range [...][]sluice.Evidence{r.before, r.found} {
		for i := range l {
			switch f := &l[i]; {
			case f.State != sluice.Found:
			case f.Hard == sluice.HardStop:
				if stop == nil || final(f) {
					stop = f
				}
			case f.Hard == sluice.HardPass:
				pass = f
			}
		}
	}
	return stop, pass
}

// final says whether even a pass would not help.
func final(f *sluice.Evidence) bool {
	return f.Threat == sluice.ThreatMalware || f.Reason == reason.CheckRequired
}

// within says whether the total stays between two neighbouring bands whatever
// the remaining checks find. Only the last phase asks: there nothing follows
// that would need the evidence.
func (r *run) within(rest []*entry) bool {
	if len(r.p.bands) == 0 {
		return false
	}
	open := make([]sluice.Group, 0, 32)
	for _, e := range rest {
		open = append(open, e.groups...)
	}
	low, high := r.p.cfg.Weights.Bounds(open, r.before, r.found)
	for _, b := range r.p.bands {
		// Half a tenth of a point on each side is lost in rounding.
		if low-0.05 < b && b <= high+0.05 {
			return false
		}
	}
	return true
}
