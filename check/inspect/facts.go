package inspect

import (
	"sluice"
	"sluice/inspect"
	"sluice/reason"
)

// facts are the reasons that kinds of facts lead to. A kind that isn't here is told in
// the report only: it is no news of a file, or says nothing against one.
var facts = map[inspect.Kind]struct {
	id sluice.Reason
	// inside: of the message's own parts other checks speak (package attachment).
	inside bool
}{
	inspect.TestFile:       {id: reason.EICAR},
	inspect.DecoderPanic:   {id: reason.InspectCrashed},
	inspect.Damaged:        {id: reason.ArchiveDamaged},
	inspect.Bomb:           {id: reason.ArchiveBomb},
	inspect.ContainsItself: {id: reason.ArchiveBomb},
	inspect.PasswordWorked: {id: reason.PasswordInMessage},

	inspect.SizeMismatch:    {id: reason.FileContradiction},
	inspect.LeadingData:     {id: reason.FileContradiction},
	inspect.TwoReadings:     {id: reason.FileContradiction},
	inspect.EntriesOverlap:  {id: reason.FileContradiction},
	inspect.DuplicateName:   {id: reason.FileContradiction},
	inspect.HiddenEntry:     {id: reason.FileContradiction},
	inspect.AppendedArchive: {id: reason.FileContradiction},
	inspect.NameStream:      {id: reason.FileContradiction},
	inspect.NameClimbs:      {id: reason.ArchivePath},
	inspect.LinkEntry:       {id: reason.ArchivePath},

	inspect.NameDoubleExtension:   {reason.DoubleExtension, true},
	inspect.NameDirectionOverride: {reason.NameDirectionOverride, true},
	inspect.NamePadded:            {reason.NamePadded, true},
	inspect.NameControls:          {reason.NameControl, true},
	inspect.TypeConflict:          {reason.AttachmentTypeConflict, true},

	inspect.MacroAutorun:   {id: reason.MacroAutorun},
	inspect.CodeRuns:       {id: reason.CodeSuspicious},
	inspect.CodeFetches:    {id: reason.CodeSuspicious},
	inspect.CodePersists:   {id: reason.CodeSuspicious},
	inspect.CodeEvades:     {id: reason.CodeSuspicious},
	inspect.CalendarAlarm:  {id: reason.CodeSuspicious},
	inspect.CodeObfuscated: {id: reason.CodeHidden},
	inspect.CodeEncoded:    {id: reason.CodeHidden},
	inspect.MacroStomped:   {id: reason.CodeHidden},
	inspect.SheetHidden:    {id: reason.CodeHidden},

	inspect.DDECommand:       {id: reason.DocumentRuns},
	inspect.ActionRuns:       {id: reason.DocumentRuns},
	inspect.EquationObject:   {id: reason.DocumentRuns},
	inspect.PDFLaunch:        {id: reason.DocumentRuns},
	inspect.RemoteTemplate:   {id: reason.DocumentRemote},
	inspect.RemoteObject:     {id: reason.DocumentRemote},
	inspect.PDFRemote:        {id: reason.DocumentRemote},
	inspect.EmbeddedObject:   {id: reason.DocumentEmbeds},
	inspect.ActiveControl:    {id: reason.DocumentEmbeds},
	inspect.ObjectUpdates:    {id: reason.DocumentEmbeds},
	inspect.PDFAttachment:    {id: reason.DocumentEmbeds},
	inspect.HeaderDisguised:  {id: reason.CodeHidden},
	inspect.ObjectObfuscated: {id: reason.CodeHidden},
	inspect.PDFObfuscated:    {id: reason.CodeHidden},
	inspect.PDFScript:        {id: reason.PDFActive},
	inspect.PDFOpenAction:    {id: reason.PDFActive},
	inspect.PDFSubmit:        {id: reason.PDFActive},
	inspect.PDFPageLink:      {id: reason.PDFPageLink},

	inspect.PageBuildsFile:   {reason.HTMLSmuggling, true},
	inspect.PageWritesItself: {reason.HTMLSmuggling, true},
	inspect.PageScript:       {reason.HTMLAttachmentScript, true},
	inspect.PagePassword:     {reason.HTMLAttachmentLogin, true},
	inspect.PageRedirects:    {id: reason.PageRedirects},

	inspect.ShortcutRuns:        {id: reason.ShortcutHostile},
	inspect.ShortcutRemote:      {id: reason.ShortcutHostile},
	inspect.ShortcutPadded:      {id: reason.ShortcutHostile},
	inspect.ShortcutDisguised:   {id: reason.ShortcutHostile},
	inspect.RemoteDesktop:       {id: reason.RemoteDesktopFile},
	inspect.RemoteDesktopShares: {id: reason.RemoteDesktopFile},

	inspect.CodeDrawn:     {id: reason.CodeDisguised},
	inspect.CodeSplit:     {id: reason.CodeDisguised},
	inspect.CodeDisguised: {id: reason.CodeDisguised},
	inspect.CodePayment:   {id: reason.CodePays},
	inspect.CodeLogin:     {id: reason.CodePays},
}

// testFile is the anti-malware test file of EICAR, put together here, so that no scanner
// takes this program for it.
const testFile = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"

// deeds are what makes a macro that runs by itself more than a convenience.
var deeds = map[inspect.Kind]bool{inspect.CodeRuns: true, inspect.CodeFetches: true, inspect.CodePersists: true}

// runs finds files whose macros start or fetch something by themselves, and in words
// what they do.
func runs(r *inspect.Report) map[int]string {
	starts, does := map[int]string{}, map[int]string{}
	for _, f := range r.Facts {
		switch {
		case f.Kind == inspect.MacroAutorun || f.Kind == inspect.SheetMacro:
			starts[f.File] = f.Detail
		case deeds[f.Kind] && does[f.File] == "":
			does[f.File] = f.Detail
		}
	}
	out := map[int]string{}
	for i, what := range does {
		if by, ok := starts[i]; ok && i >= 0 && i < len(r.Files) {
			out[i] = by + ", " + what
		}
	}
	return out
}
