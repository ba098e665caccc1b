package trial_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"sluice/eval/trec"
	"sluice/eval/trial"
	"sluice/internal/golden"
)

// stated is a filter that believes the field X-P, which the tests write.
func stated() trial.Kind {
	return trial.Kind{Name: "stated",
		Read: func(_ context.Context, in *trial.Input) any {
			p, err := strconv.ParseFloat(in.Message.Header().Get("X-P"), 64)
			if err != nil {
				panic(err)
			}
			return p
		},
		New: func() trial.Filter { return believer{} }}
}

type believer struct{}

func (believer) Judge(doc any) trial.Outcome {
	p := doc.(float64)
	o := trial.Outcome{Score: 10 * math.Log10(p/(1-p)), P: p, Action: "accept"}
	if p > 0.95 {
		o.Action, o.Why = "quarantine", "BECAUSE +1.0"
	}
	return o
}

func (believer) Train(any, bool) {}

// hostile is a subject and part of a file's name.
const hostile = "<script>alert(1)<\\script>\x1b[31m\u202e\"'"

// write makes a message. Texts of ten in a row are near duplicates.
func write(t *testing.T, name string, i int, p float64, subject string) {
	t.Helper()
	var words strings.Builder
	for k := range 40 {
		fmt.Fprintf(&words, "%c%cword%c%c ", 'a'+i/10%26, 'a'+i/260, 'a'+k%26, 'a'+k/26)
	}
	text := fmt.Sprintf("Received: from a.example (a.example [192.0.2.1]) by b.example; %s\nFrom: a@a.example\nSubject: %s\nX-P: %g\n\n%s\n",
		time.Date(2024+i%2, 5, 1, 0, i, 0, 0, time.UTC).Format(time.RFC1123Z), subject, p, words.String())
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tiny goes to a folder with 1,200 wanted and 300 unwanted messages.
func tiny(t *testing.T) []trial.Source {
	t.Helper()
	t.Chdir(t.TempDir())
	for i := range 1200 {
		write(t, fmt.Sprintf("ham/%04d.eml", i), i, 0.001+0.2*float64(i)/1200, "minutes")
	}
	for i := range 300 {
		write(t, fmt.Sprintf("spam/%04d.eml", i), 1200+i, 0.999-0.45*float64(i)/300, "offer")
	}
	write(t, "ham/"+hostile+".eml", 0, 0.97, strings.ReplaceAll(hostile, "\n", ""))
	write(t, "spam/missed.eml", 1200, 0.05, "quiet")
	if err := os.WriteFile("ham/README", []byte("this is no mail"), 0o600); err != nil {
		t.Fatal(err)
	}
	return trial.Folders([]string{"ham"}, []string{"spam"}, nil)
}

func run(t *testing.T, k trial.Kind, sources []trial.Source, c trial.Config) *trial.Report {
	t.Helper()
	box, err := trial.Read(t.Context(), k, sources, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(box.Errors) > 0 {
		t.Fatal(box.Errors)
	}
	c.Kind, c.Mail, c.Source, c.Samples = k, box.Mail, "a test", 50
	r, err := trial.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	r.NotMail = box.NotMail
	return r
}

func TestReport(t *testing.T) {
	sources := tiny(t)
	r := run(t, stated(), sources, trial.Config{Order: trec.Time, CPU: func() time.Duration { return 0 }})
	r.Cost = trial.Cost{Read: 0.5, Judge: 0.25}
	r.Evasion = []trial.Disguise{{Trick: "none", Recall: 0.9, OfClean: 1}, {Trick: "look-alikes", Recall: 0.81, OfClean: 0.9}}
	r.Notes = []string{"a note"}
	var text, page, scores, raw bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteHTML(&page, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	if err := trial.WriteScores(&scores, r.Judged()); err != nil {
		t.Fatal(err)
	}
	enc := json.NewEncoder(&raw)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root(t))
	golden.Check(t, "testdata/report.txt", text.Bytes())
	golden.Check(t, "testdata/report.html", page.Bytes())
	golden.Check(t, "testdata/report.json", raw.Bytes())
	if strings.ContainsAny(text.String(), "\x1b\u202e") {
		t.Error("the text lets control characters through")
	}
	checkPage(t, page.String())
	checkScores(t, scores.String())

	// One ham in a hundred is 12 of 1,201, one in a thousand is 1: the hostile one.
	if p := r.Recall[0]; !p.Known || p.False.K != 12 || p.Recall.N != 301 || p.Recall.K != 300 {
		t.Errorf("at 1 %%: %+v", p)
	}
	if p := r.Recall[1]; !p.Known || p.False.K != 1 || p.Recall.K != 300 {
		t.Errorf("at 0.1 %%: %+v", p)
	}
	if p := r.Recall[2]; p.Known || p.Needed != 10000 {
		t.Errorf("at 0.01 %%: %+v", p)
	}
	// Ten in a row are one template; two more messages copy others.
	if got := r.Templates; got.Ham != 120 || got.Spam != 30 {
		t.Errorf("templates: %d ham, %d spam, want 120 and 30", got.Ham, got.Spam)
	}
	if len(r.FalsePositives) != 1 || len(r.Misses) != 1 || r.Misses[0].ID != "spam/missed.eml" {
		t.Errorf("examples: %+v, %+v", r.FalsePositives, r.Misses)
	}
}

// root is the package's own folder, for the golden files.
func root(t *testing.T) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("no caller")
	}
	return filepath.Dir(file)
}

// checkPage parses the page: nothing runs, nothing is fetched, every element is
// closed, all numbers are numbers, and the hostile name stands there as words.
func checkPage(t *testing.T, page string) {
	t.Helper()
	void := []string{"meta", "br", "link", "img", "input"}
	z := html.NewTokenizer(strings.NewReader(page))
	var open []string
	words := ""
	for {
		switch tt := z.Next(); tt {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("not closed: %v", open)
			}
			if want := `<script>alert(1)<\\script>\x1b[31m\u{202e}"'`; strings.Count(words, want) != 2 {
				t.Errorf("the hostile name and subject don't stand there as %s", want)
			}
			return
		case html.TextToken:
			words += string(z.Text()) // the tokenizer leaves entities alone outside of Token
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			switch tok.Data {
			case "script", "iframe", "object", "embed", "link", "img", "a", "form", "base":
				t.Errorf("a page with <%s>", tok.Data)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "href" || a.Key == "style" ||
					strings.Contains(a.Val, "NaN") || strings.Contains(a.Val, "Inf") || strings.Contains(a.Val, "ZgotmplZ") || strings.Contains(a.Val, "url(") {
					t.Errorf("attribute %s=%q of <%s>", a.Key, a.Val, tok.Data)
				}
			}
			if tt == html.StartTagToken && !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("</%s> closes %v", name, open)
			}
			open = open[:len(open)-1]
		}
	}
}

func checkScores(t *testing.T, scores string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(scores, "\n"), "\n")
	if len(lines) != 1502 {
		t.Errorf("%d lines of scores, want 1502", len(lines))
	}
	for _, l := range lines {
		f := strings.Split(l, "\t")
		if len(f) != 6 {
			t.Fatalf("%q has %d fields, want 6", l, len(f))
		}
		if _, err := strconv.ParseFloat(f[4], 64); err != nil {
			t.Error(err)
		}
	}
}

// TestCores runs a learner with one and with several processors.
func TestCores(t *testing.T) {
	sources := tiny(t)[:300]
	one := func(n int) []byte {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
		r := run(t, trial.Text(true), sources, trial.Config{Order: trec.Random, Seeds: []uint64{3, 4}, Feedback: trec.Feedback{Delay: 5, Share: 0.5}})
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := one(1), one(4)
	if d := cmp.Diff(string(a), string(b)); d != "" {
		t.Error(d)
	}
	var r struct {
		Runs []struct {
			Labels int     `json:"labels"`
			Area   float64 `json:"1-roca_percent"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(a, &r); err != nil {
		t.Fatal(err)
	}
	for _, run := range r.Runs {
		if run.Labels < 110 || run.Labels > 190 || run.Area > 5 {
			t.Errorf("it learned %d labels and ranks %.2f %% wrong; want about 150, and few", run.Labels, run.Area)
		}
	}
}

func TestTrainedBefore(t *testing.T) {
	box, err := trial.Read(t.Context(), trial.Text(true), tiny(t)[:500], nil)
	if err != nil {
		t.Fatal(err)
	}
	half := len(box.Mail) / 2
	c := trial.Config{Kind: trial.Text(true), Train: box.Mail[:half], Mail: box.Mail[half:], Samples: 10}
	r, err := trial.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if r.Trained != half || r.Runs[0].Labels != 0 || !(r.Area < 1) {
		t.Errorf("trained on %d, %d labels on the way, 1-ROCA%% %v; want %d, 0, less than 1", r.Trained, r.Runs[0].Labels, r.Area, half)
	}
	c.Feedback.Noise = 0.1
	if _, err := trial.Run(t.Context(), c); err == nil {
		t.Error("noise was taken, and means nothing")
	}
}

func TestEvade(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	sources := tiny(t)
	var train, test []trial.Source
	for i, s := range sources[:500] {
		if i%2 == 0 {
			train = append(train, s)
		} else {
			test = append(test, s)
		}
	}
	got, err := trial.Evade(t.Context(), trial.Text(true), train, test, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 10 || got[0].Trick != "none" || got[0].OfClean != 1 || got[0].Recall < 0.9 {
		t.Errorf("%+v", got)
	}
	if _, err := trial.Evade(t.Context(), trial.Text(true), train, test[:50], 1); err == nil {
		t.Error("1 % of a few dozen ham was known")
	}
}

func TestFolders(t *testing.T) {
	sources := tiny(t)
	spam := 0
	for i, s := range sources[:len(sources)/2] {
		if s.Spam() {
			spam++
		}
		if i > 20 && (spam < i/8 || spam > i/4) {
			t.Fatalf("%d unwanted of the first %d: not in turns", spam, i)
		}
	}
	box, err := trial.Read(t.Context(), stated(), append(sources, trial.Folders([]string{"nowhere"}, nil, nil)...), nil)
	if err != nil || len(box.Mail) != 1502 || box.NotMail != 1 || len(box.Errors) != 1 {
		t.Errorf("%v: %d messages, %d files that are none, errors %v", err, len(box.Mail), box.NotMail, box.Errors)
	}
}

func TestIndex(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "data/inmail.1", 1, 0.9, "a")
	write(t, "data/inmail.2", 2, 0.1, "b")
	if err := os.MkdirAll("full", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		want string // of an error
	}{
		{"spam ../data/inmail.1\n\nHAM ../data/inmail.2\r\n", ""},
		{"spam\n", "line 1"},
		{"ham ../data/inmail.2\neggs ../data/inmail.1\n", "line 2"},
	} {
		if err := os.WriteFile("full/index", []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := trial.Index("full/index")
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v, want an error with %q", tt.text, err, tt.want)
			}
			continue
		}
		if err != nil || len(got) != 2 || !got[0].Spam() || got[1].Spam() {
			t.Fatalf("%v, %+v", err, got)
		}
		box, err := trial.Read(t.Context(), stated(), got, nil)
		if err != nil || len(box.Mail) != 2 || box.Mail[0].Subject != "a" || box.Mail[0].At.IsZero() {
			t.Errorf("%v, %+v", err, box)
		}
	}
}
