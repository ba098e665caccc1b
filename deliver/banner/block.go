package banner

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// block is a banner's words.
type block struct {
	lang  string
	title string
	lines []string
	token string
}

// width of lines in plain text: short enough to be quoted twice.
const width = 70

// text is the banner in plain text, with an empty line behind it. No line ends in a
// space or begins with one, with ">" or with "From ", so that format=flowed (RFC 3676)
// shows it as it is.
func (b *block) text(eol string) string {
	var out strings.Builder
	out.WriteString("*** " + b.title + " ***" + eol)
	for _, l := range b.lines {
		start := true
		for _, part := range wrap(l, width) {
			mark := "|   "
			if start {
				mark = "| - "
			}
			out.WriteString(mark + part + eol)
			start = false
		}
	}
	out.WriteString("*** " + b.token + eol + eol)
	return out.String()
}

// wrap breaks at spaces; words longer than a line stand alone.
func wrap(s string, n int) (out []string) {
	line, count := "", 0
	for w := range strings.FieldsSeq(s) {
		size := utf8.RuneCountInString(w)
		if line != "" && count+1+size > n {
			out, line, count = append(out, line), "", 0
		}
		if line != "" {
			line += " "
			count++
		}
		line += w
		count += size
	}
	return append(out, line)
}

// Styles of the table's elements. Inline and important declarations win over all that a
// style sheet can say (CSS Cascading 4, 6.4), but for transitions, which are turned off.
const (
	seen = `visibility:visible;opacity:1;position:static;float:none;clip:auto;clip-path:none;transform:none;filter:none;` +
		`mix-blend-mode:normal;transition:none;animation:none;text-indent:0;letter-spacing:normal;word-spacing:normal;line-height:1.4;` +
		`max-height:none;height:auto;overflow:visible;direction:ltr;text-transform:none;text-decoration:none;z-index:2147483647;content-visibility:visible`
	tableStyle = `display:table;width:100%;max-width:none;min-width:200px;margin:0 0 12px 0;border-collapse:separate;border-spacing:0;` +
		`background:#fff4ce;border:1px solid #b45309;mso-hide:none;` + seen
	groupStyle = `display:table-row-group;` + seen
	rowStyle   = `display:table-row;` + seen
	cellStyle  = `display:table-cell;width:100%;padding:10px 14px;background:#fff4ce;color:#3b1d00;border:0;border-left:6px solid #b45309;` +
		`font:normal normal 400 14px/1.4 Arial,Helvetica,sans-serif;text-align:left;vertical-align:top;white-space:normal;` + seen
	lineStyle  = `display:block;width:auto;max-width:none;margin:0 0 4px 0;padding:0;background:#fff4ce;color:#3b1d00;font:normal normal 400 14px/1.4 Arial,Helvetica,sans-serif;text-align:left;white-space:normal;` + seen
	titleStyle = `display:block;width:auto;max-width:none;margin:0 0 6px 0;padding:0;background:#fff4ce;color:#3b1d00;font:normal normal 700 15px/1.4 Arial,Helvetica,sans-serif;text-align:left;white-space:normal;` + seen
	tokenStyle = `display:block;width:auto;max-width:none;margin:0;padding:0;background:#fff4ce;color:#7a5c1e;font:normal normal 400 10px/1.4 Arial,Helvetica,sans-serif;text-align:left;white-space:normal;` + seen
)

// important makes each declaration of a style important; lines are kept short.
func important(style, eol string) string {
	var out strings.Builder
	col := 0
	for d := range strings.SplitSeq(style, ";") {
		d += "!important;"
		if col += len(d); col > 150 {
			out.WriteString(eol)
			col = len(d)
		}
		out.WriteString(d)
	}
	return out.String()
}

// html is the banner as a table of its own, in ASCII and on lines of its own.
func (b *block) html(eol string) string {
	var out strings.Builder
	element := func(tag, more, style string) {
		fmt.Fprintf(&out, `<%s%s style="%s">`, tag, more, important(style, eol))
	}
	out.WriteString(eol)
	element("table", ` role="note" lang="`+b.lang+`" dir="ltr" border="0" cellpadding="0" cellspacing="0" width="100%" bgcolor="#fff4ce"`, tableStyle)
	element("tbody", "", groupStyle)
	element("tr", "", rowStyle)
	out.WriteString(eol)
	element("td", ` bgcolor="#fff4ce"`, cellStyle)
	out.WriteString(eol)
	element("div", "", titleStyle)
	out.WriteString(entities(b.title, eol) + "</div>" + eol)
	for _, l := range b.lines {
		element("div", "", lineStyle)
		out.WriteString(entities(l, eol) + "</div>" + eol)
	}
	element("div", "", tokenStyle)
	out.WriteString(b.token + "</div>" + eol + "</td></tr></tbody></table>" + eol)
	return out.String()
}

// entities escapes text for HTML of any charset that holds ASCII.
func entities(s, eol string) string {
	var out strings.Builder
	for i, line := range wrap(s, 150) {
		if i > 0 {
			out.WriteString(eol)
		}
		for _, r := range line {
			switch {
			case r >= utf8.RuneSelf || r == '<' || r == '>' || r == '&' || r == '"' || r == '\'' || r == '~':
				fmt.Fprintf(&out, "&#%d;", r)
			default:
				out.WriteRune(r)
			}
		}
	}
	return out.String()
}
