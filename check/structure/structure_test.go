package structure_test

import (
	"strings"
	"testing"
	"time"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/structure"
)

var config = structure.Config{Names: []string{"mx.example.net"}}

func TestMessages(t *testing.T) {
	mail := func(fields string) string { return checktest.Mail(fields, "Hello\n") }
	html := func(body string) string { return checktest.Mail("Content-Type: text/html", body) }
	multi := func(fields, body string) string {
		return checktest.Mail(fields, body)
	}
	checktest.Table(t, structure.Checks(structure.Config{}), []checktest.Case{
		{"plain", mail(""), ""},

		{"a hundred hops", strings.Repeat("Received: from a by b; Wed, 4 Mar 2026 12:00:00 +0000\n", 99) + mail(""), ""},
		{"a hundred and one hops", strings.Repeat("Received: from a by b; Wed, 4 Mar 2026 12:00:00 +0000\n", 100) + mail(""), "MAIL_LOOP"},

		{"no To", mail("-To"), "TO_MISSING"},
		{"Cc alone", mail("-To\nCc: ann@example.net"), ""},
		{"list without To", mail("-To\nList-Id: <l.example.org>"), ""},
		{"undisclosed", mail("To: undisclosed-recipients:;"), "TO_UNDISCLOSED"},
		{"undisclosed in words", mail("To: Undisclosed recipients <>"), "TO_UNDISCLOSED"},
		{"a named group", mail("To: Friends: ann@example.net;"), ""},
		{"two subjects", mail("Subject: one\nSubject: two"), "FIELD_DUPLICATE"},
		{"two To fields", mail("To: a@example.net\nTo: b@example.net"), "FIELD_DUPLICATE"},
		{"two In-Reply-To fields", mail("In-Reply-To: <a@b>\nIn-Reply-To: <c@d>"), ""},

		{"no date", mail("-Date"), "DATE_MISSING"},
		{"date of words", mail("Date: yesterday"), "DATE_INVALID"},
		{"date of 10 kB", mail("Date: " + strings.Repeat("1", 10000)), "DATE_INVALID"},
		{"obsolete zone", mail("Date: Wed, 04 Mar 2026 06:59:00 EST"), ""},
		{"zone by name", mail("Date: Wed, 4 Mar 2026 12:00:00 +0100 (Romance Standard Time)"), ""},
		{"unknown zone name", mail("Date: Wed, 4 Mar 2026 12:00:00 CEST"), ""},
		{"no zone", mail("Date: Wed, 4 Mar 2026 12:00:00"), ""},
		{"long names", mail("Date: Wednesday, 4 March 2026 12:00:00 +0000"), ""},
		{"C library form", mail("Date: Wed Mar  4 12:00:00 2026"), ""},
		{"no such zone", mail("Date: Wed, 4 Mar 2026 12:00:00 -1600"), "DATE_ZONE"},
		{"odd minutes", mail("Date: Wed, 4 Mar 2026 12:00:00 +0206"), "DATE_ZONE"},
		{"Nepal", mail("Date: Wed, 4 Mar 2026 12:00:00 +0545"), ""},
		{"a day ahead", mail("Date: Thu, 5 Mar 2026 12:00:00 +0000"), ""},
		{"a month ahead", mail("Date: Sat, 4 Apr 2026 12:00:00 +0000"), "DATE_FUTURE"},
		{"years ago", mail("Date: Thu, 4 Mar 1999 12:00:00 +0000"), ""},

		{"no Message-ID", mail("-Message-ID"), "MESSAGE_ID_MISSING"},
		{"Message-ID without brackets", mail("Message-ID: 1@example.org"), "MESSAGE_ID_INVALID"},
		{"Message-ID without at", mail("Message-ID: <1.example.org>"), "MESSAGE_ID_INVALID"},
		{"Message-ID with a space", mail("Message-ID: <1 2@example.org>"), "MESSAGE_ID_INVALID"},
		{"empty Message-ID", mail("Message-ID:"), "MESSAGE_ID_INVALID"},

		{"reply", mail("Subject: Re: minutes\nIn-Reply-To: <0@example.net>"), ""},
		{"reply of nothing", mail("Subject: Re: minutes"), "SUBJECT_FAKE_REPLY"},
		{"German reply of nothing", mail("Subject: =?utf-8?Q?AW:_Gr=C3=BC=C3=9Fe?="), "SUBJECT_FAKE_REPLY"},
		{"reply on a list", mail("Subject: Re: minutes\nList-Id: <l.example.org>"), ""},
		{"regarding", mail("Subject: Regarding the minutes"), ""},
		{"shouting", mail("Subject: URGENT BUSINESS PROPOSAL!"), "SUBJECT_SHOUTS"},
		{"shouting in Russian", mail("Subject: =?utf-8?B?0KHQoNCe0KfQndCe0JUg0J/QoNCV0JTQm9Ce0JbQldCd0JjQlQ==?="), "SUBJECT_SHOUTS"},
		{"an abbreviation", mail("Subject: RFC 5322 ABNF"), ""},
		{"Chinese has no case", mail("Subject: =?utf-8?B?5L2g5aW95L2g5aW95L2g5aW95L2g5aW9?="), ""},
		{"tag far to the right", mail("Subject: You won                     xk21z"), "SUBJECT_PADDED"},

		{"duplicate Content-Type", multi("Content-Type: text/plain\nContent-Type: text/html", "x"), "MIME_AMBIGUOUS"},
		{"two boundaries", multi("Content-Type: multipart/mixed; boundary=a; boundary=b", "--a\n\nx\n--a--\n"), "MIME_AMBIGUOUS"},
		{"name plain and encoded", multi("Content-Type: multipart/mixed; boundary=b",
			"--b\nContent-Disposition: attachment; filename=a.txt; filename*=utf-8''b.exe\n\nx\n--b--\n"), "MIME_NAME_AMBIGUOUS"},
		{"unknown encoding", multi("Content-Type: text/plain\nContent-Transfer-Encoding: zip", "x"), "MIME_BROKEN"},
		{"fragment", multi("Content-Type: message/partial; id=a; number=1; total=2", "x"), "MIME_ELSEWHERE"},
		{"nested too deep", multi("Content-Type: multipart/mixed; boundary=b0", nested(60)), "MIME_LIMIT"},

		{"script in the body", html("<p>Hello</p><script>go()</script>"), "BODY_SCRIPT"},
		{"handler in the body", html(`<p onclick="go()">Hello</p>`), "BODY_SCRIPT"},
		{"refresh", html(`<meta http-equiv="refresh" content="0;url=https://evil.example.com/">`), "BODY_REFRESH"},
		{"frame", html(`<iframe src="https://evil.example.com/"></iframe>`), ""},
		{"plain HTML", html("<p>Hello</p>"), ""},

		{"one click", mail("List-Unsubscribe: <https://example.org/u>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"), "BULK_ONE_CLICK"},
		{"one click by mail is none", mail("List-Unsubscribe: <mailto:u@example.org>\nList-Unsubscribe-Post: List-Unsubscribe=One-Click"), "BULK_UNSUBSCRIBE"},
		{"unsubscribe", mail("List-Unsubscribe: <mailto:u@example.org>\nPrecedence: bulk"), "BULK_UNSUBSCRIBE"},
		{"mailing list", mail("List-Id: Talk <talk.example.org>\nList-Post: <mailto:talk@example.org>"), "BULK_LIST"},
		{"List-Id alone", mail("List-Id: Talk <talk.example.org>"), ""},
		{"malformed List-Id", mail("List-Id: talk\nList-Post: <mailto:talk@example.org>"), ""},
		{"precedence", mail("Precedence: LIST"), "BULK_PRECEDENCE"},

		// What other receivers wrote must not matter.
		{"verdicts of others", mail("X-Spam-Flag: YES\nX-Spam-Status: Yes, score=99\nAuthentication-Results: x; dmarc=fail\nX-MS-Exchange-Organization-SCL: 9"), ""},
	})
}

// nested writes multiparts in multiparts.
func nested(n int) string {
	var b strings.Builder
	for i := range n {
		name := "b" + string(rune('0'+i/10)) + string(rune('0'+i%10))
		if i == 0 {
			name = "b0"
		}
		b.WriteString("--" + name + "\nContent-Type: multipart/mixed; boundary=b" + string(rune('0'+(i+1)/10)) + string(rune('0'+(i+1)%10)) + "\n\n")
	}
	return b.String()
}

// A message on disk that shows no transport may lack what transport asks for.
func TestSparse(t *testing.T) {
	const bare = "From: a@example.org\nTo: b@example.org\nSubject: Re: x\n\nHello\n"
	in := checktest.Input(bare)
	if got := strings.Join(checktest.Reasons(checktest.Run(t, structure.Checks(config), in)), " "); got != "DATE_MISSING MESSAGE_ID_MISSING SUBJECT_FAKE_REPLY" {
		t.Errorf("live: %s", got)
	}
	in.Conn.Stored = true
	if ev := checktest.Run(t, structure.Checks(config), in); len(ev) != 0 {
		t.Errorf("stored: %+v", ev)
	}
}

func TestReceivedOurs(t *testing.T) {
	const ours = "Received: from a.example ([192.0.2.1]) by MX.example.net. (Postfix) with ESMTP; Wed, 4 Mar 2026 12:00:00 +0000\n"
	const other = "Received: from mx.example.net by lists.example.org with ESMTP; Wed, 4 Mar 2026 12:00:00 +0000\n"
	rest := strings.SplitN(checktest.Mail("", "Hello\n"), "\n", 2)[1]
	for _, tc := range []struct {
		name, raw string
		change    func(*check.Input)
		want      string
	}{
		{"invented", ours + rest, nil, "RECEIVED_FORGED_OURS"},
		{"back from a list", other + ours + rest, nil, ""},
		{"named as the sender only", other + rest, nil, ""},
		{"stored by us", ours + rest, func(in *check.Input) { in.Conn.Stored = true }, ""},
		{"trusted hop", ours + rest, func(in *check.Input) { in.Conn.Trusted = true }, ""},
	} {
		in := checktest.Input(tc.raw)
		if tc.change != nil {
			tc.change(in)
		}
		if got := strings.Join(checktest.Reasons(checktest.Run(t, structure.Checks(config), in)), " "); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Without a clock nothing lies in the future.
func TestNoClock(t *testing.T) {
	in := checktest.Input(checktest.Mail("Date: Sat, 4 Apr 2099 12:00:00 +0000", "Hello\n"))
	in.Now = time.Time{}
	if ev := checktest.Run(t, structure.Checks(structure.Config{}), in); len(ev) != 0 {
		t.Errorf("%+v", ev)
	}
}

func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"Date: Wed, 4 Mar 2026 12:00:00 +0000", "Date: (", "Subject: Re:", "Message-ID: <@>", "Received: by ;", "To: :;", "List-Id: <"} {
		f.Add(s)
	}
	checks := structure.Checks(config)
	f.Fuzz(func(t *testing.T, fields string) {
		checktest.Run(t, checks, checktest.Input(fields+"\n\nHello\n"))
	})
}
