package identity_test

import (
	"testing"
	"time"

	"sluice"
	"sluice/check/identity"
	"sluice/learn/service"
	"sluice/reason"
)

// A name that has come under a signature for long is known under it, and is worth less
// where others may sign so too.
func TestNameSignerKnown(t *testing.T) {
	m, err := service.NewMemory(service.Config{Key: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	if identity.Known(nil) != nil {
		t.Error("a check without a memory")
	}
	checks := identity.Known(m)
	clinic := from(t, "mail.example.org", "dkim=pass header.d=reminders.example", "From: Elm Street Clinic <x@reminders.example>", "<p>See you</p>")
	for d := range 6 {
		at := clinic.Now.Add(time.Duration(4*d-24) * 24 * time.Hour)
		m.Received(at, clinic.Envelope.Tenant, "Elm Street Clinic", []string{"reminders.example", "mcsv.net"})
	}
	for _, c := range []struct {
		name, results, from string
		want                float64
	}{
		{"the pair", "dkim=pass header.d=reminders.example", "Elm Street Clinic <y@reminders.example>", -6},
		{"the name in other letters", "dkim=pass header.d=mail.reminders.example", "ELM STREET  CLINIC <y@reminders.example>", -6},
		{"under a service", "dkim=pass header.d=mcsv.net", "Elm Street Clinic <y@elm.example>", -3},
		{"under both", "dkim=pass header.d=mcsv.net; dkim=pass header.d=reminders.example", "Elm Street Clinic <y@elm.example>", -6},
		{"a signature that fails", "dkim=fail header.d=reminders.example", "Elm Street Clinic <y@reminders.example>", 0},
		{"another signature", "dkim=pass header.d=cheap.example", "Elm Street Clinic <y@reminders.example>", 0},
		{"another name", "dkim=pass header.d=reminders.example", "Oak Street Clinic <y@reminders.example>", 0},
		{"no name", "dkim=pass header.d=reminders.example", "y@reminders.example", 0},
		{"two authors", "dkim=pass header.d=reminders.example", "Elm Street Clinic <y@reminders.example>, b@other.example", 0},
	} {
		in := from(t, "mail.example.org", c.results, "From: "+c.from, "<p>See you</p>")
		ev, err := checks[0].Check(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for _, e := range ev {
			if e.Reason != reason.NameSignerKnown || e.State != sluice.Found {
				t.Errorf("%s: %v", c.name, e)
			}
			got += e.Raw
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// What is learned of a message is what the check asks for.
	if name, signers, ok := identity.Learned(t.Context(), clinic); !ok || name != "Elm Street Clinic" || len(signers) != 1 || signers[0] != "reminders.example" {
		t.Errorf("%q %q %v", name, signers, ok)
	}
	clinic.Conn.Auth = "ann"
	if _, _, ok := identity.Learned(t.Context(), clinic); ok {
		t.Error("our own users' mail is learned")
	}
}

// A mailing of today has a way to leave in its header.
func TestBulkNoLeave(t *testing.T) {
	const (
		acme  = "dkim=pass header.d=acme.com"
		page  = `<p>News</p><a href="https://www.acme.com/">Read</a><img src="https://img.acme.com/1.png">`
		leave = `<a href="https://www.acme.com/leave">Unsubscribe</a>`
		sent  = "From: Acme Tools <news@acme.com>"
	)
	for _, c := range []struct {
		name, fields, body string
		want               bool
	}{
		{"a mailing with a way to leave in its text alone", sent, page + leave, true},
		{"in another language", sent, page + `<a href="https://www.acme.com/leave">Hier abmelden</a>`, true},
		{"with one in its header", sent + "\nList-Unsubscribe: <https://www.acme.com/leave>", page + leave, false},
		{"a campaign by its marks", sent + "\nFeedback-ID: 1:acme", page, true},
		{"a notice", sent, page, false},
		{"a notice that says so", sent + "\nAuto-Submitted: auto-generated", page + leave, false},
		{"a letter", "From: Ann Smith <ann@acme.com>\nIn-Reply-To: <1@example.net>", `Yes. <a href="https://www.acme.com/">That</a>`, false},
		{"a list", sent + "\nList-Id: <l.acme.com>\nList-Post: <mailto:l@acme.com>", page + leave, false},
	} {
		in := from(t, "mail.acme.com", acme, c.fields, c.body)
		got := false
		for _, k := range identity.Checks() {
			if k.Info().Name != "identity/proof" {
				continue
			}
			ev, err := k.Check(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range ev {
				got = got || e.Reason == reason.BulkNoLeave
			}
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	old := from(t, "mail.acme.com", acme, sent, page+leave)
	old.Now = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	old.Conn.Stored = false
	for _, k := range identity.Checks() {
		if k.Info().Name == "identity/proof" {
			if ev, _ := k.Check(t.Context(), old); len(ev) != 0 {
				t.Errorf("before it was asked for: %v", ev)
			}
		}
	}
}
