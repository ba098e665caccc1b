package inspect

import (
	"strconv"
	"strings"
)

// Rule is a YARA rule that fits a file, as a fact's detail carries it. Names come from
// the admin's rules, but through a process that has read hostile bytes.
type Rule struct {
	Namespace string // file that it comes from, without its extension
	Name      string
	Tags      []string
	Meta      []Meta // those of MetaKeys, in the rule's order
}

// Meta is a pair of a rule's meta section.
type Meta struct{ Key, Value string }

// MetaKeys are those that are told, in lower case. What they count for is said in
// docs/files.md.
var MetaKeys = []string{"score", "malware", "family", "malware_family", "severity", "description"}

// Value is the first value of a meta key, "" without one.
func (r *Rule) Value(key string) string {
	for _, m := range r.Meta {
		if m.Key == key {
			return m.Value
		}
	}
	return ""
}

// maxRuleWord bounds names, tags, and values of meta, in bytes.
const maxRuleWord = 128

// String writes the rule for a fact: namespace:name [tags] key="value" …, with as much
// of the end as fits into MaxDetail bytes.
func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString(identifier(r.Namespace) + ":" + identifier(r.Name))
	before := " ["
	for _, t := range r.Tags {
		if t = identifier(t); b.Len()+len(t)+2 < MaxDetail && t != "" {
			b.WriteString(before + t)
			before = ","
		}
	}
	if before == "," {
		b.WriteByte(']')
	}
	for _, m := range r.Meta {
		s := " " + identifier(m.Key) + "=" + strconv.QuoteToASCII(m.Value[:min(len(m.Value), maxRuleWord)])
		if b.Len()+len(s) <= MaxDetail {
			b.WriteString(s)
		}
	}
	return b.String()
}

// ParseRule reads what String writes; false where it isn't that.
func ParseRule(s string) (r Rule, ok bool) {
	head, rest, _ := strings.Cut(s, " ")
	r.Namespace, r.Name, ok = strings.Cut(head, ":")
	if !ok || r.Name == "" || identifier(r.Name) != r.Name || identifier(r.Namespace) != r.Namespace {
		return Rule{}, false
	}
	if list, found := strings.CutPrefix(rest, "["); found {
		if list, rest, found = strings.Cut(list, "]"); !found {
			return Rule{}, false
		}
		for t := range strings.SplitSeq(list, ",") {
			if t == "" || identifier(t) != t {
				return Rule{}, false
			}
			r.Tags = append(r.Tags, t)
		}
		rest = strings.TrimPrefix(rest, " ")
	}
	for rest != "" {
		key, after, found := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if !found || err != nil || identifier(key) != key || key == "" || quoted[0] != '"' {
			return Rule{}, false
		}
		v, err := strconv.Unquote(quoted)
		if err != nil {
			return Rule{}, false
		}
		r.Meta = append(r.Meta, Meta{key, v})
		rest = strings.TrimPrefix(after[len(quoted):], " ")
	}
	return r, true
}

// identifier is s as an identifier may be written: letters, digits, and _ . -
func identifier(s string) string {
	s = s[:min(len(s), maxRuleWord)]
	return strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, s)
}
