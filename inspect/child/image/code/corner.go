package code

import (
	"cmp"
	"math"
	"slices"
)

// corner is one of the three squares that mark a QR code: along every line through
// its middle dark and light run as 1:1:3:1:1 (ISO/IEC 18004 5.3.2).
type corner struct {
	x, y float64
	size float64 // of a module, in pixels
	seen float64 // height over which rows crossed it, in pixels
}

// clear says whether it can hardly be noise: most rows of its middle crossed it.
func (c corner) clear() bool { return c.size >= 1.6 && c.seen >= 1.5*c.size }

// corners finds the squares whose frame has the colour given.
func (b *bits) corners(frame byte) []corner {
	var found []corner
	step := 1
	if b.h > 300 {
		step = 2
	}
	for y := 0; y < b.h; y += step {
		row := b.pix[y*b.w : (y+1)*b.w]
		var runs [5]int // the last five, the newest last
		start := 0
		for x := 1; x <= len(row); x++ {
			if x < len(row) && row[x] == row[x-1] {
				continue
			}
			runs = [5]int{runs[1], runs[2], runs[3], runs[4], x - start}
			start = x
			if row[x-1] == frame && fits(&runs, 0.5) {
				middle := float64(x-runs[4]-runs[3]) - float64(runs[2])/2
				if c, ok := b.confirm(middle, y, runs[0]+runs[1]+runs[2]+runs[3]+runs[4], frame); ok {
					found = merge(found, c)
				}
			}
		}
	}
	for i := range found {
		found[i].seen *= float64(step)
	}
	return slices.DeleteFunc(found, func(c corner) bool { return c.seen < 0.6*c.size })
}

// fits says whether five runs are as 1:1:3:1:1; slack is in modules.
func fits(r *[5]int, slack float64) bool {
	total := r[0] + r[1] + r[2] + r[3] + r[4]
	if total < 7 || r[0] == 0 || r[1] == 0 || r[2] == 0 || r[3] == 0 {
		return false
	}
	m := float64(total) / 7
	s := m * slack
	near := func(n int, want, s float64) bool { return math.Abs(float64(n)-want) < s }
	return near(r[0], m, s) && near(r[1], m, s) && near(r[2], 3*m, 3*s) && near(r[3], m, s) && near(r[4], m, s)
}

// confirm looks at a corner that a row seems to cross, along the other directions.
func (b *bits) confirm(x float64, y, width int, frame byte) (corner, bool) {
	cx := int(x)
	up, down, ok := b.cross(cx, y, 0, 1, 2*width, frame)
	if !ok {
		return corner{}, false
	}
	cy := float64(y) + float64(down-up)/2
	height := b.length(cx, int(cy), 0, 1, 2*width, frame)
	left, right, ok := b.cross(cx, int(cy), 1, 0, 2*width, frame)
	if !ok {
		return corner{}, false
	}
	across := b.length(cx, int(cy), 1, 0, 2*width, frame)
	if height == 0 || across == 0 || 5*height < 3*across || 5*across < 3*height {
		return corner{}, false
	}
	x = float64(cx) + float64(right-left)/2
	if _, _, ok := b.cross(int(x), int(cy), 1, 1, 2*width, frame); !ok {
		return corner{}, false
	}
	return corner{x: x + 0.5, y: cy + 0.5, size: float64(height+across) / 14, seen: 1}, true
}

// cross walks from the middle of a corner both ways along a direction. It returns
// how many steps the middle square reaches back and forth.
func (b *bits) cross(x, y, dx, dy, most int, frame byte) (back, forth int, ok bool) {
	if x < 0 || y < 0 || x >= b.w || y >= b.h || b.pix[y*b.w+x] != frame {
		return 0, 0, false
	}
	p, okBack := b.walk(x, y, -dx, -dy, most, frame)
	n, okForth := b.walk(x, y, dx, dy, most, frame)
	if !okBack || !okForth {
		return 0, 0, false
	}
	slack := 0.6
	if dx != 0 && dy != 0 {
		slack = 0.85 // rounded and skewed corners are uneven that way
	}
	return p[0], n[0], fits(&[5]int{p[2], p[1], p[0] + n[0] + 1, n[1], n[2]}, slack)
}

// length is that of the whole pattern along a direction.
func (b *bits) length(x, y, dx, dy, most int, frame byte) int {
	p, ok := b.walk(x, y, -dx, -dy, most, frame)
	n, ok2 := b.walk(x, y, dx, dy, most, frame)
	if !ok || !ok2 {
		return 0
	}
	return p[0] + p[1] + p[2] + n[0] + n[1] + n[2] + 1
}

// walk counts three runs from a place on, which is in the first and isn't counted.
func (b *bits) walk(x, y, dx, dy, most int, frame byte) (runs [3]int, ok bool) {
	want := frame
	for i := 0; ; {
		x, y = x+dx, y+dy
		if x < 0 || y < 0 || x >= b.w || y >= b.h {
			return runs, i == 2 && runs[2] > 0
		}
		if b.pix[y*b.w+x] != want {
			if i++; i == 3 {
				return runs, true
			}
			want ^= 1
		}
		if runs[i]++; runs[i] > most {
			return runs, false
		}
	}
}

func merge(found []corner, c corner) []corner {
	for i := range found {
		o := &found[i]
		if math.Abs(o.x-c.x) <= 2*o.size && math.Abs(o.y-c.y) <= 2*o.size && c.size < 2*o.size && o.size < 2*c.size {
			n := o.seen
			o.x, o.y, o.size = (o.x*n+c.x)/(n+1), (o.y*n+c.y)/(n+1), (o.size*n+c.size)/(n+1)
			o.seen++
			return found
		}
	}
	if len(found) >= maxCorners {
		return found
	}
	return append(found, c)
}

// triple are three corners that may belong to one code, by their indexes.
type triple struct {
	at, right, below int // the corner where the sides meet, and those that stand beside and below
	score            float64
	sure             bool // it can hardly be anything else
}

// triples are the likely ones, the likeliest first.
func triples(c []corner) []triple {
	order := make([]int, len(c))
	for i := range order {
		order[i] = i
	}
	// A corner is crossed by many rows for its size; noise is not.
	clearness := func(i int) float64 { return c[i].seen / c[i].size }
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(clearness(b), clearness(a)) })
	order = order[:min(len(order), maxCombine)]
	var out []triple
	for i, a := range order {
		for j, b := range order[i+1:] {
			if c[a].size > 1.7*c[b].size || c[b].size > 1.7*c[a].size {
				continue
			}
			for _, d := range order[i+j+2:] {
				if t, ok := combine(c, a, b, d); ok {
					out = append(out, t)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b triple) int { return cmp.Compare(a.score, b.score) })
	return out
}

// combine says whether three corners stand like those of a square, and how well.
func combine(c []corner, i, j, k int) (triple, bool) {
	least := min(c[i].size, c[j].size, c[k].size)
	most := max(c[i].size, c[j].size, c[k].size)
	if most > 1.7*least {
		return triple{}, false
	}
	square := func(a, b int) float64 {
		dx, dy := c[a].x-c[b].x, c[a].y-c[b].y
		return dx*dx + dy*dy
	}
	// The longest side lies opposite the corner where the others meet.
	at, p, q := i, j, k
	if square(i, j) > max(square(j, k), square(i, k)) {
		at, p, q = k, i, j
	} else if square(i, k) > square(j, k) {
		at, p, q = j, i, k
	}
	long, a, b := square(p, q), square(at, p), square(at, q)
	sideA, sideB := math.Sqrt(a), math.Sqrt(b)
	uneven := math.Abs(sideA-sideB) / max(sideA, sideB)
	skew := math.Abs(long-a-b) / long
	modules := (sideA + sideB) / 2 / ((least + most) / 2)
	if uneven > 0.35 || skew > 0.35 || modules < 9 || modules > 190 {
		return triple{}, false
	}
	// In a picture y grows downwards: the corner to the right comes first clockwise.
	if (c[p].x-c[at].x)*(c[q].y-c[at].y)-(c[p].y-c[at].y)*(c[q].x-c[at].x) < 0 {
		p, q = q, p
	}
	spread := (most - least) / most
	return triple{at: at, right: p, below: q, score: uneven + skew + spread + modules/500,
		sure: uneven < 0.08 && skew < 0.08 && spread < 0.15 && c[i].clear() && c[j].clear() && c[k].clear()}, true
}

// module is the width of one, along the sides of the code. That along rows and
// columns, which a corner knows, grows when the code is turned.
func module(at, right, below corner) float64 {
	dx, dy := math.Abs(right.x-at.x), math.Abs(right.y-at.y)
	return (at.size + right.size + below.size) / 3 * max(dx, dy) / math.Hypot(dx, dy)
}

// ticks says whether between the corners run lines of modules that are dark and light
// in turn (ISO/IEC 18004 5.3.4), about as many as there is room for.
func (b *bits) ticks(at, right, below corner) bool {
	m := module(at, right, below)
	line := func(to, aside corner) bool {
		side := math.Hypot(to.x-at.x, to.y-at.y)
		off := 3 * m / math.Hypot(aside.x-at.x, aside.y-at.y)
		ox, oy := off*(aside.x-at.x), off*(aside.y-at.y)
		steps := int(side)
		changes, last := 0, byte(2)
		for i := range steps + 1 {
			f := float64(i) / float64(steps)
			x, y := int(at.x+f*(to.x-at.x)+ox), int(at.y+f*(to.y-at.y)+oy)
			if x < 0 || y < 0 || x >= b.w || y >= b.h {
				return false
			}
			if v := b.pix[y*b.w+x]; v != last {
				changes++
				last = v
			}
		}
		// From the middle of a corner on, its lower edge is one run of four modules.
		want := side/m - 6
		return math.Abs(float64(changes)-1-want) <= max(3, 0.35*want)
	}
	return line(right, below) && line(below, right)
}
