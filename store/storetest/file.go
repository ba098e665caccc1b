package storetest

import (
	"testing"
	"time"

	"sluice"
)

// carries is a record whose message carried files.
func carries(id string, at time.Time, files ...sluice.FileSeen) *sluice.Record {
	r := simple(id, at)
	r.Files = files
	return r
}

func recordsByFile(t *testing.T, s sluice.Store) {
	exe := sluice.FileSeen{Name: "dir/Rechnung ÄÖ.EXE", SHA256: Sum("exe"), Depth: 1,
		Links: []string{"https://Evil.example/Load?a=1"}, Signs: []string{"CODE_FETCHES", "MACRO_AUTORUN"}}
	logo := sluice.FileSeen{Name: "logo.png", SHA256: Sum("logo")}
	add(t, s, simple("none", noon),
		carries("one", noon.Add(1), logo),
		carries("two", noon.Add(2), logo, exe),
		carries("twice", noon.Add(3), logo, sluice.FileSeen{Name: "copy.png", SHA256: Sum("logo"), Depth: 1}),
		carries("locked", noon.Add(4), sluice.FileSeen{Name: "secret.exe"}))
	all := []fileQuery{
		{sluice.Query{}, "locked twice two one none"},
		{sluice.Query{SHA256: Sum("logo")}, "twice two one"},
		{sluice.Query{SHA256: Sum("exe")}, "two"},
		{sluice.Query{SHA256: Sum("nobody's")}, ""},
		{sluice.Query{File: "rechnung äö"}, "two"},
		{sluice.Query{File: ".exe"}, "locked two"},
		{sluice.Query{File: " LOGO.png "}, "twice two one"},
		{sluice.Query{File: "%"}, ""},
		{sluice.Query{Inside: " macro_autorun"}, "two"},
		{sluice.Query{Inside: "evil.EXAMPLE/load"}, "two"},
		{sluice.Query{Inside: "evil.example", File: "rechnung", SHA256: Sum("exe")}, "two"},
		{sluice.Query{Inside: "evil.example", SHA256: Sum("logo")}, ""}, // another file's address
		{sluice.Query{Inside: "%"}, ""},
		{sluice.Query{SHA256: Sum("logo"), File: "copy"}, "twice"},
		{sluice.Query{SHA256: Sum("logo"), File: "rechnung"}, ""}, // another file's name
		{sluice.Query{SHA256: Sum("logo"), Before: "twice", Limit: 1}, "two"},
		{sluice.Query{File: "logo", Since: noon.Add(3)}, "twice"},
		{sluice.Query{SHA256: Sum("logo"), Tenant: "other"}, ""},
	}
	for _, test := range all {
		if got := ids(t, s, test.q); got != test.want {
			t.Errorf("Records(%+v) = %q, want %q", test.q, got, test.want)
		}
	}
	// A replaced record is found by its new files only.
	add(t, s, carries("two", noon.Add(2), sluice.FileSeen{Name: "other", SHA256: Sum("other")}))
	if got := ids(t, s, sluice.Query{SHA256: Sum("exe")}); got != "" {
		t.Errorf("found by a file that it no longer has: %q", got)
	}
	if got := ids(t, s, sluice.Query{SHA256: Sum("other")}); got != "two" {
		t.Errorf("by its new file: %q", got)
	}
	if n, err := s.Sweep(ctx(t), noon.Add(4)); err != nil || n != 4 {
		t.Fatalf("Sweep = %d, %v", n, err)
	}
	if got := ids(t, s, sluice.Query{SHA256: Sum("logo")}); got != "" {
		t.Errorf("swept records are found by their files: %q", got)
	}
}

type fileQuery struct {
	q    sluice.Query
	want string
}

func quarantineByFile(t *testing.T, s sluice.Store) {
	add(t, s, carries("a", noon, sluice.FileSeen{Name: "a.iso", SHA256: Sum("iso")}), simple("b", noon))
	index(t, s, Quarantined("a", noon.Add(1)), Quarantined("b", noon.Add(2)), Quarantined("unlogged", noon.Add(3)))
	for _, test := range []fileQuery{
		{sluice.Query{}, "unlogged b a"},
		{sluice.Query{SHA256: Sum("iso")}, "a"},
		{sluice.Query{File: ".ISO"}, "a"},
		{sluice.Query{File: "none"}, ""},
	} {
		test.q.Pending = true
		if got := quarantineIDs(t, s, test.q); got != test.want {
			t.Errorf("Quarantined(%+v) = %q, want %q", test.q, got, test.want)
		}
	}
}
