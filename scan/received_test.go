package scan

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseReceived(t *testing.T) {
	type want struct{ hello, name, addr, by, with, to string }
	for _, tc := range []struct {
		what, in string
		want     want
	}{
		{"postfix", "from mail.example.com (host.example.net [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 4X1 for <a@example.org>; Tue, 2 Jan 2024 10:00:00 +0000 (UTC)",
			want{"mail.example.com", "host.example.net", "192.0.2.1", "mx.example.org", "ESMTPS", "a@example.org"}},
		{"postfix unknown, tls and sasl", "from [10.1.1.1] (unknown [192.0.2.1]) (using TLSv1.3 with cipher X (256/256 bits)) (Authenticated sender: [198.51.100.7]) by mx.example.org (Postfix) with ESMTPSA id 4X1",
			want{"[10.1.1.1]", "", "192.0.2.1", "mx.example.org", "ESMTPSA", ""}},
		{"postfix ipv6", "from mail.example.com (mail.example.com [IPv6:2001:db8::1]) by mx.example.org", want{"mail.example.com", "mail.example.com", "2001:db8::1", "mx.example.org", "", ""}},
		{"sendmail", "from mail.example.com (IDENT:root@host.example.net [192.0.2.1] (may be forged)) by mx.example.org (8.11.6/8.11.6) with SMTP id g7M for <a@example.org>",
			want{"mail.example.com", "host.example.net", "192.0.2.1", "mx.example.org", "SMTP", "a@example.org"}},
		{"sendmail without lookup", "from mail.example.com ([192.0.2.1]) by mx.example.org (8.9.3) id A", want{"mail.example.com", "", "192.0.2.1", "mx.example.org", "", ""}},
		{"exim", "from host.example.net ([192.0.2.1] helo=mail.example.com) by mx.example.org with esmtps (TLS1.2) (Exim 4.94) (envelope-from <b@example.com>) id 1a for a@example.org; Tue, 02 Jan 2024 10:00:00 +0000",
			want{"mail.example.com", "host.example.net", "192.0.2.1", "mx.example.org", "esmtps", "a@example.org"}},
		{"exim without lookup", "from [192.0.2.1] (port=1234 helo=[198.51.100.7]) by mx.example.org with esmtp (Exim 4.94)", want{"[198.51.100.7]", "", "192.0.2.1", "mx.example.org", "esmtp", ""}},
		{"exim with port", "from host.example.net ([192.0.2.1]:4321 ident=x helo=me) by mx", want{"me", "host.example.net", "192.0.2.1", "mx", "", ""}},
		{"qmail", "from unknown (HELO mail.example.com) (joe@192.0.2.1) by mx.example.org with SMTP; 2 Jan 2024 10:00:00 -0000", want{"mail.example.com", "", "192.0.2.1", "mx.example.org", "SMTP", ""}},
		{"qmail, greeting is the name", "from host.example.net (192.0.2.1) by mx.example.org with SMTP", want{"host.example.net", "", "192.0.2.1", "mx.example.org", "SMTP", ""}},
		{"qmail unknown", "from unknown (192.0.2.1) by mx.example.org with SMTP", want{"", "", "192.0.2.1", "mx.example.org", "SMTP", ""}},
		{"qmail local", "(qmail 123 invoked by uid 500); 2 Jan 2024 10:00:00 -0000", want{}},
		{"yahoo", "from 127.0.0.1  (EHLO mail.example.com) (192.0.2.1) by mta.example.org with SMTPs; Tue, 02 Jan 2024 10:00:00 +0000", want{"mail.example.com", "", "192.0.2.1", "mta.example.org", "SMTPs", ""}},
		{"exchange", "from AM6.example.com (2603:10a6:20b:1d::20) by DB8.example.com (2603:10a6:10:1::3) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20.1; Tue, 2 Jan 2024 10:00:00 +0000",
			want{"AM6.example.com", "", "2603:10a6:20b:1d::20", "DB8.example.com", "Microsoft", ""}},
		{"smtpsvc", "from mail.example.com ([192.0.2.1]) by mx.example.org with Microsoft SMTPSVC(5.0.2195.6713)", want{"mail.example.com", "", "192.0.2.1", "mx.example.org", "Microsoft", ""}},
		{"gmail", "from mail.example.com (host.example.net. [192.0.2.1]) by mx.google.com with ESMTPS id x for <a@example.org> (version=TLS1_3 cipher=X bits=256/256); Tue, 02 Jan 2024 02:00:00 -0800 (PST)",
			want{"mail.example.com", "host.example.net", "192.0.2.1", "mx.google.com", "ESMTPS", "a@example.org"}},
		{"gmail inner", "by 2002:a05:6a10:8c0a with SMTP id go10csp1; Tue, 2 Jan 2024 02:00:00 -0800 (PST)", want{"", "", "", "2002:a05:6a10:8c0a", "SMTP", ""}},
		{"lmtp", "from mx.example.org by mx.example.org with LMTP id abc", want{"mx.example.org", "", "", "mx.example.org", "LMTP", ""}},
		{"communigate", "from [192.0.2.1] (account b@example.com HELO laptop) by example.org (CommuniGate Pro SMTP 5)", want{"laptop", "", "192.0.2.1", "example.org", "", ""}},
		{"zmailer", "from host.example.net ([192.0.2.1]:21927 \"EHLO mail.example.com\" rhost-flags-OK-OK-OK-FAIL) by vger.example.org with ESMTP id S1",
			want{"mail.example.com", "host.example.net", "192.0.2.1", "vger.example.org", "ESMTP", ""}},
		{"fetchmail", "from pop.example.net [192.0.2.1] by localhost with POP3 (fetchmail-5.9.0) for jm@localhost (single-drop)", want{"pop.example.net", "", "192.0.2.1", "localhost", "POP3", "jm@localhost"}},
		{"greeting forges an address", "from [198.51.100.7] (evil [198.51.100.8]) (host.example.net [192.0.2.1]) by mx", want{"[198.51.100.7]", "host.example.net", "192.0.2.1", "mx", "", ""}},
		{"greeting is a keyword", "from by (host.example.net [192.0.2.1]) by mx", want{"by", "host.example.net", "192.0.2.1", "mx", "", ""}},
		{"mapped", "from x ([::ffff:192.0.2.1]) by mx", want{"x", "", "192.0.2.1", "mx", "", ""}},
		{"zone", "from x ([fe80::1%eth0]) by mx", want{"x", "", "", "mx", "", ""}},
		{"open comment", "from x (host.example.net [192.0.2.1] by mx", want{"x", "host.example.net", "192.0.2.1", "", "", ""}},
		{"empty", "", want{}},
		{"only from", "from", want{}},
	} {
		r := ParseReceived(tc.in)
		got := want{r.Hello, r.Name, "", r.By, r.With, r.For}
		if r.Addr.IsValid() {
			got.addr = r.Addr.String()
		}
		if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(want{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.what, d)
		}
	}
	r := ParseReceived("from a ([192.0.2.1]) by b; Tue, 02 Jan 2024 02:00:00 -0800 (PST)")
	if want := time.Date(2024, 1, 2, 10, 0, 0, 0, time.UTC); !r.Time.Equal(want) {
		t.Errorf("time %v, want %v", r.Time, want)
	}
}

func FuzzReceived(f *testing.F) {
	for _, s := range []string{
		"from mail.example.com (host.example.net [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 4X1 for <a@example.org>; Tue, 2 Jan 2024 10:00:00 +0000",
		"from host ([192.0.2.1]:25 helo=x ident=y) by mx", "from unknown (HELO x) (y@192.0.2.1) by mx with SMTP", "from x (((((", "(((a\\)", "by; from", "from [IPv6:::1]", "from (HELO \n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := ParseReceived(s)
		if r.Addr.IsValid() && (r.Addr.Zone() != "" || r.Addr.Is4In6() || !strings.Contains(strings.ToLower(s), "from")) {
			t.Fatalf("%q: address %v", s, r.Addr)
		}
		for _, w := range []string{r.Hello, r.Name, r.By, r.With, r.ID, r.For} {
			if strings.ContainsAny(w, " \t\r\n") || !strings.Contains(s, w) {
				t.Fatalf("%q: word %q", s, w)
			}
		}
		if again := ParseReceived(s); cmp.Diff(r, again, cmpopts.EquateComparable(netip.Addr{})) != "" {
			t.Fatalf("%q: two readings", s)
		}
	})
}

func BenchmarkParseReceived(b *testing.B) {
	const v = "from mail.example.com (host.example.net [192.0.2.1]) by mx.example.org (Postfix) with ESMTPS id 4X1 for <a@example.org>; Tue, 2 Jan 2024 10:00:00 +0000 (UTC)"
	b.SetBytes(int64(len(v)))
	for b.Loop() {
		ParseReceived(v)
	}
}
