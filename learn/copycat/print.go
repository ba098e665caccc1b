package copycat

import (
	"slices"
	"strings"

	"sluice/learn/campaign"
	"sluice/learn/text"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Marks say how a message came to be, by what it says of itself. Anybody can write
// them, so they excuse nothing alone.
type Marks uint8

// The marks.
const (
	Forwarded Marks = 1 << iota // holds the head of a message that it passes on
	Replied                     // answers one
	Listed                      // list software has had it
)

// Kinds of hashed names.
const (
	hashSite    = 'S'
	hashWords   = 'W'
	hashPicture = 'P'
	hashDomain  = 'D'
	hashTo      = 'R'
	hashLabel   = 'L'
	hashShape   = 'H'
	hashSubject = 'B'
	hashName    = 'N'
)

// Bounds of a Print.
const (
	mostSites    = 32
	mostPictures = 24
	mostProbed   = 128     // runs of words: texts of six times a campaign's length are still known to hold it
	maxPicture   = 1 << 20 // octets of an enclosed picture that are hashed
	leastPicture = 800
)

// Print is what a message is compared by. It lives as long as the message.
type Print struct {
	Runs     []uint64 // hashes of runs of three words, the least ones in order
	Text     campaign.Sketch
	Layout   campaign.Sketch
	Calls    []Call   // by prominence
	Sites    []string // of all links and pictures, sorted
	Pictures []uint64 // by address, or content where enclosed
	Subject  string
	Marks    Marks

	msg    *message.Message
	shown  *text.Shown
	says   string   // see words
	joined string   // see join
	starts []uint64 // bits: where words begin in joined

	logos  []uint64 // perceptual hashes of enclosed pictures that may be one
	titled uint64   // hash of the subject
	author string   // registrable domain of the author's address
	named  string   // the author's name, in normal form
	signed string   // and the address, without spaces and marks
}

// Empty says whether there is nothing to compare the message by, or it leads nowhere.
func (p *Print) Empty() bool { return p == nil || p.Text.N == 0 && p.Layout.N == 0 }

// Print reads a message of which the campaign memory has made its print. It is linear
// in the message's size.
func (m *Memory) Print(msg *message.Message, of *campaign.Print) *Print {
	return m.PrintShown(msg, of, nil)
}

// PrintShown is Print, with the visible text that was made plain already.
func (m *Memory) PrintShown(msg *message.Message, of *campaign.Print, shown *text.Shown) *Print {
	v := msg.View()
	p := &Print{shown: shown, Runs: of.Text.Least[:min(len(of.Text.Least), mostProbed)], Text: of.Text, Layout: of.Layout, Subject: v.Subject, Marks: marks(msg), msg: msg}
	p.Calls = m.calls(v)
	p.from()
	p.titled = m.subject(p.Subject)
	last := ""
	for i := range v.Links {
		l := &v.Links[i]
		if i == mostLinks || len(p.Sites) == mostSites {
			break
		}
		if l.Host == "" || l.Scheme == "mailto" {
			continue
		}
		if l.Source == links.FromImage && len(p.Pictures) < mostPictures {
			p.picture(m.cfg.Prints.Hash(hashPicture, l.Host+bare(l.Path)))
		}
		if l.Host == last {
			continue
		}
		last = l.Host
		if s := links.OrgDomain(l.Host); !slices.Contains(p.Sites, s) {
			p.Sites = append(p.Sites, s)
		}
	}
	slices.Sort(p.Sites)
	for _, f := range msg.Parts {
		if len(p.Pictures) == mostPictures || !strings.HasPrefix(f.Type, "image/") || f.Ghost {
			continue
		}
		if b := msg.Decoded(f); len(b) >= leastPicture {
			p.picture(m.cfg.Prints.Hash(hashPicture, string(b[:min(len(b), maxPicture)])))
		}
	}
	return p
}

func (p *Print) picture(h uint64) {
	if !slices.Contains(p.Pictures, h) {
		p.Pictures = append(p.Pictures, h)
	}
}

// bare is a path without its query.
func bare(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return path
}

// marks reads how the message came to be.
func marks(msg *message.Message) (out Marks) {
	h := msg.Header()
	for _, name := range [...]string{"List-Id", "List-Post", "X-Mailing-List", "X-BeenThere"} {
		if h.Field(name) != nil {
			out |= Listed
		}
	}
	if h.Field("In-Reply-To") != nil || h.Field("References") != nil {
		out |= Replied
	}
	v := msg.View()
	if i := strings.IndexByte(v.Subject, ':'); i > 0 && i <= 6 {
		switch strings.ToLower(strings.TrimSpace(v.Subject[:i])) {
		case "re", "aw", "sv", "antw", "rv", "res", "odp":
			out |= Replied
		case "fw", "fwd", "wg", "tr", "enc", "rif", "i", "vs", "doorst":
			out |= Forwarded
		}
	}
	if quotesHead(v.Text) {
		out |= Forwarded
	}
	return out
}

// quotesHead says whether a text holds the head of another message, as mail programs
// write it: three lines in a row that name its fields.
func quotesHead(s string) bool {
	n := 0
	for l := range strings.SplitSeq(s[:min(len(s), 64<<10)], "\n") {
		l = strings.TrimLeft(l, "> *\t")
		i := strings.IndexByte(l, ':')
		if i <= 0 || i > 16 || len(l) > 400 {
			if strings.TrimSpace(l) != "" {
				n = 0
			}
			continue
		}
		switch strings.Trim(strings.ToLower(l[:i]), "* \u00a0") {
		case "from", "sent", "date", "to", "subject", "cc", "reply-to", "von", "gesendet", "datum", "an", "betreff", "de", "envoyé", "à", "objet", "date d'envoi",
			"enviado", "fecha", "para", "asunto", "da", "inviato", "data", "a", "oggetto", "van", "verzonden", "aan", "onderwerp", "enviada", "assunto":
			if n++; n == 3 {
				return true
			}
		default:
			n = 0
		}
	}
	return false
}

// normal is a text as a person reads it, in lower case and without disguise.
func normal(s string, most int) string { return string(text.AppendNormal(nil, s, most)) }

// words are the texts in which a message says who it is: what shows, pictures' texts,
// the subject and the author's name, with single spaces. It is made when it is asked
// for.
func (p *Print) words() string {
	const most = 64 << 10
	if p.says == "" && p.msg != nil {
		v := p.msg.View()
		b := append(make([]byte, 0, min(len(v.Text), most)+256), ' ')
		if from, _ := p.msg.From(); from.Name != "" {
			b = append(text.AppendNormal(b, header.DecodeWords(from.Name), 400), ' ')
		}
		b = append(text.AppendNormal(b, v.Subject, 1000), ' ')
		b = append(p.shown.Append(b, v.Text, most), ' ')
		b = append(text.AppendNormal(b, v.Alt, 4000), ' ')
		p.says = string(b)
		p.join()
	}
	return p.says
}

// names says whether the message names the owner of a domain: the label that was
// registered, as a word, or run together from several.
func (p *Print) names(domain string) bool {
	label, _, _ := strings.Cut(domain, ".")
	if label = normal(label, 200); strings.Trim(label, "0") == "" { // nothing, or a number
		return false
	}
	s := p.words()
	for from := 0; ; {
		i := strings.Index(s[from:], label)
		if i < 0 {
			break
		}
		i += from
		from = i + 1
		if !letter(s, i-1) && !letter(s, i+len(label)) && !address(s, i, i+len(label)) {
			return true
		}
	}
	squeezed := squeeze(label)
	if len(squeezed) < 6 || strings.Trim(squeezed, "0") == "" {
		return false
	}
	for from := 0; ; { // written as two words, or three
		i := strings.Index(p.joined[from:], squeezed)
		if i < 0 {
			return false
		}
		i += from
		from = i + 1
		if p.begins(i) && p.begins(i+len(squeezed)) {
			return true
		}
	}
}

// begins says whether a word begins at an offset of joined.
func (p *Print) begins(i int) bool { return p.starts[i/64]>>(i%64)&1 == 1 }

// join fills joined and starts: the words without what stands between them, addresses
// left out.
func (p *Print) join() {
	s := p.says[:min(len(p.says), 16<<10)]
	b := make([]byte, 0, len(s))
	p.starts = make([]uint64, len(s)/64+1)
	for f := range strings.FieldsSeq(s) {
		if i := strings.IndexAny(f, "./@"); i > 0 && i+1 < len(f) && letter(f, i+1) {
			continue
		}
		p.starts[len(b)/64] |= 1 << (len(b) % 64)
		for i := range len(f) {
			if letter(f, i) {
				b = append(b, f[i])
			}
		}
	}
	p.starts[len(b)/64] |= 1 << (len(b) % 64)
	p.joined = string(b)
}

// from reads who the message says that it is from.
func (p *Print) from() {
	a, _ := p.msg.From()
	p.author = org(a.Domain)
	p.named = " " + normal(header.DecodeWords(a.Name), 400) + " "
	p.signed = squeeze(p.named + normal(a.Local+" "+a.Domain, 600))
}

// claims says whether the author goes by the name of a domain's owner: in the display
// name, or in the address.
func (p *Print) claims(domain string) bool {
	if p.author == domain {
		return true
	}
	label := normal(label(domain), 200)
	l := squeeze(label)
	return len(l) >= 4 && strings.Contains(p.signed, l) || strings.Contains(p.named, " "+label+" ")
}

// address says whether s[from:to] is a part of a host or an address: those are links.
func address(s string, from, to int) bool {
	return from > 0 && (s[from-1] == '.' || s[from-1] == '@' || s[from-1] == '/') || to+1 < len(s) && (s[to] == '.' || s[to] == '@') && letter(s, to+1)
}

func letter(s string, i int) bool {
	return i >= 0 && i < len(s) && (s[i] >= 0x80 || 'a' <= s[i] && s[i] <= 'z' || s[i] == '0')
}

// squeeze leaves letters and digits.
func squeeze(s string) string {
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if letter(s, i) {
			b = append(b, s[i])
		}
	}
	return string(b)
}
