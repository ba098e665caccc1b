// Package code finds QR codes and their relatives in grey pictures, also those that
// phones read and usual libraries don't: inverted, pale, without a margin, several
// in one picture. It looks for the three corner squares itself, in both polarities
// at once, with bounds on how many it considers; a picture without them costs two
// passes over its pixels. What the modules say is read by gozxing.
package code

import (
	"fmt"

	"sluice/inspect/child/image/pixel"
)

// Code is one that was read.
type Code struct {
	Format   string // "qr", "aztec", "datamatrix"
	Text     string // hostile
	Inverted bool   // light on dark
	Pale     bool   // dark and light differ by less than a quarter of the range
}

// Found is what a picture holds.
type Found struct {
	Codes  []Code
	Unread bool // three corners that fit each other well, and no code was read there
	Hint   bool // some corners, which may be clearer where the picture is larger
}

// Bounds on the work for one picture; a picture may be looked at in five ways.
const (
	maxPixels  = 16 << 20
	maxCorners = 256 // corner squares kept
	maxCombine = 48  // of them, the clearest, from which codes are put together
	maxTries   = 48  // codes that are tried without success
	maxClear   = 12  // clear corners above which they are a pattern
	maxCodes   = 16
	small      = 160 // sides below are enlarged: a module may be one pixel
	paleBelow  = 64  // difference of shades below which a code is pale
)

// Find looks for codes. stop is asked now and then, and ends the search where it
// returns an error; what was found until then is returned.
func Find(g *pixel.Gray, stop func() error) (Found, error) {
	if g.W < 15 || g.H < 15 || g.W > maxPixels/g.H {
		return Found{}, nil
	}
	if side := max(g.W, g.H); side < small {
		g = g.Enlarge(max(4*small/side/2, 2), 0, 255)
	}
	var f Found
	side := max(g.W, g.H)
	hint, err := f.read(g, local(g, side/16), stop)
	if err != nil || len(f.Codes) > 0 {
		return f, err
	}
	f.Hint = hint
	if hint {
		// There is something: look closer.
		for _, look := range []func() (*pixel.Gray, *bits){
			func() (*pixel.Gray, *bits) { return g, global(g) },
			func() (*pixel.Gray, *bits) { return g, local(g, max(side/48, 5)) },
			func() (*pixel.Gray, *bits) { s := sharpen(g); return s, local(s, side/16) },
			func() (*pixel.Gray, *bits) { d := g.Double(); return d, local(d, side/8) },
		} {
			if side > 1200 {
				break // the quick look at the same picture has done it
			}
			if _, err := f.closer(look, stop); err != nil || len(f.Codes) > 0 {
				return f, err
			}
		}
	}
	if !f.Unread {
		f.Codes = append(f.Codes, relatives(g)...)
	}
	return f, nil
}

func (f *Found) closer(look func() (*pixel.Gray, *bits), stop func() error) (bool, error) {
	g, b := look()
	return f.read(g, b, stop)
}

// read tries the corners of one black and white reading, and says whether some look
// like those of a code.
func (f *Found) read(g *pixel.Gray, b *bits, stop func() error) (hint bool, err error) {
	var matrices [2]matrix
	unread := false
	for _, polarity := range []byte{dark, light} {
		corners := b.corners(polarity)
		good := 0
		for _, c := range corners {
			if c.clear() {
				good++
			}
		}
		hint = hint || 2 <= good && good <= maxClear
		if len(corners) < 3 {
			continue
		}
		used := make([]bool, len(corners))
		tries := 0
		for _, t := range triples(corners) {
			if used[t.at] || used[t.right] || used[t.below] {
				continue
			}
			if err := stop(); err != nil {
				return hint, err
			}
			if !b.ticks(corners[t.at], corners[t.right], corners[t.below]) {
				continue
			}
			sound := corners[t.at].clear() && corners[t.right].clear() && corners[t.below].clear()
			hint = hint || sound
			m := &matrices[polarity]
			if m.BitMatrix == nil {
				m.fill(b, polarity)
			}
			text, ok := m.read(corners[t.at], corners[t.right], corners[t.below])
			if !ok {
				unread = unread || t.sure
				tries++
				if !sound {
					tries += 3 // noise
				}
				if tries >= maxTries {
					break
				}
				continue
			}
			used[t.at], used[t.right], used[t.below] = true, true, true
			f.add(Code{Format: "qr", Text: text, Inverted: polarity == light, Pale: contrast(g, b, corners, t) < paleBelow})
			if len(f.Codes) >= maxCodes {
				return hint, nil
			}
		}
	}
	f.Unread = len(f.Codes) == 0 && (f.Unread || unread)
	return hint, nil
}

func (f *Found) add(c Code) {
	for _, o := range f.Codes {
		if o.Text == c.Text {
			return
		}
	}
	f.Codes = append(f.Codes, c)
}

// contrast is how far the shades of dark and light modules are apart, on average in
// the rectangle of a code's corners.
func contrast(g *pixel.Gray, b *bits, corners []corner, t triple) int {
	x0, y0, x1, y1 := g.W, g.H, 0, 0
	for _, i := range []int{t.at, t.right, t.below} {
		c := corners[i]
		x0, y0 = min(x0, int(c.x)), min(y0, int(c.y))
		x1, y1 = max(x1, int(c.x)), max(y1, int(c.y))
	}
	var sum, n [2]int
	for y := y0; y <= y1; y++ {
		for x := x0; x <= x1; x++ {
			v := b.pix[y*b.w+x]
			sum[v] += int(g.Pix[y*g.W+x])
			n[v]++
		}
	}
	if n[dark] == 0 || n[light] == 0 {
		return 0
	}
	return sum[light]/n[light] - sum[dark]/n[dark]
}

// String is for tests and logs.
func (c Code) String() string {
	s := c.Format
	if c.Inverted {
		s += " inverted"
	}
	if c.Pale {
		s += " pale"
	}
	return fmt.Sprintf("%s %q", s, c.Text)
}
