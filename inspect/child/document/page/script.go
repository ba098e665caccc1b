package page

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
)

// Lengths of literals, in characters.
const (
	longLiteral  = 1000 // nobody writes such a thing by hand
	shortLiteral = 48   // worth decoding where the page builds a file
)

// script states what the page's code does, and emits what stands in its literals.
func (p *page) script(code string) error {
	low := script.Lower(code)
	builds := seen(low, "new blob(", "new file(", "createobjecturl", "mssaveoropenblob", "mssaveblob", ".download", "\"download\"", "'download'", "showsavefilepicker", "saveas(", "data:application/", "responsetype")
	makes := seen(low, "new blob(", "new file(", "data:application/", "mssaveoropenblob", "mssaveblob")
	hands := seen(low, "createobjecturl", "mssaveoropenblob", "mssaveblob", ".download", "\"download\"", "'download'", "showsavefilepicker", "saveas(")
	file := len(makes) > 0 && len(hands) > 0
	if file {
		p.w.Fact(inspect.PageBuildsFile, strings.Join(builds, ", "))
	}
	decodes := seen(low, "atob(", "unescape(", "decodeuricomponent(", "fromcharcode", "cryptojs", "subtle.decrypt", ".decrypt(")
	writes := seen(low, "document.write", "innerhtml", "outerhtml", "insertadjacenthtml", "srcdoc", "eval(", "new function(", "document.open")
	if len(decodes) > 0 && len(writes) > 0 {
		p.w.Fact(inspect.PageWritesItself, strings.Join(append(decodes, writes...), ", "))
	}
	if c := seen(low, ".click()", "new mouseevent", "createevent(\"mouseevents", "createevent('mouseevents", ".submit()", "dispatchevent("); len(c) > 0 {
		p.w.Fact(inspect.PageClicks, strings.Join(c, ", "))
	}
	if s := seen(low, "fetch(", "xmlhttprequest", "sendbeacon", "$.post(", "$.ajax(", "new websocket", "axios", "api.telegram.org"); len(s) > 0 {
		p.w.Fact(inspect.PageSends, strings.Join(s, ", "))
	}
	for _, e := range seen(low, "debugger", "devtools", "navigator.webdriver", "oncontextmenu", "contextmenu", "phantom") {
		p.w.Fact(inspect.CodeEvades, e)
	}
	p.redirects(code, low)
	p.obfuscated(low)
	f := script.Look(code)
	f.State(p.w)
	p.w.Text(inspect.OriginScript, code)
	if p.saved == "" {
		p.saved = savedAs(code, low)
	}
	return p.literals(code, file)
}

// redirects finds assignments to the page's place.
func (p *page) redirects(code, low string) {
	found := 0
	for i := 0; found < 8; {
		n := strings.Index(low[i:], "location")
		if n < 0 {
			return
		}
		i += n + len("location")
		rest := low[i:min(i+300, len(low))]
		for _, how := range []string{".href", ".replace", ".assign", ""} {
			after, ok := strings.CutPrefix(rest, how)
			if !ok {
				continue
			}
			after = strings.TrimLeft(after, " \t")
			call := how == ".replace" || how == ".assign"
			if call && !strings.HasPrefix(after, "(") || !call && (!strings.HasPrefix(after, "=") || strings.HasPrefix(after, "==")) {
				continue
			}
			// The same bytes as they are written.
			from := i + len(rest) - len(after) + 1
			to, _, _ := strings.Cut(code[from:min(from+200, len(code))], ";")
			to, _, _ = strings.Cut(to, "\n")
			p.w.Fact(inspect.PageRedirects, "location"+how+": "+strings.TrimSpace(to))
			found++
			break
		}
	}
}

// obfuscated states how code is made unreadable as a whole.
func (p *page) obfuscated(low string) {
	if n := strings.Count(low, "_0x"); n >= 30 {
		p.w.Fact(inspect.CodeObfuscated, "renamed names: "+strconv.Itoa(n))
	}
	if strings.Contains(low, "eval(function(p,a,c,k") {
		p.w.Fact(inspect.CodeObfuscated, "packed")
	}
	signs := 0
	for i := range len(low) {
		switch low[i] {
		case '[', ']', '(', ')', '!', '+':
			signs++
		}
	}
	if len(low) > 500 && signs*10 > len(low)*9 {
		p.w.Fact(inspect.CodeObfuscated, "signs only")
	}
}

// savedAs finds the name under which code saves a file.
func savedAs(code, low string) string {
	for _, mark := range []string{".download", "\"download\"", "'download'", "mssaveoropenblob(", "mssaveblob(", "new file("} {
		i := strings.Index(low, mark)
		if i < 0 {
			continue
		}
		rest := code[i+len(mark) : min(i+len(mark)+200, len(code))]
		q := strings.IndexAny(rest, "\"'`")
		if q < 0 {
			continue
		}
		name, _, ok := strings.Cut(rest[q+1:], rest[q:q+1])
		if ok && strings.Contains(name, ".") && !strings.ContainsAny(name, "/\\<>\n") {
			return name
		}
	}
	return ""
}

// literals decodes the long strings and lists of numbers of the code.
func (p *page) literals(code string, file bool) error {
	least := longLiteral
	if file {
		least = shortLiteral
	}
	for _, s := range joined(code, least) {
		body, how := plain(s)
		if len(s) >= longLiteral {
			p.w.Fact(inspect.PageLiteral, fmt.Sprintf("%d characters of %s", len(s), how))
		}
		if body == nil {
			continue
		}
		if err := p.literal(body, how); err != nil {
			return err
		}
	}
	for _, b := range lists(code) {
		p.w.Fact(inspect.PageLiteral, fmt.Sprintf("%d numbers", len(b)))
		if err := p.literal(b, "numbers"); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) literal(body []byte, how string) error {
	e := child.Entry{Name: p.saved, Method: how, Size: -1, Bytes: body}
	if e.Name == "" {
		e.Name = fmt.Sprintf("literal-%d", p.emitted+1)
	}
	if how == "percent" && strings.Contains(string(body[:min(len(body), 4096)]), "<") {
		e.Type, e.Name = inspect.HTML, e.Name+".html"
	}
	if low := strings.ToLower(string(body[:min(len(body), 1024)])); strings.Contains(low, "<html") || strings.Contains(low, "<script") || strings.Contains(low, "<!doctype html") || strings.Contains(low, "<body") {
		e.Type = inspect.HTML
	}
	return p.emit(e)
}

// plain decodes a literal; nil where its encoding isn't known.
func plain(s string) ([]byte, string) {
	if i := strings.Index(s[:min(len(s), 200)], ";base64,"); i >= 0 && strings.HasPrefix(s, "data:") {
		s = s[i+8:]
	}
	if n := strings.Count(s, "%"); n*5 > len(s) || strings.HasPrefix(strings.ToLower(s), "%3c") {
		var b []byte
		for i := 0; i < len(s); i++ {
			if s[i] == '%' && i+2 < len(s) {
				if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
					b = append(b, byte(v))
					i += 2
					continue
				}
			}
			b = append(b, s[i])
		}
		return b, "percent"
	}
	if b, ok := unhex(s); ok {
		return b, "hex"
	}
	if b, ok := script.Base64(s); ok {
		return b, "base64"
	}
	return nil, "no known encoding"
}

func unhex(s string) ([]byte, bool) {
	s = strings.ReplaceAll(s, `\x`, "")
	if len(s)%2 != 0 {
		return nil, false
	}
	b := make([]byte, len(s)/2)
	for i := range b {
		v, err := strconv.ParseUint(s[2*i:2*i+2], 16, 8)
		if err != nil {
			return nil, false
		}
		b[i] = byte(v)
	}
	return b, true
}

// joined are the strings of at least n characters, put together where + or a comma
// in a list of long ones joins them.
func joined(code string, n int) (out []string) {
	var whole strings.Builder
	end := 0 // of the last piece
	flush := func() {
		if whole.Len() >= n && len(out) < maxEmitted {
			out = append(out, whole.String())
		}
		whole.Reset()
	}
	for i := 0; i < len(code); {
		q := code[i]
		if q != '"' && q != '\'' && q != '`' {
			i++
			continue
		}
		j := i + 1
		for j < len(code) && code[j] != q {
			if code[j] == '\\' {
				j++
			}
			j++
		}
		if j >= len(code) {
			i++
			if len(code)-i > 1<<16 {
				break // a quotation mark without end: what follows is no string
			}
			continue
		}
		piece := code[i+1 : j]
		if whole.Len() > 0 {
			between := strings.TrimSpace(code[end:min(i, end+64)])
			if i-end > 64 || between != "+" && (between != "," || len(piece) < 16) {
				flush()
			}
		}
		if len(piece) > 0 {
			if whole.Len() < maxScript {
				whole.WriteString(piece)
			}
		}
		i, end = j+1, j+1
	}
	flush()
	return out
}

// leastNumbers is how long a list of numbers is that may be a file.
const leastNumbers = 64

// lists are long lists of numbers that are bytes.
func lists(code string) (out [][]byte) {
	for i := 0; i < len(code) && len(out) < maxEmitted; {
		n := strings.IndexByte(code[i:], '[')
		if n < 0 {
			break
		}
		i += n + 1
		var b []byte
		for i < len(code) {
			for i < len(code) && (code[i] <= ' ' || code[i] == ',') {
				i++
			}
			j := i
			for j < len(code) && j-i < 6 && (code[j] >= '0' && code[j] <= '9' || code[j]|0x20 == 'x' || 'a' <= code[j]|0x20 && code[j]|0x20 <= 'f' || code[j] == '-') {
				j++
			}
			v, err := strconv.ParseInt(code[i:j], 0, 16)
			if err != nil || v < -128 || v > 255 {
				break
			}
			b = append(b, byte(v))
			i = j
		}
		if len(b) >= leastNumbers && i < len(code) && code[i] == ']' {
			out = append(out, b)
		}
	}
	return out
}
