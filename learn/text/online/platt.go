package online

import "math"

// Sizes of the calibration.
const (
	plattWindow = 1024 // margins that it is fitted to
	plattEvery  = 16   // labels between two fits
	plattKeep   = 128  // margins that are kept when the stream has drifted

	// Page and Hinkley's test on the logarithmic loss: what a loss may lie over the
	// mean for nothing, and how much may add up.
	driftSlack = 0.05
	driftLimit = 15
)

// platt turns margins into odds by a line, fitted to margins as they were before
// their label was learned (Platt 1999), of the last labels only. Where the
// loss grows, it forgets earlier.
type platt struct {
	a, b   float64
	prior  float64
	margin [plattWindow]float32
	spam   [plattWindow]bool
	n      int // held
	next   int
	since  int // labels since the last fit

	loss, losses float64 // mean and number
	drift, least float64
	resets       int // drifts found
}

// first is the line of a learner that knows nothing.
const firstSlope = 3

func newPlatt() platt { return platt{a: firstSlope} }

func (p *platt) odds(margin float64) float64 { return p.a*margin + p.b }

// recount sets prior, the logarithm of the odds of spam among the labels held.
func (p *platt) recount() {
	spam := 0
	for _, s := range p.spam[:p.n] {
		if s {
			spam++
		}
	}
	p.prior = math.Log((float64(spam) + 1) / (float64(p.n-spam) + 1))
}

func logistic(odds float64) float64 { return 1 / (1 + math.Exp(-odds)) }

// see notes the margin of a message before it was learned.
func (p *platt) see(margin float64, spam bool) {
	odds := p.odds(margin)
	if !spam {
		odds = -odds
	}
	loss := min(math.Log1p(math.Exp(-odds)), 5)
	p.losses++
	p.loss += (loss - p.loss) / p.losses
	p.drift += loss - p.loss - driftSlack
	p.least = min(p.least, p.drift)
	if p.drift-p.least > driftLimit {
		p.forget()
	}
	p.margin[p.next], p.spam[p.next] = float32(margin), spam
	p.next = (p.next + 1) % plattWindow
	p.n = min(p.n+1, plattWindow)
	p.recount()
	if p.since++; p.since >= plattEvery {
		p.since = 0
		p.fit()
	}
}

// forget keeps the newest margins only, oldest first.
func (p *platt) forget() {
	keep := min(p.n, plattKeep)
	var margin [plattKeep]float32
	var spam [plattKeep]bool
	for k := range keep {
		i := (p.next - keep + k + plattWindow) % plattWindow
		margin[k], spam[k] = p.margin[i], p.spam[i]
	}
	copy(p.margin[:], margin[:keep])
	copy(p.spam[:], spam[:keep])
	p.n, p.next = keep, keep%plattWindow
	p.loss, p.losses, p.drift, p.least = 0, 0, 0, 0
	p.resets++
	p.fit()
}

// fit makes the line by Newton's method from where it stands: a convex loss in
// two parameters, drawn a little to the first line.
func (p *platt) fit() {
	const ridge = 1
	for range 8 {
		ga, gb := ridge*(p.a-firstSlope), ridge*p.b
		haa, hab, hbb := float64(ridge), 0.0, float64(ridge)
		for k, m := range p.margin[:p.n] {
			x := float64(m)
			q := logistic(p.odds(x))
			g := q
			if p.spam[k] {
				g--
			}
			ga += g * x
			gb += g
			h := q * (1 - q)
			haa += h * x * x
			hab += h * x
			hbb += h
		}
		det := haa*hbb - hab*hab
		if !(det > 0) {
			return
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		// A step is bounded: far from the minimum Newton's would be too long.
		p.a = min(max(p.a-min(max(da, -2), 2), 0.1), 50)
		p.b = min(max(p.b-min(max(db, -2), 2), -20), 20)
		if math.Abs(da)+math.Abs(db) < 1e-6 {
			return
		}
	}
}
