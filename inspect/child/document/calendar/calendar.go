// Package calendar opens calendar entries (RFC 5545) and address cards (RFC 6350):
// who invites, where links lead, what is attached, what an alarm does.
package calendar

import (
	"context"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/document/script"
	"sluice/message/charset"
	"sluice/message/links"
)

// Bounds.
const (
	maxLines    = 200_000
	maxValue    = 8 << 20 // bytes of one value: attachments stand in it
	maxText     = 64 << 10
	maxLinks    = 200
	maxAttached = 50
)

// Decoder opens calendar entries and cards.
type Decoder struct{}

// Name is "calendar".
func (Decoder) Name() string { return "calendar" }

// Types are both.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.ICalendar, inspect.VCard} }

// Open reads the lines.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	text, _ := charset.Decode("utf-8", b[:min(len(b), 4*maxValue)])
	if err := w.Charge(len(text)); err != nil {
		return err
	}
	r := &reader{w: w, links: map[inspect.Link]bool{}}
	var line strings.Builder
	n := 0
	for l := range strings.Lines(text) {
		if n++; n > maxLines {
			return w.Steps()
		}
		l = strings.TrimRight(l, "\r\n")
		// RFC 5545 3.1: a line that begins with a blank goes on with the one before.
		if l != "" && (l[0] == ' ' || l[0] == '\t') {
			if line.Len() < maxValue {
				line.WriteString(l[1:])
			}
			continue
		}
		if err := r.line(line.String()); err != nil {
			return err
		}
		line.Reset()
		line.WriteString(l)
	}
	if err := r.line(line.String()); err != nil {
		return err
	}
	w.Text(inspect.OriginBody, r.text.String())
	return nil
}

// reader is the state of one file.
type reader struct {
	w        *child.Work
	links    map[inspect.Link]bool
	text     strings.Builder
	attached int
	alarm    bool
}

// line reads one property: NAME;PARAM=x:value.
func (r *reader) line(l string) error {
	head, value, ok := cut(l)
	if !ok {
		return nil
	}
	name, params, _ := strings.Cut(strings.ToUpper(head), ";")
	name = name[strings.LastIndexByte(name, '.')+1:] // a group of a card
	switch name {
	case "BEGIN", "END":
		if strings.EqualFold(value, "VALARM") {
			r.alarm = name == "BEGIN"
		}
	case "ORGANIZER":
		r.w.Fact(inspect.CalendarOrganizer, value)
	case "ACTION":
		if r.alarm && (strings.EqualFold(value, "PROCEDURE") || strings.EqualFold(value, "EMAIL")) {
			r.w.Fact(inspect.CalendarAlarm, value)
		}
	case "ATTACH", "PHOTO", "LOGO", "SOUND", "KEY", "IMAGE":
		return r.attachment(params, head, value)
	case "URL", "CONFERENCE", "X-MICROSOFT-SKYPETEAMSMEETINGURL", "X-GOOGLE-CONFERENCE", "SOURCE":
		r.link(inspect.ViaAnchor, unescape(value))
	case "X-ALT-DESC":
		if strings.Contains(params, "TEXT/HTML") {
			_, err := r.w.Emit(child.Entry{Name: "description.html", Type: inspect.HTML, Size: -1, Bytes: []byte(unescape(value))})
			return err
		}
	case "SUMMARY", "DESCRIPTION", "LOCATION", "COMMENT", "NOTE", "FN", "ORG", "TITLE", "CONTACT":
		s := unescape(value)
		if r.text.Len() < maxText {
			r.text.WriteString(s[:min(len(s), maxText)])
			r.text.WriteByte('\n')
		}
		for _, l := range links.FindInText(s[:min(len(s), maxText)], 50) {
			if l.Scheme != "mailto" {
				r.link(inspect.ViaText, l.Raw)
			}
		}
	}
	return nil
}

// cut parts a property from its value at the first colon outside of quotes.
func cut(l string) (head, value string, ok bool) {
	quoted := false
	for i := range len(l) {
		switch l[i] {
		case '"':
			quoted = !quoted
		case ':':
			if !quoted {
				return l[:i], l[i+1:], true
			}
		}
		if i > 4096 {
			break
		}
	}
	return "", "", false
}

func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\N`, "\n", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(s)
}

// attachment is an address or a file in base64.
func (r *reader) attachment(params, head, value string) error {
	if !strings.Contains(params, "BASE64") && !strings.Contains(params, "ENCODING=B") {
		if media, data, ok := strings.Cut(value, ";base64,"); ok && strings.HasPrefix(strings.ToLower(media), "data:") {
			return r.emit(head, data)
		}
		r.link(inspect.ViaAnchor, value)
		return nil
	}
	return r.emit(head, value)
}

func (r *reader) emit(head, value string) error {
	b, ok := script.Base64(value)
	if !ok || len(b) == 0 {
		return nil
	}
	if r.attached++; r.attached > maxAttached {
		return r.w.Steps()
	}
	name := "attachment"
	for p := range strings.SplitSeq(head, ";") {
		if k, v, ok := strings.Cut(p, "="); ok && (strings.EqualFold(k, "FILENAME") || strings.EqualFold(k, "X-FILENAME") || strings.EqualFold(k, "X-APPLE-FILENAME")) {
			name = strings.Trim(v, `"`)
		}
	}
	_, err := r.w.Emit(child.Entry{Name: name, Method: "base64", Size: -1, Bytes: b})
	return err
}

func (r *reader) link(via inspect.Via, u string) {
	l := inspect.Link{Via: via, URL: u}
	if u != "" && !strings.HasPrefix(strings.ToLower(u), "cid:") && !r.links[l] && len(r.links) < maxLinks {
		r.links[l] = true
		r.w.Link(via, u)
	}
}
