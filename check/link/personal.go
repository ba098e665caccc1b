package link

import (
	"encoding/base64"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newPersonal looks for the reader's own address behind "#" in a link. Servers
// never see that part: it is there for a script on the page, which fills in the
// name on a false login. Addresses in the query are common in honest mail.
func newPersonal() check.Checker {
	return check.Func(check.Info{
		Name: "link/personal", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.LinkHoldsRecipient},
	}, func(in *check.Input) []sluice.Evidence { return personal(in, clickable(in.Message.View())) })
}

func personal(in *check.Input, list []*links.Link) []sluice.Evidence {
	var mine []string
	for _, l := range list {
		if !web(l) {
			continue
		}
		_, fragment, ok := strings.Cut(l.Path, "#")
		if !ok || len(fragment) < 6 || len(fragment) > 500 {
			continue
		}
		if mine == nil {
			mine = needles(in)
		}
		for _, n := range mine {
			if strings.Contains(fragment, n) || strings.Contains(header.Lower(fragment), n) {
				return []sluice.Evidence{state(reason.LinkHoldsRecipient, l, check.Quote(l.Raw))}
			}
		}
	}
	return nil
}

// maxRecipients bounds how many addresses are looked for.
const maxRecipients = 5

// needles are the recipients' addresses as they may stand in a link.
func needles(in *check.Input) []string {
	out := []string{}
	add := func(a string) {
		if a = header.Lower(a); len(a) < 6 || !strings.Contains(a, "@") || len(out) >= 4*maxRecipients {
			return
		}
		b := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(a)), "=")
		if cut := len(a) % 3; cut != 0 {
			b = b[:len(b)-1] // the last character depends on what follows
		}
		out = append(out, a, strings.ReplaceAll(a, "@", "%40"), b)
	}
	if in.Envelope != nil {
		for i, r := range in.Envelope.Rcpts {
			if i == maxRecipients {
				break
			}
			add(r.Address)
		}
	}
	for i, a := range in.Message.Addresses("To") {
		if i == maxRecipients {
			break
		}
		add(a.String())
	}
	return out
}
