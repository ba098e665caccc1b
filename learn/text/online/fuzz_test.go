package online

import (
	"bytes"
	"crypto/sha256"
	"testing"
)

// FuzzLoad puts the right checksum under whatever comes.
func FuzzLoad(f *testing.F) {
	s := NewState()
	for _, l := range labels(13, 3) {
		s.Learn(l)
	}
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[:b.Len()-sha256.Size])
	f.Add([]byte(fileMark))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		s, err := Load(bytes.NewReader(append(b, sum[:]...)))
		if err != nil {
			return
		}
		for _, l := range labels(14, 2) {
			s.Learn(l)
		}
		var again bytes.Buffer
		if err := s.Write(&again); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(&again); err != nil {
			t.Fatal(err)
		}
	})
}
