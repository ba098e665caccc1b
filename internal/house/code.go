package house

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// pure lists the folders, with those below them, where time and randomness are
// arguments; impure the files there that touch the world: a socket's driver.
var (
	pure   = []string{"smtp", "smtpd", "message", "reason", "check", "judge", "explain", "learn", "mailauth", "guard", "live", "lint", "complaint", "reply", "bounce", "trace", "subscriber"}
	impure = []string{"smtpd/server.go", "smtpd/conn.go", "smtpd/wire.go", "smtpd/admit.go", "smtpd/behind.go", "smtpd/waiters.go", "smtpd/lot.go", "smtpd/tarpit.go", "reason/internal", "subscriber/roster", "subscriber/notice"}
)

// clock are the functions of package time that read the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// Pure checks that pure packages neither read the clock nor use randomness of
// their own.
func Pure(m *Module) []Finding {
	const rule = "pure packages"
	var out []Finding
	for _, p := range m.Packages {
		if !slices.ContainsFunc(pure, func(d string) bool { return within(p.Dir, d) }) {
			continue
		}
		for _, f := range p.code() {
			if slices.ContainsFunc(impure, func(d string) bool { return within(f.Path, d) }) {
				continue
			}
			for _, im := range f.imports() {
				if im.path == "crypto/rand" {
					out = append(out, Finding{m.place(im.pos), rule, "imports crypto/rand", "take an io.Reader as an argument"})
				}
			}
			f.uses(func(pkg, name string, pos token.Pos) {
				switch pkg {
				case "time":
					if slices.Contains(clock, name) {
						out = append(out, Finding{m.place(pos), rule, "calls time." + name, "take the time as an argument"})
					}
				case "math/rand", "math/rand/v2":
					if !strings.HasPrefix(name, "New") && !slices.Contains([]string{"Rand", "Source", "PCG", "ChaCha8", "Zipf"}, name) {
						out = append(out, Finding{m.place(pos), rule, "uses the global generator: rand." + name, "take a *rand.Rand as an argument"})
					}
				}
			})
		}
	}
	return out
}

// uses reports every name that the file takes from another package.
func (f *File) uses(report func(pkg, name string, pos token.Pos)) {
	names := map[string]string{} // what the file calls a package → its path
	for _, im := range f.imports() {
		names[im.name] = im.path
	}
	ast.Inspect(f.AST, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && names[x.Name] != "" {
				report(names[x.Name], s.Sel.Name, s.Pos())
			}
		}
		return true
	})
}

// traps are names of good packages that don't do what one expects of them here.
// where lists folders; none means everywhere.
var traps = []struct {
	pkg, name string
	where     []string
	why, do   string
}{
	{"strings", "EqualFold", []string{"smtp", "smtpd", "message"}, "it folds Unicode, so the long s ends a BDAT", "fold ASCII only"},
	{"bytes", "EqualFold", []string{"smtp", "smtpd", "message"}, "it folds Unicode, so the long s ends a BDAT", "fold ASCII only"},
	{"golang.org/x/net/html", "Parse", nil, "it gives up above 512 open elements", "use the tokenizer"},
	{"golang.org/x/net/html", "ParseFragment", nil, "it gives up above 512 open elements", "use the tokenizer"},
	{"net/http", "ListenAndServe", nil, "it has no timeouts", "use an http.Server with timeouts"},
	{"net/http", "DefaultClient", nil, "it has no timeout", "use an http.Client with a timeout"},
	{"net/http", "Get", nil, "it has no timeout", "use an http.Client with a timeout"},
	{"net/http", "Post", nil, "it has no timeout", "use an http.Client with a timeout"},
}

// Traps checks that the code stays clear of known traps.
func Traps(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		for _, f := range p.code() {
			f.uses(func(pkg, name string, pos token.Pos) {
				for _, t := range traps {
					if t.pkg == pkg && t.name == name && (t.where == nil || slices.ContainsFunc(t.where, func(d string) bool { return within(p.Dir, d) })) {
						out = append(out, Finding{m.place(pos), "trap", "uses " + pkg + "." + name + ": " + t.why, t.do})
					}
				}
			})
		}
	}
	return out
}

// hostile are the folders that parse bytes from outside.
var hostile = []string{"smtp", "smtpd", "reply", "bounce", "trace", "message", "message/header", "message/charset", "message/htmlview", "message/links", "message/quote",
	"dns", "dns/dnstest", "dns/dnsbl", "scan", "lint", "lint/desk", "config", "deliver/quarantine", "deliver/banner", "deliver/protect", "explain",
	"directory", "directory/file", "directory/ldap", "directory/callahead", "subscriber/roster", "subscriber/notice", "subscriber/notice/ticket", "subscriber/feed", "subscriber/abuse",
	"mailauth/spf", "mailauth/canon", "mailauth/key", "mailauth/signature", "mailauth/dkim", "mailauth/arc", "mailauth/dmarc",
	"mailauth/author", "mailauth/authres", "mailauth/bimi", "mailauth/report", "learn/network", "learn/dialect", "learn/campaign", "learn/lookalike", "learn/domain",
	"learn/correspondent", "learn/brand", "check/brand", "check/scam", "learn/thread", "learn/anomaly", "learn/feedback", "learn/feedback/golden", "check/rules", "inspect/wire",
	"engine/clamd", "engine/icap", "engine/hashlist", "engine/tlsh", "engine/urllist", "engine/expand",
	"inspect/child/identify", "inspect/child/archive/appended", "inspect/child/archive/cab", "inspect/child/archive/cms",
	"inspect/child/archive/disk", "inspect/child/archive/letter", "inspect/child/archive/listing", "inspect/child/archive/lzma",
	"inspect/child/archive/onenote", "inspect/child/archive/outlook", "inspect/child/archive/rar",
	"inspect/child/archive/sevenzip", "inspect/child/archive/stream", "inspect/child/archive/tape",
	"inspect/child/archive/testfile", "inspect/child/archive/tnef", "inspect/child/archive/zip",
	"inspect", "inspect/child/image", "inspect/child/image/code",
	"inspect/child/document/cfb",
	"inspect/child/document/script",
	"inspect/child/document/vba",
	"inspect/child/document/object",
	"inspect/child/document/field",
	"inspect/child/document/ole",
	"inspect/child/document/pdf",
	"inspect/child/document/page",
	"inspect/child/document/ooxml",
	"inspect/child/document/rtf",
	"inspect/child/document/shortcut",
	"inspect/child/document/calendar",
	"inspect/child/tool/tesseract", "inspect/child/tool/yara"}

// Fuzzed checks that every folder which parses bytes from outside has a fuzz
// target.
func Fuzzed(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		if slices.Contains(hostile, p.Dir) && !p.fuzzed() {
			out = append(out, Finding{show(p.Dir), "fuzz targets", "it parses bytes from outside and has no fuzz target", "add a func FuzzXxx with seeds beside the parser"})
		}
	}
	return out
}

func (p *Package) fuzzed() bool { return len(p.fuzzTargets()) > 0 }

// fuzzTargets are the names of the package's fuzz targets.
func (p *Package) fuzzTargets() (names []string) {
	for _, f := range p.Files {
		for _, d := range f.AST.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && f.Test && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// The longest function and package, in lines of code that is neither generated
// nor a test.
const (
	maxFunction = 120
	maxPackage  = 2500
)

// Size checks the length of functions and packages.
func Size(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		lines := 0
		for _, f := range p.code() {
			if f.Generated {
				continue
			}
			lines += f.Lines
			for _, d := range f.AST.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				if strings.HasSuffix(p.Name, "test") {
					continue // conformance suites are tests, and tests hold long tables
				}
				n := m.fset.Position(fn.End()).Line - m.fset.Position(fn.Pos()).Line + 1
				if n > maxFunction {
					out = append(out, Finding{m.place(fn.Pos()), "long function", fmt.Sprintf("%s has %d lines, over %d", fn.Name.Name, n, maxFunction), "split it"})
				}
			}
		}
		if lines > maxPackage && !strings.Contains(p.Design, "lines") {
			out = append(out, Finding{show(p.Dir), "large package", fmt.Sprintf("%d lines, over %d", lines, maxPackage), "split it, or say in its DESIGN.md why it has so many lines"})
		}
	}
	return out
}

// vague are names that say nothing about what a package is for.
var vague = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "lib", "models", "manager", "types", "shared_types"}

// Names checks what packages are called.
func Names(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		if slices.Contains(vague, p.Name) {
			out = append(out, Finding{show(p.Dir), "package name", p.Name + " says nothing", "name it after the one idea it holds"})
		}
	}
	return out
}

// Docs checks that every package has a comment and every exported name of a
// package that others can import has one.
func Docs(m *Module) []Finding {
	var out []Finding
	for _, p := range m.Packages {
		code := p.code()
		if len(code) == 0 {
			continue
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if !slices.ContainsFunc(code, func(f *File) bool { return strings.HasPrefix(f.AST.Doc.Text(), want) }) {
			out = append(out, Finding{show(p.Dir), "package comment", fmt.Sprintf("no comment that begins with %q", want), "say in a few lines what it is for and what it never does"})
		}
		if p.Name == "main" {
			continue
		}
		for _, f := range code {
			if f.Generated {
				continue
			}
			for _, d := range f.AST.Decls {
				out = append(out, m.undocumented(d)...)
			}
		}
	}
	return out
}

// known are methods whose meaning the standard library's interfaces give.
var known = []string{"String", "Error", "Unwrap", "Is", "As", "Len", "Less", "Swap", "Read", "Write", "Close", "ReadAt", "WriteTo", "ReadFrom", "Seek",
	"MarshalText", "UnmarshalText", "MarshalJSON", "UnmarshalJSON", "GoString", "Format", "LogValue", "ServeHTTP", "Describe", "Collect"}

func (m *Module) undocumented(d ast.Decl) []Finding {
	var out []Finding
	missing := func(pos token.Pos, name string) {
		out = append(out, Finding{m.place(pos), "doc comment", name + " is exported and has no comment", "say its shape, unit, error and source"})
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Doc != nil {
			return nil
		}
		if d.Recv != nil && (slices.Contains(known, d.Name.Name) || !ast.IsExported(receiver(d))) {
			return nil
		}
		missing(d.Pos(), d.Name.Name)
	case *ast.GenDecl:
		if d.Doc != nil && d.Tok != token.TYPE {
			return nil // a comment over a group speaks for its members
		}
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (d.Doc == nil || len(d.Specs) > 1 && d.Doc == nil) {
					missing(s.Pos(), s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && s.Doc == nil && s.Comment == nil {
						missing(n.Pos(), n.Name)
					}
				}
			}
		}
	}
	return out
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
