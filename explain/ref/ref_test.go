package ref

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"sluice"
	"sluice/reason"
)

// stream is a reproducible source of bytes.
type stream struct {
	n   uint64
	buf []byte
}

func (s *stream) Read(p []byte) (int, error) {
	for i := range p {
		if len(s.buf) == 0 {
			sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, s.n))
			s.n, s.buf = s.n+1, sum[:]
		}
		p[i], s.buf = s.buf[0], s.buf[1:]
	}
	return len(p), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("no entropy") }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func facts() Facts {
	return Facts{ID: "7K3FQ2M9ZX0ABCDE", Time: noon, Node: "mx1", Client: netip.MustParseAddr("2001:db8::7"), Helo: "mail.sender.example",
		Phase: sluice.PhaseMessage, Threat: sluice.ThreatPhish, Code: 550, Reasons: []sluice.Reason{reason.AdminBlock, reason.HeloNoFQDN}}
}

func sealer(t testing.TB, keys ...byte) *Sealer {
	t.Helper()
	var ring [][]byte
	for _, k := range keys {
		ring = append(ring, bytes.Repeat([]byte{k}, KeySize))
	}
	s, err := New(Config{Keys: ring, Rand: &stream{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var byAddr = cmpopts.EquateComparable(netip.Addr{})

func TestSealOpen(t *testing.T) {
	for name, change := range map[string]func(*Facts){
		"all":  func(*Facts) {},
		"zero": func(f *Facts) { *f = Facts{Time: noon} },
		"IPv4": func(f *Facts) { f.Client = netip.MustParseAddr("192.0.2.1") },
	} {
		f := facts()
		change(&f)
		s := sealer(t, 1)
		got, err := s.Open(s.Seal(f), noon.Add(time.Minute))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := cmp.Diff(f, got, byAddr); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestSealBounds(t *testing.T) {
	f := facts()
	f.ID, f.Node, f.Helo = strings.Repeat("i", 300), strings.Repeat("n", 300), strings.Repeat("\x00", 300)
	f.Client = netip.MustParseAddr("fe80::1%" + strings.Repeat("z", 200))
	f.Reasons = nil
	for _, e := range reason.All() {
		f.Reasons = append(f.Reasons, sluice.Reason(e.ID))
	}
	s := sealer(t, 1)
	token := s.Seal(f)
	if len(token) > MaxToken {
		t.Errorf("token of %d characters", len(token))
	}
	got, err := s.Open(token, noon)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.ID) != maxIDLen || len(got.Node) != maxNode || len(got.Helo) != maxHelo || len(got.Reasons) != maxReasons || got.Client.Zone() != "" {
		t.Errorf("not cut: %+v", got)
	}
	if n := len(s.Seal(facts())); n > 150 {
		t.Errorf("a usual token has %d characters: too long for a reply", n)
	}
	if strings.Contains(token, "=") || strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		t.Errorf("token is not URL-safe: %s", token)
	}
}

func TestOpenRefuses(t *testing.T) {
	s := sealer(t, 1)
	token := s.Seal(facts())
	flip := func(i int) string {
		b := []byte(token)
		if b[i]++; b[i] > 'z' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", rune(b[i])) {
			b[i] = 'A'
		}
		return string(b)
	}
	for i := range token {
		if c := flip(i); c != token {
			if _, err := s.Open(c, noon); !errors.Is(err, ErrToken) {
				t.Fatalf("changed at %d: %v", i, err)
			}
		}
	}
	for _, tt := range []struct {
		name, token string
		now         time.Time
		want        error
	}{
		{"empty", "", noon, ErrToken},
		{"cut", token[:len(token)-1], noon, ErrToken},
		{"longer", token + "A", noon, ErrToken},
		{"line end", token[:20] + "\n" + token[20:], noon, ErrToken},
		{"huge", strings.Repeat("A", 1<<20), noon, ErrToken},
		{"last second", token, noon.Add(30 * 24 * time.Hour), nil},
		{"expired", token, noon.Add(30*24*time.Hour + time.Second), ErrExpired},
		{"a clock that is a little behind", token, noon.Add(-time.Hour), nil},
		{"from the future", token, noon.Add(-time.Hour - time.Second), ErrExpired},
	} {
		if _, err := s.Open(tt.token, tt.now); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := sealer(t, 2).Open(token, noon); !errors.Is(err, ErrToken) {
		t.Errorf("another key: %v", err)
	}
}

// TestRotation: a new key seals, the old one still opens until it is dropped.
func TestRotation(t *testing.T) {
	old := sealer(t, 1).Seal(facts())
	both := sealer(t, 2, 1)
	if _, err := both.Open(old, noon); err != nil {
		t.Errorf("old token: %v", err)
	}
	if _, err := sealer(t, 2).Open(both.Seal(facts()), noon); err != nil {
		t.Errorf("the new key doesn't seal: %v", err)
	}
	if _, err := sealer(t, 1).Open(both.Seal(facts()), noon); err == nil {
		t.Error("the old key still seals")
	}
}

// TestNonces: no two tokens of the same facts are alike.
func TestNonces(t *testing.T) {
	s := sealer(t, 1)
	seen := map[string]bool{}
	for range 1000 {
		token := s.Seal(facts())
		if seen[token[:20]] {
			t.Fatal("a nonce came twice")
		}
		seen[token[:20]] = true
	}
}

// TestShortHashes: no two reasons share a short hash.
func TestShortHashes(t *testing.T) {
	if got, want := len(byShortHash), len(reason.All()); got != want {
		t.Errorf("%d short hashes for %d reasons: rename the newest", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no key":    {Rand: &stream{}},
		"no rand":   {Keys: [][]byte{make([]byte, KeySize)}},
		"short key": {Keys: [][]byte{make([]byte, 16)}, Rand: &stream{}},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := sealer(f, 1)
	f.Add(s.Seal(facts()))
	f.Add(s.Seal(Facts{}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		if got, err := s.Open(token, noon); err == nil {
			// Nobody can make one without the key, but for what was seeded.
			if d := cmp.Diff(facts(), got, byAddr); d != "" {
				t.Errorf("forged: %s", d)
			}
		}
	})
}

// FuzzDecode takes the seal away: what another version sealed must not hurt.
func FuzzDecode(f *testing.F) {
	f.Add(encode(facts()))
	f.Add(encode(Facts{}))
	f.Add([]byte{version, 0, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5})
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := decode(b)
		if !ok || len(got.Reasons) > maxReasons || len(got.ID) > maxIDLen || len(got.Node) > maxNode || len(got.Helo) > maxHelo {
			return // too much for encode, which cuts
		}
		got.Client = got.Client.Unmap() // so does encode
		again, ok := decode(encode(got))
		if d := cmp.Diff(got, again, byAddr); !ok || d != "" {
			t.Errorf("round trip: %v %s", ok, d)
		}
	})
}

func TestRoundTripProperty(t *testing.T) {
	s := sealer(t, 1)
	all := reason.All()
	rapid.Check(t, func(rt *rapid.T) {
		f := Facts{
			ID:   rapid.StringN(0, -1, maxIDLen).Draw(rt, "id"),
			Node: rapid.StringN(0, -1, maxNode).Draw(rt, "node"),
			Helo: rapid.StringN(0, -1, maxHelo).Draw(rt, "helo"),
			Time: noon.Add(-time.Duration(rapid.IntRange(0, 1e6).Draw(rt, "age")) * time.Second),
			Code: rapid.IntRange(400, 599).Draw(rt, "code"), Phase: sluice.Phase(rapid.Uint8().Draw(rt, "phase")), Threat: sluice.Threat(rapid.Uint8().Draw(rt, "threat")),
		}
		for range rapid.IntRange(0, maxReasons).Draw(rt, "reasons") {
			f.Reasons = append(f.Reasons, sluice.Reason(rapid.SampledFrom(all).Draw(rt, "reason").ID))
		}
		got, err := s.Open(s.Seal(f), noon)
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(f, got, byAddr); d != "" {
			rt.Fatal(d)
		}
	})
}

func TestNewID(t *testing.T) {
	r := &stream{}
	seen := map[string]bool{}
	for range 1000 {
		id := NewID(r)
		if len(id) != IDLen || strings.Trim(id, alphabet) != "" || seen[id] {
			t.Fatalf("id %q", id)
		}
		if Canon(id) != id {
			t.Fatalf("Canon(%q) = %q", id, Canon(id))
		}
		seen[id] = true
	}
	defer func() {
		if recover() == nil {
			t.Error("an id without randomness")
		}
	}()
	NewID(broken{})
}

func TestCanon(t *testing.T) {
	for in, want := range map[string]string{
		"7K3FQ2M9ZX0ABCDE":       "7K3FQ2M9ZX0ABCDE",
		"7k3f-q2m9-zx0a-bcde":    "7K3FQ2M9ZX0ABCDE",
		" 7k3f q2m9 zxoa bcde ":  "7K3FQ2M9ZX0ABCDE",
		"iIlL-OOOO-0000-1111":    "1111000000001111",
		"":                       "",
		"7K3F":                   "",
		"7K3FQ2M9ZX0ABCDEF":      "",
		"7K3FQ2M9ZX0ABCDU":       "",
		"../../../etc/pass":      "",
		"7K3FQ2M9ZX0ABCD\u00df":  "",
		"\u0131K3FQ2M9ZX0ABCDE":  "",
		"7K3FQ2M9ZX0ABCD\x00":    "",
		strings.Repeat("A", 1e6): "",
	} {
		if got := Canon(in); got != want {
			t.Errorf("Canon(%.40q) = %q, want %q", in, got, want)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	made, err := LoadOrCreateKeys(path, &stream{})
	if err != nil || len(made) != 1 {
		t.Fatalf("%d keys, %v", len(made), err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", st.Mode(), err)
	}
	again, err := LoadOrCreateKeys(path, broken{})
	if d := cmp.Diff(made, again); d != "" || err != nil {
		t.Errorf("read back: %v %s", err, d)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}

	other := filepath.Join(t.TempDir(), "keys")
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"two keys", "# rotated\n" + strings.Repeat("ab", 32) + "\n\n" + strings.Repeat("cd", 32) + "\n", 0o600, ""},
		{"open to others", strings.Repeat("ab", 32), 0o640, "is open to others (mode 0640)"},
		{"short", "\nabcd\n", 0o600, "keys:2: want a key of 64 hexadecimal digits"},
		{"empty", "# nothing\n", 0o600, "holds no key"},
	} {
		os.Remove(other)
		if err := os.WriteFile(other, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		keys, err := LoadOrCreateKeys(other, broken{})
		switch {
		case tt.want == "" && (err != nil || len(keys) != 2):
			t.Errorf("%s: %d keys, %v", tt.name, len(keys), err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "abcd") {
			t.Errorf("%s: the error quotes the key: %v", tt.name, err)
		}
	}
	if _, err := LoadOrCreateKeys(filepath.Join(t.TempDir(), "none"), broken{}); err == nil {
		t.Error("a key without randomness")
	}
}

func BenchmarkSeal(b *testing.B) {
	s, f := sealer(b, 1), facts()
	b.ReportAllocs()
	for b.Loop() {
		s.Seal(f)
	}
}
