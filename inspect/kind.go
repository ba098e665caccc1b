package inspect

// Kind is the stable name of a fact: capitals, digits and underscores, at most
// MaxKind bytes. Checks turn kinds into reasons; the kind says what is there,
// never how bad it is.
type Kind string

// MaxKind bounds the length of a kind.
const MaxKind = 40

// Valid says whether k has the form of a kind.
func (k Kind) Valid() bool {
	if len(k) == 0 || len(k) > MaxKind || k[0] < 'A' || 'Z' < k[0] {
		return false
	}
	for i := 1; i < len(k); i++ {
		if c := k[i]; !('A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_') {
			return false
		}
	}
	return true
}

// Kinds that the frame itself states.
const (
	// DecoderPanic: a decoder gave up in a way that its author did not foresee.
	// The detail names it.
	DecoderPanic Kind = "DECODER_PANIC"
	// Damaged: the file's structure is broken; the detail says where.
	Damaged Kind = "DAMAGED"
	// Bomb: the file unpacks to an absurd multiple of its size.
	Bomb Kind = "BOMB"
	// ContainsItself: a file holds a copy of a file that holds it.
	ContainsItself Kind = "CONTAINS_ITSELF"
)

// Kinds that several decoders state.
const (
	// PasswordWorked: a word of the message opened the file; the detail is the word.
	PasswordWorked Kind = "PASSWORD_WORKED"
	// SizeMismatch: the container declares another size than the content has.
	SizeMismatch Kind = "SIZE_MISMATCH"
	// TrailingData: bytes behind the end of the format; the detail says how many.
	TrailingData Kind = "TRAILING_DATA"
	// LeadingData: bytes in front of the format's start.
	LeadingData Kind = "LEADING_DATA"
	// NameClimbs: an absolute path or .. in the name of an entry.
	NameClimbs Kind = "NAME_CLIMBS"
	// TwoReadings: programs differ in what they see in the file; the detail says how.
	TwoReadings Kind = "TWO_READINGS"
)
