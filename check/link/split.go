package link

import (
	"regexp"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// newSplit looks for addresses that are put together from parts: by a base address, or
// by the reader.
func newSplit() check.Checker {
	return check.Func(check.Info{
		Name: "link/split", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkBaseElsewhere, reason.LinkWrittenAround},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		v := in.Message.View()
		based(&s, in.Message, v)
		if host := around(v.Text[:min(len(v.Text), maxAround)]); host != "" {
			s.list = append(s.list, check.Found(reason.LinkWrittenAround, check.Quote(host)))
		}
		return s.list
	})
}

// based states anchors without a host of their own below a base address of somebody
// else's.
func based(s *statements, m *message.Message, v *message.View) {
	base := -1
	for i := range v.Links {
		l := &v.Links[i]
		if l.Source == links.FromOther && l.Hidden && base < 0 && web(l) && l.Host != "" {
			base = i // <base>, or <link>: the anchors tell
			continue
		}
		if base < 0 || l.Source != links.FromAnchor || l.Host != v.Links[base].Host {
			continue
		}
		if own := links.Parse(l.Raw); own.Host != "" || own.Scheme != "" || strings.HasPrefix(l.Raw, "#") {
			continue
		}
		if us := author(m); org(l.Host) != us {
			s.add(reason.LinkBaseElsewhere, l, check.Quote(l.Raw)+" at "+check.Quote(l.Host))
		}
		return
	}
}

const (
	maxAround = 64 << 10
	maxMarks  = 50
)

// written finds hosts whose dots are written in another way, and addresses whose scheme
// is broken.
var written = regexp.MustCompile(`(?i)(?:h[x\*]{2}ps?://)?((?:[a-z0-9-]{1,63} ?(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\{dot\}) ?){1,4}[a-z]{2,12})\b`)

var dots = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "{dot}", ".", " ", "")

// around returns the first host that a text writes in such a way, "" for none. Text
// without the marks costs one look for each.
func around(text string) string {
	low := ""
	for _, mark := range []string{"[.]", "(.)", "{.}", "dot]", "dot)", "dot}"} {
		if strings.Contains(text, mark) {
			low = text
			break
		}
	}
	if low == "" {
		return ""
	}
	for _, m := range written.FindAllStringSubmatch(low, maxMarks) {
		host := dots.Replace(strings.ToLower(m[1]))
		if l := links.Parse("http://" + host); !l.Has(links.OddHost) && domains.KnownTLD(l.Host) && strings.Contains(l.Host, ".") {
			return l.Host
		}
	}
	return ""
}
