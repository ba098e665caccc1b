// Package message reads what arrived: a MIME tree of byte ranges over the
// original, a list of defects, decoded views, and second readings where mail
// clients could differ. Parse never fails, is linear in time, and is bounded in
// depth, parts, headers and decoded bytes.
//
// Where the standards leave no doubt, the tree follows them. Where clients are
// known to differ, the tree takes the more common reading, the defect says
// Ambiguous, and the other reading stands in Part.Readings or as a part with
// Ghost set, so that checks can look at the union.
package message

import (
	"slices"
	"sync"

	"sluice/message/header"
	"sluice/message/links"
)

// Range and Defect are header's, placed in the whole message.
type (
	Range  = header.Range
	Defect = header.Defect
)

// Limits bound the work of Parse and of the views.
type Limits struct {
	Depth       int // nesting of multiparts and embedded messages
	Parts       int // parts in all
	Fields      int // header fields in all
	HeaderBytes int // bytes of one header block
	Decoded     int // decoded bytes of all parts together
	Text        int // bytes of one text view
	Links       int
	Addresses   int // in one header field
}

// DefaultLimits are generous for honest mail.
func DefaultLimits() Limits {
	return Limits{Depth: 30, Parts: 1000, Fields: 5000, HeaderBytes: 256 << 10,
		Decoded: 64 << 20, Text: 1 << 20, Links: 2000, Addresses: 2000}
}

// withDefaults fills zero fields.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ to, from *int }{
		{&l.Depth, &d.Depth}, {&l.Parts, &d.Parts}, {&l.Fields, &d.Fields}, {&l.HeaderBytes, &d.HeaderBytes},
		{&l.Decoded, &d.Decoded}, {&l.Text, &d.Text}, {&l.Links, &d.Links}, {&l.Addresses, &d.Addresses},
	} {
		if *f.to <= 0 {
			*f.to = *f.from
		}
	}
	return l
}

// Message is one parsed message. Parts[0] is the root; the order is pre-order.
// Fields are not to be written; methods are safe for concurrent use.
type Message struct {
	Raw       []byte
	Parts     []*Part
	Defects   []Defect
	Truncated bool // a limit was hit: a defect names it

	lim      Limits
	fromLine string
	mu       sync.Mutex // guards what parts cache
	rereads  int        // second readings parsed
	reread   int        // their bytes
	viewOnce sync.Once
	view     View

	addressMu sync.Mutex
	addresses map[string][]header.Address // by field, as asked for
}

// Part is a node of the MIME tree.
type Part struct {
	Index       int
	Path        string // IMAP style: "1.2"; "" for the root
	Parent      *Part
	Children    []*Part
	Header      header.Header
	Body        Range  // after the empty line, up to the boundary
	Type        string // lower case "text/html"; the default where none is given
	Params      map[string]string
	Charset     string // label as given, lower case
	Encoding    string // "7bit", "8bit", "binary", "base64", "quoted-printable", or as given
	Disposition string // "inline", "attachment", ""
	Filename    string // decoded from Content-Disposition or Content-Type; hostile
	Embedded    bool   // root of a message/rfc822 inside its parent
	// Readings are other ways in which a client may read this part's type,
	// name or encoding; empty for unambiguous parts.
	Readings []Reading

	// Ghost parts stand where only some readers see a part: behind the closing
	// boundary, between guessed boundaries, or uuencoded inside text.
	Ghost bool
	// Depth counts the parents.
	Depth int

	allow   int // bytes that Decoded may yield
	decoded []byte
	done    bool // decoded is filled
	ended   bool // Body.Len is known
	guessed bool // the boundary is a guess: children are ghosts
	inner   *Message
	again   []*Message // Rereads
	reread  bool       // again is filled
}

// Reading is a second way to read a part.
type Reading struct {
	Why      string // the defect's code
	Type     string
	Filename string
	Boundary string
	Encoding string
}

// View is what a person would see, and what is kept from them.
type View struct {
	Subject  string // decoded
	Text     string // what a client shows: HTML rendered where there is HTML, else plain
	Plain    string // all inline text/plain parts
	Hidden   string // text that HTML or CSS hides
	Alt      string // alt and title texts
	Links    []links.Link
	HTMLSize int  // bytes of decoded HTML
	Forms    int  // <form> elements
	Scripts  int  // <script> elements and event handlers
	Images   int  // <img>, <image>, background pictures
	HasHTML  bool // an inline HTML part is present
	HasPlain bool

	Embedded    string   // text of attached messages
	Conditional string   // text that only Outlook shows
	HiddenBytes int      // letters and digits hidden by style, comments and titles left out
	HiddenWhy   uint32   // the ways of hiding: htmlview.Why bits
	Inputs      int      // form fields a person can fill in
	Passwords   int      // of them, for passwords
	Frames      int      // <iframe>, <object> and the like
	Refresh     int      // <meta http-equiv=refresh>
	Defects     []Defect // of the text: charsets that don't fit, limits hit
	Truncated   bool
}

// IsMultipart says whether the part is a multipart with children to be expected.
func (p *Part) IsMultipart() bool { return len(p.Type) > 10 && p.Type[:10] == "multipart/" }

// container says whether the body is read as its children. A text part with
// uuencoded files inside has children too, but is still read as text.
func (p *Part) container() bool { return len(p.Children) > 0 && !isText(p.Type) }

// IsMessage says whether the part holds an embedded message.
func (p *Part) IsMessage() bool {
	switch p.Type {
	case "message/rfc822", "message/global", "message/news":
		return true
	}
	return false
}

// Header is the root's header.
func (m *Message) Header() *header.Header { return &m.Parts[0].Header }

// EnvelopeFromLine is the mbox "From " line that stood first, without its line
// end; "" where there was none.
func (m *Message) EnvelopeFromLine() string { return m.fromLine }

// Body returns the undecoded body of p.
func (m *Message) Body(p *Part) []byte { return m.Raw[p.Body.Off:p.Body.End():p.Body.End()] }

// Addresses parses all fields of this name of the root header, in order, bounded
// by Limits.Addresses. The list is kept: it is not to be written.
func (m *Message) Addresses(field string) []header.Address {
	m.addressMu.Lock()
	defer m.addressMu.Unlock()
	if list, ok := m.addresses[field]; ok {
		return list
	}
	list := m.parseAddresses(field)
	if m.addresses == nil {
		m.addresses = map[string][]header.Address{}
	}
	if len(m.addresses) < maxFieldNames {
		m.addresses[field] = list
	}
	return list
}

// maxFieldNames bounds of how many fields the addresses are kept.
const maxFieldNames = 16

func (m *Message) parseAddresses(field string) []header.Address {
	var out []header.Address
	for _, v := range m.Header().Values(field) {
		list, _ := header.ParseAddressList(v)
		if n := m.lim.Addresses - len(out); len(list) > n {
			list = list[:n]
		}
		if len(out) == 0 {
			out = slices.Clip(list)
			continue
		}
		out = append(out, list...)
	}
	return out
}

// From is the address that a person sees as the author. clear is false where
// readers could differ on it: no From field, several, several addresses in it, or
// one that breaks the grammar. Authentication must look at the same address as
// this; without a clear one nothing is aligned.
func (m *Message) From() (a header.Address, clear bool) {
	h := m.Header()
	list, defects := header.ParseAddressList(h.Get("From"))
	if len(list) == 0 {
		return a, false
	}
	clear = len(list) == 1 && h.Count("From") == 1 && list[0].Domain != ""
	for _, d := range defects {
		clear = clear && !d.Ambiguous
	}
	return list[0], clear
}

// Attachments lists the files of the tree, ghosts included. A check that looks for
// bad content walks All and asks IsFile instead: some clients see more.
func (m *Message) Attachments() []*Part {
	var out []*Part
	for _, p := range m.Parts {
		if p.IsFile() {
			out = append(out, p)
		}
	}
	return out
}

// IsFile says whether a client offers the part as a file: it has a name, is marked
// as an attachment, or is neither text nor a container. Attached messages count.
func (p *Part) IsFile() bool {
	switch {
	case p.IsMultipart() && p.container(), p.Parent == nil && p.IsMessage():
		return false
	case p.Filename != "", p.Disposition != "" && p.Disposition != "inline":
		return true
	}
	return !isText(p.Type) && !p.IsMultipart()
}

func isText(t string) bool { return len(t) >= 5 && t[:5] == "text/" }

func span(off, n int) Range { return Range{Off: off, Len: n} }
