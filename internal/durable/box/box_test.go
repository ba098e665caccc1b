package box_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/durable/box"
)

type reader struct {
	*bytes.Reader
	closed bool
}

func (r *reader) Close() error { r.closed = true; return nil }

func open(f *box.Format, data []byte) (*box.Box, *reader, error) {
	r := &reader{Reader: bytes.NewReader(data)}
	b, err := f.Open(r)
	return b, r, err
}

type meta struct{ Name string }

func write(t testing.TB, f *box.Format, content []byte) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := f.Write(&w, meta{"line\nend"}, content); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestRoundTrip(t *testing.T) {
	f := box.NewFormat("box-test 1")
	rnd := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for name, content := range map[string][]byte{
		"empty": {}, "one": []byte("x"), "text": []byte(strings.Repeat("Hello, world\r\n", 5000)), "noise": noise,
	} {
		data := write(t, f, content)
		if !bytes.HasPrefix(data, []byte("box-test 1\n{\"Name\":\"line\\nend\"}\n")) {
			t.Errorf("%s: starts with %.60q", name, data)
		}
		b, r, err := open(f, data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rc, err := b.Read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := io.ReadAll(rc)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d octets back, want %d: %v", name, len(got), len(content), err)
		}
		if _ = rc.Close(); !r.closed {
			t.Errorf("%s: file left open", name)
		}
	}
}

// Every cut and every changed octet is noticed, none as a panic, and a file
// that can't be opened is closed.
func TestTorn(t *testing.T) {
	f := box.NewFormat("box-test 1")
	data := write(t, f, []byte(strings.Repeat("some text, and more of it\r\n", 20)))
	check := func(what string, i int, bad []byte) {
		t.Helper()
		b, r, err := open(f, bad)
		if err == nil {
			_, err = b.Read()
		} else if !r.closed {
			t.Errorf("%s at %d: file left open", what, i)
		}
		if !errors.Is(err, box.ErrTorn) {
			t.Errorf("%s at %d: %v", what, i, err)
		}
	}
	for i := range data {
		check("cut", i, data[:i])
		bad := bytes.Clone(data)
		bad[i] ^= 0x10
		check("flip", i, bad)
		bad = bytes.Clone(data)
		clear(bad[i:])
		if !bytes.Equal(bad, data) {
			check("zeros", i, bad)
		}
	}
	check("longer", len(data), append(bytes.Clone(data), 0))
	if _, _, err := open(box.NewFormat("box-test 2"), data); !errors.Is(err, box.ErrTorn) {
		t.Errorf("another version: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	format := box.NewFormat("box-test 1")
	f.Add(write(f, format, []byte("Subject: x\r\n\r\nbody\r\n")))
	f.Add(write(f, format, nil))
	f.Add([]byte("box-test 1\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, _, err := open(format, data)
		if err != nil {
			return
		}
		rc, err := b.Read()
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, rc)
		if n > b.Content || (err == nil && n != b.Content) {
			t.Errorf("%d octets read, %d announced, %v", n, b.Content, err)
		}
		_ = rc.Close()
	})
}

func BenchmarkWrite(b *testing.B) {
	f := box.NewFormat("box-test 1")
	content := []byte(strings.Repeat("Received: from somewhere by elsewhere; some date\r\n", 200))
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Write(io.Discard, meta{"x"}, content); err != nil {
			b.Fatal(err)
		}
	}
}
