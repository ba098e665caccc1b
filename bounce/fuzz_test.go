package bounce

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// seeds are notices written for these tests, in the shapes of several programs.
var seeds = []string{
	"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nHi. This is the qmail-send program at mx.example.\n\n<a@example.org>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 no such user\nGiving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <b@example.net>\nMessage-ID: <x@example.net>\nX-Trace: t1\n\ntext\n",
	"From: MAILER-DAEMON@mx.example\nSubject: Undelivered\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\n<a@example.org>: host mx said: 552 5.2.2 over quota (in reply to RCPT TO\n    command)\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 over\n quota\n\n--x\nContent-Type: message/rfc822\n\nMessage-ID: <x@example.net>\nTo: a@example.org\n\nhi\n--x--\n",
	"X-Failed-Recipients: a@example.org,\n b@example.org\nFrom: Mail Delivery System <Mailer-Daemon@mx.example>\nSubject: Mail delivery failed\n\n  a@example.org\n    retry timeout exceeded\n  b@example.org\n    Unrouteable address\n\n------ This is a copy of the message, including all the headers. ------\n",
	"Subject: AWS Notification Message\n\n{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[{\"emailAddress\":\"a@example.org\",\"action\":\"failed\",\"status\":\"5.1.1\",\"diagnosticCode\":\"smtp; 550 5.1.1 user unknown\"}]}}\n",
	"Auto-Submitted: auto-replied\nSubject: Out of office\n\nback on monday",
	"From: a@b.example\n\nhello",
	"\r\r\r",
	"",
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(strings.ReplaceAll(s, "\n", "\r"))
	}
	f.Fuzz(func(t *testing.T, raw string) {
		b := Parse([]byte(raw), Config{TraceField: "X-Trace", Limits: Limits{Recipients: 10}})
		if len(b.Recipients) > 10 {
			t.Errorf("%d recipients", len(b.Recipients))
		}
		for _, r := range b.Recipients {
			if len(r.Said) > maxSaid+3 || !utf8.ValidString(r.Said) {
				t.Errorf("said %d octets", len(r.Said))
			}
			if r.Status == "" || r.Action == "" || r.Answer.Class == "" {
				t.Errorf("incomplete: %+v", r)
			}
		}
		if b.Kind == "" {
			t.Error("no kind")
		}
	})
}
