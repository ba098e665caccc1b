package campaign

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/internal/literal"
	"sluice/learn/text"
)

// Bounds of what is read of one message.
const (
	maxText  = 64 << 10 // octets of visible text
	maxWords = 4096
	maxWord  = 30 // letters; longer ones are tokens of a tracker
)

// words yields the words of a text that copies of one message share: without what
// is quoted, signatures, footers of lists and legal notices, and without what differs
// between copies: digits and words with digits, dates, addresses, links, and names,
// which stand in a greeting or in own.
func words(visible string, own map[string]bool, yield func(word []byte)) {
	r := reader{own: own, yield: yield}
	lines := strings.Split(visible[:min(len(visible), maxText)], "\n")
	lines = lines[:ends(lines)]
	for len(lines) > 0 && r.n < maxWords {
		n := block(lines)
		r.block(lines[:n])
		lines = lines[n:]
	}
}

// ends says where the sender's own text ends: at a quoted message, at a signature,
// or at the footer of a list near the end.
func ends(lines []string) int {
	const maxFooter = 800 // octets: behind more there is a message
	left := len(lines)
	for _, l := range lines {
		left += len(l)
	}
	for i, l := range lines {
		left -= len(l) + 1
		l = strings.TrimRight(l, " \t\r")
		switch {
		case len(lines)-i <= 12 && left <= maxFooter && (l == "--" || len(l) >= 20 && strings.ContainsAny(l[:1], "_-=*") && strings.Trim(l, l[:1]) == ""):
			return i
		case quotes(l), i+1 < len(lines) && strings.HasSuffix(strings.TrimSpace(lines[i+1]), ":") && quotes(l+" "+strings.TrimSpace(lines[i+1])):
			return i
		}
	}
	return len(lines)
}

// quotes says whether a line introduces the message that is answered or forwarded.
func quotes(l string) bool {
	l = strings.TrimSpace(l)
	rule := strings.HasPrefix(l, "-----")
	if len(l) > 300 || !rule && !strings.HasSuffix(l, ":") && !strings.HasSuffix(l, "schrieb") {
		return false
	}
	l = strings.ToLower(l)
	if rule && (strings.Contains(l, "original") || strings.Contains(l, "forward") || strings.Contains(l, "ursprüng") || strings.Contains(l, "message")) {
		return true
	}
	for _, q := range [...][2]string{{"on ", "wrote:"}, {"am ", "schrieb:"}, {"am ", "schrieb"}, {"le ", "écrit :"}, {"le ", "écrit:"}, {"el ", "escribió:"}, {"il ", "scritto:"}, {"em ", "escreveu:"}, {"op ", "schreef:"}} {
		if strings.HasPrefix(l, q[0]) && strings.HasSuffix(l, q[1]) && len(l) > 15 {
			return true
		}
	}
	return false
}

// block is the number of lines of a paragraph: up to the next empty one, that one
// included; a long line is a paragraph of its own.
func block(lines []string) int {
	const long = 200
	for i, l := range lines {
		switch {
		case len(l) >= long && i > 0:
			return i
		case len(l) >= long, strings.TrimSpace(l) == "":
			return i + 1
		}
	}
	return len(lines)
}

// notices are words of which legal notices hold several, and other paragraphs one.
var notices = literal.New([]string{
	"confidential", "privileged", "intended recipient", "intended solely", "disclaimer", "unauthorized", "unauthorised", "in error", "prohibited", "disclos",
	"vertraulich", "empfänger", "irrtümlich", "unbefugt", "confidentiel", "destinataire", "par erreur", "confidencial", "destinatario", "por error", "riservat", "destinatário",
	"virus-free", "free of virus", "scanned for virus", "checked by avg", "before printing",
})

// legal says whether a paragraph, in its normal form, is a notice that a company puts
// under all its mail: three such words, and one in each 300 octets.
func legal(paragraph []byte) bool {
	var seen uint64
	notices.Scan(paragraph, func(pattern, _, _ int) bool {
		seen |= 1 << pattern
		return true
	})
	n := bits.OnesCount64(seen)
	return n >= 3 && n*300 >= len(paragraph)
}

// reader turns lines into words.
type reader struct {
	own   map[string]bool
	yield func([]byte)
	n     int
	buf   []byte
	ends  []int
}

// block reads a paragraph, unless it is a legal notice.
func (r *reader) block(lines []string) {
	r.buf, r.ends = r.buf[:0], r.ends[:0]
	for _, l := range lines {
		if !strings.HasPrefix(strings.TrimSpace(l), ">") { // quoted
			r.buf = append(text.AppendNormal(r.buf, l, 8*1024), ' ')
		}
		r.ends = append(r.ends, len(r.buf))
	}
	if legal(r.buf) {
		return
	}
	from := 0
	for _, end := range r.ends {
		r.line(r.buf[from:end])
		from = end
	}
}

// line yields the words of one line in its normal form.
func (r *reader) line(l []byte) {
	first := true
	greeting := false
	for b := l; len(b) > 0 && r.n < maxWords; {
		field := b
		if i := indexSpace(b); i >= 0 {
			field, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		closing := len(field) > 0 && strings.IndexByte(",:!.;", field[len(field)-1]) >= 0
		w := trim(field)
		if len(w) == 0 {
			continue
		}
		if greeting { // a name, up to the comma or three words on
			if greeting = !closing; greeting || len(b) < 40 {
				continue
			}
		}
		if first && len(l) < 60 && greets(w) {
			greeting = !closing
			r.put(w)
		} else {
			r.word(w)
		}
		first = false
	}
}

// word yields one field of a line, or its characters where the script has no spaces.
func (r *reader) word(w []byte) {
	if variable(w) || r.own[string(w)] || dates[string(w)] {
		return
	}
	ascii := true
	for i := 0; i < len(w); {
		if w[i] < utf8.RuneSelf {
			i++
			continue
		}
		ascii = false
		c, n := utf8.DecodeRune(w[i:])
		if ideograph(c) {
			r.put(w[i : i+n])
		}
		i += n
	}
	if ascii || !ideograph(firstRune(w)) {
		r.put(w)
	}
}

func (r *reader) put(w []byte) {
	if r.n < maxWords {
		r.n++
		r.yield(w)
	}
}

func firstRune(w []byte) rune {
	c, _ := utf8.DecodeRune(w)
	return c
}

// ideograph says whether c is of a script that sets no spaces between words.
func ideograph(c rune) bool {
	return c >= 0x0E00 && unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai)
}

func indexSpace(b []byte) int {
	for i, c := range b {
		if c == ' ' {
			return i
		}
	}
	return -1
}

// trim takes punctuation from both ends of a word.
func trim(w []byte) []byte {
	for len(w) > 0 && punctuation(w[0]) {
		w = w[1:]
	}
	for len(w) > 0 && punctuation(w[len(w)-1]) {
		w = w[:len(w)-1]
	}
	return w
}

func punctuation(c byte) bool {
	return c < utf8.RuneSelf && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9')
}

// variable says whether a word is one that differs between copies: it holds a digit
// (digits are 0 by now), is an address, a host or a link, or is too long.
func variable(w []byte) bool {
	if len(w) > maxWord && w[0] < utf8.RuneSelf {
		return true
	}
	for _, c := range w {
		switch c {
		case '0', '@', '/', '\\', '=', '_', '%', '.', '#', '&', '+', '{', '}', '[', ']':
			return true
		}
	}
	return false
}

// greets says whether a line that begins with w is a greeting with a name.
func greets(w []byte) bool {
	switch string(w) {
	case "dear", "hi", "hello", "hey", "attn", "attention", "hallo", "liebe", "lieber", "geehrte", "geehrter", "bonjour", "cher", "chère",
		"hola", "estimado", "estimada", "querido", "ciao", "gentile", "olá", "prezado", "prezada", "beste", "geachte", "hej", "kjære", "to":
		return true
	}
	return false
}

// dates are names of days and months.
var dates = func() map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(`mon tue wed thu fri sat sun monday tuesday wednesday thursday friday saturday sunday
		jan feb mar apr may jun jul aug sep sept oct nov dec january february march april june july august september october november december
		montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli oktober dezember
		lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre octobre novembre décembre
		lunes martes miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
		am pm utc gmt`) {
		out[w] = true
	}
	return out
}()
