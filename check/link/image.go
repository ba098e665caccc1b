package link

import (
	"bytes"
	"strconv"
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// littleText is fewer letters than any honest picture mail needs to say who it
// is from and how to leave; mapText is what a picture with places to click on has
// beside it at most.
const (
	littleText = 60
	mapText    = 600
)

// newImage looks for mail that is a picture to click on and next to no text:
// nothing to read for a filter.
func newImage() check.Checker {
	return check.Func(check.Info{
		Name: "link/image", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.ImageOnly, reason.ImageMap},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		if !v.HasHTML || v.Images == 0 {
			return nil
		}
		led := false
		for i := range v.Links {
			led = led || v.Links[i].Source == links.FromAnchor && web(&v.Links[i])
		}
		if !led {
			return nil
		}
		letters := 0
		for _, r := range v.Text {
			if unicode.IsLetter(r) {
				if letters++; letters >= mapText {
					return nil
				}
			}
		}
		var out []sluice.Evidence
		detail := strconv.Itoa(v.Images) + " pictures, " + strconv.Itoa(letters) + " letters"
		if letters < littleText {
			out = append(out, check.Found(reason.ImageOnly, detail))
		}
		if mapped(in.Message) {
			out = append(out, check.Found(reason.ImageMap, detail))
		}
		return out
	})
}

// mapHTML bounds how much of a part is read for a map.
const mapHTML = 256 << 10

// mapped says whether HTML of the message has an image map.
func mapped(m *message.Message) bool {
	for _, p := range m.Parts {
		if p.Type != "text/html" {
			continue
		}
		body := m.Decoded(p)
		if body = body[:min(len(body), mapHTML)]; bytes.Contains(bytes.ToLower(body), []byte("usemap")) {
			return true
		}
	}
	return false
}
