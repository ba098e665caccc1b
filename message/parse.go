package message

import (
	"bytes"
	"strconv"
	"strings"

	"sluice/message/header"
)

const (
	maxDefects  = 500
	perPart     = 4    // defects of one code in one part
	maxBoundary = 1000 // longer ones can't stand on a legal line
	longLine    = 998  // RFC 5322 2.1.1
)

// Parse reads a whole message. It never fails: input that is no message at all
// becomes one text part with defects. Lines may end with CRLF or LF; a first mbox
// "From " line is dropped. raw is kept and must not be changed while the Message
// is in use. Zero limits mean the defaults.
func Parse(raw []byte, lim Limits) *Message {
	m := &Message{Raw: raw, lim: lim.withDefaults()}
	p := &parser{m: m, raw: raw, fields: m.lim.Fields, decoded: m.lim.Decoded}
	pos := 0
	if bytes.HasPrefix(raw, []byte("From ")) || bytes.HasPrefix(raw, []byte(">From ")) {
		end := p.lineEnd(0)
		m.fromLine = strings.ToValidUTF8(string(bytes.TrimRight(raw[:min(end, 1000)], "\r\n")), "\uFFFD")
		p.defect(MboxFromLine, span(0, end), 0, "", false)
		pos = end
	}
	p.tree(pos)
	p.hygiene(pos)
	p.rootFields()
	p.readings()
	return m
}

// readings says where there are more second readings than Rereads parses.
func (p *parser) readings() {
	count, size := 0, 0
	for _, part := range p.m.Parts {
		count += len(part.Readings)
		if size += len(part.Readings) * part.Body.Len; count > maxRereads || size > p.m.lim.Decoded/2 {
			p.limit(ReadingLimit, part.Body, part.Index)
			return
		}
	}
}

// open is a multipart whose end hasn't come.
type open struct {
	part     *Part
	boundary string
	closed   bool // its closing boundary was seen; what follows is epilogue
	epilogue int  // where the epilogue begins
	started  bool // a delimiter was seen
}

// delim is a boundary line.
type delim struct {
	start, end int // the line
	level      int // index in the stack of open multiparts
	closing    bool
}

type parser struct {
	m       *Message
	raw     []byte
	stack   []open
	fields  int // header fields left
	decoded int // decoded bytes left
	parts   []Part
}

// lineEnd is the offset behind the line at pos.
func (p *parser) lineEnd(pos int) int {
	if i := bytes.IndexByte(p.raw[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(p.raw)
}

// defect records one; a few of each code and part, and a bounded number in all.
func (p *parser) defect(code string, r Range, part int, detail string, ambiguous bool) {
	m := p.m
	if len(m.Defects) >= maxDefects {
		if len(m.Defects) == maxDefects {
			m.Defects = append(m.Defects, Defect{Code: TooMany, Range: r, Part: part})
		}
		return
	}
	n := 0
	for i := len(m.Defects) - 1; i >= 0 && m.Defects[i].Part == part; i-- {
		if m.Defects[i].Code == code {
			if n++; n >= perPart {
				return
			}
		}
	}
	m.Defects = append(m.Defects, Defect{Code: code, Range: r, Part: part, Detail: header.Clip(detail), Ambiguous: ambiguous})
}

// limit records a limit that was hit.
func (p *parser) limit(code string, r Range, part int) {
	p.m.Truncated = true
	p.defect(code, r, part, "", true)
}

// newPart appends a part under parent; nil where the limits forbid it.
func (p *parser) newPart(parent *Part, at int) *Part {
	m := p.m
	if len(m.Parts) >= m.lim.Parts {
		p.limit(TooManyParts, span(at, 0), parent.Index)
		return nil
	}
	if len(p.parts) == 0 {
		p.parts = make([]Part, 8)
	}
	q := &p.parts[0]
	p.parts = p.parts[1:]
	q.Index = len(m.Parts)
	q.Parent = parent
	if parent != nil {
		parent.Children = append(parent.Children, q)
		q.Depth = parent.Depth + 1
		q.Ghost = parent.Ghost
		q.Path = childPath(parent, len(parent.Children))
	}
	m.Parts = append(m.Parts, q)
	return q
}

// childPath is the IMAP section number (RFC 9051 6.4.5.1, without the special
// rule for embedded multiparts: every child adds a number).
func childPath(parent *Part, n int) string {
	if parent.Path == "" {
		return strconv.Itoa(n)
	}
	return parent.Path + "." + strconv.Itoa(n)
}

// tree builds the parts. It walks forward only: a header, then the lines that
// could be boundaries of open multiparts.
func (p *parser) tree(pos int) {
	part := p.newPart(nil, pos)
	for part != nil {
		body, hit := p.header(part, pos)
		part.Body.Off = body
		p.describe(part)
		if hit == nil { // an embedded message begins at once
			if child := p.embedded(part, body); child != nil {
				part, pos = child, body
				continue
			}
			p.enter(part)
		}
		part, pos = p.scan(part, body, hit)
	}
	p.closeTo(0, len(p.raw), len(p.raw), false)
}

// embedded starts the message inside a message/rfc822 part.
func (p *parser) embedded(part *Part, at int) *Part {
	if !part.IsMessage() || !identity(part.Encoding) {
		return nil
	}
	if part.Depth+1 >= p.m.lim.Depth {
		p.limit(TooDeep, span(at, 0), part.Index)
		return nil
	}
	child := p.newPart(part, at)
	if child != nil {
		child.Embedded = true
	}
	return child
}

// enter opens a multipart.
func (p *parser) enter(part *Part) {
	if !part.IsMultipart() {
		return
	}
	b := p.boundary(part)
	if b == "" {
		return
	}
	if part.Depth+1 >= p.m.lim.Depth {
		p.limit(TooDeep, part.Body, part.Index)
		return
	}
	for _, o := range p.stack {
		switch {
		case o.boundary == b:
			p.defect(BoundaryReused, part.Header.Range, part.Index, b, true)
		case strings.HasPrefix(o.boundary, b), strings.HasPrefix(b, o.boundary):
			p.defect(BoundaryPrefix, part.Header.Range, part.Index, b, true)
		}
	}
	p.stack = append(p.stack, open{part: part, boundary: b})
}

// scan goes from delimiter to delimiter until one begins a new part, and returns
// it with the offset of its header. hit is a delimiter that was already found.
func (p *parser) scan(leaf *Part, pos int, hit *delim) (*Part, int) {
	for {
		d := hit
		if d == nil {
			d = p.next(pos)
		}
		hit = nil
		if d == nil {
			return nil, 0
		}
		o := &p.stack[d.level]
		p.closeTo(d.level+1, d.start, p.trimEOL(d.start), true)
		pos = d.end
		if d.closing {
			if !o.closed {
				o.closed, o.epilogue = true, d.end
				if !o.started {
					o.started = true
					p.preamble(o, d.start)
				}
			}
			continue
		}
		if !o.started {
			o.started = true
			p.preamble(o, d.start)
		}
		parent := o.part
		if o.closed {
			p.defect(EpiloguePart, span(d.start, d.end-d.start), parent.Index, o.boundary, true)
		}
		if d.end == len(p.raw) {
			return nil, 0 // nothing follows
		}
		child := p.newPart(parent, d.end)
		if child == nil {
			return nil, 0
		}
		if o.closed || parent.guessed {
			child.Ghost = true
		}
		return child, d.end
	}
}

// preamble looks at the text before the first delimiter.
func (p *parser) preamble(o *open, end int) {
	off := o.part.Body.Off
	text := p.raw[off:max(off, end)]
	if len(text) > 4096 {
		text = text[:4096]
	}
	if containsFold(text, "content-type:") || containsFold(text, "content-transfer-encoding:") {
		p.defect(PreamblePart, span(off, end-off), o.part.Index, "", true)
	}
}

// containsFold looks for an ASCII string in any case.
func containsFold(b []byte, sub string) bool {
	for len(b) >= len(sub) {
		i := bytes.IndexByte(b, ':')
		if i < 0 {
			return false
		}
		if i+1 >= len(sub) && header.EqualFold(string(b[i+1-len(sub):i+1]), sub) {
			return true
		}
		b = b[i+1:]
	}
	return false
}

// next finds the next delimiter line of an open multipart at or behind pos, which
// must be the start of a line.
func (p *parser) next(pos int) *delim {
	if len(p.stack) == 0 {
		return nil
	}
	for pos < len(p.raw) {
		if !bytes.HasPrefix(p.raw[pos:], []byte("--")) {
			i := bytes.Index(p.raw[pos:], []byte("\n--"))
			if i < 0 {
				return nil
			}
			pos += i + 1
		}
		end := p.lineEnd(pos)
		if d, ok := p.match(pos, end); ok {
			return &d
		}
		pos = end
	}
	return nil
}

// match says whether the line is a delimiter of an open multipart, innermost
// first. White space may follow (RFC 2046 5.1.1). Readers that compare only the
// beginning of the line (5.1.2 asks for it) see more delimiters: a near miss.
func (p *parser) match(start, end int) (delim, bool) {
	line := bytes.TrimRight(p.raw[start+2:end], " \t\r\n")
	near := -1
	for i := len(p.stack) - 1; i >= 0; i-- {
		b := p.stack[i].boundary
		if len(line) < len(b) || string(line[:len(b)]) != b {
			continue
		}
		switch rest := line[len(b):]; {
		case len(rest) == 0:
			return delim{start, end, i, false}, true
		case len(rest) == 2 && rest[0] == '-' && rest[1] == '-':
			return delim{start, end, i, true}, true
		case near < 0:
			near = i
		}
	}
	if near >= 0 {
		part := p.stack[near].part
		p.defect(BoundaryNearMiss, span(start, end-start), part.Index, string(line[:min(len(line), 100)]), true)
		if len(line) <= 200 {
			part.reading(Reading{Why: BoundaryNearMiss, Type: part.Type, Boundary: string(line), Encoding: part.Encoding})
		}
	}
	return delim{}, false
}

// reading adds a second reading, unless the part has it or enough others.
func (p *Part) reading(r Reading) {
	const most = 4
	same := 0
	for i := range p.Readings {
		if p.Readings[i] == r {
			return
		}
		if p.Readings[i].Why == r.Why {
			same++
		}
	}
	if same < most {
		p.Readings = append(p.Readings, r)
	}
}

// trimEOL steps back over the line end before a delimiter: it belongs to the
// delimiter (RFC 2046 5.1.1).
func (p *parser) trimEOL(at int) int {
	if at > 0 && p.raw[at-1] == '\n' {
		at--
		if at > 0 && p.raw[at-1] == '\r' {
			at--
		}
	}
	return at
}

// closeTo ends the multiparts from level on, and the parts under the one that
// stays open. Bodies end at end, which is before the delimiter's line end.
func (p *parser) closeTo(level, start, end int, delimiter bool) {
	for i := len(p.stack) - 1; i >= level; i-- {
		o := &p.stack[i]
		if !o.closed {
			p.defect(NoClosing, span(start, 0), o.part.Index, o.boundary, true)
			if !o.started {
				p.preamble(o, start)
			}
		} else if text := p.raw[min(o.epilogue, end):end]; len(text) > 0 && len(bytes.TrimSpace(text[:min(len(text), 4096)])) > 0 {
			p.defect(EpilogueText, span(o.epilogue, end-o.epilogue), o.part.Index, string(text[:min(len(text), 100)]), false)
		}
		if len(o.part.Children) == 0 {
			p.defect(EmptyMultipart, o.part.Header.Range, o.part.Index, o.part.Type, true)
		}
	}
	p.stack = p.stack[:level]
	// Every part that is still without an end, from the last one up to the
	// multipart that stays open.
	var keep *Part
	if level > 0 {
		keep = p.stack[level-1].part
	}
	for q := p.m.Parts[len(p.m.Parts)-1]; q != nil && q != keep; q = q.Parent {
		if !q.ended {
			q.ended = true
			q.Body.Len = max(0, end-q.Body.Off)
			p.body(q)
		}
		// A delimiter right behind another makes an empty part that ends
		// behind the line end which its parent gives up.
		end = max(end, q.Body.End())
	}
}

// header reads a part's header at pos. It returns where the body begins, and the
// delimiter that ended the header early, if one did.
func (p *parser) header(part *Part, pos int) (body int, hit *delim) {
	raw := p.raw
	start := pos
	if part.Index == 0 || part.Embedded { // empty lines before the header of a message
		for pos < len(raw) && pos-start < 64 && (raw[pos] == '\n' || raw[pos] == '\r' && pos+1 < len(raw) && raw[pos+1] == '\n') {
			pos = p.lineEnd(pos)
		}
		if pos > start {
			if next := p.lineEnd(min(pos, len(raw))); pos < len(raw) && header.IsField(raw[pos:next]) && part.Index == 0 {
				p.defect(HeaderBlankStart, span(start, pos-start), part.Index, "", true)
				start = pos
			} else {
				pos = start
			}
		}
	}
	tail := -1 // where lines that aren't header lines began and went on
	end := len(raw)
	body = len(raw)
	found := false
	dashes := 0
	for at := pos; at < len(raw); {
		next := p.lineEnd(at)
		line := raw[at:next]
		if line[0] == '\n' || line[0] == '\r' && len(line) > 1 && line[1] == '\n' {
			end, body, found = at, next, true
			break
		}
		if line[0] == '-' && len(line) > 1 && line[1] == '-' {
			if d, ok := p.match(at, next); ok {
				hit = &d
			}
			if dashes++; hit != nil || dashes <= 8 && namesBoundary(raw[start:at], line) {
				end, body, found = at, at, true
				p.defect(HeaderNoEnd, span(at, 0), part.Index, "", false)
				break
			}
		}
		if next-start > p.m.lim.HeaderBytes {
			p.limit(HeaderTooLong, span(start, next-start), part.Index)
			end, body, found = at, at, true
			break
		}
		switch {
		case header.IsField(line):
			tail = -1
		case line[0] != ' ' && line[0] != '\t' || at == pos:
			if tail < 0 {
				tail = at
			}
		}
		at = next
	}
	if tail >= 0 && hit == nil {
		// Text directly behind the fields: readers take it for the body.
		code := HeaderTextBody
		if tail == pos {
			code = HeaderMissing
		}
		p.defect(code, span(tail, end-tail), part.Index, string(raw[tail:min(end, tail+100)]), true)
		end, body = tail, tail
	} else if !found {
		p.defect(HeaderNoEnd, span(len(raw), 0), part.Index, "", false)
	}
	h, defects := header.Parse(raw[start:end], start, max(1, p.fields))
	part.Header = h
	p.fields -= len(h.Fields)
	for _, d := range defects {
		if d.Code == header.TooManyFields {
			p.m.Truncated = true
		}
		p.defect(d.Code, d.Range, part.Index, d.Detail, d.Ambiguous)
	}
	return body, hit
}

// namesBoundary says whether the line is a delimiter of the multipart that the
// header before it has just announced: an empty line is missing.
func namesBoundary(head, line []byte) bool {
	b := bytes.TrimRight(line[2:], " \t\r\n")
	i := bytes.LastIndex(head, b)
	return len(b) > 0 && i > 9 && containsFold(bytes.ReplaceAll(head[i-min(i, 12):i], []byte("="), []byte(":")), "boundary:")
}

// hygiene looks at the bytes of the whole message: line ends, NUL, long lines.
func (p *parser) hygiene(from int) {
	raw := p.raw
	crlf, lf := 0, 0
	firstLF := -1
	headerEnd := p.m.Parts[0].Header.Range.End()
	for pos := from; pos < len(raw); {
		i := bytes.IndexByte(raw[pos:], '\n')
		end := len(raw)
		if i >= 0 {
			end = pos + i
			if i > 0 && raw[end-1] == '\r' {
				crlf++
			} else {
				if lf++; firstLF < 0 {
					firstLF = end
				}
			}
		}
		if end-pos > longLine+1 {
			p.defect(LongLine, span(pos, end-pos), 0, "", false)
		}
		pos = end + 1
	}
	if crlf > 0 && lf > 0 {
		p.defect(MixedLineEnds, span(firstLF, 1), 0, strconv.Itoa(crlf)+" CRLF, "+strconv.Itoa(lf)+" LF", true)
		p.defect(BareLF, span(firstLF, 1), 0, "", true)
	}
	if i := bytes.IndexByte(raw[from:], 0); i >= 0 {
		p.defect(NULByte, span(from+i, 1), 0, "", true)
	}
	if n := bytes.Count(raw[from:], []byte{'\r'}); n > crlf {
		p.bareCR(max(from, headerEnd))
	}
}

// bareCR reports CRs without LF behind the root header, and boundaries behind
// them, which some readers take.
func (p *parser) bareCR(from int) {
	raw := p.raw
	var known map[string]int // boundary → part
	reported := 0
	for pos := from; pos < len(raw) && reported < 2*perPart; {
		i := bytes.IndexByte(raw[pos:], '\r')
		if i < 0 {
			return
		}
		pos += i + 1
		if pos < len(raw) && raw[pos] == '\n' {
			continue
		}
		p.defect(BareCR, span(pos-1, 1), 0, "", true)
		if known == nil {
			known = make(map[string]int)
			for _, q := range p.m.Parts {
				if b := q.Params["boundary"]; b != "" && q.IsMultipart() {
					known[b] = q.Index
				}
			}
		}
		if !bytes.HasPrefix(raw[pos:], []byte("--")) {
			continue
		}
		line := raw[pos+2 : min(len(raw), pos+2+maxBoundary)]
		if j := bytes.IndexAny(line, "\r\n"); j >= 0 {
			line = line[:j]
		}
		b := string(bytes.TrimRight(line, " \t"))
		at, ok := known[b]
		if !ok {
			at, ok = known[strings.TrimSuffix(b, "--")]
		}
		if ok {
			reported++
			p.defect(BoundaryBareCR, span(pos-1, len(b)+3), at, b, true)
			part := p.m.Parts[at]
			part.reading(Reading{Why: BoundaryBareCR, Type: part.Type, Boundary: part.Params["boundary"], Encoding: part.Encoding})
		}
	}
}

// rootFields reports fields of the root that are missing or there twice, and what
// is wrong with the addresses of its authors.
func (p *parser) rootFields() {
	h := p.m.Header()
	for _, f := range [...]struct {
		name, twice, none string
		author            bool // its addresses say who wrote
	}{
		{"From", DuplicateFrom, MissingFrom, true}, {"Sender", DuplicateSender, "", true}, {"Reply-To", DuplicateReplyTo, "", true},
		{"Date", DuplicateDate, MissingDate, false}, {"Message-ID", DuplicateMessageID, MissingMessageID, false},
		{"Subject", DuplicateSubject, "", false}, {"To", DuplicateTo, "", false}, {"Cc", DuplicateCc, "", false},
		{"MIME-Version", DuplicateMimeVersion, "", false},
	} {
		n := 0
		var second *header.Field
		for i := range h.Fields {
			if h.Fields[i].Is(f.name) {
				if n++; n == 2 {
					second = &h.Fields[i]
				}
				if f.author && n <= perPart {
					_, defects := header.ParseAddressList(h.Fields[i].Value)
					p.relocate(defects, &h.Fields[i], p.m.Parts[0])
				}
			}
		}
		switch {
		case n == 0 && f.none != "":
			p.defect(f.none, span(h.Range.Off, 0), 0, "", false)
		case n > 1:
			p.defect(f.twice, second.Range, 0, second.Value, true) // RFC 5322 3.6
		}
	}
}
