package ldap

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	source "sluice/directory/ldap"
	"sluice/subscriber"
)

// server answers searches whose filter it knows with one entry (RFC 4511 4.5.2).
type server struct {
	addr string
	mu   sync.Mutex
	seen []string
}

func serve(t *testing.T, entries map[string]map[string][]string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{addr: l.Addr().String()}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				for s.answer(c, entries) {
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return s
}

func (s *server) answer(c net.Conn, entries map[string]map[string][]string) bool {
	p, err := ber.ReadPacket(c)
	if err != nil || len(p.Children) < 2 || p.Children[1].Tag != ldap.ApplicationSearchRequest {
		return false
	}
	filter, err := ldap.DecompileFilter(p.Children[1].Children[6])
	if err != nil {
		return false
	}
	s.mu.Lock()
	s.seen = append(s.seen, filter)
	s.mu.Unlock()
	send := func(tag ber.Tag, children ...*ber.Packet) {
		m := ber.NewSequence("")
		m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, p.Children[0].Value, ""))
		op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
		for _, ch := range children {
			op.AppendChild(ch)
		}
		m.AppendChild(op)
		_, _ = c.Write(m.Bytes())
	}
	text := func(s string) *ber.Packet {
		return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
	}
	if e := entries[filter]; e != nil {
		list := ber.NewSequence("")
		for name, values := range e {
			a, set := ber.NewSequence(""), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
			for _, v := range values {
				set.AppendChild(text(v))
			}
			a.AppendChild(text(name))
			a.AppendChild(set)
			list.AppendChild(a)
		}
		send(ldap.ApplicationSearchResultEntry, text("uid=x"), list)
	}
	send(ldap.ApplicationSearchResultDone, ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, 0, ""), text(""), text(""))
	return true
}

func TestFind(t *testing.T) {
	srv := serve(t, map[string]map[string][]string{
		"(uid=bob)": {"UID": {"bob"}, "preferredLanguage": {"de"}, "mail": {"bob@example.org"}, "mobile": {"+491", "+492"}},
		"(uid=odd)": {"uid": {"odd"}, "preferredLanguage": {"d\x01e"}},
	})
	s, err := New(Config{Config: source.Config{URL: "ldap://" + srv.addr, Plain: true, Base: "dc=example,dc=com"}, Filter: "(uid=%a)",
		Attributes: map[string]string{"account": "uid", "language": "preferredLanguage"},
		Contacts:   []Contact{{"mail", "mail", true}, {"mobile", "sms", false}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []struct {
		account, key string
		fails        bool
	}{{"bob", "account:bob", false}, {"nobody", "", false}, {"*", "", false}, {"odd", "", true}, {"", "", false}} {
		got, ok, err := s.Find(t.Context(), subscriber.Trace{Account: c.account, Client: netip.MustParseAddr("192.0.2.1")})
		if ok != (c.key != "") || got.Key != c.key && ok || (err != nil) != c.fails {
			t.Errorf("%q: %+v, %v, %v", c.account, got, ok, err)
		}
	}
	got, ok, err := s.Subject(t.Context(), "account:bob")
	if err != nil || !ok || got.Language != "de" || len(got.Contacts) != 3 || got.Contacts[1] != (subscriber.Contact{Channel: "sms", Address: "+491"}) || !got.Contacts[0].Same {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if _, ok, err := s.Subject(t.Context(), "line:1"); ok || err != nil {
		t.Errorf("a line: %v, %v", ok, err)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if want := `(uid=bob) (uid=nobody) (uid=\2a) (uid=odd) (uid=bob)`; strings.Join(srv.seen, " ") != want {
		t.Errorf("asked %q, want %q", srv.seen, want)
	}
}

func TestConfig(t *testing.T) {
	good := source.Config{URL: "ldap://127.0.0.1:1", Plain: true, Base: "dc=example"}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Config: good}, "the same of all"},
		{Config{Config: good, Filter: "(uid=%x)"}, "%a (the account)"},
		{Config{Config: good, Filter: "(uid=%a"}, "filter"},
		{Config{Config: good, Filter: "(ip=%c)"}, "key: no %a"},
		{Config{Config: good, Filter: "(uid=%a)", Attributes: map[string]string{"clas": "x"}}, "clas"},
		{Config{Config: good, Filter: "(uid=%a)", Contacts: []Contact{{Channel: "sms"}}}, "contact"},
		{Config{Filter: "(uid=%a)"}, "url"},
	} {
		if _, err := New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
