package scan

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"sluice/dns"
	"sluice/message"
)

// TestBorder: hosts of one site hand on to each other; the client is whom the first of
// them spoke to.
func TestBorder(t *testing.T) {
	const inside = "Received: from in.site.example (in.site.example [198.51.100.7])\n\tby box.site.example (Postfix) id 1; Tue, 24 Nov 2026 10:00:02 +0000\n"
	for _, c := range []struct{ name, head, client, hello string }{
		{"one hop", "Received: from mta.acme.com (mail7.acme.com [203.0.113.5])\n\tby in.site.example; Tue, 24 Nov 2026 10:00:00 +0000\n", "203.0.113.5", "mta.acme.com"},
		{"two hops of one site", inside + "Received: from mta.acme.com (mail7.acme.com [203.0.113.5])\n\tby in.site.example; Tue, 24 Nov 2026 10:00:00 +0000\n", "203.0.113.5", "mta.acme.com"},
		{"another site below", "Received: from mta.acme.com (mail7.acme.com [203.0.113.5])\n\tby in.site.example; Tue, 24 Nov 2026 10:00:00 +0000\n" +
			"Received: from x.example (x.example [192.0.2.1])\n\tby mta.other.example; Tue, 24 Nov 2026 09:59:00 +0000\n", "203.0.113.5", "mta.acme.com"},
		{"the border's own word is lost", inside, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			mail := NewMail([]byte(c.head + "From: a@acme.com\n\nHello\n"))
			m := message.Parse(mail.Raw, message.DefaultLimits())
			o := Stored(mail, m)
			r := o.Border(m)
			got := ""
			if o.Client.IsValid() {
				got = o.Client.String()
			}
			if got != c.client || o.Hello != c.hello || r.Known != (c.client != "") {
				t.Errorf("client %s, greeting %s, name %+v", got, o.Hello, r)
			}
		})
	}
}

func TestReverse(t *testing.T) {
	for received, want := range map[string]Reverse{
		"from a (b.example [192.0.2.1]) by c":                 {Known: true, Name: "b.example"},
		"from a (b.example [192.0.2.1] (may be forged)) by c": {Known: true, Name: "b.example", Forged: true},
		"from a ([192.0.2.1]) by c":                           {Known: true},
		"from a (unknown [192.0.2.1]) by c":                   {Known: true},
		"from a (192.0.2.1) by c":                             {},
	} {
		if got := readReverse(received, ParseReceived("from a ([192.0.2.1]) by c").Addr); got != want {
			t.Errorf("%s: %+v", received, got)
		}
	}
}

func TestWitness(t *testing.T) {
	w := &Witness{}
	honest, forged, none := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	w.Testify(honest, Reverse{Known: true, Name: "a.example"})
	w.Testify(forged, Reverse{Known: true, Name: "b.example", Forged: true})
	w.Testify(none, Reverse{Known: true})
	w.Testify(netip.Addr{}, Reverse{Known: true, Name: "c.example"})
	ask := func(name string, q dns.Type) string {
		a, err := w.Lookup(context.Background(), name, q)
		if e, ok := errors.AsType[*dns.Error](err); ok {
			return e.Kind.Error()
		}
		return a.Records[0].Host + a.Records[0].Addr.String()
	}
	for _, c := range []struct {
		name string
		q    dns.Type
		want string
	}{
		{dns.Reverse(honest), dns.PTR, "a.exampleinvalid IP"}, {"a.example", dns.A, "192.0.2.1"}, {"a.example", dns.TXT, dns.ErrServFail.Error()},
		{dns.Reverse(forged), dns.PTR, "b.exampleinvalid IP"}, {"b.example", dns.A, dns.ErrNXDomain.Error()},
		{dns.Reverse(none), dns.PTR, dns.ErrNXDomain.Error()}, {"c.example", dns.A, dns.ErrServFail.Error()},
	} {
		if got := ask(c.name, c.q); got != c.want {
			t.Errorf("%s %v: %s, want %s", c.name, c.q, got, c.want)
		}
	}
}
