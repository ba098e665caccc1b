package campaign

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Bounds of a Print.
const (
	mostDomains = 32
	mostFiles   = 4
	maxFile     = 8 << 20   // octets of a file that are hashed
	leastFile   = 512       // smaller ones say nothing
	maxHTML     = 256 << 10 // octets of HTML whose tags are read
	maxTags     = 4096

	leastText   = 8  // different runs of three words below which a text says nothing
	leastLayout = 12 // different runs of five tags, of messages whose text says nothing
)

// Print is what a message is remembered by. It holds hashes under the memory's key
// and the names of the sites that the message leads to, nothing of its words.
type Print struct {
	Text   Sketch     // of runs of three words
	Layout Sketch     // of runs of five tags of its HTML
	Files  [][16]byte // SHA-256 of attached files, the first half
	// Domains are the registrable domains that links lead to, sorted, those of
	// pictures left out.
	Domains []string
}

// Empty says whether there is nothing to remember the message by.
func (p *Print) Empty() bool {
	return p == nil || p.Text.N == 0 && p.Layout.N == 0 && len(p.Files) == 0
}

// Print reads a message. It is linear in its size, asks nobody and keeps nothing.
func (m *Memory) Print(msg *message.Message) *Print {
	v := msg.View()
	p := &Print{}
	text := shingles{n: 3}
	words(v.Text, ownNames(msg), func(w []byte) { text.add(m.sketcher.word(w)) })
	p.Text = m.sketcher.sketch(kindText, text.all, leastText)
	p.Layout = m.layout(msg)
	p.Layout.Least = nil
	p.files(msg)
	for i := range v.Links {
		l := &v.Links[i]
		if l.Host == "" || l.Source == links.FromImage || l.Source == links.FromOther || l.Scheme == "mailto" {
			continue
		}
		if d := links.OrgDomain(l.Host); !slices.Contains(p.Domains, d) && len(p.Domains) < mostDomains {
			p.Domains = append(p.Domains, d)
		}
	}
	slices.Sort(p.Domains)
	return p
}

// Hash hashes a name under the memory's key; the kind gives it a room of its own.
func (m *Memory) Hash(kind byte, name string) uint64 { return m.sketcher.name(kind, name) }

// ownNames are the words that name the recipients: their addresses and display names.
func ownNames(msg *message.Message) map[string]bool {
	const most = 20
	out := map[string]bool{}
	addrs := msg.Addresses("To")
	for _, a := range addrs[:min(len(addrs), most)] {
		for _, s := range []string{header.DecodeWords(a.Name), a.Local} {
			for w := range strings.FieldsFuncSeq(strings.ToLower(s[:min(len(s), 200)]), func(r rune) bool { return strings.ContainsRune(" .,-_+@\"'()", r) }) {
				if len(w) > 2 {
					out[w] = true
				}
			}
		}
	}
	return out
}

// layout sketches the order of tags of the HTML that is shown.
func (m *Memory) layout(msg *message.Message) Sketch {
	tags := shingles{n: 5}
	room := maxHTML
	for _, p := range msg.Parts {
		if p.Type != "text/html" || p.Disposition == "attachment" || p.Ghost || room <= 0 {
			continue
		}
		b := msg.Decoded(p)
		b = b[:min(len(b), room)]
		room -= len(b)
		eachTag(b, maxTags-tags.seen, func(name []byte) { tags.add(m.sketcher.word(name)) })
	}
	return m.sketcher.sketch(kindLayout, tags.all, leastLayout)
}

// eachTag yields the names of tags, lower case, "/" before those that close, without
// comments and what stands inside style and script. It is a rough reader: only
// likeness counts.
func eachTag(b []byte, most int, yield func([]byte)) {
	var name [16]byte
	for most > 0 {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return
		}
		b = b[i+1:]
		if bytes.HasPrefix(b, []byte("!--")) {
			end := bytes.Index(b, []byte("-->"))
			if end < 0 {
				return
			}
			b = b[end:]
			continue
		}
		n := 0
		for n < len(b) && n < len(name) && (b[n] == '/' && n == 0 || isLetter(b[n]) || n > 0 && '0' <= b[n] && b[n] <= '9') {
			name[n] = b[n] | 0x20
			if b[n] == '/' {
				name[n] = '/'
			}
			n++
		}
		if n == 0 || n == 1 && name[0] == '/' {
			continue
		}
		b = b[n:]
		most--
		yield(name[:n])
		if tag := string(name[:n]); tag == "style" || tag == "script" {
			end := bytes.Index(b, []byte("</"))
			if end < 0 {
				return
			}
			b = b[end:]
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// files hashes what is attached. Pictures are left out: many messages of one sender
// carry the same one.
func (p *Print) files(msg *message.Message) {
	for _, f := range msg.Attachments() {
		if len(p.Files) == mostFiles {
			return
		}
		if f.Ghost || f.IsMessage() || strings.HasPrefix(f.Type, "image/") || f.Disposition == "inline" ||
			strings.Contains(f.Type, "signature") || strings.HasPrefix(f.Type, "text/calendar") {
			continue
		}
		b := msg.Decoded(f)
		if len(b) < leastFile {
			continue
		}
		h := sha256.New()
		h.Write(b[:min(len(b), maxFile)])
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b)))) // tells files apart of which only the beginning is read
		sum := [16]byte(h.Sum(nil))
		if !slices.Contains(p.Files, sum) {
			p.Files = append(p.Files, sum)
		}
	}
}
