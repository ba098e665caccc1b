package identify

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"sluice/inspect"
)

// headText is how much of a text decides what it is; scripts in pages are looked
// for everywhere.
const headText = 16 << 10

// asText returns the content as bytes of ASCII or a superset where it looks like
// text: UTF-16 is narrowed, a byte order mark removed.
func asText(b []byte) ([]byte, bool) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		b = b[3:]
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return narrow(b[2:], binary.LittleEndian), true
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return narrow(b[2:], binary.BigEndian), true
	case len(b) >= 8 && b[0] != 0 && b[1] == 0 && b[2] != 0 && b[3] == 0 && b[5] == 0 && b[7] == 0 && b[4] != 0:
		return narrow(b, binary.LittleEndian), true
	case len(b) >= 8 && b[0] == 0 && b[1] != 0 && b[2] == 0 && b[3] != 0 && b[4] == 0 && b[6] == 0 && b[5] != 0:
		return narrow(b, binary.BigEndian), true
	}
	head := b[:min(len(b), 4096)]
	odd, high := 0, 0
	for _, c := range head {
		switch {
		case c == 0:
			odd += 4
		case c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b && c != 0x1a:
			odd++
		case c >= 0x80:
			high++
		}
	}
	if odd > len(head)/64 {
		return nil, false
	}
	if high > len(head)/3 && !mostlyUTF8(head) {
		return nil, false
	}
	return b, true
}

func mostlyUTF8(b []byte) bool {
	bad, all := 0, 0
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		all++
		b = b[n:]
	}
	return bad*20 <= all
}

// narrow keeps what is ASCII in UTF-16; the rest becomes a question mark.
func narrow(b []byte, order binary.ByteOrder) []byte {
	b = b[:min(len(b), 8<<20)]
	out := make([]byte, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		c := order.Uint16(b)
		if c > 0x7f {
			c = '?'
		}
		out = append(out, byte(c))
	}
	return out
}

// lead is a text that begins so, in lower case.
var leads = []struct {
	begin string
	is    inspect.Type
}{
	{"windows registry editor version", inspect.Registry}, {"regedit4", inspect.Registry},
	{"[internetshortcut", inspect.InternetLink}, {"[{000214a0-0000-0000-c000-000000000046}]", inspect.InternetLink},
	{"[desktop entry]", inspect.Desktop},
	{"begin:vcalendar", inspect.ICalendar}, {"begin:vcard", inspect.VCard},
	{"-----begin pgp message", inspect.PGP}, {"-----begin pgp signed", inspect.PGP},
	{"-----begin pkcs7", inspect.PKCS7}, {"-----begin cms", inspect.PKCS7},
	{"id;p", inspect.SYLK},
	{"web\r\n1", inspect.IQY}, {"web\n1", inspect.IQY},
	{"@echo off", inspect.Batch}, {"@echo  off", inspect.Batch}, {"@if ", inspect.Batch}, {"@set ", inspect.Batch}, {"@powershell", inspect.Batch}, {"@start ", inspect.Batch},
	{"screen mode id:i:", inspect.RDP}, {"full address:s:", inspect.RDP},
	{"%!ps", inspect.PostScript},
}

// named are the extensions whose files are text until somebody opens them.
var named = map[string]inspect.Type{
	"js": inspect.JavaScript, "mjs": inspect.JavaScript, "jscript": inspect.JavaScript, "jse": inspect.JScriptEnc,
	"vbs": inspect.VBScript, "vb": inspect.VBScript, "vbe": inspect.VBScriptEnc,
	"wsf": inspect.WSF, "wsc": inspect.WSF, "sct": inspect.WSF, "wsh": inspect.WSF, "ws": inspect.WSF,
	"ps1": inspect.PowerShell, "psm1": inspect.PowerShell, "psd1": inspect.PowerShell,
	"bat": inspect.Batch, "cmd": inspect.Batch,
	"hta": inspect.HTA, "reg": inspect.Registry, "inf": inspect.Inf, "url": inspect.InternetLink, "website": inspect.InternetLink,
	"desktop": inspect.Desktop, "rdp": inspect.RDP, "iqy": inspect.IQY, "slk": inspect.SYLK,
	"sh": inspect.Shell, "bash": inspect.Shell, "command": inspect.Shell, "zsh": inspect.Shell, "ksh": inspect.Shell,
	"py": inspect.Python, "pyw": inspect.Python, "au3": inspect.AutoIt, "ahk": inspect.AutoIt, "applescript": inspect.AppleScript,
	"html": inspect.HTML, "htm": inspect.HTML, "shtml": inspect.HTML, "xhtml": inspect.XHTML, "xht": inspect.XHTML, "svg": inspect.SVG,
	"mht": inspect.MHTML, "mhtml": inspect.MHTML, "eml": inspect.Mail,
	"csv": inspect.CSV, "tsv": inspect.CSV, "ics": inspect.ICalendar, "vcf": inspect.VCard, "com": inspect.DOSProgram,
}

// declaredAs are media types that readers go by where a name is missing.
var declaredAs = map[string]inspect.Type{
	"text/html": inspect.HTML, "application/xhtml+xml": inspect.XHTML, "image/svg+xml": inspect.SVG, "message/rfc822": inspect.Mail,
	"text/calendar": inspect.ICalendar, "text/vcard": inspect.VCard, "text/csv": inspect.CSV,
	"application/javascript": inspect.JavaScript, "text/javascript": inspect.JavaScript, "application/x-javascript": inspect.JavaScript,
	"application/hta": inspect.HTA, "application/x-apple-aspen-config": inspect.MobileConfig,
}

// textKind tells what a text is: by its first words, then its name, then by what it
// calls.
func textKind(ext, declared string, b []byte) (inspect.Type, inspect.Class) {
	head := bytes.TrimLeft(b[:min(len(b), headText)], " \t\r\n\x00")
	lower := bytes.ToLower(head)
	t := byLead(lower)
	if t == "" {
		t = markup(lower)
	}
	if t == "" {
		t = mailOrPage(lower)
	}
	byName, known := named[ext]
	if !known {
		byName = declaredAs[declared]
	}
	switch {
	case byName != "" && (t == "" || overrides(byName, t)):
		t = byName
	case t == "":
		t = byCalls(lower)
	}
	switch t {
	case inspect.HTML, inspect.XHTML, inspect.SVG, inspect.MHTML:
		if Active(b) {
			return t, inspect.ActivePage
		}
	case inspect.WordXML:
		if bytes.Contains(b, []byte("macrosPresent=\"yes\"")) || bytes.Contains(b, []byte("w:binData")) {
			return t, macro
		}
	case inspect.ODF:
		if bytes.Contains(b, []byte("<office:script")) {
			return t, macro
		}
	case "":
		t = inspect.PlainText
	}
	return t, 0
}

// noisy tells what octets that are no text are all the same to a reader that skips what
// it doesn't know: a message whose parts are binary, a page or script among NULs.
func noisy(ext, declared string, b []byte) (inspect.Type, inspect.Class) {
	lower := bytes.ToLower(bytes.TrimLeft(b[:min(len(b), headText)], " \t\r\n\x00"))
	t := mailOrPage(lower)
	if t == "" {
		t = markup(lower)
	}
	if t == "" {
		if t = named[ext]; t == "" {
			t = declaredAs[declared]
		}
		if c := classOfType[t]; t == inspect.DOSProgram || t != inspect.Mail && c&(script|executable|page) == 0 {
			return "", 0
		}
	}
	switch t {
	case inspect.HTML, inspect.XHTML, inspect.SVG, inspect.MHTML:
		if Active(b) {
			return t, inspect.ActivePage
		}
	}
	return t, 0
}

// overrides says whether a name makes more of a text than its first words do: an
// HTML page called .hta is a program, and one called .js fails or is a polyglot.
func overrides(byName, t inspect.Type) bool {
	c := classOfType[byName]
	switch {
	case byName == inspect.MHTML && t == inspect.Mail:
		return true
	case byName == inspect.DOSProgram:
		return false
	case t == inspect.Shell: // a first line for Unix, in a script that has its own way to run
		return c&script != 0
	}
	return c&(script|executable) != 0 && classOfType[t]&(script|executable) == 0
}

func byLead(lower []byte) inspect.Type {
	for _, l := range leads {
		if bytes.HasPrefix(lower, []byte(l.begin)) {
			return l.is
		}
	}
	line, _, _ := bytes.Cut(lower, []byte("\n"))
	switch {
	case bytes.HasPrefix(line, []byte("#!")) && bytes.ContainsAny(line, "/"):
		switch {
		case bytes.Contains(line, []byte("python")):
			return inspect.Python
		case bytes.Contains(line, []byte("osascript")):
			return inspect.AppleScript
		}
		return inspect.Shell
	case bytes.HasPrefix(lower, []byte("[")) && bytes.Contains(lower, []byte("[internetshortcut]")):
		return inspect.InternetLink
	case bytes.Contains(lower, []byte("[version]")) && bytes.Contains(lower, []byte("signature")) && bytes.Contains(lower, []byte("$")):
		return inspect.Inf
	case bytes.Contains(lower, []byte("\nfull address:s:")):
		return inspect.RDP
	case (lower0(lower, '{') || lower0(lower, '[')) && jsonShape(lower):
		return inspect.JSON
	}
	return ""
}

func lower0(b []byte, c byte) bool { return len(b) > 0 && b[0] == c }

// jsonShape looks at the first token behind the bracket.
func jsonShape(b []byte) bool {
	rest := bytes.TrimLeft(b[1:], " \t\r\n")
	if len(rest) == 0 {
		return false
	}
	if b[0] == '{' {
		return rest[0] == '"' || rest[0] == '}'
	}
	return rest[0] == '{' || rest[0] == '"' || rest[0] == ']' || rest[0] == '['
}

// markup looks at the first tags, behind comments and declarations.
func markup(b []byte) inspect.Type {
	if len(b) == 0 {
		return ""
	}
	isXML := bytes.HasPrefix(b, []byte("<?xml"))
	doctype := false
	rest := b
	for range 16 {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		var end int
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			end = bytes.Index(rest, []byte("-->")) + 3
			if end < 3 {
				end = -1
			}
		case bytes.HasPrefix(rest, []byte("<?")), bytes.HasPrefix(rest, []byte("<!doctype")):
			if bytes.HasPrefix(rest, []byte("<?mso-application")) {
				return inspect.WordXML
			}
			doctype = doctype || bytes.HasPrefix(rest, []byte("<!doctype html"))
			end = bytes.IndexByte(rest, '>') + 1
		default:
			end = -1
		}
		if end <= 0 {
			break
		}
		rest = rest[end:]
	}
	tag := root(rest)
	switch {
	case bytes.Contains(b, []byte("<hta:application")):
		return inspect.HTA
	case tag == "svg" || strings.HasSuffix(tag, ":svg"):
		return inspect.SVG
	case tag == "html" && isXML:
		return inspect.XHTML
	case tag == "html", doctype:
		return inspect.HTML
	case tag == "plist" && bytes.Contains(b, []byte("payloadtype")):
		return inspect.MobileConfig
	case tag == "plist" && bytes.Contains(b, []byte("<key>url</key>")):
		return inspect.InternetLink
	case tag == "pcsettings" || tag == "searchableelement":
		return inspect.SettingsLink
	case tag == "searchconnectordescription" || tag == "librarydescription" || tag == "persistedquery":
		return inspect.SearchLink
	case tag == "job" || tag == "scriptlet" || tag == "component" || tag == "package" && bytes.Contains(b, []byte("<script")):
		return inspect.WSF
	case tag == "office:document":
		return inspect.ODF
	case tag == "w:worddocument" || tag == "pkg:package" || tag == "workbook" && bytes.Contains(b, []byte("schemas-microsoft-com:office")):
		return inspect.WordXML
	case isXML:
		return inspect.XML
	case htmlTag(tag):
		return inspect.HTML
	}
	// A page may begin with words: readers are lenient where it is called one.
	for _, s := range []string{"<html", "<!doctype html", "<body", "<script"} {
		if i := bytes.Index(b[:min(len(b), 4096)], []byte(s)); i >= 0 && !bytes.Contains(b[:i], []byte(":")) {
			return inspect.HTML
		}
	}
	return ""
}

// root is the name of the tag that b begins with.
func root(b []byte) string {
	if len(b) < 2 || b[0] != '<' {
		return ""
	}
	b = b[1:min(len(b), 64)]
	if i := bytes.IndexAny(b, " \t\r\n>/"); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func htmlTag(tag string) bool {
	switch tag {
	case "head", "body", "script", "title", "meta", "style", "div", "table", "p", "br", "a", "center", "iframe", "form", "img", "font", "span", "h1", "h2", "link", "base", "object", "embed":
		return true
	}
	return false
}

// fields are header fields of messages; two of them at the start make one.
var fields = [...]string{"from", "to", "subject", "date", "received", "return-path", "mime-version", "message-id", "content-type", "delivered-to", "reply-to", "x-mailer", "dkim-signature"}

// mailOrPage tells messages, and web archives that look like them.
func mailOrPage(lower []byte) inspect.Type {
	found := 0
	var web, related bool
	rest := lower
	if bytes.HasPrefix(rest, []byte("from ")) {
		found++
	}
	for i := 0; i < 100 && len(rest) > 0; i++ {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		field, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			if i > 0 {
				break
			}
			continue
		}
		name := string(bytes.TrimRight(field, " \t"))
		for _, f := range fields {
			if name == f {
				found++
				break
			}
		}
		value = bytes.TrimSpace(value)
		switch name {
		case "from":
			web = web || bytes.HasPrefix(value, []byte("<saved by"))
		case "snapshot-content-location":
			web = true
		case "content-type":
			related = bytes.HasPrefix(value, []byte("multipart/related"))
		case "received", "to", "message-id", "return-path":
			related = false
		}
	}
	switch {
	case found >= 2 && web && related:
		return inspect.MHTML
	case found >= 2:
		return inspect.Mail
	}
	return ""
}

// byCalls knows scripts that lost their name by what only they call.
func byCalls(lower []byte) inspect.Type {
	has := func(words ...string) bool {
		for _, w := range words {
			if bytes.Contains(lower, []byte(w)) {
				return true
			}
		}
		return false
	}
	switch {
	case has("new activexobject(") || has("wscript.") && has("var ", "function ", "};"):
		return inspect.JavaScript
	case has("createobject(") && has("\ndim ", "\nset ", "set ", "end sub", "end function", "on error resume next"):
		return inspect.VBScript
	case has("invoke-expression", "new-object net.webclient", "new-object system.net.webclient", "iex(", "[system.convert]::frombase64string", "set-executionpolicy"):
		return inspect.PowerShell
	}
	return ""
}

// Active says whether a page runs script: script elements, event handlers, script
// URLs, or embedded documents that may.
func Active(b []byte) bool {
	const window = 2048
	next := 0 // attributes in front of it have been looked at
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '<')
		if i < 0 {
			return false
		}
		at += i + 1
		tag := b[at:min(len(b), at+window)]
		end := bytes.IndexByte(tag, '>')
		if end >= 0 {
			tag = tag[:end]
		}
		if len(tag) == 0 {
			continue
		}
		c := tag[0] | 0x20
		if c < 'a' || 'z' < c {
			continue
		}
		if foldPrefix(tag, "script") || foldSuffixName(tag, "script") {
			return true
		}
		if at < next || bytes.IndexByte(tag, '=') < 0 {
			continue
		}
		if activeAttributes(bytes.ToLower(tag)) {
			return true
		}
		if end < 0 { // tags that begin in this one: half a window is enough to see all of each
			next = at + window/2
		}
	}
}

func foldPrefix(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := range len(s) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != s[i] {
			return false
		}
	}
	return len(b) == len(s) || !('a' <= b[len(s)]|0x20 && b[len(s)]|0x20 <= 'z')
}

// foldSuffixName knows "svg:script".
func foldSuffixName(tag []byte, s string) bool {
	name := tag[:min(len(tag), 64)]
	if i := bytes.IndexAny(name, " \t\r\n/"); i >= 0 {
		name = name[:i]
	}
	i := bytes.IndexByte(name, ':')
	return i >= 0 && foldPrefix(name[i+1:], s)
}

// activeAttributes looks for handlers and script URLs in a tag in lower case.
func activeAttributes(tag []byte) bool {
	if bytes.Contains(tag, []byte("javascript:")) || bytes.Contains(tag, []byte("vbscript:")) || bytes.Contains(tag, []byte("srcdoc")) ||
		bytes.Contains(tag, []byte("data:text/html")) || bytes.Contains(tag, []byte("&#")) && bytes.Contains(tag, []byte("href")) && bytes.Contains(tag, []byte("script")) {
		return true
	}
	for rest := tag; ; {
		i := bytes.Index(rest, []byte("on"))
		if i < 0 {
			return false
		}
		sep := i > 0 && bytes.IndexByte([]byte(" \t\r\n/\"'\f"), rest[i-1]) >= 0
		rest = rest[i+2:]
		n := 0
		for n < len(rest) && 'a' <= rest[n] && rest[n] <= 'z' {
			n++
		}
		if after := bytes.TrimLeft(rest[n:], " \t\r\n"); sep && n >= 3 && len(after) > 0 && after[0] == '=' {
			return true
		}
	}
}
