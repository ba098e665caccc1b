package inspect

// Kinds that the decoders of images state. A code is what a phone reads: a QR code
// and its relatives.
const (
	// CodeDrawn: a code that no image holds: it is drawn with characters or with the
	// cells of a table. The detail says with what.
	CodeDrawn Kind = "CODE_DRAWN"
	// CodeSplit: a code that is whole only where several images stand side by side.
	CodeSplit Kind = "CODE_SPLIT"
	// CodeDisguised: a code that programs miss and phones read: inverted, pale,
	// coloured, in a later frame of an animation. The detail says how.
	CodeDisguised Kind = "CODE_DISGUISED"
	// CodeUnread: what looks like a code, with its three corners, and could not be read.
	CodeUnread Kind = "CODE_UNREAD"
	// CodePayment: the code asks for a payment; the detail names the scheme.
	CodePayment Kind = "CODE_PAYMENT"
	// CodeLogin: the code links a device to an account or adds a second factor; the
	// detail names the scheme.
	CodeLogin Kind = "CODE_LOGIN"
	// CodeNetwork: the code joins a wireless network; the detail is its name.
	CodeNetwork Kind = "CODE_NETWORK"
	// CodeContact: the code is a card, or opens a mail, call or text message to somebody.
	CodeContact Kind = "CODE_CONTACT"
	// ImageAnimated: the image has several frames; the detail says how many.
	ImageAnimated Kind = "IMAGE_ANIMATED"
)
