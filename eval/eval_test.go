package eval

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/reason"
)

func TestAUC(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) }) // many ties
		good := rapid.SliceOfN(few, 1, 40).Draw(t, "good")
		bad := rapid.SliceOfN(few, 1, 40).Draw(t, "bad")
		want := 0.0
		for _, g := range good {
			for _, b := range bad {
				switch {
				case b > g:
					want++
				case b == g:
					want += 0.5
				}
			}
		}
		want /= float64(len(good) * len(bad))
		if got := AUC(good, bad); math.Abs(got-want) > 1e-12 {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
	if got := AUC(nil, []float64{1}); !math.IsNaN(got) {
		t.Errorf("the area of nothing is %v", got)
	}
	if got := Area([]float64{1, 2}, []float64{3, 4}); got != 0 {
		t.Errorf("perfect scores give 1-ROCA%% %v", got)
	}
}

// Values from tables of the Clopper-Pearson interval.
func TestInterval(t *testing.T) {
	for _, tt := range []struct {
		r      Rate
		lo, hi float64
	}{
		{Rate{0, 100}, 0, 0.03622},
		{Rate{5, 50}, 0.03328, 0.21814},
		{Rate{10, 10}, 0.69150, 1},
		{Rate{1, 1000}, 0.0000253, 0.005559},
		{Rate{0, 0}, 0, 1},
		{Rate{500, 1000}, 0.46855, 0.53145},
	} {
		lo, hi := tt.r.Interval()
		if math.Abs(lo-tt.lo) > 2e-5 || math.Abs(hi-tt.hi) > 2e-5 {
			t.Errorf("%v: %.6f to %.6f, want %.6f to %.6f", tt.r, lo, hi, tt.lo, tt.hi)
		}
	}
}

func TestRecall(t *testing.T) {
	good := []float64{9, 1, 2, 3, 4, 5, 6, 7, 8, 10}
	for _, tt := range []struct {
		fp   float64
		want Rate
		cut  float64
	}{
		{0, Rate{1, 4}, 10},
		{0.05, Rate{1, 4}, 10}, // half a message is none
		{0.1, Rate{2, 4}, 9},   // 10 may pass
		{0.2, Rate{3, 4}, 8},   // the tie with 9 counts now
		{1, Rate{4, 4}, math.Inf(-1)},
	} {
		got, cut := Recall(good, []float64{11, 10, 9, 0}, tt.fp)
		if got != tt.want || cut != tt.cut {
			t.Errorf("at %v: %v above %v, want %v above %v", tt.fp, got, cut, tt.want, tt.cut)
		}
	}
}

func TestReadSplit(t *testing.T) {
	got, err := ReadSplit(strings.NewReader(splitHead + "\nspamassassin/hardham/00001.eml\tabc\t2002\ttrain\r\nx/fraud/2.eml\td\t\ttest\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{"spamassassin/hardham/00001.eml", "abc", 2002, "train", "spamassassin", "hardham"},
		{"x/fraud/2.eml", "d", 0, "test", "x", "fraud"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got[0].Class() != Good || got[1].Class() != Bad || (&Entry{Label: "unknown"}).Class() != Unlabelled {
		t.Error("classes are wrong")
	}
	for _, bad := range []string{"path\n", splitHead + "\na/b/c\td\t1\n", splitHead + "\n../b/c\td\t1\ttest\n", splitHead + "\na/b\td\t1\ttest\n", splitHead + "\na/b/c\td\t1\tdev\n"} {
		if got, err := ReadSplit(strings.NewReader(bad)); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func TestStripFront(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"Subject: x\n\nbody", "Subject: x\n\nbody"},
		{"From a@example.com Mon Jan  1 00:00:00 2024\nSubject: x\n", "Subject: x\n"},
		{"$ cat mail: or so\n% echo\nReceived: y\r\n", "Received: y\r\n"},
		{"no header\nat all\n", "no header\nat all\n"},
		{"", ""},
		{strings.Repeat("x y\n", 100) + "A: b\n", strings.Repeat("x y\n", 100) + "A: b\n"},
	} {
		if got := string(Front([]byte(tt.in))); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFromScan(t *testing.T) {
	split := []Entry{
		{Path: "c/ham/1.eml", Part: "test", Corpus: "c", Label: "ham"},
		{Path: "c/ham/2.eml", Part: "train", Corpus: "c", Label: "ham"},
		{Path: "c/spam/1.eml", Part: "test", Corpus: "c", Label: "spam"},
		{Path: "c/spam/2.eml", Part: "test", Corpus: "c", Label: "spam"},
	}
	const out = `{"id":"1","file":"../shared/corpora/c/ham/1.eml","verdict":{"threat":"none","probability":0.1,"points":-9.5,"action":"accept","hard":""},"evidence":[]}
{"id":"2","file":"c/ham/2.eml","verdict":{"points":3,"action":"accept","hard":"ADMIN_ALLOW"}}
{"id":"3","file":"/x/c/spam/1.eml","verdict":{"points":13.2,"action":"quarantine","hard":""},"evidence":[{"id":"PRIOR","group":"prior","raw":-10},{"id":"TEXT_SPAM","group":"text","raw":23.2},{"id":"SPF_NONE","group":"identity","state":"unknown"}]}
{"id":"4","file":"/x/c/spam/2.eml","verdict":{"points":-10,"action":"reject","hard":"EICAR"}}
{"id":"5","file":"elsewhere.eml","verdict":{"points":1,"action":"accept"}}
{"id":"6","file":"c/spam/2.eml","error":"unreadable"}
`
	got, left, err := FromScan(strings.NewReader(out), split)
	if err != nil || left != 2 {
		t.Fatalf("%d left, %v", left, err)
	}
	want := []Judged{
		{Entry: &split[0], Score: -9.5, Action: "accept"}, {Entry: &split[1], Score: 3 - hardScore, Action: "accept"},
		{&split[2], 13.2, "quarantine", []sluice.Evidence{{Reason: reason.TextSpam, Group: sluice.GroupText, Raw: 23.2}}},
		{Entry: &split[3], Score: -10 + hardScore, Action: "reject"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var b bytes.Buffer
	test := Only("test", got)
	if err := WriteActions(&b, test); err != nil {
		t.Fatal(err)
	}
	if err := WriteRecall(&b, test); err != nil {
		t.Fatal(err)
	}
	if err := WriteYears(&b, test, 0); err != nil {
		t.Fatal(err)
	}
	words := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{"c/spam 2 0 0 1 1 0 100.00 % 15.81–100.00", "c/ham 1 c/spam 2 0.000 1.000 0.158–1.000 1.000 0.158–1.000 -9.5", "c/spam 0 2 1.000"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if _, _, err := FromScan(strings.NewReader("{\"file\":1}"), split); err == nil {
		t.Error("a line of another shape was taken")
	}
}
