package dmarc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/mailauth/author"
	"sluice/message"
)

func zone(t testing.TB, text string) *dnstest.Zone {
	t.Helper()
	z, err := dnstest.Parse("zone", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// from makes an author by the only way there is: a message.
func from(field string) author.Author {
	return author.Of(message.Parse([]byte("From: "+field+"\r\nSubject: x\r\n\r\nhello\r\n"), message.Limits{}))
}

const world = `{
	"example.com": {"MX": ["10 mx.example.com."]},
	"_dmarc.example.com": {"TXT": ["v=DMARC1; p=reject; sp=quarantine; np=reject; rua=mailto:d@example.com"]},
	"news.example.com": {"A": ["192.0.2.1"]},
	"a.news.example.com": {"AAAA": ["2001:db8::1"]},

	"strict.example": {"A": ["192.0.2.1"]},
	"_dmarc.strict.example": {"TXT": ["v=DMARC1;p=reject;adkim=s;aspf=s"]},

	"test.example": {"A": ["192.0.2.1"]},
	"_dmarc.test.example": {"TXT": ["v=DMARC1; p=reject; sp=quarantine; t=y"]},

	"two.example": {"TXT": ["v=spf1 -all"]},
	"_dmarc.two.example": {"TXT": ["v=DMARC1; p=reject", "v=DMARC1; p=none", "unrelated"]},

	"mixed.example": {"A": ["192.0.2.1"]},
	"_dmarc.mixed.example": {"TXT": ["some text", "v=DMARC1; p=quarantine"]},

	"bad.example": {"A": ["192.0.2.1"]},
	"_dmarc.bad.example": {"TXT": ["v=DMARC1; p=refuse"]},
	"_dmarc.badrua.example": {"TXT": ["v=DMARC1; p=refuse; rua=mailto:x@badrua.example"]},
	"_dmarc.badsp.example": {"TXT": ["v=DMARC1; p=reject; sp=maybe"]},
	"_dmarc.nop.example": {"TXT": ["v=DMARC1; rua=mailto:x@nop.example"]},
	"_dmarc.pct.example": {"TXT": ["v=DMARC1; p=quarantine; pct=0; ri=1; rf=x; zz=9"]},

	"_dmarc.bank": {"TXT": ["v=DMARC1; p=reject; sp=reject; np=reject; psd=y; rua=mailto:r@nic.bank"]},
	"first.bank": {"A": ["192.0.2.1"]},
	"_dmarc.second.bank": {"TXT": ["v=DMARC1; p=none"]},
	"mail.second.bank": {"A": ["192.0.2.1"]},

	"_dmarc.uni.example": {"TXT": ["v=DMARC1; p=reject"]},
	"_dmarc.dept.uni.example": {"TXT": ["v=DMARC1; p=quarantine; psd=n"]},
	"_dmarc.lab.uni.example": {"TXT": ["v=DMARC1; p=none"]},

	"_dmarc.slow.example": {"TXT": "TIMEOUT"},
	"_dmarc.up.slow.example": {"TXT": ["v=DMARC1; p=reject"]},
	"_dmarc.npslow.example": {"TXT": ["v=DMARC1; p=none; np=reject"]},
	"gone.npslow.example": "TIMEOUT",

	"_dmarc.xn--mnchen-3ya.example": {"TXT": ["v=DMARC1; p=reject"]}
}`

func TestEvaluate(t *testing.T) {
	z := zone(t, world)
	pass := func(domain string) []Signature { return []Signature{{Result: "pass", Domain: domain, Selector: "s"}} }
	tests := []struct {
		name string
		from string
		spf  SPF
		dkim []Signature
		want string // value, policy(tag)@where, disposition, organization
	}{
		{"aligned DKIM", "a@example.com", SPF{}, pass("example.com"), "pass reject(p)@example.com none example.com"},
		{"aligned SPF", "a@example.com", SPF{"pass", "example.com"}, nil, "pass reject(p)@example.com none example.com"},
		{"relaxed: signed above", "a@news.example.com", SPF{}, pass("example.com"), "pass quarantine(sp)@example.com none example.com"},
		{"relaxed: signed below", "a@example.com", SPF{}, pass("a.news.example.com"), "pass reject(p)@example.com none example.com"},
		{"relaxed: beside", "a@news.example.com", SPF{"pass", "bounce.example.com"}, nil, "pass quarantine(sp)@example.com none example.com"},
		{"case doesn't matter", "a@EXAMPLE.com", SPF{}, pass("Example.COM."), "pass reject(p)@example.com none example.com"},
		{"another's signature", "a@example.com", SPF{"pass", "evil.example"}, pass("evil.example"), "fail reject(p)@example.com reject example.com"},
		{"suffix without a dot", "a@example.com", SPF{}, pass("notexample.com"), "fail reject(p)@example.com reject example.com"},
		{"failed signature", "a@example.com", SPF{"fail", "example.com"}, []Signature{{"fail", "example.com", "s"}}, "fail reject(p)@example.com reject example.com"},
		{"nothing", "a@example.com", SPF{}, nil, "fail reject(p)@example.com reject example.com"},
		{"existing subdomain: sp", "a@news.example.com", SPF{}, nil, "fail quarantine(sp)@example.com quarantine example.com"},
		{"deeper, by AAAA", "a@a.news.example.com", SPF{}, nil, "fail quarantine(sp)@example.com quarantine example.com"},
		{"missing subdomain: np", "a@no.example.com", SPF{}, nil, "fail reject(np)@example.com reject example.com missing"},
		{"second signature counts", "a@example.com", SPF{}, []Signature{{"pass", "esp.example", "s"}, {"pass", "example.com", "t"}}, "pass reject(p)@example.com none example.com"},

		{"strict: the same", "a@strict.example", SPF{}, pass("strict.example"), "pass reject(p)@strict.example none strict.example"},
		{"strict: below", "a@strict.example", SPF{"pass", "m.strict.example"}, pass("m.strict.example"), "fail reject(p)@strict.example reject strict.example"},

		{"t=y lowers reject", "a@test.example", SPF{}, nil, "fail reject(p)@test.example quarantine test.example"},
		{"t=y lowers quarantine", "a@x.test.example", SPF{}, nil, "fail quarantine(sp)@test.example none test.example"},

		{"several records are none", "a@two.example", SPF{}, pass("two.example"), "none ()@ none two.example"},
		{"other texts don't matter", "a@mixed.example", SPF{}, nil, "fail quarantine(p)@mixed.example quarantine mixed.example"},
		{"no record", "a@nothing.example", SPF{"pass", "nothing.example"}, nil, "none ()@ none nothing.example"},
		{"bad p without rua", "a@bad.example", SPF{}, pass("bad.example"), "permerror ()@bad.example none bad.example"},
		{"bad p with rua", "a@badrua.example", SPF{}, nil, "fail none()@badrua.example none badrua.example"},
		{"bad p with rua passes", "a@badrua.example", SPF{}, pass("badrua.example"), "pass none()@badrua.example none badrua.example"},
		{"bad sp", "a@badsp.example", SPF{}, nil, "permerror ()@badsp.example none badsp.example"},
		{"no p with rua", "a@nop.example", SPF{}, nil, "fail none()@nop.example none nop.example"},
		{"gone and unknown tags", "a@pct.example", SPF{}, nil, "fail quarantine(p)@pct.example quarantine pct.example"},

		{"public suffix's record", "a@first.bank", SPF{}, nil, "fail reject(sp)@bank reject first.bank"},
		{"public suffix: other owner isn't aligned", "a@first.bank", SPF{}, pass("other.bank"), "fail reject(sp)@bank reject first.bank"},
		{"public suffix: own subdomain is", "a@first.bank", SPF{}, pass("m.first.bank"), "pass reject(sp)@bank none first.bank"},
		{"the organization's record comes first", "a@mail.second.bank", SPF{}, nil, "fail none(p)@second.bank none second.bank"},
		{"the public suffix itself", "a@bank", SPF{}, pass("bank"), "pass reject(p)@bank none bank"},
		{"below the suffix isn't the suffix", "a@bank", SPF{}, pass("first.bank"), "fail reject(p)@bank reject bank"},

		{"psd=n makes an organization", "a@x.dept.uni.example", SPF{}, pass("dept.uni.example"), "pass quarantine(p)@dept.uni.example none dept.uni.example"},
		{"psd=n cuts off above", "a@x.dept.uni.example", SPF{}, pass("uni.example"), "fail quarantine(p)@dept.uni.example quarantine dept.uni.example"},
		{"psd=n cuts off below", "a@uni.example", SPF{}, pass("dept.uni.example"), "fail reject(p)@uni.example reject uni.example"},
		{"psd=u doesn't", "a@lab.uni.example", SPF{}, pass("uni.example"), "pass none(p)@lab.uni.example none uni.example"},

		{"no answer", "a@slow.example", SPF{}, pass("slow.example"), "temperror ()@ none "},
		{"no answer above, own record", "a@up.slow.example", SPF{}, pass("up.slow.example"), "pass reject(p)@up.slow.example none "},
		{"no answer above, needed", "a@up.slow.example", SPF{}, pass("slow.example"), "temperror reject(p)@up.slow.example none "},
		{"no answer above, another's", "a@up.slow.example", SPF{}, nil, "fail reject(p)@up.slow.example reject "},
		{"existence unknown", "a@gone.npslow.example", SPF{}, nil, "temperror none(p)@npslow.example none npslow.example"},
		{"SPF couldn't tell", "a@example.com", SPF{"temperror", "example.com"}, nil, "temperror reject(p)@example.com none example.com"},
		{"DKIM couldn't tell, SPF could", "a@example.com", SPF{"pass", "example.com"}, []Signature{{"temperror", "example.com", "s"}}, "pass reject(p)@example.com none example.com"},
		{"another's couldn't tell", "a@example.com", SPF{"temperror", "evil.example"}, nil, "fail reject(p)@example.com reject example.com"},

		{"U-label and A-label", "a@münchen.example", SPF{}, pass("xn--mnchen-3ya.example"), "pass reject(p)@xn--mnchen-3ya.example none xn--mnchen-3ya.example"},
		{"A-label and U-label", "a@xn--mnchen-3ya.example", SPF{}, pass("MÜNCHEN.example"), "pass reject(p)@xn--mnchen-3ya.example none xn--mnchen-3ya.example"},

		{"several addresses of one domain", "a@example.com, b@example.com", SPF{}, pass("example.com"), "pass reject(p)@example.com none example.com"},
		{"several domains", "a@example.com, b@strict.example", SPF{}, pass("example.com"), "permerror ()@ none "},
		{"no domain", "a@[192.0.2.1]", SPF{"pass", "[192.0.2.1]"}, nil, "none ()@ none "},
		{"NUL in a signature's domain", "a@example.com", SPF{}, pass("example.com\x00.evil.example"), "fail reject(p)@example.com reject example.com"},
		{"syntax in a signature's domain", "a@example.com", SPF{}, pass("example.com(.evil.example"), "fail reject(p)@example.com reject example.com"},
		{"the root signs", "a@example.com", SPF{"pass", "."}, pass(""), "fail reject(p)@example.com reject example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Evaluate(t.Context(), z, Input{From: from(tt.from), SPF: tt.spf, DKIM: tt.dkim})
			got := fmt.Sprintf("%s %s(%s)@%s %s %s", r.Value, r.Policy, r.Tag, r.RecordAt, r.Disposition, r.Org)
			if r.NonExistent {
				got += " missing"
			}
			if got != tt.want {
				t.Errorf("\n got %s\nwant %s\nwhy: %s\n%v", got, tt.want, r.Why, r.Trace)
			}
			if r.Why == "" {
				t.Error("no reason given")
			}
		})
	}
}

// TestStrictest: an unclear author has no outcome, but the strictest policy of
// those that readers could see is told (RFC 9989 11.5).
func TestStrictest(t *testing.T) {
	z := zone(t, world)
	r := Evaluate(t.Context(), z, Input{From: from("a@pct.example, b@strict.example, c@nothing.example"), SPF: SPF{"pass", "pct.example"}})
	got := fmt.Sprint(r.Value, r.Strictest, r.StrictestAt, r.Disposition)
	if want := fmt.Sprint(PermError, PolicyReject, "strict.example", PolicyNone); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// counting counts what goes to the resolver.
type counting struct {
	dns.Resolver
	names []string
}

func (c *counting) Lookup(ctx context.Context, name string, t dns.Type) (dns.Answer, error) {
	c.names = append(c.names, name+" "+t.String())
	return c.Resolver.Lookup(ctx, name, t)
}

// TestWalkNames holds the examples of RFC 9989 4.10 and 5.1.8.
func TestWalkNames(t *testing.T) {
	tests := []struct {
		domain string
		want   []string
	}{
		{"a.mail.example.com", []string{"a.mail.example.com", "mail.example.com", "example.com", "com"}},
		{"com", []string{"com"}},
		{"a.b.c.d.e.f.g.h.i.j.mail.example.com", []string{"a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com",
			"h.i.j.mail.example.com", "i.j.mail.example.com", "j.mail.example.com", "mail.example.com", "example.com", "com"}},
		{"mail.a.b.c.d.e.f.g.example.com", []string{"mail.a.b.c.d.e.f.g.example.com", "c.d.e.f.g.example.com", "d.e.f.g.example.com",
			"e.f.g.example.com", "f.g.example.com", "g.example.com", "example.com", "com"}},
		{"1.2.3.4.5.6.7.8", []string{"1.2.3.4.5.6.7.8", "2.3.4.5.6.7.8", "3.4.5.6.7.8", "4.5.6.7.8", "5.6.7.8", "6.7.8", "7.8", "8"}},
		{"1.2.3.4.5.6.7", []string{"1.2.3.4.5.6.7", "2.3.4.5.6.7", "3.4.5.6.7", "4.5.6.7", "5.6.7", "6.7", "7"}},
	}
	for _, tt := range tests {
		c := &counting{Resolver: &dnstest.Zone{}}
		w := walker{r: c, answers: map[string]lookup{}}
		w.walk(t.Context(), tt.domain)
		var want []string
		for _, n := range tt.want {
			want = append(want, "_dmarc."+n+" TXT")
		}
		if d := cmp.Diff(want, c.names); d != "" {
			t.Errorf("%s (-want +got)\n%s", tt.domain, d)
		}
		if len(c.names) > maxQueries {
			t.Errorf("%s: %d questions", tt.domain, len(c.names))
		}
	}
}

// TestWalkStops: nothing is asked above a record that says where the organization
// ends, whatever stands there.
func TestWalkStops(t *testing.T) {
	for _, psd := range []string{"y", "n"} {
		c := &counting{Resolver: zone(t, `{"_dmarc.b.c.example": {"TXT": ["v=DMARC1; p=none; psd=`+psd+`"]}, "_dmarc.example": {"TXT": ["v=DMARC1; p=reject"]}}`)}
		w := walker{r: c, answers: map[string]lookup{}}
		w.walk(t.Context(), "a.b.c.example")
		if d := cmp.Diff([]string{"_dmarc.a.b.c.example TXT", "_dmarc.b.c.example TXT"}, c.names); d != "" {
			t.Errorf("psd=%s (-want +got)\n%s", psd, d)
		}
	}
}

// TestQuestions: a message with many signatures of many names costs no more than
// the bound, and no name is asked twice.
func TestQuestions(t *testing.T) {
	c := &counting{Resolver: zone(t, world)}
	in := Input{From: from("a@example.com")}
	for i := range 100 {
		in.DKIM = append(in.DKIM, Signature{Result: "pass", Domain: fmt.Sprintf("%d.b.c.d.e.f.g.h.evil.example", i)},
			Signature{Result: "pass", Domain: fmt.Sprintf("x%d.y%d.z%d.v%d.w%d.u%d.example.com", i, i, i, i, i, i)})
	}
	r := Evaluate(t.Context(), c, in)
	if r.Value != Pass {
		t.Errorf("got %s, %s", r.Value, r.Why)
	}
	if len(c.names) > maxAsked {
		t.Errorf("%d questions", len(c.names))
	}
	seen := map[string]bool{}
	for _, n := range c.names {
		if seen[n] {
			t.Errorf("%s was asked twice", n)
		}
		seen[n] = true
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want *Record
	}{
		{"v=DMARC1", &Record{policyBroken: true}},
		{"v=DMARC1;p=none", &Record{P: "none"}},
		{"v = DMARC1 ; p = Reject ;", &Record{P: "reject"}},
		{"V=DMARC1; P=NONE", &Record{P: "none"}},
		{" v=DMARC1; p=none", nil},
		{"v=dmarc1; p=none", nil},
		{"v=DMARC11; p=none", nil},
		{"v=DMARC1 p=none", nil},
		{"p=none; v=DMARC1", nil},
		{"v=spf1 -all", nil},
		{"", nil},
		{"v=DMARC1; sp=none; np=quarantine; p=reject; adkim=s; aspf=R; fo=1:d:s; psd=n; t=y",
			&Record{P: "reject", SP: "none", NP: "quarantine", StrictDKIM: true, FailureOn: "1:d:s", PSD: 'n', Testing: true}},
		{"v=DMARC1; p=reject; adkim=x; aspf=; fo=0:1; psd=q; t=maybe", &Record{P: "reject"}},
		{"v=DMARC1; p=reject; p=none", &Record{P: "reject"}},
		{"v=DMARC1; p=reject; rua=mailto:a@example.com!10m , https://x.example/r,nonsense, mailto:broken; ruf=mailto:b@example.com",
			&Record{P: "reject", Aggregate: []string{"mailto:a@example.com", "https://x.example/r"}, Failure: []string{"mailto:b@example.com"}}},
		{"v=DMARC1; p=", &Record{policyBroken: true}},
	}
	for _, tt := range tests {
		got, ok := Parse(tt.in)
		if ok != (tt.want != nil) {
			t.Errorf("%q: %v", tt.in, ok)
			continue
		}
		if !ok {
			continue
		}
		want := *tt.want
		if want.FailureOn == "" {
			want.FailureOn = "0"
		}
		if want.PSD == 0 {
			want.PSD = 'u'
		}
		want.Raw, got.Problems = tt.in, nil
		if d := cmp.Diff(want, got, cmp.AllowUnexported(Record{})); d != "" {
			t.Errorf("%q (-want +got)\n%s", tt.in, d)
		}
	}
}

// TestPassNeedsAlignment: whatever the zone and the identifiers, a pass has an
// aligned identifier that passed, and its organizational domain is the author's.
func TestPassNeedsAlignment(t *testing.T) {
	labels := rapid.SampledFrom([]string{"com", "example", "a", "b", "mail"})
	name := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(labels, 1, 5).Draw(t, "labels"), ".")
	})
	record := rapid.SampledFrom([]string{"v=DMARC1; p=reject", "v=DMARC1; p=none; psd=y", "v=DMARC1; p=quarantine; psd=n; adkim=s", "v=DMARC1; p=x", "junk"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			fmt.Fprintf(&b, "_dmarc.%s. 60 IN TXT %q\n", name.Draw(t, "at"), record.Draw(t, "record"))
		}
		z, err := dnstest.Parse("zone", strings.NewReader(b.String()))
		if err != nil {
			t.Skip(err)
		}
		domain, other := name.Draw(t, "author"), name.Draw(t, "signer")
		res := rapid.SampledFrom([]string{"pass", "fail", "temperror"}).Draw(t, "result")
		r := Evaluate(context.Background(), z, Input{From: from("x@" + domain), DKIM: []Signature{{res, other, "s"}}})
		w := walker{r: z, answers: map[string]lookup{}}
		orgOf := func(d string) string { x := w.walk(context.Background(), d); o, _ := x.organization(); return o }
		aligned := domain == other || orgOf(domain) == orgOf(other) && !(r.Record != nil && r.Record.StrictDKIM)
		if want := r.Record != nil && !(r.Record.policyBroken && len(r.Record.Aggregate) == 0) && aligned && res == "pass"; (r.Value == Pass) != want {
			t.Fatalf("author %s, signer %s (%s): %s, %s\n%s\n%v", domain, other, res, r.Value, r.Why, b.String(), r.Trace)
		}
		if r.Disposition != PolicyNone && r.Value != Fail {
			t.Fatalf("disposition %s with %s", r.Disposition, r.Value)
		}
	})
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{"v=DMARC1; p=reject; rua=mailto:a@example.com!10m", "v=DMARC1;;;p", "v=DMARC1; fo=0:1:d:s; psd=y; t=y; np=none", "v=DMARC1; rua=,,:,a:b", "v\t=\tDMARC1\t;\tp=\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := Parse(s)
		if ok != IsRecord(s) {
			t.Fatal("Parse and IsRecord differ")
		}
		if !ok {
			return
		}
		if r.PSD != 'y' && r.PSD != 'n' && r.PSD != 'u' || r.FailureOn == "" || len(r.Aggregate) > maxURIs || len(r.Problems) > 16 {
			t.Fatalf("%+v", r)
		}
		for _, sub := range []bool{true, false} {
			if p, _ := r.policyFor(sub, sub); p == "" {
				t.Fatalf("no policy: %+v", r)
			}
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	z := zone(b, world)
	a := from("Somebody <a@news.example.com>")
	for name, in := range map[string]Input{
		"aligned": {From: a, SPF: SPF{"pass", "esp.example"}, DKIM: []Signature{{"pass", "esp.example", "e"}, {"pass", "example.com", "s"}}},
		"failing": {From: a, SPF: SPF{"pass", "evil.example"}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Evaluate(b.Context(), z, in)
			}
		})
	}
}
