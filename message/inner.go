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

// All walks over all parts, those of encoded containers included, with the
// message that each belongs to. Parents come first; the walk is bounded by
// Limits.Depth and Limits.Parts.
func (m *Message) All() iter.Seq2[*Message, *Part] {
	return func(yield func(*Message, *Part) bool) {
		left := m.lim.Parts
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
			}
		}
	}
}
