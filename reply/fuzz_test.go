package reply

import (
	"testing"
	"unicode/utf8"
)

func FuzzClassify(f *testing.F) {
	for _, s := range []string{
		"550 5.1.1 <a@example.org>: Recipient address rejected: User unknown in local recipient table",
		"421-4.7.0 [192.0.2.1      15] Our system has detected an unusual rate of\r\n421 4.7.0 unsolicited mail", "550", "550-", "5.1.1", "999 9.9.9", "", "550 5.7.1 \xff\xfe spam ref X",
		"550 5.7.1 Spam: the text tells the story of advance-fee fraud; remove it. ref ABCD-EFGH", "552 4.2.2 mailbox full (in reply to RCPT TO command)", "452 5.3.4 too big", "メールボックスがいっぱい", "5555555555.5.5.5.5",
	} {
		f.Add(s, "5.1.1", "RCPT")
	}
	f.Fuzz(func(t *testing.T, text, status, command string) {
		a := Classify(Query{Text: text, Status: status, Command: command})
		if _, ok := classes[a.Class]; !ok {
			t.Errorf("unknown class %q", a.Class)
		}
		if a.Class == Conflict != (a.Conflict != "") {
			t.Errorf("class %q with conflict %q", a.Class, a.Conflict)
		}
		if a.Class != Conflict && a.Class != a.Likely {
			t.Errorf("class %q, likely %q", a.Class, a.Likely)
		}
		if a.Means == "" || a.Advice == "" || !utf8.ValidString(a.Means+a.Advice+a.Conflict) {
			t.Errorf("no words: %+v", a)
		}
		if a.Code != 0 && (a.Code < 200 || a.Code > 599) {
			t.Errorf("code %d", a.Code)
		}
		if _, ok := parseEnhanced(a.Enhanced); a.Enhanced != "" && !ok {
			t.Errorf("enhanced %q", a.Enhanced)
		}
		if s := StatusOf(a); s == "" {
			t.Errorf("no status: %+v", a)
		}
	})
}
