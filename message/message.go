// Package message reads what arrived: a MIME tree of byte ranges over the
// original, a list of defects, decoded views, and second readings where mail
// clients could differ. Parse never fails, is linear in time, and is bounded in
// depth, parts, headers and decoded bytes.
package message

import (
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

// Message is one parsed message. Parts[0] is the root; the order is pre-order.
// A Message is not safe for concurrent use until View has been called once.
type Message struct {
	Raw       []byte
	Parts     []*Part
	Defects   []Defect
	Truncated bool // a limit was hit: a defect names it
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
}
