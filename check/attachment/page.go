package attachment

import (
	"bytes"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// maxPages is how much of a message's attached pages is read, all together.
const maxPages = 4 << 20

// newPage looks into attached HTML and SVG. A page opened from an attachment
// runs its scripts without the mail client's guard: it can build a file on the
// spot (HTML smuggling) or ask for a password.
func newPage() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/page", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Heavy,
		Reasons: []sluice.Reason{
			reason.HTMLSmuggling, reason.HTMLAttachmentLogin, reason.HTMLAttachmentScript, reason.HTMLAttachment, reason.SVGScript,
		},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		left := maxPages
		for p := range files(in.Message) {
			if left == 0 {
				break
			}
			if !attached(p) || !pageLike(p) && !sniffsAsPage(p) {
				continue
			}
			data := p.data()
			data = data[:min(len(data), left)]
			left -= len(data)
			if id, detail := readPage(data); id != "" {
				s.add(id, detail+" in "+check.Quote(p.Filename), p)
			}
		}
		return s.list
	})
}

func pageLike(p file) bool {
	switch p.Type {
	case "text/html", "application/xhtml+xml", "image/svg+xml":
		return true
	}
	for _, c := range names(p) {
		if c.kind() == page {
			return true
		}
	}
	return false
}

func sniffsAsPage(p file) bool {
	f := sniff(p.data())
	return f == html || f == svg
}

// primitives are the script calls that turn text into a file or a page.
var primitives = [][]byte{
	[]byte("atob("), []byte("new blob("), []byte("createobjecturl"), []byte("mssaveoropenblob"), []byte("mssaveblob"),
	[]byte("uint8array"), []byte("fromcharcode"), []byte("unescape("), []byte("document.write"), []byte("eval("),
	[]byte(".download"), []byte("charcodeat"), []byte("decodeuricomponent("), []byte("new function("),
}

// longLiteral is the least length of packed data in a script: a small program
// of 750 octets in base64.
const longLiteral = 1000

// readPage returns the worst that can be said about one page.
func readPage(data []byte) (sluice.Reason, string) {
	low := bytes.ToLower(data)
	hasScript := bytes.Contains(low, []byte("<script")) || bytes.Contains(low, []byte("javascript:")) || hasHandler(low)
	if sniff(data) == svg {
		if hasScript || bytes.Contains(low, []byte("<foreignobject")) && bytes.Contains(low, []byte("<iframe")) {
			return reason.SVGScript, "script"
		}
		return "", ""
	}
	if hasScript {
		var seen []string
		for _, p := range primitives {
			if bytes.Contains(low, p) {
				seen = append(seen, strings.Trim(string(p), "(."))
			}
		}
		if n := literalRun(low); len(seen) >= 2 && n >= longLiteral || len(seen) >= 4 {
			return reason.HTMLSmuggling, strings.Join(seen, ", ") + " and a literal of " + strconv.Itoa(n) + " octets"
		}
	}
	if bytes.Contains(low, []byte("<input")) && (bytes.Contains(low, []byte(`type="password`)) || bytes.Contains(low, []byte("type=password")) || bytes.Contains(low, []byte("type='password"))) {
		return reason.HTMLAttachmentLogin, "a password field"
	}
	if hasScript {
		return reason.HTMLAttachmentScript, "script"
	}
	return reason.HTMLAttachment, "a page"
}

// hasHandler looks for event attributes that run without a click.
func hasHandler(low []byte) bool {
	for _, h := range []string{" onload=", " onerror=", "\nonload=", "\nonerror=", "/onload=", " onbegin=", " onmouseover="} {
		if bytes.Contains(low, []byte(h)) {
			return true
		}
	}
	return false
}

// literalRun is the longest run of base64, hex or escaped octets; line breaks
// end it, but not commas between numbers.
func literalRun(b []byte) int {
	best, run := 0, 0
	for _, c := range b {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/', c == '=', c == '\\', c == '%', c == ',', c == '-', c == '_':
			if run++; run > best {
				best = run
			}
		default:
			run = 0
		}
	}
	return best
}
