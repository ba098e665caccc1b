package feedback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"sluice"
	"sluice/console"
	"sluice/internal/golden"
	"sluice/store/memory"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// shelf is a book in memory whose teacher believes everybody but doubtful ones.
type shelf struct {
	*memory.Store
	n      int
	raws   []string
	closed int
}

func (s *shelf) Close() error { s.closed++; return nil }

func (s *shelf) Clean(_ context.Context, raw []byte) ([]byte, string) {
	if clean, ok := strings.CutPrefix(string(raw), "X-Sluice-ID: REF1\r\n"); ok {
		return []byte(clean), "REF1"
	}
	return raw, ""
}

func (s *shelf) put(ctx context.Context, f *sluice.Feedback) (*sluice.Feedback, error) {
	s.n++
	f.Time = noon.Add(time.Duration(s.n) * time.Minute)
	return f, s.AddFeedback(ctx, f)
}

func (s *shelf) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	s.raws = append(s.raws, string(l.Raw))
	f := &sluice.Feedback{Kind: sluice.FeedbackLabel, ID: l.ID, Tenant: l.Tenant, Spam: l.Spam, Threat: l.Threat, Source: l.Source, By: l.By, To: l.To, State: sluice.FeedbackApplied, Trust: 0.75}
	if strings.HasPrefix(l.By, "doubtful") {
		f.State, f.Why, f.Trust = sluice.FeedbackHeld, "it would turn \x1b[31mgolden mail", 0.1
	}
	return s.put(ctx, f)
}

func (s *shelf) about(ctx context.Context, k sluice.FeedbackKind, seq int64, by string) (*sluice.Feedback, error) {
	if _, err := s.FeedbackEntry(ctx, seq); err != nil {
		return nil, err
	}
	return s.put(ctx, &sluice.Feedback{Kind: k, Of: seq, By: by, Source: sluice.SourceAdmin, State: sluice.FeedbackApplied})
}

func (s *shelf) Undo(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	return s.about(ctx, sluice.FeedbackUndo, seq, by)
}

func (s *shelf) Accept(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	return s.about(ctx, sluice.FeedbackAccept, seq, by)
}

func (s *shelf) Reporters(context.Context, int) ([]sluice.Reporter, error) {
	return []sluice.Reporter{{Name: "anna@ours.example", Labels: 41, Agreed: 38.25, Disputed: 1.5, Trust: 0.93, Last: noon}, {Name: "new\x1b[2J", Trust: 0.5}}, nil
}

const mail = "X-Sluice-ID: REF1\r\nFrom: x@bad.example\r\nSubject: You won\r\nMessage-ID: <1@bad.example>\r\n\r\nClick\r\n"

// folder has a message, an mbox of two, and a file that is none.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	line := "From x@bad.example Mon Mar  2 10:00:00 2026\n"
	one := "From: x@bad.example\nSubject: again\n\nClick\n"
	for name, text := range map[string]string{"1.eml": mail, "2.mbox": line + one + "\n" + line + one, "3.bin": "\x00\x01\x02"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// runner runs command lines and writes down what they say.
type runner struct {
	t     *testing.T
	env   *Env
	stdin string
	out   bytes.Buffer
	dir   string
	more  []string // arguments of every line
}

func (r *runner) run(args ...string) {
	r.t.Helper()
	var cmd Command
	var out, errs bytes.Buffer
	r.env.Context, r.env.Stdin, r.env.Stdout, r.env.Stderr = r.t.Context(), strings.NewReader(r.stdin), &out, &errs
	p, err := kong.New(&cmd, kong.Bind(r.env), kong.Exit(func(int) { r.t.Fatal("exit") }), kong.Writers(&out, &errs))
	if err != nil {
		r.t.Fatal(err)
	}
	k, err := p.Parse(append(args, r.more...))
	if err == nil {
		err = k.Run()
	}
	fmt.Fprintf(&r.out, "$ sluice feedback %s\n%s", strings.ReplaceAll(strings.Join(args, " "), r.dir, "DIR"), strings.ReplaceAll(out.String()+errs.String(), r.dir, "DIR"))
	if err != nil {
		fmt.Fprintf(&r.out, "error: %s\n", strings.ReplaceAll(err.Error(), r.dir, "DIR"))
	}
}

// story is what both ways to the log must answer alike.
func (r *runner) story() {
	r.run("list")
	r.run("reporters")
	r.stdin = mail
	r.run("add", "--spam", "--threat", "phish", "--by", "anna@ours.example", "--to", "anna@ours.example", "-")
	r.run("add", "--ham", "--by", "doubtful@ours.example", "-")
	r.run("add", "--spam", filepath.Join(r.dir, "1.eml"), filepath.Join(r.dir, "2.mbox"))
	r.run("list")
	r.run("list", "--state", "held", "--json")
	r.run("list", "--by", "anna@ours.example")
	r.run("list", "-n", "1")
	r.run("show", "1")
	r.run("show", "2")
	r.run("accept", "2")
	r.run("undo", "1", "77", "3")
	r.run("show", "6")
	r.run("show", "6", "--json")
	r.run("show", "99")
	r.run("list", "--kind", "undo")
	r.run("reporters", "--json", "-n", "5")
}

func utc(t *testing.T) {
	t.Helper()
	old := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = old })
}

func TestLocal(t *testing.T) {
	utc(t)
	s := &shelf{Store: memory.New()}
	r := &runner{t: t, dir: folder(t), env: &Env{User: "root", Open: func(_ context.Context, config, data string) (Book, error) {
		if data != "there" || config != "" {
			return nil, fmt.Errorf("asked for %q %q", config, data)
		}
		return s, nil
	}}, more: []string{"--data", "there"}}
	r.story()
	r.run("add", "--spam", r.dir) // a folder, with a file that is no mail
	r.run("add", "--spam", filepath.Join(r.dir, "nowhere"))
	r.run("add", filepath.Join(r.dir, "1.eml"))
	r.run("add", "--spam", "--ham", "-")
	r.run("add", "--ham", "--threat", "phish", "-")
	r.run("add", "--spam", "--threat", "fish", "-")
	r.stdin = ""
	r.run("add", "--spam", "-")
	r.run("list", "-n", "0")
	r.run("list", "--state", "odd")
	r.env.Open = func(context.Context, string, string) (Book, error) { return nil, errors.New("no such folder") }
	r.run("list")
	golden.Check(t, "testdata/local.golden", r.out.Bytes())
	if s.closed < 20 {
		t.Errorf("closed %d times", s.closed)
	}
	if strings.HasPrefix(s.raws[0], "X-Sluice") {
		t.Errorf("our own fields are taught: %q", s.raws[0])
	}
}

// TestRemote asks a real console.
func TestRemote(t *testing.T) {
	utc(t)
	const token = "a-token-of-the-imap-server"
	s := &shelf{Store: memory.New()}
	c, err := console.New(console.Config{Store: s.Store, Labels: s.Store, Teacher: s, Clean: s.Clean, Tokens: map[string]string{token: "imap"}, Clock: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.Handler())
	defer server.Close()
	dir := folder(t)
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &runner{t: t, dir: dir, env: &Env{User: "root", Open: func(context.Context, string, string) (Book, error) { panic("the local log is opened") }},
		more: []string{"--url", server.URL, "--token-file", file}}
	r.story()
	r.more = []string{"--url", server.URL, "--token", "not-the-right-token-at-all"}
	r.run("list")
	r.more = []string{"--url", server.URL}
	r.run("list")
	r.more = []string{"--url", "console.example", "--token", token}
	r.run("list")
	r.more = []string{"--url", server.URL, "--token-file", filepath.Join(dir, "nowhere")}
	r.run("list")
	golden.Check(t, "testdata/remote.golden", r.out.Bytes())
	if strings.HasPrefix(s.raws[0], "X-Sluice") {
		t.Errorf("our own fields are taught: %q", s.raws[0])
	}
}
