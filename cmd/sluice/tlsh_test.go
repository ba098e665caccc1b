package main

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/engine/tlsh"
)

// TestRelativeInArchive: a list knows a file in an archive by a relative's digest.
func TestRelativeInArchive(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	known := make([]byte, 40_000)
	for i := range known {
		known[i] = byte(rng.IntN(64))
	}
	variant := bytes.Clone(known)
	copy(variant[20_000:], "another address to call home to")
	other := make([]byte, len(known))
	for i := range other {
		other[i] = byte(rng.IntN(200))
	}
	d, err := tlsh.Sum(known)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	list := write("list", d.String()+" Family.A\n")
	cfg := write("sluice.toml", fmt.Sprintf("data = %q\n[dns]\nservers = [\"none\"]\n[[engines.hashes]]\npath = %q\nname = \"own\"\n", dir, list))
	mail := func(name string, content []byte) string {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, err := z.Create("part.dat")
		if err == nil {
			_, err = w.Write(content)
		}
		if err == nil {
			err = z.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return write(name, "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"+base64.StdEncoding.EncodeToString(b.Bytes())+"\r\n")
	}
	for file, want := range map[string]bool{mail("variant.eml", variant): true, mail("other.eml", other): false} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"scan", "--json", "--config", cfg, file}, nil, &out, &errs); code > 1 {
			t.Fatalf("status %d: %s", code, &errs)
		}
		if got := strings.Contains(out.String(), "like Family.A"); got != want {
			t.Errorf("%s: known as a relative: %v\n%s%s", filepath.Base(file), got, &out, &errs)
		}
	}
}
