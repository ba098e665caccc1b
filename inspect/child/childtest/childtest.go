// Package childtest runs decoders in tests: in this process, without a sandbox,
// with the same frame and the same language that carries their findings home.
package childtest

import (
	"bufio"
	"bytes"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/wire"
)

// Run looks into the files of a request with the decoders of cfg and returns the
// report. It fails the test where the report would not pass the gateway's checks.
// Where cfg has no Identify, the type of an input is its declared type, and that of
// a contained file its extension or declared type: enough to test one decoder.
func Run(t testing.TB, cfg child.Config, q *inspect.Request) *inspect.Report {
	t.Helper()
	if cfg.Identify == nil {
		cfg.Identify = byName
	}
	f, err := child.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	q, err = wire.Clip(q)
	if err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	w := bufio.NewWriter(&sent)
	out := wire.NewWriter(w)
	r := f.Inspect(t.Context(), q, func(r *inspect.Report, changed []int, at int, by string) {
		if err := out.Progress(r, changed, at, by); err != nil {
			t.Fatal(err)
		}
	})
	if err := out.End(r); err != nil {
		t.Fatal(err)
	}
	got := wire.Begin(q)
	if err := wire.ReadReport(bufio.NewReader(&sent), q, got); err != nil {
		t.Fatalf("the gateway would not take the report: %v", err)
	}
	if d := cmp.Diff(r, got); d != "" {
		t.Fatalf("the report changed on its way (-sent +received):\n%s", d)
	}
	return got
}

// One runs a single decoder on a single file.
func One(t testing.TB, d child.Decoder, name string, typ inspect.Type, body []byte, passwords ...string) *inspect.Report {
	t.Helper()
	return Run(t, child.Config{Decoders: []child.Decoder{d}},
		&inspect.Request{Inputs: []inspect.Input{{Name: name, DeclaredType: string(typ), Body: body}}, Passwords: passwords})
}

// Bytes runs a single decoder on hostile bytes, for fuzz targets: what a panic
// would be a fact of elsewhere fails here.
func Bytes(t testing.TB, d child.Decoder, typ inspect.Type, body []byte) {
	t.Helper()
	r := Run(t, child.Config{Decoders: []child.Decoder{d}}, &inspect.Request{
		Inputs: []inspect.Input{{Name: "fuzz", DeclaredType: string(typ), Body: body}}, Passwords: []string{"infected"},
		Budget: inspect.Budget{Bytes: 16 << 20, File: 4 << 20, Entries: 500, Pixels: 1 << 20}})
	for _, f := range r.Facts {
		if f.Kind == inspect.DecoderPanic {
			t.Fatal(f.Detail)
		}
	}
}

// Has says whether a report holds a fact of a kind whose detail contains a text.
func Has(r *inspect.Report, kind inspect.Kind, detail string) bool {
	for _, f := range r.Facts {
		if f.Kind == kind && strings.Contains(f.Detail, detail) {
			return true
		}
	}
	return false
}

func byName(name, declared string, _ []byte) (inspect.Type, inspect.Class) {
	for _, s := range []string{declared, strings.TrimPrefix(path.Ext(strings.ToLower(name)), ".")} {
		if t := inspect.Type(s); t != "" && t.Valid() {
			return t, 0
		}
	}
	return "", 0
}
