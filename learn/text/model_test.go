package text

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// naive scores a text the long way: every part with its own set of features.
func naive(m *Model, s *scratch) (whole, best float64) {
	margin := func(from, to int) float64 {
		set := map[uint32]bool{}
		start := 0
		if from > 0 {
			start = s.blocks[from-1].features
		}
		var sum float64
		for _, i := range s.index[start:s.blocks[to-1].features] {
			if !set[i] {
				set[i] = true
				sum += float64(m.weights[i]) * m.unit
			}
		}
		if len(set) == 0 {
			return 0
		}
		return sum / math.Sqrt(float64(len(set)))
	}
	n := len(s.blocks)
	whole = margin(0, n)
	best = whole
	if n > 2 {
		for k := 2; k <= n; k++ {
			best = max(best, margin(k-2, k)-m.cal.Segment, margin(0, k)-m.cal.Edge)
		}
		for k := 1; k < n-1; k++ {
			best = max(best, margin(k, n)-m.cal.Edge)
		}
	}
	return whole, best
}

// noise is a model of random weights.
func noise(seed uint64) *Model {
	r := rand.New(rand.NewPCG(seed, 2))
	w := make([]float32, tableSize)
	for i := range w {
		w[i] = float32(r.NormFloat64()) / 20
	}
	m := quantise(w)
	m.cal = Calibration{Slope: 20, Offset: 1, Segment: 0.3, Edge: 0.15, Floor: -6, Ceiling: 24}
	m.version = m.hash()
	return m
}

func TestScoreAgainstNaive(t *testing.T) {
	m := noise(1)
	rapid.Check(t, func(t *rapid.T) {
		d := &Document{
			Subject: rapid.StringMatching(`[a-zA-Z ]{0,40}`).Draw(t, "subject"),
			Text:    prose(rapid.IntRange(0, 8000).Draw(t, "size"), rapid.Uint64Range(0, 50).Draw(t, "seed")),
			Hosts:   rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}(\.[a-z]{2,3}){0,2}`), 0, 3).Draw(t, "hosts"),
		}
		var s scratch
		s.clock = rapid.SampledFrom([]uint16{0, 100, 65500, 65530}).Draw(t, "clock")
		s.extract(d)
		got := m.score(&s)
		whole, best := naive(m, &s)
		if math.Abs(got.Whole-whole) > 1e-9 || math.Abs(got.Margin-best) > 1e-9 {
			t.Fatalf("whole %v, margin %v; want %v, %v", got.Whole, got.Margin, whole, best)
		}
		if again := m.Score(d); again != got {
			t.Fatalf("a pooled scratch gives %+v, a new one %+v", again, got)
		}
	})
}

func FuzzScore(f *testing.F) {
	f.Add("Subject", "Some text, v i a g r a, p\u0430ypal", "www.example.com")
	f.Add("", strings.Repeat("word ", 500), "")
	f.Add("", strings.Repeat("x", 5000), "a..b")
	f.Add("\xff", strings.Repeat("日本", 3000), ".")
	m := noise(2)
	f.Fuzz(func(t *testing.T, subject, text, host string) {
		d := &Document{Subject: subject, Text: text, Hosts: []string{host}}
		var s scratch
		s.extract(d)
		last := block{}
		for _, b := range s.blocks {
			if b.features < last.features || b.text < last.text || b.text-last.text > blockBytes+1 {
				t.Fatalf("block %+v after %+v", b, last)
			}
			last = b
		}
		if last.features != len(s.index) || last.text != len(s.text) {
			t.Fatalf("blocks end at %+v of %d features, %d octets", last, len(s.index), len(s.text))
		}
		if len(s.text) > maxText+maxSubject+2 {
			t.Fatalf("%d octets of text", len(s.text))
		}
		got := m.Score(d)
		if math.IsNaN(got.DB) || got.DB < m.cal.Floor || got.DB > m.cal.Ceiling || got.Margin < got.Whole ||
			got.From > got.To || got.To > len(s.text) || got.Coverage < 0 || got.Coverage > 1 {
			t.Fatalf("%+v", got)
		}
		for _, tok := range m.Top(d, 3) {
			if math.IsNaN(tok.DB) || tok.Word == "" {
				t.Fatalf("token %+v", tok)
			}
		}
	})
}

// A long text costs no more than its first and last octets.
func TestLongText(t *testing.T) {
	var s scratch
	head, tail := strings.Repeat("first ", 20000), strings.Repeat("last ", 20000)
	s.extract(&Document{Text: head + strings.Repeat("middle ", 200000) + tail})
	if len(s.text) > maxText+2 {
		t.Errorf("%d octets of text are looked at", len(s.text))
	}
	for word, want := range map[string]bool{"first": true, "middle": false, "last": true} {
		if got := bytes.Contains(s.text, []byte(word)); got != want {
			t.Errorf("%q is looked at: %v", word, got)
		}
	}
}

func TestDefault(t *testing.T) {
	m := Default()
	if len(shipped) > 4<<20 {
		t.Errorf("the weights take %d octets", len(shipped))
	}
	const line, reject, prior = 12.8, 30, -10
	if c := m.Calibration(); c.Ceiling+prior < line || c.Ceiling+prior >= reject {
		t.Errorf("a ceiling of %v dB: the text alone must be able to quarantine and not to reject", c.Ceiling)
	}
	spam := m.Score(&Document{Subject: "Make money fast", Text: pitch})
	ham := m.Score(&Document{Subject: "Re: patch", Text: note})
	if spam.DB < 10 || ham.DB > 0 {
		t.Errorf("a sales pitch has %+v, a letter %+v", spam, ham)
	}
	if empty := m.Score(&Document{}); empty.DB != 0 || empty.Features != 0 {
		t.Errorf("an empty document has %+v", empty)
	}
}

const pitch = `Dear friend, are you tired of working for others? Make thousands of dollars
from home every week! This is not a get rich quick scheme, it is 100% legal and guaranteed.
You will receive our free report. No experience is needed. Order now and get instant access,
your credit card is charged only $19.95. Limited time offer, act today! Click here to order.
Lose weight while you sleep, buy generic viagra online without prescription at the lowest prices.
To be removed from our mailing list click here.`

const note = `Hi Paul, I think the patch is fine, but the locking in the second loop looks wrong to
me: if the list is empty we return without dropping the mutex. Could you resend it with that
fixed, and maybe a comment? I ran the tests on my machine and they all pass. Thanks, Anna`

// The tricks that turn known words into unknown ones, and good words around bad
// ones, leave most of the evidence standing.
func TestDisguise(t *testing.T) {
	m := Default()
	clean := m.Score(&Document{Text: pitch}).Margin
	each := func(by string) string {
		var b strings.Builder
		for _, r := range pitch {
			b.WriteRune(r)
			if r != ' ' && r != '\n' {
				b.WriteString(by)
			}
		}
		return b.String()
	}
	good := strings.Repeat(note+"\n", 6)
	for _, tt := range []struct {
		name, text string
		least      float64 // share of the clean margin
	}{
		{"zero width", each("\u200b"), 0.99},
		{"soft hyphens", each("\u00ad"), 0.99},
		{"strokes", each("\u0336"), 0.99},
		{"look-alikes", strings.NewReplacer("a", "а", "e", "е", "o", "о", "c", "с", "p", "р").Replace(pitch), 0.9},
		{"fullwidth", strings.Map(func(r rune) rune {
			if '!' <= r && r <= '~' {
				return r + 0xFEE0
			}
			return r
		}, pitch), 0.99},
		{"letters set apart", each(" "), 0.75},
		{"capitals", strings.ToUpper(pitch), 0.99},
		{"good words before", good + pitch, 0.4},
		{"good words behind", pitch + "\n" + good, 0.4},
		{"good words around", good + pitch + "\n" + good, 0.2},
	} {
		if got := m.Score(&Document{Text: tt.text}).Margin; got < tt.least*clean {
			t.Errorf("%s: margin %.2f, clean %.2f", tt.name, got, clean)
		}
	}
}

func TestTop(t *testing.T) {
	m := Default()
	top := m.Top(&Document{Text: pitch}, 5)
	if len(top) != 5 {
		t.Fatalf("%d words, want 5", len(top))
	}
	for k := 1; k < len(top); k++ {
		if math.Abs(top[k].DB) > math.Abs(top[k-1].DB) {
			t.Errorf("not sorted: %v", top)
		}
	}
	// All words together make the margin: none is lost or counted twice.
	var sum float64
	for _, tok := range m.Top(&Document{Text: note}, 1000) {
		sum += tok.DB
	}
	if want := m.Score(&Document{Text: note}).Margin * m.cal.Slope; math.Abs(sum-want) > 0.02*math.Abs(want)+0.2 {
		t.Errorf("the words sum up to %.2f dB, the text has %.2f", sum, want)
	}
	if diff := cmp.Diff(top, m.Top(&Document{Text: pitch}, 5)); diff != "" {
		t.Error(diff)
	}
	if got := m.Top(&Document{}, 5); got != nil {
		t.Errorf("an empty text has words %v", got)
	}
}

func TestConcurrent(t *testing.T) {
	m := Default()
	d := &Document{Text: pitch + strings.Repeat(note, 5)}
	want := m.Score(d)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if got := m.Score(d); got != want {
					t.Errorf("got %+v, want %+v", got, want)
					return
				}
			}
		})
	}
	wg.Wait()
}
