package ticket

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func sealer(t testing.TB, keys ...byte) *Sealer {
	t.Helper()
	var ring [][]byte
	for _, k := range keys {
		ring = append(ring, bytes.Repeat([]byte{k}, 32))
	}
	s, err := New(Config{Keys: ring, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTicket: what is sealed comes back, with an old key too, for its time, and nothing
// else does.
func TestTicket(t *testing.T) {
	old := sealer(t, 1)
	want := Ticket{Use: Second, Case: "C0123456789AB", Try: "sms-3", Round: now.Add(-time.Hour), Issued: now}
	token, err := old.Seal(want)
	if err != nil || len(token) > maxToken/2+20 {
		t.Fatalf("%q %v", token, err)
	}
	ring := sealer(t, 2, 1)
	if got, err := ring.Open(token, now.Add(24*time.Hour)); err != nil || got != want {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := ring.Open(token, now.Add(15*24*time.Hour)); !errors.Is(err, ErrExpired) || got.Case != want.Case {
		t.Errorf("late: %+v %v", got, err)
	}
	if _, err := sealer(t, 3).Open(token, now); !errors.Is(err, ErrInvalid) {
		t.Errorf("another site: %v", err)
	}
	for i := range token {
		c := byte('A')
		if token[i] == c {
			c = 'B'
		}
		if got, err := ring.Open(token[:i]+string(c)+token[i+1:], now); err == nil {
			t.Fatalf("changed at %d: %+v", i, got)
		}
		if _, err := ring.Open(token[:i], now); err == nil {
			t.Fatalf("cut at %d", i)
		}
	}
	for _, bad := range []Ticket{{}, {Use: Second}, {Use: 9, Case: "C1"}, {Use: Second, Case: strings.Repeat("C", 41)}} {
		if _, err := old.Seal(bad); err == nil {
			t.Errorf("sealed: %+v", bad)
		}
	}
	if Receipt.Means() != "" || MailedLink.Means() == "" {
		t.Error("means")
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	s.rand = bytes.NewReader(make([]byte, 24)) // workers are processes of their own, and know the same token
	token, _ := s.Seal(Ticket{Use: MailedLink, Case: "C1", Try: "mail-1", Round: now, Issued: now})
	f.Add(token)
	f.Add(token[:20] + "\n" + token[20:])
	f.Add("")
	f.Add(strings.Repeat("A", 100))
	f.Fuzz(func(t *testing.T, in string) {
		if got, err := s.Open(in, now); err == nil && in != token {
			t.Fatalf("%q: %+v", in, got)
		}
	})
}
