package trace

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	old  = bytes.Repeat([]byte{1}, 32)
	now  = bytes.Repeat([]byte{2}, 32)
)

const (
	id   = "7K3FQ2M9ZX0ABCDE"
	from = "ann@a.example"
)

func keys(t testing.TB, ring ...[]byte) *Keys {
	t.Helper()
	k, err := New(ring...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRoundTrip(t *testing.T) {
	k := keys(t, now)
	v := k.Value(id, from, noon.Add(123456*time.Microsecond))
	if len(v) > 120 {
		t.Errorf("%d octets: more than bounce keeps of a field", len(v))
	}
	if strings.Contains(v, "ann") || strings.Contains(v, "a.example") {
		t.Errorf("it tells who sent: %s", v)
	}
	m, ok := k.Open(v)
	if !ok || m.ID != id || !m.Time.Equal(noon) {
		t.Fatalf("%+v %v", m, ok)
	}
	for who, want := range map[string]bool{from: true, "Ann@A.Example": true, "bob@a.example": false, "": false, from + "\x00": false} {
		if m.SentBy(who) != want {
			t.Errorf("SentBy(%q) is %v", who, !want)
		}
	}
	if (Mark{}).SentBy("") {
		t.Error("nothing was sent by nobody")
	}
	folded := strings.Replace(strings.Replace(v, "; t=", ";\r\n\tt=", 1), "; s=", ";s=", 1)
	if again, ok := k.Open(" " + folded + "\r\n"); !ok || again.ID != id {
		t.Errorf("folded on its way: %v", ok)
	}
	if null, ok := k.Open(k.Value(id, "", noon)); !ok || !null.SentBy("") || null.SentBy(from) {
		t.Error("the null sender")
	}
}

func TestFresh(t *testing.T) {
	m, _ := keys(t, now).Open(keys(t, now).Value(id, from, noon))
	for d, want := range map[time.Duration]bool{0: true, -time.Hour: true, -time.Hour - time.Second: false, Lifetime: true, Lifetime + time.Second: false} {
		if m.Fresh(noon.Add(d)) != want {
			t.Errorf("%v later: %v", d, !want)
		}
	}
}

// TestForged: nothing but what we wrote is ours.
func TestForged(t *testing.T) {
	k := keys(t, now)
	v := k.Value(id, from, noon)
	for i := range v {
		for _, c := range []byte{'A', 'B', ';', ' ', '0'} {
			b := []byte(v)
			b[i] = c
			if m, ok := k.Open(string(b)); ok && string(b) != v {
				// s isn't part of what h proves; then it proves no sender.
				if m.ID != id || !m.Time.Equal(noon) || m.SentBy(from) && m.from != v[len(v)-senderLen:] {
					t.Errorf("taken: %s", b)
				}
			}
		}
	}
	for _, bad := range []string{"", "v=1", v + ";", v + "; x=1", "v=2" + v[3:], strings.ToLower(v), strings.Replace(v, "; id=", "; id= ", 1), strings.Replace(v, "t=", "t=0", 1),
		strings.Replace(v, "t=", "t=+", 1), strings.Repeat(" ", 300) + v, "v=1; id=" + id + "; t=1; h=" + strings.Repeat("A", codeLen) + "; s=" + strings.Repeat("A", senderLen)} {
		if _, ok := k.Open(bad); ok {
			t.Errorf("taken: %q", bad)
		}
	}
	if _, ok := keys(t, old).Open(v); ok {
		t.Error("another site's")
	}
	for _, bad := range []string{"", "a;b", "a b", "a\r\nX: y", "ü", strings.Repeat("A", maxID+1)} {
		if got := k.Value(bad, from, noon); got != "" {
			t.Errorf("%q made %q", bad, got)
		}
	}
	if got := k.Value(id, from, time.Time{}); got != "" {
		t.Errorf("before 1970: %q", got)
	}
}

func TestRotation(t *testing.T) {
	v := keys(t, old).Value(id, from, noon)
	m, ok := keys(t, now, old).Open(v)
	if !ok || !m.SentBy(from) {
		t.Error("the old key's field isn't read")
	}
	if _, ok := keys(t, old).Open(keys(t, now, old).Value(id, from, noon)); ok {
		t.Error("the old key still makes fields")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(); err == nil {
		t.Error("no key")
	}
	if _, err := New(now, []byte("short")); err == nil {
		t.Error("a short key")
	}
}

func TestRead(t *testing.T) {
	k := keys(t, now)
	v := k.Value(id, from, noon)
	foreign := keys(t, old).Value("FOREIGN", from, noon)
	for name, c := range map[string]struct {
		header string
		want   bool
	}{
		"ours":              {"Received: x\r\n" + Field + ": " + v + "\r\nSubject: x\r\n", true},
		"bare line ends":    {"Received: x\nx-sluice-trace:" + v + "\nSubject: x\n\nbody", true},
		"folded":            {Field + ": " + strings.Replace(v, "; h=", ";\r\n\th=", 1) + "\r\n", true},
		"behind foreign":    {strings.Repeat(Field+": "+foreign+"\r\n", maxTraces-1) + Field + ": " + v + "\r\n", true},
		"behind too many":   {strings.Repeat(Field+": "+foreign+"\r\n", maxTraces) + Field + ": " + v + "\r\n", false},
		"none":              {"Subject: x\r\n", false},
		"foreign":           {Field + ": " + foreign + "\r\n", false},
		"in the body":       {"Subject: x\r\n\r\n" + Field + ": " + v + "\r\n", false},
		"in the body, bare": {"Subject: x\n\n" + Field + ": " + v + "\r\n\r\n", false},
		"empty":             {"", false},
		"beyond the bound":  {"X: " + strings.Repeat("x", maxHeader) + "\r\n" + Field + ": " + v + "\r\n", false},
	} {
		got, at, ok := k.Read([]byte(c.header))
		if ok != c.want || ok && (got != id || !at.Equal(noon)) {
			t.Errorf("%s: %q %v %v", name, got, at, ok)
		}
	}
}

func FuzzRead(f *testing.F) {
	k := keys(f, now)
	v := k.Value(id, from, noon)
	f.Add(Field + ": " + v + "\r\n")
	f.Add(Field + ":" + strings.ReplaceAll(v, "; ", ";\r\n ") + "\n\n" + v)
	f.Add(Field + ": v=1; id=; t=-1; h=; s=")
	f.Fuzz(func(t *testing.T, block string) {
		got, at, ok := k.Read([]byte(block))
		if ok && (got != id || !at.Equal(noon) || !strings.Contains(block, v[len("v=1; id="+id+"; t=1795521600; h="):][:codeLen])) {
			t.Errorf("forged: %q %v", got, at)
		}
	})
}

func BenchmarkValue(b *testing.B) {
	k := keys(b, now)
	b.ReportAllocs()
	for b.Loop() {
		k.Value(id, from, noon)
	}
}
