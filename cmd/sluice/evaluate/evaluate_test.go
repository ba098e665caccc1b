package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/cmd/sluice/daemon"
	"sluice/config"
	"sluice/internal/shared"
)

// box writes n messages into a Maildir.
func box(t *testing.T, dir, subject, text string, n int) string {
	t.Helper()
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		m := fmt.Sprintf("Received: from a.example (a.example [192.0.2.%d]) by mx.example; Mon, 2 Feb 2026 03:%02d:05 +0000\r\nFrom: a%d@a.example\r\nTo: b@b.example\r\n"+
			"Date: Mon, 2 Feb 2026 03:%02d:05 +0000\r\nMessage-ID: <%d.%s@a.example>\r\nSubject: %s %d\r\n\r\n%s %d\r\n", i, i, i, i, i, subject, subject, i, text, i)
		if err := os.WriteFile(filepath.Join(dir, "cur", fmt.Sprintf("%d.M1.host:2,S", i)), []byte(m), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func try(t *testing.T, c Command) (string, error) {
	t.Helper()
	if c.Filter == "" {
		c.Filter = "verdict"
	}
	if c.Share == 0 {
		c.Share = 1
	}
	if c.Seed == nil {
		c.Seed = []uint64{1}
	}
	var out, log bytes.Buffer
	err := c.Evaluate(t.Context(), Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &log, CPU: func() time.Duration { return 0 }})
	if log.Len() > 0 {
		t.Logf("%s", log.Bytes())
	}
	return out.String(), err
}

// TestOwnMail tries every filter on two small mailboxes.
func TestOwnMail(t *testing.T) {
	dir := t.TempDir()
	ham := box(t, filepath.Join(dir, "Maildir"), "minutes", "Please find the minutes of our meeting about the new bridge, and tell me what you think of the plan.", 40)
	spam := box(t, filepath.Join(dir, "Maildir", ".Junk"), "offer", "Dear friend, buy cheap pills now and win a million dollars, click here for viagra without prescription.", 20)
	t.Chdir(dir)
	for _, filter := range []string{"text", "shipped", "verdict", "site"} {
		t.Run(filter, func(t *testing.T) {
			page, scores := filepath.Join(dir, filter+".html"), filepath.Join(dir, filter+".tsv")
			// The first names the folder, whose subfolder is the other: only cur counts.
			out, err := try(t, Command{Ham: []string{filepath.Join(ham, "cur")}, Spam: []string{spam}, Filter: filter, JSON: true, HTML: page, Scores: scores})
			if err != nil {
				t.Fatal(err)
			}
			var r struct {
				Filter string
				Ham    int
				Spam   int
				AUC    float64 `json:"1-roca_percent"`
				Notes  []string
				Bad    []struct{ Pool string } `json:"bad_pools"`
				Recall []struct{ Known bool }
				Action []struct{} `json:"actions"`
			}
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			if r.Filter != filter || r.Ham != 40 || r.Spam != 20 || len(r.Notes) != 2 || r.Recall[0].Known || r.Bad[0].Pool != "Maildir/.Junk/spam" {
				t.Errorf("%+v", r)
			}
			if r.AUC > 20 {
				t.Errorf("1-ROCA%% is %v", r.AUC)
			}
			if whole := filter == "verdict" || filter == "site"; whole != (len(r.Action) > 0) {
				t.Errorf("%d rows of actions", len(r.Action))
			}
			for _, f := range []string{page, scores} {
				if info, err := os.Stat(f); err != nil || info.Size() < 1000 || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", f, info, err)
				}
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 9 {
				t.Errorf("%v, %d files where eval ran", err, len(left))
			}
		})
	}
}

// TestLeaveOneOut trains every filter on one of two small corpora and judges the other.
func TestLeaveOneOut(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	split := "path\tgroup\tyear\tpart\n"
	for _, corpus := range []string{"a", "b"} {
		for label, text := range map[string]string{"ham": "Please find the minutes of our meeting about the bridge in " + corpus + ", and tell me what you think of the plan.",
			"spam": "Dear friend, buy cheap pills in " + corpus + " now and win a million dollars, click here, no prescription needed."} {
			box(t, filepath.Join(corpus, label), label, text, 30)
			for i := range 30 {
				split += fmt.Sprintf("%s/%s/%d.eml\t%s%s%d\t2026\t%s\n", corpus, label, i, corpus, label, i, []string{"train", "test"}[i%2])
				if err := os.Rename(fmt.Sprintf("%s/%s/cur/%d.M1.host:2,S", corpus, label, i), fmt.Sprintf("%s/%s/%d.eml", corpus, label, i)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := os.WriteFile("SPLIT.tsv", []byte(split), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, filter := range []string{"text", "shipped", "verdict", "site"} {
		out, err := try(t, Command{Corpora: dir, LeaveOut: true, Filter: filter, JSON: true, Scores: "scores"})
		if err != nil {
			t.Fatal(err)
		}
		var l struct {
			Rows []struct {
				Pool    string
				Spam    bool
				N       int
				Trained int
				OwnAUC  *float64 `json:"auc_own"`
			}
		}
		if err := json.Unmarshal([]byte(out), &l); err != nil {
			t.Fatal(err)
		}
		if len(l.Rows) != 4 {
			t.Fatalf("%s: %+v", filter, l)
		}
		for _, r := range l.Rows {
			if r.N != 15 || r.Trained != 30 || r.Spam != (r.OwnAUC != nil) || r.Spam && *r.OwnAUC < 0.9 {
				t.Errorf("%s: %+v, AUC %v", filter, r, r.OwnAUC)
			}
		}
		scores, err := os.ReadFile("scores")
		if err != nil || bytes.Count(scores, []byte("\n")) != 60 || bytes.Count(scores, []byte("\ttest\tham\t")) != 30 {
			t.Errorf("%s: %v, scores:\n%s", filter, err, scores)
		}
	}
	if _, err := try(t, Command{Corpora: dir, Only: []string{"a"}, TrainOn: "train", Filter: "text", Evasion: true}); err == nil || !strings.Contains(err.Error(), "15 ham") {
		t.Errorf("disguises with 15 ham: %v", err)
	}
}

// TestLearnedHere tries mail of a site whose people want what others call spam: with
// what they taught, and without.
func TestLearnedHere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const wanted = "Dear friend, buy cheap pills now and win a million dollars, click here for viagra without prescription."
	const unwanted = "Please find the minutes of our meeting about the new bridge, and tell me what you think of the plan."
	ham, spam := box(t, "wanted", "offer", wanted, 40), box(t, "unwanted", "minutes", unwanted, 40)
	cfg, err := config.Load("", config.Flags{Data: filepath.Join(dir, "data")})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.Data, 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := daemon.OpenBook(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var labels []*sluice.Label
	for i := range 300 {
		for _, text := range []string{wanted, unwanted} {
			raw := fmt.Sprintf("From: c%d@c.example\r\nSubject: %d\r\n\r\n%s %d\r\n", i, i, text, i)
			labels = append(labels, &sluice.Label{Raw: []byte(raw), Spam: text == unwanted, Source: sluice.SourceLearn, By: "ann"})
		}
	}
	if _, err := b.TeachAll(t.Context(), labels); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		filter, data string
		well         bool
	}{{"verdict", "", false}, {"verdict", cfg.Data, true}, {"site", cfg.Data, true}} {
		out, err := try(t, Command{Ham: []string{ham}, Spam: []string{spam}, Filter: tt.filter, Data: tt.data, JSON: true})
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Area float64 `json:"1-roca_percent"`
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		if well := r.Area < 1; well != tt.well || !well && r.Area < 99 {
			t.Errorf("%s with %q: 1-ROCA%% is %v", tt.filter, tt.data, r.Area)
		}
	}
}

// TestFlags are those that don't go together.
func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		c    Command
		want string
	}{
		{Command{}, "say what mail"},
		{Command{Ham: []string{"a"}, Index: "b"}, "take one of"},
		{Command{Ham: []string{"a"}, Part: "test"}, "need --corpora"},
		{Command{Corpora: "a", LeaveOut: true, Part: "test"}, "chooses its mail"},
		{Command{Corpora: "a", LeaveOut: true, Noise: 0.1}, "for learning while judging"},
		{Command{Corpora: "a", TrainOn: "train"}, "doesn't learn"},
		{Command{Corpora: "a", TrainOn: "train", Part: "train", Filter: "text"}, "can't judge"},
		{Command{Ham: []string{"a"}, Filter: "shipped", Data: "d"}, "knows nothing of a site"},
		{Command{Corpora: "a", LeaveOut: true, Data: "d"}, "no --data"},
		{Command{Ham: []string{"a"}, Noise: 2}, "between 0 and 1"},
		{Command{Ham: []string{filepath.Join(t.TempDir(), "nothing")}}, "no labelled mail"},
		{Command{Corpora: t.TempDir()}, "SPLIT.tsv"},
		{Command{Index: filepath.Join(t.TempDir(), "index")}, "no such file"},
	} {
		if _, err := try(t, tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.c, err, tt.want)
		}
	}
}

// TestCorpora judges real mail as scan would, and has a learner learn from one part.
func TestCorpora(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := shared.Dir(t, "corpora")
	for _, tt := range []struct {
		c      Command
		recall float64 // at 1 %, at least
	}{
		{Command{Corpora: dir, Only: []string{"spamassassin"}}, 0.9},
		{Command{Corpora: dir, Only: []string{"glitchyzorua_419", "lists_2019_2026"}, TrainOn: "train", Filter: "text"}, 0.8},
	} {
		tt.c.JSON = true
		out, err := try(t, tt.c)
		if err != nil {
			t.Fatal(err)
		}
		var r struct {
			Ham, Spam int
			Trained   int `json:"trained_before"`
			Recall    []struct {
				Known  bool
				Recall struct{ Share, Low, High float64 }
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		t.Logf("%v: %+v", tt.c.Only, r)
		if r.Ham < 1000 || (r.Trained > 0) != (tt.c.TrainOn != "") {
			t.Errorf("%d ham, trained on %d", r.Ham, r.Trained)
		}
		if p := r.Recall[0]; !p.Known || p.Recall.Share < tt.recall || p.Recall.Low >= p.Recall.Share || p.Recall.High < p.Recall.Share {
			t.Errorf("recall at 1 %%: %+v, want %v at least", p, tt.recall)
		}
		if r.Recall[2].Known {
			t.Error("so few ham can't tell of one false positive in 10,000")
		}
	}
}
