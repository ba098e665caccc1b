package scam

import (
	"slices"
	"strings"
	"sync"

	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/text"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Bounds of what is read of a text.
const (
	maxText   = 64 << 10 // octets
	maxTail   = 16 << 10 // of them, from the end of a longer text
	fewWords  = 12       // fewer words of one's own are no more than a note above a quotation
	shortText = 90       // words
	longText  = 450

	manyLinksFrom = 4
)

// fact is what is known of a message beside its words.
type fact int

// The facts, in the order of factNames.
const (
	freeAuthor  fact = iota // the author has a free mailbox
	freeReply               // answers go to another mailbox, a free one
	otherReply              // answers go to another owner
	listMail                // mailing list software had the message
	bulkMail                // offers to unsubscribe
	stranger                // Ties
	namesake                //
	opener                  // a namesake's few words that only ask whether one is there, or for a favour
	known                   //
	wroteTo                 //
	replyToUs               //
	inside                  //
	webLink                 // a link that a person can follow
	noLink                  //
	manyLinks               // as newsletters have
	question                // something is asked
	shortWords              //
	longWords               //
	coin                    // a coin's address
	account                 // an IBAN
	phoneNumber             //
	millionSum              // a sum of a million and more
	quotedWords             // what is said is mostly quoted
	attachment              //
	inThread                // says that it answers something
	factCount
)

var factNames = [factCount]string{
	"@free-author", "@free-reply", "@other-reply", "@list", "@bulk", "@stranger", "@namesake", "@opener", "@known", "@wrote", "@reply", "@inside", "@link", "@no-link", "@many-links", "@question",
	"@short", "@long", "@coin", "@account", "@phone", "@millions", "@quoted", "@attachment", "@thread",
}

// features are the names of all that a class may weigh: themes, then facts.
var features = sync.OnceValue(func() []string { return append(slices.Clone(shipped().themes), factNames[:]...) })

// Reading is what was found in one message.
type Reading struct {
	values []float64         // by feature: 0 for none
	words  map[string]string // by feature: the words that were met
	coin   string
	links  int // that a person can follow

	// What the model says: the class that fits best, the log-odds of fraud, and what
	// speaks for the class; odds alone where they are too low to be told.
	class   *class
	odds    float64
	because []reasonFor
}

// Feature is one fact of a Reading: themes of the lexicon by their name, others with
// an "@" before it.
type Feature struct {
	Name  string
	Value float64
	Words string // as the lexicon has them; "" where there are none
}

// Features lists what was found.
func (r *Reading) Features() []Feature {
	var out []Feature
	for i, v := range r.values {
		if v != 0 {
			out = append(out, Feature{features()[i], v, r.words[features()[i]]})
		}
	}
	return out
}

func (r *Reading) set(f fact, is bool) {
	if is {
		r.values[len(shipped().themes)+int(f)] = 1
	}
}

func (r *Reading) has(feature string) bool {
	i, ok := featureIndex()[feature]
	return ok && r.values[i] != 0
}

var featureIndex = sync.OnceValue(func() map[string]int {
	m := map[string]int{}
	for i, f := range features() {
		m[f] = i
	}
	return m
})

// Read goes through a message once, where notes are kept.
func Read(in *check.Input, ties Ties) *Reading {
	return check.Note(in.Notes, func() *Reading { return read(in, ties, nil) })
}

// Sketch lists the features that the model may weigh of a message, and what is judged of
// it, in nats. It is for those who fit the model.
func Sketch(in *check.Input, ties Ties) (features []string, judged float64) {
	r := read(in, ties, func(sk *sketch, values []float64) { features = shipped().features(sk, values) })
	return features, r.judged()
}

// read calls sketched, if any, with what the model sees.
func read(in *check.Input, ties Ties, sketched func(*sketch, []float64)) *Reading {
	v := in.Message.View()
	r := &Reading{values: make([]float64, len(features())), words: map[string]string{}}
	full := clip(v.Text)
	own, quoted := parts(full)
	h := in.Message.Header()
	thread := h.Field("In-Reply-To") != nil || h.Field("References") != nil

	m := matchers.Get().(*matcher)
	defer m.release()
	buf := text.AppendNormal(m.buf[:0], v.Subject, 4096)
	m.scan(buf)
	plain := check.Note(in.Notes, func() *text.Shown { return text.Show(in.Message) })
	buf = plain.Append(buf[:0], own, maxText)
	m.scan(buf)
	wrote, shown := m.h.tokens, own
	// A note above a quotation says little by itself, and what is called a quotation of
	// no thread is the sender's own text.
	if quoted != "" && (wrote < fewWords || !thread) {
		buf = text.AppendNormal(buf[:0], quoted, maxText)
		m.scan(buf)
		r.set(quotedWords, m.h.tokens > 2*wrote)
		shown = full
	}
	m.buf = buf
	for t, n := range m.h.kinds {
		if n == 0 {
			continue
		}
		r.values[t] = [...]float64{1, 1.5, 1.8, 2}[min(n, 4)-1]
		r.words[shipped().themes[t]] = m.h.first[t]
	}
	r.links = webLinks(v)
	r.coin = coinAddress(shown)
	r.set(coin, r.coin != "")
	r.set(account, accountNumber(shown) != "")
	r.set(phoneNumber, phone(shown) != "")
	r.set(millionSum, millions(shown))
	r.set(webLink, r.links > 0)
	r.set(noLink, r.links == 0)
	r.set(manyLinks, r.links >= manyLinksFrom)
	r.set(question, strings.IndexByte(shown, '?') >= 0 || strings.Contains(shown, "？"))
	r.set(shortWords, m.h.tokens <= shortText)
	r.set(longWords, m.h.tokens >= longText)
	r.set(inThread, thread)
	r.sender(in.Message, h)
	r.set(stranger, ties.Stranger)
	r.set(namesake, ties.Namesake)
	r.set(known, ties.Known)
	r.set(wroteTo, ties.Wrote)
	r.set(replyToUs, ties.Reply)
	r.set(inside, ties.Inside)
	r.set(opener, ties.Namesake && m.h.tokens <= shortText && r.links == 0 && !thread && m.sketch.ideas.meets(openers()))
	if sketched != nil {
		sketched(&m.sketch, r.values)
		return r
	}
	r.decide(&m.sketch, shippedModel())
	return r
}

// decide asks the model.
func (r *Reading) decide(sk *sketch, m *model) {
	class, odds := m.best(m.score(sk, r.values))
	if r.odds = odds + r.judged(); m.classes[class].daily && !r.suspected() {
		r.odds -= unsuspected
	}
	if r.odds >= hintAt {
		r.class, r.because = m.classes[class], m.why(shipped(), sk, r.values, class, mostWhy)
	}
}

// suspected says whether anything about the sender is as with impostors: a free mailbox,
// answers that go elsewhere, a stranger or a name that is another's.
func (r *Reading) suspected() bool {
	for _, f := range [...]fact{freeAuthor, freeReply, otherReply, stranger, namesake} {
		if r.values[len(shipped().themes)+int(f)] != 0 {
			return true
		}
	}
	return false
}

// judged is what relations add.
func (r *Reading) judged() float64 {
	sum := 0.0
	for f, by := range judged {
		sum += by * r.values[len(shipped().themes)+int(f)]
	}
	return sum
}

// sender reads who wrote, and where answers go.
func (r *Reading) sender(m *message.Message, h *header.Header) {
	r.set(attachment, len(m.Attachments()) > 0)
	list := false
	for _, f := range [...]string{"List-Id", "List-Post", "X-Mailing-List", "X-BeenThere", "Mailing-List"} {
		list = list || h.Field(f) != nil
	}
	r.set(listMail, list)
	r.set(bulkMail, h.Field("List-Unsubscribe") != nil)
	authors := m.Addresses("From")
	if len(authors) == 0 {
		return
	}
	a := authors[0]
	r.set(freeAuthor, domains.FreeMail(a.Domain))
	answers := m.Addresses("Reply-To")
	if len(answers) == 0 || list || answers[0].Domain == "" {
		return
	}
	to := answers[0]
	if header.EqualFold(to.Local, a.Local) && header.EqualFold(to.Domain, a.Domain) {
		return
	}
	free := domains.FreeMail(to.Domain)
	r.set(freeReply, free)
	r.set(otherReply, !free && links.OrgDomain(to.Domain) != links.OrgDomain(a.Domain))
}

// clip keeps the beginning and the end of a long text, where asks stand.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText-maxTail]+"\n"+s[len(s)-maxTail:], "")
}

func webLinks(v *message.View) int {
	n := 0
	for i := range v.Links {
		if l := &v.Links[i]; !l.Hidden && (l.Source == links.FromAnchor || l.Source == links.FromText) && (l.Scheme == "http" || l.Scheme == "https") {
			n++
		}
	}
	return n
}
