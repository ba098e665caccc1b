package brand

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/learn/brand"
)

const text = `date 2026-01-31
bank us gb | Alpha Bank; Alpha* | alpha.example ~al.example
shop - | Beta | beta.example
`

func list(t *testing.T) *brand.List {
	t.Helper()
	l, err := brand.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestList(t *testing.T) {
	var w strings.Builder
	if err := List(&w, list(t), Filter{}, false); err != nil {
		t.Fatal(err)
	}
	want := "bank        us gb  Alpha Bank: alpha.example\nshop               Beta: beta.example\n2 brands, of 31 January 2026\n"
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Error(diff)
	}
	w.Reset()
	if err := List(&w, list(t), Filter{Kind: "bank", Country: "GB"}, true); err != nil {
		t.Fatal(err)
	}
	var rows []row
	if err := json.Unmarshal([]byte(w.String()), &rows); err != nil || len(rows) != 1 || rows[0].ID != "alphabank" || rows[0].Common[0] != "Alpha" {
		t.Errorf("%v %+v", err, rows)
	}
}

func TestShow(t *testing.T) {
	for what, want := range map[string]string{
		"alphabank":         "Alpha Bank (bank)\n",
		"mail.beta.example": "Beta (shop): speaks from there\n",
		"A l p h a Bаnk":    "Alpha Bank (bank): named as A l p h a Bаnk, with look-alike letters of another script, letters that stand apart\n",
		"Gamma":             "",
		"Alрha Bank Team":   "Alpha Bank (bank): named as Alрha Bank, with look-alike letters of another script\n",
	} {
		var w strings.Builder
		err := Show(&w, list(t), what, false)
		if got, _, _ := strings.Cut(w.String(), "  names"); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", what, w.String(), err)
		}
	}
	var w strings.Builder
	if err := Show(&w, list(t), "alphabank", false); err != nil {
		t.Fatal(err)
	}
	want := "Alpha Bank (bank)\n  names    Alpha Bank, Alpha (a word too)\n  domains  alpha.example\n  links    al.example\n  in       us gb\n"
	if diff := cmp.Diff(want, w.String()); diff != "" {
		t.Error(diff)
	}
}
