package engine_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/attachment"
	"sluice/check/checktest"
	enginecheck "sluice/check/engine"
	checkinspect "sluice/check/inspect"
	"sluice/engine"
	"sluice/engine/clamd"
	"sluice/engine/clamd/clamdtest"
	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document"
	"sluice/inspect/child/identify"
	"sluice/inspect/child/image"
	"sluice/internal/golden"
	"sluice/internal/shared"
	"sluice/reason"
)

// eicar is put together here, so that no scanner takes this program for the test file.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*"

// carrier is a message that carries the test file.
type carrier struct{ name, raw string }

func attach(name string, data []byte) carrier {
	return carrier{name, checktest.Attached("Content-Type: application/octet-stream; name="+name, lined(data))}
}

// lined is base64 in lines of 76.
func lined(data []byte) string {
	s := base64.StdEncoding.EncodeToString(data)
	var b strings.Builder
	for len(s) > 76 {
		b.WriteString(s[:76] + "\n")
		s = s[76:]
	}
	return b.String() + s
}

func zipped(t *testing.T, method uint16, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
	if err == nil {
		_, err = w.Write(data)
	}
	if err := cmp.Or(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	if err := cmp.Or(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err := cmp.Or(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// made are carriers of every way that mail itself has, and of plain archives.
func made(t *testing.T) []carrier {
	file := []byte(eicar)
	deep := file
	for i := range 5 {
		deep = zipped(t, zip.Deflate, fmt.Sprintf("level%d", i), deep)
	}
	var qp bytes.Buffer
	w := quotedprintable.NewWriter(&qp)
	_, _ = w.Write(file) // to memory
	_ = w.Close()
	var uu strings.Builder
	for rest := file; len(rest) > 0; rest = rest[min(45, len(rest)):] {
		uu.WriteString(uuLine(rest[:min(45, len(rest))]))
	}
	inner := strings.ReplaceAll(attach("eicar.com", file).raw, "boundary=b", "boundary=c")
	inner = strings.ReplaceAll(inner, "--b", "--c")
	return []carrier{
		{"text", checktest.Mail("", eicar)},
		attach("base64.com", file),
		{"quoted-printable", checktest.Mail("Content-Type: application/octet-stream; name=x.com\nContent-Transfer-Encoding: quoted-printable", qp.String())},
		{"uuencode", checktest.Mail("", "begin 644 eicar.com\n"+uu.String()+"`\nend\n")},
		{"message in message", checktest.Mail("Content-Type: message/rfc822", inner)},
		{"message in base64", checktest.Mail("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64", lined([]byte(inner)))},
		{"base64 unsaid", checktest.Mail("", base64.StdEncoding.EncodeToString(file))},
		{"html data", checktest.Mail("Content-Type: text/html", "<a href=\"data:application/octet-stream;base64,"+base64.StdEncoding.EncodeToString(file)+"\">x</a>")},
		attach("stored.zip", zipped(t, zip.Store, "eicar.com", file)),
		attach("deflated.zip", zipped(t, zip.Deflate, "eicar.com", file)),
		attach("five-deep.zip", deep),
		attach("x.gz", gzipped(t, file)),
		attach("x.tar", tarred(t, "eicar.com", file)),
		attach("x.tar.gz", gzipped(t, tarred(t, "eicar.com", file))),
	}
}

func uuLine(b []byte) string {
	char := func(n byte) byte {
		if n &= 63; n == 0 {
			return '`'
		}
		return n + ' '
	}
	out := []byte{char(byte(len(b)))}
	for i := 0; i < len(b); i += 3 {
		var t [3]byte
		copy(t[:], b[i:])
		out = append(out, char(t[0]>>2), char(t[0]<<4|t[1]>>4), char(t[1]<<2|t[2]>>6), char(t[2]))
	}
	return string(out) + "\n"
}

func states(ev []sluice.Evidence, id sluice.Reason) bool {
	return slices.ContainsFunc(ev, func(e sluice.Evidence) bool { return e.Reason == id && e.State == sluice.Found })
}

// looker looks into files in this process: who finds what is the question here, not who
// survives.
type looker struct{ t *testing.T }

func (l looker) Inspect(_ context.Context, r *inspect.Request) (*inspect.Report, error) {
	decoders := slices.Concat(archive.Decoders(archive.Config{}), document.Decoders(), image.Decoders())
	return childtest.Run(l.t, child.Config{Decoders: decoders, Identify: identify.Identify, Remark: identify.Remarks}, r), nil
}

// seen is what a look into the files says: the test file, a document that starts
// programs, or one with macros.
func seen(ev []sluice.Evidence) string {
	for _, w := range []struct {
		id   sluice.Reason
		word string
	}{{reason.EICAR, "found"}, {reason.DocumentRuns, "runs"}, {reason.OfficeMacro, "macro"}, {reason.PDFActive, "active"}} {
		if states(ev, w.id) {
			return w.word
		}
	}
	return "-"
}

// differ asks clamd, our own check that works without any scanner, and our look into
// files about carriers, and makes a table of who finds what.
func differ(t *testing.T, carriers []carrier) string {
	d := clamdtest.Start(t, clamdtest.Options{Signatures: clamdtest.Signatures{Strings: map[string]string{"Test.EICAR": eicar}}})
	c, err := clamd.New(clamd.Config{Hosts: engine.HostsConfig{Addresses: []string{d.Socket}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	scanner := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: engine.Guard(c, engine.GuardConfig{})}}})
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	look := checkinspect.Checks(checkinspect.Config{Inspector: looker{t}, Table: checkinspect.DefaultTable()})
	fmt.Fprintln(w, "carrier\tclamd\tattachment/eicar\tinspect/files")
	word := map[bool]string{true: "found", false: "-"}
	for _, x := range carriers {
		in := checktest.Input(x.raw)
		clam := checktest.Run(t, scanner, in)
		ours := checktest.Run(t, attachment.Checks(false), in)
		found, err := look[0].Check(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", x.name, word[states(clam, reason.EngineMalware)], word[states(ours, reason.EICAR)], seen(found))
	}
	_ = w.Flush() // to memory
	return b.String()
}

// TestCarriers compares clamd with ourselves on carriers that are made here.
func TestCarriers(t *testing.T) {
	golden.Check(t, "testdata/carriers.golden", []byte(differ(t, made(t))))
}

// TestSuite does so with a published suite of documents and archives.
func TestSuite(t *testing.T) {
	dir := shared.Dir(t, "suites", "eicar")
	files, err := filepath.Glob(filepath.Join(dir, "eicar-*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var carriers []carrier
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		carriers = append(carriers, attach(filepath.Base(f), data))
	}
	golden.Check(t, "testdata/suite.golden", []byte(differ(t, carriers)))
}

// TestKnown looks members of archives up that another has unpacked.
func TestKnown(t *testing.T) {
	if ev := enginecheck.Known(nil)(100, [32]byte{}, "", "x"); ev != nil {
		t.Errorf("%v", ev)
	}
}

// TestMalwareInPipeline takes a carrier to a hard stop.
func TestMalwareInPipeline(t *testing.T) {
	d := clamdtest.Start(t, clamdtest.Options{Signatures: clamdtest.Signatures{Strings: map[string]string{"Test.EICAR": eicar}}})
	c, err := clamd.New(clamd.Config{Hosts: engine.HostsConfig{Addresses: []string{d.Socket}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	g := engine.Guard(c, engine.GuardConfig{Timeout: 10 * time.Second})
	checks := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: g, Absent: check.Closed}}})
	ev, err := checks[0].Check(context.Background(), checktest.Input(made(t)[9].raw))
	if got := lines(ev); err != nil || got != "ENGINE_MALWARE stop: Test.EICAR.UNOFFICIAL (by clamd)" {
		t.Errorf("%s, %v", got, err)
	}
	d.Kill()
	if _, err := checks[0].Check(context.Background(), checktest.Input(checktest.Mail("", "x"))); err == nil {
		t.Error("no daemon, and no error")
	}
}
