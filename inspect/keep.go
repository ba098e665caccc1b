package inspect

// Keep asks for contents beside findings: for programs that look at them in a process
// of their own (YARA, OCR). The zero value asks for none.
type Keep struct {
	Bytes    int64 // of files that were found in others, all together; at most MaxKeep
	Pictures int   // that look as if they carried text; at most MaxPictures
}

// Bounds of what is kept.
const (
	MaxKeep     = 64 << 20
	MaxPictures = 16
	MaxPixels   = 4 << 20 // bytes of one picture
)

// Within is k cut to what may be asked.
func (k Keep) Within() Keep {
	return Keep{Bytes: min(max(k.Bytes, 0), MaxKeep), Pictures: min(max(k.Pictures, 0), MaxPictures)}
}

// Kept is a content that the request asked for.
type Kept struct {
	File int // index in Files
	Form Form
	Body []byte // hostile
}

// Form says what of a file was kept.
type Form uint8

// The forms.
const (
	Octets Form = iota // as they are
	Pixels             // a grey picture as PGM (P5 of netpbm), made anew from what was decoded

	formEnd
)

// Valid says whether f is known.
func (f Form) Valid() bool { return f < formEnd }

// Types of the inputs that are given to programs: what is to be done with them. No file
// is of such a type by its content.
const (
	ForRules Type = "for-rules" // scan it with the admin's YARA rules
	ForOCR   Type = "for-ocr"   // a PGM: read the text in it
)
