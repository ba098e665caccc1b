// Package inspect is the contract between the gateway and the process that looks
// into files: what is asked, and what one message's files yield. It decodes
// nothing. Decoders live below inspect/child and run in a sandboxed process that
// may die at any time; inspect/pool keeps such processes and is an [Inspector].
//
// A [Report] is a list of files as a tree (the files asked about, then what they
// contain), with facts, links, texts and images that belong to them. All of it is
// made by a process that read hostile bytes, so it is hostile too: it is bounded
// (MaxFacts and the like), and names and details must be escaped before anybody sees them.
package inspect

import (
	"context"
	"time"
)

// Inspector looks into files. Implementations are safe for concurrent use.
type Inspector interface {
	// Inspect looks into the files of one message. The report is never nil, and
	// valid as far as it goes: where the process died or ran out of its budget it
	// says so (Ended, Exhausted) and holds what was found until then. The error is
	// our own trouble: nobody looked (queue full, no child can be started). It is
	// temporary.
	Inspect(ctx context.Context, r *Request) (*Report, error)
}

// Request asks about files of one message, which share one budget.
type Request struct {
	Inputs []Input
	// Passwords are words of the message that may open an encrypted file, the
	// likeliest first. At most [MaxPasswords] are used.
	Passwords []string
	Budget    Budget // zero fields take their defaults
	Keep      Keep
}

// Input is one file as the message carries it. Body is not changed and not kept.
type Input struct {
	Name         string // as the message declares it, decoded
	DeclaredType string // media type as declared, lower case
	Body         []byte
}

// How much a request may hold; more is cut off by the client.
const (
	MaxInputs    = 1024 // as many as a message has parts
	MaxPasswords = 64
	MaxPassword  = 128      // bytes of one
	MaxBody      = 64 << 20 // bytes of all inputs together
)

// Ended says how the process that looked came to its end.
type Ended uint8

// The ends. Crashed, TimedOut and OutOfMemory are evidence: the files did it,
// nothing else runs there. Killed is not.
const (
	Complete Ended = iota
	Crashed        // it died, tried what it may not, or its answer made no sense
	TimedOut       // killed at the deadline
	OutOfMemory
	Killed // from outside: by an operator, or by the kernel because the machine had no memory left

	endedEnd
)

var endedNames = [endedEnd]string{"complete", "crashed", "timed out", "out of memory", "killed from outside"}

func (e Ended) String() string {
	if int(e) < len(endedNames) {
		return endedNames[e]
	}
	return "unknown"
}

// Report is what was found.
type Report struct {
	Files     []File // the inputs first and in their order, then what they contain
	Facts     []Fact
	Links     []Link
	Texts     []Text
	Images    []Image
	Kept      []Kept // contents that Request.Keep asked for
	Exhausted Limit  // budgets that ended the search early, and lists that were cut

	Ended  Ended
	Reason string        // for the operator where Ended isn't Complete: signal, last words of the process; hostile
	At     int           // file that was being opened at that time, or -1
	By     string        // decoder that was at work then
	Took   time.Duration // in the process, without waiting for it
}

// File is one file: an input, or something found inside of another.
type File struct {
	Parent    int    // index of the file that holds it, always lower than its own; -1 for inputs
	Name      string // as its container gives it, with folders; valid UTF-8, hostile
	Declared  string // media type that its container declares; hostile
	Type      Type   // by content; "" where nothing was recognised
	Class     Class  // what policy speaks of
	Size      int64  // bytes that were read; those declared where Content is Listed or Locked
	SHA256    [32]byte
	TLSH      string // locality sensitive hash, "" where too short or not made
	Depth     int    // 0 for inputs
	Encrypted bool   // it is stored encrypted in its container, whether or not a password opened it
	Method    string // how its container stores it: "deflate", "lzma2", "aes-256"
	Content   Content
	Same      int // index of an earlier file with the same content, which alone was opened; -1 where none
}

// Content says how much of a file was read.
type Content uint8

// The degrees. Hashes stand for what was read, and are zero where nothing was.
const (
	Whole   Content = iota
	Partial         // its container is damaged, or a budget cut it short
	Listed          // named by its container and not unpacked
	Locked          // encrypted, and no password opened it
)

var contentNames = [...]string{"whole", "partial", "listed", "locked"}

func (c Content) String() string {
	if int(c) < len(contentNames) {
		return contentNames[c]
	}
	return "unknown"
}

// Fact is one finding in a file.
type Fact struct {
	File   int    // index in Files
	Kind   Kind   // stable
	Detail string // what was seen, at most MaxDetail bytes; hostile
}

// Link is a URL found in a file.
type Link struct {
	File int
	URL  string // as found, hostile
	Via  Via
}

// Via says where in a file a link stood.
type Via string

// The places that links come from.
const (
	ViaText     Via = "text"     // in running text
	ViaAnchor   Via = "anchor"   // href of HTML, hyperlink of a document, URI action of a PDF
	ViaAuto     Via = "auto"     // fetched or followed without a click: refresh, open action, remote template, image
	ViaForm     Via = "form"     // where a form is sent
	ViaScript   Via = "script"   // in a script, macro or command line
	ViaTarget   Via = "target"   // what a shortcut opens
	ViaCode     Via = "code"     // QR and other codes in an image
	ViaMetadata Via = "metadata" // properties, comments
)

// Text is readable text of a file, for the text model.
type Text struct {
	File   int
	Origin Origin
	Text   string // valid UTF-8
}

// Origin says what kind of text it is.
type Origin string

// The kinds of text.
const (
	OriginBody   Origin = "body"   // what a reader of the document sees
	OriginHidden Origin = "hidden" // in the document, and not shown
	OriginScript Origin = "script" // source of a script or macro
	OriginOCR    Origin = "ocr"    // read from pixels
)

// Image is a picture that was decoded.
type Image struct {
	File          int
	Width, Height int    // pixels
	PHash         uint64 // perceptual hash by discrete cosine transform; 0 where not made
	DHash         uint64 // perceptual hash by differences; 0 where not made
	Codes         []Code
}

// Code is a machine-readable code in an image.
type Code struct {
	Format string // "qr", "datamatrix", …
	Text   string // payload; hostile
	Trait  string // how it was disguised: "inverted", "pale", "split"; "" for a plain one
}
