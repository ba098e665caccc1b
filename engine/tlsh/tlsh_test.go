package tlsh

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// stream is noise that the reference vectors were made of.
func stream(seed, n int) []byte {
	var out []byte
	for i := 0; len(out) < n; i++ {
		s := sha256.Sum256(fmt.Appendf(nil, "%d:%d", seed, i))
		out = append(out, s[:]...)
	}
	return out[:n]
}

var common = strings.Fields("the of and to a in that is was he for it with as his on be at by i this had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so")

func words(seed, n int) []byte {
	var out []byte
	for i, b := range stream(seed, n) {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, common[int(b)%len(common)]...)
		if len(out) >= n {
			break
		}
	}
	return out[:n]
}

func edited(edits, n int) []byte {
	b := words(99, n)
	for j := range edits {
		s := sha256.Sum256(fmt.Appendf(nil, "%d", j))
		b[int(binary.BigEndian.Uint32(s[:]))%n] = byte(j)
	}
	return b
}

// TestReference compares digests and distances with those of the reference
// implementation.
func TestReference(t *testing.T) {
	f, err := os.Open("testdata/reference.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var before Digest
	rows := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		var kind, want string
		var seed, n, distance int
		if _, err := fmt.Sscan(s.Text(), &kind, &seed, &n, &want, &distance); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		data := map[string]func(int, int) []byte{"noise": stream, "words": words, "edited": edited}[kind](seed, n)
		d, err := Sum(data)
		if err != nil {
			t.Errorf("%s %d %d: %v", kind, seed, n, err)
			continue
		}
		if got := d.String(); got != "T1"+want {
			t.Errorf("%s %d %d:\n got %s\nwant T1%s", kind, seed, n, got, want)
		}
		parsed, err := Parse(want)
		if err != nil || parsed != d {
			t.Errorf("%s: parsed as %+v (%v), want %+v", want, parsed, err, d)
		}
		if got := Distance(before, d); distance >= 0 && got != distance {
			t.Errorf("%s %d %d: distance %d, want %d", kind, seed, n, got, distance)
		}
		before = d
		rows++
	}
	if rows < 70 {
		t.Errorf("%d rows, want at least 70", rows)
	}
}

func TestNone(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "short": stream(1, MinLength-1), "uniform": make([]byte, 10000), "two octets": []byte(strings.Repeat("ab", 5000)),
	} {
		if d, err := Sum(data); !errors.Is(err, ErrNone) || d != (Digest{}) {
			t.Errorf("%s: %v, %v", name, d, err)
		}
	}
	if _, err := Sum(stream(1, MinLength)); err != nil {
		t.Errorf("the least length: %v", err)
	}
}

func TestParseErrors(t *testing.T) {
	d, _ := Sum(stream(1, 1000))
	good := d.String()
	if p, err := Parse(strings.ToLower(good)); err != nil || p != d {
		t.Errorf("lower case: %v %v", p, err)
	}
	for _, bad := range []string{"", "T1", good[:71], good + "0", "T2" + good[2:], strings.Repeat("x", 70), "TNULL"} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func draw(t *rapid.T, name string) Digest {
	return Digest{
		checksum: rapid.Byte().Draw(t, name), length: rapid.Byte().Draw(t, name),
		q1: rapid.ByteRange(0, 15).Draw(t, name), q2: rapid.ByteRange(0, 15).Draw(t, name),
		code: [4]uint64{rapid.Uint64().Draw(t, name), rapid.Uint64().Draw(t, name), rapid.Uint64().Draw(t, name), rapid.Uint64().Draw(t, name)},
	}
}

// slow is the distance of the paper, bucket by bucket.
func slow(a, b Digest) int {
	n := a.header(b)
	for i := range buckets {
		x, y := int(a.code[i/32]>>(2*(i%32))&3), int(b.code[i/32]>>(2*(i%32))&3)
		if k := max(x-y, y-x); k == 3 {
			n += 6
		} else {
			n += k
		}
	}
	return n
}

func TestDistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		d := Distance(a, b)
		if want := slow(a, b); d != want {
			t.Fatalf("distance %d, bucket by bucket %d", d, want)
		}
		if Distance(b, a) != d || Distance(a, a) != 0 {
			t.Fatal("not symmetric, or not 0 for itself")
		}
		most := rapid.IntRange(0, 1000).Draw(t, "most")
		if n, ok := Within(a, b, most); ok != (d <= most) || ok && n != d {
			t.Fatalf("Within %d: %d %v, distance %d", most, n, ok, d)
		}
		if p, err := Parse(a.String()); err != nil || p != a {
			t.Fatalf("%v: parsed as %v, %v", a, p, err)
		}
		if k := KeyDistance(a.Key(), b.Key()); d < k {
			t.Fatalf("keys %d apart, distance %d", k, d)
		}
	})
}

func FuzzParse(f *testing.F) {
	d, _ := Sum(stream(1, 1000))
	f.Add(d.String(), []byte("some words"))
	f.Add("T1", stream(2, 60))
	f.Fuzz(func(t *testing.T, s string, data []byte) {
		if d, err := Parse(s); err == nil {
			if again, err := Parse(d.String()); err != nil || again != d {
				t.Errorf("%q: %v, then %v (%v)", s, d, again, err)
			}
		}
		if d, err := Sum(data); err == nil && Distance(d, d) != 0 {
			t.Errorf("%v is apart from itself", d)
		}
	})
}

func BenchmarkSum(b *testing.B) {
	data := words(1, 100_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		_, _ = Sum(data)
	}
}

func BenchmarkDistance(b *testing.B) {
	x, _ := Sum(stream(1, 1000))
	y, _ := Sum(stream(2, 1000))
	n := 0
	for b.Loop() {
		n += Distance(x, y)
	}
	_ = n
}
