package text_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"sluice"
	"sluice/check/checktest"
	"sluice/check/text"
)

// gtube is written in two halves, so that no filter stops at this file.
var gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-" + "STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

func TestGTUBE(t *testing.T) {
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"in the text", checktest.Mail("", "Hello\n"+gtube+"\n"), "GTUBE"},
		{"in the subject", checktest.Mail("Subject: "+gtube, "Hello\n"), "GTUBE"},
		{"in base64", checktest.Mail("Content-Transfer-Encoding: base64", base64.StdEncoding.EncodeToString([]byte(gtube))), "GTUBE"},
		{"in HTML", checktest.Mail("Content-Type: text/html", "<b>"+gtube[:20]+"</b>"+gtube[20:]), "GTUBE"},
		{"the name alone", checktest.Mail("", "GTUBE-STANDARD\n"), ""},
		{"in small letters", checktest.Mail("", strings.ToLower(gtube)+"\n"), ""},
	})
	ev := checktest.Run(t, text.Checks(), checktest.Input(checktest.Mail("", gtube)))
	if len(ev) != 1 || ev[0].Hard != sluice.HardStop || ev[0].Threat != sluice.ThreatSpam {
		t.Errorf("GTUBE must be a hard stop for spam: %+v", ev)
	}
}

func TestDisguise(t *testing.T) {
	utf8 := func(s string) string { return checktest.Mail("Content-Type: text/plain; charset=utf-8", s+"\n") }
	html := func(s string) string { return checktest.Mail("Content-Type: text/html; charset=utf-8", s) }
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"plain", utf8("Please see the minutes."), ""},
		{"invisible", utf8("ve\u200brify your ac\u200bcou\u200bnt"), "TEXT_INVISIBLE"},
		{"one by copying", utf8("see foo\u200bbar"), ""},
		{"mixed scripts", utf8("v\u0435rify your p\u0430ssword"), "TEXT_MIXED_SCRIPT"},
		{"one mixed word", utf8("the variable \u0441orrect"), ""},
		{"styled", utf8("𝐏𝐚𝐲 𝐲𝐨𝐮𝐫 𝐛𝐢𝐥𝐥"), "TEXT_STYLED"},
		{"tags", utf8("hello\U000e0041\U000e0042"), "TEXT_TAG_CHARACTERS"},
		{"letters apart", utf8("v i a g r a, c-i-a-l-i-s and p.i.l.l.s"), "TEXT_SPACED_LETTERS"},
		{"a heading", utf8("C O N T E N T S\n\nN E W S of the day"), ""},
		{"initials", utf8("J. R. R. of the U.S.A., e.g. at 9 a.m., or i.e. p.m."), ""},
		{"spelled letters", html("<p>v&#105;agr&#97; and c&#x69;al&#x69;s, p&#105;&#108;ls, c&#97;s&#105;no</p>"), "TEXT_SPELLED_LETTERS"},
		{"a spelled link", html("<a href='https://x.example/?to=&#37;&#50;&#69;&#37;&#55;&#54;&#37;&#54;&#52;&#37;&#51;&#49;'>go</a>"), "TEXT_SPELLED_LETTERS"},
		{"an address kept from harvesters", html("<a href='&#109;&#97;&#105;&#108;&#116;&#111;&#58;a&#110;n&#64;g&#97;r&#100;&#101;n.example'>write</a>"), ""},
		{"a whole label", html("<p>&#87;&#114;&#105;&#116;&#101;&#32;&#116;&#111;&#32;&#117;&#115;</p>"), ""},
		{"accents", html("<p>caf&#233;, na&#239;ve, Z&#252;rich, &#8220;gar&#231;on&#8221;, d&#233;j&#224; vu, &#338;uvre</p>"), ""},
		{"Russian", utf8("Добрый день, коллеги! Прошу прочитать протокол."), ""},
	})
}

func TestHidden(t *testing.T) {
	prose := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "word%c%c ", 'a'+i%26, 'a'+i/26)
		}
		return b.String()
	}
	html := func(s string) string { return checktest.Mail("Content-Type: text/html; charset=utf-8", s) }
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"nothing hidden", html("<p>" + prose(200) + "</p>"), ""},
		{"preheader", html(`<div style="display:none">` + prose(20) + `</div><p>Hello</p>`), ""},
		{"prose", html(`<div style="display:none">` + prose(200) + `</div><p>Buy now</p>`), "TEXT_HIDDEN"},
		{"the same for small screens", html(`<div style="display:none">` + prose(200) + `</div><p>` + prose(200) + `</p>`), ""},
		{"little beside much", html(`<div style="display:none">` + prose(100) + `</div><p>` + strings.Repeat("other words ", 200) + `</p>`), ""},
		{"padding", html(`<div style="display:none">` + strings.Repeat("a b ", 500) + `</div><p>Hello</p>`), ""},
	})
}

func TestLures(t *testing.T) {
	plain := func(s string) string { return checktest.Mail("Content-Type: text/plain; charset=utf-8", s+"\n") }
	const btc, segwit = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
	checktest.Table(t, text.Checks(), []checktest.Case{
		{"advance fee", plain("Dear friend, I am Mrs Smith, a widow. My late husband deposited the sum of $10.5 million with a security company. " +
			"Keep this strictly confidential; 40% of the total is for you. Send your full name."), "ADVANCE_FEE"},
		{"some of it", plain("Dear beneficiary, an outstanding payment of 2.500.000,00 is ready. Our bank needs your full name."), "ADVANCE_FEE_HINT"},
		{"folded over lines", plain("Dear\n friend, my late\nhusband left ten\nmillion dollars in a bank\ndraft. Strictly\nconfidential."), "ADVANCE_FEE_HINT"},
		{"some of it without a sum", plain("Dear friend, the widow of our client thanks the bank manager for the donation to the beneficiary."), ""},
		{"news of money", plain("The company raised 5 million dollars from a bank and paid its auditor."), ""},
		{"users aren't money", plain("Dear friend, 5 million users trust our bank account. Get in touch for the donation."), ""},

		{"extortion", plain("I recorded you with your webcam. Pay $900 in bitcoin within 48 hours to " + btc + " or all your contacts will see."), "EXTORTION"},
		{"extortion, segwit", plain("I hacked your device and have full access. Pay within 48 hours: " + segwit), "EXTORTION"},
		{"extortion without address", plain("I hacked your webcam and recorded you. Pay bitcoin within 48 hours or your contacts will see."), "EXTORTION"},
		{"an address alone", plain("Donations: " + btc), "BITCOIN_ADDRESS"},
		{"a wrong checksum", plain("Donations: 1BoatSLRHtKNngkdXEeobR76b53LETtpyU and bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp"), ""},
		{"a mixed-case segwit address", plain("Donations: bc1Qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"), ""},

		{"credentials", plain("Your account will be suspended. Verify your account: https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials in German", plain("Ihr Konto wird gesperrt. Jetzt bestätigen: https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials in Japanese", plain("アカウントが停止されました。こちらをクリック https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials in capitals and accents", plain("VOTRE COMPTE A ÉTÉ SUSPENDU. CLIQUEZ ICI https://login.example.com/"), "CREDENTIAL_LURE"},
		{"credentials behind invisible characters", plain("Your acc\u200bount will be sus\u200bpended. Verify your acc\u200bount: https://login.example.com/"), "CREDENTIAL_LURE TEXT_INVISIBLE"},
		{"credentials in Turkish", plain("HESABINIZ ASKIYA alındı. Buraya tıklayın: https://login.example.com/"), "CREDENTIAL_LURE"},
		{"without a link", plain("Your account will be suspended. Verify your account at the desk."), ""},
		{"a threat alone", plain("Your account will be suspended. See https://www.example.com/"), ""},
		{"inside other words", plain("Unlock accountability: https://www.example.com/ with unusual activityless"), ""},

		{"prize", plain("Congratulations! You have been selected for our shopper survey. Claim now: https://x.example.com/"), "PRIZE_LURE"},
		{"prize in Spanish", plain("Usted ha sido seleccionado. Reclame ahora: https://x.example.com/"), "PRIZE_LURE"},
		{"prize without a link", plain("You have won the race. Act now."), ""},
		{"prize without hurry", plain("You have won the race. https://x.example.com/"), ""},
		{"parcel", plain("Your package is on hold. Pay the shipping fee: https://x.example.com/"), "PARCEL_LURE"},
		{"parcel in German", plain("Ihr Paket wartet. Zollgebühren bezahlen: https://x.example.com/"), "PARCEL_LURE"},
		{"parcel on its way", plain("Your package is on its way: https://x.example.com/"), ""},

		{"callback", plain("Invoice number 77: your subscription was renewed and 399 USD charged. To cancel call our helpline +1 (808) 555-0142."), "CALLBACK_LURE"},
		{"callback with a link", plain("Invoice number 77: your subscription was renewed and 399 USD charged. To cancel call our helpline +1 (808) 555-0142 or see https://shop.example.com/"), ""},
		{"callback without a number", plain("Invoice number 77: your subscription was renewed and 399 USD charged. To cancel call our helpline."), ""},
		{"a card number is no telephone", plain("Invoice number 77: your subscription was renewed and charged to 4111 1111 1111 1111. To cancel call our helpline."), ""},
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"1,000,000.00 mill $", "$ 1 million", "+1 (808) 555-0142 call invoice cancel", "1Boat bc1q", "p\u0430y\u200bpal", "1,000,", "808 555 014", "\xff\u0130\ufb03"} {
		f.Add(s)
	}
	checks := text.Checks()
	f.Fuzz(func(t *testing.T, s string) {
		checktest.Run(t, checks, checktest.Input(checktest.Mail("Content-Type: text/plain; charset=utf-8", s)))
	})
}
