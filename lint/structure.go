package lint

import (
	"fmt"
	"slices"
	"strings"

	"sluice"
	"sluice/lint/report"
	"sluice/message"
	"sluice/message/header"
	"sluice/reason"
)

// clip is where Gmail cuts a message and hides the rest, the way to unsubscribe
// included: 102 kB of HTML, measured in thousands of 1024 octets.
const clip = 102 << 10

// structure is how the message is built.
func (s *subject) structure() {
	s.section("structure", "How it is built", true)
	h := s.m.Header()
	s.fact(report.Info, "size", fmt.Sprintf("%d octets, %d MIME parts", len(s.in.Raw), len(s.m.Parts)))
	s.fields(h)
	s.defects()
	s.body()
}

// fields are those that every message has.
func (s *subject) fields(h *header.Header) {
	missing := func(name, why string, need report.Need, takes ...sluice.Reason) {
		if h.Field(name) != nil {
			return
		}
		s.fact(report.Bad, name, "missing").Source = "RFC 5322 3.6"
		s.advise(fix{Advice: report.Advice{ID: "no-" + header.Lower(name), Area: "structure", Need: need, Standard: true,
			What: "The message has no " + name + " field.", Do: why, Source: "RFC 5322 3.6"}, takes: takes})
	}
	missing("Date", "Let the sending program set it.", report.Must, reason.DateMissing)
	missing("Message-ID", "Let the sending program set a unique one under your own domain: servers on the way may add one that nobody can trace.", report.Must, reason.MessageIDMissing)
	if h.Field("To") == nil && h.Field("Cc") == nil {
		missing("To", "Name the recipient in To, one message for each.", report.Should, reason.ToMissing)
	}
	missing("Subject", "Give it one.", report.Should)
	if f := h.Field("Subject"); f != nil {
		level, n := report.Info, len([]rune(s.view.Subject))
		if n > 78 {
			level = report.Warn
		}
		s.fact(level, "subject", fmt.Sprintf("%d characters", n))
		if strings.TrimSpace(s.view.Subject) == "" {
			s.advise(fix{Advice: report.Advice{ID: "no-subject", Area: "structure", Need: report.Should, Standard: true, What: "The subject is empty.", Do: "Say what the message is about."}})
		}
	}
	if slices.ContainsFunc(s.m.Parts[0].Children, func(p *message.Part) bool { return p.Type != "" }) && h.Field("MIME-Version") == nil {
		missing("MIME-Version", "Write MIME-Version: 1.0: without it, programs may show the message's source.", report.Must)
	}
}

// harmless are defects that stored mail has by being stored, or that no program minds.
var harmless = []string{message.MboxFromLine}

// said are defects that have an advice of their own.
var said = []string{message.MissingDate, message.MissingMessageID, message.MissingFrom, message.DuplicateFrom}

// defects are where the message breaks its format.
func (s *subject) defects() {
	means := map[string]string{}
	for _, c := range message.DefectCodes() {
		means[c.Code] = c.Means
	}
	var order []string
	count, ambiguous, first := map[string]int{}, map[string]bool{}, map[string]string{}
	// One says the other.
	mixed := slices.ContainsFunc(s.m.Defects, func(d message.Defect) bool { return d.Code == message.MixedLineEnds })
	for _, list := range [][]message.Defect{s.m.Defects, s.view.Defects} {
		for _, d := range list {
			if slices.Contains(harmless, d.Code) || slices.Contains(said, d.Code) || d.Code == message.BareLF && mixed {
				continue
			}
			if count[d.Code]++; count[d.Code] == 1 {
				order = append(order, d.Code)
				first[d.Code] = d.Detail
			}
			ambiguous[d.Code] = ambiguous[d.Code] || d.Ambiguous
		}
	}
	if len(order) == 0 {
		s.fact(report.Good, "defects", "none")
	}
	for _, code := range order {
		level, need, do := report.Warn, report.Should, "Have the program that makes the message write it by the standard."
		if ambiguous[code] {
			level, need, do = report.Bad, report.Must, "Mend it: programs differ on what they show of such a message, and filters distrust it for that."
		}
		if code == message.MixedLineEnds && s.in.Guessed {
			level, need, do = report.Warn, report.Could, "End every line with CRLF, unless it was saving the message to a file that mixed them."
		}
		if code == message.CharsetConflict {
			level, need, do = report.Warn, report.Should, "Name the charset of Content-Type in the HTML's <meta> too, or leave it out there."
		}
		value := code
		if count[code] > 1 {
			value += fmt.Sprintf(", %d times", count[code])
		}
		f := s.fact(level, "defect", value)
		f.Why = strings.TrimSpace(means[code])
		a := report.Advice{ID: "defect-" + strings.ReplaceAll(header.Lower(code), "_", "-"), Area: "structure", Need: need, Standard: true,
			What: sentence(means[code], code), Seen: quote(first[code]), Do: do, Source: "RFC 5322, RFC 2045"}
		s.advise(fix{Advice: a, takes: behind(code, ambiguous[code])})
	}
}

// behind are the reasons that rest on a defect.
func behind(code string, ambiguous bool) []sluice.Reason {
	switch {
	case code == message.LongLine:
		return []sluice.Reason{reason.TextLineTooLong}
	case strings.HasPrefix(code, "FILENAME"):
		return []sluice.Reason{reason.MIMENameAmbiguous}
	case ambiguous:
		return []sluice.Reason{reason.MIMEAmbiguous}
	}
	return []sluice.Reason{reason.MIMEBroken}
}

// sentence makes one of a phrase of the catalogue of defects.
func sentence(s, or string) string {
	if s == "" {
		s = or
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// body is the text, its alternatives and its weight.
func (s *subject) body() {
	v := s.view
	switch {
	case v.HasHTML && v.HasPlain:
		s.fact(report.Good, "text", "HTML with a plain alternative")
	case v.HasHTML:
		s.fact(report.Warn, "text", "HTML only")
		s.advise(fix{Advice: report.Advice{ID: "no-plain", Area: "structure", Need: report.Could, Standard: true,
			What: "There is no plain-text alternative.", Do: "Send multipart/alternative with the same words as text/plain first: watches, screen readers and previews use it.", Source: "RFC 2046 5.1.4"}})
	case v.HasPlain:
		s.fact(report.Good, "text", "plain text")
	default:
		s.fact(report.Warn, "text", "none that shows")
	}
	if v.HasHTML {
		s.weight()
	}
	for _, x := range []struct {
		n        int
		id, what string
		do       string
		takes    []sluice.Reason
	}{
		{v.Scripts, "script", "The HTML holds scripts, which no mail program runs.", "Take them out.", []sluice.Reason{reason.BodyScript}},
		{v.Frames, "frame", "The HTML holds frames or embedded objects, which mail programs drop.", "Link to a page.", nil},
		{v.Refresh, "refresh", "The HTML sends its reader elsewhere by itself.", "Take the refresh out and link.", []sluice.Reason{reason.BodyRefresh}},
		{v.Passwords, "password", "The message asks for a password.", "Never ask for one in a message: send people to your site.", []sluice.Reason{reason.FormPassword}},
		{v.Forms, "form", "The HTML holds a form; many programs warn of it or drop it.", "Link to a page with the form.", []sluice.Reason{reason.FormPostsOff}},
	} {
		if x.n > 0 {
			s.fact(report.Warn, x.id, fmt.Sprint(x.n))
			need := report.Should
			if x.id == "password" {
				need = report.Must
			}
			s.advise(fix{Advice: report.Advice{ID: x.id, Area: "structure", Need: need, Standard: true, What: x.what, Do: x.do, Source: "practice"}, takes: x.takes})
		}
	}
	if v.HiddenBytes > 500 {
		s.fact(report.Warn, "hidden text", fmt.Sprintf("%d letters", v.HiddenBytes))
		s.advise(fix{Advice: report.Advice{ID: "hidden", Area: "structure", Need: report.Should, Standard: true,
			What: fmt.Sprintf("%d letters are hidden from the reader.", v.HiddenBytes), Seen: quote(firstWords(v.Hidden)),
			Do: "Keep a preview text below 150 letters, and hide nothing else: hidden text is what spam is padded with.", Source: "practice"},
			takes: []sluice.Reason{reason.TextHidden, reason.TextInvisible}})
	}
}

func firstWords(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// weight is the size of the HTML against where Gmail cuts.
func (s *subject) weight() {
	size := s.view.HTMLSize
	f := s.fact(report.Good, "HTML weight", fmt.Sprintf("%.1f kB; Gmail cuts at %d kB", float64(size)/1024, clip>>10))
	f.Source = "practice; Gmail's “Message clipped”"
	switch {
	case size > clip:
		f.Level = report.Bad
		s.advise(fix{Advice: report.Advice{ID: "clipped", Area: "structure", Need: report.Should, Standard: true,
			What: fmt.Sprintf("The HTML has %.0f kB: Gmail shows %d kB and hides the rest, the way to unsubscribe at its end included.", float64(size)/1024, clip>>10),
			Do:   "Take out comments, white space and styles that repeat; link to the long version.", Source: f.Source}})
	case size > clip*9/10:
		f.Level = report.Warn
		s.advise(fix{Advice: report.Advice{ID: "heavy", Area: "structure", Need: report.Could, Standard: true,
			What: fmt.Sprintf("The HTML has %.0f kB; with longer tracking links Gmail may cut it.", float64(size)/1024), Do: "Stay below 90 kB.", Source: f.Source}})
	}
}
