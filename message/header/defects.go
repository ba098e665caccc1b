package header

// Codes of the defects that this package reports; package message has the table
// with their meanings.
const (
	HeaderJunkLine  = "HEADER_JUNK_LINE"
	HeaderBlankFold = "HEADER_BLANK_FOLD"
	HeaderNameSpace = "HEADER_NAME_SPACE"
	BareCRHeader    = "BARE_CR_HEADER"
	NULHeader       = "NUL_HEADER"
	EightBitHeader  = "EIGHT_BIT_HEADER"
	TooManyFields   = "TOO_MANY_FIELDS"

	AddressSyntax      = "ADDRESS_SYNTAX"
	AddressUnquotedAt  = "ADDRESS_UNQUOTED_AT"
	AddressTwoBrackets = "ADDRESS_TWO_BRACKETS"
	AddressNoBracket   = "ADDRESS_NO_CLOSING_BRACKET"
	AddressRoute       = "ADDRESS_ROUTE"
	AddressSemicolon   = "ADDRESS_SEMICOLON"
	AddressOpenQuote   = "ADDRESS_OPEN_QUOTE"
	AddressOpenComment = "ADDRESS_OPEN_COMMENT"
	TooManyAddresses   = "TOO_MANY_ADDRESSES"

	ParamSyntax      = "PARAM_SYNTAX"
	ParamDuplicate   = "PARAM_DUPLICATE"
	ParamComment     = "PARAM_COMMENT"
	ParamEncodedWord = "PARAM_ENCODED_WORD"
	ParamContinued   = "PARAM_CONTINUED"
	ParamGap         = "PARAM_CONTINUATION_GAP"
	ParamOpenQuote   = "PARAM_OPEN_QUOTE"
	ParamConflict    = "PARAM_PLAIN_AND_ENCODED"
	ParamUnquoted    = "PARAM_UNQUOTED_SPECIALS"
	ParamEightBit    = "PARAM_EIGHT_BIT"
	TooManyParams    = "TOO_MANY_PARAMS"
)
