package campaign

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const someDay = uint32(1_770_000_000)

// has says whether a bucket of a table of one bucket holds a cluster.
func (x *index) has(r ref) bool {
	for _, c := range x.buckets[0].cluster {
		if c == r {
			return true
		}
	}
	return false
}

func TestBucket(t *testing.T) {
	x := newIndex(ways, 120*day)
	now := someDay
	for id := 1; id <= 7; id++ {
		x.put(uint64(id), makeRef(id, 1), &[2]uint64{}, judged, now+uint32(id)*tick, true)
	}
	now += 100 * tick
	for id := 100; id < 200; id++ {
		x.put(uint64(id), makeRef(id, 1), &[2]uint64{}, id%2, now, true)
		if !x.has(makeRef(id, 1)) {
			t.Fatalf("%d found no place", id)
		}
	}
	for id := 1; id <= 7; id++ {
		if !x.has(makeRef(id, 1)) {
			t.Errorf("the flood pushed out %d", id)
		}
	}
	x.put(300, makeRef(300, 1), &[2]uint64{}, judged, now, true)
	if !x.has(makeRef(300, 1)) || x.has(makeRef(1, 1)) || !x.has(makeRef(2, 1)) || !x.has(makeRef(199, 1)) {
		t.Errorf("an eighth judged one: want it in place of the oldest: %v", x.buckets[0].cluster)
	}
	x.put(400, makeRef(400, 1), &[2]uint64{}, once, now, false)
	if x.has(makeRef(400, 1)) {
		t.Error("renewed what wasn't there")
	}
	now += uint32(150 * day / time.Second)
	for id := 500; id < 510; id++ {
		x.put(uint64(id), makeRef(id, 1), &[2]uint64{}, often, now, true)
	}
	if x.has(makeRef(2, 1)) || x.has(makeRef(300, 1)) {
		t.Errorf("judged ones that nobody has seen for 150 days are still there: %v", x.buckets[0].cluster)
	}
	if x.used != ways {
		t.Errorf("%d used", x.used)
	}
}

// text makes a Print of words.
func (m *Memory) text(w string) *Print {
	var p Print
	s := shingles{n: 3}
	words(w, nil, func(w []byte) { s.add(m.sketcher.word(w)) })
	p.Text = m.sketcher.sketch(kindText, s.all, leastText)
	return &p
}

// vocabulary returns n words that no other seed gives.
func vocabulary(seed uint64, n int) []string {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]string, n)
	for i := range out {
		for range 8 {
			out[i] += string(rune('a' + r.IntN(26)))
		}
	}
	return out
}

func at(s uint32) Sighting { return Sighting{Time: moment(s)} }

// A memory full of judged clusters refuses new ones and keeps the judged, until they
// are old; a record's next owner isn't taken for the one before.
func TestRecords(t *testing.T) {
	m := New(Config{Fingerprints: 10_000, Clusters: 16})
	now := someDay
	texts := make([]*Print, 17)
	for i := range texts {
		texts[i] = m.text(strings.Join(vocabulary(uint64(i), 60), " "))
		m.Label(texts[i], Label{Time: moment(now), Bad: true, Trust: 1, By: "trap"})
	}
	if st := m.Stats(); st.Clusters != 16 || st.Refused != 1 {
		t.Errorf("%+v", st)
	}
	for i, p := range texts {
		if k := m.Look(p, at(now)); len(k) != 1 != (i == 16) {
			t.Errorf("%d: %+v", i, k)
		}
	}
	now += uint32(500 * day / time.Second)
	for i := range 200 {
		m.Observe(m.text(strings.Join(vocabulary(uint64(1000+i), 60), " ")), at(now))
	}
	for i, p := range texts {
		if k := m.Look(p, at(now)); len(k) > 0 {
			t.Errorf("%d is remembered by a record that has another owner: %+v", i, k)
		}
	}
	if st := m.Stats(); st.Refused != 1 {
		t.Errorf("%+v", st)
	}
}

// An entry that outlived its cluster leads nowhere, even where the generation has come
// round.
func TestStale(t *testing.T) {
	m := New(Config{Fingerprints: 10_000, Clusters: 16})
	p := m.text(strings.Join(vocabulary(1, 60), " "))
	m.Observe(p, at(someDay))
	c := &m.records[1]
	if m.records[1].generation++; len(m.Look(p, at(someDay))) != 0 {
		t.Error("another generation was taken for the cluster")
	}
	c.generation--
	c.first += 2 * tick
	if len(m.Look(p, at(someDay+2*tick))) != 0 {
		t.Error("a younger cluster was taken for it")
	}
	c.first -= 2 * tick
	if len(m.Look(p, at(someDay))) != 1 {
		t.Error("the cluster is lost")
	}
}

// What was owned in a record before isn't the next one's.
func TestOwnerOfBefore(t *testing.T) {
	m := New(Config{Fingerprints: 10_000})
	p := m.text(strings.Join(vocabulary(1, 60), " "))
	s := at(someDay)
	s.Domain, s.History, s.Recipients = "garden.org", true, []string{"a@example.net"}
	for i := range 5 {
		s.Recipients[0] = fmt.Sprint(i, "@example.net")
		m.Observe(p, s)
	}
	m.records[1].first++ // as if another cluster had taken the place
	if k := m.Look(p, s); len(k) != 1 || len(k[0].Twins) != 0 {
		t.Errorf("%+v", k)
	}
	m.Observe(p, s)
	if k := m.Look(p, s); len(k) != 1 || len(k[0].Twins) != 1 || k[0].Twins[0].Messages != 1 {
		t.Errorf("%+v", k)
	}
}

// Copies add no entries; variants do, so that what is like a variant is found.
func TestVariants(t *testing.T) {
	m := New(Config{Fingerprints: 10_000})
	w, other := vocabulary(1, 100), vocabulary(2, 100)
	variant := func(n int) *Print {
		return m.text(strings.Join(append(append([]string{}, other[:n]...), w[n:]...), " "))
	}
	for range 50 {
		m.Observe(variant(0), at(someDay))
	}
	for n := range 4 {
		m.Observe(variant(n), at(someDay))
	}
	if st := m.Stats(); st.Clusters != 1 || st.Fingerprints > bands {
		t.Errorf("copies: %+v", st)
	}
	far := variant(50)
	if k := m.Look(far, at(someDay)); len(k) != 0 {
		t.Fatalf("a text with half of the words: %+v", k)
	}
	m.Observe(variant(25), at(someDay))
	if st := m.Stats(); st.Clusters != 1 || st.Fingerprints <= bands {
		t.Errorf("a variant: %+v", st)
	}
	if k := m.Look(far, at(someDay)); len(k) != 1 || k[0].Messages != 55 {
		t.Errorf("what is like the variant: %+v", k)
	}
}

// A text like two clusters makes one of them, unless one has an owner.
func TestJoin(t *testing.T) {
	for _, owned := range []bool{false, true} {
		m := New(Config{Fingerprints: 10_000})
		w := vocabulary(1, 140)
		// Two texts that share a third, and one that shares more with each.
		a, b, bridge := m.text(strings.Join(w[:90], " ")), m.text(strings.Join(w[40:], " ")), m.text(strings.Join(w[15:120], " "))
		s := at(someDay)
		s.Recipients = []string{"ann@example.net"}
		m.Observe(a, s)
		m.Label(a, Label{Time: s.Time, Bad: true, Trust: 1, By: "trap"})
		s.Time, s.Recipients = s.Time.Add(time.Minute), []string{"bob@example.net"}
		if owned {
			s.Domain, s.History = "garden.org", true
		}
		m.Observe(b, s)
		if st := m.Stats(); st.Clusters != 2 {
			t.Fatalf("%+v", st)
		}
		s.Domain, s.History = "", false
		m.Observe(bridge, s)
		k := m.Look(b, s)
		if len(k) != 1 || k[0].Reported == owned {
			t.Errorf("owned %v: %+v", owned, k)
		}
		if !owned && (k[0].Messages != 3 || !k[0].First.Equal(moment(someDay)) || k[0].Recipients < 1.9) {
			t.Errorf("%+v", k)
		}
	}
}

func TestFade(t *testing.T) {
	m := New(Config{Fingerprints: 10_000})
	p := m.text(strings.Join(vocabulary(1, 60), " "))
	for i := range 400 {
		s := at(someDay)
		s.Recipients = []string{fmt.Sprint(i, "@example.net")}
		m.Observe(p, s)
	}
	for _, tt := range []struct{ halfLives, want float64 }{{0, 400}, {1.1, 200}, {3.1, 50}, {20, 0}} {
		k := m.Look(p, at(someDay+uint32(tt.halfLives*14*24*3600)))
		if len(k) != 1 || k[0].Messages > tt.want*1.01+0.1 || k[0].Messages < tt.want*0.99-0.1 || k[0].Recipients > tt.want*1.5+1 || k[0].Recipients < tt.want*0.6 {
			t.Errorf("after %v half-lives: %+v, want about %v", tt.halfLives, k, tt.want)
		}
	}
}

func TestTally(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 3, 10, 100, 1000, 100_000} {
		sum := 0.0
		for range 20 {
			var c tally
			for range n {
				h := r.Uint64()
				c.add(h)
				c.add(h)
			}
			sum += c.count() / 20
		}
		if sum < 0.85*float64(n) || sum > 1.15*float64(n) {
			t.Errorf("%d counted as %.1f on average", n, sum)
		}
	}
}

func TestSimilarity(t *testing.T) {
	m := New(Config{Fingerprints: 100})
	w, other := vocabulary(1, 400), vocabulary(2, 400)
	for _, n := range []int{0, 100, 200, 400} {
		// n of 400 words at the end are others: J is near (400-n)/(400+n).
		want := float64(398-n) / float64(398+n)
		a, b := m.text(strings.Join(w, " ")), m.text(strings.Join(append(append([]string{}, w[:400-n]...), other[:n]...), " "))
		if got := Similarity(&a.Text.Bits, &b.Text.Bits); got < want-0.2 || got > want+0.2 {
			t.Errorf("%d words of 400 differ: %.2f, want about %.2f", n, got, want)
		}
	}
}
