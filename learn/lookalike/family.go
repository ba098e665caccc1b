package lookalike

import (
	"math/bits"
	"slices"
	"strings"
)

// Family is a way of making a look-alike.
type Family uint8

// The families.
const (
	Homoglyph Family = iota + 1 // letters of another alphabet: "pаypal" with a Cyrillic а
	Alike                       // characters of ASCII that look alike: "paypa1", "rnicrosoft"
	Accent                      // accents where there are none: "pàypal"
	Hyphen                      // hyphens put in or left out: "pay-pal"
	TLD                         // another public suffix: "paypal.example"
	Repeat                      // a letter doubled, or one of a double left out
	Transpose                   // two letters in the other order
	Omit                        // a letter left out
	Insert                      // a letter put in
	Append                      // a character put behind: "paypals"
	Vowel                       // a vowel for another
	Keyboard                    // a letter for its neighbour on the keyboard
	Bit                         // a character that differs in one bit
	Replace                     // any other letter for one
	Combined                    // with the words of services: "paypal-login", "securepaypal"
	Joined                      // with any other word: "paypal-gifts"
	HostFull                    // the whole domain in front of another: "paypal.com.evil.example"
	HostWord                    // the name as a label in front of another domain: "paypal.evil.example"
	HostLogin                   // the same with the words of services: "paypal-login.evil.example"
)

var familyNames = [...]string{"", "letters of another alphabet", "characters that look alike", "accents", "hyphens", "another top-level domain",
	"doubled letter", "swapped letters", "missing letter", "additional letter", "additional ending", "another vowel", "neighbour on the keyboard",
	"flipped bit", "another letter", "combined with a service word", "combined with another word", "domain in front of another",
	"name in front of another domain", "name and service word in front of another domain"}

func (f Family) String() string {
	if int(f) < len(familyNames) {
		return familyNames[f]
	}
	return ""
}

// rule says from how many characters of the protected label on a family counts, and
// how sure it is; apart is the same under another public suffix, where 0 means never.
// The numbers are judged: below these lengths, the org domains of honest mail come
// near each other and near brands.
type rule struct {
	least, apart       int
	sure, sureApart    float64
	ordinary, stranger int // characters more for ordinary words, and for correspondents
}

var rules = [...]rule{
	Homoglyph: {3, 3, 1, 0.9, 0, 0},
	Alike:     {5, 7, 0.9, 0.6, 2, 1},
	Accent:    {6, 8, 0.6, 0.4, 2, 2},
	Hyphen:    {7, 9, 0.6, 0.4, 4, 2},
	TLD:       {0, 6, 0, 0.35, 6, 4},
	Repeat:    {6, 8, 0.7, 0.5, 2, 2},
	Transpose: {6, 8, 0.8, 0.5, 2, 1},
	Omit:      {7, 10, 0.6, 0.4, 3, 2},
	Insert:    {7, 10, 0.6, 0.4, 3, 2},
	Append:    {7, 10, 0.5, 0.3, 4, 2},
	Vowel:     {7, 10, 0.7, 0.4, 3, 2},
	Keyboard:  {7, 10, 0.7, 0.4, 3, 2},
	Bit:       {7, 10, 0.7, 0.4, 3, 2},
	Replace:   {8, 11, 0.6, 0.4, 3, 2},
	Combined:  {5, 5, 0.8, 0.8, 2, 2},
	Joined:    {6, 6, 0.4, 0.4, 99, 99},
	HostFull:  {3, 3, 0.9, 0.9, 0, 0},
	HostWord:  {6, 6, 0.25, 0.25, 99, 99},
	HostLogin: {5, 5, 0.7, 0.7, 2, 2},
}

// allowed says whether a likeness to a name of n characters counts, and how much.
func (f Family) allowed(n int, k Kind, word, apart bool, more int) (float64, bool) {
	r := rules[f]
	need, sure := r.least, r.sure
	if apart {
		need, sure = r.apart, r.sureApart
	}
	need += more
	if word && (apart || k&Own == 0) {
		need += r.ordinary
	}
	switch {
	case k&Own != 0:
		// Nobody else has a reason to be called like us.
		need, sure = max(need-1, 3), min(sure+0.1, 1)
	case k == Correspondent:
		need += r.stranger
	}
	return sure, sure > 0 && n >= need
}

// look is one look-up under way.
type look struct {
	x                  *Index
	sub, label, suffix string
	private            bool
	org                string
	common             bool // the label is an ordinary word
	found              []Match
	w, p               word // what is asked about, and a protected name beside it
}

// add keeps a match, the surest of each name.
func (l *look) add(id uint32, f Family, distance int, sure float64, part string) {
	m := Match{Name: l.x.name(id), Family: f, Distance: distance, Strength: sure, Part: part}
	for i := range l.found {
		if l.found[i].Name.Domain == m.Name.Domain {
			if l.found[i].Strength < sure {
				l.found[i] = m
			}
			return
		}
	}
	if len(l.found) < 2*maxMatches {
		l.found = append(l.found, m)
		return
	}
	if i := l.weakest(); l.found[i].Strength < sure {
		l.found[i] = m
	}
}

func (l *look) weakest() int {
	w := 0
	for i := range l.found {
		if l.found[i].Strength < l.found[w].Strength {
			w = i
		}
	}
	return w
}

func (x *Index) name(id uint32) Name {
	r := x.names[id]
	return Name{Domain: x.domain(id), Kind: r.kind &^ known, Weight: r.weight}
}

// suffixOf is the public suffix of a name.
func (x *Index) suffixOf(id uint32) []byte {
	r := x.names[id]
	return x.text[r.off+uint32(r.label)+1 : r.off+uint32(r.n)]
}

// whole compares the organization's label as a whole. It says false where the
// organization is protected itself: then nothing else is looked at. All places that may
// be of use are touched at once, since waiting for memory is most of a look-up.
func (l *look) whole() bool {
	x, w := l.x, &l.w
	var buf [maxLabel + 3]uint64
	hashes := append(buf[:0], x.hashDomain(l.org))
	readable := w.readLabel(l.label)
	if readable {
		hashes = append(hashes, x.hash(w.skeleton(), ofSkeleton))
		if len(w.skeleton()) >= least-1 {
			hashes = x.edits(w.skeleton(), hashes)
		}
	}
	x.warm(hashes)
	if _, there := x.findHash(hashes[0], l.org); there {
		return false
	}
	if !readable {
		return true
	}
	var room [4 * maxSame]uint32
	s, rest := x.shard(hashes[1])
	ids := s.find(rest, room[:0])
	same := len(ids)
	for _, h := range hashes[2:] {
		s, rest := x.shard(h)
		if ids = s.find(rest, ids); len(ids) == cap(ids) {
			break
		}
	}
	if len(ids) == 0 {
		return true
	}
	x.warmNames(ids)
	l.common = ordinaryWord(l.label)
	for i, id := range ids {
		switch {
		case i < same:
			l.same(id)
		case !slices.Contains(ids[:i], id):
			l.near(id)
		}
	}
	return true
}

// same judges a name of the same skeleton.
func (l *look) same(id uint32) {
	w, kind := &l.w, l.x.names[id].kind&^known
	label := string(l.x.label(id))
	apart := string(l.x.suffixOf(id)) != l.suffix
	n := len(w.plain())
	p := &l.p
	if !p.readLabel(label) || !slices.Equal(p.skeleton(), w.skeleton()) {
		return // two skeletons of one hash
	}
	f := Alike
	switch {
	case label == l.label:
		f = TLD
		if l.private {
			f = HostWord // "netflix.github.io" may be anybody's, and may be theirs
		}
	case w.foreign || p.foreign:
		f = Homoglyph
	case w.accented != p.accented:
		f = Accent
	case slices.Equal(p.plain(), w.plain()):
		f = Hyphen
	}
	more := 0
	if f == Alike && w.digits == p.digits && n == len(p.plain()) {
		more = 1 // i and l alone: both are letters of honest names
	}
	if sure, ok := f.allowed(n, kind, ordinaryWord(label), apart, more); ok {
		if f == TLD && alikeSuffix(l.suffix, string(l.x.suffixOf(id))) {
			sure += 0.2
		}
		l.add(id, f, 0, sure, l.label)
	}
}

// alikeSuffix says whether one public suffix is typed or read for another: "co" or
// "cm" for "com", "com.co".
func alikeSuffix(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	switch b {
	case "com":
		return a == "co" || a == "cm" || a == "om"
	case "com.co", "com.se", "com.de", "net.co", "co.com", "gb.net":
		return true
	}
	return false
}

// near judges a name whose skeleton is one edit away, or seems so.
func (l *look) near(id uint32) {
	w, kind := &l.w, l.x.names[id].kind&^known
	label := string(l.x.label(id))
	p := &l.p
	if !p.readLabel(label) {
		return
	}
	apart := string(l.x.suffixOf(id)) != l.suffix
	distance, more := 1, 0
	f, at := edit(p.plain(), w.plain())
	if f == 0 {
		// One edit and letters that look alike.
		if f, at = edit(p.skeleton(), w.skeleton()); f == 0 {
			return
		}
		distance, more = 2, 1
	}
	if f == Alike {
		more += 2 // they only resemble
	}
	if at == 0 && f != Transpose {
		more += 2 // the first letter is the one that people see
	}
	if plural(p.plain(), w.plain()) {
		more += 3
	}
	if l.common {
		more += 3
	}
	if sure, ok := f.allowed(min(len(p.plain()), len(w.plain())+1), kind, ordinaryWord(label), apart, more); ok {
		if w.foreign && !p.foreign {
			sure = max(sure, 0.8)
		}
		l.add(id, f, distance, sure, l.label)
	}
}

func plural(a, b []rune) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(b) == len(a)+1 && b[len(b)-1] == 's' && slices.Equal(a, b[:len(a)])
}

// edit names the one edit that makes b of a, and its place; 0 where there is none, or
// more than one.
func edit(a, b []rune) (Family, int) {
	p, s := 0, 0
	short := min(len(a), len(b))
	for p < short && a[p] == b[p] {
		p++
	}
	for s < short-p && a[len(a)-1-s] == b[len(b)-1-s] {
		s++
	}
	switch {
	case len(a) == len(b) && len(a)-p-s == 1:
		return replaced(a[p], b[p]), p
	case len(a) == len(b) && len(a)-p-s == 2 && a[p] == b[p+1] && a[p+1] == b[p]:
		return Transpose, p
	case len(b) == len(a)+1 && p+s == len(a):
		switch c := b[p]; {
		case p > 0 && b[p-1] == c || p+1 < len(b) && b[p+1] == c:
			return Repeat, p
		case p == len(a):
			return Append, p
		}
		return Insert, p
	case len(a) == len(b)+1 && p+s == len(b):
		if c := a[p]; p > 0 && a[p-1] == c || p+1 < len(a) && a[p+1] == c {
			return Repeat, p
		}
		return Omit, p
	}
	return 0, 0
}

// replaced names the replacement of one character by another.
func replaced(a, b rune) Family {
	switch {
	case a >= 128 || b >= 128:
		return Replace
	case looks(a, b):
		return Alike
	case vowel(a) && vowel(b):
		return Vowel
	case neighbours(a, b):
		return Keyboard
	case (a^b)&((a^b)-1) == 0:
		return Bit
	}
	return Replace
}

func vowel(r rune) bool { return strings.ContainsRune("aeiouy", r) }

// looks says whether two characters resemble each other in small type, beside those
// that the skeleton holds for the same.
func looks(a, b rune) bool {
	for _, pair := range [...]string{"uv", "nm", "gq", "hb", "ij", "lt", "ft", "nh", "vy", "wv", "g9", "6b", "2z", "pq", "bd", "rn"} {
		if x, y := rune(pair[0]), rune(pair[1]); a == x && b == y || a == y && b == x {
			return true
		}
	}
	return false
}

// rows of QWERTY, which QWERTZ and AZERTY mostly follow; neighbours stand beside each
// other or one above the other.
var rows = [...]string{"1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"}

func neighbours(a, b rune) bool {
	ra, ca := place(a)
	rb, cb := place(b)
	if ra < 0 || rb < 0 {
		return false
	}
	switch ra - rb {
	case 0:
		return ca-cb == 1 || cb-ca == 1
	case 1: // b stands a row higher, half a key to the left
		return cb == ca || cb == ca+1
	case -1:
		return ca == cb || ca == cb+1
	}
	return false
}

func place(r rune) (row, column int) {
	for i, s := range rows {
		if j := strings.IndexRune(s, r); j >= 0 {
			return i, j
		}
	}
	return -1, -1
}

// maxParts bounds the words of one label, and the labels of one host.
const maxParts = 8

// parts looks for protected names among the words that a label is put together from.
// front says that the label stands in front of the organization's domain.
func (l *look) parts(label string, front bool) {
	login, joined := Combined, Joined
	if front {
		login, joined = HostLogin, HostWord
	}
	hyphened := strings.IndexByte(label, '-') >= 0 || strings.IndexByte(label, '_') >= 0
	if hyphened {
		words := strings.FieldsFunc(label, func(r rune) bool { return r == '-' || r == '_' })
		words = words[:min(len(words), maxParts)]
		services := 0
		for _, w := range words {
			services += pull(w)
		}
		for i, w := range words {
			rest := services - pull(w)
			l.part(w, rest, login, joined)
			if i > 0 && len(words) > 2 { // "pay-pal-login"
				l.part(words[i-1]+w, rest-pull(words[i-1]), login, 0)
			}
			if len(words) > 1 {
				l.stripped(w, services, login)
			}
		}
		return
	}
	l.stripped(label, 0, login)
}

// stripped takes service words and digits off both ends of a word and looks up what
// remains.
func (l *look) stripped(w string, services int, login Family) {
	if len(w) < least+2 || len(w) > 2*maxLabel {
		return
	}
	digits := w
	for digits != "" && '0' <= digits[len(digits)-1] && digits[len(digits)-1] <= '9' {
		digits = digits[:len(digits)-1]
	}
	if digits != w && len(w)-len(digits) >= 2 && len(digits) >= least {
		l.part(digits, services+1, login, 0)
	}
	if len(digits) < least {
		return
	}
	fits := uint32(1)<<min(len(digits)-least+1, 31) - 1 // lengths that leave a name
	for set := beginning[digits[0]] & fits; set != 0; set &= set - 1 {
		n := bits.TrailingZeros32(set)
		if p := pull(digits[:n]); p > 0 && (n > 3 || digits[:n] == "www") {
			l.part(digits[n:], services+p, login, 0)
		}
	}
	for set := ending[digits[len(digits)-1]] & fits; set != 0; set &= set - 1 {
		n := bits.TrailingZeros32(set)
		if p := pull(digits[len(digits)-n:]); p > 0 && (n > 3 || strings.HasSuffix(digits, "com")) {
			l.part(digits[:len(digits)-n], services+p, login, 0)
		}
	}
}

// part looks up one word; services is the pull of the service words beside it, login
// and joined the family with and without them (0: it doesn't count).
func (l *look) part(part string, services int, login, joined Family) {
	f := login
	if services <= 0 {
		f = joined
	}
	if f == 0 || len(part) < least || service(part) {
		return
	}
	w := &l.w
	if !w.readLabel(part) {
		return
	}
	var room [maxSame * 2]uint32
	s, rest := l.x.shard(l.x.hash(w.skeleton(), ofSkeleton))
	for _, id := range s.find(rest, room[:0]) {
		label := string(l.x.label(id))
		p := &l.p
		if !p.readLabel(label) || !slices.Equal(p.skeleton(), w.skeleton()) || service(label) {
			continue
		}
		if joined == HostWord && services <= 0 && len(p.plain()) != len(w.plain()) {
			continue
		}
		word := ordinaryWord(label) && services < strong // "apple-store", and not "apple-support"
		sure, ok := f.allowed(len(w.plain()), l.x.names[id].kind&^known, word, word, 0)
		if !ok {
			continue
		}
		if services > strong {
			sure = min(sure+0.1, 1)
		}
		if w.foreign && !p.foreign {
			sure = 1
		}
		l.add(id, f, 0, sure, part)
	}
}

// front looks at the labels in front of the organization's domain.
func (l *look) front() {
	if l.sub == "" || l.sub == "www" || customers[l.org] {
		return
	}
	sub, before := l.sub, ""
	if n := strings.Count(sub, "."); n >= maxParts {
		return // no name that anybody reads
	}
	for sub != "" {
		label, rest, _ := strings.Cut(sub, ".")
		if len(label) >= 3 {
			l.full(sub, len(label))
		}
		if len(label) >= least {
			l.part(label, 0, HostLogin, HostWord)
			l.parts(label, true)
			if after, _, _ := strings.Cut(rest, "."); service(after) && after != "www" || service(before) && before != "www" {
				l.part(label, 1, HostLogin, 0) // "paypal.login.evil.example"
			}
		}
		before, sub = label, rest
	}
}

// full looks for a protected domain at the beginning of sub, its first label of n
// octets.
func (l *look) full(sub string, n int) {
	end := n
	for range 3 { // a public suffix has three labels at most that matter here
		if end >= len(sub) {
			return
		}
		next := strings.IndexByte(sub[end+1:], '.')
		if next < 0 {
			end = len(sub)
		} else {
			end += 1 + next
		}
		id, ok := l.x.find(sub[:end])
		if !ok {
			continue
		}
		if sure, ok := HostFull.allowed(n, l.x.names[id].kind&^known, ordinaryWord(sub[:n]), false, 0); ok {
			l.add(id, HostFull, 0, sure, sub[:end])
		}
	}
}
