package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCurrent fails where the catalogue changed after the last go generate.
func TestCurrent(t *testing.T) {
	const dir = "../.."
	files, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the catalogue says: run go generate ./reason", name)
		}
	}
}

// good is a faultless entry; the tests below spoil one line of it at a time.
const good = `[[reason]]
id = "A_REASON"
group = "link"
phase = "message"
threat = "phish"
points = 4.0
hard = ""
weight = "judged: a test"
code = 550
enhanced = "5.7.1"
reply = "a link lies"
fix = "link openly"
page = "Words."
user = "Words."
admin = "Words."
source = "practice"
`

func TestGood(t *testing.T) {
	es, err := parse("x.toml", []byte(good))
	if err != nil || len(es) != 1 {
		t.Fatalf("parse = %d entries, %v", len(es), err)
	}
	src, err := goSource(es)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`AReason = "A_REASON" // a link lies`, `Points: 4, Hard: "", Code: 550, Enhanced: "5.7.1"`} {
		if !strings.Contains(string(src), want) {
			t.Errorf("source lacks %s:\n%s", want, src)
		}
	}
}

func TestFaults(t *testing.T) {
	long := strings.Repeat("x", maxReply+1)
	tests := []struct{ old, new, want string }{
		{`id = "A_REASON"`, `id = "a reason"`, `x.toml:2: id: "a reason": want upper-case words`},
		{`id = "A_REASON"`, `id = "LOOKUP"`, `x.toml:2: id: "LOOKUP": its constant would hide reason.Lookup`},
		{`id = "A_REASON"`, ``, `x.toml:1: id: ""`},
		{`group = "link"`, `group = "links"`, `x.toml:3: group: "links" is none of`},
		{`phase = "message"`, ``, `x.toml:1: phase: "" is none of`},
		{`threat = "phish"`, `threat = "ham"`, `x.toml:5: threat: "ham" is none of`},
		{`hard = ""`, `hard = "hard"`, `x.toml:7: hard: "hard" is none of`},
		{`hard = ""`, `hard = "stop"`, `x.toml:6: points: a hard reason stands outside the sum`},
		{`points = 4.0`, ``, `x.toml:1: points: missing`},
		{`points = 4.0`, `points = 6.1`, `x.toml:6: points: 6.1: a judged soft reason has at most 6`},
		{`points = 4.0`, `points = -6.1`, `x.toml:6: points: -6.1: a judged soft reason has at most 6`},
		{`points = 4.0`, `points = nan`, `x.toml:6: points: NaN is beyond 30`},
		{`points = 4.0`, `points = inf`, `x.toml:6: points: +Inf is beyond 30`},
		{`points = 4.0`, `points = "4"`, `x.toml:6:10: `},
		{`group = "link"`, `group = "delivery"`, `x.toml:6: points: a delivery reason is never evidence`},
		{`weight = "judged: a test"`, `weight = "guessed: a test"`, `x.toml:8: weight: "guessed: a test": want`},
		{`weight = "judged: a test"`, `weight = "judged: "`, `x.toml:8: weight:`},
		{`code = 550`, ``, `x.toml:1: code: missing`},
		{`code = 550`, `code = 250`, `x.toml:9: code: 250 is no known refusal`},
		{`code = 550`, `code = 451`, `x.toml:10: enhanced: 5.7.1 and code 451 disagree`},
		{`code = 550`, `code = 0`, `x.toml:10: enhanced: "5.7.1" without a code`},
		{`enhanced = "5.7.1"`, `enhanced = "5.7"`, `x.toml:10: enhanced: "5.7": want class.subject.detail`},
		{`enhanced = "5.7.1"`, `enhanced = "5.7.99"`, `x.toml:10: enhanced: X.7.99 is not registered`},
		{`reply = "a link lies"`, `reply = ""`, `x.toml:11: reply: missing`},
		{`reply = "a link lies"`, `reply = "` + long + `"`, `x.toml:11: reply: 121 octets, at most 120`},
		{`reply = "a link lies"`, `reply = "ein Lügenlink"`, `x.toml:11: reply: printable ASCII only`},
		{`reply = "a link lies"`, `reply = "a link\r\n250 lies"`, `x.toml:11: reply: printable ASCII only`},
		{`reply = "a link lies"`, `reply = "a link lies."`, `x.toml:11: reply: ends with '.'`},
		{`reply = "a link lies"`, `reply = "a link; it lies"`, `x.toml:11: reply: holds a semicolon`},
		{`reply = "a link lies"`, `reply = "Some link lies"`, `x.toml:11: reply: starts with a capital`},
		{`fix = "link openly"`, `fix = "link openly "`, `x.toml:12: fix: begins or ends with a space`},
		{`reply = "a link lies"` + "\n" + `fix = "link openly"`, `reply = "` + long[:100] + `"` + "\n" + `fix = "` + long[:91] + `"`, `x.toml:12: fix: reply and fix have 191 octets`},
		{`page = "Words."`, ``, `x.toml:1: page: missing`},
		{`user = "Words."`, `user = " "`, `x.toml:14: user: missing`},
		{`admin = "Words."`, `admin = "\u001b[31m"`, `x.toml:15: admin: holds a control character`},
		{`source = "practice"`, `sources = "practice"`, `x.toml:16:1: unknown key "reason.sources"`},
		{`source = "practice"`, `source = "practice`, `x.toml:16:`},
		{`[[reason]]`, `[[reasons]]`, `x.toml:1:3: unknown key "reasons"`},
	}
	for _, tt := range tests {
		text := strings.Replace(good, tt.old, tt.new, 1)
		if _, err := parse("x.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s -> %s:\n got %v\nwant …%s…", tt.old, tt.new, err, tt.want)
		}
	}
}

func TestDuplicates(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.toml": good,
		"b.toml": "# a comment\n" + good,
		"c.toml": strings.ReplaceAll(good, "A_REASON", "NO_CRLF") + strings.ReplaceAll(good, "A_REASON", "NO_CR_LF"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := readCatalogue(dir)
	for _, want := range []string{
		"b.toml:3: id A_REASON is taken at a.toml:2",
		"c.toml:18: id NO_CR_LF gives the constant NoCRLF, as NO_CRLF does at c.toml:2",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := readCatalogue(t.TempDir()); err == nil {
		t.Error("an empty catalogue is no error")
	}
}

func TestDocument(t *testing.T) {
	text := strings.Replace(good, `page = "Words."`, `page = "A <form> | a table."`, 1)
	es, err := parse("x.toml", []byte(strings.Replace(text, `admin = "Words."`, `admin = "A <form> | a table."`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	doc := string(document(es))
	for _, want := range []string{
		"## Link\n",
		"| [`A_REASON`](#a_reason) | +4.0 | 550 5.7.1 | A &lt;form> \\| a table. |\n",
		"### A_REASON\n\nA &lt;form> | a table.\n\n- Reply: `550 5.7.1` a link lies; link openly.\n",
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("document lacks %q:\n%s", want, doc)
		}
	}
}

func TestConstName(t *testing.T) {
	for id, want := range map[string]string{
		"BARE_LF": "BareLF", "HELO_NO_FQDN": "HeloNoFQDN", "EICAR": "EICAR", "GTUBE": "GTUBE", "NO_8BIT_ROUTE": "No8BitRoute",
		"NO_SMTPUTF8_ROUTE": "NoSMTPUTF8Route", "DMARC_POLICY_QUARANTINE": "DMARCPolicyQuarantine", "PRIOR": "Prior", "RECEIVED_100": "Received100",
	} {
		if got := constName(id); got != want {
			t.Errorf("constName(%s) = %s, want %s", id, got, want)
		}
	}
}
