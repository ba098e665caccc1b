package brand

import (
	"strings"
	"unicode/utf8"

	"sluice/learn/brand"
	"sluice/message"
	"sluice/message/header"
)

// place is where a message claims to be a brand.
type place uint8

const (
	inName     place = 1 << iota // the name that people read as the sender
	inNamePart                   // within that name
	inWord                       // within that name, and a word or a person's name as well
	inSubject                    // "Your PayPal account"
	inText                       // "your PayPal account", "the PayPal team"
	inFooter                     // the owner of the copyright line
	inAlt                        // the first pictures
)

// claim is one brand that a message claims to be.
type claim struct {
	brand *brand.Brand
	at    place
	seen  string     // the name as written, where it was seen first
	fake  string     // the name as written in disguise
	form  brand.Form // of that
}

// Bounds of what is looked at.
const (
	maxName     = 200
	maxSubject  = 400
	maxText     = 64 << 10
	maxAlt      = 2 << 10
	maxClaims   = 12
	maxMentions = 256 // of brands in a text whose surroundings are read
)

// claims finds what a message claims to be, the strongest claims first.
func claims(l *brand.List, m *message.Message, author header.Address, personal bool) []claim {
	f := finder{list: l}
	f.name(author)
	v := m.View()
	f.subject(clip(v.Subject, maxSubject))
	if !personal { // people write about their accounts
		f.text(clip(v.Text, maxText))
		f.pictures(v, m)
	}
	return f.found
}

type finder struct {
	list  *brand.List
	found []claim
}

// add notes a claim.
func (f *finder) add(m brand.Match, at place, written string) {
	for i := range f.found {
		if c := &f.found[i]; c.brand == m.Brand {
			c.at |= at
			if m.Form != 0 && c.form == 0 {
				c.form, c.fake = m.Form, written
			}
			return
		}
	}
	if len(f.found) == maxClaims {
		return
	}
	c := claim{brand: m.Brand, at: at, seen: written, form: m.Form}
	if m.Form != 0 {
		c.fake = written
	}
	f.found = append(f.found, c)
}

// name reads the display name, or what stands for it.
func (f *finder) name(a header.Address) {
	for _, n := range f.list.Display(a.Name, a.Local) {
		f.add(n.Match, [...]place{brand.Writer: inName, brand.Part: inNamePart, brand.Word: inWord}[n.Standing], n.Written)
	}
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		m[w] = true
	}
	return m
}

// subject looks for a subject that speaks for a brand.
func (f *finder) subject(s string) {
	f.list.Find(s, func(m brand.Match) bool {
		written := s[m.Start:m.End]
		switch {
		case m.Name.Common: // "Your Next Order"
		case m.Form != 0, owns(s, m), prize(s, m), m.Start <= 1 && heads(s[m.End:]): // "DHL: …", "[PayPal] …"
			f.add(m, inSubject, written)
		}
		return true
	})
}

// prize says whether a name has what one could win there beside it.
func prize(s string, m brand.Match) bool {
	before, after := around(s, m)
	for _, w := range append(before[max(0, len(before)-2):], after[:min(len(after), 2)]...) {
		if prizes[w] {
			return true
		}
	}
	return false
}

var prizes = set(`gutschein gutscheins einkaufsgutschein geschenkkarte belohnung überraschung voucher giftcard gift reward rewards prize coupon cadeaukaart kadobon waardebon
	bon chèque cheque carte cadeau tarjeta regalo premio buono vale cupom presentkort gavekort airdrop`)

// heads says whether a name in front of rest is a headline.
func heads(rest string) bool {
	rest = strings.TrimLeft(rest, " ")
	return rest != "" && strings.IndexByte(":]|-", rest[0]) >= 0
}

// text looks for what speaks for a brand in the text: possessions, signatures, and the
// owner of the copyright line.
func (f *finder) text(s string) {
	type mention struct {
		times int
		owned brand.Match
	}
	mentions := map[*brand.Brand]mention{}
	read := 0
	f.list.Find(s, func(m brand.Match) bool {
		written := s[m.Start:m.End]
		if read++; read > maxMentions {
			if copyright(s, m) { // at the end
				f.add(m, inFooter, written)
			}
			return true
		}
		if m.Form != 0 && m.Form != brand.Digits && !m.Name.Common {
			f.add(m, inText, written)
		}
		if copyright(s, m) {
			f.add(m, inFooter, written)
		} else if signs(s, m) {
			f.add(m, inText, written)
		}
		if m.Name.Common && written != m.Name.Text { // "your FREE account"
			return true
		}
		c := mentions[m.Brand]
		if c.times++; c.owned.Brand == nil && c.times <= maxOwned && owns(s, m) {
			c.owned = m
		}
		mentions[m.Brand] = c
		needed := 1
		switch m.Brand.Kind {
		case brand.Payment, brand.Cloud, brand.Social: // every receipt has "your PayPal account"
			needed = leading
		}
		if c.owned.Brand != nil && c.times >= needed {
			f.add(c.owned, inText, s[c.owned.Start:c.owned.End])
		}
		return true
	})
}

// leading is how often a text names a brand that it speaks for, where others speak of
// what people have there too.
const leading = 3

// maxOwned is at how many mentions of a brand the words around are read for whose the
// thing is.
const maxOwned = 16

// near is how many octets around a name are read.
const near = 48

// around returns the words before a name, on its line, the last first, and behind it.
func around(s string, m brand.Match) (before, after []string) {
	from := max(0, m.Start-near)
	for from < m.Start && !utf8.RuneStart(s[from]) {
		from++
	}
	head := s[from:m.Start]
	if i := strings.LastIndexAny(head, "\n.!?:;"); i >= 0 {
		head = head[i+1:]
	}
	tail := clip(s[m.End:], near)
	if i := strings.IndexAny(tail, "\n.!?:;"); i >= 0 {
		tail = tail[:i]
	}
	return brand.Words(head), brand.Words(tail)
}

// owns says whether a name stands as in "your PayPal account", "Ihr DHL Paket", "votre
// compte Netflix".
func owns(s string, m brand.Match) bool {
	before, after := around(s, m)
	last := len(before) - 1
	for i := last; i >= 0 && i > last-3; i-- {
		if !yours[before[i]] {
			continue
		}
		for _, w := range after[:min(len(after), 2)] {
			if thing[w] {
				return true
			}
		}
		for _, w := range before[i+1:] {
			if thing[w] {
				return true // "votre compte Netflix"
			}
		}
	}
	return false
}

// yours are words for what is the reader's.
var yours = set(`your ihr ihre ihren ihrem ihrer dein deine deinem deinen votre vos ton ta tu su sus il la tuo tua suo sua seu uw je jouw din ditt dit dina twoje twój twoja váš vaše
	ваш ваша ваше dear liebe lieber sehr geehrte geehrter cher chère estimado estimada gentile caro prezado beste kära kære hyvä`)

// thing are words for what one has with a firm.
var thing = set(`account accounts card wallet membership subscription customer customers member user package parcel shipment delivery order payment password mailbox email id
	invoice balance statement refund points reward rewards profile login
	konto kundenkonto karte kreditkarte paket sendung bestellung zahlung kunde kundin kunden mitgliedschaft abonnement abo rechnung passwort zugang online banking onlinebanking
	compte colis carte client cliente abonnement commande facture espace livraison
	cuenta tarjeta paquete cliente suscripción suscripcion pedido factura conta cartão cartao fatura pacote
	cuenta conto carta cliente abbonamento pacco ordine spedizione casella
	rekening pakket klant abonnement bestelling account pakke konto kort kund kunde medlemskap tilaus
	konta paczka przesyłka karta účet zásilka аккаунт счет карта`)

// signs says whether a name stands as in "The PayPal Team", alone on its line.
func signs(s string, m brand.Match) bool {
	head, tail := s[max(0, m.Start-near):m.Start], s[m.End:min(len(s), m.End+near)]
	i, j := strings.LastIndexByte(head, '\n'), strings.IndexByte(tail, '\n')
	if i < 0 && len(head) == near || j < 0 && len(tail) == near {
		return false // a long line
	}
	if j < 0 {
		j = len(tail)
	}
	team := false
	for _, w := range append(brand.Words(head[i+1:]), brand.Words(tail[:j])...) {
		if teams[w] {
			team = true
		} else if !brand.Hollow(w) {
			return false
		}
	}
	return team
}

var teams = set(`team support service kundenservice kundendienst équipe equipe equipo servizio helpdesk security billing department klantenservice kundeservice kundtjänst customer suporte atendimento`)

// copyright says whether the name is the owner of a copyright line.
func copyright(s string, m brand.Match) bool {
	from := max(0, m.Start-near)
	for from < m.Start && !utf8.RuneStart(s[from]) {
		from++
	}
	head := s[from:m.Start]
	if i := strings.LastIndexByte(head, '\n'); i >= 0 {
		head = head[i+1:]
	}
	low, i := "", -1
	if strings.ContainsAny(head, "©(") || strings.Contains(head, "opyright") || strings.Contains(head, "OPYRIGHT") {
		low = strings.ToLower(head)
		i = strings.LastIndex(low, "©")
	}
	if i < 0 && low != "" {
		if i = strings.LastIndex(low, "copyright"); i < 0 {
			i = strings.LastIndex(low, "(c)")
		}
	}
	if i >= 0 {
		for _, w := range brand.Words(low[i:]) { // between the sign and the name: years, the word
			if w != "c" && w != "copyright" && w != "by" && w != "the" && strings.Trim(w, "0123456789") != "" {
				return false
			}
		}
		return true
	}
	tail := strings.TrimLeft(clip(s[m.End:], 16), " ,.")
	return strings.HasPrefix(tail, "©") || strings.HasPrefix(strings.ToLower(tail), "(c) 2")
}

// pictures looks for a logo: the first descriptions of pictures, and the file names of
// pictures that the message brings along.
func (f *finder) pictures(v *message.View, m *message.Message) {
	n := 0
	for line := range strings.SplitSeq(clip(v.Alt, maxAlt), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if n++; n > 2 {
			break
		}
		f.logo(line)
	}
	for _, p := range m.Parts {
		if strings.HasPrefix(p.Type, "image/") && p.Filename != "" {
			name, _, _ := strings.Cut(clip(p.Filename, maxName), ".")
			f.logo(strings.NewReplacer("_", " ", "-", " ").Replace(name))
		}
	}
}

// logo notes a brand where a description of a picture is its name and little else.
// Icons of networks and of ways to pay are everywhere.
func (f *finder) logo(s string) {
	if len(s) > maxName {
		return
	}
	f.list.Find(s, func(m brand.Match) bool {
		if m.Brand.Kind == brand.Social || m.Name.Common && !strings.Contains(strings.ToLower(s), "logo") {
			return true
		}
		for _, w := range append(brand.Words(s[:m.Start]), brand.Words(s[m.End:])...) {
			if w != "logo" && !brand.Hollow(w) {
				return true
			}
		}
		f.add(m, inAlt, s[m.Start:m.End])
		return true
	})
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
