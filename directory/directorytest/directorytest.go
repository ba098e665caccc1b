// Package directorytest is what every source of recipients has to pass, and a
// source that does what a test says.
package directorytest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice"
	"sluice/directory"
)

// Domain is where the fixture's mailboxes are.
const Domain = "example.com"

// Password is what a source that logs in uses. It must never show.
const Password = "s3cret-Passw0rd"

// Mailboxes are what a source has to hold, and nothing else in [Domain]. Those with
// a quoted local part are there in their plain form.
var Mailboxes = []string{
	"alice@" + Domain,
	"bob.jones@" + Domain,
	"o'hara@" + Domain,
	"percent%sign@" + Domain,
	"star*fish@" + Domain,
}

// CatchAll is a domain all of whose addresses exist, as the entry "@" + CatchAll,
// in sources that hold lists.
const CatchAll = "all.example"

// Fixture is a source that holds [Mailboxes].
type Fixture struct {
	Source directory.Source
	// Lists says that the source is a list of entries: extensions of local parts and
	// "@domain" are ours to see to.
	Lists bool
	// Break makes the source unable to answer, Mend able again; nil where that can't
	// be.
	Break, Mend func()
}

// Run runs the suite. Each part opens a source of its own.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	parts := []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"mailboxes", mailboxes}, {"forms", forms}, {"hostile", hostile}, {"concurrent", concurrent},
		{"cancelled", cancelled}, {"trouble", trouble}, {"names", names},
	}
	for _, p := range parts {
		t.Run(p.name, func(t *testing.T) { p.run(t, open(t)) })
	}
}

// Directory makes a directory before one source, for [Domain] and [CatchAll].
func Directory(t testing.TB, s directory.Source) *directory.Directory {
	t.Helper()
	dom := directory.Domain{Sources: []directory.Use{{Source: s, Timeout: 5 * time.Second}}, Delimiters: "+"}
	d, err := directory.New(directory.Config{
		Domains:    map[string]directory.Domain{Domain: dom, CatchAll: dom},
		TroubleFor: time.Nanosecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func want(t *testing.T, d sluice.Directory, address string, p sluice.Presence) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	l, err := d.Lookup(ctx, address)
	if l.Presence != p || err != nil {
		t.Errorf("%s: %s, %v; want %s", address, l.Presence, err, p)
	}
	if p != sluice.CantTell && l.Source == "" {
		t.Errorf("%s: no source named", address)
	}
}

func mailboxes(t *testing.T, f Fixture) {
	d := Directory(t, f.Source)
	for _, m := range Mailboxes {
		want(t, d, m, sluice.Present)
	}
	for _, a := range []string{"alic@", "alicee@", "bob@", "jones@", "bob.jones.@", "nobody@", "a@", strings.Repeat("x", 64) + "@"} {
		want(t, d, a+Domain, sluice.Absent)
	}
	// Once more, for what is remembered or kept open.
	want(t, d, Mailboxes[0], sluice.Present)
	want(t, d, "nobody@"+Domain, sluice.Absent)
}

func forms(t *testing.T, f Fixture) {
	d := Directory(t, f.Source)
	want(t, d, "Alice@"+Domain, sluice.Present)
	want(t, d, "ALICE@"+Domain, sluice.Present)
	want(t, d, `"alice"@`+Domain, sluice.Present)
	want(t, d, `"a\lice"@`+Domain, sluice.Present)
	want(t, d, "postmaster@"+Domain, sluice.Present)
	want(t, d, "Abuse@"+Domain, sluice.Present)
	want(t, d, "PostMaster", sluice.Present)
	want(t, d, "alice@elsewhere.example", sluice.CantTell)
	if !f.Lists {
		return
	}
	want(t, d, "alice+news@"+Domain, sluice.Present)
	want(t, d, "Alice+News+Old@"+Domain, sluice.Present)
	want(t, d, "nobody+alice@"+Domain, sluice.Absent)
	want(t, d, "+alice@"+Domain, sluice.Absent)
	want(t, d, "whoever@"+CatchAll, sluice.Present)
}

// Hostile are local parts that mean something in queries, filters, patterns and
// protocols. None of them is a mailbox.
var Hostile = []string{
	`*`, `a*`, `alice*`, `_lice`, `%`, `al%`, `alice%`, `%41lice`, `%s`, `$1`, `?`,
	`"*)(uid=*"`, `"alice)(|(mail=*"`, `"*)(|(objectClass=*)"`, `"\\2a"`, `"alice\\00"`, `"alice\\2a"`,
	`"' or '1'='1"`, `"x' or 1=1 --"`, `"alice';select 1;--"`, `"alice/*"`, `"alice\\'"`, `'`, `''`, `"\""`, `"\"alice\""`, `"alice\" --"`,
	`"alice> SIZE=1"`, `"<alice"`, `"alice@example.com"`, `"@"`, `""`, `" "`, `"alice "`, `" alice"`, `#alice`, `-alice`, `alice#`, `|alice`, `/etc/passwd`,
	`..`, `.alice`, `alice.`, `{alice}`, "`alice`",
}

func hostile(t *testing.T, f Fixture) {
	d := Directory(t, f.Source)
	for _, h := range Hostile {
		want(t, d, h+"@"+Domain, sluice.Absent)
	}
	// What isn't an address at all: any answer but a yes, and no harm.
	for _, a := range []string{"", "@", "alice", "@" + Domain, "alice@", "a\r\nRCPT TO:<alice@" + Domain, "\x00@" + Domain, "alice\x00@" + Domain,
		"alice\r\n@" + Domain, strings.Repeat("a", 1<<16) + "@" + Domain, "\xff\xfe@" + Domain, "alice@" + Domain + "\r\n", "ali ce@" + Domain} {
		if l, _ := d.Lookup(t.Context(), a); l.Presence == sluice.Present {
			t.Errorf("%.40q: present", a)
		}
	}
	want(t, d, Mailboxes[0], sluice.Present)
}

func concurrent(t *testing.T, f Fixture) {
	d := Directory(t, f.Source)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			want(t, d, Mailboxes[i%len(Mailboxes)], sluice.Present)
			want(t, d, fmt.Sprintf("nobody%d@%s", i, Domain), sluice.Absent)
		})
	}
	wg.Wait()
}

func cancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l, err := f.Source.Lookup(ctx, &directory.Query{Address: "nobody@" + Domain, Domain: Domain,
		Forms: []directory.Form{{Address: "nobody@" + Domain, Local: "nobody", Domain: Domain}}})
	if _, instant := f.Source.(directory.Instant); !instant && (l.Presence != sluice.CantTell || err == nil) {
		t.Errorf("with a context that is over: %s, %v", l.Presence, err)
	}
	want(t, Directory(t, f.Source), Mailboxes[0], sluice.Present)
}

func trouble(t *testing.T, f Fixture) {
	if f.Break == nil {
		t.Skip("this source can't be in trouble")
	}
	d := Directory(t, f.Source)
	want(t, d, Mailboxes[0], sluice.Present)
	want(t, d, "nobody@"+Domain, sluice.Absent)
	f.Break()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, a := range []string{Mailboxes[1], "nobody2@" + Domain} {
		l, err := d.Lookup(ctx, a)
		if l.Presence != sluice.CantTell || err == nil {
			t.Errorf("broken: %s: %s, %v; want can't tell and an error", a, l.Presence, err)
		} else if strings.Contains(err.Error(), Password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	want(t, d, Mailboxes[0], sluice.Present) // remembered
	if h := d.Health(); len(h) != 1 || h[0].State != directory.Failing || h[0].Trouble == "" || strings.Contains(h[0].String(), Password) {
		t.Errorf("health while broken: %v", h)
	}
	f.Mend()
	d = Directory(t, f.Source)
	want(t, d, Mailboxes[1], sluice.Present)
	want(t, d, "nobody2@"+Domain, sluice.Absent)
}

func names(t *testing.T, f Fixture) {
	d := Directory(t, f.Source)
	want(t, d, Mailboxes[0], sluice.Present)
	for _, h := range d.Health() {
		if h.State != directory.Working || h.Asked != 1 || h.Present != 1 || h.Trouble != "" {
			t.Errorf("health: %+v", h)
		}
		if s := h.String(); h.Source == "" || strings.Contains(s, Password) || strings.ContainsAny(s, "\r\n") {
			t.Errorf("health reads %q", s)
		}
	}
}
