package message_test

import (
	"fmt"
	"unicode/utf8"

	"sluice/message"
)

// check returns an error for the first invariant that m breaks.
func check(m *message.Message) error {
	size := len(m.Raw)
	inside := func(r message.Range) bool { return r.Off >= 0 && r.Len >= 0 && r.Off+r.Len <= size }
	if len(m.Parts) == 0 || m.Parts[0].Parent != nil {
		return fmt.Errorf("no root")
	}
	lim := message.DefaultLimits()
	if len(m.Parts) > lim.Parts {
		return fmt.Errorf("%d parts", len(m.Parts))
	}
	total := 0
	for i, p := range m.Parts {
		switch {
		case p.Index != i:
			return fmt.Errorf("part %d has index %d", i, p.Index)
		case !inside(p.Body) || !inside(p.Header.Range):
			return fmt.Errorf("part %d: ranges %v %v outside %d bytes", i, p.Header.Range, p.Body, size)
		case p.Header.Range.Off+p.Header.Range.Len > p.Body.Off:
			return fmt.Errorf("part %d: header %v overlaps body %v", i, p.Header.Range, p.Body)
		case p.Depth > lim.Depth:
			return fmt.Errorf("part %d at depth %d", i, p.Depth)
		case i > 0 && p.Parent == nil:
			return fmt.Errorf("part %d has no parent", i)
		case !utf8.ValidString(p.Filename) || !utf8.ValidString(p.Type) || !utf8.ValidString(p.Charset) || !utf8.ValidString(p.Encoding):
			return fmt.Errorf("part %d: invalid UTF-8 in %q %q %q %q", i, p.Filename, p.Type, p.Charset, p.Encoding)
		}
		if q := p.Parent; q != nil {
			if q.Index >= i || p.Header.Range.Off < q.Body.Off || p.Body.End() > q.Body.End() {
				return fmt.Errorf("part %d: %v stands outside its parent's %v", i, p.Body, q.Body)
			}
		}
		for k, c := range p.Children {
			if k > 0 && c.Header.Range.Off < p.Children[k-1].Body.End() {
				return fmt.Errorf("part %d begins inside its sibling", c.Index)
			}
		}
		for _, f := range p.Header.Fields {
			if !inside(f.Range) || !inside(f.ValueRange) {
				return fmt.Errorf("part %d: field %q outside", i, f.Name)
			}
		}
		d := m.Decoded(p)
		if p.Encoding == "base64" || p.Encoding == "quoted-printable" || p.Encoding == "x-uuencode" {
			total += len(d)
		}
		if !utf8.ValidString(m.Text(p)) {
			return fmt.Errorf("part %d: text isn't UTF-8", i)
		}
	}
	if total > lim.Decoded {
		return fmt.Errorf("%d decoded bytes", total)
	}
	for _, d := range m.Defects {
		if !inside(d.Range) || d.Part >= len(m.Parts) || d.Code == "" || !utf8.ValidString(d.Detail) || len(d.Detail) > 400 {
			return fmt.Errorf("defect %+v", d)
		}
	}
	v := m.View()
	for name, s := range map[string]string{"text": v.Text, "plain": v.Plain, "hidden": v.Hidden, "alt": v.Alt, "embedded": v.Embedded, "subject": v.Subject, "conditional": v.Conditional} {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%s isn't UTF-8", name)
		}
		if len(s) > lim.Text+1 {
			return fmt.Errorf("%s has %d bytes", name, len(s))
		}
	}
	if len(v.Links) > lim.Links {
		return fmt.Errorf("%d links", len(v.Links))
	}
	return nil
}
