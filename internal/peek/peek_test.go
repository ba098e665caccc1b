package peek_test

import (
	"io"
	"net"
	"testing"
	"time"

	"sluice/internal/peek"
)

func TestAt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	want := func(s peek.State) {
		t.Helper()
		end := time.Now().Add(5 * time.Second)
		for peek.At(ours) != s {
			if time.Now().After(end) {
				t.Fatalf("%d; want %d", peek.At(ours), s)
			}
			time.Sleep(time.Millisecond)
		}
	}
	want(peek.Nothing)
	if _, err := io.WriteString(theirs, "x"); err != nil {
		t.Fatal(err)
	}
	want(peek.Data)
	var b [4]byte
	if n, err := ours.Read(b[:]); n != 1 || err != nil || b[0] != 'x' {
		t.Errorf("what was looked at is gone: %d, %v", n, err)
	}
	want(peek.Nothing)
	_ = theirs.Close()
	want(peek.Closed)
	_ = ours.Close()
	want(peek.Closed)
	pipe, other := net.Pipe()
	_ = other.Close()
	if s := peek.At(pipe); s != peek.Nothing {
		t.Errorf("a pipe: %d", s)
	}
}
