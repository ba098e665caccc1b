package dictionary_test

import (
	"net/http/httptest"
	"testing"

	"sluice/console/public"
	"sluice/console/public/dictionary"
	"sluice/internal/browsertest"
)

// TestBrowser asks the page in a real browser, at the width of a desk and of a phone.
func TestBrowser(t *testing.T) {
	page, err := dictionary.New(dictionary.Config{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := public.New(public.Config{Dictionary: page, Open: func(string) (public.Facts, error) { return public.Facts{}, public.ErrInvalid }})
	if err != nil {
		t.Fatal(err)
	}
	ours := httptest.NewServer(all)
	defer ours.Close()
	b := browsertest.Start(t)
	for _, s := range []struct {
		name          string
		width, height int
		phone         bool
	}{{"reply-page", 800, 900, false}, {"reply-phone", 390, 1000, true}} {
		b.Size(s.width, s.height, s.phone, "light")
		b.Open(ours.URL + "/reply")
		if got := b.Eval("document.styleSheets.length + ' ' + document.querySelector('h1').textContent"); got != "1 What does this reply mean?" {
			t.Errorf("%s: %v", s.name, got)
		}
		b.Eval(`document.querySelector('textarea').value = "550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM."`)
		b.Press()
		b.Picture(s.name)
		if got, _ := b.Eval("document.querySelector('h1').textContent").(string); got == "" || got == "What does this reply mean?" {
			t.Errorf("%s: no answer: %q", s.name, got)
		}
		if got := b.Eval("document.documentElement.scrollWidth"); got != float64(s.width) {
			t.Errorf("%s: %v wide", s.name, got)
		}
	}
}
