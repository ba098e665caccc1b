package inspect

import (
	"sluice"
	"sluice/inspect"
	"sluice/reason"
)

// facts are the reasons that kinds of facts lead to. A kind that isn't here is told
// in the report only.
var facts = map[inspect.Kind]struct {
	id sluice.Reason
}{
	inspect.TestFile:       {reason.EICAR},
	inspect.DecoderPanic:   {reason.InspectCrashed},
	inspect.Damaged:        {reason.ArchiveDamaged},
	inspect.Bomb:           {reason.ArchiveBomb},
	inspect.ContainsItself: {reason.ArchiveBomb},
	inspect.PasswordWorked: {reason.PasswordInMessage},
	inspect.SizeMismatch:   {reason.FileContradiction},
	inspect.LeadingData:    {reason.FileContradiction},
	inspect.TwoReadings:    {reason.FileContradiction},
	inspect.NameClimbs:     {reason.ArchivePath},
}
