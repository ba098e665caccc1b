package text

import "math"

// Point is a score with its truth, for calibration.
type Point struct {
	Margin float64
	Spam   bool
	Weight float64
}

// Platt fits the odds of spam to the margin by logistic regression (Platt 1999)
// and returns the slope and the offset in decibel. Both classes are given the
// same weight in all, so that the odds are those of a message of which nothing
// else is known, spam and ham being as frequent. Newton's method: two parameters,
// a convex loss, a hundred steps at most.
func Platt(points []Point) (slope, offset float64) {
	var sum [2]float64
	for _, p := range points {
		sum[class(p.Spam)] += p.Weight
	}
	if sum[0] == 0 || sum[1] == 0 {
		return 0, 0
	}
	var a, b float64
	for range 100 {
		// A little of a prior keeps separable data from infinity.
		const ridge = 1e-6
		ga, gb := ridge*a, ridge*b
		haa, hab, hbb := ridge, 0.0, ridge
		for _, p := range points {
			c := class(p.Spam)
			w := p.Weight / sum[c]
			q := 1 / (1 + math.Exp(-(a*p.Margin + b)))
			g := w * (q - float64(c))
			ga += g * p.Margin
			gb += g
			h := w * q * (1 - q)
			haa += h * p.Margin * p.Margin
			hab += h * p.Margin
			hbb += h
		}
		det := haa*hbb - hab*hab
		if det <= 0 {
			break
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		a, b = a-da, b-db
		if math.Abs(da)+math.Abs(db) < 1e-9 {
			break
		}
	}
	const decibel = 10 / math.Ln10
	return a * decibel, b * decibel
}

func class(spam bool) int {
	if spam {
		return 1
	}
	return 0
}
