package roster

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/subscriber"
)

const sample = `# subscribers
{"account":"Bob","addresses":["bob@example.org"],"class":"business","language":"de","zone":"Europe/Berlin","contacts":[{"channel":"mail","address":"bob@example.org","same":true},{"channel":"sms","address":"+4930"}]}

{"key":"line:4711","networks":["192.0.2.0/24","2001:db8:1::/48"]}
{"key":"line:4712","networks":["192.0.2.7"]}
`

func TestFind(t *testing.T) {
	l, err := parseFile([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		t    subscriber.Trace
		want string
	}{
		{"account", subscriber.Trace{Account: "bob"}, "account:Bob"},
		{"account from another's line", subscriber.Trace{Account: "BOB", Client: netip.MustParseAddr("192.0.2.7")}, "account:Bob"},
		{"line", subscriber.Trace{Client: netip.MustParseAddr("192.0.2.9")}, "line:4711"},
		{"the nearest line", subscriber.Trace{Client: netip.MustParseAddr("::ffff:192.0.2.7")}, "line:4712"},
		{"line by IPv6", subscriber.Trace{Client: netip.MustParseAddr("2001:db8:1:2::3")}, "line:4711"},
		{"sender's address", subscriber.Trace{Address: "bob@EXAMPLE.org", Client: netip.MustParseAddr("198.51.100.1")}, "account:Bob"},
		{"a line goes before what anybody can write", subscriber.Trace{Address: "bob@example.org", Client: netip.MustParseAddr("192.0.2.7")}, "line:4712"},
		{"an unknown account isn't the line's", subscriber.Trace{Account: "eve", Client: netip.MustParseAddr("192.0.2.7")}, ""},
		{"nobody", subscriber.Trace{}, ""},
	} {
		if s, ok := l.find(c.t); s.Key != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.name, s.Key, ok, c.want)
		}
	}
	bob, _ := l.find(subscriber.Trace{Account: "bob"})
	if bob.Class != subscriber.Business || bob.Language != "de" || bob.Zone.String() != "Europe/Berlin" || !bob.Second() {
		t.Errorf("%+v", bob)
	}
}

func TestBad(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":        {"# nobody\n", "no subscriber"},
		"no key":       {`{"name":"x"}`, "line 1: neither"},
		"class":        {`{"account":"a","class":"bulky"}`, "class"},
		"word":         {`{"account":"a","clas":"bulk"}`, "unknown field"},
		"twice":        {"{\"account\":\"a\"}\n{\"account\":\"A\",\"key\":\"x\"}", "line 2: account"},
		"network":      {`{"account":"a","networks":["192.0.2.1/33"]}`, "network"},
		"networks":     {"{\"account\":\"a\",\"networks\":[\"192.0.2.1\"]}\n{\"account\":\"b\",\"networks\":[\"192.0.2.1/32\"]}", "stands for two"},
		"zone":         {`{"account":"a","zone":"Europe/Nowhere"}`, "zone"},
		"zone as path": {`{"account":"a","zone":"../../etc/passwd"}`, "zone"},
		"control":      {`{"account":"a\u0007"}`, "text"},
		"contact":      {`{"account":"a","contacts":[{"channel":"sms"}]}`, "contact"},
		"two objects":  {`{"account":"a"}{"account":"b"}`, "more than one"},
		"half":         {`{"account":"a`, "line 1"},
	} {
		if _, err := parseFile([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roster")
	write := func(text string, age time.Duration) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := NewFile(path); err == nil {
		t.Error("a file that isn't there")
	}
	write(sample, time.Hour)
	f, err := NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	look := func() int { f.next.Store(0); return f.Len() }
	write(sample+`{"account":"eve"}`, 30*time.Minute)
	if n := look(); n != 4 {
		t.Errorf("%d subscribers after an edit", n)
	}
	write(sample[:40], 20*time.Minute)
	if n := look(); n != 4 || f.Trouble() == "" {
		t.Errorf("%d subscribers after half a file was written; trouble %q", n, f.Trouble())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if n := look(); n != 4 || f.Trouble() == "" {
		t.Errorf("%d subscribers after it is gone; trouble %q", n, f.Trouble())
	}
	if s, ok, err := f.Subject(t.Context(), "line:4711"); !ok || err != nil || s.Key != "line:4711" {
		t.Errorf("by key: %+v, %v, %v", s, ok, err)
	}
}

// fake is a directory that counts and fails as told.
type fake struct {
	asked int
	err   error
	known bool
}

func (f *fake) Find(context.Context, subscriber.Trace) (subscriber.Subject, bool, error) {
	f.asked++
	return subscriber.Subject{Key: "account:bob"}, f.known && f.err == nil, f.err
}

func (f *fake) Subject(ctx context.Context, _ string) (subscriber.Subject, bool, error) {
	return f.Find(ctx, subscriber.Trace{})
}

func TestCached(t *testing.T) {
	now := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	src := &fake{known: true}
	c := NewCached(src, CacheConfig{Clock: func() time.Time { return now }})
	find := func(account string) (bool, error) {
		_, ok, err := c.Find(t.Context(), subscriber.Trace{Account: account, Client: netip.MustParseAddr("192.0.2.1")})
		return ok, err
	}
	step := func(name, account string, ok, fails bool, asked int) {
		t.Helper()
		got, err := find(account)
		if got != ok || (err != nil) != fails || src.asked != asked {
			t.Errorf("%s: %v, %v, asked %d times; want %v, an error %v, %d", name, got, err, src.asked, ok, fails, asked)
		}
	}
	step("first", "bob", true, false, 1)
	step("again", "BOB", true, false, 1)
	src.known = false
	step("unknown", "eve", false, false, 2)
	step("unknown again", "eve", false, false, 2)
	now = now.Add(time.Minute)
	step("a no is short", "eve", false, false, 3)
	now = now.Add(10 * time.Minute)
	src.err = errors.New("away")
	step("stale", "bob", true, false, 4)
	step("no answer", "new", false, true, 5)
	step("no answer", "new", false, true, 6)
	step("left alone", "new", false, true, 6)
	step("left alone, and stale", "bob", true, false, 6)
	now = now.Add(leaveFor)
	src.err, src.known = nil, true
	step("back", "new", true, false, 7)
	now = now.Add(48 * time.Hour)
	src.err = errors.New("away")
	step("too old", "bob", false, true, 8)
}

func TestFirst(t *testing.T) {
	broken, empty, good := &fake{err: errors.New("away")}, &fake{}, &fake{known: true}
	if _, ok, err := (First{broken, empty, good}).Find(t.Context(), subscriber.Trace{}); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, ok, err := (First{empty, broken}).Find(t.Context(), subscriber.Trace{}); ok || err == nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, ok, err := (First{}).Subject(t.Context(), "x"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"account":"a","zone":"UTC","networks":["::/0","0.0.0.0/0"]}`))
	f.Add([]byte("\xef\xbb\xbf#\n[[[[[["))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseFile(b)
		if err != nil {
			return
		}
		for k, s := range l.keys {
			if k == "" || s.Key != k || len(k) > maxText {
				t.Fatalf("%q: %+v", k, s)
			}
		}
		l.find(subscriber.Trace{Client: netip.MustParseAddr("192.0.2.1")})
	})
}
