package proof

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

var (
	noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	one  = bytes.Repeat([]byte{1}, 32)
	two  = bytes.Repeat([]byte{2}, 32)
)

// zone is a DNS.
type zone map[string][]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	if name == Name("broken.example") {
		return nil, errors.New("no answer")
	}
	return z[name], nil
}

func prover(t testing.TB, z zone, keys ...[]byte) *Prover {
	t.Helper()
	p, err := New(Config{Keys: keys, TXT: z.TXT})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCheck(t *testing.T) {
	z := zone{}
	p := prover(t, z, one)
	text := p.Challenge("token", "a.example")
	for _, other := range []string{p.Challenge("other", "a.example"), p.Challenge("token", "b.example"), prover(t, z, two).Challenge("token", "a.example")} {
		if other == text {
			t.Error("two questions have one answer")
		}
	}
	for name, c := range map[string]struct {
		texts []string
		want  bool
	}{
		"none":            {nil, false},
		"it":              {[]string{text}, true},
		"among others":    {[]string{"v=spf1 -all", "", text}, true},
		"quoted":          {[]string{` "` + strings.ToUpper(text) + `" `}, true},
		"of another":      {[]string{p.Challenge("token", "b.example")}, false},
		"another's event": {[]string{p.Challenge("other", "a.example")}, false},
		"in a longer one": {[]string{text + " and more"}, false},
		"cut":             {[]string{text[:len(text)-1]}, false},
		"too many":        {append(make([]string, maxRecords), text), false},
		"huge":            {[]string{strings.Repeat(" ", 1<<20) + text}, false},
	} {
		z["_sluice-proof.a.example"] = c.texts
		if got, err := p.Check(t.Context(), "token", "a.example"); got != c.want || err != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if ok, err := p.Check(t.Context(), "token", "broken.example"); ok || err == nil {
		t.Errorf("no answer: %v %v", ok, err)
	}
	// A new key makes new texts, and believes the old ones.
	z["_sluice-proof.a.example"] = []string{text}
	if ok, _ := prover(t, z, two, one).Check(t.Context(), "token", "a.example"); !ok {
		t.Error("the old key's text isn't believed")
	}
}

func TestPass(t *testing.T) {
	p := prover(t, zone{}, one)
	pass := p.Pass("token", "a.example", noon)
	if strings.Trim(pass, "abcdefghijklmnopqrstuvwxyz0123456789.") != "" {
		t.Errorf("not for an address: %s", pass)
	}
	both := []string{"b.example", "a.example"}
	for name, c := range map[string]struct {
		p       *Prover
		token   string
		pass    string
		domains []string
		now     time.Time
		want    string
	}{
		"good":            {p, "token", pass, both, noon, "a.example"},
		"last second":     {p, "token", pass, both, noon.Add(Lifetime - time.Second), "a.example"},
		"expired":         {p, "token", pass, both, noon.Add(Lifetime), ""},
		"from the future": {p, "token", pass, both, noon.Add(-2 * time.Hour), ""},
		"another token":   {p, "other", pass, both, noon, ""},
		"another domain":  {p, "token", pass, []string{"b.example"}, noon, ""},
		"nobody":          {p, "token", pass, nil, noon, ""},
		"another key":     {prover(t, zone{}, two), "token", pass, both, noon, ""},
		"a new key":       {prover(t, zone{}, two, one), "token", pass, both, noon, "a.example"},
		"longer life":     {p, "token", "zzzzzz" + pass[6:], both, noon, ""},
		"a challenge":     {p, "token", pass[:7] + strings.TrimPrefix(p.Challenge("token", "a.example"), prefix), both, noon, ""},
		"empty":           {p, "token", "", both, noon, ""},
		"no number":       {p, "token", "." + pass, both, noon, ""},
		"huge":            {p, "token", strings.Repeat("z", 1<<20), both, noon, ""},
	} {
		if got, ok := c.p.Passed(c.token, c.pass, c.domains, c.now); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q %v", name, got, ok)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{"no DNS": {Keys: [][]byte{one}}, "no key": {TXT: zone{}.TXT}, "a short key": {Keys: [][]byte{one, {1}}, TXT: zone{}.TXT}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzPassed(f *testing.F) {
	p := prover(f, zone{}, one)
	pass := p.Pass("token", "a.example", noon)
	f.Add(pass)
	f.Add("1.")
	f.Add("zzzzzzzzzzzzzzzzzz.")
	f.Fuzz(func(t *testing.T, s string) {
		if _, ok := p.Passed("token", s, []string{"a.example"}, noon); ok && !strings.EqualFold(s, pass) {
			t.Errorf("forged: %q", s)
		}
	})
}
