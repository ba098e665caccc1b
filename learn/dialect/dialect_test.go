package dialect_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"sluice"
	"sluice/internal/golden"
	"sluice/learn/dialect"
)

// The files say what the code makes of their own transcripts, so that ids and
// words that somebody may have learned don't change unseen.
func TestRecordedFiles(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("testdata", "recorded", "*.txt"))
	if err != nil || len(names) < 10 {
		t.Fatalf("%d recordings, %v", len(names), err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		rs, err := dialect.ParseRecordings(string(b))
		if err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		golden.Check(t, n, []byte(dialect.FormatRecordings(rs, dialect.OurName))) // scripts/record-dialects --words rewrites them
	}
}

// ownChoice are clients that speak differently by their own setting or by what the
// message needs: these use EHLO only where they need an extension.
var ownChoice = map[string][]string{
	"Mutt":       {"8-bit text"},
	"nullmailer": {"STARTTLS", "greylisted over STARTTLS"},
	"s-nail":     {"STARTTLS", "greylisted over STARTTLS"},
	"ssmtp":      {"STARTTLS", "greylisted over STARTTLS"},
}

// A client's id is the same whatever we offer, refuse, and whatever it sends.
func TestIDIsStable(t *testing.T) {
	type key struct {
		client string
		stage  dialect.Stage
	}
	ids := map[key]string{}
	for _, r := range dialect.Recordings() {
		if slices.Contains(ownChoice[r.Client], r.Variant) {
			continue
		}
		d := r.Replay(dialect.OurName)
		for _, s := range []dialect.Stage{dialect.StageHello, dialect.StageMail, dialect.StageRcpt, dialect.StageData} {
			id := dialect.ID(d, s)
			k := key{r.Client, s}
			switch {
			case id == "":
			case ids[k] == "":
				ids[k] = id
			case ids[k] != id:
				t.Errorf("%s: %s: id at %s is %s, was %s: %s", r.Client, r.Variant, s, id, ids[k], dialect.Describe(d))
			}
		}
	}
	// And it tells programs apart.
	different := map[string]bool{}
	for k, id := range ids {
		if k.stage == dialect.StageData {
			different[id] = true
		}
	}
	if len(different) < 6 {
		t.Errorf("%d different ids of %d programs", len(different), len(ids)/4)
	}
}

// Every recorded client is free of unusual marks and never contradicts its own
// name, at any stage.
func TestHonestClients(t *testing.T) {
	for _, r := range dialect.Recordings() {
		d := r.Replay(dialect.OurName)
		if u := dialect.Unusual(d); len(u) > 0 {
			t.Errorf("%s, %s: %v", r.Client, r.Variant, u)
		}
		for _, s := range dialect.Stages() {
			if why := dialect.Contradiction(r.Client, d, s); why != "" {
				t.Errorf("%s, %s: %s", r.Client, r.Variant, why)
			}
			if dialect.Reached(d, s) && !slices.Contains(dialect.Clients(d, s), r.Client) {
				t.Errorf("%s, %s: Clients at %s: %v", r.Client, r.Variant, s, dialect.Clients(d, s))
			}
		}
	}
}

// A program found in no recording would have to be a mistake in the table, so every
// recording counts: without Sendmail's, Sendmail is unusual.
func TestEveryRecordingCounts(t *testing.T) {
	for client, words := range map[string]string{"Sendmail": "FROM mixed case", "Python smtplib": "MAIL lower case"} {
		found := false
		for _, r := range dialect.Recordings() {
			found = found || r.Client == client && strings.Contains(dialect.Describe(r.Replay(dialect.OurName)), words)
		}
		if !found {
			t.Errorf("no recording of %s with %q", client, words)
		}
	}
}

// speak is a conversation in which every command is taken, but for codes that are
// given; each string is a piece that may hold several lines.
func speak(codes map[string]int, pieces ...string) *dialect.Trace {
	var t dialect.Trace
	for _, p := range pieces {
		for p != "" {
			i := strings.IndexByte(p, '\n') + 1
			if i == 0 {
				i = len(p)
			}
			line := p[:i]
			p = p[i:]
			t.Command([]byte(line), dialect.OurName, p != "")
			code := 250
			for prefix, c := range codes {
				if strings.HasPrefix(strings.ToUpper(line), prefix) {
					code = c
				}
			}
			t.Reply(code)
		}
	}
	return &t
}

// What bots and sloppy scripts do.
func TestUnusual(t *testing.T) {
	for _, tc := range []struct {
		name   string
		codes  map[string]int
		pieces []string
		ended  string
		want   string
	}{
		{"lower case, no brackets", nil, []string{"helo bot\r\n", "mail from: a@b.example\r\n", "rcpt to: c@d.example\r\n", "data\r\n"}, "lost",
			"FROM in lower case; TO in lower case; a space after the colon of MAIL; no angle brackets at MAIL; a space after the colon of RCPT; no angle brackets at RCPT"},
		{"space after the colon", nil, []string{"EHLO a.example\r\n", "MAIL FROM: <a@b.example>\r\n"}, "", "a space after the colon of MAIL"},
		{"space before the colon", nil, []string{"EHLO a.example\r\n", "MAIL FROM :<a@b.example>\r\n"}, "", "a space before the colon of MAIL"},
		{"capitals", nil, []string{"Ehlo a.example\r\n", "Mail From:<a@b.example>\r\n", "Rcpt To:<c@d.example>\r\n", "Data\r\n"}, "quit",
			"greeting in mixed case; MAIL in mixed case; RCPT in mixed case; DATA in mixed case"},
		{"odd spaces", nil, []string{"EHLO  a.example \r\n", "MAIL  FROM:<a@b.example> \r\n", "RCPT TO:< c@d.example >\r\n", "DATA \r\n"}, "",
			"more than one space in the greeting; a space behind the name in the greeting; odd spaces in MAIL; a space at the end of MAIL; odd spaces in RCPT; odd spaces at DATA"},
		{"tab", nil, []string{"EHLO\ta.example\r\n"}, "", "more than one space in the greeting; a tab in a command"},
		{"AUTH on port 25", map[string]int{"AUTH": 502}, []string{"EHLO a.example\r\n", "AUTH LOGIN\r\n", "MAIL FROM:<a@b.example>\r\n"}, "", "AUTH though not offered"},
		{"LF", nil, []string{"EHLO a.example\n"}, "", "lines that end with LF alone"},
		{"garbage", map[string]int{"FOO": 500}, []string{"EHLO a.example\r\n", "FOO\r\n"}, "", "a line that is no command"},
		{"deaf", map[string]int{"MAIL": 550}, []string{"EHLO a.example\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n"}, "", "goes on after a refusal"},
		{"pipelines after a refusal", map[string]int{"MAIL": 550, "RCPT": 503}, []string{"EHLO a.example\r\n", "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", "QUIT\r\n"}, "quit", ""},
		{"varies", nil, []string{"EHLO a.example\r\n", "MAIL FROM:<a@b.example>\r\n", "RSET\r\n", "mail FROM:<a@b.example>\r\n"}, "", "changes its ways"},
		{"plain", nil, []string{"HELO a.example\r\n", "MAIL FROM:<\"a >b\"@b.example> BODY=8BITMIME\r\n", "RCPT TO:<c@d.example>\r\n", "DATA\r\n", "QUIT\r\n"}, "quit", ""},
	} {
		tr := speak(tc.codes, tc.pieces...)
		tr.End(tc.ended)
		if got := strings.Join(dialect.Unusual(tr.Value()), "; "); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s\n%s", tc.name, got, tc.want, dialect.Describe(tr.Value()))
		}
	}
	var early dialect.Trace
	early.Early()
	if d := early.Value(); dialect.ID(d, dialect.StageHello) == "" || !strings.Contains(dialect.Describe(d), "before the greeting") {
		t.Errorf("early talker: %s", dialect.Describe(d))
	}
}

func TestDescribe(t *testing.T) {
	tr := speak(map[string]int{"RCPT": 550, "DATA": 554}, "EHLO [192.0.2.1]\r\n", "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\n", "RCPT TO:<c@d.example>\r\n", "DATA\r\n", "QUIT\r\n")
	const want = "EHLO with an address literal; upper case; SIZE; BODY; after 5xx to a recipient: DATA all the same; QUIT"
	if got := dialect.Describe(tr.Value()); got != want {
		t.Errorf("got %s", got)
	}
}

func TestForms(t *testing.T) {
	for arg, want := range map[string]string{
		"mail.example.org": "a domain name", "mail": "a bare word", "[192.0.2.1]": "an address literal", "[IPv6:2001:db8::1]": "an IPv6 literal",
		"192.0.2.1": "a bare address", "2001:db8::1": "a bare address", "localhost": "localhost", "my_pc.example": "a name with an underscore",
		"MX.Sluice.example": "our own name", "two words": "several words", "": "no name", "a:b": "no name of a host", "1.example": "a domain name",
	} {
		tr := speak(nil, "EHLO "+arg+"\r\n")
		if got := dialect.Describe(tr.Value()); !strings.Contains(got, "EHLO with "+want) {
			t.Errorf("%q: %s, want %s", arg, got, want)
		}
	}
}

func TestTiming(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "within 1 ms", 5 * time.Millisecond: "within 20 ms", time.Second / 2: "within 1 s", time.Minute: "after more than 1 s"} {
		tr := speak(nil, "EHLO a.example\r\n")
		tr.Waited(d)
		tr.Command([]byte("MAIL FROM:<a@b.example>\r\n"), "", false)
		if got := dialect.Describe(tr.Value()); !strings.Contains(got, "MAIL "+want) {
			t.Errorf("%v: %s", d, got)
		}
		if dialect.ID(tr.Value(), dialect.StageMail) != dialect.ID(speak(nil, "EHLO a.example\r\n", "MAIL FROM:<a@b.example>\r\n").Value(), dialect.StageMail) {
			t.Errorf("%v changes the id", d)
		}
	}
}

func TestContradiction(t *testing.T) {
	python := speak(nil, "ehlo a.example\r\n", "mail FROM:<a@b.example> size=10\r\n", "rcpt TO:<c@d.example>\r\n", "data\r\n").Value()
	spaces := speak(nil, "EHLO a.example\r\n", "MAIL FROM: <a@b.example>\r\n", "RCPT TO: <c@d.example>\r\n", "DATA\r\n").Value()
	// Postfix behind a firewall that takes PIPELINING away, sending from a pipe.
	tame := speak(nil, "HELO host\r\n", "MAIL FROM:<a@b.example>\r\n", "RCPT TO:<c@d.example>\r\n", "DATA\r\n").Value()
	for _, tc := range []struct {
		claim string
		d     sluice.Dialect
		want  string
	}{
		{"Postfix", python, "Postfix writes greeting in upper case, this client in lower case"},
		{"Python smtplib", python, ""},
		{"Exim", spaces, "this client has a space after the colon of MAIL, Exim never"},
		{"Sendmail", tame, "Sendmail writes FROM in mixed case, this client in upper case"},
		{"Postfix", tame, ""},
		{"Nobody knows", python, ""},
	} {
		if got := dialect.Contradiction(tc.claim, tc.d, dialect.StageData); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.claim, got, tc.want)
		}
	}
}

func TestClaims(t *testing.T) {
	for _, tc := range []struct{ helo, mailer, domain, want string }{
		{"mail-a.google.com", "", "", "Google"}, {"google.com.evil.example", "", "", ""}, {"notgoogle.com", "", "", ""},
		{"a.example", "from x by a.example (Postfix) with ESMTP id 1", "", "Postfix"},
		{"a.example", "by a.example (Postfix, from userid 0)", "", "Postfix"},
		{"a.example", "from x by a.example with esmtps (Exim 4.96)", "", "Exim"},
		{"a.example", "from x by a.example (8.17.1/8.17.1/Debian-2) with ESMTP", "", "Sendmail"},
		{"a.example", "by a.example (8.17.1) with ESMTP", "", ""},
		{"a.example", "swaks v20201014.0 jetmore.org/john/code/swaks/", "", "swaks"},
		{"a.example", "Mutt/2.2.9", "gmail.com", "Google"},
		{"", "", "", ""},
	} {
		var names []string
		for _, c := range dialect.Claims(tc.helo, tc.mailer, tc.domain) {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}

func TestSizeOfTrace(t *testing.T) {
	if n := unsafe.Sizeof(dialect.Trace{}); n > 64 {
		t.Errorf("%d octets", n)
	}
}

// At whatever point an id is asked, it is the same later, and so are ids of stages
// behind which the conversation is.
func TestIDIsStableLater(t *testing.T) {
	lines := []string{"EHLO a.example\r\n", "HELO b\r\n", "MAIL FROM:<>\r\n", "mail from: x\r\n", "RCPT TO:<a@b>\r\n", "rcpt to:a\r\n", "DATA\r\n", "BDAT 1 LAST\r\n", "RSET\r\n",
		"NOOP\r\n", "STARTTLS\r\n", "AUTH PLAIN\r\n", "QUIT\r\n", "XYZ\n", "\t\r\n", "VRFY a\r\n", "MAIL FROM:<a@b> BODY=8BITMIME SIZE=1\r\n"}
	rapid.Check(t, func(t *rapid.T) {
		var tr dialect.Trace
		ids := map[dialect.Stage]string{}
		for range rapid.IntRange(0, 30).Draw(t, "commands") {
			tr.Command([]byte(rapid.SampledFrom(lines).Draw(t, "line")), "own", rapid.Bool().Draw(t, "more"))
			if rapid.Bool().Draw(t, "tls") {
				tr.TLS()
			}
			tr.Reply(rapid.SampledFrom([]int{250, 354, 450, 502, 550}).Draw(t, "code"))
			for _, s := range []dialect.Stage{dialect.StageHello, dialect.StageMail, dialect.StageRcpt, dialect.StageData} {
				id := dialect.ID(tr.Value(), s)
				if ids[s] != "" && ids[s] != id {
					t.Fatalf("id at %s was %s and is %s", s, ids[s], id)
				}
				ids[s] = id
				if up := dialect.ID(dialect.Upto(tr.Value(), s), s); up != id {
					t.Fatalf("Upto(%s) has id %s, want %s", s, up, id)
				}
			}
		}
	})
}

func FuzzTrace(f *testing.F) {
	for _, s := range []string{"EHLO a\r\nMAIL FROM:<a@b> SIZE=1\r\nRCPT TO:<c@d>\r\nDATA\r\nQUIT\r\n", "mail from: \"a\\", "MAIL", "MAIL FROM", "MAIL FROM:<", "HELO \t [", "BDAT", "DATA \n", "\r\n", "STARTTLS\r\nEHLO ::1\r\n", "RCPT TO:<\"\\\">"} {
		f.Add([]byte(s), uint16(250))
	}
	f.Fuzz(func(t *testing.T, b []byte, code uint16) {
		var tr dialect.Trace
		for len(b) > 0 {
			i := slices.Index(b, '\n') + 1
			if i == 0 {
				i = len(b)
			}
			tr.Command(b[:i], dialect.OurName, i < len(b))
			tr.Reply(int(code))
			b = b[i:]
		}
		tr.End(sluice.EndedLost)
		d := tr.Value()
		for _, s := range dialect.Stages() {
			if id := dialect.ID(d, s); (id != "") != dialect.Reached(d, s) || len(id) > 14 {
				t.Errorf("id %q at %s", id, s)
			}
			dialect.Clients(d, s)
			dialect.Contradiction("Postfix", d, s)
		}
		if n := len(dialect.Describe(d)); n > 2000 {
			t.Errorf("%d octets of words", n)
		}
		for _, w := range dialect.Unusual(d) {
			if w == "" {
				t.Error("an empty word")
			}
		}
	})
}

// FuzzDescribe has values that no trace makes: a door may be wrong, and a database
// old.
func FuzzDescribe(f *testing.F) {
	f.Add(uint64(0), uint64(0))
	f.Add(^uint64(0), ^uint64(0))
	f.Fuzz(func(t *testing.T, marks, order uint64) {
		d := sluice.Dialect{Marks: marks, Order: order}
		dialect.Describe(d)
		dialect.Unusual(d)
		for _, s := range dialect.Stages() {
			dialect.ID(dialect.Upto(d, s), s)
			dialect.Clients(d, s)
			dialect.Contradiction("Exim", d, s)
		}
	})
}

func FuzzParseRecordings(f *testing.F) {
	for _, r := range dialect.Recordings()[:3] {
		f.Add(dialect.FormatRecordings([]dialect.Recording{r}, dialect.OurName))
	}
	f.Fuzz(func(t *testing.T, text string) {
		rs, err := dialect.ParseRecordings(text)
		if err != nil || len(rs) == 0 {
			return
		}
		once := dialect.FormatRecordings(rs[:1], dialect.OurName)
		again, err := dialect.ParseRecordings(once)
		if err != nil || dialect.FormatRecordings(again, dialect.OurName) != once {
			t.Errorf("%v: %q", err, once)
		}
	})
}

func BenchmarkTrace(b *testing.B) {
	lines := [][]byte{[]byte("EHLO mail.example.org\r\n"), []byte("MAIL FROM:<sender@example.org> SIZE=12345 BODY=8BITMIME\r\n"), []byte("RCPT TO:<recipient@example.net> ORCPT=rfc822;recipient@example.net\r\n"), []byte("DATA\r\n"), []byte("QUIT\r\n")}
	b.ReportAllocs()
	for b.Loop() {
		var t dialect.Trace
		for _, l := range lines {
			t.Command(l, dialect.OurName, false)
			t.Reply(250)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(lines)), "ns/command")
}

func TestTraceAllocatesNothing(t *testing.T) {
	line := []byte("MAIL FROM:<sender@example.org> SIZE=12345\r\n")
	hello := []byte("EHLO 2001:db8::1\r\n")
	if n := testing.AllocsPerRun(100, func() {
		var tr dialect.Trace
		tr.Command(hello, dialect.OurName, false)
		tr.Command(line, dialect.OurName, false)
		tr.Reply(250)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
