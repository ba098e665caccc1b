package golden

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
	"sluice/message"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

var memo = campaign.New(campaign.Config{Fingerprints: 2000})

func offering(id int, from string) Offering {
	var text bytes.Buffer
	rnd := rand.New(rand.NewPCG(uint64(id), 7))
	for range 60 {
		fmt.Fprintf(&text, "word%c%c ", 'a'+rnd.IntN(26), 'a'+rnd.IntN(26))
	}
	msg := message.Parse(fmt.Appendf(nil, "From: a@%s\r\nSubject: %d\r\n\r\n%s\r\n", from, id, text.Bytes()), message.Limits{})
	return Offering{ID: fmt.Sprint(id), From: from, Features: online.Extract(msg), Print: memo.Print(msg), Time: noon}
}

func keys(s *Set) string {
	var out string
	for _, p := range s.piles {
		for _, m := range p.all {
			out += fmt.Sprintf("%x ", m.key[:2])
		}
		out += "| "
	}
	return out
}

// TestSample: what is kept hangs on what was offered alone, not on the order, and no
// domain has more than its share.
func TestSample(t *testing.T) {
	cfg := Config{Wanted: 20, Spam: 5, PerDomain: 4}
	var offers []Offering
	for i := range 120 {
		o := offering(i, []string{"news.example", "news.example", fmt.Sprintf("d%d.example", i)}[i%3])
		o.Spam = i%10 == 9
		offers = append(offers, o)
	}
	var first string
	for seed := range 5 {
		s := New(cfg)
		for _, i := range rand.New(rand.NewPCG(uint64(seed), 1)).Perm(len(offers)) {
			s.Offer(offers[i])
			s.Offer(offers[i]) // twice is once
		}
		wanted, spam := s.Len()
		if wanted != 20 || spam != 5 || len(s.Features(false, noon)) != 20 {
			t.Fatalf("%d wanted, %d spam", wanted, spam)
		}
		news := 0
		for _, m := range s.piles[0].all {
			if m.from == "news.example" {
				news++
			}
		}
		if news > 4 || news == 0 {
			t.Errorf("%d of one domain", news)
		}
		if got := keys(s); first == "" {
			first = got
		} else if got != first {
			t.Errorf("another sample in another order:\n%s\n%s", got, first)
		}
	}
}

func TestAgeAndDrop(t *testing.T) {
	s := New(Config{Age: 10 * 24 * time.Hour})
	old := offering(1, "a.example")
	old.Time = noon.Add(-11 * 24 * time.Hour)
	s.Offer(old)
	s.Offer(offering(2, "a.example"))
	s.Offer(offering(3, "b.example"))
	s.Offer(Offering{ID: "4", Features: new(online.Features)}) // nothing in it
	if n := len(s.Features(false, noon)); n != 2 {
		t.Errorf("%d left, want 2", n)
	}
	said := offering(2, "c.example") // the same text
	if n := s.Drop(said.Print, nil, false); n != 0 {
		t.Errorf("%d dropped by a label that agrees", n)
	}
	if n := s.Drop(said.Print, nil, true); n != 1 {
		t.Errorf("%d dropped, want 1", n)
	}
	f, err := offering(3, "b.example").Features.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Drop(nil, f, true); n != 1 {
		t.Errorf("%d dropped by features, want 1", n)
	}
}

func TestFile(t *testing.T) {
	disk := durable.NewMem()
	s := New(Config{})
	for i := range 30 {
		o := offering(i, fmt.Sprintf("d%d.example", i%7))
		if o.Spam = i%5 == 0; i%6 == 0 {
			o.Print = nil
		}
		s.Offer(o)
	}
	if err := s.Load(disk, "golden"); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := s.Save(disk, "golden", noon); err != nil {
		t.Fatal(err)
	}
	again := New(Config{})
	if err := again.Load(disk, "golden"); err != nil {
		t.Fatal(err)
	}
	if keys(again) != keys(s) {
		t.Error("another sample after a restart")
	}
	if !bytes.Equal(encode(again.piles[0].all, again.piles[1].all), encode(s.piles[0].all, s.piles[1].all)) {
		t.Error("another file after a restart")
	}
	// Not again within the hour, nor when nothing changed.
	s.Offer(offering(99, "x.example"))
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{time.Minute, 30}, {2 * time.Hour, 31}} {
		if err := s.Save(disk, "golden", noon.Add(tt.after)); err != nil {
			t.Fatal(err)
		}
		last := New(Config{})
		if err := last.Load(disk, "golden"); err != nil {
			t.Fatal(err)
		}
		if a, b := last.Len(); a+b != tt.want {
			t.Errorf("after %v: %d in the file, want %d", tt.after, a+b, tt.want)
		}
	}
}

// TestDamaged: no octet can be changed, none cut off or added.
func TestDamaged(t *testing.T) {
	s := New(Config{})
	for i := range 3 {
		s.Offer(offering(i, "a.example"))
	}
	b := encode(s.piles[0].all, s.piles[1].all)
	if _, err := decode(b); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(b); i += 7 {
		c := slices.Clone(b)
		c[i] ^= 4
		if _, err := decode(c); err == nil {
			t.Errorf("octet %d changed: taken", i)
		}
	}
	for _, bad := range [][]byte{nil, b[:len(b)-1], append(slices.Clone(b), 0)} {
		if _, err := decode(bad); err == nil {
			t.Errorf("%d octets: taken", len(bad))
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := New(Config{})
	s.Offer(offering(1, "a.example"))
	f.Add(encode(s.piles[0].all, nil)[:2000])
	f.Add(encode(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Under a right mark and checksum, so that what lies behind is reached.
		body := append([]byte(fileMark), b...)
		if len(b) > len(fileMark) && string(b[:len(fileMark)]) == fileMark {
			body = b
		}
		piles, err := decode(sealed(body))
		if err != nil {
			return
		}
		if again, err := decode(encode(piles[0], piles[1])); err != nil || len(again[0]) != len(piles[0]) || len(again[1]) != len(piles[1]) {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
