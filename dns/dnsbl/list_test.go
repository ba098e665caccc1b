package dnsbl

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	wire "github.com/miekg/dns"

	"sluice/dns"
)

func complete(t testing.TB, l List) List {
	t.Helper()
	l, err := l.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// records is an answer with the addresses given, parted by spaces.
func records(addrs string) dns.Answer {
	var a dns.Answer
	for s := range strings.FieldsSeq(addrs) {
		a.Records = append(a.Records, dns.Record{Type: dns.A, Addr: netip.MustParseAddr(s)})
	}
	return a
}

func TestKnownListsAreInOrder(t *testing.T) {
	for zone, k := range known {
		l := complete(t, List{Zone: zone})
		if k.ended != "" {
			if Ended(zone) == "" {
				t.Errorf("%s: ended, and Ended doesn't say so", zone)
			}
			continue
		}
		if l.Weight <= 0 || len(l.Answers) == 0 || l.Kind == 0 {
			t.Errorf("%s: %+v", zone, l)
		}
		counts := false
		for i, a := range l.Answers {
			counts = counts || !a.Ignore
			if a.Meaning == "" || a.Weight > l.Weight {
				t.Errorf("%s: answer %s: %+v", zone, a.Values, a)
			}
			for _, b := range l.Answers[:i] {
				if a.Values.overlaps(b.Values) {
					t.Errorf("%s: %s and %s overlap", zone, a.Values, b.Values)
				}
			}
		}
		if !counts {
			t.Errorf("%s: no answer counts", zone)
		}
	}
}

func TestClassify(t *testing.T) {
	fail := func(kind error) error {
		return &dns.Error{Name: "7.2.0.192.secret.example.org", Type: dns.A, Kind: kind}
	}
	none := dns.Answer{}
	for _, tc := range []struct {
		name, zone string
		answer     dns.Answer
		err        error
		want       string
	}{
		{"SBL", "zen.spamhaus.org", records("127.0.0.2"), nil, "listed 8 SBL: sends spam or serves those who do"},
		{"PBL", "zen.spamhaus.org", records("127.0.0.11"), nil, "listed 6 PBL: not the address of a mail server"},
		{"XBL and PBL: the heavier, in any order", "zen.spamhaus.org", records("127.0.0.10 127.0.0.4"), nil, "listed 8 XBL: infected or exploited machine"},
		{"a new code", "zen.spamhaus.org", records("127.0.0.99"), nil, "unusable: answers 127.0.0.99, which is none of its known answers"},
		{"a new code beside a known one", "zen.spamhaus.org", records("127.0.0.99 127.0.0.2"), nil, "listed 8 SBL: sends spam or serves those who do"},
		{"the test point's negative", "zen.spamhaus.org", records("127.0.0.1"), nil, "unusable: answers 127.0.0.1, which is none of its known answers"},
		{"public resolver", "zen.spamhaus.org", records("127.255.255.254"), nil, "refused: refuses to serve us: 127.255.255.254, asked through a public resolver"},
		{"too many", "zen.spamhaus.org", records("127.255.255.255"), nil, "refused: refuses to serve us: 127.255.255.255, too many questions"},
		{"mistyped", "zen.spamhaus.org", records("127.255.255.252"), nil, "refused: refuses to serve us: 127.255.255.252, a mistake in the zone's name"},
		{"a refusal nobody knows", "bl.example.org", records("127.255.255.0"), nil, "refused: refuses to serve us: 127.255.255.0"},
		{"a refusal before a listing", "zen.spamhaus.org", records("127.255.255.254 127.0.0.2"), nil, "refused: refuses to serve us: 127.255.255.254, asked through a public resolver"},
		{"a refusal after a listing", "zen.spamhaus.org", records("127.0.0.2 127.255.255.254"), nil, "refused: refuses to serve us: 127.255.255.254, asked through a public resolver"},
		{"parked", "zen.spamhaus.org", records("203.0.113.9"), nil, "outside: answers 203.0.113.9, which is outside 127.0.0.0/8: whoever answers keeps no list"},
		{"parked, and more", "zen.spamhaus.org", records("127.0.0.2 127.255.255.254 203.0.113.9 127.0.0.2"), nil, "outside: answers 203.0.113.9, which is outside 127.0.0.0/8: whoever answers keeps no list"},
		{"mapped", "bl.example.org", records("::ffff:127.0.0.2"), nil, "listed 3 listed"},
		{"unknown list", "bl.example.org", records("127.0.0.2"), nil, "listed 3 listed"},
		{"unknown list, another code", "bl.example.org", records("127.0.0.3"), nil, "unusable: answers 127.0.0.3, which is none of its known answers"},
		{"no trust", "list.dnswl.org", records("127.0.5.0"), nil, "not listed"},
		{"low trust", "list.dnswl.org", records("127.0.5.1"), nil, "listed 1 low trust"},
		{"high trust", "list.dnswl.org", records("127.0.15.3"), nil, "listed 5 high trust"},
		{"its own refusal", "list.dnswl.org", records("127.0.0.255"), nil, "refused: refuses to serve us: 127.0.0.255"},
		{"no such category", "list.dnswl.org", records("127.0.0.3"), nil, "unusable: answers 127.0.0.3, which is none of its known answers"},
		{"white", "hostkarma.junkemailfilter.com", records("127.0.0.1"), nil, "not listed"},
		{"brown and white", "hostkarma.junkemailfilter.com", records("127.0.0.1 127.0.0.4"), nil, "listed 1 sends spam, too little to be sure"},
		{"no such name", "bl.example.org", none, fail(dns.ErrNXDomain), "not listed"},
		{"no such type", "bl.example.org", none, fail(dns.ErrNoData), "not listed"},
		{"SERVFAIL", "bl.example.org", dns.Answer{RCode: wire.RcodeServerFailure}, fail(dns.ErrServFail), "no answer: server failure"},
		{"REFUSED", "bl.example.org", dns.Answer{RCode: wire.RcodeRefused}, fail(dns.ErrServFail), "no answer: the name server refuses the question"},
		{"timeout", "bl.example.org", none, fail(dns.ErrTimeout), "no answer: no answer in time"},
		{"nobody can ask", "bl.example.org", none, fail(dns.ErrBadName), "no answer: server failure"},
		{"budget", "bl.example.org", none, fail(dns.ErrBudget), "not asked: the budget for questions is spent"},
		{"any other error", "bl.example.org", none, errors.New("7.2.0.192.secret.example.org"), "no answer: server failure"},
		{"an old answer", "bl.example.org", dns.Answer{Records: records("127.0.0.2").Records, Stale: true}, nil, "no answer: no answer now, only an old one"},
		{"nothing", "bl.example.org", none, nil, "unusable: answers without an address"},
		{"no address", "bl.example.org", dns.Answer{Records: []dns.Record{{Type: dns.A}}}, nil, "outside: answers invalid IP, which is outside 127.0.0.0/8: whoever answers keeps no list"},
		{"another type", "bl.example.org", dns.Answer{Records: []dns.Record{{Type: dns.TXT, Text: "127.0.0.2"}}}, nil, "unusable: answers without an address"},
	} {
		l := complete(t, List{Zone: tc.zone})
		if got := l.classify(tc.answer, tc.err).words(); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func (o *outcome) words() string {
	kinds := map[kind]string{notListed: "not listed", listed: "listed", noAnswer: "no answer", notAsked: "not asked", denied: "refused", unusable: "unusable", outside: "outside"}
	switch {
	case o.kind == listed:
		return fmt.Sprintf("listed %v %s", o.weight, o.meaning)
	case o.why != "":
		return kinds[o.kind] + ": " + o.why
	}
	return kinds[o.kind]
}

// FuzzClassify holds every answer to the rules that keep mail flowing: a listing is
// made of 127.0.0.0/8 alone, holds an answer that the list knows, and no refusal.
func FuzzClassify(f *testing.F) {
	for _, s := range []string{"\x7f\x00\x00\x02", "\x7f\xff\xff\xfe", "\xcb\x00\x71\x09", "\x7f\x00\x00\x02\x7f\xff\xff\xfe", "", "\x7f\x00\x00\x63\x7f\x00\x00\x04"} {
		for i := range 3 {
			f.Add([]byte(s), i)
		}
	}
	lists := []List{complete(f, List{Zone: "zen.spamhaus.org"}), complete(f, List{Zone: "list.dnswl.org"}), complete(f, List{Zone: "bl.example.org"})}
	f.Fuzz(func(t *testing.T, b []byte, which int) {
		l := &lists[uint(which)%uint(len(lists))]
		var a dns.Answer
		for ; len(b) >= 4; b = b[4:] {
			a.Records = append(a.Records, dns.Record{Type: dns.A, Addr: netip.AddrFrom4([4]byte(b))})
		}
		o := l.classify(a, nil)
		if len(o.codes) > maxCodes || o.kind != listed && o.kind != notListed && o.why == "" {
			t.Errorf("%+v", o)
		}
		if o.kind != listed {
			if o.weight != 0 {
				t.Errorf("weight without a listing: %+v", o)
			}
			return
		}
		meant := false
		for i, r := range a.Records {
			if i == maxCodes {
				break
			}
			m, ok := l.meaning(r.Addr)
			meant = meant || ok && !m.Ignore && m.Weight == o.weight && m.Meaning == o.meaning
			if !loopback.Contains(r.Addr) || l.refuses(r.Addr) {
				t.Errorf("listed by %v", a.Records)
			}
		}
		if !meant {
			t.Errorf("listed without a known answer: %v", a.Records)
		}
	})
}

func TestComplete(t *testing.T) {
	l := complete(t, List{Zone: "ABC123.Zen.DQ.Spamhaus.net."})
	if l.Zone != "zen.dq.spamhaus.net" || l.Key != "abc123" || l.Name != "zen.dq.spamhaus.net" || len(l.Answers) != 6 {
		t.Errorf("a key in the zone: %+v", l)
	}
	if q := l.question(netip.MustParseAddr("192.0.2.7")); q != "7.2.0.192.abc123.zen.dq.spamhaus.net" {
		t.Error(q)
	}
	l = complete(t, List{Zone: "zen.spamhaus.org", Weight: 4})
	if w := []float64{l.Answers[0].Weight, l.Answers[4].Weight}; !cmp.Equal(w, []float64{4, 3}) {
		t.Errorf("half the weight: %v", w)
	}
	if known["zen.spamhaus.org"].Answers[0].Weight != 8 {
		t.Error("the table was changed")
	}
	l = complete(t, List{Zone: "list.dnswl.org"})
	if l.Kind != Allow {
		t.Errorf("kind %v", l.Kind)
	}
	l = complete(t, List{Zone: "bl.example.org", Weight: 2, Answers: []Answer{{Values: values("127.0.0.*")}, {Values: values("127.0.1.2"), Weight: 5}}})
	if l.Answers[0].Weight != 2 || l.Answers[1].Weight != 5 {
		t.Errorf("answers of one's own: %+v", l.Answers)
	}
	if q := l.question(netip.MustParseAddr("2001:db8::1")); q != "1."+strings.Repeat("0.", 23)+"8.b.d.0.1.0.0.2.bl.example.org" {
		t.Error(q)
	}
	// RFC 5782 5: the IPv6 test point, which isn't that of IPv4.
	if q := l.question6(point6); q != "2.0.0.0.0.0.f.7.f.f.f.f."+strings.Repeat("0.", 20)+"bl.example.org" {
		t.Error(q)
	}
	for _, l := range []List{{}, {Zone: "."}, {Zone: "a b"}, {Zone: strings.Repeat("abc.", 60) + "org"}, {Zone: "x.org", Weight: 1000},
		{Zone: "x.org", Answers: []Answer{{Values: values("127.*.*.*")}}}} {
		if _, err := l.Complete(); err == nil {
			t.Errorf("%v: accepted", l)
		}
	}
}

func FuzzParseValues(f *testing.F) {
	for _, s := range []string{"127.0.0.2", "127.0.2-20.3", "127.*.*.*", "127.0.0.300", "128.0.0.1", "127.0.0", "127.0.0.9-2", "127.0.0.-", "127.0.0.2-3-4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseValues(s)
		if err != nil {
			return
		}
		again, err := ParseValues(v.String())
		if err != nil || again != v || v[0] != [2]byte{127, 127} {
			t.Errorf("%q: %v, %v, %v", s, v, again, err)
		}
		for _, o := range v {
			if o[0] > o[1] {
				t.Errorf("%q: %v", s, v)
			}
		}
	})
}

func TestParseValues(t *testing.T) {
	for s, ok := range map[string]bool{"127.0.0.2": true, "127.0.2-20.3": true, "127.0.0.*": true, "127.0.0.256": false, "10.0.0.1": false,
		"127.0.0": false, "127.0.0.4-2": false, "127.0.0.+2": false, "": false, "127.0.0.2.1": false, "*.0.0.2": false} {
		if _, err := ParseValues(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
	v := values("127.0.2-20.3")
	for a, in := range map[string]bool{"127.0.2.3": true, "127.0.20.3": true, "127.0.21.3": false, "127.0.2.2": false, "::ffff:127.0.2.3": true, "::1": false} {
		if v.Contains(netip.MustParseAddr(a)) != in {
			t.Errorf("%s in %s: not %v", a, v, in)
		}
	}
}
