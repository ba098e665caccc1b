package attachment_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"sluice"
	"sluice/check/attachment"
	"sluice/check/checktest"
)

// b64 encodes in lines, as mail does.
func b64(s string) string {
	e := base64.StdEncoding.EncodeToString([]byte(s))
	var b strings.Builder
	for len(e) > 76 {
		b.WriteString(e[:76] + "\n")
		e = e[76:]
	}
	return b.String() + e
}

// file attaches content under a name.
func file(name, typ, content string) string {
	return checktest.Attached("Content-Type: "+typ+"\nContent-Disposition: attachment; filename=\""+name+"\"", b64(content))
}

// pe is the least that a Windows program begins with.
func pe() string {
	b := make([]byte, 256)
	copy(b, "MZ\x90\x00")
	binary.LittleEndian.PutUint32(b[60:], 128)
	copy(b[128:], "PE\x00\x00")
	return string(b)
}

// member of a zip archive under test.
type member struct {
	name         string
	flags        uint16
	packed, size uint32
}

// zip writes local headers, central directory and end record by hand.
func zip(members ...member) string {
	var body, dir bytes.Buffer
	for _, m := range members {
		local := make([]byte, 30)
		copy(local, "PK\x03\x04")
		binary.LittleEndian.PutUint16(local[6:], m.flags)
		binary.LittleEndian.PutUint32(local[18:], m.packed)
		binary.LittleEndian.PutUint32(local[22:], m.size)
		binary.LittleEndian.PutUint16(local[26:], uint16(len(m.name)))
		central := make([]byte, 46)
		copy(central, "PK\x01\x02")
		binary.LittleEndian.PutUint16(central[8:], m.flags)
		binary.LittleEndian.PutUint32(central[20:], m.packed)
		binary.LittleEndian.PutUint32(central[24:], m.size)
		binary.LittleEndian.PutUint16(central[28:], uint16(len(m.name)))
		binary.LittleEndian.PutUint32(central[42:], uint32(body.Len()))
		body.Write(local)
		body.WriteString(m.name)
		dir.Write(central)
		dir.WriteString(m.name)
	}
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(len(members)))
	binary.LittleEndian.PutUint16(end[10:], uint16(len(members)))
	binary.LittleEndian.PutUint32(end[12:], uint32(dir.Len()))
	binary.LittleEndian.PutUint32(end[16:], uint32(body.Len()))
	return body.String() + dir.String() + string(end)
}

// eicar is written in two halves, so that no scanner stops at this file.
var eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-` + `STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

const octets = "application/octet-stream"

func TestEICAR(t *testing.T) {
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"in the text", checktest.Mail("", eicar+"\n"), "EICAR"},
		{"as a file", file("eicar.com", octets, eicar), "EICAR EXECUTABLE_NAME"},
		{"as text", file("eicar.txt", "text/plain", eicar), "EICAR"},
		{"inside a file", file("a.bin", octets, "xxxxx"+eicar+"yyy"), "EICAR"},
		{"quoted-printable", checktest.Mail("Content-Transfer-Encoding: quoted-printable", strings.ReplaceAll(eicar, "$", "=24")+"\n"), "EICAR"},
		{"base64 that isn't declared", checktest.Mail("", b64(eicar)+"\n"), "EICAR"},
		{"in an attached message", checktest.Mail("Content-Type: multipart/mixed; boundary=b",
			"--b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\n"+b64(eicar)+"\n--b--\n"), "EICAR"},
		{"in a multipart under base64", checktest.Mail("Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64",
			b64("--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"+b64(eicar)+"\r\n--b--\r\n")), "EICAR"},
		{"its name alone", checktest.Mail("", "the EICAR-STANDARD file\n"), ""},
	})
}

func TestPrograms(t *testing.T) {
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"Windows program", file("a.bin", octets, pe()), "EXECUTABLE_CONTENT"},
		{"Windows program called a picture", file("a.jpg", "image/jpeg", pe()), "ATTACHMENT_TYPE_CONFLICT EXECUTABLE_CONTENT"},
		{"Windows program without a name", checktest.Attached("Content-Type: application/octet-stream", b64(pe())), "EXECUTABLE_CONTENT"},
		{"Windows program inline as text", checktest.Attached("Content-Type: text/plain", b64(pe())), "EXECUTABLE_CONTENT"},
		{"DOS program", file("a.bin", octets, "MZ\x10\x00\x02\x00\x00\x00\x02\x00"+strings.Repeat("\x00", 600)), "EXECUTABLE_CONTENT"},
		{"text that begins with MZ", file("a.txt", "text/plain", "MZ is the mark of Mark Zbikowski, and stands at the beginning of programs."), ""},
		{"ELF", file("a", octets, "\x7fELF\x02\x01\x01"+strings.Repeat("\x00", 60)), "EXECUTABLE_CONTENT"},
		{"Mach-O", file("a", octets, "\xcf\xfa\xed\xfe"+strings.Repeat("\x00", 60)), "EXECUTABLE_CONTENT"},
		{"universal binary", file("a", octets, "\xca\xfe\xba\xbe\x00\x00\x00\x02"+strings.Repeat("\x00", 60)), "EXECUTABLE_CONTENT"},
		{"Java class", file("a", octets, "\xca\xfe\xba\xbe\x00\x00\x00\x41"+strings.Repeat("\x00", 60)), "EXECUTABLE_CONTENT"},
		{"shortcut", file("a", octets, "\x4c\x00\x00\x00\x01\x14\x02\x00"+strings.Repeat("\x00", 60)), "EXECUTABLE_CONTENT"},
		{"HTML application", file("a.txt", octets, "<html><head><HTA:APPLICATION id=x></head>"), "EXECUTABLE_CONTENT"},
		{"shell script", file("build.sh", "text/x-sh", "#!/bin/sh\necho hello\n"), ""},
		{"nothing", file("a.bin", octets, ""), ""},
	})
	in := checktest.Input(file("a.bin", octets, pe()))
	if ev := checktest.Run(t, attachment.Checks(false), in); len(ev) != 1 || ev[0].Hard != sluice.HardStop || ev[0].Threat != sluice.ThreatMalware {
		t.Errorf("a program must be a hard stop for malware: %+v", ev)
	}
}

func TestNames(t *testing.T) {
	name := func(n string) string { return file(n, octets, "\x01\x02\x03\x04 data") }
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"document", name("minutes.pdf"), ""},
		{"no extension", name("README"), ""},
		{"program", name("setup.exe"), "EXECUTABLE_NAME"},
		{"capitals", name("SETUP.ScR"), "EXECUTABLE_NAME"},
		{"DOS program", name("setup.com"), "EXECUTABLE_NAME"},
		{"site saved as HTML", file("www.example.com", "text/html", "<html>hi"), "HTML_ATTACHMENT"},
		{"link to a page", file("news.url", octets, "[InternetShortcut]\r\nURL=https://www.example.org/\r\n"), ""},
		{"link to a program elsewhere", file("news.url", octets, "[InternetShortcut]\r\nURL=file://203.0.113.5/x/a.exe\r\n"), "EXECUTABLE_NAME"},
		{"link that leaks a login", file("news.url", octets, "[InternetShortcut]\r\nURL=https://www.example.org/\r\nIconFile=\\\\203.0.113.5\\x.ico\r\n"), "EXECUTABLE_NAME"},
		{"script host", name("invoice.js"), "EXECUTABLE_NAME"},
		{"double", name("invoice.pdf.exe"), "DOUBLE_EXTENSION"},
		{"double page", file("invoice.pdf.html", "text/html", "<html>hi"), "DOUBLE_EXTENSION HTML_ATTACHMENT"},
		{"versions aren't double", name("release.1.2.exe"), "EXECUTABLE_NAME"},
		{"packed archive isn't double", name("source.tar.gz"), ""},
		{"gap", name("invoice.pdf          .exe"), "DOUBLE_EXTENSION NAME_PADDED"},
		{"trailing dot", name("invoice.exe."), "EXECUTABLE_NAME NAME_PADDED"},
		{"trailing spaces", name("invoice.exe  ."), "EXECUTABLE_NAME NAME_PADDED"},
		{"stream", name("invoice.exe:zone.txt"), "EXECUTABLE_NAME"},
		{"path", name(`C:\\Users\\x\\a.pdf`), ""},
		{"disk image", name("invoice.iso"), "NAME_CONTAINER"},
		{"macro file", name("plan.xlsm"), "NAME_MACRO"},
		{"full-width stop", name("invoice．exe"), "EXECUTABLE_NAME"},
		{"invisible in the extension", name("invoice.e\u200bxe"), "EXECUTABLE_NAME"},
		{"override", name("photo\u202egpj.exe"), "EXECUTABLE_NAME NAME_DIRECTION_OVERRIDE"},
		{"Hebrew with marks", name("\u200fדוח\u200f.pdf"), ""},
		{"two names", checktest.Attached("Content-Type: application/pdf; name=\"a.exe\"\nContent-Disposition: attachment; filename=\"a.pdf\"", b64("data")), "EXECUTABLE_NAME MIME_NAME_AMBIGUOUS"},
		{"two harmless names", checktest.Attached("Content-Type: application/pdf; name=\"a.pdf\"\nContent-Disposition: attachment; filename=\"b.pdf\"", b64("data")), ""},
		{"encoded name", checktest.Attached("Content-Type: application/octet-stream; name=\"=?utf-8?B?YS5leGU=?=\"", b64("data")), "EXECUTABLE_NAME"},
		{"uuencoded", checktest.Mail("", "Run this:\nbegin 644 setup.exe\n#0V%T\n`\nend\n"), "EXECUTABLE_NAME"},
		{"uuencoded picture", checktest.Mail("", "See:\nbegin 644 cat.png\n#0V%T\n`\nend\n"), ""},
		{"begin in prose", checktest.Mail("", "We begin 644 setup.exe\nand more\n"), ""},
	})
}

func TestArchives(t *testing.T) {
	const many = 1 << 10
	pack := func(ms ...member) string { return file("a.zip", "application/zip", zip(ms...)) }
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"document", pack(member{name: "a/minutes.pdf"}), ""},
		{"empty", pack(), ""},
		{"program", pack(member{name: "readme.txt"}, member{name: "a/setup.exe"}), "ARCHIVE_PROGRAM"},
		{"double extension", pack(member{name: "invoice.pdf.js"}), "ARCHIVE_PROGRAM"},
		{"web page", pack(member{name: "site/index.html"}), ""},
		{"locked", pack(member{name: "a.pdf", flags: 1}), "ARCHIVE_ENCRYPTED"},
		{"path out of the folder", pack(member{name: "../../etc/cron.d/x"}), "ARCHIVE_PATH"},
		{"archive inside", pack(member{name: "b.zip"}), "ARCHIVE_NESTED"},
		{"disk image inside", pack(member{name: "b.iso"}), "ARCHIVE_NESTED"},
		{"bomb", pack(member{name: "a.bin", packed: 1000, size: 1 << 30}), "ARCHIVE_BOMB"},
		{"well packed log", pack(member{name: "a.log", packed: 1 << 20, size: 100 << 20}), ""},
		{"Java", pack(member{name: "META-INF/MANIFEST.MF"}, member{name: "a/B.class"}), "ARCHIVE_PROGRAM"},
		{"Office file", file("a.docx", octets, zip(member{name: "[Content_Types].xml"}, member{name: "word/document.xml"})), ""},
		{"Office file with macros", file("a.docx", octets, zip(member{name: "[Content_Types].xml"}, member{name: "word/vbaProject.bin"})), "OFFICE_MACRO"},
		{"something before the archive", file("a.zip", octets, zip(member{name: "a.exe"})+"junk behind"), "ARCHIVE_PROGRAM"},
		{"directory cut off", file("a.zip", octets, zip(member{name: "a.exe"}, member{name: "b.txt"})[:40]), "ARCHIVE_DAMAGED ARCHIVE_PROGRAM"},
		{"archive called a picture", file("a.png", "image/png", zip(member{name: "a.pdf"})), "ATTACHMENT_TYPE_CONFLICT"},
		{"too many members", pack(func() []member {
			ms := make([]member, 3*many)
			for i := range ms {
				ms[i].name = "a.txt"
			}
			return ms
		}()...), "ARCHIVE_DAMAGED"},
	})
}

func TestPages(t *testing.T) {
	page := func(body string) string { return file("a.html", "text/html", "<html><body>"+body) }
	literal := strings.Repeat("QUJDREVGR0g", 200)
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"plain page", page("<p>Hello</p>"), "HTML_ATTACHMENT"},
		{"script", page("<script>var a=1</script>"), "HTML_ATTACHMENT_SCRIPT"},
		{"handler", page("<img src=x onerror=go()>"), "HTML_ATTACHMENT_SCRIPT"},
		{"password", page("<form><input name=a><input type='password'></form>"), "HTML_ATTACHMENT_LOGIN"},
		{"smuggling", page("<script>var d=atob('" + literal + "');var b=new Blob([d]);saveAs(b)</script>"), "HTML_SMUGGLING"},
		{"smuggling in capitals", page("<SCRIPT>var d=ATOB('" + literal + "');NEW Blob([d])</SCRIPT>"), "HTML_SMUGGLING"},
		{"unpacking of little", page("<script>var d=atob('YQ==')</script>"), "HTML_ATTACHMENT_SCRIPT"},
		{"long literal without script", page("<img src=data:image/png;base64," + literal + ">"), "HTML_ATTACHMENT"},
		{"page without a name for it", file("a.bin", octets, "<!doctype html><script>x</script>"), "HTML_ATTACHMENT_SCRIPT"},
		{"page called a PDF", file("a.pdf", "application/pdf", "<html><script>x</script>"), "ATTACHMENT_TYPE_CONFLICT HTML_ATTACHMENT_SCRIPT"},
		{"the message's own page", checktest.Mail("Content-Type: text/html", "<html><script>x</script>"), ""},
		{"SVG", file("a.svg", "image/svg+xml", "<?xml version='1.0'?>\n<!-- x --><svg><rect/></svg>"), ""},
		{"SVG with script", file("a.svg", "image/svg+xml", "<?xml version='1.0'?><svg><script>x</script></svg>"), "SVG_SCRIPT"},
		{"SVG with handler", file("a.svg", "image/svg+xml", "<svg onload=go()></svg>"), "SVG_SCRIPT"},
	})
}

func TestConflicts(t *testing.T) {
	checktest.Table(t, attachment.Checks(false), []checktest.Case{
		{"JPEG called PNG", file("a.png", "image/png", "\xff\xd8\xff\xe0 data"), ""},
		{"true PDF", file("a.pdf", "application/pdf", "%PDF-1.7"), ""},
		{"RTF called PDF", file("a.pdf", octets, "{\\rtf1"), "ATTACHMENT_TYPE_CONFLICT"},
		{"RTF called Word", file("a.doc", "application/msword", "{\\rtf1"), ""},
		{"HTML called Excel", file("a.xls", "application/vnd.ms-excel", "<html><table>"), "HTML_ATTACHMENT"},
		{"type without a name", checktest.Attached("Content-Type: image/gif", b64("Rar!\x1a\x07\x00")), "ATTACHMENT_TYPE_CONFLICT"},
		{"name before type", file("a.zip", "image/gif", zip(member{name: "a.pdf"})), ""},
	})
}

func FuzzAttachments(f *testing.F) {
	f.Add("a.zip", []byte(zip(member{name: "../a.exe", flags: 1, size: 1 << 31}, member{name: "b"})))
	f.Add("a.html", []byte("<html><script>atob(new Blob("))
	f.Add("\u202ea.exe.", []byte(pe()))
	f.Add("a.svg", []byte("<?xml <!-- <svg onload="))
	f.Add("x", []byte("begin 644 a.exe\nA"))
	f.Add("a.com", []byte("\xca\xfe\xba\xbe\x00\x00\x00\x41"))
	checks := attachment.Checks(false)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		name = strings.NewReplacer("\r", "", "\n", "", `"`, "").Replace(name)
		checktest.Run(t, checks, checktest.Input(file(name, octets, string(content))))
		checktest.Run(t, checks, checktest.Input(checktest.Mail("", string(content))))
	})
}
