package quote

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ name, text, own, quoted string }{
		{"nothing", "Hello\nthere\n", "Hello there", ""},
		{"marks", "Yes.\n> Will you?\n>> no\nBye\n", "Yes. Bye", "Will you? no"},
		{"english", "Yes.\n\nOn Tue, 3 Mar 2026, Bob <bob@example.org> wrote:\nWill you?\n", "Yes.", "On Tue, 3 Mar 2026, Bob <bob@example.org> wrote: Will you?"},
		{"attribution in two lines", "Yes.\nOn Tue, 3 Mar 2026, Bob Builder <bob@example.org>\nwrote:\nWill you?\n", "Yes. On Tue, 3 Mar 2026, Bob Builder <bob@example.org>", "wrote: Will you?"},
		{"german", "Ja.\nAm 3.3.26 um 10:00 schrieb Bob:\nKommst du?\n", "Ja.", "Am 3.3.26 um 10:00 schrieb Bob: Kommst du?"},
		{"outlook", "Ja.\n\nVon: Bob <bob@example.org>\nGesendet: Dienstag, 3. März 2026 10:00\nAn: Ann\nBetreff: x\n\nKommst du?\n", "Ja.", "Von: Bob <bob@example.org> Gesendet: Dienstag, 3. März 2026 10:00 An: Ann Betreff: x Kommst du?"},
		{"outlook, japanese", "はい\n差出人: Bob <bob@example.org>\n送信日時: 2026年3月3日\n宛先: Ann\n本文\n", "はい", "差出人: Bob <bob@example.org> 送信日時: 2026年3月3日 宛先: Ann 本文"},
		{"dashes", "Ja.\n-----Ursprüngliche Nachricht-----\nKommst du?\n", "Ja.", "-----Ursprüngliche Nachricht----- Kommst du?"},
		{"a title between dashes", "*** News of today ***\nAll is well\n", "*** News of today *** All is well", ""},
		{"a colon", "Please note on 3 March:\nall is well\n", "Please note on 3 March: all is well", ""},
		{"from without more", "From: the heart\nof the city\n", "From: the heart of the city", ""},
		{"chinese", "好\n在 2026年3月3日，Bob 写道：\n你来吗\n", "好", "在 2026年3月3日，Bob 写道： 你来吗"},
	} {
		own, quoted := Split(c.text)
		if own, quoted = join(own), join(quoted); own != c.own || quoted != c.quoted {
			t.Errorf("%s: own %q, quoted %q", c.name, own, quoted)
		}
	}
}

func join(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestSubject(t *testing.T) {
	for _, c := range []struct {
		subject string
		kind    Kind
		rest    string
	}{
		{"Hello", First, "Hello"},
		{"Re: Hello", Reply, "Hello"},
		{"RE : Hello", Reply, "Hello"},
		{"AW: WG: Hello", Reply, "Hello"},
		{"Fwd: Re: Hello", Forward, "Hello"},
		{"Re[2]: Hello", Reply, "Hello"},
		{"Re(12): Hello", Reply, "Hello"},
		{"Re^2: Hello", Reply, "Hello"},
		{"[list] Re: Hello", Reply, "Hello"},
		{"Re: [list] Hello", Reply, "[list] Hello"},
		{"回复：你好", Reply, "你好"},
		{"答复: 你好", Reply, "你好"},
		{"رد: مرحبا", Reply, "مرحبا"},
		{"Antw: Hallo", Reply, "Hallo"},
		{"SV: Hej", Reply, "Hej"},
		{"VS: Hei", Either, "Hei"},
		{"Odp: Hej", Reply, "Hej"},
		{"Ynt: Merhaba", Reply, "Merhaba"},
		{"RES: Olá", Reply, "Olá"},
		{"R: Ciao", Reply, "Ciao"},
		{"TR: Bonjour", Forward, "Bonjour"},
		{"Απ: γεια", Reply, "γεια"},
		{"Отв: привет", Reply, "привет"},
		{"Reminder: pay", First, "Reminder: pay"},
		{"Re Hello", First, "Re Hello"},
		{"Note: Re: x", First, "Note: Re: x"},
		{"", First, ""},
		{":", First, ":"},
	} {
		if kind, rest := Subject(c.subject); kind != c.kind || rest != c.rest {
			t.Errorf("%q: %v, %q", c.subject, kind, rest)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("Yes.\n> Will you?\nOn 3 March Bob wrote:\nx", "Re[2]: [x] AW：y")
	f.Add("Von: Bob\nGesendet: 1\nAn: x\n", "回复：")
	f.Fuzz(func(t *testing.T, text, subject string) {
		own, quoted := Split(text)
		if len(own)+len(quoted) > len(text)+maxLines+2 {
			t.Errorf("%d and %d octets of %d", len(own), len(quoted), len(text))
		}
		if _, rest := Subject(subject); !strings.HasSuffix(subject, rest) {
			t.Errorf("%q isn't the end of %q", rest, subject)
		}
		if utf8.ValidString(subject) {
			if _, rest := Subject(subject); !utf8.ValidString(rest) {
				t.Errorf("half a letter: %q", rest)
			}
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	text := strings.Repeat("A line of ordinary text, as people write it to each other.\n", 200)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Split(text)
	}
}
