package checks_test

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/internal/shared"
	"sluice/judge/checks"
	"sluice/judge/verdict"
	"sluice/message"
)

// sample is one message of the corpora.
type sample struct{ corpus, label, path string }

func (s sample) key() string { return s.corpus + "/" + s.label }

// corpora lists the train part of the stored mail, or the part that CORPUS_PART
// names.
func corpora(t testing.TB) (string, []sample) {
	root := shared.Dir(t, "corpora")
	f, err := os.Open(filepath.Join(root, "SPLIT.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	part := os.Getenv("CORPUS_PART")
	if part == "" {
		part = "train"
	}
	var out []sample
	for sc := bufio.NewScanner(f); sc.Scan(); {
		col := strings.Split(sc.Text(), "\t")
		if elem := strings.Split(col[0], "/"); len(col) == 4 && col[3] == part && len(elem) == 3 {
			out = append(out, sample{elem[0], elem[1], filepath.Join(root, col[0])})
		}
	}
	return root, out
}

// stored makes the input of a message read from disk: client and HELO come from
// the topmost Received field, the recipient from To.
func stored(m *message.Message) *check.Input {
	in := &check.Input{
		Conn:     &sluice.Conn{Door: "scan", Stored: true},
		Envelope: &sluice.Envelope{},
		Message:  m,
		Now:      time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	}
	if words := strings.Fields(m.Header().Get("Received")); len(words) > 2 && words[0] == "from" {
		in.Conn.Hello = sluice.Hello{Verb: "EHLO", Name: words[1]}
		if _, a, ok := strings.Cut(strings.Join(words[2:], " "), "["); ok {
			a, _, _ = strings.Cut(a, "]")
			if ip, err := netip.ParseAddr(a); err == nil {
				in.Conn.Client = netip.AddrPortFrom(ip, 25)
			}
		}
	}
	for _, a := range m.Addresses("To") {
		in.Envelope.Rcpts = append(in.Envelope.Rcpts, sluice.Recipient{Address: a.String()})
		break
	}
	return in
}

// judged is what the checks say of one message.
type judged struct {
	sample
	evidence []sluice.Evidence
	verdict  sluice.Verdict
}

func judgeAll(t testing.TB, samples []sample) []judged {
	list := checks.Checks(checks.Config{Names: []string{"mx.example.net"}})
	weights := verdict.DefaultWeights()
	out := make([]judged, len(samples))
	var wg sync.WaitGroup
	work := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				raw, err := os.ReadFile(samples[i].path)
				if err != nil {
					t.Error(err)
					continue
				}
				in := stored(message.Parse(raw, message.DefaultLimits()))
				j := judged{sample: samples[i]}
				for _, c := range list {
					ev, err := c.Check(context.Background(), in)
					if err != nil {
						t.Errorf("%s: %s: %v", samples[i].path, c.Info().Name, err)
					}
					j.evidence = append(j.evidence, ev...)
				}
				j.verdict = verdict.Weigh(j.evidence, weights)
				out[i] = j
			}
		})
	}
	for i := range samples {
		work <- i
	}
	close(work)
	wg.Wait()
	return out
}

// TestCorpora runs the checks, without any model, over real mail. They must not
// quarantine a single ham by themselves. With -v it prints how often each reason
// is stated in each corpus, and what points the corpora whose terms allow it
// would give.
func TestCorpora(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all corpora")
	}
	root, samples := corpora(t)
	results := judgeAll(t, samples)

	total := map[string]int{}
	hits := map[sluice.Reason]map[string]int{}
	for _, j := range results {
		total[j.key()]++
		seen := map[sluice.Reason]bool{}
		for _, e := range j.evidence {
			if !seen[e.Reason] {
				seen[e.Reason] = true
				if hits[e.Reason] == nil {
					hits[e.Reason] = map[string]int{}
				}
				hits[e.Reason][j.key()]++
			}
		}
		total[fmt.Sprint(j.key(), " ", action(j.verdict))]++
		if (j.label == "ham") && j.corpus != "foff_milter" && action(j.verdict) >= "2" {
			t.Errorf("%s: %s", strings.TrimPrefix(j.path, root), ledger(j.verdict))
		}
		if want := os.Getenv("CORPUS_SHOW"); want != "" && j.label == os.Getenv("CORPUS_LABEL") && slices.ContainsFunc(j.evidence, func(e sluice.Evidence) bool { return string(e.Reason) == want }) {
			for _, e := range j.evidence {
				if string(e.Reason) == want {
					t.Logf("%s: %s", strings.TrimPrefix(j.path, root), e.Detail)
				}
			}
		}
	}
	if testing.Verbose() {
		print(t, total, hits)
	}
}

func action(v sluice.Verdict) string {
	switch {
	case v.HardKind == sluice.HardStop:
		return "4 stop"
	case v.Points >= 30:
		return "3 reject"
	case v.Points >= 12.8:
		return "2 quarantine"
	case v.Points >= 3.7:
		return "1 tag"
	}
	return "0 accept"
}

func ledger(v sluice.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.1f", v.Points)
	for _, c := range v.Ledger {
		fmt.Fprintf(&b, " %s %.1f (%s)", c.Reason, c.Points, c.Detail)
	}
	return b.String()
}

// fitted are the corpora whose terms let weights ship.
var fitted = []string{"spamassassin", "lists_2019_2026", "enron_raw", "glitchyzorua_419"}

func print(t *testing.T, total map[string]int, hits map[sluice.Reason]map[string]int) {
	var keys []string
	for k := range total {
		if !strings.Contains(k, " ") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%-26s %5d", k, total[k])
		for _, a := range []string{"0 accept", "1 tag", "2 quarantine", "3 reject", "4 stop"} {
			fmt.Fprintf(&b, "  %s %d", a[2:], total[k+" "+a])
		}
		b.WriteString("\n")
	}
	var ids []sluice.Reason
	for id := range hits {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		good, bad, goods, bads := 0, 0, 0, 0
		for _, k := range keys {
			corpus, label, _ := strings.Cut(k, "/")
			if !slices.Contains(fitted, corpus) {
				continue
			}
			switch label {
			case "ham", "hardham":
				good += hits[id][k]
				goods += total[k]
			case "spam", "fraud", "phish":
				bad += hits[id][k]
				bads += total[k]
			}
		}
		db := 10 * math.Log10((float64(bad)+0.5)/float64(bads+1)/((float64(good)+0.5)/float64(goods+1)))
		fmt.Fprintf(&b, "%-28s has %4.1f  fit %5.1f  good %4d bad %4d |", id, check.Found(id, "").Raw, db, good, bad)
		for _, k := range keys {
			if n := hits[id][k]; n > 0 {
				fmt.Fprintf(&b, " %s %.2f%%(%d)", short(k), 100*float64(n)/float64(total[k]), n)
			}
		}
		b.WriteString("\n")
	}
	t.Log("\n" + b.String())
}

func short(k string) string {
	return strings.NewReplacer("spamassassin", "sa", "lists_2019_2026", "lists", "enron_raw", "enron", "glitchyzorua_419", "419", "phishing_pot", "pot", "foff_milter", "foff", "kfcreview", "kfc").Replace(k)
}
