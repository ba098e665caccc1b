package dmarc_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/dns/dnstest"
	"sluice/internal/golden"
	"sluice/mailauth/author"
	"sluice/mailauth/author/authortest"
	"sluice/mailauth/dmarc"
	"sluice/message"
	"sluice/smtp"
)

// run is what author and DMARC say of a case.
func run(t *testing.T, z *dnstest.Zone, c authortest.Case) (author.Author, dmarc.Result) {
	t.Helper()
	in := dmarc.Input{
		From: author.Of(message.Parse([]byte(c.Message), message.Limits{})),
		SPF:  dmarc.SPF{Result: c.SPF.Result, Domain: c.SPF.Domain},
	}
	for _, s := range c.DKIM {
		in.DKIM = append(in.DKIM, dmarc.Signature{Result: s.Result, Domain: s.Domain, Selector: s.Selector})
	}
	return in.From, dmarc.Evaluate(t.Context(), z, in)
}

// line is one row of the table that people review.
func line(c authortest.Case, a author.Author, r dmarc.Result) string {
	var codes []string
	for _, p := range a.Problems {
		s := string(p.Code)
		if !p.Grave {
			s = strings.ToLower(s)
		}
		codes = append(codes, s)
	}
	clear := "unclear"
	if a.Clear {
		clear = "clear"
	}
	return fmt.Sprintf("%s: %s\n\t%s %q %s\n\tdmarc=%s disposition=%s: %q\n", c.ID, c.Name, clear, a.Address, strings.Join(codes, " "), r.Value, r.Disposition, r.Why)
}

func zone(t *testing.T) *dnstest.Zone {
	t.Helper()
	z, err := dnstest.Parse("composition", strings.NewReader(authortest.Zone))
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestCompositionAttacks: no attack ends in a clean, aligned pass for the domain
// it takes the name of, but where that domain itself vouches.
func TestCompositionAttacks(t *testing.T) {
	z := zone(t)
	var table strings.Builder
	for _, c := range authortest.Attacks() {
		a, r := run(t, z, c)
		table.WriteString(line(c, a, r))
		spoofed := a.Domain == c.Spoofed || strings.HasSuffix(a.Domain, "."+c.Spoofed)
		if a.Clear && spoofed && r.Value == dmarc.Pass && !c.Vouched {
			t.Errorf("%s passes as %s: %s", c.ID, a.Address, r.Why)
		}
		if c.Vouched && r.Value != dmarc.Pass {
			t.Errorf("%s needn't be marked as vouched: dmarc=%s", c.ID, r.Value)
		}
		if a.Clear && !spoofed && r.Value == dmarc.Pass && len(a.Problems) == 0 {
			t.Errorf("%s passes as %s, and nothing of what it tries is told", c.ID, a.Address)
		}
		if _, _, err := smtp.CutReversePath("<" + c.MailFrom + ">"); (err != nil) != c.NoPath {
			t.Errorf("%s: MAIL FROM:<%s>: %v", c.ID, c.MailFrom, err)
		}
	}
	golden.Check(t, "testdata/attacks.golden", []byte(table.String()))
}

// TestHonestTwins: what honest senders do stays clear, and is not asked to be
// turned away.
func TestHonestTwins(t *testing.T) {
	z := zone(t)
	var table strings.Builder
	for _, c := range authortest.Honest() {
		a, r := run(t, z, c)
		table.WriteString(line(c, a, r))
		if _, ok := a.AuthorDomain(); !ok {
			t.Errorf("%s: unclear: %+v", c.ID, a.Problems)
		}
		if r.Value != dmarc.Pass && r.Disposition != dmarc.PolicyNone {
			t.Errorf("%s: dmarc=%s, %s", c.ID, r.Value, r.Why)
		}
		for _, p := range a.Problems {
			if p.Grave && p.Code != author.Several {
				t.Errorf("%s: %s %q", c.ID, p.Code, p.Detail)
			}
		}
	}
	golden.Check(t, "testdata/honest.golden", []byte(table.String()))
}

// TestFamilies: each numbered case of the literature has one of ours at least.
func TestFamilies(t *testing.T) {
	have := map[string]int{}
	for _, c := range authortest.Attacks() {
		paper, rest, _ := strings.Cut(c.ID, " ")
		number, _, _ := strings.Cut(rest, " ")
		have[paper+" "+number]++
	}
	var want []string
	for i := range 19 {
		want = append(want, fmt.Sprintf("espoofer server_a%d", i+1))
	}
	for i := range 3 {
		want = append(want, fmt.Sprintf("espoofer client_a%d", i+1))
	}
	for i := range 14 {
		want = append(want, fmt.Sprintf("weak-links A%d", i+1))
	}
	for _, w := range append(want, "espoofer replay") {
		if have[w] == 0 {
			t.Errorf("no case for %s", w)
		}
	}
}
