package rules

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/internal/golden"
	"sluice/reason"
)

func compiled(t testing.TB, list ...Rule) *Set {
	t.Helper()
	s, problems := Compile(list)
	for _, p := range problems {
		t.Errorf("%s", p)
	}
	return s
}

func one(when string) Rule { return Rule{Name: "r", When: when, Points: 3, Why: "a test"} }

// ask says whether an expression is true of a message, in whatever phase.
func ask(t testing.TB, when string, in *check.Input) bool {
	t.Helper()
	s := compiled(t, one(when))
	ev := checktest.Run(t, Checks(Config{Current: func() *Set { return s }}), in)
	for _, e := range ev {
		if e.State != sluice.Found {
			t.Errorf("%s: %s", when, e.Detail)
		}
	}
	return len(ev) > 0
}

var letter = checktest.Mail(`From: "Bob Jones" <Bob@Mail.Example.org>
Reply-To: other@example.com
Subject: =?utf-8?q?Your_Inv=C3=B6ice?=
X-Mailer: PHPMailer 6
Content-Type: multipart/mixed; boundary=b`, `--b
Content-Type: text/html

<p>Buy a Gift
 Card at <a href="https://shop.evil.example/x">this site</a> or <a href="http://example.net/">here</a>.</p>
--b
Content-Type: application/octet-stream; name="Bill.EXE"
Content-Disposition: attachment; filename="Bill.EXE"

x
--b--
`)

func TestLanguage(t *testing.T) {
	for _, c := range []struct {
		when string
		want bool
	}{
		{`conn.address == "192.0.2.7"`, true},
		{`in_network(conn.address, "198.51.100.0/24", "192.0.2.0/24")`, true},
		{`in_network(conn.address, "2001:db8::/32", "192.0.2.8")`, false},
		{`conn.helo == "mail.example.org" and conn.door == "smtp"`, true},
		{`conn.tls or conn.user != "" or conn.trusted or conn.asn > 0 or conn.country != ""`, false},
		{`envelope.from == "bob@example.org" and envelope.from_domain == "example.org"`, true},
		{`"ann@example.net" in envelope.to and envelope.recipients == 1`, true},
		{`envelope.tenant == "example" and not envelope.outbound`, true},
		{`message.from_name == "Bob Jones" and message.from_address == "bob@mail.example.org"`, true},
		{`under(message.from_domain, "example.org")`, true},
		{`under(message.from_domain, "ample.org", "il.example.org", "a.mail.example.org")`, false},
		{`owner(message.from_domain) == "example.org"`, true},
		{`domain(message.reply_to) != message.from_domain`, true},
		{`message.subject == "Your Invöice"`, true},
		{`message.subject contains "invöice"`, false},
		{`lower(message.subject) contains "invöice"`, true},
		{`message.subject matches "(?i)^your .*ice$"`, true},
		{`words(message.text, "gift card")`, true},
		{`words(message.text, "gift", "nothing")`, true},
		{`words(message.text, "gif", "ift card", "gift car")`, false},
		{`any_under(message.link_domains, "evil.example")`, true},
		{`any_under(message.link_domains, "good.example", "shop")`, false},
		{`message.links == 2 and message.html`, true},
		{`any_matches(message.attachments, "(?i)\\.exe$")`, true},
		{`any_matches(message.attachment_types, "pdf")`, false},
		{`len(message.attachments) == 1 and message.size > 100`, true},
		{`header("x-mailer") startsWith "PHPMailer" and header("X-None") == ""`, true},
		{`auth.spf == "" and auth.dkim == "" and auth.dmarc == "" and not auth.aligned`, true},
		{`time.hour in 8..17 and time.minute == 0 and time.weekday in ["wednesday"] and time.clock >= "08:30"`, true},
		{`time.hour not in 8..17`, false},
		{`message.size * 2 - 1 > 3 ? message.html : false`, true},
		{`"x" in message.attachments`, false},
	} {
		if got := ask(t, c.when, checktest.Input(letter)); got != c.want {
			t.Errorf("%s: %v, want %v", c.when, got, c.want)
		}
	}
}

// Every name of the environment can be used, and has a value for an empty message
// too.
func TestEveryName(t *testing.T) {
	empty := &check.Input{Conn: &sluice.Conn{}, Envelope: &sluice.Envelope{}, Message: checktest.Input("").Message}
	for name, f := range fields {
		when := ""
		switch {
		case f.inner != nil:
			continue
		case f.args != "" && f.Type.Out(0).Kind().String() == "bool":
			when = f.example
		case f.args != "":
			when = f.example
		case f.typeName() == "text":
			when = name + ` != "~"`
		case f.typeName() == "number":
			when = name + ` >= 0`
		case f.typeName() == "true or false":
			when = name + " or true"
		default:
			when = `"~" not in ` + name
		}
		got := ask(t, when, empty)
		if f.args == "" && !got {
			t.Errorf("%s is false", when)
		}
		if f.doc == "" || f.from == 0 || f.args != "" && f.example == "" {
			t.Errorf("%s: not described", name)
		}
	}
}

func TestProblems(t *testing.T) {
	long := strings.Repeat("a", 200)
	bad := []Rule{
		{Name: "a b", When: "true", Points: 1, Why: "w"},
		{Name: "points", When: "true", Points: 6.5, Why: "w"},
		{Name: "none", When: "true", Why: "w"},
		{Name: "why", When: "true", Points: 1},
		{Name: "empty", When: " ", Points: 1, Why: "w"},
		{Name: "phase", When: `message.size > 1`, Points: 1, Why: "w", Phase: sluice.PhaseMail},
		{Name: "rcpt", When: `true`, Points: 1, Why: "w", Phase: sluice.PhaseRcpt},
		{Name: "tenant", When: `conn.tls`, Points: 1, Why: "w", Phase: sluice.PhaseMail, Tenant: "x"},
	}
	for i, when := range []string{
		"conn.adress == \"192.0.2.1\"", "subject contains \"a\"", "conn", "message.size", "conn.tls =\n\t= true", "message.size > \"a\"",
		"any(message.attachments, # contains \"exe\")", "let x = message.text; x == \"\"", "message.text + message.text == \"\"",
		"envelope.to[0] == \"a\"", "message.text[1:2] == \"a\"", "1 in 1..100000000", "message.subject matches message.from_name",
		"message.subject matches \"(\"", "message.text matches \"((a{30}){30}){2}\"", "message.text matches \"" + long + "\" or message.text matches \"" + long + "\"",
		"repeat(\"a\", 1000000000) == \"\"", "now().Year() == 2026", "$env[\"conn\"] == nil", "in_network(conn.address, \"192.0.2.1/24\")",
		"under(message.from_domain, \"@example.com\")", "words(message.text)", "evidence(\"SPF_FAIL\")", "conn?.address == \"a\"", "message.size / 0 > 1", "lower == lower",
		"{\"a\": 1}.a == 1", "message.subject contains message.text", "header(message.subject) == \"\"", strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500),
		strings.Repeat("not ", 600) + "true", strings.Repeat("conn.tls or ", 200) + "true", "conn.helo matches \"(a{100})\"" + strings.Repeat(" or conn.helo matches \"(a{100})\"", 42), "true;false", "words(message.text, message.subject)", "\xff\xfe", "true // and",
	} {
		bad = append(bad, Rule{Name: fmt.Sprintf("w%02d", i), When: when, Points: 1, Why: "w"})
	}
	good := one("true")
	s, problems := Compile(append(bad, good, good))
	if diff := cmp.Diff([]string{"w29", "w36", "r"}, s.Names()); diff != "" {
		t.Error(diff)
	}
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	golden.Check(t, filepath.Join("testdata", "problems.txt"), []byte(b.String()))
}

func TestTooManyTogether(t *testing.T) {
	var list []Rule
	for i := range 400 {
		list = append(list, Rule{Name: fmt.Sprint("r", i), When: `message.text matches "(?i)one of (many|such|expressions)"`, Points: 1, Why: "w"})
	}
	s, problems := Compile(list)
	if len(s.Names()) == 0 || len(problems) == 0 || !strings.Contains(problems[0].What, "together") {
		t.Errorf("%d in force, problems %v", len(s.Names()), problems)
	}
	s, problems = Compile(make([]Rule, 0))
	if len(s.Names())+len(problems) != 0 {
		t.Error("nothing is something")
	}
}

func TestEvidence(t *testing.T) {
	s := compiled(t,
		Rule{Name: "for", When: "message.html", Points: -2.5, Why: "we like it"},
		Rule{Name: "against", When: `conn.door == "smtp"`, Points: 6, Why: "we don't"},
		Rule{Name: "dry", When: `envelope.from != ""`, Points: 4, Why: "perhaps", DryRun: true},
		Rule{Name: "other", When: `true`, Points: 4, Why: "not ours", Tenant: "somebody"},
		Rule{Name: "ours", When: `true`, Points: 1, Why: "ours", Tenant: "example"},
		Rule{Name: "later", When: `true`, Points: 1, Why: "later", Phase: sluice.PhaseMail},
	)
	checks := Checks(Config{Current: func() *Set { return s }})
	got := checktest.Run(t, checks, checktest.Input(letter))
	want := []sluice.Evidence{
		{Phase: sluice.PhaseConnect, Raw: 6, Threat: sluice.ThreatSpam, Detail: "rule against: we don't"},
		{Phase: sluice.PhaseMail, State: sluice.Unknown, Threat: sluice.ThreatSpam, Detail: "dry run: rule dry would give +4.0: perhaps"},
		{Phase: sluice.PhaseMail, Raw: 1, Threat: sluice.ThreatSpam, Detail: "rule later: later"},
		{Phase: sluice.PhaseMessage, Raw: -2.5, Detail: "rule for: we like it"},
		{Phase: sluice.PhaseMessage, Raw: 1, Threat: sluice.ThreatSpam, Detail: "rule ours: ours"},
	}
	for i := range want {
		want[i].Reason, want[i].Group = reason.AdminRule, sluice.GroupRecipient
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	stats := map[string][3]uint64{}
	for _, st := range s.Stats() {
		stats[st.Name] = [3]uint64{st.Asked, st.Hits, st.Failed}
	}
	if diff := cmp.Diff(map[string][3]uint64{"for": {1, 1, 0}, "against": {1, 1, 0}, "dry": {1, 1, 0}, "other": {}, "ours": {1, 1, 0}, "later": {1, 1, 0}}, stats); diff != "" {
		t.Error(diff)
	}
	// Before there is a message, the rules of its phase have nothing to say.
	early := checktest.Input(letter)
	early.Message = nil
	if got := checktest.Run(t, checks, early); len(got) != 3 {
		t.Errorf("without a message: %+v", got)
	}
	if got := checktest.Run(t, Checks(Config{Current: func() *Set { return nil }}), early); got != nil {
		t.Errorf("no set: %+v", got)
	}
}

func TestDocument(t *testing.T) {
	golden.Check(t, filepath.Join("..", "..", "docs", "rules.md"), Document())
}

// The tags repeat the bounds.
func TestBounds(t *testing.T) {
	long := strings.Repeat("Ⱥx ", maxText)
	raw := "From: " + long[:2000] + " <" + strings.Repeat("a", 500) + "@example.org>\nSubject: " + long[:4000] + "\nX: " + long[:9000] + "\n\n" + long
	in := checktest.Input(raw)
	in.Conn.Hello.Name = long
	for range 300 {
		in.Envelope.Rcpts = append(in.Envelope.Rcpts, sluice.Recipient{Address: strings.Repeat("Ⱥ", 500)})
	}
	uses := map[string]bool{}
	for n := range fields {
		uses[n] = true
	}
	e := newEnv(&source{in: in, zone: time.UTC, uses: uses})
	for name, v := range map[string]string{
		"conn.helo": e.Conn.HELO, "message.subject": e.Message.Subject, "message.text": e.Message.Text, "message.from_name": e.Message.FromName,
		"message.from_address": e.Message.FromAddress, "header": e.Header("X"), "envelope.to": strings.Join(e.Envelope.To, ""),
	} {
		if len(v) > fields[name].max || len(v) < fields[name].max/2 {
			t.Errorf("%s has %d octets, %d are the most", name, len(v), fields[name].max)
		}
	}
}

var netip4 = netip.MustParseAddrPort("192.0.2.7:25")

// hostile are messages that were made to be slow.
func hostile() []*check.Input {
	var out []*check.Input
	for _, body := range []string{
		"", strings.Repeat("a", 70000), strings.Repeat("gift ", 20000), strings.Repeat("\xff\x00", 30000), strings.Repeat("ab", 40000) + "c",
		strings.Repeat("<a href=http://a.example>x</a>", 3000), strings.Repeat("İſ", 20000), strings.Repeat(" ", 70000),
	} {
		in := checktest.Input("From: a@example.org\nContent-Type: text/html\nSubject: " + body[:min(len(body), 3000)] + "\n\n" + body)
		in.Conn.Client = netip4
		out = append(out, in)
	}
	return out
}

// deadline is many times what the slowest expression takes on this machine: the race
// detector and a busy machine make everything slower.
var deadline = flag.Duration("rules.deadline", 2*time.Second, "longest evaluation that a test allows")

// FuzzRule: every expression compiles or is a problem, quickly; what compiles has an
// answer for every message, quickly.
func FuzzRule(f *testing.F) {
	for _, name := range sortedNames() {
		if e := fields[name].example; e != "" {
			f.Add(e)
		} else {
			f.Add(name + ` == ""`)
		}
	}
	for _, s := range []string{
		`words(message.text, "gift gift gift gift gift gift gift card")`, `message.text matches "(a|ab|b)*c"`, `lower(lower(message.text)) contains header("Subject")`,
		`message.subject matches "(?i)(x+x+)+y" or any_matches(message.link_domains, "(a*)*b")`, `min(max(message.size, 2), 1) > abs(-1)`,
		`trim(message.text) == message.text ? len(message.text) > 1 : hasPrefix(message.text, "a")`, `9223372036854775807 + message.size > 0`, `0x7fffffffffffffff * 2 == -2`,
		`message.text in ["a", "b"]`, `1.5e308 * 10 > 1`, `[1] == [1]`, `-(-message.size) == 1 and !conn.tls`, `message.size in 1..9`, "`a` == 'b'", `map(1..3, #)`, `{}`, `a?.b ?? c`,
	} {
		f.Add(s)
	}
	inputs := hostile()
	f.Fuzz(func(t *testing.T, when string) {
		start := time.Now()
		s, problems := Compile([]Rule{one(when)})
		if took := time.Since(start); took > *deadline/10 {
			t.Errorf("%q took %v to compile", when, took)
		}
		if len(problems) > 0 {
			if p := problems[0]; p.What == "" || len(p.What) > 400 || p.Line < 0 || p.Column < 0 || len(s.Names()) > 0 {
				t.Errorf("%q: %+v", when, p)
			}
			return
		}
		for _, in := range inputs {
			start := time.Now()
			for _, c := range Checks(Config{Current: func() *Set { return s }}) {
				if _, err := c.Check(context.Background(), in); err != nil {
					t.Errorf("%q: %v", when, err)
				}
			}
			if took := time.Since(start); took > *deadline {
				t.Errorf("%q took %v", when, took)
			}
		}
		if st := s.Stats()[0]; st.Failed > 0 {
			t.Errorf("%q had no answer for %d of %d", when, st.Failed, st.Asked)
		}
	})
}

// fifty are rules as people write them.
func fifty() (out []Rule) {
	kinds := []string{
		`under(message.from_domain, "bank%d.example") and not auth.aligned`,
		`lower(message.subject) contains "offer %d"`,
		`conn.country == "XX" and message.links > %d`,
		`any_under(message.link_domains, "site%d.example", "evil%d.example")`,
		`message.subject matches "(?i)invoice [0-9]+ of %d"`,
		`any_matches(message.attachments, "(?i)\\.(exe|scr|js%d)$")`,
		`words(message.text, "gift card %d", "wire transfer")`,
		`header("X-Mailer") contains "Mailer %d"`,
		`in_network(conn.address, "198.51.%d.0/24") and time.hour not in 8..17`,
		`"user%d@example.net" in envelope.to and envelope.from == ""`,
	}
	for i := range 50 {
		out = append(out, Rule{Name: fmt.Sprint("r", i), When: strings.ReplaceAll(kinds[i%len(kinds)], "%d", fmt.Sprint(i)), Points: 1, Why: "w"})
	}
	return out
}

func BenchmarkFifty(b *testing.B) {
	s := compiled(b, fifty()...)
	checks := Checks(Config{Current: func() *Set { return s }})
	in := checktest.Input(strings.Replace(letter, "Buy a", strings.Repeat("Some words of a letter that goes on. ", 270), 1))
	in.Message.View()
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range checks {
			c.Check(context.Background(), in)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/rule")
}

// BenchmarkWorst is the most expensive expression that passes, over the text that it
// is slowest for.
func BenchmarkWorst(b *testing.B) {
	s := compiled(b, one(`message.text matches "(a?){35}b$"`))
	checks := Checks(Config{Current: func() *Set { return s }})
	in := checktest.Input("From: a@example.org\n\n" + strings.Repeat(strings.Repeat("a", 35)+"\n", 1000))
	in.Message.View()
	for b.Loop() {
		for _, c := range checks {
			c.Check(context.Background(), in)
		}
	}
}

// BenchmarkCompile loads the expressions that take the longest for their length.
func BenchmarkCompile(b *testing.B) {
	fold := "conn.helo matches \"(?i)" + strings.Repeat(`[^\\x{1}-\\x{9}]`, 20) + "\""
	for name, when := range map[string]string{
		"many":    strings.Repeat("conn.tls or ", 70) + "true",
		"parens":  strings.Repeat("(", 1990) + "true" + strings.Repeat(")", 1990),
		"classes": fold + strings.Repeat(" or "+fold, 7),
		"repeat":  `conn.helo matches "(?i)(\\pL{9}){9}"` + strings.Repeat(` or conn.helo matches "(?i)(\\pL{9}){9}"`, 38),
		"refused": `conn.helo matches "((\\pL{100}){9}[^a]{1000})"`,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, p := Compile([]Rule{one(when)})
				if (len(p) > 0) != (name == "refused") {
					b.Fatal(p)
				}
			}
		})
	}
}
