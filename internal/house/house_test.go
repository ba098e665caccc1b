package house

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// root is the module's root as this package's tests see it.
const root = "../.."

var rules = map[string]func(*Module) []Finding{
	"imports": Imports, "decoders": Decoders, "banned": Banned, "pure": Pure, "size": Size, "names": Names, "docs": Docs,
	"traps": Traps, "fuzzed": Fuzzed,
}

// TestModule holds the whole module to every rule.
func TestModule(t *testing.T) {
	m, err := Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Packages) < 10 {
		t.Fatalf("read %d packages only: the walk is broken", len(m.Packages))
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, f := range rule(m) {
				t.Error(f)
			}
		})
	}
}

// TestFuzzScript checks that the script which CI runs finds every fuzz target.
func TestFuzzScript(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash: ", err)
	}
	out, err := exec.Command("bash", root+"/scripts/fuzz", "--list").Output()
	if err != nil {
		t.Fatalf("scripts/fuzz --list: %v", err)
	}
	m, err := Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range m.Packages {
		for _, name := range p.fuzzTargets() {
			want = append(want, p.Dir+" "+name)
		}
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("targets in the source and in scripts/fuzz (-source +script):\n%s", d)
	}
}

// TestTables checks that exceptions still name something.
func TestTables(t *testing.T) {
	for _, f := range impure {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			t.Errorf("impure in code.go names %s: %v", f, err)
		}
	}
	for _, f := range hostile {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			t.Errorf("hostile in code.go names %s: %v", f, err)
		}
	}
	for f := range machineOK {
		if _, err := os.Stat(filepath.Join(root, f)); err != nil {
			t.Errorf("machineOK in text.go names %s: %v", f, err)
		}
	}
}

// TestTrackedFiles reads every file under version control.
func TestTrackedFiles(t *testing.T) {
	list, err := exec.Command("git", "-C", root, "ls-files", "-z").Output()
	if err != nil {
		t.Skip("no git checkout: tracked files are unknown: ", err)
	}
	n := 0
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed, but not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, f := range Text(name, b) {
			t.Error(f)
		}
	}
	if n < 10 {
		t.Fatalf("read %d files only", n)
	}
}

// TestRules breaks every rule once.
func TestRules(t *testing.T) {
	long := "func Long() {\n" + strings.Repeat("\n", maxFunction) + "}\n"
	for _, tc := range []struct {
		rule, file, src string
		want            []string
	}{
		{"imports", "dns/a.go", `import "m/store"`, []string{"dns/a.go:3: import direction: dns imports store; dns may import nothing of ours but internal; speak through an interface of the root package, or let cmd wire it"}},
		{"imports", "dns/a.go", `import ("m/dns/x"; "m/internal/x"; "fmt")`, nil},
		{"imports", "dns/a_test.go", `import "m/store"`, nil},
		{"imports", "a.go", `import ("fmt"; "github.com/x/y")`, []string{"a.go:3: import direction: the root package imports github.com/x/y; the contracts need the standard library only"}},
		{"imports", "a.go", `import "m/internal/x"`, []string{"a.go:3: import direction: the root package imports internal/x; the root package may import nothing of ours but internal; speak through an interface of the root package, or let cmd wire it"}},
		{"imports", "check/text/a.go", `import ("m/check"; "m/check/text/inner"; "m/learn/x"; "m")`, nil},
		{"imports", "check/text/a.go", `import "m/check/link"`, []string{"check/text/a.go:3: import direction: check/text imports check/link; …"}},
		{"imports", "check/text/a.go", `import "m/inspect/child"`, []string{"check/text/a.go:3: import direction: check/text imports inspect/child; …"}},
		{"imports", "judge/policy/a.go", `import "m/check"`, []string{"judge/policy/a.go:3: import direction: judge/policy imports check; …"}},
		{"imports", "judge/pipeline/a.go", `import "m/check"`, nil},
		{"imports", "gate/a.go", `import "m/smtpd"`, []string{"gate/a.go:3: import direction: gate imports smtpd; …"}},
		{"imports", "gate/a.go", `import "m/deliver/rewrite"`, nil},
		{"imports", "gate/a.go", `import "m/deliver/relay"`, []string{"gate/a.go:3: import direction: gate imports deliver/relay; …"}},
		{"imports", "console/a.go", `import "m/store/sqlite"`, []string{"console/a.go:3: import direction: console imports store/sqlite; …"}},
		{"imports", "store/sqlite/a.go", `import ("m"; "m/store")`, nil},
		{"imports", "cmd/x/a.go", `import "m/store/sqlite"`, nil},
		{"imports", "attic/a.go", ``, []string{"attic: import direction: the folder belongs to no room; …"}},

		{"decoders", "check/attachment/a.go", `import "archive/zip"`, []string{"check/attachment/a.go:3: hostile decoders: check/attachment links archive/zip; …"}},
		{"decoders", "check/attachment/a.go", `import "github.com/nwaples/rardecode/v2"`, []string{"check/attachment/a.go:3: hostile decoders: check/attachment links github.com/nwaples/rardecode/v2; …"}},
		{"decoders", "gate/a.go", `import "m/inspect/child"`, []string{"gate/a.go:3: hostile decoders: gate links inspect/child; …"}},
		{"decoders", "inspect/child/a.go", `import "image/png"`, nil},
		{"decoders", "cmd/sluice/a.go", `import "m/inspect/child"`, nil},
		{"decoders", "cmd/x/a.go", `import "m/inspect/child"`, []string{"cmd/x/a.go:3: hostile decoders: cmd/x links inspect/child…"}},

		{"banned", "gate/a_test.go", `import "github.com/stretchr/testify/assert"`, []string{"gate/a_test.go:3: banned import: gate imports github.com/stretchr/testify/assert; …"}},
		{"banned", "gate/a.go", `import ("log/slog"; "log")`, []string{"gate/a.go:3: banned import: gate imports log; …"}},

		{"pure", "smtp/a.go", "import \"time\"\nvar t = time.Now()", []string{"smtp/a.go:4: pure packages: calls time.Now; …"}},
		{"pure", "smtp/a.go", "import clock \"time\"\nvar t = clock.After", []string{"smtp/a.go:4: pure packages: calls time.After; …"}},
		{"pure", "smtp/a.go", "import \"time\"\nvar t = time.Second\nvar p = time.Parse", nil},
		{"pure", "judge/x/a.go", "import \"math/rand/v2\"\nvar t = rand.IntN(3)", []string{"judge/x/a.go:4: pure packages: uses the global generator: rand.IntN; …"}},
		{"pure", "judge/x/a.go", "import \"math/rand/v2\"\nvar r *rand.Rand = rand.New(rand.NewPCG(1, 2))", nil},
		{"pure", "judge/x/a.go", "import \"crypto/rand\"", []string{"judge/x/a.go:3: pure packages: imports crypto/rand; …"}},
		{"pure", "gate/a.go", "import \"time\"\nvar t = time.Now()", nil},
		{"pure", "smtpd/server.go", "import \"time\"\nvar t = time.Now()", nil},
		{"pure", "smtpd/machine.go", "import \"time\"\nvar t = time.Now()", []string{"smtpd/machine.go:4: pure packages: calls time.Now; …"}},
		{"pure", "smtp/a_test.go", "import \"time\"\nvar t = time.Now()", nil},

		{"traps", "smtp/a.go", "import \"strings\"\nvar f = strings.EqualFold", []string{"smtp/a.go:4: trap: uses strings.EqualFold: …"}},
		{"traps", "console/a.go", "import \"strings\"\nvar f = strings.EqualFold", nil},
		{"traps", "message/htmlview/a.go", "import h \"golang.org/x/net/html\"\nvar f = h.Parse", []string{"message/htmlview/a.go:4: trap: uses golang.org/x/net/html.Parse: …"}},
		{"fuzzed", "smtp/a.go", "func FuzzX() {}", []string{"smtp: fuzz targets: …"}},
		{"fuzzed", "smtp/a_test.go", "func FuzzX() {}", nil},
		{"fuzzed", "gate/a.go", "", nil},

		{"size", "gate/a.go", long, []string{fmt.Sprintf("gate/a.go:3: long function: Long has %d lines, over %d; …", maxFunction+2, maxFunction)}},
		{"size", "gate/a_test.go", long, nil},
		{"size", "gate/a.go", strings.Repeat("\n", maxPackage), []string{"gate: large package: …"}},
		{"names", "gate/util/a.go", "", nil}, // the package's name counts, and this one is p

		{"docs", "gate/a.go", "func F() {}\nfunc f() {}", []string{"gate/a.go:3: doc comment: F is exported and has no comment; …"}},
		{"docs", "gate/a.go", "// T is one.\ntype T struct{}\nfunc (T) String() string { return \"\" }\nfunc (*T) M() {}\ntype u int\nfunc (u) M() {}",
			[]string{"gate/a.go:6: doc comment: M is exported and has no comment; …"}},
		{"docs", "gate/a.go", "// A and B are letters.\nconst (\n\tA = 1\n\tB = 2\n)\nvar C, d = 1, 2\ntype T[E any] int\nfunc (T[E]) M() {}",
			[]string{"gate/a.go:8: doc comment: C is exported and has no comment; …", "gate/a.go:9: doc comment: T is exported and has no comment; …", "gate/a.go:10: doc comment: M is exported and has no comment; …"}},
	} {
		m := load(t, tc.file, "// Package p is one.\npackage p\n"+tc.src)
		var got []string
		for i, f := range rules[tc.rule](m) {
			s := f.String()
			if i < len(tc.want) {
				if head, ok := strings.CutSuffix(tc.want[i], "…"); ok && strings.HasPrefix(s, head) {
					s = tc.want[i]
				}
			}
			got = append(got, s)
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s, %s: %.60q (-want +got):\n%s", tc.rule, tc.file, tc.src, d)
		}
	}
}

func load(t *testing.T, file, src string) *Module {
	t.Helper()
	m, err := Load(fstest.MapFS{"go.mod": {Data: []byte("module m\n")}, file: {Data: []byte(src)}, "testdata/x.go": {Data: []byte("not Go")}})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPackages(t *testing.T) {
	for _, tc := range []struct {
		rule func(*Module) []Finding
		src  string
		want int
	}{
		{Docs, "package p", 1},
		{Docs, "// Something else.\npackage p", 1},
		{Docs, "// Command x runs.\npackage main\nfunc F() {}", 0},
		{Docs, "// Package main runs.\npackage main", 1},
		{Names, "package util", 1},
		{Size, "package gatetest\nfunc f() {" + strings.Repeat("\n", maxFunction) + "}", 0},
		{Size, "// Code generated by x. DO NOT EDIT.\n\npackage p\n" + strings.Repeat("\n", maxPackage), 0},
	} {
		if got := tc.rule(load(t, "gate/a.go", tc.src)); len(got) != tc.want {
			t.Errorf("%.40q: %v, want %d findings", tc.src, got, tc.want)
		}
	}
	m, err := Load(fstest.MapFS{"go.mod": {Data: []byte("module m\n")}, "gate/DESIGN.md": {Data: []byte("So many lines because …")},
		"gate/a.go": {Data: []byte("package gate\n" + strings.Repeat("\n", maxPackage))}})
	if err != nil {
		t.Fatal(err)
	}
	if got := Size(m); len(got) != 0 {
		t.Errorf("a package that says why: %v", got)
	}
}

func TestText(t *testing.T) {
	for line, want := range map[string]string{
		"a TO" + "DO: later":         "f:1: work left over: a TO" + "DO; do it, or write down as a fact what isn't done",
		"cd /wo" + "rk/main && make": "f:1: machine path: /wo" + "rk/main exists on one machine; use a relative path, a flag, or a temporary folder made at run time",
		`"/tm` + `p/x"`:              "f:1: machine path: /tm" + "p/x exists on one machine; use a relative path, a flag, or a temporary folder made at run time",
		"https://example.com/wo" + "rk/x, and net" + "work/y": "",
		"METHODS and PHOTODOCS":                               "",
	} {
		var got string
		for _, f := range Text("f", []byte(line)) {
			got += f.String()
		}
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", line, got, want)
		}
	}
	if got := Text("f", []byte("\x00TO"+"DO")); got != nil {
		t.Errorf("a binary file: %v", got)
	}
}
