package correspondent

import (
	"strings"
	"testing"

	"sluice/check/checktest"
	"sluice/learn/correspondent"
)

func TestPeople(t *testing.T) {
	p, err := correspondent.NewPeople([]correspondent.Protected{{Name: "Ann Archer", Addresses: []string{"ann@example.net", "ann.private@gmail.com"}}})
	if err != nil {
		t.Fatal(err)
	}
	list := PeopleChecks(func() *correspondent.People { return p })
	for _, c := range []struct{ from, fields, want string }{
		{"Ann Archer <ceo-office@gmail.com>", "", "NAMESAKE_MAILBOX PROTECTED_NAME"},
		{"Ann Archer <ann@examp1e.net>", "", "PROTECTED_NAME"},
		{"\"Ann Archer, CEO\" <a@example.org>", "Reply-To: x@gmail.com", "NAMESAKE_MAILBOX PROTECTED_NAME"},
		{"Ann Archer <ann.private@gmail.com>", "", ""},
		{"Ann Archer <ann@example.net>", "", ""},
		{"Bob Jones <bob@example.org>", "Reply-To: x@gmail.com", ""},
		{"CEO <x@gmail.com>", "", "OFFICE_OF_OURS"},
		{"The Chief Executive Officer (CEO) <x@gmail.com>", "", "OFFICE_OF_OURS"},
		{"CEO <ceo@partner.example>", "", ""},
		{"Example HR Department <x@evil.example>", "", "OFFICE_OF_OURS"},
		{"Example Payroll <example@myworkday.com>", "", ""},
		{"HR Department <hr@partner.example>", "", ""},
		{"Example News <news@partner.example>", "", ""},
	} {
		in := checktest.Input(checktest.Mail("From: "+c.from+"\n"+c.fields, "Hello\n"))
		if got := strings.Join(checktest.Reasons(checktest.Run(t, list, in)), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.from, got, c.want)
		}
	}
	own := checktest.Input(checktest.Mail("From: CEO <x@gmail.com>", "Hello\n"))
	own.Conn.Auth = "ann"
	if ev := checktest.Run(t, list, own); ev != nil {
		t.Errorf("own users are judged: %v", ev)
	}
	if ev := checktest.Run(t, PeopleChecks(nil), checktest.Input(checktest.Mail("From: Ann Archer <x@gmail.com>", "Hello\n"))); ev != nil {
		t.Errorf("without a list: %v", ev)
	}
}
