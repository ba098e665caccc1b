package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// entry is one [[reason]] table. Pointers tell an absent number from zero.
type entry struct {
	ID       string   `toml:"id"`
	Group    string   `toml:"group"`
	Phase    string   `toml:"phase"`
	Threat   string   `toml:"threat"`
	Points   *float64 `toml:"points"`
	Hard     string   `toml:"hard"`
	Weight   string   `toml:"weight"`
	Code     *int     `toml:"code"`
	Enhanced string   `toml:"enhanced"`
	Reply    string   `toml:"reply"`
	Fix      string   `toml:"fix"`
	Page     string   `toml:"page"`
	User     string   `toml:"user"`
	Admin    string   `toml:"admin"`
	Source   string   `toml:"source"`

	where place
}

// place is a file and where the entry's lines begin in it.
type place struct {
	file  string
	first int // line of [[reason]], from 1
	lines []string
}

// at formats the position of key, or of the entry where the key is absent.
func (p place) at(key string) string {
	line := p.first
	for i, l := range p.lines {
		if k, _, ok := strings.Cut(l, "="); ok && strings.TrimSpace(k) == key {
			line = p.first + i
			break
		}
	}
	return fmt.Sprintf("%s:%d", p.file, line)
}

// readCatalogue reads every TOML file of dir and returns the entries sorted by
// ID, or all faults joined.
func readCatalogue(dir string) ([]entry, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("gen: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("gen: no catalogue in %s", dir)
	}
	slices.Sort(names)
	var all []entry
	var faults []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("gen: %w", err)
		}
		es, err := parse(filepath.Base(name), text)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, es...)
	}
	faults = append(faults, duplicates(all)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// parse reads one file and checks each of its entries.
func parse(file string, text []byte) ([]entry, error) {
	var doc struct {
		Reason []entry `toml:"reason"`
	}
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, decodeError(file, err)
	}
	places := entryPlaces(file, string(text))
	if len(places) != len(doc.Reason) {
		return nil, fmt.Errorf("%s:1: %d [[reason]] lines but %d entries: write each header on a line of its own", file, len(places), len(doc.Reason))
	}
	var faults []error
	for i := range doc.Reason {
		doc.Reason[i].where = places[i]
		faults = append(faults, doc.Reason[i].faults()...)
	}
	return doc.Reason, errors.Join(faults...)
}

func decodeError(file string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(strict.Errors) > 0 {
		line, col := strict.Errors[0].Position()
		return fmt.Errorf("%s:%d:%d: unknown key %q", file, line, col, strings.Join(strict.Errors[0].Key(), "."))
	}
	if syntax, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, col := syntax.Position()
		return fmt.Errorf("%s:%d:%d: %w", file, line, col, err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

func entryPlaces(file, text string) []place {
	var out []place
	for i, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "[[reason]]") {
			out = append(out, place{file: file, first: i + 1})
		}
		if n := len(out); n > 0 {
			out[n-1].lines = append(out[n-1].lines, l)
		}
	}
	return out
}

func duplicates(all []entry) []error {
	var faults []error
	ids, names := map[string]entry{}, map[string]entry{}
	for _, e := range all {
		if first, ok := ids[e.ID]; ok {
			faults = append(faults, fmt.Errorf("%s: id %s is taken at %s", e.where.at("id"), e.ID, first.where.at("id")))
			continue
		}
		ids[e.ID] = e
		name := constName(e.ID)
		if first, ok := names[name]; ok {
			faults = append(faults, fmt.Errorf("%s: id %s gives the constant %s, as %s does at %s", e.where.at("id"), e.ID, name, first.ID, first.where.at("id")))
		}
		names[name] = e
	}
	return faults
}

// Limits of the words. A reply line has 512 octets; what remains after these
// holds the code, the class, the reference and a link.
const (
	maxReply  = 120
	maxFix    = 120
	maxBoth   = 190  // reply and fix together
	maxWords  = 600  // user, admin, weight, source
	maxPage   = 2000 // the why page's paragraph
	maxID     = 40
	maxJudged = 6.0  // a judged soft reason
	maxFitted = 30.0 // any soft reason
)

var (
	idForm       = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	enhancedForm = regexp.MustCompile(`^([245])\.([0-9]\.[0-9]{1,2})$`)

	groups  = []string{"session", "identity", "reputation", "structure", "text", "link", "attachment", "brand", "campaign", "scam", "recipient", "prior", "delivery"}
	phases  = []string{"connect", "hello", "tls", "auth", "mail", "rcpt", "data", "header", "message"}
	threats = []string{"none", "spam", "bulk", "phish", "scam", "copycat", "malware", "bot", "attack"}
	hards   = []string{"", "stop", "pass"}
	// reserved are the names that package reason itself declares.
	reserved = []string{"Entry", "Lookup", "All", "Hash"}
)

// faults lists all that is wrong with e, each with file and line.
func (e *entry) faults() []error {
	var out []error
	bad := func(key, format string, args ...any) {
		out = append(out, fmt.Errorf("%s: %s: %s", e.where.at(key), key, fmt.Sprintf(format, args...)))
	}
	oneOf := func(key, v string, allowed []string) {
		if !slices.Contains(allowed, v) {
			bad(key, "%q is none of %q", v, allowed)
		}
	}
	switch {
	case !idForm.MatchString(e.ID) || len(e.ID) > maxID:
		bad("id", "%q: want upper-case words joined by _, at most %d octets", e.ID, maxID)
	case slices.Contains(reserved, constName(e.ID)):
		bad("id", "%q: its constant would hide reason.%s", e.ID, constName(e.ID))
	}
	oneOf("group", e.Group, groups)
	oneOf("phase", e.Phase, phases)
	oneOf("threat", e.Threat, threats)
	oneOf("hard", e.Hard, hards)
	e.pointFaults(bad)
	e.codeFaults(bad)
	e.wordFaults(bad)
	return out
}

func (e *entry) pointFaults(bad func(key, format string, args ...any)) {
	kind, why, ok := strings.Cut(e.Weight, ": ")
	if !ok || strings.TrimSpace(why) == "" || (kind != "judged" && kind != "fitted") {
		bad("weight", `%q: want "judged: why" or "fitted: corpus, n"`, e.Weight)
	}
	switch {
	case e.Points == nil:
		bad("points", "missing")
	case math.IsNaN(*e.Points) || math.Abs(*e.Points) > maxFitted:
		bad("points", "%v is beyond %v", *e.Points, maxFitted)
	case e.Hard != "" && *e.Points != 0:
		bad("points", "a hard reason stands outside the sum: want 0, got %v", *e.Points)
	case e.Group == "delivery" && *e.Points != 0:
		bad("points", "a delivery reason is never evidence: want 0, got %v", *e.Points)
	case e.Group != "prior" && kind == "judged" && math.Abs(*e.Points) > maxJudged:
		bad("points", "%v: a judged soft reason has at most %v", *e.Points, maxJudged)
	}
}

func (e *entry) codeFaults(bad func(key, format string, args ...any)) {
	if e.Code == nil {
		bad("code", "missing; 0 where the reason never leads a reply")
		return
	}
	if *e.Code == 0 {
		if e.Enhanced != "" {
			bad("enhanced", "%q without a code", e.Enhanced)
		}
		if e.Hard == "stop" {
			bad("code", "a hard stop leads replies: it needs a code")
		}
		return
	}
	if !slices.Contains(replyCodes, *e.Code) {
		bad("code", "%d is no known refusal", *e.Code)
	}
	m := enhancedForm.FindStringSubmatch(e.Enhanced)
	switch {
	case m == nil:
		bad("enhanced", "%q: want class.subject.detail", e.Enhanced)
	case !slices.Contains(enhancedCodes, m[2]):
		bad("enhanced", "X.%s is not registered", m[2])
	case int(m[1][0]-'0') != *e.Code/100:
		bad("enhanced", "%s and code %d disagree", e.Enhanced, *e.Code)
	}
}

func (e *entry) wordFaults(bad func(key, format string, args ...any)) {
	for _, w := range []struct {
		key, text string
		max       int
	}{{"reply", e.Reply, maxReply}, {"fix", e.Fix, maxFix}} {
		switch t := w.text; {
		case t == "":
			if e.Code != nil && *e.Code != 0 {
				bad(w.key, "missing")
			}
		case len(t) > w.max:
			bad(w.key, "%d octets, at most %d", len(t), w.max)
		case strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r > '~' }):
			bad(w.key, "printable ASCII only")
		case strings.TrimSpace(t) != t:
			bad(w.key, "begins or ends with a space")
		case strings.ContainsRune(".!?;:,", rune(t[len(t)-1])):
			bad(w.key, "ends with %q: the sentence goes on after it", t[len(t)-1])
		case strings.Contains(t, ";"):
			bad(w.key, "holds a semicolon, which parts reply and fix")
		case startsUpper(t):
			bad(w.key, "starts with a capital: it follows other words")
		}
	}
	if n := len(e.Reply) + len(e.Fix); n > maxBoth {
		bad("fix", "reply and fix have %d octets, at most %d", n, maxBoth)
	}
	for _, w := range []struct {
		key, text string
		max       int
	}{{"page", e.Page, maxPage}, {"user", e.User, maxWords}, {"admin", e.Admin, maxWords}, {"source", e.Source, maxWords}, {"weight", e.Weight, maxWords}} {
		switch t := w.text; {
		case strings.TrimSpace(t) == "":
			bad(w.key, "missing")
		case len(t) > w.max:
			bad(w.key, "%d octets, at most %d", len(t), w.max)
		case strings.ContainsFunc(t, func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }):
			bad(w.key, "holds a control character")
		}
	}
}

// startsUpper says whether t starts with a capitalised word; an initialism such
// as SPF, or a field such as X-Mailer, may start a text.
func startsUpper(t string) bool {
	return len(t) > 1 && 'A' <= t[0] && t[0] <= 'Z' && ('a' <= t[1] && t[1] <= 'z' || t[1] == ' ')
}
