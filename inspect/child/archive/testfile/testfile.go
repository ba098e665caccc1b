// Package testfile knows the harmless strings that prove that scanning works, in
// whatever a decoder brought to light: EICAR's file and GTUBE's line.
package testfile

import (
	"bytes"
	"context"

	"sluice/inspect"
	"sluice/inspect/child"
)

// The strings are put together here, so that no scanner takes this program for them.
var (
	eicar = []byte(`X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*")
	gtube = []byte("XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-" + "ANTI-UBE-TEST-EMAIL*C.34X")
)

// Decoder looks for them in every file.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "testfile".
func (Decoder) Name() string { return "testfile" }

// Types is any.
func (Decoder) Types() []inspect.Type { return []inspect.Type{child.Any} }

// Open states what is found. Scripts escape the backslash, which makes no difference.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	if Contains(b) {
		w.Fact(inspect.TestFile, "EICAR")
	}
	if bytes.Contains(b, gtube) {
		w.Fact(inspect.TestFile, "GTUBE")
	}
	return nil
}

// Contains says whether EICAR's string stands in b, as bytes, with its backslash
// doubled, or in UTF-16.
func Contains(b []byte) bool {
	for rest := b; ; {
		// The middle has nothing that any writing changes.
		i := bytes.Index(rest, eicar[28:43])
		if i < 0 {
			break
		}
		if from := rest[max(0, i-29) : i+15]; bytes.Contains(from, eicar[:11]) || bytes.Contains(from, eicar[12:28]) {
			if end := rest[i:min(i+40, len(rest))]; bytes.Contains(end, eicar[43:63]) {
				return true
			}
		}
		rest = rest[i+1:]
	}
	return bytes.Contains(b, wide(eicar[28:63]))
}

func wide(b []byte) []byte {
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, c, 0)
	}
	return out
}
