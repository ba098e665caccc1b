// Package house holds the rules of the house: which room may import which, what
// pure code may not do, what every package owes its readers. Its tests read the
// whole module; they fail with a place, a rule and what to do about it.
package house

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Finding is one breach of a rule.
type Finding struct {
	Place string // file:line relative to the module's root, or a folder
	Rule  string // which rule
	What  string // what is wrong
	Do    string // what to do
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s; %s", f.Place, f.Rule, f.What, f.Do)
}

// Module is a parsed Go module.
type Module struct {
	Path     string
	Packages []*Package // by folder
	fset     *token.FileSet
}

// Package is one folder of Go files.
type Package struct {
	Dir   string // relative to the module's root, slashes; "" is the root
	Name  string
	Files []*File
	// Design is the text of the folder's DESIGN.md, "" without one.
	Design string
}

// File is one Go file.
type File struct {
	Path      string
	Test      bool // _test.go
	Generated bool
	AST       *ast.File
	Lines     int
}

// Load parses every Go file of a module but those in testdata and in folders
// whose names begin with a dot or an underscore.
func Load(fsys fs.FS) (*Module, error) {
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("house: %w", err)
	}
	m := &Module{fset: token.NewFileSet()}
	for line := range strings.Lines(string(mod)) {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			m.Path = strings.TrimSpace(name)
		}
	}
	if m.Path == "" {
		return nil, errors.New("house: go.mod names no module")
	}
	dirs := map[string]*Package{}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if base := d.Name(); name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		return m.load(fsys, dirs, name)
	})
	if err != nil {
		return nil, fmt.Errorf("house: %w", err)
	}
	for dir, p := range dirs {
		b, err := fs.ReadFile(fsys, path.Join(dir, "DESIGN.md"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("house: %w", err)
		}
		p.Design = string(b)
		m.Packages = append(m.Packages, p)
	}
	slices.SortFunc(m.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return m, nil
}

func (m *Module) load(fsys fs.FS, dirs map[string]*Package, name string) error {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(m.fset, name, b, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	p := dirs[dir]
	if p == nil {
		p = &Package{Dir: dir}
		dirs[dir] = p
	}
	test := strings.HasSuffix(name, "_test.go")
	if !test {
		p.Name = f.Name.Name
	}
	p.Files = append(p.Files, &File{Path: name, Test: test, Generated: ast.IsGenerated(f), AST: f, Lines: strings.Count(string(b), "\n")})
	return nil
}

// code is the package's files that end up in a program.
func (p *Package) code() []*File {
	return slices.DeleteFunc(slices.Clone(p.Files), func(f *File) bool { return f.Test })
}

// place is file:line of a node.
func (m *Module) place(pos token.Pos) string {
	p := m.fset.Position(pos)
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// imported is one import of a file.
type imported struct {
	path, name string // name is what the file calls it, where that can be told
	pos        token.Pos
}

func (f *File) imports() []imported {
	var out []imported
	for _, s := range f.AST.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue // the parser has checked it
		}
		name := path.Base(p)
		if len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
			name = path.Base(path.Dir(p)) // math/rand/v2
		}
		if s.Name != nil {
			name = s.Name.Name
		}
		out = append(out, imported{p, name, s.Pos()})
	}
	return out
}

// within says whether dir is under (or is) the folder root.
func within(dir, root string) bool {
	return dir == root || strings.HasPrefix(dir, root+"/")
}
