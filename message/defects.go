package message

import "sluice/message/header"

// Codes of the defects that this package reports. Those about single fields are
// package header's; [DefectCodes] lists all.
const (
	MboxFromLine     = "MBOX_FROM_LINE"
	HeaderNoEnd      = "HEADER_NO_END"
	HeaderMissing    = "HEADER_MISSING"
	HeaderTextBody   = "HEADER_TEXT_BEFORE_BODY"
	HeaderTooLong    = "HEADER_TOO_LONG"
	HeaderBlankStart = "HEADER_BLANK_START"

	DuplicateFrom        = "DUPLICATE_FROM"
	DuplicateSender      = "DUPLICATE_SENDER"
	DuplicateReplyTo     = "DUPLICATE_REPLY_TO"
	DuplicateTo          = "DUPLICATE_TO"
	DuplicateCc          = "DUPLICATE_CC"
	DuplicateSubject     = "DUPLICATE_SUBJECT"
	DuplicateDate        = "DUPLICATE_DATE"
	DuplicateMessageID   = "DUPLICATE_MESSAGE_ID"
	DuplicateMimeVersion = "DUPLICATE_MIME_VERSION"
	DuplicateContentType = "DUPLICATE_CONTENT_TYPE"
	DuplicateEncoding    = "DUPLICATE_ENCODING"
	DuplicateDisposition = "DUPLICATE_DISPOSITION"
	DuplicateBoundary    = "DUPLICATE_BOUNDARY"

	MissingFrom      = "MISSING_FROM"
	MissingDate      = "MISSING_DATE"
	MissingMessageID = "MISSING_MESSAGE_ID"
	MissingBoundary  = "MISSING_BOUNDARY"
	EmptyBoundary    = "EMPTY_BOUNDARY"
	LongBoundary     = "LONG_BOUNDARY"
	BoundarySpace    = "BOUNDARY_TRAILING_SPACE"
	BoundaryOdd      = "BOUNDARY_ENCODED"
	BoundaryReused   = "BOUNDARY_REUSED"
	BoundaryPrefix   = "BOUNDARY_PREFIX"
	BoundaryNearMiss = "BOUNDARY_NEAR_MISS"
	BoundaryBareCR   = "BOUNDARY_AFTER_BARE_CR"
	NoClosing        = "MISSING_CLOSING_BOUNDARY"
	EmptyMultipart   = "EMPTY_MULTIPART"
	PreamblePart     = "PREAMBLE_LOOKS_LIKE_PART"
	EpiloguePart     = "EPILOGUE_LOOKS_LIKE_PART"
	EpilogueText     = "EPILOGUE_TEXT"

	BadContentType  = "BAD_CONTENT_TYPE"
	TypeComment     = "CONTENT_TYPE_COMMENT"
	UnknownEncoding = "UNKNOWN_ENCODING"
	OddEncoding     = "ODD_ENCODING"
	EncodedComposed = "ENCODING_ON_COMPOSITE"
	EightBitIn7Bit  = "EIGHT_BIT_IN_7BIT"

	Base64Junk       = "BASE64_JUNK"
	Base64Padding    = "BASE64_PADDING_INSIDE"
	Base64AfterEnd   = "BASE64_DATA_AFTER_PADDING"
	Base64NoPadding  = "BASE64_MISSING_PADDING"
	QuotedBroken     = "QUOTED_PRINTABLE_BROKEN"
	UuencodedText    = "UUENCODED_IN_TEXT"
	UnknownCharset   = "UNKNOWN_CHARSET"
	WrongCharset     = "WRONG_CHARSET"
	CharsetConflict  = "CHARSET_CONFLICT"
	FilenameConflict = "FILENAME_CONFLICT"
	FilenameEightBit = "FILENAME_EIGHT_BIT"
	PartialMessage   = "MESSAGE_PARTIAL"
	ExternalBody     = "MESSAGE_EXTERNAL_BODY"

	BareCR        = "BARE_CR"
	BareLF        = "BARE_LF"
	MixedLineEnds = "MIXED_LINE_ENDS"
	NULByte       = "NUL_BYTE"
	LongLine      = "LONG_LINE"

	TooDeep      = "TOO_DEEP"
	TooManyParts = "TOO_MANY_PARTS"
	DecodedLimit = "DECODED_LIMIT"
	ReadingLimit = "READINGS_LIMIT"
	TextLimit    = "TEXT_LIMIT"
	TooMany      = "TOO_MANY_DEFECTS"
)

// DefectCode says what a code means.
type DefectCode struct {
	Code  string
	Means string
}

// DefectCodes lists every code that Parse and View can report, and what the input
// did. The codes are stable: checks and logs build on them.
func DefectCodes() []DefectCode {
	return []DefectCode{
		{MboxFromLine, "the file began with an mbox \"From \" line, which was dropped"},
		{HeaderNoEnd, "the header has no empty line behind it"},
		{HeaderMissing, "a message or part begins with text instead of a header"},
		{HeaderTextBody, "text without an empty line before it follows the header: body to some readers, junk to others"},
		{HeaderTooLong, "the header block is longer than the limit"},
		{HeaderBlankStart, "empty lines stand before the header"},
		{header.HeaderJunkLine, "a line in the header is neither field nor continuation"},
		{header.HeaderBlankFold, "a continuation line of white space only: the end of the header to some readers"},
		{header.HeaderNameSpace, "white space before the colon of a field"},
		{header.BareCRHeader, "a CR without LF inside a field: a line end to some readers"},
		{header.NULHeader, "a NUL inside a field"},
		{header.EightBitHeader, "raw 8-bit bytes in a field"},
		{header.TooManyFields, "more header fields than the limit"},
		{header.AddressSyntax, "an address field with text that isn't an address"},
		{header.AddressUnquotedAt, "an address as unquoted display name of another address"},
		{header.AddressTwoBrackets, "two bracketed addresses without a comma between them"},
		{header.AddressNoBracket, "a \"<\" without its \">\""},
		{header.AddressRoute, "an obsolete source route"},
		{header.AddressSemicolon, "a semicolon between addresses"},
		{header.AddressOpenQuote, "a quoted string without its end in an address field"},
		{header.AddressOpenComment, "a comment without its end in an address field"},
		{header.TooManyAddresses, "more addresses than the limit"},
		{header.ParamSyntax, "a MIME parameter that breaks the grammar"},
		{header.ParamDuplicate, "a MIME parameter given twice with different values"},
		{header.ParamComment, "a comment in a MIME field"},
		{header.ParamEncodedWord, "an RFC 2047 encoded word as a parameter's value"},
		{header.ParamContinued, "a parameter split into RFC 2231 sections"},
		{header.ParamGap, "RFC 2231 sections out of order or with a gap"},
		{header.ParamOpenQuote, "a quoted parameter without its end"},
		{header.ParamConflict, "a parameter given both plainly and RFC 2231 encoded, with different values"},
		{header.ParamUnquoted, "an unquoted parameter value with characters that need quotes"},
		{header.ParamEightBit, "raw 8-bit bytes in a parameter"},
		{header.TooManyParams, "more parameters than the limit"},
		{DuplicateFrom, "more than one From field"},
		{DuplicateSender, "more than one Sender field"},
		{DuplicateReplyTo, "more than one Reply-To field"},
		{DuplicateTo, "more than one To field"},
		{DuplicateCc, "more than one Cc field"},
		{DuplicateSubject, "more than one Subject field"},
		{DuplicateDate, "more than one Date field"},
		{DuplicateMessageID, "more than one Message-ID field"},
		{DuplicateMimeVersion, "more than one MIME-Version field"},
		{DuplicateContentType, "more than one Content-Type field"},
		{DuplicateEncoding, "more than one Content-Transfer-Encoding field"},
		{DuplicateDisposition, "more than one Content-Disposition field"},
		{DuplicateBoundary, "one Content-Type with two different boundaries"},
		{MissingFrom, "no From field"},
		{MissingDate, "no Date field"},
		{MissingMessageID, "no Message-ID field"},
		{MissingBoundary, "a multipart without boundary parameter"},
		{EmptyBoundary, "a multipart with an empty boundary"},
		{LongBoundary, "a boundary over 70 characters"},
		{BoundarySpace, "a boundary that ends in white space, which line trimming removes"},
		{BoundaryOdd, "a boundary written with RFC 2231 or RFC 2047 encoding"},
		{BoundaryReused, "an inner multipart uses the boundary of one around it"},
		{BoundaryPrefix, "one open boundary is the beginning of another"},
		{BoundaryNearMiss, "a line begins with a boundary and goes on: a delimiter to readers that compare the beginning only"},
		{BoundaryBareCR, "a boundary stands behind a bare CR: a delimiter to some readers"},
		{NoClosing, "a multipart isn't closed by its final boundary"},
		{EmptyMultipart, "a multipart without parts"},
		{PreamblePart, "the text before the first boundary looks like a part"},
		{EpiloguePart, "a boundary, and so a part to some readers, behind the closing one"},
		{EpilogueText, "text behind the closing boundary"},
		{BadContentType, "a Content-Type that isn't type/subtype"},
		{TypeComment, "a comment inside the Content-Type's value"},
		{UnknownEncoding, "an unknown Content-Transfer-Encoding"},
		{OddEncoding, "a Content-Transfer-Encoding that is readable only after cleaning"},
		{EncodedComposed, "a multipart or embedded message under base64 or quoted-printable"},
		{EightBitIn7Bit, "8-bit bytes in a body declared 7bit"},
		{Base64Junk, "characters outside the alphabet inside base64"},
		{Base64Padding, "padding in the middle of base64"},
		{Base64AfterEnd, "data behind the padding of base64"},
		{Base64NoPadding, "base64 that stops within a group of four"},
		{QuotedBroken, "an \"=\" in quoted-printable that isn't followed by two hex digits or a line end"},
		{UuencodedText, "a uuencoded file inside text"},
		{UnknownCharset, "an unknown charset label"},
		{WrongCharset, "text that doesn't fit its charset label"},
		{CharsetConflict, "the charset in the HTML differs from the one in the header"},
		{FilenameConflict, "two different names for one file"},
		{FilenameEightBit, "raw 8-bit bytes in a file name"},
		{PartialMessage, "message/partial: a fragment that the client joins"},
		{ExternalBody, "message/external-body: content that the client fetches"},
		{BareCR, "a CR without LF in the body"},
		{BareLF, "an LF without CR in a message that also has CRLF"},
		{MixedLineEnds, "both CRLF and LF end lines"},
		{NULByte, "a NUL byte"},
		{LongLine, "a line over 998 bytes (RFC 5322 2.1.1)"},
		{TooDeep, "parts nested deeper than the limit"},
		{TooManyParts, "more parts than the limit"},
		{DecodedLimit, "more decoded bytes than the limit"},
		{ReadingLimit, "more or larger second readings than the limit: not all were looked at"},
		{TextLimit, "more text, links or HTML than the limit"},
		{TooMany, "more defects than are kept"},
	}
}
