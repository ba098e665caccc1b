package hashlist

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/engine"
	"sluice/engine/tlsh"
)

// content is a file of words; edits change single octets.
func content(seed uint64, n, edits int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%x ", r.Uint32N(1<<16))
	}
	out := b.Bytes()[:n]
	for range edits {
		out[r.IntN(n)] = byte(r.Uint32())
	}
	return out
}

func write(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func digest(t testing.TB, data []byte) string {
	t.Helper()
	d, err := tlsh.Sum(data)
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func TestParse(t *testing.T) {
	a, b := content(1, 1000, 0), content(2, 1000, 0)
	text := "\ufeff# a comment\r\n\r\n" + sum(a) + "\n" + strings.ToUpper(sum(b)) + "  *bad file.exe\r\n" +
		"\t" + sum([]byte("c")) + ",\"Trojan.X\",\n" + digest(t, a) + " Worm\n" + digest(t, b)[2:] + "\n"
	e, err := parse(strings.NewReader(text), 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for s, id := range e.sums {
		got[fmt.Sprintf("%x", s)] = e.names[id]
	}
	if d := cmp.Diff(map[string]string{sum(a): "", sum(b): "bad file.exe", sum([]byte("c")): "Trojan.X"}, got); d != "" {
		t.Error(d)
	}
	if len(e.near) != 2 || e.names[e.near[0].name] != "Worm" || e.names[e.near[1].name] != "" {
		t.Errorf("%+v", e.near)
	}
	for _, bad := range []string{"x", sum(a)[1:], sum(a) + "0", "g" + sum(a)[1:], "T1" + sum(a), "44d88612fea8a8f36de82e1278abb02f", strings.Repeat("a", maxLine+1), sum(a) + "\n" + sum(b)[:50]} {
		if _, err := parse(strings.NewReader(bad), 10, 10); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := parse(strings.NewReader(sum(a)+"\n"+sum(b)), 1, 1); !errors.Is(err, errTooMany) {
		t.Errorf("the bound: %v", err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	bad, relative, stranger := content(1, 20000, 0), content(1, 20000, 100), content(2, 20000, 0)
	s, err := New(Config{Files: []File{
		{Path: write(t, filepath.Join(dir, "a"), sum(bad)+" Trojan.A\n"+sum([]byte("tiny"))+"\n"+sum(nil)+"\n"), Name: "own"},
		{Path: write(t, filepath.Join(dir, "b"), sum(stranger)+"\n"+digest(t, bad)+" Family.A\n"), Kind: engine.Suspicious},
	}})
	if err != nil {
		t.Fatal(err)
	}
	find := func(data []byte) []engine.Finding { return s.Find(data, sha256.Sum256(data), "part 2") }
	if d := cmp.Diff([]engine.Finding{{Engine: "own", Signature: "Trojan.A", Kind: engine.Malware, Where: "part 2"}}, find(bad)); d != "" {
		t.Error(d)
	}
	if f := find(stranger); len(f) != 1 || f[0].Kind != engine.Suspicious || !strings.HasPrefix(f[0].Signature, "SHA-256 ") || f[0].Engine != "hashlist" {
		t.Errorf("%+v", f)
	}
	if f := find(relative); len(f) != 1 || f[0].Kind != engine.Suspicious || !strings.HasPrefix(f[0].Signature, "like Family.A (distance ") {
		t.Errorf("%+v", f)
	}
	for _, data := range [][]byte{bad, relative, stranger, nil, []byte("tiny"), content(3, 20000, 0)} {
		text := ""
		if d, err := tlsh.Sum(data); err == nil {
			text = d.String()
		}
		if d := cmp.Diff(find(data), s.Known(len(data), sha256.Sum256(data), text, "part 2")); d != "" {
			t.Error(d)
		}
	}
	if f := s.Known(100, sha256.Sum256([]byte("x")), "T1rubbish", ""); f != nil {
		t.Errorf("%+v", f)
	}
	for name, data := range map[string][]byte{"empty": nil, "tiny": []byte("tiny"), "another": content(3, 20000, 0), "without a digest": make([]byte, 5000)} {
		if f := find(data); f != nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestNear compares with a search of everything.
func TestNear(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var lines strings.Builder
	var all []tlsh.Digest
	for i := range 300 {
		d, err := tlsh.Sum(content(uint64(i%20), 3000+100*(i%7), r.IntN(200)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
		fmt.Fprintf(&lines, "%s n%d\n", d, i)
	}
	path := write(t, filepath.Join(t.TempDir(), "l"), lines.String())
	for _, distance := range []int{1, 11, 12, 30, 83, 84, 200} {
		s, err := New(Config{Files: []File{{Path: path}}, Distance: distance})
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for i := range 100 {
			d, _ := tlsh.Sum(content(uint64(i%25), 3000+130*(i%5), r.IntN(300)))
			least := distance + 1
			for _, x := range all {
				least = min(least, tlsh.Distance(d, x))
			}
			f, ok := s.Near(d)
			if ok != (least <= distance) || ok && !strings.HasSuffix(f.Signature, fmt.Sprintf("(distance %d)", least)) {
				t.Fatalf("distance %d: %+v %v, the nearest is %d away", distance, f, ok, least)
			}
			if ok {
				hits++
			}
		}
		t.Logf("distance %d: %d of 100", distance, hits)
	}
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	a, b := content(1, 100, 0), content(2, 100, 0)
	if _, err := New(Config{Files: []File{{Path: path}}}); err == nil {
		t.Error("a list that isn't there was read")
	}
	write(t, path, sum(a)+"\n")
	s, err := New(Config{Files: []File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	knows := func(data []byte) bool { _, ok := s.Lookup(sha256.Sum256(data)); return ok }
	step := func(what string, change func(), wantChange, wantErr, wantA, wantB bool) {
		t.Helper()
		change()
		changed, err := s.Reload()
		if changed != wantChange || (err != nil) != wantErr || knows(a) != wantA || knows(b) != wantB {
			t.Errorf("%s: changed %v, error %v, knows a %v, b %v", what, changed, err, knows(a), knows(b))
		}
		if h := s.Health()[0]; (h.Why != "") != wantErr && what != "bad still" {
			t.Errorf("%s: %+v", what, h)
		}
	}
	step("nothing", func() {}, false, false, true, false)
	step("bad", func() { write(t, path, sum(b)+"\n"+sum(a)[:9]+"\n") }, false, true, true, false)
	step("bad still", func() {}, false, false, true, false)
	step("good", func() { write(t, path, sum(a)+"\n"+sum(b)+" x\n") }, true, false, true, true)
	step("gone", func() { _ = os.Remove(path) }, false, true, true, true)
	step("another", func() { write(t, path, sum(b)+"\n") }, true, false, false, true)
	step("empty", func() { write(t, path, "# nothing\n") }, true, false, false, false)
	s.cfg.MaxBytes = 100
	step("too long", func() { write(t, path, sum(a)+"\n"+sum(b)+"\n") }, false, true, false, false)
}

func TestRun(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "l"), "")
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Files: []File{{Path: path}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		write(t, path, sum([]byte("a file of some length"))+"\n")
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if h := s.Health()[0]; h.Entries != 1 {
			t.Errorf("%+v", h)
		}
		cancel()
		<-done
	})
}

func TestDNS(t *testing.T) {
	data := content(1, 100, 0)
	s256 := sha256.Sum256(data)
	for _, c := range []struct {
		list DNSList
		name string
	}{
		{DNSList{Form: SHA1}, fmt.Sprintf("%x", sha1.Sum(data))},
		{DNSList{Form: MD5, Kind: engine.Malware}, fmt.Sprintf("%x", md5.Sum(data))},
		{DNSList{Form: SHA256, Behind: "_file"}, strings.ToLower(base.EncodeToString(s256[:])) + "._file"},
	} {
		t.Run(c.list.Form.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				names := dnsbltest.New()
				zone := names.AddNames("hash.example.org")
				zone.PutName("test._file", "127.0.0.2")
				zone.PutName(c.name, "127.0.0.2")
				c.list.Zone = "hash.example.org"
				d, err := NewDNS([]DNSList{c.list}, dnsbl.Config{Resolver: names})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				find := func(data []byte) ([]engine.Finding, []string) {
					ctx, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					return d.Question(data, sha256.Sum256(data)).Ask(ctx, "part 1")
				}
				if f, unknown := find(data); f != nil || len(unknown) != 1 {
					t.Errorf("before the test: %v %v", f, unknown)
				}
				go func() { d.Run(ctx); close(done) }()
				synctest.Wait()
				want := []engine.Finding{{Engine: "hash.example.org", Signature: "listed", Kind: max(c.list.Kind, engine.Malware), Where: "part 1"}}
				if c.list.Kind == 0 {
					want[0].Kind = engine.Suspicious
				}
				f, unknown := find(data)
				if d := cmp.Diff(want, f); d != "" || unknown != nil {
					t.Error(d, unknown)
				}
				if f, unknown := find(content(2, 100, 0)); f != nil || unknown != nil {
					t.Errorf("not listed: %v %v", f, unknown)
				}
				zone.Behave(dnsbltest.Never(dns.ErrServFail))
				if f, unknown := find(content(3, 100, 0)); f != nil || len(unknown) != 1 {
					t.Errorf("no answer: %v %v", f, unknown)
				}
				asked := names.Questions()
				if f, unknown := find([]byte("tiny")); f != nil || unknown != nil || names.Questions() != asked {
					t.Errorf("tiny: %v %v", f, unknown)
				}
				cancel()
				<-done
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	for _, bad := range [][]DNSList{
		{{List: dnsbl.List{Zone: "a.example"}}},
		{{List: dnsbl.List{Zone: "a.example"}, Form: SHA1}, {List: dnsbl.List{Zone: "a.example"}, Form: MD5}},
		{{List: dnsbl.List{Zone: "a..example"}, Form: SHA1}},
	} {
		if _, err := NewDNS(bad, dnsbl.Config{Resolver: dnsbltest.New()}); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sum(nil) + " x\n# y\n\n" + digest(f, content(1, 100, 0)) + ",z"))
	f.Add([]byte("\xef\xbb\xbf" + sum(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := parse(bytes.NewReader(b), 100, 100)
		if err != nil {
			return
		}
		if len(e.sums) > 100 || len(e.near) > 100 || 64*len(e.sums) > len(b) {
			t.Errorf("%d and %d entries of %d octets", len(e.sums), len(e.near), len(b))
		}
		for _, n := range e.names {
			if n != engine.Printable(n, maxName) {
				t.Errorf("name %q", n)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	var text strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&text, "%x Family.%d\n", sha256.Sum256(fmt.Append(nil, i)), i%1000)
	}
	s, err := New(Config{Files: []File{{Path: write(b, filepath.Join(b.TempDir(), "l"), text.String())}}})
	if err != nil {
		b.Fatal(err)
	}
	x := sha256.Sum256([]byte("nobody's"))
	for b.Loop() {
		x[0]++
		_, _ = s.Lookup(x)
	}
}

func BenchmarkNear(b *testing.B) {
	var text strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		d, _ := tlsh.Sum(content(r.Uint64(), 500+r.IntN(5000), 0))
		fmt.Fprintln(&text, d)
	}
	s, err := New(Config{Files: []File{{Path: write(b, filepath.Join(b.TempDir(), "l"), text.String())}}})
	if err != nil {
		b.Fatal(err)
	}
	d, _ := tlsh.Sum(content(7, 3000, 0))
	for b.Loop() {
		_, _ = s.Near(d)
	}
}
