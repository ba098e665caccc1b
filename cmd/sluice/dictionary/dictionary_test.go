package dictionary

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIsReply(t *testing.T) {
	for s, want := range map[string]bool{
		"550 5.1.1 no": true, "550": true, "550-5.1.1": true, "spam blocked": true, "ABCD-EFGH-JKLM": false, "5501ABC": false, "note.eml": false, "-": false, "": false, "451MNP": false,
	} {
		if got := IsReply(s); got != want {
			t.Errorf("%q: %v", s, got)
		}
	}
}

func TestReply(t *testing.T) {
	var b bytes.Buffer
	if err := Reply(&b, "552 4.2.2 mailbox full \x1b[31m", false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"means     the recipient's mailbox is full\n", "class     conflict, likely mailbox_full\n", "conflict  the basic code says never"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b[31m") {
		t.Errorf("the reply's control characters reach the terminal: %q", b.String())
	}
	b.Reset()
	if err := Reply(&b, "550 5.1.1 user unknown", true); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Class string `json:"class"`
		Phase string `json:"phase"`
		Fault string `json:"fault"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.Class != "unknown_user" || got.Phase != "rcpt" || got.Fault != "address_list" {
		t.Errorf("%v: %s", err, b.String())
	}
}

func TestBounce(t *testing.T) {
	raw := "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nThe message could not be delivered.\n\n<a@example.org>:\nRemote host said: 550 5.1.1 no such \x1b[31muser\n\n--- Below this line is a copy of the message.\n\nSubject: minutes\nMessage-ID: <m@example.net>\n"
	file := filepath.Join(t.TempDir(), "note.eml")
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if !IsFile(file) || !IsFile("-") || IsFile(file+"x") {
		t.Error("IsFile")
	}
	for _, name := range []string{file, "-"} {
		var b bytes.Buffer
		if err := Bounce(&b, strings.NewReader(raw), name, false); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"about     minutes\n", "a@example.org  failed 5.1.1\n", "means     there is no such mailbox\n"} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", name, want, b.String())
			}
		}
		if strings.Contains(b.String(), "\x1b[31m") {
			t.Error("control characters reach the terminal")
		}
	}
	var b bytes.Buffer
	if err := Bounce(&b, strings.NewReader(raw), "-", true); err != nil || !json.Valid(b.Bytes()) {
		t.Errorf("%v: %s", err, b.String())
	}
	if err := Bounce(&b, nil, file+"x", false); err == nil {
		t.Error("no error for a missing file")
	}
}
