package code

import "sluice/inspect/child/image/pixel"

// The values of a pixel in black and white.
const (
	light byte = 0
	dark  byte = 1
)

// bits is a picture in black and white, a byte a pixel.
type bits struct {
	w, h int
	pix  []byte
}

// flat is by how many shades a pixel must be darker than its surroundings to be
// dark: without it, an even ground with a little noise is speckled.
const flat = 2

// local tells dark from light by the mean of the surroundings, r pixels to each side.
func local(g *pixel.Gray, r int) *bits {
	r = max(r, 5)
	b := &bits{g.W, g.H, make([]byte, g.W*g.H)}
	column := make([]uint32, g.W) // sums of the rows in reach
	addRow := func(y int) {
		for x, v := range g.Row(y) {
			column[x] += uint32(v)
		}
	}
	for y := range min(r, g.H) {
		addRow(y)
	}
	for y := range g.H {
		if y+r < g.H {
			addRow(y + r)
		}
		if old := y - r - 1; old >= 0 {
			for x, v := range g.Row(old) {
				column[x] -= uint32(v)
			}
		}
		rows := uint32(min(y+r, g.H-1) - max(y-r, 0) + 1)
		var sum, columns uint32
		for _, v := range column[:min(r, g.W)] {
			sum += v
			columns++
		}
		src, dst := g.Row(y), b.pix[y*g.W:(y+1)*g.W]
		for x, v := range src {
			if x+r < len(column) {
				sum += column[x+r]
				columns++
			}
			if x > r {
				sum -= column[x-r-1]
				columns--
			}
			if (uint32(v)+flat)*rows*columns < sum {
				dst[x] = dark
			}
		}
	}
	return b
}

// global tells dark from light by one threshold for the whole picture, the one that
// parts its shades best (Otsu 1979).
func global(g *pixel.Gray) *bits {
	var count [256]int
	for _, v := range g.Pix {
		count[v]++
	}
	total, sum := len(g.Pix), 0
	for v, n := range count {
		sum += v * n
	}
	below, sumBelow, best, at := 0, 0, -1.0, 0
	for v, n := range count {
		below += n
		sumBelow += v * n
		if below == 0 || below == total {
			continue
		}
		d := float64(sumBelow)/float64(below) - float64(sum-sumBelow)/float64(total-below)
		if s := d * d * float64(below) * float64(total-below); s > best {
			best, at = s, v
		}
	}
	b := &bits{g.W, g.H, make([]byte, len(g.Pix))}
	for i, v := range g.Pix {
		if int(v) <= at {
			b.pix[i] = dark
		}
	}
	return b
}

// sharpen raises what differs from its surroundings of 5×5 pixels.
func sharpen(g *pixel.Gray) *pixel.Gray {
	out := pixel.New(g.W, g.H)
	copy(out.Pix, g.Pix)
	for y := 2; y < g.H-2; y++ {
		dst := out.Row(y)
		rows := [5][]byte{g.Row(y - 2), g.Row(y - 1), g.Row(y), g.Row(y + 1), g.Row(y + 2)}
		for x := 2; x < g.W-2; x++ {
			sum := 0
			for _, r := range rows {
				sum += int(r[x-2]) + int(r[x-1]) + int(r[x]) + int(r[x+1]) + int(r[x+2])
			}
			v := int(rows[2][x])
			dst[x] = byte(min(max(v+2*(v-sum/25), 0), 255))
		}
	}
	return out
}
