package identify

import (
	"slices"
	"strings"

	"sluice/inspect"
)

// Row is a line of the table: what is known about one type.
type Row struct {
	Type  inspect.Type // "" for what only the name tells
	Class inspect.Class
	Exts  string // extensions that systems open as this type, separated by spaces
	// Loose: what opens these extensions reads any content, so that the name alone
	// makes it of this class.
	Loose bool
	How   string // how the type is known
	What  string
}

// Short names keep the table readable.
const (
	executable = inspect.Executable
	script     = inspect.Script
	shortcut   = inspect.Shortcut
	image      = inspect.DiskImage
	installer  = inspect.Installer
	macro      = inspect.Macro
	archive    = inspect.Archive
	page       = inspect.Page
	document   = inspect.Document
	picture    = inspect.Picture
	mail       = inspect.MailItem
	media      = inspect.Media
	notebook   = inspect.Notebook
	profile    = inspect.Profile
)

// Table lists all types. It is the source of docs/file-types.md.
func Table() []Row { return slices.Clone(rows) }

var rows = []Row{
	{inspect.Zip, archive, "zip zipx jar", false, "magic, directory at the end", "ZIP archive"},
	{inspect.Rar, archive, "rar r00 r01 rev", false, "magic", "RAR archive, versions 1.5 to 7"},
	{inspect.SevenZip, archive, "7z", false, "magic", "7-Zip archive"},
	{inspect.Tar, archive, "tar", false, "magic or checksum of the first header", "tar archive"},
	{inspect.Gzip, archive, "gz tgz svgz emz wmz", false, "magic", "gzip stream"},
	{inspect.Bzip2, archive, "bz2 tbz tbz2", false, "magic", "bzip2 stream"},
	{inspect.XZ, archive, "xz txz", false, "magic", "xz stream"},
	{inspect.LZMA, archive, "lzma tlz", false, "plausible header", "LZMA stream"},
	{inspect.Zstd, archive, "zst tzst", false, "magic", "Zstandard stream"},
	{inspect.LZ4, archive, "lz4", false, "magic", "LZ4 frame"},
	{inspect.Compress, archive, "z taz", false, "magic", "compress stream"},
	{inspect.Cab, archive, "cab", false, "magic", "Cabinet"},
	{inspect.Arj, archive, "arj", false, "magic and header size", "ARJ archive"},
	{inspect.LHA, archive, "lha lzh", false, "method in the first header", "LHA archive"},
	{inspect.Ace, archive, "ace", false, "magic", "ACE archive"},
	{inspect.Cpio, archive, "cpio", false, "magic", "cpio archive"},
	{inspect.Ar, archive, "a", false, "magic", "ar archive"},
	{inspect.Xar, archive | installer, "xar pkg", false, "magic", "xar archive, installer of macOS"},
	{inspect.ISO, image, "iso img", false, "volume descriptor", "ISO 9660"},
	{inspect.UDF, image, "udf iso img", false, "volume recognition sequence", "UDF"},
	{inspect.DiskRaw, image, "img ima dd raw", false, "boot sector, partition table", "raw disk image"},
	{inspect.VHD, image, "vhd", false, "footer or its copy", "virtual hard disk"},
	{inspect.VHDX, image, "vhdx avhdx", false, "magic", "virtual hard disk, second version"},
	{inspect.VMDK, image, "vmdk", false, "magic", "VMware disk"},
	{inspect.DMG, image, "dmg", false, "trailer", "disk image of macOS"},
	{inspect.WIM, archive | image, "wim esd swm", false, "magic", "Windows image"},
	{inspect.CHM, document | script, "chm", false, "magic", "compiled HTML help"},

	{inspect.Mail, mail, "eml mbox mbx emlx", false, "header fields", "message"},
	{inspect.TNEF, mail | archive, "tnef", false, "magic", "winmail.dat"},
	{inspect.Msg, mail, "msg oft", false, "streams of the compound file", "Outlook item"},
	{inspect.OneNote, notebook | document, "one onetoc2", false, "magic", "OneNote section"},
	{inspect.ICalendar, document, "ics vcs", false, "first line", "calendar entry"},
	{inspect.VCard, document, "vcf", false, "first line", "address card"},
	{inspect.MobileConfig, profile, "mobileconfig", true, "keys of the property list", "configuration profile"},
	{inspect.PKCS7, document, "p7m p7s p7b p7c", false, "ASN.1", "signed or encrypted CMS content"},
	{inspect.PGP, document, "pgp gpg asc", false, "first line or packet tag", "OpenPGP"},

	{inspect.OLE, document, "", false, "magic", "compound file of no closer kind"},
	{inspect.DOC, document, "doc dot wbk", false, "streams of the compound file", "Word 97-2003"},
	{inspect.XLS, document, "xls xlt xla xlm", false, "streams of the compound file, BIFF", "Excel 97-2003"},
	{inspect.PPT, document, "ppt pps pot", false, "streams of the compound file", "PowerPoint 97-2003"},
	{inspect.DOCX, document, "docx dotx docm dotm", false, "parts of the package", "Word"},
	{inspect.XLSX, document, "xlsx xltx xlsm xltm xlam", false, "parts of the package", "Excel"},
	{inspect.XLSB, document, "xlsb", false, "parts of the package", "Excel, binary"},
	{inspect.PPTX, document, "pptx ppsx potx pptm ppsm potm ppam sldx sldm", false, "parts of the package", "PowerPoint"},
	{inspect.VSDX, document, "vsdx vsdm vstx", false, "parts of the package", "Visio"},
	{inspect.XPS, document, "xps oxps", false, "parts of the package", "XPS"},
	{inspect.ODF, document, "odt ods odp odg odf ott ots otp fodt fods fodp", false, "mimetype entry, root element", "OpenDocument"},
	{inspect.WordXML, document, "", false, "root element", "flat XML of Office"},
	{inspect.RTF, document, "rtf", false, "first letters", "RTF"},
	{inspect.PDF, document, "pdf", false, "%PDF- within the first kilobyte", "PDF"},
	{inspect.PostScript, document, "ps eps ai", false, "first letters", "PostScript"},
	{inspect.HTML, page, "html htm shtml", true, "first tags", "HTML"},
	{inspect.MHTML, page | mail, "mht mhtml", true, "header fields", "web page in one file"},
	{inspect.XHTML, page, "xhtml xht html htm", true, "root element", "XHTML"},
	{inspect.SVG, page | picture, "svg", true, "root element", "SVG"},
	{inspect.XML, 0, "xml rels xsd", false, "declaration", "XML"},
	{inspect.EPUB, document, "epub", false, "mimetype entry", "EPUB"},
	{inspect.SYLK, document, "slk", true, "first letters", "SYLK: spreadsheets as text, with formulas"},
	{inspect.IQY, shortcut, "iqy", true, "first lines", "web query"},
	{inspect.CSV, document, "csv tsv", false, "name of a text", "table as text"},
	{inspect.JSON, 0, "json", false, "shape", "JSON"},
	{inspect.PlainText, 0, "txt log md", false, "no controls", "text"},

	{inspect.PE, executable, "exe dll scr cpl ocx sys drv xll efi mui ax com pif", false, "MZ and the header it leads to", "Windows program"},
	{inspect.DOSProgram, executable, "com exe pif", true, "MZ and plausible counts", "DOS program"},
	{inspect.ELF, executable, "elf so o ko", false, "magic", "program of Linux and others"},
	{inspect.MachO, executable, "dylib macho", false, "magic", "program of macOS"},
	{inspect.JavaClass, executable, "class", false, "magic and version", "Java class"},
	{inspect.JAR, executable | archive, "jar war", true, "manifest and classes", "Java archive"},
	{inspect.APK, executable | archive | installer, "apk xapk", false, "manifest and code", "Android package"},
	{inspect.DEX, executable, "dex", false, "magic", "Android code"},
	{inspect.MSI, executable | installer, "msi msp mst", false, "class of the compound file", "Windows Installer"},
	{inspect.MSIX, executable | installer | archive, "msix appx msixbundle appxbundle", false, "manifest", "Windows app package"},
	{inspect.Deb, installer | archive, "deb udeb ipk", false, "first member", "Debian package"},
	{inspect.RPM, installer, "rpm", false, "magic", "RPM package"},
	{inspect.WASM, executable, "wasm", false, "magic", "WebAssembly"},
	{inspect.Pyc, executable | script, "pyc pyo", false, "magic", "compiled Python"},
	{inspect.LNK, shortcut, "lnk", true, "magic and class", "Windows shortcut"},
	{inspect.InternetLink, shortcut, "url website webloc", true, "first line", "internet shortcut"},
	{inspect.Desktop, shortcut, "desktop", true, "first line", "desktop entry"},
	{inspect.RDP, shortcut, "rdp", true, "settings", "remote desktop connection"},
	{inspect.SettingsLink, shortcut, "settingcontent-ms", true, "root element", "settings shortcut, runs commands"},
	{inspect.SearchLink, shortcut, "search-ms searchconnector-ms library-ms", true, "root element", "search connector, opens remote folders"},
	{inspect.HTA, script | executable, "hta", true, "tag", "HTML application"},
	{inspect.JavaScript, script, "js mjs jscript", true, "name of a text, calls of Windows Script Host", "JavaScript"},
	{inspect.JScriptEnc, script, "jse", true, "magic", "encoded JScript"},
	{inspect.VBScript, script, "vbs vb", true, "name of a text, calls of Windows Script Host", "VBScript"},
	{inspect.VBScriptEnc, script, "vbe", true, "magic", "encoded VBScript"},
	{inspect.WSF, script, "wsf wsc wsh sct ws", true, "root element", "Windows script file or component"},
	{inspect.PowerShell, script, "ps1 psm1 psd1 ps1xml psc1 cdxml", true, "name of a text, commands", "PowerShell"},
	{inspect.Batch, script, "bat cmd", true, "name of a text, first command", "batch file"},
	{inspect.Shell, script, "sh bash zsh ksh command tool", true, "first line", "shell script"},
	{inspect.AppleScript, script, "scpt applescript scptd", true, "magic, name", "AppleScript"},
	{inspect.Python, script, "py pyw", true, "first line, name of a text", "Python"},
	{inspect.Registry, script, "reg", true, "first line", "registry entries"},
	{inspect.Inf, installer | script, "inf", true, "sections", "setup information"},
	{inspect.AutoIt, script, "au3 a3x ahk", true, "magic, name", "AutoIt, AutoHotkey"},
	{inspect.Flash, executable, "swf", false, "magic", "Flash film"},

	{inspect.PNG, picture, "png apng", false, "magic", "PNG"},
	{inspect.JPEG, picture, "jpg jpeg jpe jfif", false, "magic", "JPEG"},
	{inspect.GIF, picture, "gif", false, "magic", "GIF"},
	{inspect.BMP, picture, "bmp dib", false, "magic and header size", "BMP"},
	{inspect.TIFF, picture, "tif tiff", false, "magic", "TIFF"},
	{inspect.WebP, picture, "webp", false, "magic", "WebP"},
	{inspect.ICO, picture, "ico cur", false, "plausible header", "icon"},
	{inspect.HEIF, picture, "heif heic avif", false, "brand", "HEIF, AVIF"},
	{inspect.EMF, picture, "emf", false, "header", "enhanced metafile"},
	{inspect.WMF, picture, "wmf", false, "magic", "metafile"},
	{inspect.PSD, picture, "psd", false, "magic", "Photoshop"},
	{inspect.AudioVideo, media, "mp3 mp4 m4a m4v mov avi wav flac ogg oga ogv opus mkv webm wma wmv mpg mpeg aac aif aiff mid midi amr 3gp", false, "magic", "sound or film"},
	{inspect.Font, 0, "ttf otf woff woff2 ttc eot", false, "magic", "font"},

	{"", shortcut, "scf appref-ms jnlp webbundle theme themepack deskthemepack", true, "name", "opens something else"},
	{"", script, "msc shb shs mof job xbap action workflow terminal vsto cs fsx php pl rb", true, "name", "runs in a program that comes with the system or with common software"},
	{"", executable, "gadget hlp ops prg diagcab diagpkg appimage app", true, "name", "runs"},
	{"", installer, "application manifest ppkg mpkg snap flatpak crx xpi vsix oxt", true, "name", "installs something"},
	{"", macro | document, "ade adp mde mda mdz mdb accdb accde mdw xll xlw wiz", true, "name", "holds programs"},
}

// extension is what the table says about one.
type extension struct {
	Class inspect.Class
	loose inspect.Class // the part that holds whatever the content is
	types []inspect.Type
}

var (
	classOfType = map[inspect.Type]inspect.Class{}
	classOfExt  = map[string]extension{}
)

func init() {
	for _, r := range rows {
		if r.Type != "" {
			classOfType[r.Type] = r.Class
		}
		for e := range strings.FieldsSeq(r.Exts) {
			x := classOfExt[e]
			x.Class |= r.Class
			if r.Loose {
				x.loose |= r.Class
			}
			if r.Type != "" {
				x.types = append(x.types, r.Type)
			}
			classOfExt[e] = x
		}
	}
	// Extensions that promise macros.
	for e := range strings.FieldsSeq("docm dotm xlsm xltm xlam pptm ppsm potm ppam sldm vsdm xla") {
		x := classOfExt[e]
		x.Class |= macro
		classOfExt[e] = x
	}
}

func byExt(ext string) extension { return classOfExt[ext] }

// allows says whether an extension's file may well have a type: one of its own, or
// one that nobody would call a disguise.
func (x extension) allows(t inspect.Type, c inspect.Class) bool {
	switch {
	case len(x.types) == 0, slices.Contains(x.types, t):
		return true
	case x.Class&(picture|media) != 0 && c&(picture|media) != 0 && x.Class&page == 0 && c&page == 0:
		return true
	case isText(t) && c&(active|page) == 0 && slices.ContainsFunc(x.types, isText):
		return true
	}
	return false
}

// isText says whether a type is plain text to an editor.
func isText(t inspect.Type) bool {
	switch t {
	case inspect.PlainText, inspect.CSV, inspect.JSON, inspect.XML, inspect.HTML, inspect.XHTML, inspect.SVG, inspect.Mail, inspect.ICalendar,
		inspect.VCard, inspect.PGP, inspect.SYLK, inspect.IQY, inspect.InternetLink, inspect.Desktop, inspect.RDP, inspect.JavaScript, inspect.VBScript,
		inspect.WSF, inspect.PowerShell, inspect.Batch, inspect.Shell, inspect.Python, inspect.Registry, inspect.Inf, inspect.HTA, inspect.MHTML, inspect.AppleScript:
		return true
	}
	return false
}
