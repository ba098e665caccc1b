package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/eval"
	"sluice/message"
	"sluice/scan"
)

// delivered came to a border host, which handed it on to the mailbox's.
const delivered = `$ cat message
Received: from in.site.example (in.site.example [198.51.100.9] (may be forged))
	by box.site.example (8.18.1/8.18.1) with ESMTPS id 1; Sun, 28 Dec 2025 19:19:27 GMT
Authentication-Results: box.site.example; dkim=fail header.d=acme.com
Received: from mta.acme.com (mail7.acme.com [203.0.113.5])
	by in.site.example (8.18.1/8.18.1) with ESMTPS id 2; Sun, 28 Dec 2025 19:19:20 GMT
Authentication-Results: in.site.example; dkim=pass header.d=acme.com header.i=@acme.com header.a=rsa-sha256
X-Spam-Flag: YES
From: Acme Tools <news@acme.com>
To: ann@site.example
Date: Sun, 28 Dec 2025 19:19:00 +0000
Message-ID: <1@acme.com>
Subject: News

Acme
`

func prepared(t *testing.T, text string, trust bool) letter {
	t.Helper()
	return prepare(&eval.Entry{Path: "foff_milter/ham/1.eml", Corpus: "foff_milter", Label: "ham", Year: 2025}, []byte(text), trust)
}

func TestPrepare(t *testing.T) {
	l := prepared(t, delivered, true)
	if got := l.origin.Client.String(); got != "203.0.113.5" {
		t.Errorf("client %s", got)
	}
	if l.origin.Hello != "mta.acme.com" || l.name != (scan.Reverse{Known: true, Name: "mail7.acme.com"}) {
		t.Errorf("hello %q, name %+v", l.origin.Hello, l.name)
	}
	raw := string(l.raw)
	for _, gone := range []string{"$ cat", "box.site.example; dkim", "X-Spam-Flag"} {
		if strings.Contains(raw, gone) {
			t.Errorf("%q is left in", gone)
		}
	}
	if want := "Authentication-Results: " + border + "; dkim=pass header.d=acme.com"; !strings.HasPrefix(raw, want) {
		t.Errorf("begins with %.100q", raw)
	}
	if l.when.Format("2006-01-02 15:04:05") != "2025-12-28 19:19:20" {
		t.Errorf("came %v", l.when)
	}
	if !l.stub || !l.proved {
		t.Errorf("stub %v, proved %v", l.stub, l.proved)
	}
	if l := prepared(t, delivered, false); l.proved || strings.Contains(string(l.raw), "Authentication-Results") {
		t.Error("results are left in")
	}
	// Where the border host's own field is lost, nothing is known of the client.
	_, after, _ := strings.Cut(delivered, "Authentication-Results: in.")
	head, _, _ := strings.Cut(delivered, "Received: from mta.")
	if l := prepared(t, head+"Authentication-Results: in."+after, true); l.origin.Client.IsValid() || l.name.Known || !l.proved {
		t.Errorf("client %v, name %+v, proved %v", l.origin.Client, l.name, l.proved)
	}
}

// The whole bench runs, and a firm's own mail is taken for what it is.
func TestRun(t *testing.T) {
	l := prepared(t, strings.ReplaceAll(delivered, "Subject: News\n", "Subject: News\nContent-Type: text/html\n")+`<a href="https://www.acme.com/">More</a>`, true)
	o := newEngine().judge(context.Background(), &l)
	has := map[string]bool{}
	for _, c := range o.verdict.Ledger {
		has[string(c.Reason)] = true
	}
	for _, want := range []string{"DKIM_PASS_ALIGNED", "NAME_FITS_PROVED", "CLIENT_OF_AUTHOR", "IPREV_PASS"} {
		if !has[want] {
			t.Errorf("no %s in %v", want, has)
		}
	}
	dir := t.TempDir()
	for _, label := range []string{"ham", "spam"} {
		if err := os.MkdirAll(filepath.Join(dir, "corpora/foff_milter", label), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "corpora/foff_milter", label, "1.eml"), []byte(delivered+strings.Repeat("Words. ", 300)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	split := "path\tgroup\tyear\tpart\nfoff_milter/ham/1.eml\ta\t2025\ttest\nfoff_milter/spam/1.eml\tb\t2025\ttest\n"
	if err := os.WriteFile(filepath.Join(dir, "corpora/SPLIT.tsv"), []byte(split), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(context.Background(), []string{"-shared", dir, "-corpus", "foff_milter", "-reasons", "-ledgers", "1"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 good, 1 bad", "AUC                              0.5000", "Without one family", "Good, the worst first"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

func FuzzPrepare(f *testing.F) {
	f.Add([]byte(delivered))
	f.Add([]byte("Received: from a.b by c.b (a [1.2.3.4])\nReceived: x\n\n"))
	e := &eval.Entry{Path: "a/b/c"}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := prepare(e, b, true)
		message.Parse(l.raw, message.DefaultLimits())
	})
}
