package inspect

import "time"

// Budget bounds the work for one request: all its files, and all that they
// contain, draw on the same one. A field of zero takes its default.
type Budget struct {
	Depth   int           // containers in each other
	Entries int           // files in the tree
	Bytes   int64         // unpacked in all, whether they become files or not
	File    int64         // of one unpacked file
	Ratio   int64         // unpacked to packed, of one container; counts beyond RatioFree
	Pixels  int64         // of one image
	Time    time.Duration // on the clock
}

// RatioFree is how many bytes a container may yield at any ratio: a small file
// that unpacks well is no bomb.
const RatioFree = 8 << 20

// DefaultBudget is generous for honest mail.
func DefaultBudget() Budget {
	return Budget{Depth: 16, Entries: 5000, Bytes: 128 << 20, File: 64 << 20, Ratio: 250, Pixels: 40 << 20, Time: 8 * time.Second}
}

// maxBudget bounds what can be configured.
var maxBudget = Budget{Depth: 64, Entries: 50_000, Bytes: 4 << 30, File: 1 << 30, Ratio: 1 << 20, Pixels: 1 << 30, Time: 10 * time.Minute}

// WithDefaults fills fields that are not above zero, and caps the others.
func (b Budget) WithDefaults() Budget {
	d, m := DefaultBudget(), maxBudget
	return Budget{
		Depth: within(b.Depth, d.Depth, m.Depth), Entries: within(b.Entries, d.Entries, m.Entries),
		Bytes: within(b.Bytes, d.Bytes, m.Bytes), File: within(b.File, d.File, m.File),
		Ratio: within(b.Ratio, d.Ratio, m.Ratio), Pixels: within(b.Pixels, d.Pixels, m.Pixels),
		Time: within(b.Time, d.Time, m.Time),
	}
}

func within[T int | int64 | time.Duration](v, zero, top T) T {
	if v <= 0 {
		v = zero
	}
	return min(v, top)
}

// Limit is a set of bounds that were met.
type Limit uint32

// The bounds: those of the budget, then the lists of the report.
const (
	LimitDepth   Limit = 1 << iota // something stands deeper than was looked
	LimitEntries                   // there are more files
	LimitBytes                     // more unpacked bytes
	LimitFile                      // a file larger than is read
	LimitRatio                     // a container that unpacks to an absurd multiple
	LimitPixels                    // an image that was not decoded
	LimitTime
	LimitFacts // facts were left out
	LimitLinks
	LimitTexts
	LimitImages
	LimitSteps // a decoder's own bound on work: objects, records, passwords
	LimitKept  // contents were left out that Keep asked for

	limitEnd
)

// Valid says whether l holds known limits only.
func (l Limit) Valid() bool { return l&^(limitEnd-1) == 0 }

var limitNames = [...]string{"depth", "entries", "bytes", "file size", "ratio", "pixels", "time", "facts", "links", "texts", "images", "steps", "contents"}

// String lists the limits: "depth, time".
func (l Limit) String() string { return listBits(uint32(l), limitNames[:]) }

// What a report may hold, whatever the process says. Files are bounded by
// Budget.Entries and the inputs.
const (
	MaxFacts       = 4000
	MaxFactsOfKind = 16  // of one kind in one file
	MaxDetail      = 400 // bytes
	MaxLinks       = 2000
	MaxURL         = 4096
	MaxTexts       = 512 << 10 // bytes of all texts
	MaxText        = 64 << 10  // bytes of one
	MaxTextCount   = 1000
	MaxImages      = 256
	MaxCodes       = 16   // in one image
	MaxPayload     = 4096 // bytes of a code
	MaxName        = 512  // bytes of a file's name
	MaxDeclared    = 128  // bytes of a declared media type
	MaxWord        = 48   // bytes of Method, Via, Origin, Format, Trait, By
	MaxTLSH        = 80
	MaxReason      = 2000
)

// Has says whether l holds all of o.
func (l Limit) Has(o Limit) bool { return l&o == o }
