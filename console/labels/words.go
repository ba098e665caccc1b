package labels

import "sluice"

// Words for people.
var (
	stateWords = map[sluice.FeedbackState]string{sluice.FeedbackApplied: "learned", sluice.FeedbackHeld: "waits", sluice.FeedbackRefused: "not learned"}
	kindWords  = map[sluice.FeedbackKind]string{sluice.FeedbackLabel: "label", sluice.FeedbackUndo: "took back", sluice.FeedbackCounter: "trained against",
		sluice.FeedbackAccept: "accepted"}
	settledWords = map[sluice.FeedbackKind]string{sluice.FeedbackUndo: "taken back", sluice.FeedbackCounter: "trained against", sluice.FeedbackAccept: "accepted"}
	sourceWords  = map[sluice.Source]string{sluice.SourceAdmin: "admin", sluice.SourceLearn: "sorted mail", sluice.SourceTrap: "spamtrap",
		sluice.SourceRelease: "released", sluice.SourceReport: "report", sluice.SourceFolder: "moved in a folder"}
)

// StateWords says what came of a label.
func StateWords(s sluice.FeedbackState) string { return stateWords[s] }

// KindWords says what an entry did.
func KindWords(k sluice.FeedbackKind) string { return kindWords[k] }

// SettledWords says what became of a label later.
func SettledWords(k sluice.FeedbackKind) string { return settledWords[k] }

// SourceWords says by which way a label came.
func SourceWords(s sluice.Source) string { return sourceWords[s] }
