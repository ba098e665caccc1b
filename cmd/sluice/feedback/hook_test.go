package feedback

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/console"
	"sluice/store/memory"
)

// TestHook runs the script that IMAP servers call, against a console.
func TestHook(t *testing.T) {
	if out, err := exec.Command("curl", "--help", "all").Output(); err != nil || !bytes.Contains(out, []byte("--url-query")) {
		t.Skip("no curl 7.87 or later")
	}
	script, err := os.ReadFile("../../../scripts/imapsieve/sluice-report")
	if err != nil {
		t.Fatal(err)
	}
	s := &shelf{Store: memory.New()}
	c, err := console.New(console.Config{Store: s.Store, Labels: s.Store, Teacher: s, Clean: s.Clean, Tokens: map[string]string{"a-token-of-the-imap-server": "imap"},
		Clock: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c.Handler())
	defer server.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"sluice-report": string(script), "header": "Authorization: Bearer a-token-of-the-imap-server\n",
		"sluice-report.conf": "url=" + server.URL + "\nheader=" + filepath.Join(dir, "header") + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := func(stdin string, args ...string) error {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sluice-report"), args...)
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // Dovecot hands over next to nothing
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	for _, args := range [][]string{{"spam", "anna&spam=0+x@ours.example"}, {"ham", "bert@ours.example"}} {
		if err := run(mail, args...); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	for _, args := range [][]string{{"spam"}, {"eggs", "anna"}, {}, {"spam", strings.Repeat("a", 300)}} {
		if run(mail, args...) == nil {
			t.Errorf("%q: no error", args)
		}
	}
	list, err := s.ListFeedback(t.Context(), sluice.FeedbackQuery{})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d labels, %v", len(list), err)
	}
	got := fmt.Sprintf("%v %s %v %s, %v %s", list[1].Spam, list[1].By, list[1].To, list[1].Source, list[0].Spam, list[0].By)
	if got != "true anna&spam=0+x@ours.example [anna&spam=0+x@ours.example] folder, false bert@ours.example" {
		t.Error(got)
	}
	_, want, _ := strings.Cut(mail, "\r\n")
	if s.raws[0] != want {
		t.Errorf("the message came as %q", s.raws[0])
	}
}
