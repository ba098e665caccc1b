package feedback

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/eval"
	"sluice/internal/shared"
	"sluice/learn/feedback/golden"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/store/memory"
)

// world is mail to learn from and to be judged by.
type world struct {
	ham, spam   [][]byte
	wanted      [][]byte // golden
	test, found [][]byte // wanted mail and spam that nobody labels
	target      [][]byte // issues of a newsletter that is to be suppressed; half are golden
}

// attack is what hostile reporters do: share of all labels, by so many of them.
type attack struct {
	name      string
	share     float64
	reporters int
	make      func(w *world, rnd *rand.Rand, k int) []byte // what they report as spam
}

// figures are what is left afterwards.
type figures struct {
	lost, missed, target float64 // shares of wanted mail over the threshold, of spam under it, of the newsletter
	applied, held        int     // of the hostile labels
	taken, honest        int     // by the guard: all, and of honest reporters
	replays              uint64
}

func (f figures) String() string {
	return fmt.Sprintf("wanted lost %.2f %%, newsletter lost %.0f %%, spam missed %.1f %%; hostile labels applied %d, held or refused %d; guard took %d (%d honest), %d rebuilds",
		100*f.lost, 100*f.target, 100*f.missed, f.applied, f.held, f.taken, f.honest, f.replays)
}

// onslaught teaches a room what honest people say, half of it trusted, and then the
// same with hostile reporters among them.
func onslaught(t testing.TB, w *world, a *attack, defend string) (out figures) {
	log := memory.New()
	set := golden.New(golden.Config{Age: 1000 * day})
	extract := func(raw []byte) *online.Features { return online.Extract(message.Parse(raw, message.Limits{})) }
	for i, raw := range w.wanted {
		set.Offer(golden.Offering{ID: fmt.Sprint("w", i), From: fmt.Sprintf("d%d.example", i%60), Features: extract(raw), Time: noon})
	}
	for i, raw := range w.target[:len(w.target)/2] {
		set.Offer(golden.Offering{ID: fmt.Sprint("t", i), From: "letter.example", Features: extract(raw), Time: noon})
	}
	n := start(t, log, func(c *Config) {
		if defend == "guard" {
			c.Golden = set
		}
	})
	naive := online.NewState()
	rnd := rand.New(rand.NewPCG(1, 2))
	teach := func(l *sluice.Label, hostile bool) {
		if defend == "none" {
			naive.Learn(online.Label{Features: extract(l.Raw), Spam: l.Spam, Trusted: trustedSource(l.Source)})
			return
		}
		f := n.teach(t, l)
		switch {
		case !hostile:
		case f.State == sluice.FeedbackApplied:
			out.applied++
		default:
			out.held++
		}
		if rnd.IntN(10) == 0 {
			n.catchUpTo(t)
		}
	}
	total := len(w.ham) + len(w.spam)
	quiet := total / 2 // before the attack
	hostile := 0.0
	h, s := 0, 0
	for i := range total {
		n.clock = noon.Add(time.Duration(i) * 2 * time.Minute)
		l := &sluice.Label{ID: fmt.Sprint(i), Source: sluice.SourceFolder, By: fmt.Sprintf("user%d@example.com", rnd.IntN(40))}
		if h*len(w.spam) <= s*len(w.ham) {
			l.Raw = w.ham[h]
			h++
		} else {
			l.Raw, l.Spam = w.spam[s], true
			s++
		}
		if i%2 == 0 {
			l.Source, l.By = sluice.SourceAdmin, "root"
			if l.Spam && i%4 == 0 {
				l.Source, l.By = sluice.SourceTrap, "trap@example.com"
			}
		}
		teach(l, false)
		if i < quiet || a == nil {
			continue
		}
		for hostile += a.share / (1 - a.share); hostile >= 1; hostile-- {
			k := out.applied + out.held
			teach(&sluice.Label{Raw: a.make(w, rnd, k), ID: fmt.Sprint("h", k), Spam: true, Source: sluice.SourceReport,
				By: fmt.Sprintf("mallory%d@example.net", rnd.IntN(a.reporters))}, true)
		}
	}
	n.catchUpTo(t)
	if defend == "guard" {
		if err := n.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.catchUpTo(t)
	}
	model := n.text.Model()
	if defend == "none" {
		model = naive.Model()
	}
	read := func(all [][]byte) (share float64) {
		for _, raw := range all {
			if model.Score(extract(raw), online.Recipient{}).DB >= n.cfg.Quarantine {
				share++
			}
		}
		return share / float64(max(len(all), 1))
	}
	out.lost, out.missed, out.target = read(w.test), 1-read(w.found), read(w.target[len(w.target)/2:])
	undone, err := log.FeedbackSince(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range undone {
		if f.Kind == sluice.FeedbackUndo && f.By == Guard {
			out.taken++
			if of, err := log.FeedbackEntry(t.Context(), f.Of); err == nil && !strings.HasPrefix(of.By, "mallory") {
				out.honest++
			}
		}
	}
	out.replays = n.Stats().Rebuilds
	if testing.Verbose() && n.trace.Len() > 0 && defend == "guard" {
		for line := range strings.SplitSeq(n.trace.String(), "\n") {
			if strings.Contains(line, "WARN") {
				t.Log(cut(line, 300))
			}
		}
	}
	return out
}

// focused reports issues of the newsletter; dictionary reports mail full of words
// that wanted mail has.
func focused(w *world, rnd *rand.Rand, k int) []byte {
	return vary(w.target[rnd.IntN(len(w.target)/2)], rnd)
}

func dictionary(w *world, rnd *rand.Rand, k int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: x%d@mallory.example\r\nSubject: %d\r\n\r\n", k, rnd.IntN(1000))
	for range 4 { // the bodies of four wanted messages
		raw := w.ham[rnd.IntN(len(w.ham)/2)]
		if i := bytes.Index(raw, []byte("\n\n")); i > 0 {
			raw = raw[i:]
		} else if i := bytes.Index(raw, []byte("\r\n\r\n")); i > 0 {
			raw = raw[i:]
		}
		b.Write(raw[:min(len(raw), 4000)])
	}
	return b.Bytes()
}

// vary makes another campaign of a message: the cap of one doesn't hold.
func vary(raw []byte, rnd *rand.Rand) []byte {
	out := bytes.Clone(raw)
	for range 30 {
		out = fmt.Appendf(out, " w%d", rnd.IntN(1_000_000))
	}
	return out
}

// generated is a world of made-up mail.
func generated(n int) *world {
	w := &world{}
	for i := range n {
		w.ham = append(w.ham, mail([]string{"work", "code"}[i%2], i))
		w.spam = append(w.spam, mail([]string{"pills", "lotto"}[i%2], i))
		if i%3 == 0 {
			w.wanted = append(w.wanted, mail([]string{"work", "code"}[i%2], 100_000+i))
			w.test = append(w.test, mail([]string{"work", "code"}[i%2], 200_000+i))
			w.found = append(w.found, mail([]string{"pills", "lotto"}[i%2], 200_000+i))
		}
		if i < 40 {
			w.target = append(w.target, mail("garden", i))
		}
	}
	return w
}

// TestPoison: hostile reporters among honest ones, with the guard.
func TestPoison(t *testing.T) {
	w := generated(300)
	for _, a := range []attack{
		{"focused 10 %", 0.10, 5, focused},
	} {
		quiet := onslaught(t, w, nil, "guard")
		if quiet.taken != 0 || quiet.target != 0 || quiet.lost > 0.01 || quiet.missed > 0.2 {
			t.Errorf("without an attack: %v", quiet)
		}
		none, with := onslaught(t, w, &a, "none"), onslaught(t, w, &a, "guard")
		t.Logf("%s, nothing done: %v", a.name, none)
		t.Logf("%s, guarded: %v", a.name, with)
		if none.target < 0.5 && none.lost < 0.05 {
			t.Errorf("%s does no harm: %v", a.name, none)
		}
		if with.lost > 0.01 || with.target > 0.1 || with.missed > quiet.missed+0.05 {
			t.Errorf("%s: %v", a.name, with)
		}
	}
}

// TestPoisonCorpus prints the table of DESIGN.md; all of it with SLUICE_POISON=full,
// which takes minutes.
func TestPoisonCorpus(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dir := shared.Dir(t, "corpora")
	w := corpus(t, dir)
	t.Logf("%d wanted, %d spam to learn; %d golden, %d and %d to judge by, %d issues", len(w.ham), len(w.spam), len(w.wanted), len(w.test), len(w.found), len(w.target))
	full := os.Getenv("SLUICE_POISON") == "full"
	if full {
		quiet := onslaught(t, w, nil, "guard")
		t.Logf("no attack: %v", quiet)
		if quiet.taken > 0 {
			t.Errorf("without an attack: %v", quiet)
		}
	}
	for _, a := range []attack{
		{"focused 10 %", 0.10, 10, focused},
		{"dictionary 10 %", 0.10, 10, dictionary},
		{"focused 1 %", 0.01, 3, focused},
		{"dictionary 1 %", 0.01, 3, dictionary},
	} {
		for _, defend := range []string{"none", "decide", "guard"} {
			if !full && (defend != "guard" || a.name != "focused 10 %") {
				continue
			}
			began := time.Now()
			f := onslaught(t, w, &a, defend)
			t.Logf("%-16s %-7s %v (%.0f s)", a.name, defend, f, time.Since(began).Seconds())
			if defend == "guard" && (f.honest > 0 || f.lost > 0.01 || f.target > 0.1) {
				t.Errorf("%s: %v", a.name, f)
			}
		}
	}
}

// corpus takes every other message of the training part of the SpamAssassin corpus;
// the newsletter is made up.
func corpus(t *testing.T, dir string) *world {
	split, err := eval.Corpora(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{}
	rnd := rand.New(rand.NewPCG(3, 4))
	rnd.Shuffle(len(split), func(i, j int) { split[i], split[j] = split[j], split[i] })
	n := 0
	for i := range split {
		e := &split[i]
		if e.Corpus != "spamassassin" || e.Part != "train" {
			continue
		}
		raw, err := eval.ReadMail(dir, e)
		if err != nil {
			t.Fatal(e.Path, err)
		}
		spam := e.Class() == eval.Bad
		switch n++; {
		case spam && n%3 == 0:
			w.found = append(w.found, raw)
		case spam:
			w.spam = append(w.spam, raw)
		case n%4 == 0:
			w.test = append(w.test, raw)
		case n%4 == 1:
			w.wanted = append(w.wanted, raw)
		default:
			w.ham = append(w.ham, raw)
		}
	}
	for i := range 40 {
		w.target = append(w.target, mail("garden", i))
	}
	w.ham, w.spam, w.wanted = w.ham[:700], w.spam[:450], w.wanted[:400]
	rnd.Shuffle(len(w.ham), func(i, j int) { w.ham[i], w.ham[j] = w.ham[j], w.ham[i] })
	return w
}
