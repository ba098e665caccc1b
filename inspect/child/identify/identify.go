// Package identify names the type of a file by its content, and the classes that
// policy speaks of by content and name. The sender's word (name, declared media
// type) decides only where the content leaves it open, as for scripts, which are
// text until somebody opens them. One table ([Table]) holds what is known of each
// type; docs/file-types.md is made of it.
package identify

import (
	"bytes"
	"slices"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child/archive/zip"
	"sluice/inspect/child/document/cfb"
)

// Identify names a file's type and classes. content is nil for a file that can't be
// read: then its name says the class. It is the frame's Identify.
func Identify(name, declared string, content []byte) (inspect.Type, inspect.Class) {
	ext := Extension(name)
	x := byExt(ext)
	if content == nil {
		return "", x.Class
	}
	if len(content) == 0 {
		return "", 0
	}
	t, c := byContent(ext, declared, content)
	c |= classOfType[t]
	switch {
	case t == "":
		c |= x.Class
	default:
		// What opens these names reads any content, be it a picture at first sight.
		c |= x.loose
	}
	return t, c
}

// ByName is the class that a name promises.
func ByName(name string) inspect.Class { return byExt(Extension(name)).Class }

// byContent returns the type, and classes beyond those of the type.
func byContent(ext, declared string, b []byte) (inspect.Type, inspect.Class) {
	t := byMagic(b)
	switch t {
	case inspect.Zip:
		return zipKind(b)
	case inspect.OLE:
		return oleKind(ext, b)
	case "":
	default:
		return t, 0
	}
	if text, ok := asText(b); ok {
		return textKind(ext, declared, text)
	}
	if zip.AtEnd(b) {
		return zipKind(b)
	}
	if bytes.Contains(b[:min(len(b), 1024)], []byte("%PDF-")) {
		return inspect.PDF, 0
	}
	return noisy(ext, declared, b)
}

// maxNames bounds the entries of a package that are looked at for its kind.
const maxNames = 4000

// zipKind tells documents and programs among zip archives by their entries.
func zipKind(b []byte) (inspect.Type, inspect.Class) {
	var t inspect.Type
	var c inspect.Class
	var manifest, class, content, android, dex bool
	mimetype := zip.First(b, "mimetype", 100)
	for name := range zip.Names(b, maxNames) {
		n := strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
		top, rest, _ := strings.Cut(n, "/")
		switch {
		case n == "[content_types].xml":
			content = true
		case n == "meta-inf/manifest.mf":
			manifest = true
		case strings.HasSuffix(n, ".class"):
			class = true
		case n == "androidmanifest.xml":
			android = true
		case n == "classes.dex":
			dex = true
		case n == "appxmanifest.xml", n == "appxmetadata/appxbundlemanifest.xml":
			t = inspect.MSIX
		case n == "word/document.xml":
			t = inspect.DOCX
		case n == "xl/workbook.bin":
			t = inspect.XLSB
		case n == "fixeddocseq.fdseq", strings.HasSuffix(n, ".fdseq"):
			t = inspect.XPS
		case top == "word" && t == "":
			t = inspect.DOCX
		case top == "xl" && t == "":
			t = inspect.XLSX
		case top == "ppt" && t == "":
			t = inspect.PPTX
		case top == "visio" && t == "":
			t = inspect.VSDX
		}
		switch {
		case strings.HasSuffix(n, "vbaproject.bin"), top == "xl" && strings.HasPrefix(rest, "macrosheets/"):
			c |= macro
		case (top == "basic" || top == "scripts") && strings.HasPrefix(mimetype, "application/vnd.oasis") && rest != "":
			c |= macro
		}
	}
	switch {
	case strings.HasPrefix(mimetype, "application/epub"):
		return inspect.EPUB, c
	case strings.HasPrefix(mimetype, "application/vnd.oasis"), strings.HasPrefix(mimetype, "application/vnd.sun.xml"):
		return inspect.ODF, c
	case android && dex:
		return inspect.APK, 0
	case t == inspect.MSIX, t == inspect.XPS:
		return t, c
	case t != "" && content:
		return t, c
	case manifest && class:
		return inspect.JAR, 0
	}
	return inspect.Zip, c & macro
}

// installers are the classes of Windows Installer's files: package, patch, transform.
var installers = [...][16]byte{classID(0x84), classID(0x86), classID(0x82)}

// classID is {000C10xx-0000-0000-C000-000000000046} as it is stored.
func classID(x byte) [16]byte {
	return [16]byte{x, 0x10, 0x0c, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46}
}

// oleKind tells what a compound file is by its streams and the class of its root.
func oleKind(ext string, b []byte) (inspect.Type, inspect.Class) {
	f, err := cfb.Open(b)
	if err != nil {
		return inspect.OLE, 0
	}
	t := inspect.OLE
	var c inspect.Class
	for i, e := range f.Entries {
		switch {
		case i == 0:
			if slices.Contains(installers[:], e.CLSID) {
				return inspect.MSI, 0
			}
		case e.Path == "WordDocument":
			t = inspect.DOC
		case (e.Path == "Workbook" || e.Path == "Book") && t == inspect.OLE:
			t = inspect.XLS
		case e.Path == "PowerPoint Document":
			t = inspect.PPT
		case strings.HasPrefix(e.Path, "__properties_version1.0") && t == inspect.OLE:
			t = inspect.Msg
		case e.Name == "EncryptedPackage":
			c |= inspect.Encrypted | document
		case e.Name == "VBA" || e.Name == "_VBA_PROJECT_CUR" || e.Name == "Macros" || e.Name == "_VBA_PROJECT":
			c |= macro
		}
	}
	if t == inspect.OLE && (ext == "msi" || ext == "msp" || ext == "mst") {
		return inspect.MSI, c
	}
	return t, c
}
