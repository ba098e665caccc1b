package message

import "iter"

// Inner parses what stands under the transfer encoding of a multipart or embedded
// message. RFC 2045 6.4 forbids such encodings, many clients honour them, so the
// tree of p itself is what readers see who don't. Inner is nil for other parts
// and where the limits forbid it. The result is cached; ranges of the inner
// message are of its own Raw.
func (m *Message) Inner(p *Part) *Message {
	if identity(p.Encoding) || p.container() || !p.IsMultipart() && !p.IsMessage() {
		return nil
	}
	body := m.Decoded(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.inner != nil || len(body) == 0 {
		return p.inner
	}
	lim := m.lim
	lim.Depth -= p.Depth + 1
	lim.Decoded = p.allow
	lim.Parts -= len(m.Parts)
	if lim.Depth <= 0 || lim.Parts <= 0 {
		return nil
	}
	if p.IsMultipart() {
		head := "Content-Type: " + p.Header.Get("Content-Type") + "\r\n\r\n"
		body = append([]byte(head), body...)
	}
	p.inner = Parse(body, lim)
	return p.inner
}

// maxRereads bounds how many second readings of one message are parsed; their
// bytes together are at most half of Limits.Decoded.
const maxRereads = 8

// Rereads parses the second readings of p: its body under the other type,
// boundary, name or encoding that a client may go by. Each result is a message
// whose root stands for p; its ranges are of its own Raw. Only the first few
// readings of a message are parsed; more is the defect READINGS_LIMIT. The results
// are cached.
func (m *Message) Rereads(p *Part) []*Message {
	if len(p.Readings) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.reread {
		return p.again
	}
	p.reread = true
	for _, r := range p.Readings {
		if m.rereads >= maxRereads || m.reread+p.Body.Len > m.lim.Decoded/2 || p.Depth+1 >= m.lim.Depth || p.guessed {
			break
		}
		m.rereads++
		m.reread += p.Body.Len
		lim := m.lim
		lim.Depth -= p.Depth
		lim.Decoded /= maxRereads
		raw := append(r.header(p), m.Body(p)...)
		if r.Why == BoundaryBareCR {
			endLines(raw)
		}
		again := Parse(raw, lim)
		again.rereads = maxRereads // a reading of a reading is nobody's
		for _, q := range again.Parts {
			q.Ghost = true
		}
		p.again = append(p.again, again)
	}
	return p.again
}

// endLines turns every CR without LF into LF, as readers do that end lines there.
func endLines(b []byte) {
	for i, c := range b {
		if c == '\r' && (i+1 >= len(b) || b[i+1] != '\n') {
			b[i] = '\n'
		}
	}
}

// header writes the fields of p as the reading has them.
func (r Reading) header(p *Part) []byte {
	var b []byte
	field := func(name, value string, params ...string) {
		b = append(append(append(b, name...), ": "...), value...)
		for i := 0; i+1 < len(params); i += 2 {
			if params[i+1] == "" {
				continue
			}
			b = append(append(append(b, "; "...), params[i]...), `="`...)
			for j := range len(params[i+1]) {
				switch c := params[i+1][j]; {
				case c == '"' || c == '\\':
					b = append(b, '\\', c)
				case c >= ' ' && c != 0x7f:
					b = append(b, c)
				}
			}
			b = append(b, '"')
		}
		b = append(b, "\r\n"...)
	}
	kind, boundary, name := r.Type, r.Boundary, r.Filename
	if !validType(kind) {
		kind = p.Type
	}
	if boundary == "" {
		boundary = p.Params["boundary"]
	}
	if name == "" {
		name = p.Filename
	}
	field("Content-Type", kind, "boundary", boundary, "charset", p.Charset)
	enc := r.Encoding
	if enc == "" {
		enc = p.Encoding
	}
	if validType("x/" + enc) {
		field("Content-Transfer-Encoding", enc)
	}
	if name != "" || p.Disposition != "" {
		disp := p.Disposition
		if disp == "" {
			disp = "inline"
		}
		field("Content-Disposition", disp, "filename", name)
	}
	return append(b, "\r\n"...)
}

// All walks over all parts with the message that each belongs to: the tree, what
// stands under encoded containers (Inner), and second readings (Rereads), whose
// parts are ghosts. It is the union of what clients may see. Parents come first;
// the walk is bounded by Limits.Depth and Limits.Parts.
func (m *Message) All() iter.Seq2[*Message, *Part] {
	return func(yield func(*Message, *Part) bool) {
		left := 2 * m.lim.Parts
		todo := []*Message{m}
		for len(todo) > 0 {
			cur := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, p := range cur.Parts {
				if left--; left < 0 || !yield(cur, p) {
					return
				}
				if in := cur.Inner(p); in != nil {
					todo = append(todo, in)
				}
				todo = append(todo, cur.Rereads(p)...)
			}
		}
	}
}
