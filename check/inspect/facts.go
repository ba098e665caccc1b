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

// facts are the reasons that kinds of facts lead to. Those of which none follows are in
// silent, with why.
var facts = map[inspect.Kind]finding{
	inspect.TestFile:       {id: reason.EICAR},
	inspect.DecoderPanic:   {id: reason.InspectCrashed},
	inspect.ToolDied:       {id: reason.InspectCrashed},
	inspect.ToolLate:       {id: reason.InspectExhausted},
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
	inspect.PageSends:        {id: reason.HTMLAttachmentScript, inside: true},
	inspect.PageClicks:       {id: reason.HTMLAttachmentScript, inside: true},
	inspect.PageLiteral:      {id: reason.HTMLAttachmentScript, inside: true},
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

// silent are kinds that are no evidence of their own.
var silent = map[inspect.Kind]string{
	inspect.MacroCode:         "the class macro document: OFFICE_MACRO, and the table",
	inspect.SheetMacro:        "the class macro document; with a deed, DOCUMENT_RUNS",
	inspect.MacroLocked:       "whoever sells a macro locks it",
	inspect.CodeWrites:        "to write a file is what an honest macro does; what fetches, runs or persists is stated",
	inspect.CodeSurveys:       "honest macros read names of users and folders",
	inspect.PageFrame:         "pages have frames; where they lead is judged as a link",
	inspect.ShortcutTarget:    "every shortcut has one; what runs is SHORTCUT_HOSTILE",
	inspect.ShortcutMachine:   "it tells campaigns, and says nothing by itself",
	inspect.ProfilePayload:    "a profile exists to install: the class profile, which the table holds",
	inspect.ProfileUnsigned:   "the class profile; schools and firms don't sign theirs",
	inspect.CalendarOrganizer: "assistants and calendars send in another's name",
	inspect.TrailingData:      "tools pad and append; an archive behind a file is FILE_CONTRADICTION",
	inspect.Unsupported:       "a rare method is no lure; its names count by class, and the file is told as not whole",
	inspect.SplitVolume:       "large files are sent in volumes",
	inspect.SignedContent:     "what was unwrapped is looked into",
	inspect.CodeUnread:        "logos and game boards look like one",
	inspect.CodeNetwork:       "guests get such codes",
	inspect.CodeContact:       "cards and signatures have them; a link in one is judged",
	inspect.ImageAnimated:     "signatures move",
	inspect.ToolFailed:        "our own trouble, and in the operator's log",
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
