package guard

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/store/memory"
)

func memosOf(t *testing.T, memos sluice.Memos, kind string) map[string]sluice.Memo {
	t.Helper()
	out := map[string]sluice.Memo{}
	if err := memos.EachMemo(context.Background(), kind, func(m sluice.Memo) error { out[m.Key] = m; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMemos: bans and places of login outlive the process; lifted bans don't come back.
func TestMemos(t *testing.T) {
	ctx, memos := context.Background(), memory.New()
	g := New(Config{})
	offend(g, noon.Add(-3*time.Hour), v4(7<<8)) // over, but remembered
	offend(g, noon, bot)
	offend(g, noon, v4(8<<8))
	g.Unban(noon, v4(8<<8))
	for i := range 20 {
		offend(g, noon, in("192.0.2.0", i))
	}
	enter(g, noon, owner, "Ann@Example.org")
	enter(g, noon, v4(9<<8), "bob")
	guess(g, noon, owner, "Ann@Example.org", 0xdecaf)

	now := noon.Add(time.Minute)
	n, err := g.Save(ctx, now, memos)
	if err != nil || n != 3+20+1+2 {
		t.Fatalf("%d written, %v", n, err)
	}
	if n, err := g.Save(ctx, now, memos); n != 0 || err != nil {
		t.Fatalf("%d written again, %v", n, err)
	}
	if b := memosOf(t, memos, KindBan)["198.51.100.66/32"]; string(b.Value) != `{"since":"2026-03-14T12:00:00Z","until":"2026-03-14T12:10:00Z","times":1,"reason":"SMTP_SMUGGLING"}` {
		t.Errorf("a ban: %s", b.Value)
	}
	if l := memosOf(t, memos, KindLogin)["ann@example.org"]; string(l.Value) != `[{"client":"203.0.113.5/32","last":"2026-03-14T12:00:00Z"}]` {
		t.Errorf("a login: %s", l.Value)
	}

	again := New(Config{})
	if n, err := again.Load(ctx, now, memos); err != nil || n != 26 {
		t.Fatalf("%d loaded, %v", n, err)
	}
	if !banned(again, now, bot) || banned(again, now, v4(8<<8)) || !banned(again, now, in("192.0.2.0", 200)) || banned(again, noon.Add(11*time.Minute), bot) {
		t.Error("other bans after a restart")
	}
	if d := offend(again, now, v4(7<<8)); !d.Until.Equal(now.Add(20 * time.Minute)) {
		t.Errorf("a second ban is a first one after a restart: %+v", d)
	}
	if again.nearness(now, owner, "ann@example.org") != exact || again.nearness(now, v4(9<<8|1), "bob") != near {
		t.Error("nobody is at home after a restart")
	}
	if d := offend(again, now, owner); !d.Allow {
		t.Error("the owner's home is banned after a restart")
	}
}

// TestLastingLogin: the place of somebody who logs in all day is written again, so that
// it doesn't end with its memo.
func TestLastingLogin(t *testing.T) {
	ctx, memos := context.Background(), memory.New()
	g := New(Config{})
	last := noon
	for i := range 60 * 24 * 2 {
		last = noon.Add(time.Duration(i) * 30 * time.Minute)
		enter(g, last, owner, "ann")
		if i%20 == 0 {
			if _, err := g.Save(ctx, last, memos); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := New(Config{})
	if n, err := again.Load(ctx, last.Add(29*24*time.Hour), memos); n != 1 || err != nil {
		t.Fatalf("%d loaded, %v", n, err)
	}
	// And it is gone from disk when it is over.
	if _, err := again.Save(ctx, last.Add(31*24*time.Hour), memos); err != nil {
		t.Fatal(err)
	}
	if n := len(memosOf(t, memos, KindLogin)); n != 0 {
		t.Errorf("%d logins left", n)
	}
}

// TestNoSecrets: nothing that is written has to do with a password.
func TestNoSecrets(t *testing.T) {
	ctx, memos := context.Background(), memory.New()
	g := New(Config{})
	const secret = 0x5ec2e7
	for i := range 50 {
		guess(g, noon, owner, account(i), secret)
		guess(g, noon, bot, "ann", secret+uint64(i))
		enter(g, noon, owner, account(i))
	}
	if _, err := g.Save(ctx, noon, memos); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{KindBan, KindLogin} {
		rows := memosOf(t, memos, kind)
		if len(rows) == 0 {
			t.Errorf("nothing of kind %q", kind)
		}
		for k, m := range rows {
			var v any
			if err := json.Unmarshal(m.Value, &v); err != nil {
				t.Error(err)
			}
			for _, word := range []string{"6210279", "5ec2e7", "5EC2E7"} { // the secret in decimal and hex
				if strings.Contains(k+string(m.Value), word) {
					t.Errorf("%s %s: %s", kind, k, m.Value)
				}
			}
		}
	}
}

// TestBadMemos are left out, counted, and don't keep the rest from being read.
func TestBadMemos(t *testing.T) {
	ctx, memos := context.Background(), memory.New()
	put := func(kind, key, value string) {
		if err := memos.PutMemos(ctx, []sluice.Memo{{Kind: kind, Key: key, Value: []byte(value), Updated: noon}}); err != nil {
			t.Fatal(err)
		}
	}
	put(KindBan, "192.0.2.1/32", `{"since":"2026-03-14T12:00:00Z","until":"2026-03-14T12:10:00Z","times":1}`)
	put(KindBan, "nobody", `{"since":"2026-03-14T12:00:00Z","until":"2026-03-14T12:10:00Z","times":1}`)
	put(KindBan, "192.0.2.2/32", `{`)
	put(KindBan, "192.0.2.3/32", `{"since":"2026-03-14T12:00:00Z","until":"2036-03-14T12:10:00Z","times":1}`)
	put(KindBan, "192.0.2.4/32", `{"since":"2036-03-14T12:00:00Z","until":"2036-03-14T12:10:00Z","times":1}`)
	put(KindBan, "192.0.2.5/32", `{"since":"2026-03-14T12:00:00Z","until":"2026-03-14T12:10:00Z","times":-1}`)
	put(KindLogin, "ann", `[{"client":"192.0.2.9/32","last":"2026-03-14T11:00:00Z"}]`)
	put(KindLogin, "bob", `[{"client":"192.0.2.9/40","last":"2026-03-14T11:00:00Z"}]`)
	put(KindLogin, "carol", `[`+strings.Repeat(`{"client":"192.0.2.9/32","last":"2026-03-14T11:00:00Z"},`, 1000)+`{}]`)
	g := New(Config{})
	n, err := g.Load(ctx, noon, memos)
	if n != 2 || err == nil || !strings.Contains(err.Error(), "load ban: 5 memos") || !strings.Contains(err.Error(), "load login: 2 memos") {
		t.Errorf("%d loaded, %v", n, err)
	}
	if len(g.Bans(noon)) != 1 || g.nearness(noon, in("192.0.2.0", 9), "ann") != exact {
		t.Error("what can be read isn't there")
	}
}
