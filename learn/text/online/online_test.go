package online

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sluice/learn/text"
	"sluice/message"
)

// mail makes up a message: words of its class among words of both, drawn by r.
func mail(r *rand.Rand, spam bool, words int) *message.Message {
	own, name := []string{"meeting", "minutes", "patch", "review", "agenda", "invoice", "compile", "thanks"}, "colleague"
	if spam {
		own, name = []string{"viagra", "winner", "casino", "prize", "pills", "cheap", "offer", "click"}, "winner"
	}
	return write(name, prose(r, own, words))
}

func prose(r *rand.Rand, own []string, words int) string {
	both := []string{"the", "and", "you", "with", "today", "please", "we", "have", "for", "this"}
	var b strings.Builder
	for range words {
		w := both[r.IntN(len(both))]
		if r.IntN(3) == 0 {
			w = own[r.IntN(len(own))]
		}
		b.WriteString(w)
		b.WriteByte(' ')
		if r.IntN(10) == 0 {
			b.WriteString("\r\n")
		}
	}
	return b.String()
}

func write(name, body string) *message.Message {
	return message.Parse([]byte("From: "+name+"@example.com\r\nSubject: hello\r\n\r\n"+body+"\r\n"), message.DefaultLimits())
}

// labels are n labels, a tenth of them wrong.
func labels(seed uint64, n int) []Label { return teach(seed, n, 0.1) }

func teach(seed uint64, n int, noise float64) []Label {
	r := rand.New(rand.NewPCG(seed, 0))
	var out []Label
	for i := range n {
		spam := r.IntN(2) == 0
		out = append(out, Label{Features: Extract(mail(r, spam, 40)), Spam: spam != (r.Float64() < noise), Trusted: r.IntN(3) == 0,
			To: Recipient{Domain: "example.org", User: fmt.Sprintf("u%d@example.org", i%7)}})
	}
	return out
}

func saved(t *testing.T, s *State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The same labels in the same order give the same state, bit for bit; with or
// without snapshots, saving and loading between; another order doesn't.
func TestReplay(t *testing.T) {
	all := labels(1, 900) // more than the window
	one, two := NewState(), NewState()
	for i, l := range all {
		one.Learn(l)
		two.Learn(l)
		switch {
		case i == 600:
			var err error
			if two, err = Load(bytes.NewReader(saved(t, two))); err != nil {
				t.Fatal(err)
			}
		case i%100 == 0:
			two.Model()
		}
	}
	if !bytes.Equal(saved(t, one), saved(t, two)) {
		t.Error("the same labels give another state")
	}
	other := NewState()
	for i := range all {
		other.Learn(all[len(all)-1-i])
	}
	if bytes.Equal(saved(t, one), saved(t, other)) {
		t.Error("the order doesn't count: the comparison is blind")
	}
}

// What a state, its snapshot and its file say is the same; and a snapshot stays.
func TestSnapshot(t *testing.T) {
	s := NewState()
	for _, l := range labels(2, 200) {
		s.Learn(l)
	}
	r := rand.New(rand.NewPCG(3, 0))
	long := Extract(mail(r, true, 500))
	to := Recipient{Domain: "example.org"}
	want := s.Score(long, to)
	m := s.Model()
	if got := m.Score(long, to); got != want {
		t.Errorf("the snapshot says %+v, the state %+v", got, want)
	}
	if want.P < 0.9 || want.DB < 6 || want.Coverage < 0.5 {
		t.Errorf("plain spam reads %+v", want)
	}
	for _, l := range labels(4, 100) {
		l.Spam = !l.Spam
		s.Learn(l)
	}
	if got := m.Score(long, to); got != want {
		t.Error("a snapshot has changed")
	}
	if got := s.Score(long, to); got == want {
		t.Error("the state has learned nothing")
	}
}

func TestSlotSize(t *testing.T) {
	// 16 octets a slot, 32 MB a table: the state's and the newest snapshot's.
	if n := len(newTable().slots) * 16; n > 32<<20 {
		t.Errorf("the table has %d octets", n)
	}
}

// Good words before and behind don't hide bad ones.
func TestSegments(t *testing.T) {
	s := NewState()
	for _, l := range teach(5, 3000, 0) {
		l.Trusted = true
		s.Learn(l)
	}
	r := rand.New(rand.NewPCG(6, 0))
	good := []string{"meeting", "minutes", "patch", "review", "agenda", "invoice", "compile", "thanks"}
	bad := []string{"viagra", "winner", "casino", "prize", "pills", "cheap", "offer", "click"}
	padded := write("someone", prose(r, good, 600)+prose(r, bad, 200)+prose(r, good, 600))
	got := s.Score(Extract(padded), Recipient{})
	if got.Block < 10 || got.Block > 14 || got.Margin <= got.Whole {
		t.Errorf("the worst part is at block %d of margin %.2f, the whole reads %.2f", got.Block, got.Margin, got.Whole)
	}
	if got := s.Score(Extract(write("someone", prose(r, good, 1400))), Recipient{}); got.P > 0.1 {
		t.Errorf("good words alone read %+v", got)
	}
}

// A tenth of the labels wrong: the slow weights hold.
func TestNoise(t *testing.T) {
	s := NewState()
	for _, l := range labels(7, 600) { // a tenth is wrong
		l.Trusted = false
		s.Learn(l)
	}
	r := rand.New(rand.NewPCG(8, 0))
	wrong := 0
	for i := range 200 {
		if spam := i%2 == 0; s.Score(Extract(mail(r, spam, 40)), Recipient{}).P > 0.5 != spam {
			wrong++
		}
	}
	if wrong > 4 {
		t.Errorf("%d of 200 are wrong", wrong)
	}
}

// Names that come once never push out one that stays.
func TestBiasFlood(t *testing.T) {
	var b biases
	known := Recipient{User: "known@example.org"}
	for range 200 {
		b.learn(known, 0.5, true)
	}
	before := b.of(known)
	for i := range 20000 {
		b.learn(Recipient{User: fmt.Sprintf("x%d@example.org", i)}, 0.5, false)
		if i%100 == 0 {
			b.learn(known, 0.5, true)
		}
	}
	if after := b.of(known); before <= 0 || after < before {
		t.Errorf("the bias went from %.2f to %.2f", before, after)
	}
	if v := b.of(known); v > biasLimit {
		t.Errorf("bias %.2f is over its bound", v)
	}
}

// The line follows what margins mean, and forgets when that turns over.
func TestPlattDrift(t *testing.T) {
	p := newPlatt()
	r := rand.New(rand.NewPCG(9, 0))
	feed := func(n int, slope float64) (loss float64) {
		for range n {
			m := r.NormFloat64()
			spam := r.Float64() < logistic(slope*m)
			odds := p.odds(m)
			if !spam {
				odds = -odds
			}
			loss += math.Log1p(math.Exp(-odds)) / float64(n)
			p.see(m, spam)
		}
		return loss
	}
	feed(2000, 6)
	if p.a < 5 || p.a > 7 || math.Abs(p.b) > 0.6 || p.resets != 0 {
		t.Errorf("the line is %.2f, %.2f after %d resets", p.a, p.b, p.resets)
	}
	feed(300, -6)
	if p.resets == 0 {
		t.Error("drift was not noticed")
	}
	if loss := feed(300, -6); loss > 1 {
		t.Errorf("the loss after drift is %.2f", loss)
	}
}

func TestTop(t *testing.T) {
	s := NewState()
	for _, l := range teach(10, 600, 0) {
		s.Learn(l)
	}
	sum := map[string]float64{}
	for _, w := range s.Model().Top(write("someone", "Please have the ca\u200bsino and the agenda today"), 10) {
		sum[w.Word] = w.DB
	}
	if sum["casino"] <= 0 || sum["agenda"] >= 0 || sum["casino"] <= sum["today"] {
		t.Errorf("top words are %v", sum)
	}
	if got := s.Model().Top(write("someone", "casino"), 0); len(got) != 0 {
		t.Errorf("none are asked for, %v come", got)
	}
}

// The shipped reading stands until labels of both kinds have come, and goes then.
func TestOver(t *testing.T) {
	c := text.Calibration{Floor: -6, Ceiling: 24}
	base, here := text.Score{DB: 10}, Outcome{DB: -20}
	s := NewState()
	if got := s.Model().Over(base, c, here); got != base.DB {
		t.Errorf("without labels it is %.2f", got)
	}
	last := base.DB
	for _, n := range []int{20, 200, 2000} {
		for _, l := range labels(uint64(n), n) {
			s.Learn(l)
		}
		got := s.Model().Over(base, c, here)
		if got >= last || got < c.Floor {
			t.Errorf("with %d more labels it went from %.2f to %.2f", n, last, got)
		}
		last = got
	}
	if last != c.Floor {
		t.Errorf("in the end it is %.2f", last)
	}
	if got := s.Model().Over(text.Score{DB: 20}, c, Outcome{}); math.Abs(got-20*baseLeast) > 1e-9 {
		t.Errorf("where the site has no opinion the shipped model counts %.2f", got)
	}
}

func TestLearner(t *testing.T) {
	defer goleak.VerifyNone(t)
	all := labels(11, 300)
	want := NewState()
	l := New(Config{Publish: 16})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // a reader beside
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				l.Model().Score(all[0].Features, Recipient{})
			}
		}
	}()
	for _, x := range all {
		want.Learn(x)
		if err := l.Learn(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := l.Model().Score(all[5].Features, Recipient{}), want.Score(all[5].Features, Recipient{}); got != want {
		t.Errorf("the learner says %+v, the state %+v", got, want)
	}
	var b bytes.Buffer
	if err := l.Do(t.Context(), func(s *State) error { return s.Write(&b) }); err != nil || !bytes.Equal(b.Bytes(), saved(t, want)) {
		t.Errorf("the learner's file differs (%v)", err)
	}
	close(stop)
	<-stopped
	l.Close()
	l.Close()
	if err := l.Learn(t.Context(), all[0]); err != ErrClosed {
		t.Errorf("a closed learner says %v", err)
	}
}

func TestLoadStrict(t *testing.T) {
	s := NewState()
	for _, l := range labels(12, 20) {
		s.Learn(l)
	}
	good := saved(t, s)
	for name, bad := range map[string][]byte{
		"empty": nil, "cut": good[:len(good)-1], "turned": append(append([]byte(nil), good[:100]...), append([]byte{good[100] ^ 1}, good[101:]...)...),
	} {
		if _, err := Load(bytes.NewReader(bad)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{"Subject: x\r\n\r\nhello", "\r\n", "A: b\r\nContent-Type: text/html\r\n\r\n<b hidden>x</b><img alt=y><a href=http://a.b/>", "Received: \xff\r\n\r\n" + strings.Repeat("a b ", 400)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := message.Parse(b, message.DefaultLimits())
		x := Extract(m)
		for _, i := range x.index {
			if i >= tableSize {
				t.Fatal("a slot is out of range")
			}
		}
		norm, start := 0.0, int32(0)
		for v, end := range x.ends {
			norm += float64(x.norm[v]) * float64(x.norm[v]) * float64(end-start)
			start = end
		}
		if len(x.index) > 0 && math.Abs(norm-1) > 1e-3 {
			t.Fatalf("the length is %v", norm)
		}
	})
}

// A word that looks like a known one is that word, whether some or all of its
// letters are of another script; and it can be learned as it was written.
func TestLookalikes(t *testing.T) {
	s := NewState()
	for _, l := range teach(15, 600, 0) {
		s.Learn(l)
	}
	slots := func(body string) map[uint32]bool {
		out := map[uint32]bool{}
		f := Extract(write("someone", body))
		for _, i := range f.index[f.ends[viewWords-1]:f.ends[viewWords]] {
			out[i] = true
		}
		return out
	}
	plain := slots("copax")
	for _, disguised := range []string{"сорах", "cop\u0430x"} {
		got := slots(disguised)
		both := 0
		for i := range plain {
			if got[i] {
				both++
			}
		}
		if both != len(plain) || len(got) == len(plain) {
			t.Errorf("%q has %d of %d features, %d in all", disguised, both, len(plain), len(got))
		}
	}
	html := message.Parse([]byte("Content-Type: text/html\r\n\r\n<p>&#118;iagra v i a g r a ca\u200bsino</p>"), message.DefaultLimits())
	if got, want := Effort(html, nil), (text.Effort{Invisible: 1, Apart: 1, Entities: 1, Spelled: 1}); got != want {
		t.Errorf("the effort is %+v, want %+v", got, want)
	}
}

func TestSortSlots(t *testing.T) {
	r := rand.New(rand.NewPCG(16, 0))
	for _, n := range []int{0, 1, 511, 512, 513, 5000} {
		slots, keys := make([]uint32, n), make([]uint64, n)
		for k := range slots {
			slots[k] = r.Uint32N(tableSize)
			keys[k] = uint64(slots[k])<<32 | uint64(k)
		}
		sortSlots(slots, 0)
		sortSlots(keys, 32)
		if !slices.IsSorted(slots) || !slices.IsSorted(keys) {
			t.Errorf("%d are not in order", n)
		}
	}
}
