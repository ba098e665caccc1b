package pixel

import (
	"math"
	"slices"
)

// cosines of the discrete cosine transform over 32 values, for the lowest 8
// frequencies above zero, in 1/4096. Whole numbers, so that every machine gets the
// same hash.
var cosines = func() (t [9][32]int64) {
	for u := range t {
		for x := range t[u] {
			t[u][x] = int64(math.Round(4096 * math.Cos(float64((2*x+1)*u)*math.Pi/64)))
		}
	}
	return t
}()

// Hashes are two perceptual hashes of 64 bits: pictures that look alike differ in
// few bits. p compares 64 low frequencies of the discrete cosine transform of the
// picture at 32×32 with their median; d compares neighbours at 9×8. Both are 0 for
// a picture of one shade.
func (g *Gray) Hashes() (p, d uint64) {
	if g.W < 2 || g.H < 2 || slices.Min(g.Pix) == slices.Max(g.Pix) {
		return 0, 0
	}
	return g.phash(), g.dhash()
}

func (g *Gray) phash() uint64 {
	small := g.mean(32, 32)
	var rows [32][9]int64
	for y := range rows {
		for u := range 9 {
			for x := range 32 {
				rows[y][u] += small[y*32+x] * cosines[u][x]
			}
		}
	}
	var freq [64]int64
	for v := range 8 {
		for u := range 8 {
			for y := range 32 {
				// Row and column 0 hold the brightness; the constant itself is left out.
				freq[v*8+u] += rows[y][u+1] * cosines[v+1][y]
			}
		}
	}
	sorted := freq
	slices.Sort(sorted[:])
	median := (sorted[31] + sorted[32]) / 2
	var h uint64
	for i, f := range freq {
		if f > median {
			h |= 1 << (63 - i)
		}
	}
	return h
}

func (g *Gray) dhash() uint64 {
	small := g.mean(9, 8)
	var h uint64
	for y := range 8 {
		for x := range 8 {
			h <<= 1
			if small[y*9+x] < small[y*9+x+1] {
				h |= 1
			}
		}
	}
	return h
}

// mean shrinks the picture to w×h by averages, in 1/16 of a shade.
func (g *Gray) mean(w, h int) []int64 {
	out := make([]int64, w*h)
	for y := range h {
		y0, y1 := span(y, h, g.H)
		for x := range w {
			x0, x1 := span(x, w, g.W)
			var sum int64
			for yy := y0; yy < y1; yy++ {
				for _, v := range g.Pix[yy*g.W+x0 : yy*g.W+x1] {
					sum += int64(v)
				}
			}
			out[y*w+x] = 16 * sum / int64((x1-x0)*(y1-y0))
		}
	}
	return out
}

func span(i, n, size int) (from, to int) {
	from = i * size / n
	return from, max((i+1)*size/n, from+1)
}
