package inspect

import "strings"

// Type is what a file is by its content: a short stable name in lower case. More
// may be added; a type that nobody knows is a type like any other.
type Type string

// MaxType bounds the length of a type.
const MaxType = 24

// Valid says whether t is empty or has the form of a type.
func (t Type) Valid() bool {
	if len(t) > MaxType {
		return false
	}
	for i := range len(t) {
		if c := t[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// Archives and disk images.
const (
	Zip      Type = "zip"
	Rar      Type = "rar"
	SevenZip Type = "7z"
	Tar      Type = "tar"
	Gzip     Type = "gzip"
	Bzip2    Type = "bzip2"
	XZ       Type = "xz"
	LZMA     Type = "lzma"
	Zstd     Type = "zstd"
	LZ4      Type = "lz4"
	Compress Type = "compress" // .Z
	Cab      Type = "cab"
	Arj      Type = "arj"
	LHA      Type = "lha"
	Ace      Type = "ace"
	Cpio     Type = "cpio"
	Ar       Type = "ar"
	Xar      Type = "xar"
	ISO      Type = "iso"
	UDF      Type = "udf"
	DiskRaw  Type = "disk" // boot sector or partition table
	VHD      Type = "vhd"
	VHDX     Type = "vhdx"
	VMDK     Type = "vmdk"
	DMG      Type = "dmg"
	WIM      Type = "wim"
	CHM      Type = "chm"
)

// Mail and notes.
const (
	Mail         Type = "mail" // RFC 5322
	TNEF         Type = "tnef"
	Msg          Type = "msg" // Outlook item in OLE
	OneNote      Type = "onenote"
	ICalendar    Type = "icalendar"
	VCard        Type = "vcard"
	MobileConfig Type = "mobileconfig"
	PKCS7        Type = "pkcs7"
	PGP          Type = "pgp"
)

// Documents.
const (
	OLE        Type = "ole" // compound file of no closer kind
	DOC        Type = "doc"
	XLS        Type = "xls"
	PPT        Type = "ppt"
	DOCX       Type = "docx" // with or without macros: class Macro says
	XLSX       Type = "xlsx"
	XLSB       Type = "xlsb"
	PPTX       Type = "pptx"
	VSDX       Type = "vsdx"
	XPS        Type = "xps"
	ODF        Type = "odf"
	WordXML    Type = "wordxml" // flat XML of Office 2003
	RTF        Type = "rtf"
	PDF        Type = "pdf"
	PostScript Type = "postscript"
	HTML       Type = "html"
	MHTML      Type = "mhtml"
	XHTML      Type = "xhtml"
	SVG        Type = "svg"
	XML        Type = "xml"
	EPUB       Type = "epub"
	SYLK       Type = "sylk"
	IQY        Type = "iqy"
	CSV        Type = "csv"
	JSON       Type = "json"
	PlainText  Type = "text"
)

// Programs, scripts, shortcuts.
const (
	PE           Type = "pe"
	DOSProgram   Type = "dos"
	ELF          Type = "elf"
	MachO        Type = "macho"
	JavaClass    Type = "class"
	JAR          Type = "jar"
	APK          Type = "apk"
	DEX          Type = "dex"
	MSI          Type = "msi"
	MSIX         Type = "msix"
	Deb          Type = "deb"
	RPM          Type = "rpm"
	WASM         Type = "wasm"
	Pyc          Type = "pyc"
	LNK          Type = "lnk"
	InternetLink Type = "url"
	Desktop      Type = "desktop"
	RDP          Type = "rdp"
	SettingsLink Type = "settingcontent"
	SearchLink   Type = "search-ms"
	HTA          Type = "hta"
	JavaScript   Type = "javascript"
	JScriptEnc   Type = "jse"
	VBScript     Type = "vbscript"
	VBScriptEnc  Type = "vbe"
	WSF          Type = "wsf"
	PowerShell   Type = "powershell"
	Batch        Type = "batch"
	Shell        Type = "shell"
	AppleScript  Type = "applescript"
	Python       Type = "python"
	Registry     Type = "reg"
	Inf          Type = "inf"
	AutoIt       Type = "autoit"
	Flash        Type = "flash"
)

// Media.
const (
	PNG  Type = "png"
	JPEG Type = "jpeg"
	GIF  Type = "gif"
	BMP  Type = "bmp"
	TIFF Type = "tiff"
	WebP Type = "webp"
	ICO  Type = "ico"
	HEIF Type = "heif"
	EMF  Type = "emf"
	WMF  Type = "wmf"
	PSD  Type = "psd"
	// AudioVideo is any sound or film.
	AudioVideo Type = "media"
	Font       Type = "font"
)

// Class is a set of what policy speaks of.
type Class uint32

// The classes.
const (
	Executable Class = 1 << iota // a machine runs it as it is
	Script                       // an interpreter that comes with the system runs it on a double click
	Shortcut                     // opens something else
	DiskImage                    // mounts on a double click, and hides where its files come from
	Installer                    // installs programs or profiles
	Macro                        // a document that holds programs, whatever they do
	Archive                      // holds other files
	Encrypted                    // can't be read without a password, whether or not one was found
	ActivePage                   // HTML, XHTML or SVG that holds script
	Page                         // HTML, XHTML or SVG
	Document
	Picture
	MailItem
	Media
	Notebook // OneNote and the like
	Profile  // changes settings of a device when opened

	classEnd
)

const allClasses = classEnd - 1

// Valid says whether c holds known classes only.
func (c Class) Valid() bool { return c&^allClasses == 0 }

// Has says whether c holds all of o.
func (c Class) Has(o Class) bool { return c&o == o }

var classNames = [...]string{"executable", "script", "shortcut", "disk image", "installer", "macro document", "archive",
	"encrypted", "active page", "page", "document", "picture", "mail", "media", "notebook", "profile"}

// AllClasses is the set of all.
func AllClasses() Class { return allClasses }

// ParseClass finds a class by the name that String gives it.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}

// String lists the classes: "archive, encrypted".
func (c Class) String() string { return listBits(uint32(c), classNames[:]) }

func listBits(v uint32, names []string) string {
	var b strings.Builder
	for i, n := range names {
		if v&(1<<i) != 0 {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(n)
		}
	}
	return b.String()
}
