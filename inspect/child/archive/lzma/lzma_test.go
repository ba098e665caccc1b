package lzma

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// pack runs the xz program, where there is one: test data come from elsewhere, and
// no copy of them is kept.
func pack(t testing.TB, in []byte, args ...string) []byte {
	t.Helper()
	c := exec.Command("xz", append(args, "-c")...)
	c.Stdin = bytes.NewReader(in)
	out, err := c.Output()
	if err != nil {
		t.Skipf("xz is not installed: %v", err)
	}
	return out
}

func sample(n int) []byte {
	b := make([]byte, 0, n)
	x := uint32(1)
	for len(b) < n {
		x = x*1664525 + 1013904223
		switch x >> 28 & 3 {
		case 0:
			b = append(b, byte(x>>16), byte(x>>8), 0xe8, byte(x), byte(x>>9), byte(x>>5)&1, 0)
		default:
			b = append(b, "the quick brown fox "[x>>20&15:]...)
		}
	}
	return b[:n]
}

func TestAgainstXZ(t *testing.T) {
	for _, n := range []int{0, 1, 100, 70_000, 3_000_000} {
		want := sample(n)
		for _, args := range []string{"--format=xz", "--format=xz -9e --check=sha256", "--format=xz --block-size=50000 --check=crc32",
			"--format=xz --x86 --lzma2", "--format=xz --delta=dist=3 --lzma2", "--format=xz --arm --lzma2", "--format=xz --armthumb --lzma2",
			"--format=xz --sparc --lzma2", "--format=xz --powerpc --lzma2", "--format=xz --lzma2=lc=1,lp=2,pb=0,dict=4KiB", "--format=lzma", "--format=lzma --lzma1=lc=8,lp=0,pb=4"} {
			packed := pack(t, want, strings.Fields(args)...)
			var r io.Reader
			if strings.HasPrefix(args, "--format=xz") {
				r = NewXZ(bytes.NewReader(packed))
			} else {
				var err error
				if r, err = NewAlone(bytes.NewReader(packed)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %s: %v, %d bytes", n, args, err, len(got))
			}
		}
	}
}

// Several streams and padding are one file; other data behind them are told.
func TestStreams(t *testing.T) {
	one := pack(t, []byte("one"))
	two := pack(t, []byte("two"))
	got, err := io.ReadAll(NewXZ(bytes.NewReader(append(append(append([]byte{}, one...), 0, 0, 0, 0), two...))))
	if err != nil || string(got) != "onetwo" {
		t.Errorf("%q %v", got, err)
	}
	got, err = io.ReadAll(NewXZ(bytes.NewReader(append(one, "something else"...))))
	if err != ErrTrailing || string(got) != "one" {
		t.Errorf("%q %v", got, err)
	}
}

// A header that asks for a dictionary of 4 GB costs what its output costs.
func TestHugeDictionary(t *testing.T) {
	packed := pack(t, []byte("hello"), "--format=lzma")
	copy(packed[1:5], "\xff\xff\xff\xff")
	allocs := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r, err := NewAlone(bytes.NewReader(packed))
			if err != nil {
				b.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || string(got) != "hello" {
				b.Fatalf("%q %v", got, err)
			}
		}
	})
	if n := allocs.AllocedBytesPerOp(); n > 200<<10 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func FuzzReaders(f *testing.F) {
	f.Add([]byte("\x5d\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00\x05\x41\xfb\xff\xff\xff\xe0\x00\x00\x00"))
	f.Add([]byte("\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x00a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := NewAlone(bytes.NewReader(b)); err == nil {
			io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
		io.Copy(io.Discard, io.LimitReader(NewXZ(bytes.NewReader(b)), 1<<20))
		for _, id := range []uint64{Delta, X86, PPC, ARM, ARMT, SPARC, ARM64} {
			r, err := Filter(id, []byte{1}, bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := io.Copy(io.Discard, r); n != int64(len(b)) {
				t.Fatalf("filter %d gave %d of %d bytes", id, n, len(b))
			}
		}
	})
}

func BenchmarkXZ(b *testing.B) {
	plain := sample(4 << 20)
	packed := pack(b, plain)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, NewXZ(bytes.NewReader(packed))); err != nil {
			b.Fatal(err)
		}
	}
}
