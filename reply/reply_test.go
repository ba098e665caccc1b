package reply

import (
	"testing"
)

func TestLoad(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range d.rules {
		if r.ID == "" || seen[r.ID] {
			t.Errorf("rule %q: the id is empty or stands twice", r.ID)
		}
		seen[r.ID] = true
		if _, ok := classes[r.Class]; !ok {
			t.Errorf("rule %s: unknown class %q", r.ID, r.Class)
		}
		if len(r.Any)+len(r.All) == 0 || len(r.All) > 60 {
			t.Errorf("rule %s: %d phrases of any, %d of all", r.ID, len(r.Any), len(r.All))
		}
		if r.Source == "" || r.Date == "" {
			t.Errorf("rule %s has no source or date", r.ID)
		}
		for _, p := range append(r.Any, r.All...) {
			if n := normal(p); n != p {
				t.Errorf("rule %s: %q can't match: normal form is %q", r.ID, p, n)
			}
		}
	}
}
