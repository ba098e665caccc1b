package inspect

// Kinds about names and types, of every file wherever it stands.
const (
	// NameDoubleExtension: a harmless extension before one that does something.
	NameDoubleExtension Kind = "NAME_DOUBLE_EXTENSION"
	// NameDirectionOverride: characters that turn the direction of writing.
	NameDirectionOverride Kind = "NAME_DIRECTION_OVERRIDE"
	// NamePadded: trailing dots or spaces, or a gap before the extension.
	NamePadded Kind = "NAME_PADDED"
	// NameControls: NUL or other control characters, or invisible ones.
	NameControls Kind = "NAME_CONTROLS"
	// NameStream: a colon that makes an alternate data stream of it.
	NameStream Kind = "NAME_STREAM"
	// TypeConflict: the content is of another type than the extension or the
	// declared media type says.
	TypeConflict Kind = "TYPE_CONFLICT"
)

// Kinds about containers.
const (
	// EntriesOverlap: entries of an archive share the same bytes.
	EntriesOverlap Kind = "ENTRIES_OVERLAP"
	// DuplicateName: two entries of one container have the same name.
	DuplicateName Kind = "DUPLICATE_NAME"
	// HiddenEntry: an entry that the container's own directory doesn't list.
	HiddenEntry Kind = "HIDDEN_ENTRY"
	// Unsupported: a method or feature that is not unpacked here.
	Unsupported Kind = "UNSUPPORTED"
	// SplitVolume: one of several volumes of an archive.
	SplitVolume Kind = "SPLIT_VOLUME"
	// LinkEntry: an entry is a link; the detail says where it leads.
	LinkEntry Kind = "LINK_ENTRY"
	// AppendedArchive: an archive stands behind or in a file of another kind.
	AppendedArchive Kind = "APPENDED_ARCHIVE"
	// SignedContent: the content of a signature was unwrapped; it is not verified.
	SignedContent Kind = "SIGNED_CONTENT"
	// TestFile: the harmless file or line that tests scanners; the detail says which.
	TestFile Kind = "TEST_FILE"
)
