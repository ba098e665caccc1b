package link

import (
	"strconv"
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/message/links"
	"sluice/reason"
)

// littleText is fewer letters than any honest picture mail needs to say who it
// is from and how to leave.
const littleText = 60

// newImage looks for mail that is a picture to click on and next to no text:
// nothing to read for a filter.
func newImage() check.Checker {
	return check.Func(check.Info{
		Name: "link/image", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.ImageOnly},
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
				if letters++; letters >= littleText {
					return nil
				}
			}
		}
		return []sluice.Evidence{check.Found(reason.ImageOnly, strconv.Itoa(v.Images)+" pictures, "+strconv.Itoa(letters)+" letters")}
	})
}
