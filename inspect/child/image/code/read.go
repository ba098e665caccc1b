package code

import (
	"math"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/aztec"
	"github.com/makiuchi-d/gozxing/datamatrix"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"

	"sluice/inspect/child/image/pixel"
)

// matrix is a black and white picture as gozxing wants it, in one polarity.
type matrix struct {
	*gozxing.BitMatrix
	detector *detector.Detector
}

func (m *matrix) fill(b *bits, ink byte) {
	m.BitMatrix, _ = gozxing.NewBitMatrix(b.w, b.h)
	for y := range b.h {
		for x, v := range b.pix[y*b.w : (y+1)*b.w] {
			if v == ink {
				m.Set(x, y)
			}
		}
	}
	m.detector = detector.NewDetector(m.BitMatrix)
}

// read reads the code with these corners.
func (m *matrix) read(at, right, below corner) (string, bool) {
	pattern := func(c corner) *detector.FinderPattern { return detector.NewFinderPattern1(c.x, c.y, c.size) }
	a, r, b := pattern(at), pattern(right), pattern(below)
	grid, err := m.detector.ProcessFinderPatternInfo(detector.NewFinderPatternInfo(b, a, r))
	if err == nil {
		if text, ok := readGrid(grid.GetBits()); ok {
			return text, true
		}
	}
	// What was taken for the fourth mark may be none, and the size was guessed from the width of a module along the sides: guess it from
	// that along rows and columns, which a turn makes wider, and try its neighbours
	// without that mark.
	side := (gozxing.ResultPoint_Distance(a, r) + gozxing.ResultPoint_Distance(a, b)) / 2
	size := int(math.Round((side/module(at, right, below)+7-17)/4))*4 + 17
	for _, n := range []int{size, size - 4, size + 4} {
		if n < 21 || n > 177 {
			continue
		}
		grid, err := detector.Detector_sampleGrid(m.BitMatrix, detector.Detector_createTransform(a, r, b, nil, n), n)
		if err != nil {
			continue
		}
		if text, ok := readGrid(grid); ok {
			return text, true
		}
	}
	return "", false
}

func readGrid(grid *gozxing.BitMatrix) (string, bool) {
	r, err := decoder.NewDecoder().Decode(grid, nil)
	if err != nil || r.GetText() == "" {
		return "", false
	}
	return r.GetText(), true
}

// relatives looks for an Aztec or Data Matrix code in a clean picture of little else:
// their readers search from the middle, and would find nothing elsewhere.
func relatives(g *pixel.Gray) []Code {
	if g.W > 2*g.H || g.H > 2*g.W || max(g.W, g.H) > 1000 || !twoToned(g) {
		return nil
	}
	if f := pixel.Factor(g.W, g.H, 600); f > 1 {
		g = g.Shrink(f)
	}
	var m matrix
	b := global(g)
	m.fill(b, dark)
	for _, inverted := range []bool{false, true} {
		if inverted {
			m.FlipAll()
		}
		bitmap, err := gozxing.NewBinaryBitmap(ready{m.BitMatrix})
		if err != nil {
			return nil
		}
		for _, k := range []struct {
			format string
			reader gozxing.Reader
		}{{"aztec", aztec.NewAztecReader()}, {"datamatrix", datamatrix.NewDataMatrixReader()}} {
			if r, err := k.reader.Decode(bitmap, nil); err == nil && r.GetText() != "" {
				return []Code{{Format: k.format, Text: r.GetText(), Inverted: inverted}}
			}
		}
	}
	return nil
}

// twoToned says whether nearly all pixels have one of two shades, far apart, and
// neither is rare.
func twoToned(g *pixel.Gray) bool {
	var count [16]int
	for _, v := range g.Pix {
		count[v>>4]++
	}
	first := 0
	for i, n := range count {
		if n > count[first] {
			first = i
		}
	}
	second := -1
	for i, n := range count {
		if (i < first-3 || i > first+3) && (second < 0 || n > count[second]) {
			second = i
		}
	}
	near := func(i int) (n int) {
		for j := max(i-1, 0); j <= min(i+1, len(count)-1); j++ {
			n += count[j]
		}
		return n
	}
	return second >= 0 && 10*(near(first)+near(second)) >= 9*len(g.Pix) && 4*near(second) >= len(g.Pix)
}

// ready hands gozxing a picture that is black and white already.
type ready struct{ m *gozxing.BitMatrix }

func (r ready) GetLuminanceSource() gozxing.LuminanceSource               { return nil }
func (r ready) GetBlackMatrix() (*gozxing.BitMatrix, error)               { return r.m, nil }
func (r ready) CreateBinarizer(gozxing.LuminanceSource) gozxing.Binarizer { return r }
func (r ready) GetWidth() int                                             { return r.m.GetWidth() }
func (r ready) GetHeight() int                                            { return r.m.GetHeight() }
func (r ready) GetBlackRow(y int, row *gozxing.BitArray) (*gozxing.BitArray, error) {
	return r.m.GetRow(y, row), nil
}
