package inspect_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	checkfiles "sluice/check/inspect"
	"sluice/check/link"
	checktext "sluice/check/text"
	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/identify"
	childimage "sluice/inspect/child/image"
	"sluice/inspect/child/tool"
	"sluice/inspect/child/tool/run"
	"sluice/inspect/pool"
	"sluice/inspect/tools"
	learned "sluice/learn/text"
	"sluice/reason"
)

// The test program is also the processes that look into files.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "test-decoders":
			os.Exit(child.Main(os.Args[2:], child.Config{Decoders: append(archive.Decoders(archive.Config{}), childimage.Decoders()...),
				Identify: identify.Identify, Remark: identify.Remarks}, os.Stdin, os.Stdout, os.Stderr))
		case "test-tools":
			os.Exit(tool.Main(os.Args[2:], []string{"/proc/self/exe", "test-run"}, os.Stdin, os.Stdout, os.Stderr))
		case "test-run":
			os.Exit(run.Become(os.Args[2:], os.Stderr))
		}
	}
	os.Exit(m.Run())
}

// real is the check with real processes, and tools.
func real(t testing.TB, c tools.Config, with func(*checkfiles.Tools)) []check.Checker {
	t.Helper()
	for _, name := range []string{"yara", "yarac", "tesseract"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(name + " is not installed: scripts/install-test-deps")
		}
	}
	p := pool.New(pool.Config{Command: []string{"/proc/self/exe", "test-decoders"}, Size: 1})
	t.Cleanup(p.Close)
	c.Command = []string{"/proc/self/exe", "test-tools"}
	x, err := tools.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	cfg := checkfiles.Config{Inspector: p, Table: checkfiles.DefaultTable(),
		Text: func(s string) []sluice.Evidence { return checktext.InFiles(learned.Default(), s) },
		Links: func(in *check.Input, list []inspect.Link) []sluice.Evidence {
			var urls []string
			for _, l := range list {
				urls = append(urls, l.URL)
			}
			return link.InFiles(in, urls)
		},
		Tools: checkfiles.Tools{Inspector: x, Rules: x.YARA(), Bytes: 32 << 20, Little: 500, Time: x.Time()}}
	if x.OCR() {
		cfg.Tools.Pictures = 2
	}
	if with != nil {
		with(&cfg.Tools)
	}
	return checkfiles.Checks(cfg)
}

func rules(t testing.TB, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.yar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{path}
}

// said lists evidence as lines.
func said(ev []sluice.Evidence) string {
	var b strings.Builder
	for _, e := range ev {
		fmt.Fprintf(&b, "%s %.1f %v %s\n", e.Reason, e.Raw, e.State, e.Detail)
	}
	return b.String()
}

// stated is what the check states: weights that a rule's score decides and links' reasons
// aren't those that the check declares.
func stated(t testing.TB, checks []check.Checker, in *check.Input) []sluice.Evidence {
	t.Helper()
	ev, err := checks[0].Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func attached(t testing.TB, text, typ, name string, body []byte) *check.Input {
	t.Helper()
	return checktest.Input("From: Ann <ann@sender.example>\nTo: bob@garden.example\nSubject: for you\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n" +
		text + "\n--b\nContent-Type: " + typ + "; name=" + name + "\nContent-Disposition: attachment; filename=" + name + "\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString(body) + "\n--b--\n")
}

func zipped(t testing.TB, name string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err == nil {
		_, err = f.Write(body)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawn is a picture of text, with letters as large as on a screen.
func drawn(t testing.TB, lines ...string) []byte {
	t.Helper()
	f, err := opentype.Parse(goregular.TTF)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 14, DPI: 96, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	m := image.NewGray(image.Rect(0, 0, 620, 20+26*len(lines)))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for i, l := range lines {
		d := font.Drawer{Dst: m, Src: image.NewUniform(color.Black), Face: face, Dot: fixed.P(10, 26+26*i)}
		d.DrawString(l)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const site = `rule Dropper : loader { meta: malware = "Emotet" strings: $a = "the needle" condition: $a }
rule Odd { meta: score = 40 strings: $a = "odd but" condition: $a }
rule Plain { strings: $a = "plain match" condition: $a }
`

// TestRule: a rule hits a file in a zip in a zip in a message, as malware with its name,
// or by its score.
func TestRule(t *testing.T) {
	checks := real(t, tools.Config{Rules: rules(t, site)}, nil)
	for _, row := range []struct {
		name, body string
		want       []string
	}{
		{"malware", "hay the needle hay", []string{`ENGINE_MALWARE 0.0 found Emotet (by yara, rule site:Dropper, in "a.zip" › "b.zip" › "c.dat"`}},
		{"score", "odd but not bad", []string{`YARA_MATCH 2.4 found "a.zip" › "b.zip" › "c.dat"`, `site:Odd score=\"40\"`}},
		{"no score", "a plain match", []string{`YARA_MATCH 3.0 `, "site:Plain"}},
		{"none", "nothing", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := said(stated(t, checks, attached(t, "see the file", "application/zip", "a.zip", zipped(t, "b.zip", zipped(t, "c.dat", []byte(row.body))))))
			for _, w := range row.want {
				if !strings.Contains(got, w) {
					t.Errorf("want %s in\n%s", w, got)
				}
			}
			if row.want == nil && strings.Contains(got, "YARA") {
				t.Errorf("%s", got)
			}
		})
	}
}

// TestPicture: the text of a picture is judged by the text model, its address as a link.
func TestPicture(t *testing.T) {
	checks := real(t, tools.Config{OCR: true}, nil)
	body := drawn(t, "Buy cheap viagra and cialis online today without prescription", "Lowest prices for all pills free shipping worldwide order now",
		"Click here to order viagra now and save money on your pills", "Best quality replica watches and cheap software for you", "visit our shop at http://192.0.2.77/pills")
	in := attached(t, "hello", "image/png", "offer.png", body)
	got := said(stated(t, checks, in))
	if !strings.Contains(got, reason.TextInFile) || !strings.Contains(got, reason.LinkIPHost) {
		t.Errorf("%s", got)
	}
	// A message that says something is judged by what it says.
	in = attached(t, strings.Repeat("this is a long letter about the garden. ", 50), "image/png", "offer.png", body)
	if got := said(stated(t, checks, in)); strings.Contains(got, reason.TextInFile) {
		t.Errorf("a long letter's picture is read: %s", got)
	}
	// Without tools nothing is read.
	off := real(t, tools.Config{OCR: true}, func(c *checkfiles.Tools) { *c = checkfiles.Tools{} })
	if got := said(stated(t, off, attached(t, "hello", "image/png", "offer.png", body))); strings.Contains(got, reason.TextInFile) {
		t.Errorf("%s", got)
	}
}

// TestBounded: a rule without end costs its time, and is evidence, not an outage.
func TestBounded(t *testing.T) {
	checks := real(t, tools.Config{Time: time.Second,
		Rules: rules(t, "rule Endless { condition: for all i in (0..4000000000) : (for all j in (0..4000000000) : (i + j >= 0)) }")}, nil)
	got := said(stated(t, checks, attached(t, "see", "application/zip", "a.zip", zipped(t, "c.dat", []byte("x")))))
	if !strings.Contains(got, reason.InspectExhausted) {
		t.Errorf("%s", got)
	}
}

// broken are tools that come to an end.
type broken struct {
	report inspect.Report
	err    error
}

func (b broken) Inspect(context.Context, *inspect.Request) (*inspect.Report, error) {
	r := b.report
	return &r, b.err
}

// TestBroken: what the tools' process does is evidence about the file where the file did
// it, and unknown where nobody looked.
func TestBroken(t *testing.T) {
	for _, row := range []struct {
		name     string
		tools    broken
		wait     bool
		want     []string
		unwanted string
	}{
		{"crashed", broken{report: inspect.Report{Ended: inspect.Crashed, By: "yara"}}, false, []string{"INSPECT_CRASHED 4.0 found \"a.zip\""}, "UNKNOWN"},
		{"killed", broken{report: inspect.Report{Ended: inspect.Killed, By: "yara"}}, false, []string{"ENGINE_UNKNOWN 0.0 unknown tools: yara: killed from outside"}, "CRASHED"},
		{"down", broken{err: errors.New("no process")}, false, []string{"ENGINE_UNKNOWN 0.0 unknown tools: no process"}, "INCOMPLETE"},
		{"down, wait", broken{err: errors.New("no process")}, true, []string{"ENGINE_UNKNOWN", "CHECK_INCOMPLETE 0.0 unknown"}, "CRASHED"},
		{"failed", broken{report: inspect.Report{Facts: []inspect.Fact{{Kind: inspect.ToolFailed, Detail: "yara: status 1"}}}}, false, []string{"ENGINE_UNKNOWN 0.0 unknown tools: yara: status 1"}, "CRASHED"},
		{"died", broken{report: inspect.Report{Facts: []inspect.Fact{{Kind: inspect.ToolDied, Detail: "yara: killed"}}}}, false, []string{"INSPECT_CRASHED"}, "UNKNOWN"},
		{"liar", broken{report: inspect.Report{Facts: []inspect.Fact{{File: 99, Kind: inspect.RuleMatch, Detail: "no rule \x1b"}}, Texts: []inspect.Text{{File: -7, Text: "x"}}}}, false, nil, "YARA"},
	} {
		t.Run(row.name, func(t *testing.T) {
			checks := real(t, tools.Config{Rules: rules(t, site)}, func(c *checkfiles.Tools) { c.Inspector, c.Defer = row.tools, row.wait })
			ev, err := checks[0].Check(t.Context(), attached(t, "see", "application/zip", "a.zip", zipped(t, "c.dat", []byte("the needle"))))
			got := said(ev)
			if err != nil || strings.Contains(got, row.unwanted) {
				t.Errorf("%v: %s", err, got)
			}
			for _, w := range row.want {
				if !strings.Contains(got, w) {
					t.Errorf("want %s in\n%s", w, got)
				}
			}
		})
	}
}
