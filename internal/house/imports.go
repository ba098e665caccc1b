package house

import (
	"fmt"
	"slices"
	"strings"
)

// room is a folder (with those below it) and what of this module it may import.
type room struct {
	dir    string
	may    []string // folders, each with those below it; "." is the root package alone
	except []string // folders that it may not import all the same
}

var (
	leaves = []string{"reason", "smtp", "message", "dns"}
	facts  = append([]string{".", "mailauth", "inspect", "learn"}, leaves...)
	engine = append([]string{"check", "judge", "explain", "gate"}, facts...)
	values = append([]string{"."}, leaves...)
)

// rooms is the table of who imports whom. The first room that holds a folder
// counts, so inner rooms stand before outer ones. Every room may import itself
// and internal/.
var rooms = []room{
	{dir: "reason"}, {dir: "smtp"}, {dir: "message"}, {dir: "dns"},
	{dir: "internal", may: values},
	{dir: "mailauth", may: values},
	// The sandbox knows nothing of what runs in it; the child's frame and decoders
	// know the contract, and nobody but the program's entry links them.
	{dir: "inspect/sandbox"},
	{dir: "inspect/child", may: append([]string{"inspect"}, values...), except: []string{"inspect/pool"}},
	{dir: "inspect", may: values, except: []string{"inspect/child"}},
	{dir: "learn", may: values},
	// engine asks scanners beside us; check/engine turns their words into evidence.
	{dir: "engine", may: values},
	// A notice is read by bounce, and what it returns known by trace.
	{dir: "check", may: append([]string{"engine", "bounce", "trace"}, facts...), except: []string{"inspect/child"}},
	{dir: "judge/policy", may: []string{".", "reason"}},
	{dir: "judge/verdict", may: []string{".", "reason"}},
	{dir: "judge", may: append([]string{"check"}, facts...)},
	{dir: "explain", may: []string{".", "reason"}},
	// deliver/rewrite, deliver/banner and deliver/protect are pure functions over a
	// message's bytes; the rest of deliver is behind the root's interfaces.
	{dir: "gate", may: append([]string{"deliver/rewrite", "deliver/banner", "deliver/protect", "guard", "live"}, engine...), except: []string{"inspect/child"}},
	{dir: "smtpd", may: engine}, {dir: "milter", may: engine}, {dir: "scanhttp", may: engine}, {dir: "spamd", may: engine},
	{dir: "scan", may: values},
	{dir: "deliver", may: values},
	{dir: "store", may: values},
	{dir: "directory", may: values},
	// A roster asks the same databases as the directory, over the same connections.
	{dir: "subscriber/roster", may: append([]string{"subscriber", "directory"}, values...)},
	// Notices leave as mail whose way back is read, and by services with a token of theirs.
	{dir: "subscriber/notice", may: append([]string{"subscriber", "bounce", "directory"}, values...)},
	// What others report is read by complaint.
	{dir: "subscriber/feed", may: append([]string{"subscriber", "complaint"}, values...)},
	// What we report to others needs to know which signatures of a message hold.
	{dir: "subscriber/abuse", may: append([]string{"subscriber", "mailauth/dkim"}, values...)},
	{dir: "subscriber", may: values},
	{dir: "guard", may: []string{".", "reason"}},
	{dir: "live", may: []string{".", "reason"}},
	// What our own mail carries, to be known by when it is reported or comes back.
	{dir: "trace", may: []string{"message"}},
	// What others answer is explained by a table; a bounce holds what others answered.
	{dir: "reply", may: []string{".", "reason", "smtp"}},
	{dir: "bounce", may: append([]string{"reply"}, values...)},
	// What a report says needs the report formats, and who sent it the authentication.
	{dir: "complaint", may: []string{".", "reason", "explain", "message", "mailauth", "deliver/rewrite", "deliver/protect"}},
	{dir: "reports", may: engine, except: []string{"inspect/child"}},
	// A page that shows a quarantined message has to read it: message is a leaf.
	{dir: "console", may: []string{".", "reason", "explain", "message", "live", "lint/report", "reply", "subscriber/cases", "subscriber/report", "subscriber/notice/ticket", "subscriber/notice/words"}},
	{dir: "config", may: values},
	{dir: "certs", may: []string{"."}},
	{dir: "lint/report"}, // what was found, as plain values: for pages too
	{dir: "lint", may: append([]string{"scan"}, engine...), except: []string{"inspect/child"}},
	{dir: "replay", may: append([]string{"scan"}, engine...), except: []string{"inspect/child"}},
	// What writes carriers uses what decoders' tests write them with.
	{dir: "eval/carriers", may: []string{"inspect/child/document/cfb/cfbtest", "inspect/child/document/vba/vbatest", "inspect/child/image/imagetest"}},
	// Simulated subscribers need the real room and a real store.
	{dir: "eval/household", may: append([]string{"subscriber", "store"}, values...)},
	{dir: "eval", may: append([]string{"scan", "replay"}, engine...), except: []string{"inspect/child"}},
}

// wiring may import everything.
const wiring = "cmd"

func roomOf(dir string) (room, bool) {
	if dir == "" {
		return room{dir: "."}, true
	}
	for _, r := range rooms {
		if within(dir, r.dir) {
			return r, true
		}
	}
	return room{}, false
}

// Imports checks the direction of imports between rooms. Tests may import what
// they need.
func Imports(m *Module) []Finding {
	const rule = "import direction"
	var out []Finding
	for _, p := range m.Packages {
		if len(p.code()) == 0 || within(p.Dir, wiring) {
			continue
		}
		r, ok := roomOf(p.Dir)
		if !ok {
			out = append(out, Finding{p.Dir, rule, "the folder belongs to no room", "add it to the table in internal/house/imports.go, as the design says"})
			continue
		}
		for _, f := range p.code() {
			for _, im := range f.imports() {
				target, ours := m.folder(im.path)
				switch {
				case !ours && p.Dir == "" && strings.Contains(strings.Split(im.path, "/")[0], "."):
					out = append(out, Finding{m.place(im.pos), rule, "the root package imports " + im.path, "the contracts need the standard library only"})
				case ours && !r.mayImport(p.Dir, target):
					out = append(out, Finding{m.place(im.pos), rule, fmt.Sprintf("%s imports %s", show(p.Dir), show(target)),
						fmt.Sprintf("%s may import %s; speak through an interface of the root package, or let cmd wire it", show(r.dir), r.allowed())})
				}
			}
		}
	}
	return out
}

// folder turns an import path of this module into a folder.
func (m *Module) folder(importPath string) (string, bool) {
	if importPath == m.Path {
		return "", true
	}
	return strings.CutPrefix(importPath, m.Path+"/")
}

func (r room) mayImport(from, target string) bool {
	switch {
	case within(target, "internal"):
		return from != ""
	case slices.ContainsFunc(r.except, func(e string) bool { return within(target, e) }):
		return false
	case r.dir == "check" && within(target, "check"):
		// A check sees the contract and its own helpers, never another check.
		return target == "check" || from == "check" || within(target, from) || within(from, target)
	case target != "" && within(target, r.dir):
		return true
	}
	return slices.ContainsFunc(r.may, func(a string) bool {
		return a == "." && target == "" || a != "." && within(target, a)
	})
}

func (r room) allowed() string {
	if len(r.may) == 0 {
		return "nothing of ours but internal"
	}
	names := make([]string, len(r.may))
	for i, a := range r.may {
		names[i] = show(a)
	}
	return strings.Join(names, ", ")
}

func show(dir string) string {
	if dir == "" || dir == "." {
		return "the root package"
	}
	return dir
}

// decoders read formats that attack their readers: archives, documents, images.
// They run in the sandboxed child and nowhere else.
var decoders = []string{
	"archive/tar", "archive/zip", "compress/bzip2", "compress/lzw", "image", "golang.org/x/image",
	"github.com/nwaples/rardecode", "github.com/bodgit/sevenzip", "github.com/richardlehane/mscfb",
	"github.com/makiuchi-d/gozxing", "github.com/ledongthuc/pdf", "github.com/pdfcpu/pdfcpu", "github.com/ulikunitz/xz",
}

// decoderRoom is the one folder that may link decoders, and decoderEntry the one
// that may link it.
const (
	decoderRoom  = "inspect/child"
	decoderEntry = wiring + "/sluice"
)

// decoderWriters are folders of tools that write such formats and read none.
var decoderWriters = []string{"eval/carriers", "eval/bombs"}

// Decoders checks that hostile decoders are linked only into the child, and the
// child only into the program.
func Decoders(m *Module) []Finding {
	const rule = "hostile decoders"
	var out []Finding
	for _, p := range m.Packages {
		if within(p.Dir, decoderRoom) || slices.ContainsFunc(decoderWriters, func(d string) bool { return within(p.Dir, d) }) {
			continue
		}
		for _, f := range p.code() {
			for _, im := range f.imports() {
				if slices.ContainsFunc(decoders, func(d string) bool { return within(im.path, d) }) {
					out = append(out, Finding{m.place(im.pos), rule, show(p.Dir) + " links " + im.path, "decode in " + decoderRoom + ", which may die at any time"})
				}
				if target, ours := m.folder(im.path); ours && within(target, decoderRoom) && p.Dir != decoderEntry {
					out = append(out, Finding{m.place(im.pos), rule, show(p.Dir) + " links " + decoderRoom, "talk to the child through package inspect"})
				}
			}
		}
	}
	return out
}

// banned are modules that no file may import, with the reason.
var banned = map[string]string{
	"github.com/stretchr/testify": "tests use the standard library and go-cmp",
	"testing/quick":               "properties use pgregory.net/rapid",
	"io/ioutil":                   "it is deprecated; use io and os",
	"log":                         "log through log/slog",
	"net/textproto":               "it takes a bare LF for a line end; read lines with our own parsers",
}

// Banned checks that nothing imports what the house has decided against.
func Banned(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		for _, f := range p.Files {
			for _, im := range f.imports() {
				for b, why := range banned {
					if im.path == b || strings.Contains(b, ".") && within(im.path, b) {
						out = append(out, Finding{m.place(im.pos), "banned import", show(p.Dir) + " imports " + im.path, why})
					}
				}
			}
		}
	}
	return out
}
