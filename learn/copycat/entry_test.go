package copycat_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/eval/copycat/mill"
	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/learn/copycat"
)

// entries are what a brand's campaigns taught.
func entries(t testing.TB) (*mill.Mail, []*copycat.Entry) {
	w := newWorld(t)
	brand := mill.Brands(24)[1]
	var out []*copycat.Entry
	for n := range 4 {
		for to := range uint64(4) {
			if e := w.arrive(mill.Ways[0].Send(mill.Campaign(brand, n), to), string('a'+rune(to))); e != nil {
				out = append(out, e)
			}
		}
	}
	return mill.Campaign(brand, 1), out
}

// TestFleet: nodes that get each other's entries in any order, and twice, find the
// same copies.
func TestFleet(t *testing.T) {
	g, all := entries(t)
	if len(all) < 12 {
		t.Fatalf("%d entries", len(all))
	}
	attack := mill.Attack(g, noise(t, "nothing else"), 2)
	var first copycat.Finding
	for seed := range uint64(5) {
		w := newWorld(t)
		r := rand.New(rand.NewPCG(seed, 1))
		for range 2 {
			r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, e := range all {
				b, err := e.MarshalBinary()
				var back copycat.Entry
				if err != nil || len(b) > 1500 || back.UnmarshalBinary(b) != nil {
					t.Fatal(len(b), err)
				}
				if diff := cmp.Diff(*e, back); diff != "" {
					t.Fatal(diff)
				}
				w.mem.Apply(&back)
			}
		}
		for _, e := range all {
			if w.mem.Apply(e) {
				t.Errorf("%d: something new the third time", seed)
			}
		}
		f := w.look(attack)
		if seed == 0 {
			first = f
		}
		if f.Verdict != copycat.Copy || f.Twin != first.Twin {
			t.Errorf("%d: %+v, first %+v", seed, f, first)
		}
	}
}

func TestSnapshot(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	g := w.campaigns(1)
	attack := mill.Attack(g, noise(t, "nothing else"), 2)
	want := w.look(attack)
	fsys := durable.NewMem()
	if err := w.mem.Save(ctx, fsys, "copycats"); err != nil {
		t.Fatal(err)
	}
	other := newWorld(t)
	if err := other.mem.Load(fsys, "missing"); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := other.mem.Load(fsys, "copycats"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Twin, other.look(attack).Twin); diff != "" || other.mem.Stats() != w.mem.Stats() {
		t.Errorf("%s\n%+v, want %+v", diff, other.mem.Stats(), w.mem.Stats())
	}
	r, err := fsys.Open("copycats")
	if err != nil {
		t.Fatal(err)
	}
	whole, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	load := func(b []byte) error {
		if err := durable.WriteFile(fsys, "other", b); err != nil {
			t.Fatal(err)
		}
		err := other.mem.Load(fsys, "other")
		if err != nil && other.mem.Stats().Campaigns != 0 {
			t.Error("something is left of a bad snapshot")
		}
		return err
	}
	for n := 0; n < len(whole); n += 97 {
		if err := load(whole[:n]); !errors.Is(err, copycat.ErrDamaged) {
			t.Fatalf("%d octets: %v", n, err)
		}
		bad := bytes.Clone(whole)
		bad[n] ^= 0x40
		if err := load(bad); !errors.Is(err, copycat.ErrDamaged) && !errors.Is(err, copycat.ErrOther) {
			t.Fatalf("octet %d: %v", n, err)
		}
	}
	small := copycat.New(copycat.Config{Prints: w.prints, Campaigns: 500})
	if err := small.Load(fsys, "copycats"); !errors.Is(err, copycat.ErrOther) {
		t.Errorf("another size: %v", err)
	}
}

func FuzzEntry(f *testing.F) {
	_, all := entries(f)
	for _, e := range all[:3] {
		b, err := e.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	prints := campaign.New(campaign.Config{Fingerprints: 1000, Key: 3})
	m := copycat.New(copycat.Config{Prints: prints, Campaigns: 200})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again copycat.Entry
		if e.UnmarshalBinary(b) != nil {
			return
		}
		m.Apply(&e)
		back, err := e.MarshalBinary()
		if err != nil || again.UnmarshalBinary(back) != nil || !cmp.Equal(e, again) {
			t.Fatalf("%+v, then %+v, %v", e, again, err)
		}
	})
}

func FuzzPrint(f *testing.F) {
	w := newWorld(f)
	g := w.campaigns(1)
	for i := range mill.Noises {
		f.Add(mill.Attack(g, &mill.Noises[i], 1).Raw)
	}
	for i := range mill.Ways {
		f.Add(mill.Ways[i].Send(g, 1).Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := mill.Sample{Raw: raw, Domain: "example.org", History: true}
		found := w.look(s)
		p := w.print(raw)
		if again := w.mem.Look(p, w.sighting(&s, "someone@example.net")); !cmp.Equal(found, again, cmp.AllowUnexported(copycat.Call{})) {
			t.Fatalf("%+v, then %+v", found, again)
		}
	})
}
