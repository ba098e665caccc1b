package inspect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/inspect"
)

// Action is what the admin's table says of a class of files.
type Action uint8

// The actions, mildest first.
const (
	Deliver Action = iota // what is found in it counts, no more
	Convert               // to plain text; where that makes no sense, Strip
	Strip                 // take it out; the original is in quarantine
	Hold                  // in quarantine
	Refuse
)

var actionNames = [...]string{"deliver", "convert", "strip", "hold", "refuse"}

func (a Action) String() string { return actionNames[min(int(a), len(actionNames)-1)] }

// ParseAction reads an action's name.
func ParseAction(s string) (Action, error) {
	i := slices.Index(actionNames[:], s)
	if i < 0 {
		return 0, fmt.Errorf("action %q: want one of %s", s, strings.Join(actionNames[:], ", "))
	}
	return Action(i), nil
}

// Table says what happens to files, by class, by type and by extension. The strictest
// class that fits counts, but a type that is named goes before classes, and an extension
// before both: that is how an admin lets one kind through.
type Table struct {
	Classes    map[inspect.Class]Action
	Types      map[inspect.Type]Action
	Extensions map[string]Action // without the dot, lower case
}

// DefaultTable refuses what runs, and holds what mounts, installs or changes a
// device. Documents with macros, locked archives and pages with script go on: people
// send them, and what is found in them counts. So do scripts that need a terminal, and
// bookmarks: people who write programs mail the first, everybody the second.
func DefaultTable() Table {
	return Table{Classes: map[inspect.Class]Action{
		inspect.Executable: Refuse, inspect.Script: Refuse, inspect.Shortcut: Refuse, inspect.Installer: Refuse,
		inspect.DiskImage: Hold, inspect.Profile: Hold,
	}, Types: map[inspect.Type]Action{inspect.Shell: Deliver, inspect.Python: Deliver, inspect.InternetLink: Deliver, inspect.Desktop: Hold}}
}

// promised are the types that a name alone promises, of those that the default table
// speaks of: of a file that is locked or only listed nobody knows more.
var promised = map[string]inspect.Type{
	"sh": inspect.Shell, "bash": inspect.Shell, "zsh": inspect.Shell, "ksh": inspect.Shell,
	"py": inspect.Python, "url": inspect.InternetLink, "website": inspect.InternetLink, "desktop": inspect.Desktop,
}

// Action says what happens to a file, and why in words. Of one that is locked or listed
// its class is that of its name.
func (t Table) Action(f *inspect.File) (Action, string) {
	if ext := extension(f.Name); ext != "" {
		if a, ok := t.Extensions[ext]; ok {
			return a, "." + ext
		}
	}
	typ := f.Type
	if typ == "" && (f.Content == inspect.Listed || f.Content == inspect.Locked) {
		typ = promised[extension(f.Name)]
	}
	if a, ok := t.Types[typ]; ok {
		return a, string(typ)
	}
	act, why := Deliver, ""
	for _, c := range slices.Sorted(maps.Keys(t.Classes)) {
		if a := t.Classes[c]; f.Class.Has(c) && a > act {
			act, why = a, c.String()
		}
	}
	return act, why
}

// extension is what stands behind the last dot of a name, lower case, without what
// Windows drops at the end.
func extension(name string) string {
	name = strings.TrimRight(name, ". ")
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 || strings.ContainsAny(name[dot:], "/\\") {
		return ""
	}
	return strings.ToLower(name[dot+1:])
}
