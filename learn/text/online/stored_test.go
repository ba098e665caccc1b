package online

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// stored writes and reads features.
func stored(t testing.TB, f *Features) *Features {
	t.Helper()
	b, err := f.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	g := new(Features)
	if err := g.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return g
}

// Stored features teach the same, bit for bit, as fresh ones: those of long texts
// too, whose parts count in the calibration.
func TestStored(t *testing.T) {
	r := rand.New(rand.NewPCG(30, 0))
	fresh, again := NewState(), NewState()
	for i := range 700 {
		n := 40
		if i%10 == 0 {
			n = 100 + r.IntN(1000)
		}
		l := Label{Features: Extract(mail(r, i%2 == 0, n)), Spam: i%2 == 0, Trusted: i%3 == 0}
		fresh.Learn(l)
		l.Features = stored(t, l.Features)
		again.Learn(l)
	}
	if !bytes.Equal(saved(t, fresh), saved(t, again)) {
		t.Error("stored features teach another state")
	}
	f := Extract(mail(r, true, 500))
	if diff := cmp.Diff(f.Sorted(), stored(t, f), cmp.AllowUnexported(Features{})); diff != "" || len(f.blocks) < 3 {
		t.Errorf("%d blocks: %s", len(f.blocks), diff)
	}
	b, _ := f.MarshalBinary()
	t.Logf("%d features, %d by part: %d octets", len(f.index), len(f.parts), len(b))
	if len(b) > 2*len(f.index)+2*len(f.parts)+64 {
		t.Errorf("%d octets for %d features", len(b), len(f.index))
	}
}

func TestStoredStrict(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 0))
	good, _ := Extract(mail(r, true, 300)).MarshalBinary()
	other := append([]byte{Extractor + 1}, good[1:]...)
	if err := new(Features).UnmarshalBinary(other); !errors.Is(err, ErrExtractor) {
		t.Errorf("another extractor: %v", err)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
		"long form": append([]byte{Extractor | 0x80, 0}, good[1:]...), "huge": make([]byte, MaxStored+1),
	} {
		if err := new(Features).UnmarshalBinary(bad); err == nil || errors.Is(err, ErrExtractor) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzStored: what is read is written the same, and can be learned.
func FuzzStored(f *testing.F) {
	r := rand.New(rand.NewPCG(32, 0))
	for _, n := range []int{0, 3, 400} {
		b, err := Extract(mail(r, true, n)).MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	s := NewState()
	f.Fuzz(func(t *testing.T, b []byte) {
		var x Features
		if x.UnmarshalBinary(b) != nil {
			return
		}
		again, err := x.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x was read, %x is written (%v)", b, again, err)
		}
		s.Learn(Label{Features: &x, Spam: len(b)%2 == 0})
	})
}

// A wrong label is learned and taken back, out of the window and inside of it:
// that message and those like it read again as they did, others as ever.
func TestUnlearn(t *testing.T) {
	for name, later := range map[string]int{"in the window": 20, "older": 2 * window} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(33, 0))
			text := prose(r, []string{"lottery", "agenda", "quarterly", "figures", "board"}, 80)
			wrong := Label{Features: Extract(write("chair", text)), Spam: true, Trusted: true}
			near := Extract(write("chair", text+" and two more sentences about the board"))
			others := labels(34, 50)
			read := func(s *State, f *Features) float64 { return s.Score(f, Recipient{}).Whole }

			// What would be without the label, and with it.
			without, with := NewState(), NewState()
			all := teach(35, 300+later, 0.02)
			for i, l := range all {
				if i == 300 {
					with.Learn(wrong)
				}
				without.Learn(l)
				with.Learn(l)
			}
			learned := []float64{read(with, wrong.Features), read(with, near)}
			apart := make([]float64, len(others))
			for i, l := range others {
				apart[i] = read(with, l.Features)
			}
			with.Unlearn(wrong)
			for i, f := range []*Features{wrong.Features, near} {
				before, now := read(without, f), read(with, f)
				if back := (learned[i] - now) / (learned[i] - before); learned[i]-before < 0.2 || back < 0.7 || back > 1.3 {
					t.Errorf("message %d read %.2f, with the label %.2f, without it again %.2f", i, before, learned[i], now)
				}
			}
			for i, l := range others {
				if now := read(with, l.Features); max(now-apart[i], apart[i]-now) > 0.15 {
					t.Errorf("another message went from %.2f to %.2f", apart[i], now)
				}
			}
			h, s := with.Labels()
			if wh, ws := without.Labels(); h != wh || s != ws {
				t.Errorf("%d and %d labels, not %d and %d", h, s, wh, ws)
			}
		})
	}
}

// A state takes the place of another between two labels.
func TestReplace(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := New(Config{})
	all := labels(36, 60)
	for _, x := range all[:30] {
		if err := l.Learn(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	other := NewState()
	for _, x := range all[:10] {
		other.Learn(x)
	}
	want := other.Score(all[40].Features, Recipient{})
	if err := l.Replace(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := l.Model().Score(all[40].Features, Recipient{}); got != want {
		t.Errorf("after it %+v, want %+v", got, want)
	}
	if err := l.Learn(t.Context(), all[50]); err != nil {
		t.Fatal(err)
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h, s := l.Model().Labels(); h+s != 11 {
		t.Errorf("%d labels are known, not 11", h+s)
	}
	l.Close()
	if err := l.Replace(t.Context(), NewState()); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed learner says %v", err)
	}
}
