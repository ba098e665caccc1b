package reply

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/reason"
)

func TestLoad(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range d.rules {
		if r.ID == "" || seen[r.ID] {
			t.Errorf("rule %q: the id is empty or stands twice", r.ID)
		}
		seen[r.ID] = true
		if _, ok := classes[r.Class]; !ok {
			t.Errorf("rule %s: unknown class %q", r.ID, r.Class)
		}
		if len(r.Any)+len(r.All) == 0 || len(r.All) > 60 {
			t.Errorf("rule %s: %d phrases of any, %d of all", r.ID, len(r.Any), len(r.All))
		}
		if r.Source == "" || r.Date == "" {
			t.Errorf("rule %s has no source or date", r.ID)
		}
		for _, p := range append(r.Any, r.All...) {
			if n := normal(p); n != p {
				t.Errorf("rule %s: %q can't match: normal form is %q", r.ID, p, n)
			}
		}
	}
}

// TestOwn has every reply that this gateway can give explained by its reason.
func TestOwn(t *testing.T) {
	for _, e := range reason.All() {
		if e.Code == 0 || e.Reply == "" {
			continue
		}
		text := fmt.Sprintf("%d %s Refused: %s; %s. ref ABCD-EFGH-JKLM https://mail.example/why/x", e.Code, e.Enhanced, e.Reply, e.Fix)
		a := Classify(Query{Text: text})
		if got, _ := reason.Lookup(string(a.Reason)); got.Reply != e.Reply {
			t.Errorf("%s is read as %s (%s)", e.ID, a.Reason, a.Rule)
		}
		if a.Code != e.Code || a.Enhanced != e.Enhanced || a.Conflict != "" {
			t.Errorf("%s: %d %s, conflict %q", e.ID, a.Code, a.Enhanced, a.Conflict)
		}
		if a.Temporary != (e.Code < 500) {
			t.Errorf("%s: temporary %v", e.ID, a.Temporary)
		}
	}
}

// TestReplies holds texts in the manner of many receivers, written for this test,
// against what a postmaster would say of them.
func TestReplies(t *testing.T) {
	b, err := os.ReadFile("testdata/replies.txt")
	if err != nil {
		t.Fatal(err)
	}
	for n, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if l == "" || l[0] == '#' {
			continue
		}
		want, text, ok := strings.Cut(l, "\t")
		f := strings.Fields(want)
		if !ok || len(f) != 3 {
			t.Fatalf("line %d: want \"class phase again|never<TAB>reply\"", n+1)
		}
		a := Classify(Query{Text: strings.ReplaceAll(text, `\n`, "\r\n")})
		again := "never"
		if a.Temporary {
			again = "again"
		}
		if got := string(a.Class) + " " + a.Phase.String() + " " + again; got != want {
			t.Errorf("line %d: %s\n got %s (%s; likely %s; %s)\nwant %s", n+1, text, got, a.Rule, a.Likely, a.Conflict, want)
		}
	}
}

func TestCommand(t *testing.T) {
	for text, want := range map[string]string{
		"host mx said: 550 no (in reply to RCPT TO command)": "RCPT", "550 no (in reply to end of DATA command)": "DATA",
		"SMTP error from remote mail server after MAIL FROM:<a@example.org> SIZE=9: 550 no": "MAIL", ">>> RCPT To:<a@example.org>\n<<< 550 no": "RCPT",
		"192.0.2.1 does not like recipient.": "RCPT", "Connected to 192.0.2.1 but sender was rejected.": "MAIL", "refused to talk to me: 554 no": "CONN", "550 no": "", "": "",
	} {
		if got := Command(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestCodes(t *testing.T) {
	for _, c := range []struct {
		text, enhanced string
		code           int
	}{
		{"550 5.1.1 no", "5.1.1", 550}, {"550-5.1.1 no", "5.1.1", 550}, {"smtp;550 #5.1.0 no", "5.1.0", 550}, {"5.2.2 full", "5.2.2", 0}, {"host 192.0.2.250 said: 421 no", "", 421},
		{"220 mx.example ready 554 5.7.1 no", "5.7.1", 554}, {"after MAIL FROM SIZE=550: 451 later", "", 451}, {"version 5.5.1/4 of 12.4.4.4", "", 0}, {"(reason: 552 5.2.2)", "5.2.2", 552}, {"255", "", 0}, {"error 5500", "", 0}, {"", "", 0},
	} {
		if code, enhanced := Codes(c.text); code != c.code || enhanced != c.enhanced {
			t.Errorf("%q: %d %q, want %d %q", c.text, code, enhanced, c.code, c.enhanced)
		}
	}
}

// TestBounded has long and hostile texts cost no more than their first octets.
func TestBounded(t *testing.T) {
	long := strings.Repeat("user unknown spam blocked 550 5.1.1 ", 1<<15)
	a, b := Classify(Query{Text: long}), Classify(Query{Text: long[:MaxText]})
	if diff := cmp.Diff(b, a); diff != "" {
		t.Error(diff)
	}
}

func TestOrder(t *testing.T) {
	// The answer may not hang on the order in which a map is walked.
	text := "550 5.7.1 blocked for policy reasons, spam, listed in a block list, see the spf record of your host"
	want := Classify(Query{Text: text})
	for range 50 {
		if got := Classify(Query{Text: text}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	q := Query{Text: "550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's\r\n550-5.7.26 DMARC policy. Please contact the administrator of example.org domain.\r\n550 5.7.26 x.1 - gsmtp"}
	Classify(q)
	b.ReportAllocs()
	for b.Loop() {
		Classify(q)
	}
}

func BenchmarkClassifyLong(b *testing.B) {
	q := Query{Text: strings.Repeat("user unknown spam blocked 550 5.1.1 ", MaxText/36)}
	b.SetBytes(MaxText)
	b.ReportAllocs()
	for b.Loop() {
		Classify(q)
	}
}
