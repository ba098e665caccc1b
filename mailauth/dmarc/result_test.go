package dmarc

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/golden"
	"sluice/mailauth/authres"
)

// TestExplain shows what people see of a few evaluations.
func TestExplain(t *testing.T) {
	z := zone(t, world)
	var out strings.Builder
	for _, in := range []Input{
		{From: from("a@no.example.com"), SPF: SPF{"pass", "evil.example"}, DKIM: []Signature{{"fail", "example.com", "s"}, {"pass", "a.news.example.com.evil.example", "t"}}},
		{From: from("a@x.dept.uni.example"), DKIM: []Signature{{"pass", "y.dept.uni.example", "s"}}},
		{From: from("a@first.bank"), SPF: SPF{"pass", "m.first.bank"}},
		{From: from("a@pct.example")},
		{From: from("a@badrua.example")},
		{From: from("a@slow.example"), SPF: SPF{"pass", "slow.example"}},
		{From: from("a@example.com, b@strict.example")},
		{From: from("a@two.example")},
	} {
		r := Evaluate(t.Context(), z, in)
		out.WriteString(in.From.Domain + "\n")
		for _, l := range r.Explain() {
			out.WriteString("  " + l + "\n")
		}
		a := r.AuthRes()
		out.WriteString("  " + strings.ReplaceAll(strings.TrimSpace(authres.Format("mx.example", []authres.Result{a})), "\r\n\t", " ") + "\n\n")
	}
	golden.Check(t, "testdata/explain.golden", []byte(out.String()))
}

func TestReportsAllowed(t *testing.T) {
	z := zone(t, `{"example.com._report._dmarc.reports.example": {"TXT": ["x", "v=DMARC1"]}, "a.example._report._dmarc.reports.example": {"TXT": ["v=spf1"]},
		"*._report._dmarc.all.example": {"TXT": ["v=DMARC1;"]}, "slow.example._report._dmarc.reports.example": "TIMEOUT"}`)
	var got []string
	for _, c := range [][2]string{{"example.com", "reports.example"}, {"a.example", "reports.example"}, {"b.example", "reports.example"}, {"any.example", "all.example"}, {"slow.example", "reports.example"}} {
		ok, err := ReportsAllowed(t.Context(), z, c[0], c[1])
		s := c[0] + " no"
		if ok {
			s = c[0] + " yes"
		}
		if err != nil {
			s = c[0] + " unknown"
		}
		got = append(got, s)
	}
	if d := cmp.Diff([]string{"example.com yes", "a.example no", "b.example no", "any.example yes", "slow.example unknown"}, got); d != "" {
		t.Error(d)
	}
}
