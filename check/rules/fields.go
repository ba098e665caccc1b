package rules

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sluice"
)

// field is one name of the environment, by the tags of [Env].
type field struct {
	reflect.StructField
	name, doc, args, example string
	max                      int
	from                     sluice.Phase
	inner                    []field
}

// environment lists the fields of Env in order, and fields finds them by name.
var (
	environment = describe(reflect.TypeFor[Env](), "")
	fields      = index(environment)
)

func describe(t reflect.Type, prefix string) (out []field) {
	for f := range structFields(t) {
		d := field{StructField: f, name: prefix + f.Tag.Get("expr"), doc: f.Tag.Get("doc"), args: f.Tag.Get("args"), example: f.Tag.Get("example")}
		if m := f.Tag.Get("max"); m != "" {
			n, err := strconv.Atoi(m)
			if err != nil {
				panic("rules: max of " + d.name + ": " + err.Error())
			}
			d.max = n
		}
		if err := d.from.UnmarshalText([]byte(f.Tag.Get("from"))); err != nil {
			panic("rules: from of " + d.name + ": " + err.Error())
		}
		if f.Type.Kind() == reflect.Struct {
			d.inner = describe(f.Type, d.name+".")
		}
		out = append(out, d)
	}
	return out
}

func structFields(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

func index(list []field) map[string]field {
	out := map[string]field{}
	for _, f := range list {
		out[f.name] = f
		for _, g := range f.inner {
			out[g.name] = g
		}
	}
	return out
}

// nearest is the name that was perhaps meant.
func nearest(name string) string {
	name = strings.ToLower(name)
	if len(name) > 60 {
		return ""
	}
	best, least := "", max(len(name)/2, 3)
	for _, known := range sortedNames() {
		if strings.HasSuffix(known, "."+name) {
			return known
		}
		if d := distance(name, known); d < least {
			best, least = known, d
		}
	}
	if f, ok := fields[best]; ok && f.inner != nil {
		return firstOf(best)
	}
	if f := fields[best]; f.example != "" {
		return f.example
	}
	return best
}

// firstOf lists what stands in a part.
func firstOf(part string) string {
	var out []string
	for _, g := range fields[part].inner {
		out = append(out, g.name)
	}
	return strings.Join(out, ", ")
}

func sortedNames() []string {
	out := make([]string, 0, len(fields))
	for n := range fields {
		out = append(out, n)
	}
	slices.SortFunc(out, cmp.Compare[string])
	return out
}

// distance is how many letters must change to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// typeName is a type in the words of the document.
func (f *field) typeName() string {
	switch f.Type.Kind() {
	case reflect.Slice:
		return "list of texts"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	}
	return "text"
}

// Document is docs/rules.md: what a rule can name, by the types of [Env].
func Document() []byte {
	var b strings.Builder
	b.WriteString(preamble)
	b.WriteString("\n## What a rule can name\n\nThe last column is the first phase in which it is known. Unless a rule says otherwise, it is asked in the first phase in which all that it names is known.\n")
	for _, f := range environment {
		if f.inner == nil {
			continue
		}
		fmt.Fprintf(&b, "\n### %s: %s\n\n| name | type | meaning | from |\n|---|---|---|---|\n", f.name, f.doc)
		for _, g := range f.inner {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", g.name, g.typeName(), g.doc, g.from)
		}
	}
	b.WriteString("\n## Functions\n\n| function | meaning | example |\n|---|---|---|\n")
	for _, f := range environment {
		if f.inner == nil {
			fmt.Fprintf(&b, "| `%s(%s)` | %s | `%s` |\n", f.name, f.args, f.doc, strings.ReplaceAll(f.example, "|", `\|`))
		}
	}
	names := make([]string, 0, len(allowed))
	for n := range allowed {
		names = append(names, "`"+n+"`")
	}
	slices.Sort(names)
	fmt.Fprintf(&b, "\nBesides: %s.\n", strings.Join(names, ", "))
	fmt.Fprintf(&b, limits, maxRules, maxWhen, maxNodes, maxPattern, maxWhy)
	return []byte(b.String())
}

const preamble = `<!-- Made by go test ./check/rules -update. Don't edit. -->

# Rules of your own

A rule is an expression that is true or false for a message, with points and a reason:

` + "```toml" + `
[[rule]]
name    = "gift-cards"
when    = 'words(message.text, "gift card", "gift cards") and not auth.aligned'
points  = 4.0
why     = "nobody here is asked to buy gift cards by mail"
dry_run = true          # say what it would do, with no points
tenant  = ""            # only mail of this tenant
` + "```" + `

Points are decibels of odds, from -6 to 6; positive ones speak against the message. A rule states ` + "`ADMIN_RULE`" + ` with its name and its why. All rules and lists together weigh at most 6 decibels against a message and 10 for it, so rules alone never refuse one; for that there is the block list. Rules don't see what other checks have found, other than who the sender is.

## The language

- ` + "`and`, `or`, `not`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `a ? b : c`" + `
- texts: ` + "`contains`, `startsWith`, `endsWith`, `matches`" + ` (a regular expression, RE2); they tell small and capital letters apart: use ` + "`lower(…)`, `words(…)` or `(?i)`" + `
- ` + "`\"a\" in list`, `message.from_domain in [\"a.example\", \"b.example\"]`, `time.hour in 8..17`, `not in`" + `
- texts stand in "…" with \\ before " and \\, in '…', or, as they are, in backquotes

Every name has a value: empty or 0 where nothing is known. Rules are checked when the configuration is read; one with a fault is named with its line and column, and the others stay in force.
`

const limits = `
## Limits

At most %d rules; an expression has at most %d octets and %d parts; a regular expression is written out, is RE2, and has at most %d octets; why has at most %d. Rules have no loops, variables, indices, maps, nil, "+" on texts, "/" or "%%": nothing that a message could make slow, large or fail. What a rule could cost in the worst case is known when it is loaded; one that could take too long is not loaded, and the log and the console say so.
`
