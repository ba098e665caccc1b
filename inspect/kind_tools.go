package inspect

// Kinds that programs beside the decoders state.
const (
	// RuleMatch: a YARA rule of the admin's fits; a [Rule] as text.
	RuleMatch Kind = "RULE_MATCH"
	// ToolDied: a program was ended by a signal while it had the file; which, and by what.
	ToolDied Kind = "TOOL_DIED"
	// ToolLate: a program was ended because its time was over; which.
	ToolLate Kind = "TOOL_LATE"
	// ToolFailed: a program gave up for a reason that isn't the file's; which, and its words.
	ToolFailed Kind = "TOOL_FAILED"
)
