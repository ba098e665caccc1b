package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/eval"
	"sluice/message"
	"sluice/reason"
)

func parse(fields, body string) *message.Message {
	return message.Parse([]byte(strings.ReplaceAll(fields+"\nContent-Type: text/html; charset=utf-8\n\n"+body, "\n", "\r\n")), message.DefaultLimits())
}

func TestKinds(t *testing.T) {
	for _, c := range []struct{ fields, body, want string }{
		{"Subject: Your account is locked", "Verify your password here", "credentials"},
		{"Subject: Ihr Konto wurde gesperrt", "Bitte bestätigen Sie", "credentials"},
		{"Subject: Your parcel is waiting", "Customs asks for a shipping fee", "parcel"},
		{"Subject: Invoice 12", "Your subscription renewal has been charged. Call us at our helpline.", "invoice or call-back"},
		{"Subject: I hacked you", "I recorded you with your webcam. Pay to this bitcoin address.", "extortion"},
		{"Subject: Airdrop", "Connect your wallet to claim the token", "crypto or investment"},
		{"Subject: John shared a document with you", "Open it in SharePoint", "document or message shared"},
		{"Subject: Congratulations, winner", "Claim your gift card after a short survey", "prize or survey"},
		{"Subject: Next of kin", "The beneficiary of the fund", "money offered or asked"},
		{"Subject: Hi", "<img src=\"https://x.example/1.png\">", picture},
		{"Subject: Hi", "Meet me", otherKind},
	} {
		if got := kindOf(parse(c.fields, c.body)); got != c.want {
			t.Errorf("%s: %s, want %s", c.fields, got, c.want)
		}
	}
	file := "Subject: Hi\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee\n--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=a.pdf\n\nx\n--b--\n"
	if got := kindOf(message.Parse([]byte(strings.ReplaceAll(file, "\n", "\r\n")), message.DefaultLimits())); got != attached {
		t.Errorf("a file: %s", got)
	}
}

func TestCauses(t *testing.T) {
	for _, c := range []struct {
		from, body string
		score      float64
		want       string
	}{
		{"x@evil.example", "Hello", heldAt - 1, "near the threshold, by 3 dB"},
		{"PayPal <x@walgreens.com>", "Hello", -5, "from the brand's own address, and nobody could ask whether it is proved"},
		{"x@docusign.net", "Hello", -5, "a platform sends what its users write"},
		{"x@gmail.com", "Hello", -5, "a mailbox at a provider"},
		{"x@evil.example", "<img src=\"https://x.example/1.png\">", -5, "a file or picture has it all"},
		{"x@evil.example", strings.Repeat("words ", 50), -5, "nothing to follow but an answer"},
		{"x@evil.example", strings.Repeat("words ", 50) + `<a href="https://bit.ly/x">x</a>`, -5, "leads to a platform, a shortener or a counter of clicks"},
		{"x@evil.example", strings.Repeat("слова ", 50) + `<a href="https://a.example/x">x</a>`, -5, "a script that the text model hardly knows"},
		{"x@evil.example", strings.Repeat("words ", 50) + `<a href="https://a.example/x">x</a>`, -5, "no brand is named, or none that is listed"},
	} {
		p := phish{Judged: eval.Judged{Score: c.score}, m: parse("From: "+c.from, c.body)}
		if got := causeOf(&p); got != c.want {
			t.Errorf("%s, %.30s: %s, want %s", c.from, c.body, got, c.want)
		}
	}
}

// The whole command, on a few made-up messages.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	split, scan := "path\tgroup\tyear\tpart\n", ""
	write := func(path, year, fields, body, verdict string) {
		full := filepath.Join(dir, "corpora", filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(fields+"\n\n"+body), 0o600); err != nil {
			t.Fatal(err)
		}
		split += path + "\t" + path + "\t" + year + "\ttest\n"
		scan += fmt.Sprintf("{\"file\":%q,%s}\n", path, verdict)
	}
	write("lists_2019_2026/ham/1.eml", "2020", "From: a@b.example", "Hi", `"verdict":{"points":-9,"action":"accept"}`)
	write("phishing_pot/phish/1.eml", "2023", "From: a@gmail.com\nSubject: Your account", "Verify your password", `"verdict":{"points":-4,"action":"accept"}`)
	write("phishing_pot/phish/2.eml", "2024", "From: a@b.example\nSubject: Your parcel", "Customs", fmt.Sprintf(
		`"verdict":{"points":16,"action":"quarantine"},"evidence":[{"id":%q,"group":"text","raw":19},{"id":%q,"group":"link","raw":5.5}]`, reason.TextSpam, reason.LinkNoneOwn))
	if err := os.WriteFile(filepath.Join(dir, "corpora", "SPLIT.tsv"), []byte(split), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run([]string{"-shared", dir, "-list", "1"}, strings.NewReader(scan), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"phishing_pot: 2 messages; good: 1", "2024", "parcel", "family, of 1 held", "TEXT_SPAM", "why of 1 that passed (0 of them tagged)", "a mailbox at a provider: phishing_pot/phish/1.eml"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := run([]string{"-shared", dir, "-corpus", "none"}, strings.NewReader(scan), &out); err == nil {
		t.Error("an empty collection has figures")
	}
}
