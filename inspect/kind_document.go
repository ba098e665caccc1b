package inspect

// Kinds that decoders of documents, pages, scripts and shortcuts state. Each says
// what is there; the detail is what was seen.

// Macros, and programs in general.
const (
	// MacroCode: the document holds VBA or Basic, whatever it does; the names of its modules.
	MacroCode Kind = "MACRO_CODE"
	// MacroAutorun: a procedure that runs when the document is opened or closed; its name.
	MacroAutorun Kind = "MACRO_AUTORUN"
	// MacroStomped: the macro's source is gone or empty, and its compiled form isn't.
	MacroStomped Kind = "MACRO_STOMPED"
	// MacroLocked: the VBA project asks for a password before it shows its source.
	MacroLocked Kind = "MACRO_LOCKED"
	// SheetMacro: the workbook has a sheet of Excel 4 macros; the sheet's name and whether it is hidden.
	SheetMacro Kind = "SHEET_MACRO"
	// SheetHidden: a sheet of macros is hidden; "hidden" or "very hidden".
	SheetHidden Kind = "SHEET_HIDDEN"
	// CodeRuns: code starts a program or other code; the call.
	CodeRuns Kind = "CODE_RUNS"
	// CodeFetches: code fetches something from the network; the call.
	CodeFetches Kind = "CODE_FETCHES"
	// CodeWrites: code writes files; the call.
	CodeWrites Kind = "CODE_WRITES"
	// CodePersists: code arranges to be started again; the call.
	CodePersists Kind = "CODE_PERSISTS"
	// CodeEvades: code hides its window, lifts protection, or asks whether it is watched; the call.
	CodeEvades Kind = "CODE_EVADES"
	// CodeSurveys: code reads the names of user, machine or folders; the call. Honest macros do as well.
	CodeSurveys Kind = "CODE_SURVEYS"
	// CodeObfuscated: code builds its strings so that a reader does not see them; how.
	CodeObfuscated Kind = "CODE_OBFUSCATED"
	// CodeEncoded: the script is stored in Microsoft's encoding for scripts.
	CodeEncoded Kind = "CODE_ENCODED"
)

// What documents do without a macro.
const (
	// DDECommand: a field, link or formula starts a program by DDE; the command.
	DDECommand Kind = "DDE_COMMAND"
	// RemoteTemplate: the document loads its template from elsewhere; the address.
	RemoteTemplate Kind = "REMOTE_TEMPLATE"
	// RemoteObject: the document loads an object, frame or data from elsewhere; the address.
	RemoteObject Kind = "REMOTE_OBJECT"
	// EmbeddedObject: an object stands in the document; its class or file name.
	EmbeddedObject Kind = "EMBEDDED_OBJECT"
	// EquationObject: an object of the old equation editor, which has known holes.
	EquationObject Kind = "EQUATION_OBJECT"
	// ActiveControl: an ActiveX control stands in the document; its class.
	ActiveControl Kind = "ACTIVE_CONTROL"
	// ActionRuns: a click or a mouse move in the document starts a program or macro; which.
	ActionRuns Kind = "ACTION_RUNS"
	// EncryptedDocument: the document needs a password; how it is encrypted.
	EncryptedDocument Kind = "ENCRYPTED_DOCUMENT"
	// HeaderDisguised: the file begins in a way that one program forgives and another doesn't know.
	HeaderDisguised Kind = "HEADER_DISGUISED"
	// ObjectObfuscated: an object's data is written so that scanners lose it; how.
	ObjectObfuscated Kind = "OBJECT_OBFUSCATED"
	// ObjectUpdates: an object is activated when the document is opened.
	ObjectUpdates Kind = "OBJECT_UPDATES"
)

// PDF.
const (
	// PDFScript: the file holds JavaScript; its beginning.
	PDFScript Kind = "PDF_SCRIPT"
	// PDFLaunch: an action starts a program or file; which.
	PDFLaunch Kind = "PDF_LAUNCH"
	// PDFOpenAction: something is done when the file is opened; what.
	PDFOpenAction Kind = "PDF_OPEN_ACTION"
	// PDFSubmit: a form is sent; where.
	PDFSubmit Kind = "PDF_SUBMIT"
	// PDFRemote: an action opens another document; which.
	PDFRemote Kind = "PDF_REMOTE"
	// PDFAttachment: a file is embedded; its name.
	PDFAttachment Kind = "PDF_ATTACHMENT"
	// PDFObfuscated: names or filters are written so that scanners lose them; how.
	PDFObfuscated Kind = "PDF_OBFUSCATED"
	// PDFPageLink: most of a page is one link; where it leads.
	PDFPageLink Kind = "PDF_PAGE_LINK"
)

// Pages: HTML, XHTML, SVG.
const (
	// PageScript: the page holds script; where (element or attribute).
	PageScript Kind = "PAGE_SCRIPT"
	// PageBuildsFile: script makes a file out of the page itself and hands it to the reader; by which calls.
	PageBuildsFile Kind = "PAGE_BUILDS_FILE"
	// PageWritesItself: script decodes text and writes it into the page; by which calls.
	PageWritesItself Kind = "PAGE_WRITES_ITSELF"
	// PageLiteral: script holds a long encoded literal; its length and what it decodes to.
	PageLiteral Kind = "PAGE_LITERAL"
	// PageClicks: script clicks on something by itself.
	PageClicks Kind = "PAGE_CLICKS"
	// PageRedirects: the page leads elsewhere by itself; where, or how.
	PageRedirects Kind = "PAGE_REDIRECTS"
	// PagePassword: a form asks for a password; where it is sent.
	PagePassword Kind = "PAGE_PASSWORD"
	// PageFrame: a frame or object shows something else in the page; its address.
	PageFrame Kind = "PAGE_FRAME"
	// PageSends: script sends something to an address; the call.
	PageSends Kind = "PAGE_SENDS"
)

// Shortcuts, settings, calendars.
const (
	// ShortcutTarget: what the shortcut opens, with arguments.
	ShortcutTarget Kind = "SHORTCUT_TARGET"
	// ShortcutRuns: the shortcut starts an interpreter or a tool that fetches or runs; which.
	ShortcutRuns Kind = "SHORTCUT_RUNS"
	// ShortcutRemote: the shortcut opens or fetches something on another machine; the address.
	ShortcutRemote Kind = "SHORTCUT_REMOTE"
	// ShortcutPadded: blanks hide the end of the shortcut's arguments; how many.
	ShortcutPadded Kind = "SHORTCUT_PADDED"
	// ShortcutDisguised: the shortcut starts a program and bears the icon of something else; the icon.
	ShortcutDisguised Kind = "SHORTCUT_DISGUISED"
	// ShortcutMachine: the name of the machine on which the shortcut was made. It tells campaigns, and says nothing by itself.
	ShortcutMachine Kind = "SHORTCUT_MACHINE"
	// RemoteDesktop: the file connects to a machine; its address.
	RemoteDesktop Kind = "REMOTE_DESKTOP"
	// RemoteDesktopShares: the connection hands drives, clipboard or more to that machine; what.
	RemoteDesktopShares Kind = "REMOTE_DESKTOP_SHARES"
	// ProfilePayload: a settings profile installs something; the payload's type.
	ProfilePayload Kind = "PROFILE_PAYLOAD"
	// ProfileUnsigned: a settings profile bears no signature.
	ProfileUnsigned Kind = "PROFILE_UNSIGNED"
	// CalendarOrganizer: who sends the invitation; the address.
	CalendarOrganizer Kind = "CALENDAR_ORGANIZER"
	// CalendarAlarm: an alarm of the entry runs a program or sends mail; which.
	CalendarAlarm Kind = "CALENDAR_ALARM"
)
