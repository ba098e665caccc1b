package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"sluice/internal/domains"
	"sluice/message/header"
)

// hollow words say nothing of who the sender is.
var hollow = wordSet(`the and von van der via from for your our new no not reply noreply team support service services customer customers client clients care info
	information account accounts alert alerts notification notifications notice news newsletter update updates security secure mail email e-mail online official admin
	administrator help helpdesk desk billing payment payments invoice invoices order orders shipping delivery department dept center centre office inc ltd llc corp gmbh group
	company com net org www kundenservice kundendienst servicio atencion cliente suporte atendimento mailer daemon postmaster system message messages center
	adm nao responder offer offers deal deals rewards reward sale sales store shop free you`)

// business words are those of firms and offices in a name.
var business = wordSet(`support service services customer billing account accounts security invoice invoices payment payments department dept helpdesk admin administrator
	delivery shipping orders refund refunds verification notification notifications alert alerts bank banking insurance rewards reward prize winner lottery promo promotions
	inc llc ltd corp corporation gmbh company official kundenservice kundendienst suporte atendimento servicio warranty subscription renewal antivirus crypto wallet`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// maxWords bounds how many words of a name are looked at.
const maxWords = 12

// plain writes accented Latin letters without their accents.
func plain(s string) string {
	if ascii(s) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// wordless is what parts no word, and what does though it is no letter.
var wordless = strings.NewReplacer("'", "", "’", "", "®", " ", "™", " ")

// allWords lists the words of a name in lower-case ASCII; those of other scripts are
// left out. An apostrophe doesn't part a word.
func allWords(name string) []string {
	if len(name) > 200 {
		name = name[:200]
	}
	name = wordless.Replace(strings.ToLower(name))
	var out []string
	for w := range strings.FieldsFuncSeq(plain(strings.ToValidUTF8(name, " ")), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		if len(w) <= 30 && ascii(w) {
			if out = append(out, w); len(out) == maxWords {
				break
			}
		}
	}
	return out
}

// nameWords lists the telling words of a name.
func nameWords(name string) []string {
	var out []string
	for _, w := range allWords(name) {
		if len(w) >= 3 && !hollow[w] && strings.ContainsFunc(w, unicode.IsLetter) {
			out = append(out, w)
		}
	}
	return out
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// label is the registered label of a domain without hyphens.
func label(domain string) string {
	l, _, _ := strings.Cut(org(domain), ".")
	return strings.ReplaceAll(l, "-", "")
}

// fitsDomain says whether words of a name are the domain's: a word stands in it, its
// label in the joined words, or their initials are the label. Three letters fit at an
// end of the label only, for they stand somewhere in many.
func fitsDomain(words []string, domain string) bool {
	l := label(domain)
	if l == "" || len(words) == 0 {
		return false
	}
	rest := strings.ReplaceAll(domain, "-", "")
	for _, w := range words {
		switch {
		case len(w) >= 4 && (strings.Contains(l, w) || strings.Contains(rest, w)):
			return true
		case strings.HasPrefix(l, w), strings.HasSuffix(l, w):
			return true
		case len(l) >= 3 && strings.HasPrefix(w, l):
			return true
		}
	}
	if len(l) >= 4 && strings.Contains(strings.Join(words, ""), l) {
		return true
	}
	return len(l) >= 2 && initials(words) == l
}

func initials(words []string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteByte(w[0])
	}
	return b.String()
}

// fitsLocal: a word, or its beginning, stands in the local part.
func fitsLocal(words []string, local string) bool {
	local = header.Lower(local)
	for _, w := range words {
		if strings.Contains(local, w[:min(len(w), 5)]) {
			return true
		}
	}
	return false
}

// odd says what makes a registered label look machine-made, "" for nothing. Short
// labels are abbreviations.
func odd(domain string) string {
	o := org(domain)
	l, _, _ := strings.Cut(o, ".")
	if len(l) < 6 || strings.HasPrefix(l, "xn--") || !domains.KnownTLD(o) {
		return ""
	}
	digits, turns, run, longest, vowels, letters := 0, 0, 0, 0, 0, 0
	var last byte
	for i := 0; i < len(l); i++ {
		c := l[i]
		kind := byte('a')
		switch {
		case c >= '0' && c <= '9':
			kind, run = '0', 0
			digits++
		case c == '-':
			kind, run = '-', 0
		case strings.IndexByte("aeiouy", c) >= 0:
			vowels, letters, run = vowels+1, letters+1, 0
		default:
			letters++
			run++
			longest = max(longest, run)
		}
		if kind == '0' && last == 'a' || kind == 'a' && last == '0' {
			turns++
		}
		last = kind
	}
	switch {
	case turns >= 2 && digits >= 2:
		return "digits among letters"
	case longest >= 6 || letters >= 7 && vowels*5 < letters:
		return "can't be said"
	case strings.Count(l, "-") >= 3:
		return "words strung together"
	case len(l)-len(strings.TrimRight(l, "0123456789")) >= 4:
		return "a number behind letters"
	}
	return ""
}
