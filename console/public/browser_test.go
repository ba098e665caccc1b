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
	"sluice/console/internal/browsertest"
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
		if over, _ := b.Eval("document.documentElement.scrollWidth - innerWidth").(float64); over > 0 {
			t.Errorf("%s: %v pixels wider than the screen", name, over)
		}
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

// checkedRecord finds a record of the event with some results of authentication.
func checkedRecord(f Facts) func(context.Context, string) (*sluice.Record, error) {
	rec := &sluice.Record{ID: f.Ref, Conn: sluice.Conn{Client: netip.AddrPortFrom(f.Client, 25)}}
	for _, r := range []sluice.Reason{reason.IprevNumbered, reason.SPFFail, reason.DKIMNone, reason.DMARCFailReject} {
		rec.Verdict.Ledger = append(rec.Verdict.Ledger, sluice.Contribution{Evidence: sluice.Evidence{Reason: r}})
	}
	return func(context.Context, string) (*sluice.Record, error) { return rec, nil }
}
