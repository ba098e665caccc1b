// Package checktest helps to test checks: it makes inputs and holds every check
// to its declaration.
package checktest

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/reason"
)

// Now is the time at which inputs are judged.
var Now = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// Input is raw as a stranger sends it to ann@example.net. Lines may end in LF.
func Input(raw string) *check.Input {
	raw = strings.ReplaceAll(strings.ReplaceAll(raw, "\r\n", "\n"), "\n", "\r\n")
	return &check.Input{
		Conn: &sluice.Conn{
			Client: netip.MustParseAddrPort("192.0.2.7:4711"), Door: "smtp", Hello: sluice.Hello{Verb: "EHLO", Name: "mail.example.org"},
		},
		Envelope: &sluice.Envelope{From: "bob@example.org", Rcpts: []sluice.Recipient{{Address: "ann@example.net"}}, Tenant: "example"},
		Message:  message.Parse([]byte(raw), message.DefaultLimits()),
		Now:      Now,
	}
}

// defaults are the fields of a plain message.
var defaults = []string{
	"From: Bob <bob@example.org>", "To: ann@example.net", "Date: Wed, 4 Mar 2026 11:59:00 +0000",
	"Message-ID: <1@example.org>", "Subject: The minutes", "MIME-Version: 1.0",
}

// Mail writes a message of fields and body; the fields that every message has
// are added where none of the same name is given. "-Name" leaves one out.
func Mail(fields, body string) string {
	var b strings.Builder
	b.WriteString("Received: from mail.example.org ([192.0.2.7]) by relay.example.org; Wed, 4 Mar 2026 12:00:00 +0000\n")
	given := strings.Split(strings.TrimSuffix(fields, "\n"), "\n")
	for _, d := range defaults {
		name, _, _ := strings.Cut(d, ":")
		if !slices.ContainsFunc(given, func(f string) bool { return strings.HasPrefix(f, name+":") || f == "-"+name }) {
			b.WriteString(d + "\n")
		}
	}
	for _, f := range given {
		if f != "" && !strings.HasPrefix(f, "-") {
			b.WriteString(f + "\n")
		}
	}
	return b.String() + "\n" + body
}

// Attached writes a message with a line of text and one attachment in base64
// lines that the caller has made.
func Attached(fields, encoded string) string {
	return Mail("Content-Type: multipart/mixed; boundary=b", "--b\n\nSee the file.\n--b\n"+fields+"\nContent-Transfer-Encoding: base64\n\n"+encoded+"\n--b--\n")
}

// Run runs the checks of all phases and fails the test where one breaks its
// declaration: an error, a reason that it doesn't declare or that isn't in the
// catalogue, another group or phase, a place outside the message, a detail that
// isn't UTF-8 or too long to log.
func Run(t testing.TB, checks []check.Checker, in *check.Input) []sluice.Evidence {
	t.Helper()
	var out []sluice.Evidence
	for _, c := range checks {
		info := c.Info()
		ev, err := c.Check(context.Background(), in)
		if err != nil {
			t.Errorf("%s: %v", info.Name, err)
		}
		for _, e := range ev {
			hold(t, info, in, e)
		}
		out = append(out, ev...)
	}
	return out
}

func hold(t testing.TB, info check.Info, in *check.Input, e sluice.Evidence) {
	t.Helper()
	entry, known := reason.Lookup(string(e.Reason))
	switch {
	case !known:
		t.Errorf("%s: %s is not in the catalogue", info.Name, e.Reason)
	case !slices.Contains(info.Reasons, e.Reason):
		t.Errorf("%s: states %s and doesn't declare it", info.Name, e.Reason)
	case e.Phase != info.Phase:
		t.Errorf("%s: %s: phase %v, want %v", info.Name, e.Reason, e.Phase, info.Phase)
	case e.Group.String() != entry.Group:
		t.Errorf("%s: %s: group %v, want %s", info.Name, e.Reason, e.Group, entry.Group)
	case e.Raw != entry.Points && !weighted(entry):
		t.Errorf("%s: %s: %v points, want %v", info.Name, e.Reason, e.Raw, entry.Points)
	case e.Range.Off < 0 || e.Range.Len < 0 || in.Message != nil && e.Range.Off+e.Range.Len > len(in.Message.Raw):
		t.Errorf("%s: %s: range %+v is outside the message", info.Name, e.Reason, e.Range)
	case !utf8.ValidString(e.Detail) || len(e.Detail) > 4000:
		t.Errorf("%s: %s: detail %.100q of %d octets", info.Name, e.Reason, e.Detail, len(e.Detail))
	}
}

// weighted says whether a reason brings what was learned or configured: reputations,
// lists, rules, reports and fingerprints have no points of their own in the catalogue.
func weighted(e reason.Entry) bool {
	return (e.Group == "reputation" || e.Group == "session" || e.Group == "recipient" || e.Group == "campaign") && e.Hard == "" && e.Points == 0
}

// Reasons lists the reasons of ev in the order of the alphabet.
func Reasons(ev []sluice.Evidence) []string {
	out := []string{}
	for _, e := range ev {
		out = append(out, string(e.Reason))
	}
	slices.Sort(out)
	return out
}

// Case is one row of a table: its name, a message, and all reasons that it must
// give, in the order of the alphabet and parted by spaces.
type Case [3]string

// Table runs a table of messages.
func Table(t *testing.T, checks []check.Checker, cases []Case) {
	t.Helper()
	for _, c := range cases {
		name, raw, want := c[0], c[1], c[2]
		t.Run(name, func(t *testing.T) {
			ev := Run(t, checks, Input(raw))
			if got := strings.Join(Reasons(ev), " "); got != want {
				t.Errorf("got %q, want %q\n%+v", got, want, ev)
			}
		})
	}
}
