package text

import (
	"bytes"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// newLures looks for the parts of a few frauds that have to be said in some
// words: each theme alone is innocent, several together tell the story.
func newLures() check.Checker {
	lex := newLexicon()
	return check.Func(check.Info{
		Name: "text/lures", Phase: sluice.PhaseMessage, Group: sluice.GroupScam, Cost: check.Heavy,
		Reasons: []sluice.Reason{
			reason.AdvanceFee, reason.AdvanceFeeHint, reason.Extortion, reason.BitcoinAddress, reason.CredentialLure, reason.CallbackLure, reason.PrizeLure, reason.ParcelLure,
		},
	}, func(in *check.Input) []sluice.Evidence {
		v := in.Message.View()
		text := v.Text
		if len(text) > maxFold {
			text = text[:maxFold]
		}
		folded := fold(v.Subject + "\n" + text)
		f := lex.search(folded)
		if !f.has[themeMoney] && (bigSum(text) || millions(folded)) {
			f.has[themeMoney], f.first[themeMoney] = true, "a sum of millions"
		}
		var out []sluice.Evidence
		for _, story := range []func(*found, *message.View, string) (sluice.Reason, string){advanceFee, extortion, credential, callback, prize, parcel} {
			if id, detail := story(f, v, text); id != "" {
				out = append(out, check.Found(id, detail))
			}
		}
		return out
	})
}

// advanceFee: a stranger, a sum of money, and a reason why it will be yours.
func advanceFee(f *found, _ *message.View, _ string) (sluice.Reason, string) {
	n, detail := f.count(themeMoney, themeDeath, themeBank, themeClaim, themeSecrecy, themePersona, themeDetails, themeGreeting, themeShare)
	switch {
	case !f.has[themeMoney] && n < 6:
		return "", ""
	case n >= 6:
		return reason.AdvanceFee, detail
	case n >= 4:
		return reason.AdvanceFeeHint, detail
	}
	return "", ""
}

// bigSum finds a number of at least a million written with separators: 1,000,000
// or 1.000.000.
func bigSum(s string) bool {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) || i > 0 && (alnum(s[i-1]) || s[i-1] == '.' || s[i-1] == ',') {
			continue
		}
		j := i
		for j < len(s) && digit(s[j]) {
			j++
		}
		if j-i > 3 || j >= len(s) || s[j] != ',' && s[j] != '.' {
			i = j
			continue
		}
		sep, groups := s[j], 0
		for j+3 < len(s) && s[j] == sep && digit(s[j+1]) && digit(s[j+2]) && digit(s[j+3]) && (j+4 == len(s) || !digit(s[j+4])) {
			groups++
			j += 4
		}
		if groups >= 2 && !(j < len(s) && s[j] == sep && j+1 < len(s) && alnum(s[j+1])) {
			return true
		}
		i = j
	}
	return false
}

// millions finds a number with "million" behind it and a currency at either end:
// "$10.5million", "gbp 6.350 million", "2 millionen us-dollar".
func millions(folded []byte) bool {
	for at := 0; ; {
		i := bytes.Index(folded[at:], []byte("mill"))
		if i < 0 {
			return false
		}
		i += at
		at = i + 4
		start := i
		for start > 0 && (folded[start-1] == ' ' || folded[start-1] == '.' || folded[start-1] == ',' || digit(folded[start-1])) {
			start--
		}
		if !bytes.ContainsAny(folded[start:i], "0123456789") {
			continue
		}
		near := folded[max(0, start-4):min(len(folded), i+24)]
		for _, c := range []string{"$", "€", "£", "usd", "eur", "gbp", "dollar", "pound"} {
			if bytes.Contains(near, []byte(c)) {
				return true
			}
		}
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// extortion: I have seen you, pay in coin, or all will know.
func extortion(f *found, _ *message.View, text string) (sluice.Reason, string) {
	n, detail := f.count(themeRecorded, themeContacts, themeHacked, themeDeadline)
	addr := bitcoinAddress(text)
	switch {
	case addr != "" && n >= 2, n == 4 && f.has[themeCoin]:
		return reason.Extortion, strings.TrimSpace(detail + " " + addr)
	case addr != "":
		return reason.BitcoinAddress, addr
	}
	return "", ""
}

// credential: your account is in danger, follow this link.
func credential(f *found, v *message.View, _ string) (sluice.Reason, string) {
	if n, detail := f.count(themeAccountThreat, themeAccountAct); n == 2 && webLinks(v) > 0 {
		return reason.CredentialLure, detail
	}
	return "", ""
}

// prize: you have won, hurry to this link.
func prize(f *found, v *message.View, _ string) (sluice.Reason, string) {
	if n, detail := f.count(themePrize, themePrizeAct); n == 2 && webLinks(v) > 0 {
		return reason.PrizeLure, detail
	}
	return "", ""
}

// parcel: something waits for you, pay or type at this link.
func parcel(f *found, v *message.View, _ string) (sluice.Reason, string) {
	if n, detail := f.count(themeParcel, themeParcelAct); n == 2 && webLinks(v) > 0 {
		return reason.ParcelLure, detail
	}
	return "", ""
}

// callback: an invoice you don't know, a number to call, and no link.
func callback(f *found, v *message.View, text string) (sluice.Reason, string) {
	if webLinks(v) > 0 || len(text) > 6000 {
		return "", ""
	}
	if n, detail := f.count(themeInvoice, themeCall, themeCancel); n == 3 && f.kinds[themeInvoice] >= 2 {
		if p := phone(text); p != "" {
			return reason.CallbackLure, detail + " " + p
		}
	}
	return "", ""
}

func webLinks(v *message.View) int {
	n := 0
	for i := range v.Links {
		if l := &v.Links[i]; !l.Hidden && (l.Source == links.FromAnchor || l.Source == links.FromText) && (l.Scheme == "http" || l.Scheme == "https") {
			n++
		}
	}
	return n
}

// phone finds a North American number, the kind that callback fraud uses:
// ten digits in groups of 3, 3 and 4, an optional 1 before.
func phone(s string) string {
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) || i > 0 && (alnum(s[i-1]) || s[i-1] == '.' || s[i-1] == ',') {
			continue
		}
		digits, groups, j := 0, 0, i
		for gap := 0; j < len(s) && digits < 12; j++ {
			if digit(s[j]) {
				if gap > 0 {
					groups++
				}
				digits++
				gap = 0
				continue
			}
			if gap++; gap > 3 || strings.IndexByte(" -.()", s[j]) < 0 {
				break
			}
		}
		if (digits == 10 && groups == 2 || digits == 11 && groups == 3 && s[i] == '1') && (j >= len(s) || !alnum(s[j])) {
			return strings.TrimRight(s[i:min(j, i+24)], " -.()")
		}
		i = max(i, j-1)
	}
	return ""
}
