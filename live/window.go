package live

import "sluice"

// steps is how many parts a window has: its sum jumps by that share.
const steps = 30

// The spans of windows, in seconds.
const (
	aMinute = 60
	anHour  = 3600
	aDay    = 86400
)

// window sums the last steps parts of a span, the running one included.
type window struct {
	last int64
	n    [steps]uint32
	sum  uint32
}

// move goes on to a part.
func (w *window) move(number int64) {
	if number < w.last {
		if w.last-number <= tolerance {
			return
		}
		*w = window{last: number} // the clock was set back
	}
	if number-w.last >= steps {
		*w = window{last: number}
	}
	for w.last < number {
		w.last++
		part := &w.n[w.last%steps]
		w.sum -= *part
		*part = 0
	}
}

func (w *window) add(number int64) {
	w.move(number)
	w.n[w.last%steps]++
	w.sum++
}

// windows count over the last minute, hour and day.
type windows struct {
	minute, hour, day window
}

func (w *windows) add(now int64) {
	w.minute.add(now / (aMinute / steps))
	w.hour.add(now / (anHour / steps))
	w.day.add(now / (aDay / steps))
}

// at is the sums at a time.
func (w *windows) at(now int64) Lately {
	w.minute.move(now / (aMinute / steps))
	w.hour.move(now / (anHour / steps))
	w.day.move(now / (aDay / steps))
	return Lately{w.minute.sum, w.hour.sum, w.day.sum}
}

// cause is where a refusal happened, and why.
type cause struct {
	why   sluice.Reason
	phase sluice.Phase
}

// maxCauses bounds the causes that are told apart. Reasons come from the catalogue, so
// it is a guard against our own mistakes.
const maxCauses = 1024

// Other stands for the reasons that found no room.
const Other sluice.Reason = "OTHER"

// refusals count replies by cause, and messages by threat.
type refusals struct {
	causes  map[cause]*windows
	threats [sluice.ThreatCount]windows
}

func newRefusals() refusals { return refusals{causes: make(map[cause]*windows)} }

func (r *refusals) add(now int64, why sluice.Reason, phase sluice.Phase) {
	w := r.causes[cause{why, phase}]
	if w == nil {
		if len(r.causes) >= maxCauses {
			why, phase = Other, 0
		}
		if w = r.causes[cause{why, phase}]; w == nil {
			w = new(windows)
			r.causes[cause{why, phase}] = w
		}
	}
	w.add(now)
}
