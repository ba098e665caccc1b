package htmlview

import (
	"strings"
)

const (
	maxRules = 2000      // selectors kept of all <style> elements
	maxSheet = 256 << 10 // bytes of CSS read
)

// rule is what a simple selector sets.
type rule struct{ normal, important decl }

// sheet maps simple selectors to what they set: "td", ".x", "#y", "td.x", "*".
// Selectors with combinators, attributes or states are left out: a rule that
// isn't understood must not hide anything.
type sheet map[string]*rule

// parse adds the rules of one <style> element.
func (s sheet) parse(css string) {
	if len(css) > maxSheet {
		css = css[:maxSheet]
	}
	css = strings.ReplaceAll(strings.ReplaceAll(css, "<!--", ""), "-->", "")
	if strings.Contains(css, "/*") {
		css = stripComments(css)
	}
	for css != "" && len(s) < maxRules {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return
		}
		head := strings.Trim(css[:open], " \t\r\n\f")
		if i := strings.LastIndexByte(head, ';'); i >= 0 { // @import "x"; td
			head = strings.Trim(head[i+1:], " \t\r\n\f")
		}
		if strings.HasPrefix(head, "@") {
			if plainMedia(head) {
				css = css[open+1:] // its rules count; the last "}" is skipped below
				continue
			}
			css = afterBlock(css[open:])
			continue
		}
		head = strings.TrimLeft(head, "} \t\r\n\f")
		end := strings.IndexByte(css[open:], '}')
		if end < 0 {
			end = len(css) - open
		}
		block := css[open+1 : open+end]
		css = css[min(len(css), open+end+1):]
		if strings.HasPrefix(head, "@") {
			continue
		}
		var r rule
		parseDecls(block, &r.normal, &r.important)
		if r.normal.set|r.important.set == 0 || len(head) > 4096 {
			continue
		}
		for sel := range strings.SplitSeq(head, ",") {
			sel = simple(strings.Trim(sel, " \t\r\n\f"))
			if sel == "" {
				continue
			}
			old := s[sel]
			if old == nil {
				if len(s) >= maxRules {
					return
				}
				old = new(rule)
				s[sel] = old
			}
			old.normal.merge(&r.normal)
			old.important.merge(&r.important)
		}
	}
}

// plainMedia says whether an at-rule applies to every screen.
func plainMedia(head string) bool {
	h := strings.ToLower(head)
	if !strings.HasPrefix(h, "@media") || strings.Contains(h, "(") || strings.Contains(h, "print") || strings.Contains(h, "not") {
		return false
	}
	return strings.Contains(h, "screen") || strings.Contains(h, "all") || strings.TrimSpace(h) == "@media"
}

// afterBlock skips a block with nested ones; s begins with "{".
func afterBlock(s string) string {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth <= 0 {
				return s[i+1:]
			}
		}
	}
	return ""
}

// simple returns a selector's key, or "" where it isn't simple. Ids and classes
// keep their case; element names don't.
func simple(sel string) string {
	if sel == "" || len(sel) > 128 {
		return ""
	}
	marks := 0
	for i := 0; i < len(sel); i++ {
		switch c := sel[i]; {
		case c == '.' || c == '#':
			marks++
		case c == '*' && len(sel) == 1:
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c >= 0x80:
		default:
			return ""
		}
	}
	if marks > 1 {
		return ""
	}
	i := strings.IndexAny(sel, ".#")
	if i < 0 {
		return strings.ToLower(sel)
	}
	return strings.ToLower(sel[:i]) + sel[i:]
}

// match applies the sheet to one element and its inline style.
func (s sheet) match(d *decl, tag, id, class, inline string) {
	var imp decl
	if len(s) > 0 {
		s.use(d, &imp, "*")
		s.use(d, &imp, tag)
		n := 0
		for c := range strings.FieldsSeq(class) {
			if n++; n > 16 {
				break
			}
			s.use(d, &imp, "."+c)
			s.use(d, &imp, tag+"."+c)
		}
		if id != "" {
			s.use(d, &imp, "#"+id)
			s.use(d, &imp, tag+"#"+id)
		}
	}
	var own, first decl // what is inline and important wins over all (CSS Cascading 4, 6.1)
	if inline != "" {
		parseDecls(inline, &own, &first)
		d.merge(&own)
	}
	if imp.set != 0 {
		d.merge(&imp)
	}
	if first.set != 0 {
		d.merge(&first)
	}
}

func (s sheet) use(d, imp *decl, key string) {
	if r := s[key]; r != nil {
		d.merge(&r.normal)
		if r.important.set != 0 {
			imp.merge(&r.important)
		}
	}
}
