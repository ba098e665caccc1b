// Package shortcut opens small files that open something else: Windows shortcuts,
// internet shortcuts, desktop entries, remote desktop and search connections, web
// queries, tables of text whose cells start programs, and profiles that set a
// device up.
package shortcut

import (
	"context"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/field"
	"sluice/inspect/child/document/ole"
	"sluice/inspect/child/document/script"
	"sluice/message/charset"
)

// maxSize bounds what is read as text: these files are small.
const maxSize = 4 << 20

// Decoder opens shortcuts and their like.
type Decoder struct{}

// Name is "shortcut".
func (Decoder) Name() string { return "shortcut" }

// Types are those in its package comment.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.LNK, inspect.InternetLink, inspect.Desktop, inspect.RDP, inspect.SettingsLink, inspect.SearchLink,
		inspect.IQY, inspect.SYLK, inspect.CSV, inspect.MobileConfig}
}

// Open reads one.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	if w.Type() == inspect.LNK {
		return windows(w)
	}
	b := w.Bytes()
	b = b[:min(len(b), maxSize)]
	if err := w.Charge(len(b)); err != nil {
		return err
	}
	text := decode(b)
	switch w.Type() {
	case inspect.InternetLink:
		internet(w, text)
	case inspect.Desktop:
		desktop(w, text)
	case inspect.RDP:
		remoteDesktop(w, text)
	case inspect.SettingsLink:
		settings(w, text)
	case inspect.SearchLink:
		search(w, text)
	case inspect.IQY:
		for _, u := range script.FindURLs(text, 8) {
			remote(w, u, inspect.ViaAuto)
		}
	case inspect.SYLK:
		sylk(w, text)
	case inspect.CSV:
		table(w, text)
	case inspect.MobileConfig:
		profile(w, b, text)
	}
	return w.Err()
}

// decode reads UTF-16 where a mark says so, and windows-1252 otherwise.
func decode(b []byte) string {
	switch {
	case len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE:
		s, _ := charset.Decode("utf-16le", b[2:])
		return s
	case len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF:
		s, _ := charset.Decode("utf-16be", b[2:])
		return s
	}
	s, _ := charset.Decode("utf-8", b)
	return s
}

// interpreters are programs that come with a system and run or fetch what their
// arguments say.
var interpreters = []string{"cmd", "powershell", "pwsh", "mshta", "wscript", "cscript", "rundll32", "regsvr32", "msiexec", "conhost", "forfiles", "bitsadmin", "certutil", "curl", "wget",
	"ftp", "ssh", "scp", "wmic", "schtasks", "hh", "pcalua", "odbcconf", "msbuild", "installutil", "python", "python3", "sh", "bash", "osascript", "wt", "winrs", "installutil", "control", "presentationhost", "dotnet", "java", "javaw", "autoit3", "perl", "php"}

// interpreter is the interpreter that a command begins with, "" for none.
func interpreter(command string) string {
	first := strings.TrimLeft(command, " \t\"'@")
	low := strings.ToLower(first[:min(len(first), 1024)])
	if i := strings.Index(low, ".exe"); i >= 0 {
		low = low[:i]
	} else {
		low, _, _ = strings.Cut(low, " ")
	}
	low = strings.Trim(low[strings.LastIndexAny(low, `\/`)+1:], `"'`)
	for _, n := range interpreters {
		if low == n {
			return n
		}
	}
	return ""
}

// target states what is opened, and what stands out in it.
func target(w *child.Work, command string) {
	command = strings.TrimSpace(command)
	if command == "" {
		return
	}
	w.Fact(inspect.ShortcutTarget, command)
	if n := interpreter(command); n != "" {
		w.Fact(inspect.ShortcutRuns, n)
	}
	if strings.HasPrefix(command, `\\`) {
		remote(w, command, inspect.ViaTarget)
	}
	script.Look(command).State(w)
}

// remote states an address on another machine.
func remote(w *child.Work, u string, via inspect.Via) {
	w.Fact(inspect.ShortcutRemote, u)
	w.Link(via, u)
}

// settingsOf are lines "key=value", with keys in lower case, in order.
func settingsOf(text, sep string) (out [][2]string) {
	for l := range strings.Lines(text) {
		if k, v, ok := strings.Cut(l, sep); ok && len(out) < 2000 {
			out = append(out, [2]string{strings.ToLower(strings.TrimSpace(k)), strings.TrimSpace(v)})
		}
	}
	return out
}

// internet reads .url and .website files, and the property lists of .webloc.
func internet(w *child.Work, text string) {
	if strings.Contains(text, "<plist") {
		for _, v := range between(text, "<string>", "</string>") {
			w.Fact(inspect.ShortcutTarget, v)
			w.Link(inspect.ViaTarget, v)
		}
		return
	}
	for _, s := range settingsOf(text, "=") {
		v := s[1]
		switch s[0] {
		case "url", "baseurl":
			w.Fact(inspect.ShortcutTarget, v)
			if low := strings.ToLower(v); strings.HasPrefix(low, "file:") || strings.HasPrefix(low, `\\`) || strings.HasPrefix(low, "search-ms:") || strings.HasPrefix(low, "ms-") || strings.Contains(low, "@ssl") {
				remote(w, v, inspect.ViaTarget)
			} else {
				w.Link(inspect.ViaTarget, v)
			}
		case "iconfile", "workingdirectory":
			if strings.HasPrefix(v, `\\`) || strings.HasPrefix(strings.ToLower(v), "file://") && field.Elsewhere(v) {
				remote(w, v, inspect.ViaAuto)
			}
		}
	}
}

// desktop reads entries of desktops on Linux.
func desktop(w *child.Work, text string) {
	for _, s := range settingsOf(text, "=") {
		switch s[0] {
		case "exec", "tryexec":
			target(w, s[1])
		case "url", "url[$e]":
			w.Fact(inspect.ShortcutTarget, s[1])
			w.Link(inspect.ViaTarget, s[1])
		}
	}
}

// remoteDesktop reads .rdp files: "key:type:value".
func remoteDesktop(w *child.Work, text string) {
	for _, s := range settingsOf(text, ":") {
		_, v, ok := strings.Cut(s[1], ":")
		if v = strings.TrimSpace(v); !ok || v == "" {
			continue
		}
		switch s[0] {
		case "full address", "alternate full address", "gatewayhostname":
			w.Fact(inspect.RemoteDesktop, v)
			w.Link(inspect.ViaTarget, "rdp://"+v)
		case "drivestoredirect", "devicestoredirect", "usbdevicestoredirect", "camerastoredirect":
			w.Fact(inspect.RemoteDesktopShares, s[0]+" "+v)
		case "redirectdrives", "redirectclipboard", "redirectsmartcards", "redirectwebauthn":
			if v == "1" {
				w.Fact(inspect.RemoteDesktopShares, s[0])
			}
		case "alternate shell", "remoteapplicationprogram", "remoteapplicationcmdline":
			w.Fact(inspect.ShortcutTarget, v)
		}
	}
}

// settings reads .settingcontent-ms: what it calls a link is a command.
func settings(w *child.Work, text string) {
	for _, c := range between(text, "<DeepLink>", "</DeepLink>") {
		target(w, c)
	}
}

// search reads search connectors and libraries: folders on other machines.
func search(w *child.Work, text string) {
	for _, tag := range []string{"url", "iconReference", "domain"} {
		for _, u := range between(text, "<"+tag+">", "</"+tag+">") {
			if field.Elsewhere(u) {
				remote(w, u, inspect.ViaTarget)
			}
		}
	}
}

// between are the texts between two marks, with the entities of XML decoded.
func between(text, from, to string) (out []string) {
	for len(out) < 100 {
		_, rest, ok := strings.Cut(text, from)
		if !ok {
			return out
		}
		v, after, ok := strings.Cut(rest, to)
		if !ok {
			return out
		}
		out = append(out, strings.TrimSpace(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&amp;", "&").Replace(v)))
		text = after
	}
	return out
}

// sylk reads a spreadsheet of lines: Excel runs its macros without a warning.
func sylk(w *child.Work, text string) {
	var formulas strings.Builder
	macros := false
	for l := range strings.Lines(text) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "O;E") || strings.HasPrefix(l, "O;PE") {
			macros = true
		}
		if low := strings.ToLower(l); strings.HasPrefix(low, "nn;n") && (strings.Contains(low, "auto_open") || strings.Contains(low, "auto_close")) {
			w.Fact(inspect.MacroAutorun, "Auto_Open")
		}
		if !strings.HasPrefix(l, "C;") {
			continue
		}
		if i := strings.Index(l, ";E"); i >= 0 && formulas.Len() < 256<<10 {
			formulas.WriteString(l[i+2:] + "\n")
			cell(w, "="+l[i+2:])
		} else if i := strings.Index(l, ";K\""); i >= 0 {
			cell(w, strings.Trim(l[i+2:], `"`))
		}
	}
	if macros && formulas.Len() > 0 {
		w.Mark(inspect.Macro)
		w.Fact(inspect.SheetMacro, "SYLK")
		ole.StateFormulas(w, formulas.String())
	}
}

// table reads cells of text that a spreadsheet takes for formulas.
func table(w *child.Work, text string) {
	cells := 0
	for l := range strings.Lines(text) {
		if !strings.ContainsAny(l, "=+-@|") {
			continue
		}
		for _, c := range strings.FieldsFunc(l[:min(len(l), 64<<10)], func(r rune) bool { return r == ';' || r == '\t' || r == '\n' || r == '\r' }) {
			cell(w, strings.Trim(c, "\" "))
			// A comma parts cells, and arguments too: cells behind one are looked at as well.
			for i := strings.IndexByte(c, ','); i >= 0; {
				c = c[i+1:]
				cell(w, strings.Trim(c[:min(len(c), 4096)], "\" "))
				if i = strings.IndexByte(c, ','); cells > 200_000 {
					return
				}
				cells++
			}
		}
	}
}

// cell reads one cell that may be a formula: =cmd|'/c calc'!A0.
func cell(w *child.Work, c string) {
	if c == "" || !strings.ContainsRune("=+-@", rune(c[0])) {
		return
	}
	head := c[:min(len(c), 4096)]
	if app, rest, ok := strings.Cut(head, "|"); ok && len(app) < 64 && strings.Contains(rest, "!") && strings.ContainsAny(app, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") && !strings.ContainsAny(app, ",") {
		field.DDE(w, head)
		return
	}
	up := strings.ToUpper(head)
	for _, f := range []string{"WEBSERVICE(", "IMPORTXML(", "IMPORTDATA(", "IMAGE("} {
		if strings.Contains(up, f) {
			w.Fact(inspect.CodeFetches, strings.TrimSuffix(f, "("))
		}
	}
	if c[0] == '=' {
		for _, u := range script.FindURLs(head, 4) {
			w.Link(inspect.ViaAnchor, u)
		}
	}
}

// configuration is the type of the profile as a whole; it says nothing.
const configuration = "Configuration"

// profile reads a property list that sets up an Apple device. A signed one is the
// same within a signature.
func profile(w *child.Work, b []byte, text string) {
	w.Mark(inspect.Profile)
	if len(b) > 0 && b[0] != 0x30 {
		w.Fact(inspect.ProfileUnsigned, strconv.Itoa(len(b))+" bytes")
	}
	for rest := text; ; {
		_, after, ok := strings.Cut(rest, "<key>PayloadType</key>")
		if !ok {
			break
		}
		rest = after
		if v := between(after[:min(len(after), 512)], "<string>", "</string>"); len(v) > 0 && v[0] != configuration {
			w.Fact(inspect.ProfilePayload, v[0])
		}
	}
	for _, u := range script.FindURLs(text, 50) {
		if !strings.Contains(u, "apple.com/DTDs/") {
			w.Link(inspect.ViaTarget, u)
		}
	}
}
