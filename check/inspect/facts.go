package inspect

import (
	"strings"

	"sluice"
	"sluice/inspect"
	"sluice/reason"
)

// finding is what a kind of facts leads to.
type finding struct {
	id sluice.Reason
	// inside: of the message's own parts other checks speak (package attachment).
	inside bool
	raw    float64 // decibel where it isn't the reason's; 0: the reason's
}

// weight is the raw evidence of a fact, 0 where it is the reason's own. An inverted code
// alone is what dark designs have.
func (k finding) weight(f inspect.Fact) float64 {
	if f.Kind == inspect.CodeDisguised && strings.Contains(f.Detail, ", inverted: ") {
		return 1
	}
	return k.raw
}

// facts are the reasons that kinds of facts lead to. A kind that isn't here is told in
// the report only: it is no news of a file, or says nothing against one.
var facts = map[inspect.Kind]finding{
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

	inspect.NameDoubleExtension:   {id: reason.DoubleExtension, inside: true},
	inspect.NameDirectionOverride: {id: reason.NameDirectionOverride, inside: true},
	inspect.NamePadded:            {id: reason.NamePadded, inside: true},
	inspect.NameControls:          {id: reason.NameControl, inside: true},
	inspect.TypeConflict:          {id: reason.AttachmentTypeConflict, inside: true},

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

	inspect.EncryptedDocument: {id: reason.DocumentEncrypted},
	inspect.DDECommand:        {id: reason.DocumentRuns},
	inspect.ActionRuns:        {id: reason.DocumentRuns},
	inspect.EquationObject:    {id: reason.DocumentRuns},
	inspect.PDFLaunch:         {id: reason.DocumentRuns},
	inspect.RemoteTemplate:    {id: reason.DocumentRemote},
	inspect.RemoteObject:      {id: reason.DocumentRemote},
	inspect.PDFRemote:         {id: reason.DocumentRemote},
	inspect.EmbeddedObject:    {id: reason.DocumentEmbeds},
	inspect.ActiveControl:     {id: reason.DocumentEmbeds},
	inspect.ObjectUpdates:     {id: reason.DocumentEmbeds},
	inspect.PDFAttachment:     {id: reason.DocumentEmbeds},
	inspect.HeaderDisguised:   {id: reason.CodeHidden},
	inspect.ObjectObfuscated:  {id: reason.CodeHidden},
	inspect.PDFObfuscated:     {id: reason.CodeHidden},
	inspect.PDFScript:         {id: reason.PDFActive},
	inspect.PDFOpenAction:     {id: reason.PDFActive},
	inspect.PDFSubmit:         {id: reason.PDFActive},
	inspect.PDFPageLink:       {id: reason.PDFPageLink},

	inspect.PageBuildsFile:   {id: reason.HTMLSmuggling, inside: true},
	inspect.PageWritesItself: {id: reason.HTMLSmuggling, inside: true},
	inspect.PageScript:       {id: reason.HTMLAttachmentScript, inside: true},
	inspect.PagePassword:     {id: reason.HTMLAttachmentLogin, inside: true},
	inspect.PageRedirects:    {id: reason.PageRedirects},

	inspect.ShortcutRuns:        {id: reason.ShortcutHostile},
	inspect.ShortcutRemote:      {id: reason.ShortcutHostile},
	inspect.ShortcutPadded:      {id: reason.ShortcutHostile},
	inspect.ShortcutDisguised:   {id: reason.ShortcutHostile},
	inspect.RemoteDesktop:       {id: reason.RemoteDesktopFile},
	inspect.RemoteDesktopShares: {id: reason.RemoteDesktopFile},

	inspect.CodeDrawn:     {id: reason.CodeDisguised},
	inspect.CodeSplit:     {id: reason.CodeDisguised},
	inspect.CodeDisguised: {id: reason.CodeDisguised, raw: 3},
	inspect.CodePayment:   {id: reason.CodePays, raw: 1},
	inspect.CodeLogin:     {id: reason.CodePays, raw: 3},
}

// testFile is the anti-malware test file of EICAR, put together here, so that no scanner
// takes this source for it.
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
