package scam

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/internal/golden"
	"sluice/learn/text"
	"sluice/message"
	"sluice/reason"
)

const btc, segwit, ether, tron = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
	"0x52908400098527886E0F7030069857D2E4169EE7", "TJRyWwFs9wTFGZg3JbrVriFbNfCug5tDeC"

func plain(fields, body string) string {
	return checktest.Mail("Content-Type: text/plain; charset=utf-8\n"+fields, body+"\n")
}

func TestFrauds(t *testing.T) {
	const free = "From: Bob <bob@gmail.com>"
	checktest.Table(t, Checks(Config{}), []checktest.Case{
		{"plain", plain("", "Here are the minutes of the meeting. See you on Monday."), ""},
		{"payment change", plain(free, "Our bank details have changed, the old account is under audit. Please pay the invoice to the new account."), "BEC_PAYMENT_CHANGE"},
		{"behind look-alike letters", plain(free, "Оur bаnk dеtаils hаve chаngеd, the оld аccоunt is under аudit. Pleаse pаy the invоice to the nеw aсcount."), "BEC_PAYMENT_CHANGE"},
		{"behind invisible characters", plain(free, "Our ba\u200bnk det\u200bails have cha\u200bnged, the old acc\u200bount is under audit. Please pay the invoice to the new account."), "BEC_PAYMENT_CHANGE"},
		{"payroll", plain(free, "I changed banks and want to update my direct deposit before the next payroll. What do you need from me?"), "BEC_PAYROLL"},
		{"gift cards", plain(free, "I'm in a meeting. Please buy gift cards for some clients and send me pictures of the codes."), "BEC_GIFT_CARD"},
		{"quoted by a reply", plain("In-Reply-To: <1@example.net>", "Thank you for the report, this is a known fraud and we have closed the mailbox that it came from. Nothing else is needed from you.\n\n> I'm in a meeting. Please buy gift cards for some clients and\n> send me pictures of the codes."), ""},
		{"a quotation of no thread", plain(free, "Please see below.\n\n> I'm in a meeting. Please buy gift cards for some clients and\n> send me pictures of the codes. Keep it a surprise."), "BEC_GIFT_CARD"},
		{"extortion", plain("", "I recorded you with your webcam. Pay $900 in bitcoin within 48 hours to "+btc+" or all your contacts will see."), "EXTORTION"},
		{"an address alone", plain("", "Donations: "+btc), "COIN_ADDRESS"},
		{"a segwit address", plain("", "Donations: "+segwit), "COIN_ADDRESS"},
		{"an Ethereum address", plain("", "Donations: "+ether), "COIN_ADDRESS"},
		{"a Tron address", plain("", "Donations: "+tron), "COIN_ADDRESS"},
		{"wrong checksums", plain("", "1BoatSLRHtKNngkdXEeobR76b53LETtpyU bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp 0x52908400098527886e0F7030069857D2E4169EE7"), ""},
		{"credentials", plain("", "Your account will be suspended. Verify your account: https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials in Japanese", plain("", "アカウントが停止されました。こちらをクリック https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials in capitals and accents", plain("", "VOTRE COMPTE A ÉTÉ SUSPENDU. CLIQUEZ ICI https://login.example.com/"), "CREDENTIAL_LURE"},
		{"without a link", plain("", "Your account will be suspended. Verify your account at the desk."), ""},
		{"inside other words", plain("", "Unlock accountability: https://www.example.com/ with unusual activityless"), ""},
		{"over a full stop", plain("", "We heard of unusual. Activity is fine, verify. Your account is https://www.example.com/"), ""},
		{"prize", plain("", "Congratulations! You have been selected for our shopper survey. Claim now: https://x.example.com/"), "PRIZE_LURE"},
		{"news of money", plain("", "The company raised 5 million dollars from a bank and paid its auditor."), ""},
	})
}

// A sender who is known, or who bears a known name, is judged otherwise for the same
// words.
func TestTies(t *testing.T) {
	raw := plain("From: Bob <bob@gmail.com>", "Are you available? I need you to do a quick task. I'm in a meeting, no calls, just email.")
	odds := func(k Ties) float64 {
		return Read(&check.Input{Message: message.Parse([]byte(raw), message.DefaultLimits())}, k).odds
	}
	none, namesake, known, inside := odds(Ties{}), odds(Ties{Namesake: true}), odds(Ties{Known: true, Wrote: true}), odds(Ties{Inside: true})
	if !(namesake > none && none > known && known >= inside && none > inside) {
		t.Errorf("namesake %.1f, nothing known %.1f, known %.1f, inside %.1f", namesake, none, known, inside)
	}
}

// A few polite words from a new address are a case where the name is a colleague's, and
// no more than a hint where it isn't; a colleague's other mail from home isn't one.
func TestOpeners(t *testing.T) {
	reads := func(from, body string, k Ties) *Reading {
		return Read(&check.Input{Message: message.Parse([]byte(plain("From: "+from, body)), message.DefaultLimits())}, k)
	}
	namesake := Ties{Stranger: true, Namesake: true}
	for _, from := range []string{"Bob Hill <bob.hill@gmail.com>", "Bob Hill <bob@hill-mail.example>"} {
		for _, s := range []string{"Are you available?", "Are you at your desk?", "Got a minute?", "I need a favour.", "Send me your mobile number please.",
			"Sind Sie im Büro?", "Hast du kurz Zeit?", "Es-tu disponible ?", "¿Estás disponible?", "Sei disponibile?", "Está disponível?", "Ben je beschikbaar?"} {
			if r := reads(from, s, namesake); r.odds < stateAt || r.class.reason != reason.BECChannel {
				t.Errorf("%s: %q: %.1f", from, s, r.odds)
			}
			if r := reads(from, s, Ties{Stranger: true}); r.odds >= stateAt {
				t.Errorf("%s: %q of a stranger: %.1f", from, s, r.odds)
			}
		}
		for _, s := range []string{"I'm sick today and won't come in. Please tell the others.", "Here are the photos from the party.", "My train is late, I will be there at ten.", "Ich bin heute krank und komme nicht.", "See you at lunch?"} {
			if r := reads(from, s, namesake); r.odds >= stateAt {
				t.Errorf("%s: %q: %.1f", from, s, r.odds)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ text, phone, account string }{
		{"call +1 (808) 555-0142 now", "1 (808) 555-0142", ""},
		{"call 1–808–555–O161.", "1–808–555–O161", ""},
		{"+49 30 5550142", "49 30 5550142", ""},
		{"card 4111 1111 1111 1111", "", ""},
		{"in 1998, 1999 and 2000", "", ""},
		{"IBAN DE89 3704 0044 0532 0130 00 please", "", "DE89 3704 0044 0532 0130 00"},
		{"IBAN GB33BUKB20201555555555", "", "GB33BUKB20201555555555"},
		{"IBAN GB33BUKB20201555555556", "", ""},
	} {
		if got := phone(c.text); got != c.phone {
			t.Errorf("%q: telephone %q, want %q", c.text, got, c.phone)
		}
		if got := accountNumber(c.text); got != c.account {
			t.Errorf("%q: account %q, want %q", c.text, got, c.account)
		}
	}
	for s, want := range map[string]bool{"1,000,000": true, "USD 3.500.000": true, "$10.5 million": true, "2 Millionen Euro": true, "5 million users": false, "10,000": false, "1.2.3": false} {
		if millions(s) != want {
			t.Errorf("%q: a sum of millions %v, want %v", s, !want, want)
		}
	}
}

func TestParts(t *testing.T) {
	for _, c := range [][3]string{
		{"hello\n> old\nbye\n", "hello\nbye\n", "old\n"},
		{"hello\n\nOn 3 March, Ann wrote:\nold\n", "hello\n\n", "On 3 March, Ann wrote:\nold\n"},
		{"hallo\nAm 3. März schrieb Ann:\nalt\n", "hallo\n", "Am 3. März schrieb Ann:\nalt\n"},
		{"hi\n-----Original Message-----\nold\n", "hi\n", "-----Original Message-----\nold\n"},
		{"hi\nFrom: Ann\nSent: today\nold\n", "hi\n", "From: Ann\nSent: today\nold\n"},
		{"From: the bottom of my heart\nhello\n", "From: the bottom of my heart\nhello\n", ""},
		{"", "", ""},
	} {
		if own, quoted := parts(c[0]); own != c[1] || quoted != c[2] {
			t.Errorf("%q: %q and %q", c[0], own, quoted)
		}
	}
}

func TestCompile(t *testing.T) {
	for text, want := range map[string]string{
		"a phrase":              "before the first theme",
		"[a]\n(b/c":             "a bracket stays open",
		"[a]\nb *":              "ends in a gap",
		"[a]\n@none b":          "no such group",
		"[a]\n!!!":              "has no word",
		"[a]\nb | c d | (e/f)~": "",
	} {
		_, err := compile(map[string]string{"x.txt": text}, "")
		if got := fmt.Sprint(err); want == "" && err != nil && !strings.Contains(got, "~") || want != "" && !strings.Contains(got, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	l, err := compile(map[string]string{"x.txt": "@p = pay/wire\n[a]\nchange (my/our) bank * account\n[b]\nuberweis~\n[c]\n@p & today"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]string{
		"Change my bank account": "a", "change our BANK's main account": "a", "change bank account": "", "change my bank. Account": "",
		"change my bank at long last account": "a", "change my bank at very long last account": "",
		"Überweisen Sie": "b", "today we pay": "c", "wire it all by today": "c", "pay. Today": "",
	} {
		m := l.match()
		m.scan(text.AppendNormal(nil, s, 1000))
		var got []string
		for i, n := range m.h.kinds {
			if n > 0 {
				got = append(got, l.themes[i])
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %q", s, got, want)
		}
	}
}

// The model weighs every class, and files that aren't models don't load.
func TestModel(t *testing.T) {
	m := shippedModel()
	if len(m.classes) != len(classes)+1 {
		t.Errorf("the model knows %d classes of %d", len(m.classes)-1, len(classes))
	}
	for class := range m.classes {
		if !slices.ContainsFunc(m.votes, func(v vote) bool { return int(v.class) == class && v.by > 0.5 }) {
			t.Errorf("nothing speaks for class %d", class)
		}
	}
	for _, bad := range []string{"", "classes NONE", "bias 0:1", "classes BEC_PAYROLL\nnothing 0:1", "classes BEC_PAYROLL\n@nothing 0:1", "classes BEC_PAYROLL\n[nothing] 0:1",
		"classes BEC_PAYROLL\nbias 2:1", "classes BEC_PAYROLL\nbias 0:x", "classes BEC_PAYROLL\nbias 0:5000", "classes BEC_PAYROLL\npay+money 0:1"} {
		if _, err := loadModel(bad, shipped()); err == nil {
			t.Errorf("%q loads", bad)
		}
	}
}

// What the admin reads.
func TestDetails(t *testing.T) {
	var b strings.Builder
	for _, body := range []string{
		"I changed banks and want to update my direct deposit before the next payroll. What do you need from me?",
		"Ich habe die Bank gewechselt und möchte meine Bankverbindung für die Gehaltsabrechnung ändern.",
		"Your computer is infected with a virus. Call Microsoft support now at +1 808 555 0150.",
		"Dear Friend, I am a barrister. My late client left the sum of $8.5 million in a bank. You are the next of kin; we share 50/50. Reply with your full name.",
		"The flat is free. I'm abroad; as soon as the deposit is received I'll send you the keys by courier.",
		"Let us meet on Monday.",
	} {
		fmt.Fprintf(&b, "%s\n", body)
		for _, e := range checktest.Run(t, Checks(Config{}), checktest.Input(plain("From: Bob <bob@gmail.com>", body))) {
			fmt.Fprintf(&b, "  %s %+.1f %s\n", e.Reason, e.Raw, e.Detail)
		}
	}
	golden.Check(t, "testdata/details.golden", []byte(b.String()))
}

// FuzzScan puts any bytes through the check, and holds the scanner to its slow twin:
// both see the same words.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"change our bank details", "+1 (808) 555-0142", "DE89 3704 0044 0532 0130 00", btc, "p\u0430y\u200bpal 50/50", "1,000,", "口座 お荷物", "\xff\u0130\ufb03 à é ß", "> a\nOn x wrote:\nb"} {
		f.Add(s)
	}
	checks := Checks(Config{})
	f.Fuzz(func(t *testing.T, s string) {
		checktest.Run(t, checks, checktest.Input(plain("", s)))
		b := text.AppendNormal(nil, s, len(s)+100)
		n := 0
		w := walker{word: func([]byte) { n++ }}
		w.walk(b)
		m := shipped().match()
		m.scan(b)
		if m.h.tokens != n {
			t.Errorf("%q: %d words, the twin sees %d", s, m.h.tokens, n)
		}
	})
}

// FuzzCompile: no lexicon crashes the compiler.
func FuzzCompile(f *testing.F) {
	f.Add("[a]\n(b/c) * d~ | e & f")
	f.Add("@x = a/b\n[c]\n@x @x @x (a b/c d/)")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 2000 {
			l, err := compile(map[string]string{"x": s}, "")
			if err == nil {
				m := l.match()
				m.scan([]byte("a b c d"))
			}
		}
	})
}

// BenchmarkCompile is what a process waits for once, before its first message.
func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		l, err := compileShipped()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := loadModel(modelFile, l); err != nil {
			b.Fatal(err)
		}
	}
}

func prose(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "The committee will look at item %d of your report, and then we pay the new lamps in the reading room by bank transfer. ", i)
	}
	return b.String()[:n]
}

// BenchmarkScan is one pass over 10 kB: ordinary text, and the words that most phrases
// wait for.
func BenchmarkScan(b *testing.B) {
	for name, s := range map[string]string{"prose": prose(10 << 10), "worst": strings.Repeat("your new account pay bank ", 400)[:10<<10]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 0, 12<<10)
			for b.Loop() {
				m := matchers.Get().(*matcher)
				buf = text.AppendNormal(buf[:0], s, 12<<10)
				m.scan(buf)
				m.release()
			}
		})
	}
}

// aLetter is what a person may write, without a word of fraud.
const aLetter = `Hi Ann,

thank you for the pictures of the greenhouse. The light in the second one is lovely, and the children asked at once whether they could come and help with the tomatoes. We stayed at my mother's house until Sunday because the trains were so late, and then the heating broke down again, so I've spent most of the week waiting for somebody to look at it.

About the bookshelves: I measured the wall twice. It is two metres forty to the window and a little less on the other side, so the oak boards would fit if we leave the corner open. Martin thinks that we should paint the back in the same green as the door. I'm not sure, it could be rather dark in winter. Could you bring the old sample when you come? There is no hurry, the carpenter only begins after Easter.

The choir sings on the twelfth. They have a new conductor who is very strict about consonants and hands out biscuits afterwards. If you would like a seat near the front tell me by the weekend, I have two left. Parking behind the church is impossible that evening, take the bus from the market.

Did you read the novel that Karin recommended? I found the first hundred pages slow, but the part on the island made up for it. She borrowed my copy and says the translation is clumsy in places. I wonder what you make of the ending; we argued about it all through dinner.

Work is much the same. We moved to the third floor, where the windows open and the coffee is worse. The report about the river is nearly finished and I will send it round next month, once the maps have been redrawn. Peter asks whether your brother still keeps bees, because his neighbour has a swarm in the chimney and nobody knows whom to call.
`

// BenchmarkLetter is the whole check of a parsed letter of 3 kB.
func BenchmarkLetter(b *testing.B) {
	in := &check.Input{Message: message.Parse([]byte(plain("From: Bob <bob@gmail.com>", strings.Repeat(aLetter, 2)[:3<<10])), message.DefaultLimits())}
	in.Message.View()
	Read(in, Ties{}) // makes the tables
	b.ReportAllocs()
	for b.Loop() {
		Read(in, Ties{})
	}
}

// BenchmarkRead is the whole check of a parsed message of 10 kB.
func BenchmarkRead(b *testing.B) {
	in := &check.Input{Message: message.Parse([]byte(plain("", prose(10<<10))), message.DefaultLimits())}
	in.Message.View()
	Read(in, Ties{}) // makes the tables
	b.ReportAllocs()
	for b.Loop() {
		Read(in, Ties{})
	}
}
