package message_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/message"
	"sluice/message/header"
)

const basic = "From: a@b.example\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@b.example>\n"

// crlf makes CRLF line ends.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

func parse(s string) *message.Message { return message.Parse([]byte(s), message.DefaultLimits()) }

// codes lists the different defects of Parse and View, in order of first sight.
func codes(m *message.Message) []string {
	var out []string
	seen := map[string]bool{}
	for _, d := range append(m.Defects[:len(m.Defects):len(m.Defects)], m.View().Defects...) {
		if !seen[d.Code] {
			seen[d.Code] = true
			out = append(out, d.Code)
		}
	}
	return out
}

func mixed(boundary, body string) string {
	return basic + "Content-Type: multipart/mixed; boundary=" + boundary + "\n\n" + body
}

// defectCases gives for each code one message that has it.
var defectCases = []struct{ code, in string }{
	{message.MboxFromLine, "From x@y Thu Jan  1 00:00:00 2026\n" + basic + "\nhi\n"},
	{message.HeaderNoEnd, basic},
	{message.HeaderMissing, "Just some text\nand more\n"},
	{message.HeaderTextBody, basic + "text without colon\nmore\n\nrest\n"},
	{message.HeaderTooLong, basic + "X: " + strings.Repeat("a", 300<<10) + "\n\nhi\n"},
	{message.HeaderBlankStart, "\n" + basic + "\nhi\n"},
	{header.HeaderJunkLine, basic + "junk line\nX: y\n\nhi\n"},
	{header.HeaderBlankFold, basic + "X: y\n \n z\n\nhi\n"},
	{header.HeaderNameSpace, basic + "Subject : y\n\nhi\n"},
	{header.BareCRHeader, basic + "X: y\rBcc: z\n\nhi\n"},
	{header.NULHeader, basic + "X: y\x00z\n\nhi\n"},
	{header.EightBitHeader, basic + "X: \xe4\n\nhi\n"},
	{header.TooManyFields, basic + strings.Repeat("X: y\n", 6000) + "\nhi\n"},
	{header.ParamSyntax, basic + "Content-Type: text/plain; x\n\nhi\n"},
	{header.ParamDuplicate, basic + "Content-Type: text/plain; charset=a; charset=utf-8\n\nhi\n"},
	{header.ParamComment, basic + "Content-Type: text/plain; (x) charset=utf-8\n\nhi\n"},
	{header.ParamEncodedWord, basic + "Content-Type: text/plain; name=\"=?utf-8?q?a?=\"\n\nhi\n"},
	{header.ParamContinued, basic + "Content-Type: text/plain; name*0=a; name*1=b\n\nhi\n"},
	{header.ParamGap, basic + "Content-Type: text/plain; name*0=a; name*3=b\n\nhi\n"},
	{header.ParamOpenQuote, basic + "Content-Type: text/plain; name=\"a\n\nhi\n"},
	{header.ParamConflict, basic + "Content-Type: text/plain; name=a; name*=utf-8''b\n\nhi\n"},
	{header.ParamUnquoted, basic + "Content-Type: text/plain; name=a b\n\nhi\n"},
	{header.ParamEightBit, basic + "Content-Type: text/plain; name=\xe4\n\nhi\n"},
	{header.TooManyParams, basic + "Content-Type: text/plain" + strings.Repeat("; a=b", 200) + "\n\nhi\n"},
	{header.AddressSyntax, basic + "Reply-To: x y@z\n\nhi\n"},
	{header.AddressUnquotedAt, basic + "Reply-To: a@b <c@d>\n\nhi\n"},
	{header.AddressTwoBrackets, basic + "Reply-To: <a@b> <c@d>\n\nhi\n"},
	{header.AddressNoBracket, basic + "Reply-To: x <c@d\n\nhi\n"},
	{header.AddressRoute, basic + "Reply-To: <@x:c@d>\n\nhi\n"},
	{header.AddressSemicolon, basic + "Reply-To: a@b; c@d\n\nhi\n"},
	{header.AddressOpenQuote, basic + "Reply-To: \"a <c@d>\n\nhi\n"},
	{header.AddressOpenComment, basic + "Reply-To: c@d (a\n\nhi\n"},
	{header.TooManyAddresses, basic + "Reply-To: " + strings.Repeat("a@b,", 12_000) + "\n\nhi\n"},
	{message.DuplicateFrom, basic + "From: c@d\n\nhi\n"},
	{message.DuplicateSender, basic + "Sender: c@d\nSender: e@f\n\nhi\n"},
	{message.DuplicateReplyTo, basic + "Reply-To: c@d\nReply-To: e@f\n\nhi\n"},
	{message.DuplicateTo, basic + "To: c@d\nTo: e@f\n\nhi\n"},
	{message.DuplicateCc, basic + "Cc: c@d\nCc: e@f\n\nhi\n"},
	{message.DuplicateSubject, basic + "Subject: a\nSUBJECT: b\n\nhi\n"},
	{message.DuplicateDate, basic + "Date: x\n\nhi\n"},
	{message.DuplicateMessageID, basic + "Message-Id: <2@x>\n\nhi\n"},
	{message.DuplicateMimeVersion, basic + "MIME-Version: 1.0\nMIME-Version: 1.0\n\nhi\n"},
	{message.DuplicateContentType, basic + "Content-Type: text/plain\nContent-Type: text/html\n\nhi\n"},
	{message.DuplicateEncoding, basic + "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\naGk=\n"},
	{message.DuplicateDisposition, basic + "Content-Disposition: inline\nContent-Disposition: attachment; filename=x.exe\n\nhi\n"},
	{message.DuplicateBoundary, mixed("a; boundary=b", "--a\n\nx\n--a--\n--b\n\ny\n--b--\n")},
	{message.MissingFrom, "Date: x\n\nhi\n"},
	{message.MissingDate, "From: a@b\n\nhi\n"},
	{message.MissingMessageID, "From: a@b\n\nhi\n"},
	{message.MissingBoundary, basic + "Content-Type: multipart/mixed\n\n--a\nContent-Type: text/plain\n\nx\n--a--\n"},
	{message.EmptyBoundary, mixed(`""`, "--\n\nx\n----\n")},
	{message.LongBoundary, mixed(strings.Repeat("a", 80), "--"+strings.Repeat("a", 80)+"\n\nx\n--"+strings.Repeat("a", 80)+"--\n")},
	{message.BoundarySpace, mixed(`"a "`, "--a\n\nx\n--a--\n")},
	{message.BoundaryOdd, basic + "Content-Type: multipart/mixed; boundary*=us-ascii''a\n\n--a\n\nx\n--a--\n"},
	{message.BoundaryReused, mixed("a", "--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a--\n")},
	{message.BoundaryPrefix, mixed("a", "--a\nContent-Type: multipart/mixed; boundary=ab\n\n--ab\n\nx\n--ab--\n--a--\n")},
	{message.BoundaryNearMiss, mixed("a", "--a\n\nx\n--ax\n\n--a--\n")},
	{message.BoundaryBareCR, mixed("a", "--a\n\nx\r--a\rContent-Type: text/html\n\n--a--\n")},
	{message.NoClosing, mixed("a", "--a\n\nx\n")},
	{message.EmptyMultipart, mixed("a", "text\n")},
	{message.PreamblePart, mixed("a", "Content-Type: text/html\n\n<b>\n--a\n\nx\n--a--\n")},
	{message.EpiloguePart, mixed("a", "--a\n\nx\n--a--\n--a\n\ny\n")},
	{message.EpilogueText, mixed("a", "--a\n\nx\n--a--\nmore text\n")},
	{message.BadContentType, basic + "Content-Type: html\n\nhi\n"},
	{message.TypeComment, basic + "Content-Type: text/(x)html\n\nhi\n"},
	{message.UnknownEncoding, basic + "Content-Transfer-Encoding: rot13\n\nhi\n"},
	{message.OddEncoding, basic + "Content-Transfer-Encoding: base64 (really)\n\naGk=\n"},
	{message.EncodedComposed, basic + "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYUBiCgpoaQo=\n"},
	{message.EightBitIn7Bit, basic + "\nh\xe4\n"},
	{message.Base64Junk, basic + "Content-Transfer-Encoding: base64\n\naG*k=\n"},
	{message.Base64Padding, basic + "Content-Transfer-Encoding: base64\n\naG=k\n"},
	{message.Base64AfterEnd, basic + "Content-Transfer-Encoding: base64\n\naGk=aGk=\n"},
	{message.Base64NoPadding, basic + "Content-Transfer-Encoding: base64\n\naGk\n"},
	{message.QuotedBroken, basic + "Content-Transfer-Encoding: quoted-printable\n\na=zz\n"},
	{message.UuencodedText, basic + "\nbegin 644 x.exe\n#0V%T\n`\nend\n"},
	{message.UnknownCharset, basic + "Content-Type: text/plain; charset=x-martian\n\nhi\n"},
	{message.WrongCharset, basic + "Content-Type: text/plain; charset=utf-8\n\nh\xe4\n"},
	{message.CharsetConflict, basic + "Content-Type: text/html; charset=utf-8\n\n<meta charset=koi8-r>hi\n"},
	{message.FilenameConflict, basic + "Content-Type: text/plain; name=a.txt\nContent-Disposition: attachment; filename=b.exe\n\nhi\n"},
	{message.FilenameEightBit, basic + "Content-Disposition: attachment; filename=\xe4.exe\n\nhi\n"},
	{message.PartialMessage, basic + "Content-Type: message/partial; id=x; number=1; total=2\n\nhi\n"},
	{message.ExternalBody, basic + "Content-Type: message/external-body; access-type=URL\n\nContent-Type: image/gif\n\n"},
	{message.BareCR, basic + "\nhi\rthere\n"},
	{message.BareLF, crlf(basic+"\nhi\n") + "there\n"},
	{message.MixedLineEnds, crlf(basic+"\nhi\n") + "there\n"},
	{message.NULByte, basic + "\nhi\x00\n"},
	{message.LongLine, basic + "\n" + strings.Repeat("a", 1100) + "\n"},
	{message.TooDeep, deep(50)},
	{message.TooManyParts, mixed("a", strings.Repeat("--a\n\nx\n", 1500)+"--a--\n")},
	{message.ReadingLimit, mixed("a", strings.Repeat("--a\nContent-Type: a/b\nContent-Type: c/d\n\nx\n", 20)+"--a--\n")},
	{message.TextLimit, basic + "\n" + strings.Repeat("words and\n", 200_000)},
	{message.TooMany, mixed("a", strings.Repeat("--a\nContent-Type: x\nContent-Transfer-Encoding: y\n\nx\n", 400)+"--a--\n")},
}

// deep nests multiparts.
func deep(n int) string {
	var b strings.Builder
	b.WriteString(basic)
	for i := range n {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%dx\n\n--b%dx\n", i, i)
	}
	b.WriteString("\nx\n")
	return b.String()
}

func TestDefects(t *testing.T) {
	for _, c := range defectCases {
		for _, in := range []string{c.in, crlf(c.in)} {
			m := parse(in)
			if err := check(m); err != nil {
				t.Errorf("%s: %v", c.code, err)
			}
			if got := codes(m); !contains(got, c.code) && !(c.code == message.BareLF || c.code == message.MixedLineEnds) {
				t.Errorf("%s isn't reported: %v", c.code, got)
			}
		}
	}
	if got := codes(parse(crlf(basic + "MIME-Version: 1.0\nContent-Type: text/plain\n\nhi\n"))); got != nil {
		t.Errorf("a clean message has defects: %v", got)
	}
	if got := codes(parse(crlf(mixed("a", "--a\n\nx\n--a\nContent-Type: text/html\n\n<b>y\n--a--\n")))); got != nil {
		t.Errorf("a clean multipart has defects: %v", got)
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// TestDefectCodes holds the documented table and the tests to each other: every
// code is documented once and reported by some message above.
func TestDefectCodes(t *testing.T) {
	elsewhere := map[string]bool{message.DecodedLimit: true} // TestDecodedLimit
	tested := map[string]bool{}
	for _, c := range defectCases {
		tested[c.code] = true
	}
	seen := map[string]bool{}
	for _, d := range message.DefectCodes() {
		if seen[d.Code] || d.Means == "" || d.Code != strings.ToUpper(d.Code) {
			t.Errorf("entry %+v", d)
		}
		seen[d.Code] = true
		if !tested[d.Code] && !elsewhere[d.Code] {
			t.Errorf("%s has no test", d.Code)
		}
	}
	for code := range tested {
		if !seen[code] {
			t.Errorf("%s isn't documented", code)
		}
	}
}

func TestTree(t *testing.T) {
	m := parse(mixed("o", "pre\n--o\nContent-Type: multipart/alternative; boundary=\"i\"\n\n--i\n\nplain\n--i\nContent-Type: text/html\n\n<p>html\n--i--\n--o\nContent-Type: message/rfc822\n\nFrom: x@y\nSubject: inner\nContent-Type: multipart/mixed; boundary=e\n\n--e\n\ndeep\n--e--\n--o\nContent-Disposition: attachment; filename=\"a b.pdf\"\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n--o--\npost\n"))
	var got []string
	for _, p := range m.Parts {
		got = append(got, fmt.Sprintf("%s %s %q", p.Path, p.Type, m.Decoded(p)[:min(6, len(m.Decoded(p)))]))
	}
	want := []string{
		` multipart/mixed "pre\n--"`,
		`1 multipart/alternative "--i\n\np"`,
		`1.1 text/plain "plain"`,
		`1.2 text/html "<p>htm"`,
		`2 message/rfc822 "From: "`,
		`2.1 multipart/mixed "--e\n\nd"`,
		`2.1.1 text/plain "deep"`,
		`3 application/pdf "hello"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !m.Parts[5].Embedded || m.Parts[5].Header.Get("Subject") != "inner" {
		t.Errorf("embedded root %+v", m.Parts[5])
	}
	at := m.Attachments()
	if len(at) != 2 || at[0].Type != "message/rfc822" || at[1].Filename != "a b.pdf" {
		t.Errorf("attachments %v", at)
	}
	v := m.View()
	if v.Text != "html" || strings.TrimSpace(v.Plain) != "plain" || v.Embedded != "deep" || !v.HasHTML || !v.HasPlain {
		t.Errorf("view %+v", v)
	}
}

func TestReadings(t *testing.T) {
	cases := []struct {
		name, in string
		want     message.Reading
	}{
		{"type", basic + "Content-Type: text/plain\nContent-Type: text/html; name=x.htm\n\nhi\n",
			message.Reading{Why: message.DuplicateContentType, Type: "text/html", Filename: "x.htm", Encoding: "7bit"}},
		{"boundary", mixed("a; boundary=b", "--a\n\nx\n--a--\n"),
			message.Reading{Why: message.DuplicateBoundary, Type: "multipart/mixed", Boundary: "b", Encoding: "7bit"}},
		{"name", basic + "Content-Type: a/b; name=a.exe\nContent-Disposition: attachment; filename=b.txt\n\nhi\n",
			message.Reading{Why: message.FilenameConflict, Type: "a/b", Filename: "a.exe", Encoding: "7bit"}},
		{"plain and encoded name", basic + "Content-Disposition: attachment; filename=b.txt; filename*=utf-8''a.exe\n\nhi\n",
			message.Reading{Why: message.FilenameConflict, Type: "text/plain", Filename: "b.txt", Encoding: "7bit"}},
		{"encoding", basic + "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nhi\n",
			message.Reading{Why: message.DuplicateEncoding, Type: "text/plain", Encoding: "base64"}},
		{"guessed boundary", basic + "Content-Type: multipart/mixed\n\n--zz\nContent-Type: text/html\n\nx\n--zz--\n",
			message.Reading{Why: message.MissingBoundary, Type: "multipart/mixed", Boundary: "zz"}},
	}
	for _, c := range cases {
		m := parse(c.in)
		found := false
		for _, r := range m.Parts[0].Readings {
			found = found || r == c.want
		}
		if !found {
			t.Errorf("%s: %+v", c.name, m.Parts[0].Readings)
		}
	}
}

func TestGhosts(t *testing.T) {
	m := parse(mixed("a", "--a\n\nx\n--a--\n--a\nContent-Type: application/x-msdownload; name=x.exe\n\ny\n"))
	if len(m.Parts) != 3 || m.Parts[1].Ghost || !m.Parts[2].Ghost || m.Parts[2].Filename != "x.exe" {
		t.Errorf("%+v", m.Parts)
	}
	m = parse(basic + "Content-Type: multipart/mixed\n\n--zz\nContent-Type: text/html\n\nx\n--zz--\n")
	if len(m.Parts) != 2 || !m.Parts[1].Ghost {
		t.Errorf("a guessed boundary makes ghosts: %+v", m.Parts)
	}
}

// TestUnion holds All to what it is for: a program that only some clients see is
// found, however it hides behind a second reading.
func TestUnion(t *testing.T) {
	exe := "Content-Type: application/octet-stream; name=x.exe\nContent-Transfer-Encoding: base64\n\nTVpFVklM\n"
	for name, in := range map[string]string{
		"plain":              mixed("a", "--a\n"+exe+"--a--\n"),
		"second boundary":    mixed("a; boundary=b", "--a\n\nhi\n--a--\n--b\n"+exe+"--b--\n"),
		"encoded boundary":   basic + "Content-Type: multipart/mixed; boundary=b; boundary*=us-ascii''a\n\n--a\n\nhi\n--a--\n--b\n" + exe + "--b--\n",
		"second type":        basic + "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\nhi\n--b\n" + exe + "--b--\n",
		"no boundary":        basic + "Content-Type: multipart/mixed\n\n--b\n" + exe + "--b--\n",
		"epilogue":           mixed("a", "--a\n\nhi\n--a--\n--a\n"+exe+"--a--\n"),
		"second encoding":    basic + "Content-Type: application/octet-stream; name=x.exe\nContent-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\nTVpFVklM\n",
		"odd encoding":       basic + "Content-Type: application/octet-stream; name=x.exe\nContent-Transfer-Encoding: base64 (7bit)\n\nTVpFVklM\n",
		"encoded message":    basic + "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n" + strings.ReplaceAll(basic+exe, "=", "=3D"),
		"uuencoded":          basic + "\nbegin 644 x.exe\n&35I%5DE,\n`\nend\n",
		"second name":        basic + "Content-Type: application/octet-stream; name=x.exe\nContent-Disposition: attachment; filename=x.txt\nContent-Transfer-Encoding: base64\n\nTVpFVklM\n",
		"second disposition": basic + "Content-Disposition: attachment; filename=x.txt\nContent-Disposition: attachment; filename=x.exe\nContent-Transfer-Encoding: base64\n\nTVpFVklM\n",
		"junk in base64":     basic + "Content-Type: application/octet-stream; name=x.exe\nContent-Transfer-Encoding: base64\n\nTVp*FVk!lM\n",
		"missing empty line": mixed("a", "--a\nContent-Type: multipart/mixed; boundary=b\n--b\n"+exe+"--b--\n--a--\n"),
		"near miss":          mixed("a", "--a\n\nhi\n--a x\n"+exe+"--a--\n"),
		"bare CR":            mixed("a", "--a\n\nhi\r--a\r"+exe+"--a--\n"),
		"inside a message":   mixed("a", "--a\nContent-Type: message/rfc822\n\n"+basic+exe+"--a--\n"),
	} {
		found := false
		for mm, p := range parse(in).All() {
			found = found || p.Filename == "x.exe" && strings.HasPrefix(string(mm.Decoded(p)), "MZEVIL")
		}
		if !found {
			t.Errorf("%s: the program isn't found", name)
		}
	}
}

func TestUuencoded(t *testing.T) {
	m := parse(basic + "\nsee\nbegin 644 my file.exe\n#0V%T\n`\nend\nand\nbegin 644 b.txt\n#0V%T\n`\nend\n")
	at := m.Attachments()
	if len(at) != 2 || at[0].Filename != "my file.exe" || string(m.Decoded(at[0])) != "Cat" || !at[1].Ghost {
		t.Errorf("%+v", at)
	}
	if v := m.View(); !strings.HasPrefix(v.Text, "see\nbegin 644") {
		t.Errorf("text %q", v.Text)
	}
}

// TestConcurrent is for the race detector: checks run side by side.
func TestConcurrent(t *testing.T) {
	m := message.Parse(typical(), message.DefaultLimits())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m.View()
			for mm, p := range m.All() {
				mm.Decoded(p)
				mm.Text(p)
			}
			m.Addresses("From")
		})
	}
	wg.Wait()
}

func TestInner(t *testing.T) {
	m := parse(basic + "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYUBiClN1YmplY3Q6IHgKCmhpIGh0dHA6Ly9hLmV4YW1wbGUvCg==\n")
	in := m.Inner(m.Parts[0])
	if in == nil || in.Header().Get("Subject") != "x" || m.Inner(m.Parts[0]) != in {
		t.Fatalf("inner %v", in)
	}
	if v := m.View(); !strings.Contains(v.Embedded, "hi") || len(v.Links) != 1 || v.Links[0].Host != "a.example" {
		t.Errorf("view %+v", v)
	}
	n := 0
	for range m.All() {
		n++
	}
	if n != 2 {
		t.Errorf("All yields %d parts", n)
	}
}

func TestDecoded(t *testing.T) {
	for _, c := range []struct{ enc, in, want string }{
		{"base64", "aGVs\r\nbG8=", "hello"},
		{"base64", "aGVs*bG8=", "hello"},
		{"base64", "aGk=aGk=", "hihi"},
		{"base64", "aGVsbG8", "hello"},
		{"base64", "a", ""},
		{"base64", "====", ""},
		{"quoted-printable", "a=3Db=\n c  \nd", "a=b c\nd"},
		{"quoted-printable", "a=zz=", "a=zz"},
		{"quoted-printable", "a=  \nb", "ab"},
		{"quoted-printable", "=e4=E4", "\xe4\xe4"},
		{"x-uuencode", "begin 644 x\n#0V%T\n`\nend\n", "Cat"},
		{"7bit", "a=3Db", "a=3Db"},
		{"rot13", "abc", "abc"},
	} {
		m := parse(basic + "Content-Transfer-Encoding: " + c.enc + "\n\n" + c.in)
		if got := string(m.Decoded(m.Parts[0])); got != c.want {
			t.Errorf("%s %q = %q, want %q", c.enc, c.in, got, c.want)
		}
	}
}

func TestDecodedLimit(t *testing.T) {
	body := strings.Repeat("aGhoaGho\n", 1000)
	part := "--a\nContent-Transfer-Encoding: base64\n\n" + body
	lim := message.DefaultLimits()
	lim.Decoded = 8000
	m := message.Parse([]byte(mixed("a", part+part+part+"--a--\n")), lim)
	total := 0
	for _, p := range m.Parts[1:] {
		total += len(m.Decoded(p))
	}
	if total > lim.Decoded || !m.Truncated || !contains(codes(m), message.DecodedLimit) {
		t.Errorf("%d bytes decoded, %v", total, codes(m))
	}
}

func TestFrom(t *testing.T) {
	for _, c := range []struct {
		in, want string
		clear    bool
	}{
		{"From: Joe <a@B.example>\n\n", "a@b.example", true},
		{"From: a@b.example\nFrom: c@d.example\n\n", "a@b.example", false},
		{"From: a@b.example, c@d.example\n\n", "a@b.example", false},
		{"From: x@y.example <a@b.example>\n\n", "a@b.example", false},
		{"From: <a@b.example> <c@d.example>\n\n", "a@b.example", false},
		{"From: Joe\n\n", "Joe", false},
		{"Subject: x\n\n", "", false},
	} {
		if a, clear := parse(c.in).From(); a.String() != c.want || clear != c.clear {
			t.Errorf("%q: %q %v", c.in, a.String(), clear)
		}
	}
}

func TestMbox(t *testing.T) {
	m := parse("From joe@x.example Thu Jan  1 00:00:00 2026\n" + basic + "\nhi\n")
	if m.EnvelopeFromLine() != "From joe@x.example Thu Jan  1 00:00:00 2026" || m.Header().Get("From") != "a@b.example" {
		t.Errorf("%q %q", m.EnvelopeFromLine(), m.Header().Get("From"))
	}
}

func TestView(t *testing.T) {
	cases := []struct {
		name, in     string
		text, hidden string
	}{
		{"plain", basic + "\nhello\n", "hello\n", ""},
		{"html", basic + "Content-Type: text/html\n\n<p>a<p style='display:none'>b\n", "a", "b"},
		{"alternative, html first", basic + "Content-Type: multipart/alternative; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>h\n--a\n\nplain\n--a--\n", "h", ""},
		{"mixed shows both", mixed("a", "--a\n\none\n--a\nContent-Type: text/html\n\n<p>two\n--a--\n"), "one\ntwo", ""},
		{"attachment doesn't show", mixed("a", "--a\n\none\n--a\nContent-Disposition: attachment\n\ntwo\n--a--\n"), "one", ""},
		{"related in alternative", basic + "Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\nContent-Type: multipart/related; boundary=r\n\n--r\nContent-Type: text/html\n\n<p>h\n--r\nContent-Type: image/png\n\nx\n--r--\n--a--\n", "h", ""},
		{"charset in meta", basic + "Content-Type: text/html\n\n<meta charset=koi8-r>\xf0\xd2\xc9", "При", ""},
		{"multipart without parts shows", mixed("zzz", "see http://x.example/\n"), "see http://x.example/\n", ""},
		{"invitation", basic + "Content-Type: text/calendar\n\nDESCRIPTION:Pay\\, now at htt\n p://x.example/\n", "DESCRIPTION:Pay, now at http://x.example/\n", ""},
		{"no header", "just text\n", "just text\n", ""},
	}
	for _, c := range cases {
		v := parse(c.in).View()
		if v.Text != c.text || v.Hidden != c.hidden {
			t.Errorf("%s: text %q, hidden %q; want %q, %q", c.name, v.Text, v.Hidden, c.text, c.hidden)
		}
	}
	v := parse(basic + "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/html\n\n<a href='http://a.example/'>www.bank.com</a> and www.shop.com").View()
	if v.Subject != "Grüße" || len(v.Links) != 2 || v.Links[0].Text != "www.bank.com" || v.Links[1].Host != "www.shop.com" {
		t.Errorf("%+v", v)
	}
}

// TestLinear feeds shapes that punish quadratic readers. All of them together
// take 0.2 s; the race detector makes that minutes, so it goes without.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which runs the short tests, makes times mean nothing")
	}
	const n = 60_000
	many := func(s string) string { return strings.Repeat(s, n) }
	for name, in := range map[string]string{
		"dashes":           mixed("a", many("--\n")),
		"near misses":      mixed("a", many("--ab\n")),
		"same boundary":    mixed("a", many("--a\n")),
		"closings":         mixed("a", many("--a--\n")),
		"header lines":     many("X: y\n"),
		"header dashes":    "X: y\n" + many("--y\n"),
		"folds":            "X: y\n" + many(" y\n"),
		"CRs":              mixed("a", many("\r--b")),
		"long boundary":    mixed(strings.Repeat("a", 900), strings.Repeat("--"+strings.Repeat("a", 899)+"\n", 1000)),
		"deep, many lines": deep(28) + many("--b\n"),
		"begin lines":      basic + "\n" + many("begin 64\n"),
		"equals":           basic + "Content-Transfer-Encoding: quoted-printable\n\n" + many("=\n="),
		"equal spaces":     basic + "Content-Transfer-Encoding: quoted-printable\n\n" + many("= ="),
		"base64 pads":      basic + "Content-Transfer-Encoding: base64\n\n" + many("a="),
		"types":            many("Content-Type: text/html\n") + "\nx",
		"messages":         basic + many("Content-Type: message/rfc822\n\n"),
	} {
		start := time.Now()
		m := parse(in)
		m.View()
		if took := time.Since(start); took > 3*time.Second { // milliseconds where linear
			t.Errorf("%s: %d bytes took %v", name, len(in), took)
		}
		if err := check(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range defectCases {
		if len(c.in) < 2000 {
			f.Add([]byte(c.in))
			f.Add([]byte(crlf(c.in)))
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := message.Parse(raw, message.DefaultLimits())
		if err := check(m); err != nil {
			t.Fatal(err)
		}
		n := 0
		for mm, p := range m.All() {
			n++
			mm.Decoded(p)
		}
		if n > 2*message.DefaultLimits().Parts {
			t.Errorf("All yields %d parts", n)
		}
		m.Attachments()
		m.Addresses("From")
	})
}
