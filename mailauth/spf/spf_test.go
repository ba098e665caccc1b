package spf

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/internal/golden"
)

func parseZone(t testing.TB, text string) *dnstest.Zone {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

var receivedAt = time.Unix(1700000000, 0)

// evaluationZone has what the published suites leave out.
const evaluationZone = `
a.example.            TXT "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all"
www.a.example.        A 192.0.2.80
incl.example.         TXT "v=spf1 include:a.example ?all"
deep.example.         TXT "v=spf1 include:incl.example ~all"
redir.example.        TXT "v=spf1 redirect=deep.example"
inclredir.example.    TXT "v=spf1 include:redir2.example -all"
redir2.example.       TXT "v=spf1 redirect=a.example"
missing.example.      TXT "v=spf1 include:nowhere.example -all"
redirmissing.example. TXT "v=spf1 redirect=nowhere.example"
deepbroken.example.   TXT "v=spf1 include:mid.example -all"
mid.example.          TXT "v=spf1 include:bad.example -all"
bad.example.          TXT "v=spf1 ip4:192.0.2.300 -all"
badtarget.example.    TXT "v=spf1 include:%{l}.example -all"
redirbad.example.     TXT "v=spf1 redirect=%{l}.example"
loop.example.         TXT "v=spf1 include:loop.example -all"
early.example.        TXT "v=spf1 ip4:192.0.2.1 include:loop.example -all"
twoloop.example.      TXT "v=spf1 redirect=twoloop2.example"
twoloop2.example.     TXT "v=spf1 redirect=twoloop.example"
two.example.          TXT "v=spf1 -all"
two.example.          TXT "v=spf1 +all"
others.example.       TXT "google-site-verification=x"
others.example.       TXT "v=spf1 ip4:192.0.2.1 -all"
others.example.       TXT "v=spf10 all"
_spf.example.         TXT "v=spf1 ip4:192.0.2.1 -all"
void2.example.        TXT "v=spf1 a:n1.example mx:n2.example ip4:192.0.2.1 -all"
void3.example.        TXT "v=spf1 a:n1.example mx:n2.example exists:n3.example ip4:192.0.2.1 -all"
voidmx.example.       TXT "v=spf1 mx ip4:192.0.2.1 -all"
voidmx.example.       MX 1 n1.example.
voidmx.example.       MX 2 n2.example.
voidmx.example.       MX 3 n3.example.
voidmx.example.       MX 4 n4.example.
nullmx.example.       TXT "v=spf1 mx ip4:192.0.2.1 -all"
nullmx.example.       MX 0 .
mx11.example.         TXT "v=spf1 mx ip4:192.0.2.1 -all"
mx11.example.         MX 1 h1.example.
mx11.example.         MX 2 h2.example.
mx11.example.         MX 3 h3.example.
mx11.example.         MX 4 h4.example.
mx11.example.         MX 5 h5.example.
mx11.example.         MX 6 h6.example.
mx11.example.         MX 7 h7.example.
mx11.example.         MX 8 h8.example.
mx11.example.         MX 9 h9.example.
mx11.example.         MX 10 h10.example.
mx11.example.         MX 11 h11.example.
h1.example.           A 192.0.2.1
ten.example.          TXT "v=spf1 mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example all"
eleven.example.       TXT "v=spf1 mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example mx:mx3.example all"
mx3.example.          MX 1 b1.example.
mx3.example.          MX 2 b2.example.
mx3.example.          MX 3 b3.example.
onemx.example.        TXT "v=spf1 mx -all"
onemx.example.        MX 10 nowhere.example.
onemx.example.        MX 20 h1.example.
inc5.example.         TXT "v=spf1 include:d1.example include:d1.example include:d1.example include:d1.example include:d1.example -all"
inc6.example.         TXT "v=spf1 include:two-a.example include:d1.example include:d1.example include:d1.example include:d1.example include:d1.example -all"
d1.example.           TXT "v=spf1 include:d2.example ~all"
d2.example.           TXT "v=spf1 -all"
two-a.example.        TXT "v=spf1 -all"
exp.example.          TXT "v=spf1 exp=why.exp.example -all"
why.exp.example.      TXT "%{i} is no server of %{d}, said %{r}"
expinredir.example.   TXT "v=spf1 redirect=exp.example exp=gone.example"
explocal.example.     TXT "v=spf1 exp=local.exp.example -all"
local.exp.example.    TXT "%{l} may not"
explong.example.      TXT "v=spf1 exp=long.exp.example -all"
long.exp.example.     TXT "%{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s} %{s}"
exptwo.example.       TXT "v=spf1 exp=two.example -all"
localpart.example.    TXT "v=spf1 exists:%{l}.users.example -all"
a.b.users.example.    A 127.0.0.2
pmacro.example.       TXT "v=spf1 exists:%{p}.ok.example -all"
client.example.ok.example. A 127.0.0.2
client.example.       A 192.0.2.1
client.example.       TXT "v=spf1 ptr -all"
sub.client.example.   TXT "v=spf1 ptr:client.example -all"
1.2.0.192.in-addr.arpa. PTR other.example.
1.2.0.192.in-addr.arpa. PTR client.example.
3.2.0.192.in-addr.arpa. PTR notclient.example.
notclient.example.    A 192.0.2.3
xn--bcher-kva.example. TXT "v=spf1 ip4:192.0.2.1 -all"
mapped.example.       TXT "v=spf1 ip6:::ffff:192.0.2.1 -all"
upper.example.        TXT "V=SPF1 IP4:192.0.2.1 -ALL"
split.example.        TXT "v=spf1 ip4:192." "0.2.1 -all"
alias.example.        CNAME a.example.
pcount.example.       TXT "v=spf1 a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example exists:%{p}.no.example exists:%{p}.no.example -all"
pcount2.example.      TXT "v=spf1 a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example a:h1.example exists:%{p}.no.example -all"
p.example.            TXT "v=spf1 exp=why.p.example -all"
q.p.example.          TXT "v=spf1 exp=why.p.example -all"
why.p.example.        TXT "%{p}"
4.2.0.192.in-addr.arpa. PTR aa.example.
4.2.0.192.in-addr.arpa. PTR a.q.p.example.
4.2.0.192.in-addr.arpa. PTR p.example.
aa.example.           A 192.0.2.4
a.q.p.example.        A 192.0.2.4
p.example.            A 192.0.2.4
dup.example.          TXT "v=spf1 a:h1.example a:h1.example -all"
`

func TestEvaluation(t *testing.T) {
	z := parseZone(t, evaluationZone)
	for _, tc := range []struct {
		ip, from string
		want     Value
		term     string
		path     string
		problem  string
	}{
		{"192.0.2.1", "u@a.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"::ffff:192.0.2.1", "u@A.Example.", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"2001:db8::1", "u@a.example", Pass, "ip6:2001:db8::1", "ip6:2001:db8::1", ""},
		{"192.0.2.9", "u@a.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "a.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "@a.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@alias.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@incl.example", Pass, "include:a.example", "include:a.example, ip4:192.0.2.1", ""},
		{"192.0.2.9", "u@incl.example", Neutral, "?all", "?all", ""},
		{"192.0.2.1", "u@deep.example", Pass, "include:incl.example", "include:incl.example, include:a.example, ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@redir.example", Pass, "include:incl.example", "redirect=deep.example, include:incl.example, include:a.example, ip4:192.0.2.1", ""},
		{"192.0.2.9", "u@redir.example", SoftFail, "~all", "redirect=deep.example, ~all", ""},
		{"192.0.2.1", "u@inclredir.example", Pass, "include:redir2.example", "include:redir2.example, redirect=a.example, ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@www.a.example", None, "", "", "www.a.example has no SPF record: no record of this type"},
		{"192.0.2.1", "u@gone.example", None, "", "", "gone.example has no SPF record: no such name"},
		{"192.0.2.1", "u@example", None, "", "", "a name of one label has no policy"},
		{"192.0.2.1", "u@[192.0.2.1]", None, "", "", "an address literal has no policy"},
		{"192.0.2.1", "u@a..example", None, "", "", "the domain name is malformed"},
		{"192.0.2.1", "u@" + strings.Repeat("a", 64) + ".example", None, "", "", "the domain name is malformed"},
		{"192.0.2.1", strings.Repeat("u", 600) + "@a.example", None, "", "", "the sender's local part is too long"},
		{"", "u@a.example", None, "", "", "the client has no IP address"},
		{"192.0.2.1", "u@missing.example", PermError, "", "include:nowhere.example", `"include:nowhere.example" in the record of missing.example leads to a domain without a policy: nowhere.example has no SPF record: no such name`},
		{"192.0.2.1", "u@redirmissing.example", PermError, "", "redirect=nowhere.example", `redirect=nowhere.example leads to a domain without a policy: nowhere.example has no SPF record: no such name`},
		{"192.0.2.1", "u@deepbroken.example", PermError, "", "include:mid.example, include:bad.example", `the SPF record of bad.example is broken: "ip4:192.0.2.300": not an IPv4 address`},
		{"192.0.2.1", `"a..b"@badtarget.example`, PermError, "", "include:%{l}.example", `"include:%{l}.example" in the record of badtarget.example gives no domain name: "a..b.example"`},
		{"192.0.2.1", `"a..b"@redirbad.example`, PermError, "", "redirect=%{l}.example", `"redirect=%{l}.example" in the record of redirbad.example gives no domain name: "a..b.example"`},
		{"192.0.2.1", "u@loop.example", PermError, "", strings.Repeat(", include:loop.example", 11)[2:], `more than 10 terms ask the DNS; "include:loop.example" in the record of loop.example is one too many`},
		{"192.0.2.1", "u@early.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@twoloop.example", PermError, "", "redirect=twoloop2.example" + strings.Repeat(", redirect=twoloop.example, redirect=twoloop2.example", 5), `more than 10 terms ask the DNS; "redirect=twoloop2.example" in the record of twoloop.example is one too many`},
		{"192.0.2.1", "u@two.example", PermError, "", "", "two.example has 2 SPF records; one is allowed"},
		{"192.0.2.1", "u@others.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@void2.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@void3.example", PermError, "", "exists:n3.example", `more than 2 terms name what isn't in the DNS; "exists:n3.example" in the record of void3.example is one too many`},
		{"192.0.2.1", "u@voidmx.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@nullmx.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@mx11.example", Pass, "mx", "mx", ""}, // the first of eleven
		{"192.0.2.2", "u@mx11.example", PermError, "", "mx", `"mx" in the record of mx11.example leads to 11 MX hosts; 10 are allowed`},
		{"192.0.2.1", "u@ten.example", Pass, "all", "all", ""},
		{"192.0.2.1", "u@eleven.example", PermError, "", "mx:mx3.example", `more than 10 terms ask the DNS; "mx:mx3.example" in the record of eleven.example is one too many`},
		{"192.0.2.1", "u@onemx.example", Pass, "mx", "mx", ""},
		{"192.0.2.1", "u@inc5.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "u@inc6.example", PermError, "", "include:d1.example, include:d2.example", `more than 10 terms ask the DNS; "include:d2.example" in the record of d1.example is one too many`},
		{"192.0.2.1", "a.b@localpart.example", Pass, "exists:%{l}.users.example", "exists:%{l}.users.example", ""},
		{"192.0.2.1", `"a.b"@localpart.example`, Pass, "exists:%{l}.users.example", "exists:%{l}.users.example", ""},
		{"192.0.2.1", `"\a.\b"@localpart.example`, Pass, "exists:%{l}.users.example", "exists:%{l}.users.example", ""},
		{"192.0.2.1", "A.B@localpart.example", Pass, "exists:%{l}.users.example", "exists:%{l}.users.example", ""},
		{"192.0.2.1", "a@b@localpart.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "a\x00b@localpart.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "jürgen@localpart.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "u@pmacro.example", Pass, "exists:%{p}.ok.example", "exists:%{p}.ok.example", ""},
		{"192.0.2.9", "u@pmacro.example", Fail, "-all", "-all", ""},
		{"192.0.2.9", "u@pcount.example", Fail, "-all", "-all", ""}, // %{p} counts once
		{"192.0.2.9", "u@pcount2.example", PermError, "", "exists:%{p}.no.example", `more than 10 terms ask the DNS; "%{p}" in the record of pcount2.example is one too many`},
		{"192.0.2.1", "u@client.example", Pass, "ptr", "ptr", ""},
		{"192.0.2.3", "u@client.example", Fail, "-all", "-all", ""}, // notclient.example isn't below it
		{"192.0.2.1", "u@sub.client.example", Pass, "ptr:client.example", "ptr:client.example", ""},
		{"192.0.2.1", "u@bücher.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
		{"192.0.2.1", "u@mapped.example", Fail, "-all", "-all", ""},
		{"192.0.2.1", "u@upper.example", Pass, "IP4:192.0.2.1", "IP4:192.0.2.1", ""},
		{"192.0.2.1", "u@split.example", Pass, "ip4:192.0.2.1", "ip4:192.0.2.1", ""},
	} {
		ip, _ := netip.ParseAddr(tc.ip)
		r := Check(t.Context(), z, Input{IP: ip, HELO: "mail.example.com", MailFrom: tc.from, Now: receivedAt}, Limits{})
		if r.Result != tc.want || r.Mechanism != tc.term || strings.Join(r.Path, ", ") != tc.path || r.Problem != tc.problem {
			t.Errorf("%s %q:\n got %s %q path %q problem %q\nwant %s %q path %q problem %q", tc.ip, tc.from,
				r.Result, r.Mechanism, r.Path, r.Problem, tc.want, tc.term, tc.path, tc.problem)
		}
		sane(t, r)
	}
}

// sane checks what holds for every result.
func sane(t *testing.T, r Result) {
	t.Helper()
	switch r.Result {
	case Pass, Fail, SoftFail, Neutral:
		if r.Problem != "" || r.Mechanism == "" || r.Domain == "" {
			t.Errorf("%s with problem %q, mechanism %q", r.Result, r.Problem, r.Mechanism)
		}
	case None, TempError, PermError:
		if r.Problem == "" || r.Mechanism != "" {
			t.Errorf("%s with problem %q, mechanism %q", r.Result, r.Problem, r.Mechanism)
		}
	default:
		t.Errorf("result %q", r.Result)
	}
	if r.Explanation != "" && r.Result != Fail {
		t.Errorf("%s with explanation %q", r.Result, r.Explanation)
	}
	if _, ok := visible(r.Explanation, inExplanation); !ok || len(r.Explanation) > 500 {
		t.Errorf("explanation %q", r.Explanation)
	}
	if r.Lookups > 10 || r.Voids > 3 || len(r.Trace) > 230 || len(r.Path) > 24 {
		t.Errorf("%d lookups, %d voids, %d steps, path %q", r.Lookups, r.Voids, len(r.Trace), r.Path)
	}
	for _, s := range r.Trace {
		if s.Outcome == "" || s.Domain == "" || s.Depth > 10 {
			t.Errorf("step %+v", s)
		}
	}
	if line := r.String(); !strings.HasPrefix(line, string(r.Result)+": ") {
		t.Errorf("String() = %q", line)
	}
}

func TestExplanation(t *testing.T) {
	z := parseZone(t, evaluationZone)
	for _, tc := range []struct{ from, want, outcome string }{
		{"u@exp.example", "192.0.2.9 is no server of exp.example, said mx.receiver.example", "explanation"},
		{"u@expinredir.example", "192.0.2.9 is no server of exp.example, said mx.receiver.example", "explanation"},
		{"o'neill@explocal.example", "o'neill may not", "explanation"},
		{"jürgen@explocal.example", "", "ignored"},
		{"\"a\x1b[2J\"@explocal.example", "", "ignored"},
		{"a-rather-long-local-part@explong.example", "", "ignored"},
		{"u@exptwo.example", "", "ignored"},
	} {
		r := Check(t.Context(), z, Input{IP: netip.MustParseAddr("192.0.2.9"), HELO: "h", MailFrom: tc.from, Receiver: "mx.receiver.example"}, Limits{})
		last := r.Trace[len(r.Trace)-1]
		if r.Result != Fail || r.Explanation != tc.want || last.Outcome != tc.outcome {
			t.Errorf("%s: %s %q, %+v", tc.from, r.Result, r.Explanation, last)
		}
		sane(t, r)
	}
}

func TestIdentities(t *testing.T) {
	z := parseZone(t, evaluationZone)
	for _, tc := range []struct {
		helo, from string
		check      func(context.Context, dns.Resolver, Input, Limits) Result
		want       Value
		id         Identity
		sender     string
		whose      string
	}{
		{"a.example", "", Check, Pass, MailFrom, "postmaster@a.example", "a.example"},
		{"a.example", "u@exp.example", Check, Fail, MailFrom, "u@exp.example", "exp.example"},
		{"h.example", `""@a.example`, Check, Pass, MailFrom, "postmaster@a.example", "a.example"},
		{"a.example", "u@exp.example", CheckHELO, Pass, HELO, "postmaster@a.example", "a.example"},
		{"EXP.example", "u@a.example", CheckHELO, Fail, HELO, "postmaster@exp.example", "exp.example"},
		{"[192.0.2.1]", "", Check, None, MailFrom, "postmaster@[192.0.2.1]", "[192.0.2.1]"},
		{"localhost", "u@a.example", CheckHELO, None, HELO, "postmaster@localhost", "localhost"},
		{"", "", CheckHELO, None, HELO, "postmaster@", ""},
		{"a b", "", CheckHELO, None, HELO, "postmaster@a b", "a b"},
		{strings.Repeat("a.", 500) + "example", "", CheckHELO, None, HELO, "postmaster@" + strings.Repeat("a.", 500)[:512], strings.Repeat("a.", 500)[:512]},
	} {
		r := tc.check(t.Context(), z, Input{IP: netip.MustParseAddr("192.0.2.1"), HELO: tc.helo, MailFrom: tc.from}, Limits{})
		if r.Result != tc.want || r.Identity != tc.id || r.Sender != tc.sender || r.Domain != tc.whose {
			t.Errorf("%.20q %q: %s %s %q %q", tc.helo, tc.from, r.Result, r.Identity, r.Sender, r.Domain)
		}
	}
}

// TestClientName: of the client's confirmed names the macro p prefers the domain
// itself, then one below it (RFC 7208 7.3).
func TestClientName(t *testing.T) {
	z := parseZone(t, evaluationZone)
	for from, want := range map[string]string{"u@p.example": "p.example", "u@q.p.example": "a.q.p.example"} {
		r := Check(t.Context(), z, Input{IP: netip.MustParseAddr("192.0.2.4"), HELO: "h", MailFrom: from}, Limits{})
		if r.Explanation != want {
			t.Errorf("%s: %q, want %q", from, r.Explanation, want)
		}
	}
}

// TestTrace shows whole evaluations as people read them.
func TestTrace(t *testing.T) {
	z := parseZone(t, evaluationZone)
	var b strings.Builder
	for _, tc := range [][2]string{
		{"192.0.2.1", "u@redir.example"}, {"192.0.2.9", "u@expinredir.example"}, {"192.0.2.1", "u@deepbroken.example"},
		{"192.0.2.1", "u@void3.example"}, {"192.0.2.1", "u@onemx.example"}, {"192.0.2.1", "u@client.example"}, {"192.0.2.1", "u@two.example"},
		{"192.0.2.1", "u@gone.example"}, {"2001:db8::2", "u@dup.example"},
	} {
		r := Check(t.Context(), z, Input{IP: netip.MustParseAddr(tc[0]), HELO: "h", MailFrom: tc[1], Receiver: "mx.receiver.example"}, Limits{})
		fmt.Fprintf(&b, "# %s from %s\n%s\n%d lookups, %d voids\n", tc[1], tc[0], r, r.Lookups, r.Voids)
		for _, s := range r.Trace {
			fmt.Fprintf(&b, "%s%s | %s | %s | %s | %s\n", strings.Repeat("  ", s.Depth), s.Domain, s.Term, s.Query, s.Answer, s.Outcome)
		}
		b.WriteString("\n")
	}
	golden.Check(t, "testdata/trace.txt", []byte(b.String()))
}

func TestCut(t *testing.T) {
	var b strings.Builder
	b.WriteString("v=spf1")
	for i := range 900 {
		fmt.Fprintf(&b, " ip4:10.%d.%d.0/24", i/256, i%256)
	}
	r := answer{txt: b.String() + " a:n.example -all"}
	got := Check(t.Context(), r, Input{IP: netip.MustParseAddr("192.0.2.9"), MailFrom: "u@a.example"}, Limits{})
	if got.Result != Fail || !got.Cut || len(got.Trace) != 202 || got.Trace[201].Term != "-all" || got.Trace[200].Term != "a:n.example" {
		t.Errorf("%s, cut %v, %d steps", got, got.Cut, len(got.Trace))
	}
}

// answer gives one text to every TXT question and denies the rest; it may be
// slow.
type answer struct {
	txt  string
	wait time.Duration
}

func (a answer) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	select {
	case <-ctx.Done():
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrTimeout, Err: ctx.Err()}
	case <-time.After(a.wait):
	}
	if t != dns.TXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNoData}
	}
	return dns.Answer{Records: []dns.Record{{Name: name, Type: t, Text: a.txt}}}, nil
}

// TestTime: a slow DNS ends in temperror after the limit, not before 20 seconds
// (RFC 7208 4.6.4).
func TestTime(t *testing.T) {
	for _, tc := range []struct {
		wait time.Duration
		lim  Limits
		txt  string
		want Value
		took time.Duration
	}{
		{3 * time.Second, Limits{}, "v=spf1 include:b.example a a a a a a -all", TempError, 20 * time.Second},
		{3 * time.Second, Limits{Time: 2 * time.Second}, "v=spf1 -all", TempError, 2 * time.Second},
		{6 * time.Second, Limits{}, "v=spf1 a:b.example a:c.example -all", Fail, 18 * time.Second},
		{11 * time.Second, Limits{}, "v=spf1 ptr ip4:192.0.2.1 -all", Pass, 20 * time.Second}, // an error of ptr is no match
		{11 * time.Second, Limits{}, "v=spf1 ptr a -all", TempError, 20 * time.Second},
		{15 * time.Second, Limits{}, "v=spf1 exp=b.example -all", Fail, 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			r := Check(t.Context(), answer{tc.txt, tc.wait}, Input{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: "u@a.example"}, tc.lim)
			if took := time.Since(begin); r.Result != tc.want || took != tc.took {
				t.Errorf("%q: %s in %s, want %s in %s", tc.txt, r, took, tc.want, tc.took)
			}
			sane(t, r)
		})
	}
}

func TestFailures(t *testing.T) {
	z := parseZone(t, `{
		"a.example": {"TXT": ["v=spf1 a:slow.example ip4:192.0.2.1 -all"]},
		"b.example": {"TXT": ["v=spf1 mx ip4:192.0.2.1 -all"], "MX": ["1 slow.example.", "2 ok.example."]},
		"c.example": {"TXT": ["v=spf1 include:slow.example ip4:192.0.2.1 -all"]},
		"d.example": {"TXT": ["v=spf1 ip4:192.0.2.1 a:slow.example -all"]},
		"ok.example": {"A": ["192.0.2.1"]},
		"slow.example": "SERVFAIL"
	}`)
	for from, want := range map[string]string{
		"u@slow.example": "temperror: the SPF record of slow.example can't be had now: server failure",
		"u@a.example":    `temperror: "a:slow.example" in the record of a.example can't be evaluated: slow.example A: server failure`,
		"u@b.example":    `temperror: "mx" in the record of b.example can't be evaluated: slow.example A: server failure`,
		"u@c.example":    "temperror: the SPF record of slow.example can't be had now: server failure",
		"u@d.example":    "pass: d.example lists 192.0.2.1 (ip4:192.0.2.1)",
	} {
		r := Check(t.Context(), z, Input{IP: netip.MustParseAddr("192.0.2.1"), MailFrom: from}, Limits{})
		if r.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", from, r, want)
		}
	}
	spent := dns.Limited(z, dns.NewBudget(1, time.Hour))
	if r := Check(t.Context(), spent, Input{IP: netip.MustParseAddr("192.0.2.9"), MailFrom: "u@d.example"}, Limits{}); r.Result != TempError || !strings.Contains(r.Problem, "lookup budget spent") {
		t.Errorf("a spent budget: %s", r)
	}
}
