package bareloop_test

import (
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"

	"sluice/eval/bareloop"
)

func TestServe(t *testing.T) {
	defer goleak.VerifyNone(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- bareloop.Serve(l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "QUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if want := "220 mx.example ESMTP\r\n221 2.0.0 Bye\r\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	l.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
