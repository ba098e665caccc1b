package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	"sluice/inspect"
	"sluice/message"
	"sluice/reason"
)

// looker is an inspector that answers what the test says, and knows what it was asked.
type looker struct {
	report *inspect.Report
	err    error
	asked  *inspect.Request
}

func (l *looker) Inspect(_ context.Context, r *inspect.Request) (*inspect.Report, error) {
	l.asked = r
	return l.report, l.err
}

func parts(list ...string) string {
	var b strings.Builder
	b.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n")
	for _, p := range list {
		b.WriteString("--b\n" + p + "\n")
	}
	return b.String() + "--b--\n"
}

// What a person reads needs no look; files do, and text that isn't.
func TestNeeded(t *testing.T) {
	const zip = "Content-Type: application/zip; name=a.zip\nContent-Transfer-Encoding: base64\n\nUEsDBAoAAAAAAA=="
	for _, tt := range []struct {
		name string
		part string
		want int
	}{
		{"text", "Content-Type: text/plain\n\nhello", 0},
		{"html", "Content-Type: text/html\n\n<p>hello</p>", 0},
		{"zip", zip, 1},
		{"a zip that says it is text", strings.Replace(zip, "application/zip; name=a.zip", "text/plain", 1), 1},
		{"a patch", "Content-Type: text/x-patch; name=a.patch\nContent-Disposition: attachment\n\n--- a\n+++ b", 0},
		{"a script that says it is text", "Content-Type: text/plain; name=a.js\nContent-Disposition: attachment\n\nvar a = 1;", 1},
		{"a page as a file", "Content-Type: text/html; name=a.html\nContent-Disposition: attachment\n\n<p>hello</p>", 1},
		{"a picture", "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=", 1},
		{"a signature", "Content-Type: application/pgp-signature; name=signature.asc\n\n-----BEGIN PGP SIGNATURE-----\n\nabc", 0},
		{"a zip that says it is a signature", strings.Replace(zip, "application/zip; name=a.zip", "application/pgp-signature; name=signature.asc", 1), 1},
		{"a script that does", "Content-Type: application/pgp-signature; name=a.js\nContent-Disposition: attachment\n\nvar a = 1;", 1},
		{"a zip that says it is S/MIME", strings.Replace(zip, "application/zip; name=a.zip", "application/pkcs7-signature; name=smime.p7s", 1), 1},
		{"S/MIME", "Content-Type: application/pkcs7-signature; name=smime.p7s\nContent-Transfer-Encoding: base64\n\nMIIBAQ==", 0},
		{"a table as text", "Content-Type: text/plain; name=a.csv\nContent-Disposition: attachment\n\n=cmd|' /c calc'!A1", 1},
		{"nothing", "Content-Type: application/zip; name=a.zip\n\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := checktest.Input(parts("Content-Type: text/plain\n\nsee the file", tt.part)).Message
			req, at, _ := request(m, inspect.Budget{})
			if len(req.Inputs) != tt.want || len(at) != tt.want {
				t.Errorf("%d files need a look, want %d", len(req.Inputs), tt.want)
			}
		})
	}
}

func TestEvidence(t *testing.T) {
	in := checktest.Input(parts("Content-Type: text/plain\n\nthe password is Kiwi-77", "Content-Type: application/zip; name=\"a.zip\"\nContent-Transfer-Encoding: base64\n\nUEsDBAoAAAAAAA=="))
	in.Notes = new(check.Notes)
	l := &looker{report: &inspect.Report{At: -1,
		Files: []inspect.File{{Parent: -1, Name: "a.zip", Type: inspect.Zip, Class: inspect.Archive, Same: -1},
			{Parent: 0, Name: "b/run.exe", Type: inspect.PE, Class: inspect.Executable, SHA256: [32]byte{1, 2}, Same: -1},
			{Parent: 0, Name: "disk.iso", Type: inspect.ISO, Class: inspect.DiskImage, Same: -1}},
		Facts: []inspect.Fact{{File: 0, Kind: inspect.PasswordWorked, Detail: "Kiwi-77"}, {File: 2, Kind: "NEWS", Detail: "told, not judged"}, {File: 9, Kind: inspect.Bomb}},
		Texts: []inspect.Text{{File: 1, Origin: inspect.OriginScript, Text: "MsgBox \"" + testFile + "\""}},
		Links: []inspect.Link{{File: 1, URL: "https://x.example/"}}}}
	c := Config{Inspector: l, Table: DefaultTable(), Links: func(_ *check.Input, urls []inspect.Link) []sluice.Evidence {
		return []sluice.Evidence{{Reason: reason.LinkIPHost, Detail: urls[0].URL}}
	}}
	out, err := Checks(c)[0].Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range out {
		got = append(got, fmt.Sprintf("%s part %d %s", e.Reason, e.Part, e.Detail))
	}
	want := []string{
		`FILE_REFUSED part 2 "a.zip" › "b/run.exe" (pe) sha256 0102` + strings.Repeat("0", 60) + `: "executable"`,
		`FILE_HELD part 2 "a.zip" › "disk.iso" (iso): "disk image"`,
		`PASSWORD_IN_MESSAGE part 2 "a.zip" (zip): "Kiwi-77"`,
		`EICAR part 2 "a.zip" › "b/run.exe" (pe) sha256 0102` + strings.Repeat("0", 60) + `: "script"`,
		`LINK_IP_HOST part 0 https://x.example/`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if !slices.Contains(l.asked.Passwords, "Kiwi-77") {
		t.Errorf("passwords %q", l.asked.Passwords)
	}
	if n, ok := check.Noted[*Looked](in.Notes); !ok || n.Report != l.report || len(n.Parts) != 1 || n.Parts[0].Index != 2 {
		t.Errorf("noted %+v, %v", n, ok)
	}
}

// What a decoder says of a fact may weigh less than the reason.
func TestWeight(t *testing.T) {
	for _, tt := range []struct {
		fact inspect.Fact
		want float64
	}{
		{inspect.Fact{Kind: inspect.CodeDisguised, Detail: "qr, inverted: https://x.example/"}, 1},
		{inspect.Fact{Kind: inspect.CodeDisguised, Detail: "qr, pale: https://x.example/inverted"}, 3},
		{inspect.Fact{Kind: inspect.CodeDrawn, Detail: "qr, with blocks: https://x.example/"}, 5},
		{inspect.Fact{Kind: inspect.CodePayment, Detail: "upi"}, 1},
	} {
		c := Config{Inspector: &looker{report: &inspect.Report{At: -1, Files: []inspect.File{{Parent: -1, Name: "a.png", Same: -1}}, Facts: []inspect.Fact{tt.fact}}}}
		out, err := Checks(c)[0].Check(t.Context(), checktest.Input(parts("Content-Type: image/png; name=a.png\n\nx")))
		if err != nil || len(out) != 1 || out[0].Raw != tt.want {
			t.Errorf("%+v: %+v, %v, want %v", tt.fact, out, err, tt.want)
		}
	}
}

// A death is evidence; nobody to look is none.
func TestEnds(t *testing.T) {
	in := func() *check.Input {
		return checktest.Input(parts("Content-Type: application/zip; name=\"a.zip\"\n\nPK"))
	}
	c := Config{Table: DefaultTable()}
	file := []inspect.File{{Parent: -1, Name: "a.zip", Same: -1}}
	for _, tt := range []struct {
		report *inspect.Report
		want   sluice.Reason
	}{
		{&inspect.Report{Files: file, Ended: inspect.Crashed, At: 0, By: "zip"}, reason.InspectCrashed},
		{&inspect.Report{Files: file, Ended: inspect.TimedOut, At: -1}, reason.InspectCrashed},
		{&inspect.Report{Files: file, At: -1, Exhausted: inspect.LimitDepth}, reason.InspectExhausted},
		{&inspect.Report{Files: file, At: -1}, ""},
	} {
		c.Inspector = &looker{report: tt.report}
		out, err := Checks(c)[0].Check(t.Context(), in())
		if err != nil || (tt.want == "") != (len(out) == 0) || tt.want != "" && out[0].Reason != tt.want {
			t.Errorf("%v: %v, %v, want %s", tt.report.Ended, out, err, tt.want)
		}
	}
	c.Inspector = &looker{err: errors.New("the queue is full")}
	if out, err := Checks(c)[0].Check(t.Context(), in()); err == nil || out != nil {
		t.Errorf("nobody looked: %v, %v", out, err)
	}
	c.Inspector = &looker{report: &inspect.Report{Files: file, At: 0, Ended: inspect.Killed}}
	if out, err := Checks(c)[0].Check(t.Context(), in()); err == nil || len(out) > 0 {
		t.Errorf("killed from outside: %v, %v", out, err)
	}
	if Checks(Config{}) != nil {
		t.Error("a check without an inspector")
	}
}

func TestTable(t *testing.T) {
	tab := DefaultTable()
	tab.Extensions = map[string]Action{"js": Strip, "dotm": Refuse}
	for _, tt := range []struct {
		file inspect.File
		want Action
	}{
		{inspect.File{Name: "a.exe", Class: inspect.Executable}, Refuse},
		{inspect.File{Name: "a.JS. ", Class: inspect.Script}, Strip},
		{inspect.File{Name: "folder.js/a", Class: inspect.Script}, Refuse},
		{inspect.File{Name: "a.dotm", Class: inspect.Macro | inspect.Document}, Refuse},
		{inspect.File{Name: "a.docm", Class: inspect.Macro | inspect.Document}, Deliver},
		{inspect.File{Name: "a.iso", Class: inspect.DiskImage | inspect.Archive}, Hold},
		{inspect.File{Name: "a", Class: inspect.Picture}, Deliver},
		{inspect.File{Name: "in/invoice.exe", Class: inspect.Executable, Content: inspect.Locked}, Refuse},
		{inspect.File{Name: "in/invoice.exe", Class: inspect.Executable, Content: inspect.Listed}, Refuse},
		{inspect.File{Name: "in/a.iso", Class: inspect.DiskImage, Content: inspect.Listed}, Hold},
		{inspect.File{Name: "in/build.sh", Class: inspect.Script, Content: inspect.Locked}, Deliver},
		{inspect.File{Name: "in/build.sh", Class: inspect.Script, Content: inspect.Partial}, Refuse},
		{inspect.File{Name: "build.sh", Type: inspect.Shell, Class: inspect.Script}, Deliver},
		{inspect.File{Name: "run.js", Type: inspect.Shell, Class: inspect.Script}, Strip},
		{inspect.File{Name: "page.url", Type: inspect.InternetLink, Class: inspect.Shortcut}, Deliver},
		{inspect.File{Name: "a.lnk", Type: inspect.LNK, Class: inspect.Shortcut}, Refuse},
	} {
		if got, why := tab.Action(&tt.file); got != tt.want {
			t.Errorf("%s: %v for %q, want %v", tt.file.Name, got, why, tt.want)
		}
	}
	for _, a := range []Action{Deliver, Convert, Strip, Hold, Refuse} {
		if got, err := ParseAction(a.String()); got != a || err != nil {
			t.Errorf("%v: %v, %v", a, got, err)
		}
	}
	if _, err := ParseAction("burn"); err == nil {
		t.Error("an action that isn't one")
	}
}

func TestPasswords(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"The password is: 4711.", "4711"},
		{"Archive password - Kiwi-77", "Kiwi-77"},
		{"Das Passwort lautet »Frühling24«", "Frühling24"},
		{"пароль: 777", "777"},
		{"open it with infected", "infected"},
		{"Use code <b>X9</b> to open", "X9"},
		{"the reference is QZ81-TT", "QZ81-TT"},
	} {
		m := message.Parse([]byte("Content-Type: text/html; charset=utf-8\r\n\r\n<p>"+tt.text+"</p>"), message.DefaultLimits())
		if got := passwords(m); !slices.Contains(got, tt.want) {
			t.Errorf("%q yields %q", tt.text, got)
		}
	}
	long := message.Parse([]byte("Content-Type: text/plain\r\n\r\n"+strings.Repeat("password A1b2C3 ", 20_000)), message.DefaultLimits())
	if got := passwords(long); len(got) > inspect.MaxPasswords {
		t.Errorf("%d passwords", len(got))
	}
}

func FuzzPasswords(f *testing.F) {
	f.Add([]byte("Subject: password 1\r\n\r\nthe PIN is 7 İ"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range passwords(message.Parse(raw, message.DefaultLimits())) {
			if p == "" || len(p) > inspect.MaxPassword {
				t.Errorf("password %q", p)
			}
		}
	})
}

// TestEveryKind: each kind of facts leads to evidence, or says why it doesn't.
func TestEveryKind(t *testing.T) {
	files, err := filepath.Glob("../../inspect/kind*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	kind := regexp.MustCompile(`(?m)^\t\w+ +Kind = "([A-Z0-9_]+)"`)
	n := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range kind.FindAllStringSubmatch(string(b), -1) {
			n++
			_, told := facts[inspect.Kind(m[1])]
			if silent[inspect.Kind(m[1])] == "" == !told && m[1] != string(inspect.RuleMatch) { // stated in tools.go
				t.Errorf("%s: evidence %v, silent because %q", m[1], told, silent[inspect.Kind(m[1])])
			}
		}
	}
	if n < 50 {
		t.Errorf("%d kinds found", n)
	}
}

// Whoever asks for the pictures and the check have the files looked into once.
func TestPictures(t *testing.T) {
	if Pictures(Config{}) != nil {
		t.Error("without an inspector")
	}
	for _, first := range []bool{true, false} {
		l := &looker{report: &inspect.Report{At: -1, Files: []inspect.File{{Parent: -1, Name: "a.png", Same: -1}}, Images: []inspect.Image{{PHash: 7, Width: 9, Height: 8}}}}
		c := Config{Inspector: l, Table: DefaultTable()}
		in := checktest.Input(parts("Content-Type: image/png; name=a.png\n\nx"))
		in.Notes = new(check.Notes)
		ask := func() {
			if got := Pictures(c)(t.Context(), in); len(got) != 1 || got[0].PHash != 7 {
				t.Errorf("%+v", got)
			}
		}
		if first {
			ask()
		}
		if _, err := Checks(c)[0].Check(t.Context(), in); err != nil || l.asked == nil {
			t.Fatal(err)
		}
		if !first {
			l.asked = nil
			ask()
			if l.asked != nil {
				t.Error("asked twice")
			}
		}
	}
	in := checktest.Input(parts("Content-Type: image/png; name=a.png\n\nx"))
	if got := Pictures(Config{Inspector: &looker{err: errors.New("the queue is full")}})(t.Context(), in); got != nil {
		t.Errorf("%+v", got)
	}
}
