package yara

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"sluice/inspect"
)

// maxMatches bounds the lines that are taken.
const maxMatches = 500

// parse reads what yara prints with namespace, tags and meta, a line for each rule that
// fits a file:
//
//	namespace:name [tag,tag] [key="text",key=1,key=true] path
//
// Lines of another form are skipped: yara was given hostile bytes.
func parse(out []byte) (list []match) {
	for line := range bytes.Lines(out) {
		if len(list) == maxMatches {
			break
		}
		if m, ok := parseLine(strings.TrimSuffix(string(line), "\n")); ok {
			list = append(list, m)
		}
	}
	return list
}

func parseLine(s string) (m match, ok bool) {
	head, rest, ok := strings.Cut(s, " [")
	if !ok {
		return m, false
	}
	if m.rule.Namespace, m.rule.Name, ok = strings.Cut(head, ":"); !ok || m.rule.Name == "" {
		return m, false
	}
	tags, rest, ok := strings.Cut(rest, "] [")
	if !ok {
		return m, false
	}
	if tags != "" {
		m.rule.Tags = strings.Split(tags, ",")
	}
	if m.rule.Meta, rest, ok = parseMeta(rest); !ok {
		return m, false
	}
	number, ok := strings.CutPrefix(rest, "] /proc/self/fd/")
	if !ok {
		return m, false
	}
	n, err := strconv.Atoi(number)
	m.file = n - 3
	return m, err == nil && n >= 3
}

// parseMeta reads pairs up to the bracket that closes them, and keeps those that are
// told.
func parseMeta(s string) (list []inspect.Meta, rest string, ok bool) {
	for s != "" && s[0] != ']' {
		key, after, found := strings.Cut(s, "=")
		if !found {
			return nil, "", false
		}
		key = strings.ToLower(strings.TrimSpace(key))
		var v string
		if strings.HasPrefix(after, `"`) {
			if v, after, found = unquote(after[1:]); !found {
				return nil, "", false
			}
		} else {
			n := strings.IndexAny(after, ",]")
			if n < 0 {
				return nil, "", false
			}
			v, after = after[:n], after[n:]
		}
		if slices.Contains(inspect.MetaKeys, key) {
			list = append(list, inspect.Meta{Key: key, Value: v})
		}
		s = strings.TrimPrefix(after, ",")
	}
	return list, s, s != ""
}

// unquote reads text up to the quote that ends it: yara writes \" \\ \n \t \r, and other
// octets as three octal digits.
func unquote(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], true
		case c != '\\':
			b.WriteByte(c)
		case i+1 == len(s):
			return "", "", false
		default:
			if i+3 < len(s) {
				if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
					b.WriteByte(byte(n))
					i += 3
					continue
				}
			}
			i++
			if at := strings.IndexByte("ntr", s[i]); at >= 0 {
				b.WriteByte("\n\t\r"[at])
			} else {
				b.WriteByte(s[i])
			}
		}
	}
	return "", "", false
}
