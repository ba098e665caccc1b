package spool

import (
	"bytes"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"golang.org/x/sys/unix"
)

// What is written in any pieces comes back, from memory and from a file.
func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		p := New(Config{Dir: dir, Memory: rapid.SampledFrom([]int{1, 100, 20_000, 0}).Draw(t, "memory")})
		b := p.New()
		defer b.Release()
		var want []byte
		for range rapid.IntRange(0, 20).Draw(t, "pieces") {
			piece := bytes.Repeat([]byte{rapid.Byte().Draw(t, "octet")}, rapid.IntRange(0, 100_000).Draw(t, "length"))
			want = append(want, piece...)
			if n, err := b.Write(piece); n != len(piece) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(piece), err)
			}
		}
		if err := b.Seal(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) || b.Size() != int64(len(want)) {
			t.Fatalf("%d octets came back as %d", len(want), len(b.Bytes()))
		}
		if p.Used() != int64(len(want)) {
			t.Fatalf("used %d", p.Used())
		}
		b.Release()
		b.Release()
		if p.Used() != 0 || b.Bytes() != nil {
			t.Fatal("not released")
		}
		if _, err := b.Write([]byte("x")); err == nil {
			t.Fatal("a released buffer takes octets")
		}
	})
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("files left: %v", left)
	}
}

func TestBudget(t *testing.T) {
	p := New(Config{Budget: 10})
	a, b := p.New(), p.New()
	if _, err := a.Write([]byte("12345678")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write([]byte("123")); !errors.Is(err, ErrBudget) {
		t.Fatalf("error %v", err)
	}
	if err := b.Seal(); !errors.Is(err, ErrBudget) {
		t.Errorf("the error doesn't stick: %v", err)
	}
	b.Release()
	if _, err := a.Write([]byte("12")); err != nil || !p.Full() {
		t.Errorf("%v, full %v", err, p.Full())
	}
	a.Release()
	if p.Used() != 0 || p.Full() {
		t.Errorf("%d used after release", p.Used())
	}
}

// A buffer over the limit has a file that nobody can find or read.
func TestFileIsPrivate(t *testing.T) {
	dir := t.TempDir()
	p := New(Config{Dir: dir})
	b := p.New()
	defer b.Release()
	if _, err := b.Write(make([]byte, 300<<10)); err != nil {
		t.Fatal(err)
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("visible: %v", names)
	}
	st, err := b.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
}

// A full disk is an error, not a loss. /dev/full stands for it.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	p := New(Config{Memory: 1})
	b := p.New()
	b.file = full
	b.grow(maxMemory)
	_, err = b.Write(make([]byte, 2*maxMemory+1))
	if !errors.Is(err, unix.ENOSPC) || !strings.HasPrefix(err.Error(), "spool: ") {
		t.Errorf("error %v", err)
	}
	b.Release()
	if p.Used() != 0 {
		t.Errorf("%d used", p.Used())
	}
}

// A read that the disk can't answer is a panic that a barrier can catch. A file
// cut short under its mapping faults in the same way.
func TestReadFault(t *testing.T) {
	p := New(Config{Memory: 1, Dir: t.TempDir()})
	b := p.New()
	defer b.Release()
	if _, err := b.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(b.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := b.Seal(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(fd, 0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	sum := 0
	for _, c := range b.Bytes() {
		sum += int(c)
	}
	t.Log(sum)
}

func BenchmarkWrite(b *testing.B) {
	for name, size := range map[string]int{"10kB": 10 << 10, "1MB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			p := New(Config{Dir: b.TempDir()})
			piece := make([]byte, 32<<10)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				buf := p.New()
				for left := size; left > 0; {
					n := min(left, len(piece))
					if _, err := buf.Write(piece[:n]); err != nil {
						b.Fatal(err)
					}
					left -= n
				}
				if err := buf.Seal(); err != nil {
					b.Fatal(err)
				}
				buf.Release()
			}
		})
	}
}
