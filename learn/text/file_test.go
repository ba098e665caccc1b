package text

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// few is a model with a handful of weights: quick to write.
func few(seed uint64) *Model {
	m := Fit(Fitting{}, nil)
	r := rand.New(rand.NewPCG(seed, 4))
	for range 1000 {
		m.weights[r.IntN(tableSize)] = int8(r.IntN(2*coarse+1) - coarse)
	}
	m.unit = 0.01
	m.version = m.hash()
	return m
}

func modelFile(t testing.TB, m *Model) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sealed gives content the checksum that it should have.
func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(bytes.Clone(b), sum[:]...)
}

func TestModelFile(t *testing.T) {
	m := few(3)
	file := modelFile(t, m)
	got, err := Load(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.weights, m.weights) || got.unit != m.unit || got.cal != m.cal || got.version != m.version {
		t.Error("what was read is not what was written")
	}
	if again := modelFile(t, got); !bytes.Equal(file, again) {
		t.Error("the same model makes another file")
	}
}

func TestLoadRefuses(t *testing.T) {
	good := modelFile(t, few(4))
	content := good[:len(good)-sha256.Size]
	head := len(modelMark) + binary.Size(modelHead{})
	change := func(off int, with ...byte) []byte {
		b := bytes.Clone(content)
		copy(b[off:], with)
		return sealed(b)
	}
	nan := binary.LittleEndian.AppendUint64(nil, math.Float64bits(math.NaN()))
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "too few"},
		{"mark only", []byte(modelMark), "too few"},
		{"another file", bytes.Repeat([]byte("PK\x03\x04"), 100), "begins with"},
		{"another mark", sealed(append([]byte("SLUTXTD1"), make([]byte, 100)...)), "begins with"},
		{"one bit", func() []byte { b := bytes.Clone(good); b[len(b)/2] ^= 1; return b }(), "checksum"},
		{"cut", good[:len(good)-100], "checksum"},
		{"extractor", change(len(modelMark), 0xFF, 0xFF), "extractor 65535"},
		{"table", change(len(modelMark)+2, 30), "30 bits"},
		{"step", change(len(modelMark)+4, nan...), "calibration"},
		{"slope", change(len(modelMark)+12, nan...), "calibration"},
		{"ceiling", change(head-8, nan...), "calibration"},
		{"no table", sealed(content[:head]), "table"},
		{"garbage for a table", sealed(append(bytes.Clone(content[:head]), "garbage"...)), "table"},
		{"half a table", sealed(content[:head+(len(content)-head)/2]), "table"},
		{"more behind", sealed(append(bytes.Clone(content), 0)), "table"},
		{"too large", bytes.Repeat([]byte{0}, maxFile+2), "more than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := Load(bytes.NewReader(tt.file))
			if m != nil || !errors.Is(err, errFile) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", m, err, tt.want)
			}
		})
	}
}

// The fuzzer's octets get a right checksum, so that it reaches what is behind.
func FuzzLoad(f *testing.F) {
	good := modelFile(f, few(6))
	f.Add(good[:len(good)-sha256.Size])
	f.Add([]byte(modelMark))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Load(bytes.NewReader(b)); err == nil {
			t.Fatal("a file without a checksum was taken")
		}
		m, err := Load(bytes.NewReader(sealed(b)))
		if err != nil {
			return
		}
		if s := m.Score(&Document{Text: pitch}); math.IsNaN(s.DB) {
			t.Fatalf("%+v", s)
		}
	})
}
