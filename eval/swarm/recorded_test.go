package swarm

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/eval/swarm/talk"
)

// TestRecorded compares what a program of the table says with what the real one
// said when it was recorded: commands, their order, and what came in one piece.
func TestRecorded(t *testing.T) {
	dir := filepath.Join("..", "..", "learn", "dialect", "testdata", "recorded")
	for program, file := range map[string]string{"postfix": "postfix", "exim": "exim", "sendmail": "sendmail", "opensmtpd": "opensmtpd-smtp",
		"swaks": "swaks", "curl": "curl", "smtplib": "python-smtplib", "msmtp-user": "msmtp"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(filepath.Join(dir, file+".txt"))
			if err != nil {
				t.Skipf("no recording: %v", err)
			}
			for _, v := range []struct {
				variant string
				rcpts   []string
				exists  bool
			}{
				{"plain", []string{"one@sluice.example"}, true},
				{"two recipients", []string{"one@sluice.example", "two@sluice.example"}, true},
				{"recipient unknown", []string{"one@sluice.example"}, false},
			} {
				want := recording(t, string(b), v.variant)
				if program == "sendmail" && !v.exists {
					continue // the recording goes on with a bounce
				}
				got := spoken(t, program, v.rcpts, v.exists)
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: the recording (-) and the swarm (+) differ:\n%s", v.variant, d)
				}
			}
		})
	}
}

var (
	spelled = strings.NewReplacer("<one@sluice.example>", "<r>", "<two@sluice.example>", "<r>", ";one@", ";r@", ";two@", ";r@", " BODY=8BITMIME", "")
	digits  = regexp.MustCompile(`(?i)( SIZE=| size=|BDAT )[0-9]+`)
)

// shape is a command without what differs between messages.
func shape(l string, more bool) string {
	l = digits.ReplaceAllString(spelled.Replace(l), "${1}n")
	if more && !strings.HasPrefix(l, "BDAT") {
		return "+ " + l
	}
	return "  " + l
}

// recording is the commands of one variant of a recording.
func recording(t *testing.T, text, variant string) []string {
	t.Helper()
	var out []string
	in := false
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		word, rest, _ := strings.Cut(l, " ")
		switch {
		case word == "variant":
			in = rest == variant
		case in && (word == "C" || word == "C+"):
			s, err := strconv.Unquote(rest)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, shape(s, word == "C+"))
		}
	}
	if len(out) == 0 {
		t.Skipf("the recording has no variant %q", variant)
	}
	return out
}

// spoken is what a program of the table says.
func spoken(t *testing.T, program string, rcpts []string, exists bool) []string {
	t.Helper()
	s := &plain{offers: []string{"8BITMIME", "SMTPUTF8", "DSN", "PIPELINING", "SIZE 1000000", "CHUNKING"}, exists: func(string) bool { return exists }}
	m := &talk.Mail{From: "sender@client.example", Body: []byte("Subject: a\r\n\r\nb\r\n")}
	for _, r := range rcpts {
		m.Rcpts = append(m.Rcpts, talk.Recipient{Addr: r})
	}
	x := &talk.Session{Helo: "host.client.example", Honest: true}
	for _, p := range programs {
		if p.name == program {
			cfg := talk.Config{Addr: s.start(t), Dialect: p.dialect, Rand: seeded(1, program), Patience: 5 * time.Second}
			talk.Run(context.Background(), cfg, x, func(c *talk.Client) error { return c.Converse([]*talk.Mail{m}) })
		}
	}
	s.l.Close()
	s.wg.Wait()
	var out []string
	for i, l := range s.talks[0].lines {
		out = append(out, shape(l, s.talks[0].more[i]))
	}
	return out
}
