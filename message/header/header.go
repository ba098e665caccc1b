// Package header reads the header block of a message or MIME part: fields as
// byte ranges, RFC 2047 and 2231 decoding, address lists. It never fails; what
// is wrong becomes a [Defect].
package header

// Range is a run of bytes: of the whole message once package message has placed
// it, of the parsed block before.
type Range struct{ Off, Len int }

// Defect is one way in which the input breaks its format.
type Defect struct {
	Code      string // stable, upper case: "DUPLICATE_CONTENT_TYPE"
	Range     Range
	Part      int    // index of the MIME part
	Detail    string // for people; hostile
	Ambiguous bool   // readers may understand the message in different ways
}

// Field is one header field.
type Field struct {
	Name       string // as written, without trailing space
	Range      Range  // the whole field with its line ends
	ValueRange Range  // the value, folding included
	Value      string // unfolded, trimmed, not decoded
}

// Header is one header block.
type Header struct {
	Fields []Field
	Range  Range // the block without the empty line
}

// Address is one mailbox of an address list.
type Address struct {
	Name   string // display name, decoded; hostile
	Local  string // local part, unquoted
	Domain string // lower case, A-labels where it converts, else as written
	Group  string // name of the group it stands in, decoded
	Raw    string // as written
}

// String is local@domain, or the raw text where there is no domain.
func (a Address) String() string {
	if a.Domain == "" {
		return a.Local
	}
	return a.Local + "@" + a.Domain
}
