package public

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/internal/browsertest"
	"sluice/reason"
	"sluice/store/memory"
)

// TestBrowser reads the page of a refusal as a person does, in a real browser: at the
// width of a desk and of a phone nothing is wider than the screen, and an appeal arrives.
// With SLUICE_SCREENSHOTS it leaves pictures in that folder.
func TestBrowser(t *testing.T) {
	b := browsertest.Start(t)
	store := memory.New()
	f := good()
	f.Hello, f.Code, f.Threat = "mailer-with-a-very-long-name-without-a-place-to-break-it.sender.example", 550, sluice.ThreatPhish
	f.Reasons = []sluice.Reason{reason.DMARCFailReject, reason.SPFFail, reason.LinkTextMismatch, reason.ImageMap}
	rec := checkedRecord(f)
	h, err := New(Config{Appeals: store, Record: rec, Node: "mx.acme.example", Postmaster: "postmaster@acme.example", Clock: func() time.Time { return noon },
		Open: func(token string) (Facts, error) {
			if token != "good" {
				return Facts{}, ErrInvalid
			}
			return f, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	look := func(name string) {
		t.Helper()
		fits(t, b, name)
		if small := b.Eval("[...document.querySelectorAll('button')].some(e => e.getBoundingClientRect().height < 44)"); small != false {
			t.Errorf("%s: a button that fingers miss", name)
		}
		b.Picture(name)
	}
	for _, lang := range languages {
		b.Size(390, 1500, true, "light")
		b.Open(srv.URL + "/why/good?lang=" + lang)
		if got := b.Eval("document.documentElement.lang"); got != lang {
			t.Errorf("%s: the page is in %v", lang, got)
		}
		look("why-phone-" + lang)
		b.Open(srv.URL + "/why/none?lang=" + lang)
		look("why-none-" + lang)
	}
	b.Size(1000, 1250, false, "dark")
	b.Open(srv.URL + "/why/good?lang=en")
	look("why-dark")
	b.Size(1000, 1250, false, "light")
	b.Open(srv.URL + "/why/good?lang=de")
	look("why-desk-de")
	b.Open(srv.URL + "/why/good?lang=en")
	look("why-desk")
	if ok := b.Eval("document.querySelector('form').checkValidity()"); ok != false {
		t.Error("an empty appeal would be sent")
	}
	text := "We moved to a new provider. Its servers are in SPF now. <b>Thank you</b>"
	b.Eval(fmt.Sprintf("document.querySelector('textarea').value = %q", text))
	b.Press()
	if u, _ := b.Eval("location.pathname + location.search").(string); u != "/why/good?lang=en" {
		t.Errorf("at %v", u)
	}
	if n, _ := b.Eval("document.querySelector('[role=status]').textContent").(string); !strings.Contains(n, "have arrived") {
		t.Errorf("the page says %q", n)
	}
	if form := b.Eval("document.querySelector('form') === null"); form != true {
		t.Error("a second appeal is offered")
	}
	b.Eval("document.querySelector('#appeal').scrollIntoView()")
	look("why-appealed")
	a, err := store.Appeal(t.Context(), f.Ref)
	if err != nil || a.Text != text {
		t.Errorf("%+v, %v", a, err)
	}
}

// fits checks that nothing is wider than the screen.
func fits(t *testing.T, b *browsertest.Browser, name string) {
	t.Helper()
	if over, _ := b.Eval("document.documentElement.scrollWidth - innerWidth").(float64); over > 0 {
		t.Errorf("%s: %v pixels wider than the screen", name, over)
	}
}

// TestBrowserProof proves a domain as its postmaster does.
func TestBrowserProof(t *testing.T) {
	b := browsertest.Start(t)
	f, z := good(), texts{}
	f.Code, f.Threat, f.Reasons = 550, sluice.ThreatSpam, []sluice.Reason{reason.TextSpam, reason.DNSBLListed}
	rec, p := provedRecord(f), proverOf(t, z)
	h, err := New(Config{Proof: p, Node: "mx.acme.example", Postmaster: "postmaster@acme.example", Clock: func() time.Time { return noon },
		Record: func(context.Context, string) (*sluice.Record, error) { return rec, nil }, Open: func(string) (Facts, error) { return f, nil }})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	look := func(name string) {
		t.Helper()
		fits(t, b, name)
		b.Picture(name)
	}
	b.Size(390, 1600, true, "light")
	b.Open(srv.URL + "/why/good?lang=de")
	b.Eval("document.querySelector('#proof').scrollIntoView()")
	look("proof-phone")
	b.Size(1000, 1600, false, "light")
	b.Open(srv.URL + "/why/good?lang=en")
	b.Eval("document.querySelector('#proof').scrollIntoView()")
	look("proof-desk")
	b.Press()
	if n, _ := b.Eval("document.querySelector('[role=status]').textContent").(string); !strings.Contains(n, "isn't there") {
		t.Errorf("the page says %q", n)
	}
	// What the page shows is what the record must hold.
	shown, _ := b.Eval("document.querySelector('.proof pre').textContent").(string)
	name, text, _ := strings.Cut(shown, ". TXT ")
	z[name] = []string{strings.Trim(text, `"`)}
	b.Press()
	if n := b.Eval("document.querySelectorAll('#proof.more .tree li').length"); n == nil || n == 0.0 {
		t.Fatalf("the page shows no more: %v", b.Eval("document.body.innerText"))
	}
	look("proved-desk")
	b.Eval("document.querySelectorAll('nav a')[1].click()")
	b.Size(390, 2400, true, "light")
	look("proved-phone-de")
	if n := b.Eval("document.documentElement.lang + document.querySelectorAll('#proof.more').length"); n != "de1" {
		t.Errorf("in another language: %v", n)
	}
}

// checkedRecord finds a record of the event with some results of authentication.
func checkedRecord(f Facts) func(context.Context, string) (*sluice.Record, error) {
	rec := &sluice.Record{ID: f.Ref, Conn: sluice.Conn{Client: netip.AddrPortFrom(f.Client, 25)}}
	for _, r := range []sluice.Reason{reason.IprevNumbered, reason.SPFFail, reason.DKIMNone, reason.DMARCFailReject} {
		rec.Verdict.Ledger = append(rec.Verdict.Ledger, sluice.Contribution{Evidence: sluice.Evidence{Reason: r}})
	}
	return func(context.Context, string) (*sluice.Record, error) { return rec, nil }
}
