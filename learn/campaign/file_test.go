package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"sluice/internal/durable"
	"sluice/learn/campaign"
	"sluice/message"
)

// filled is a memory with a wanted campaign, a reported one, and some more.
func filled(t testing.TB) (*campaign.Memory, time.Time) {
	t.Helper()
	m := memory()
	later := send(m)
	m.Label(m.Print(mail("ann@example.net", phish("Ann", 1))), campaign.Label{Time: later, Bad: true, Trust: 1, By: "trap"})
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 50 {
		m.Observe(random(r), sighting(i, later))
	}
	return m, later
}

func saved(t testing.TB, m *campaign.Memory) (*durable.Mem, []byte) {
	t.Helper()
	disk := durable.NewMem()
	if err := disk.MkdirAll("state"); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(context.Background(), disk, "state/campaigns"); err != nil {
		t.Fatal(err)
	}
	f, err := disk.Open("state/campaigns")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return disk, b
}

// load reads a snapshot of these octets into a new memory.
func load(t testing.TB, b []byte, cfg campaign.Config) (*campaign.Memory, error) {
	t.Helper()
	disk := durable.NewMem()
	if err := durable.WriteFile(disk, "campaigns", b); err != nil {
		t.Fatal(err)
	}
	m := campaign.New(cfg)
	return m, m.Load(disk, "campaigns", start)
}

var small = campaign.Config{Fingerprints: 10_000, Key: 7}

func TestSnapshot(t *testing.T) {
	m, later := filled(t)
	_, b := saved(t, m)
	got, err := load(t, b, small)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := m.Stats(), got.Stats(); a != b {
		t.Errorf("saved %+v, loaded %+v", a, b)
	}
	for _, msg := range []*message.Message{genuine(), copied(), mail("bob@example.net", phish("Bob", 2))} {
		for _, s := range []campaign.Sighting{owner(1, later), sighting(1, later)} {
			if a, b := fmt.Sprint(m.Look(m.Print(msg), s)), fmt.Sprint(got.Look(got.Print(msg), s)); a != b {
				t.Errorf("before %s\nafter  %s", a, b)
			}
		}
	}
	// What is loaded goes on to learn.
	got.Observe(got.Print(genuine()), owner(33, later))
	if k := look(t, got, genuine(), owner(1, later)); k.Messages != 21 {
		t.Errorf("%v messages, want 21", k.Messages)
	}
	// The same memory writes the same octets, but for the order of the wanted.
	if _, again := saved(t, m); len(again) != len(b) {
		t.Errorf("%d octets, then %d", len(b), len(again))
	}
}

func TestSnapshotMissing(t *testing.T) {
	m := campaign.New(small)
	if err := m.Load(durable.NewMem(), "campaigns", start); err != nil {
		t.Error(err)
	}
}

// A changed octet, wherever, and a file cut short, wherever, leave an empty memory and
// an error.
func TestSnapshotDamage(t *testing.T) {
	m, _ := filled(t)
	_, whole := saved(t, m)
	check := func(what string, b []byte) {
		got, err := load(t, b, small)
		if !errors.Is(err, campaign.ErrDamaged) && !errors.Is(err, campaign.ErrOther) {
			t.Errorf("%s: %v", what, err)
		}
		if st := got.Stats(); st != (campaign.Stats{}) {
			t.Errorf("%s: %+v is left", what, st)
		}
	}
	step := max(1, len(whole)/300)
	for at := 0; at < len(whole); at += step {
		b := append([]byte(nil), whole...)
		b[at] ^= 0x10
		check(fmt.Sprint("octet ", at, " changed"), b)
		check(fmt.Sprint("cut at ", at), whole[:at])
	}
	check("cut by one", whole[:len(whole)-1])
}

func TestSnapshotOfOther(t *testing.T) {
	m, _ := filled(t)
	_, b := saved(t, m)
	for _, cfg := range []campaign.Config{{Fingerprints: 10_000, Key: 8}, {Fingerprints: 20_000, Key: 7}, {Fingerprints: 10_000, Clusters: 99, Key: 7}} {
		if _, err := load(t, b, cfg); !errors.Is(err, campaign.ErrOther) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// A save that is broken off leaves the snapshot before.
func TestSnapshotBrokenOff(t *testing.T) {
	m, later := filled(t)
	disk, before := saved(t, m)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Observe(m.Print(mail("ann@example.net", "A text of its own about boats and sails and the harbour that we have seen from the hill last week.")), sighting(1, later))
	if err := m.Save(ctx, disk, "state/campaigns"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	f, err := disk.Open("state/campaigns")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Size() != int64(len(before)) {
		t.Errorf("%d octets, want the %d of before", f.Size(), len(before))
	}
	if left, _ := disk.List("state"); len(left) != 1 {
		t.Errorf("%v", left)
	}
}

// FuzzLoad reads any file: no panic, and a memory that works.
func FuzzLoad(f *testing.F) {
	m, _ := filled(f)
	_, whole := saved(f, m)
	f.Add(whole)
	f.Add(whole[:100])
	f.Add([]byte("sluice campaigns 1\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := load(t, b, small)
		if err != nil && m.Stats() != (campaign.Stats{}) {
			t.Errorf("%v, and %+v is left", err, m.Stats())
		}
		p := m.Print(genuine())
		m.Observe(p, owner(1, start))
		m.Look(p, owner(2, start))
	})
}

// FuzzPrint reads any message and any stored print: no panic, bounded, and each is
// found again.
func FuzzPrint(f *testing.F) {
	f.Add([]byte("From: a@example.org\r\nContent-Type: text/html\r\n\r\n<p>hello"))
	f.Add([]byte("To: =?utf-8?q?=C3=84nn?= <ann@example.net>\r\n\r\nDear Ann\r\n-- \r\nx\r\n\r\nOn Monday Bob\r\nwrote:\r\n> y"))
	f.Add([]byte("\r\n" + phish("Ann", 1)))
	f.Add([]byte("Content-Type: text/html\r\n\r\n" + letter))
	f.Add([]byte("\r\n漢字仮名交じり文の長い文章がここにありますので三文字ずつ"))
	p, err := memory().Print(copied()).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := memory()
		p := m.Print(message.Parse(b, message.DefaultLimits()))
		m.Observe(p, sighting(1, start))
		if k := m.Look(p, sighting(2, start)); len(k) == 0 && !p.Empty() && (p.Text.N > 0 || len(p.Files) > 0) {
			t.Errorf("%+v isn't found again", p)
		}
		stored, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var again campaign.Print
		if err := again.UnmarshalBinary(stored); err != nil {
			t.Errorf("%v: %+v", err, p)
		}
		if again.UnmarshalBinary(b) == nil {
			m.Observe(&again, sighting(1, start))
			m.Label(&again, campaign.Label{Time: start, Bad: true, Trust: 1})
		}
	})
}
