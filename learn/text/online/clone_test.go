package online

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestClone: a clone goes on as the state would, and neither feels the other.
func TestClone(t *testing.T) {
	r := rand.New(rand.NewPCG(40, 0))
	learn := func(n int, states ...*State) {
		for i := range n {
			l := Label{Features: Extract(mail(r, i%2 == 0, 60)), Spam: i%2 == 0, Trusted: i%3 == 0, To: Recipient{Domain: "example.com"}}
			for _, s := range states {
				s.Learn(l)
			}
		}
	}
	s := NewState()
	learn(600, s)
	before := saved(t, s)
	c := s.Clone()
	if !bytes.Equal(saved(t, c), before) {
		t.Fatal("a clone differs")
	}
	twin, err := Load(bytes.NewReader(before))
	if err != nil {
		t.Fatal(err)
	}
	learn(50, c)
	if !bytes.Equal(saved(t, s), before) {
		t.Error("what the clone learned changed the state")
	}
	other := s.Clone()
	learn(50, s, other, twin)
	if want := saved(t, twin); !bytes.Equal(saved(t, s), want) || !bytes.Equal(saved(t, other), want) {
		t.Error("a clone goes on otherwise")
	}
	f := Extract(mail(r, true, 60))
	if a, b := s.Model().Score(f, Recipient{}), other.Model().Score(f, Recipient{}); a != b {
		t.Errorf("%+v, %+v", a, b)
	}
}

func BenchmarkClone(b *testing.B) {
	r := rand.New(rand.NewPCG(41, 0))
	s := NewState()
	for i := range 600 {
		s.Learn(Label{Features: Extract(mail(r, i%2 == 0, 60)), Spam: i%2 == 0})
	}
	for b.Loop() {
		s.Clone()
	}
}
