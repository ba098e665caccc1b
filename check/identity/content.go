package identity

import (
	"context"
	"strings"
	"unicode"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// maxText is how much of a message's text is read for names.
const maxText = 200 << 10

// newContent looks whether what is read names who sends: the text the domain, the
// copyright line its owner. It counts where authentication proves the domain, for a
// copy names whom it copies.
func newContent() check.Checker {
	return check.Ask(check.Info{
		Name: "identity/content", Phase: sluice.PhaseMessage, Group: sluice.GroupIdentity, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.TextNamesDomain, reason.FooterOwn, reason.FooterOther},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if !s.Known || s.Free || !s.Mass() {
			return nil
		}
		v := in.Message.View()
		text := v.Text
		if len(text) > maxText {
			text = text[:maxText/2] + "\n" + text[len(text)-maxText/2:]
		}
		text = strings.ToLower(text)
		var out []sluice.Evidence
		sure := s.Proved()
		for _, d := range sure {
			if how := names(text, org(d)); how != "" {
				out = append(out, check.Found(reason.TextNamesDomain, check.Quote(how)+" of "+check.Quote(d)))
				break
			}
		}
		if e, ok := footer(text, s, sure); ok {
			out = append(out, e)
		}
		return out
	})
}

// footer compares the owner in the copyright line with name and domains.
func footer(text string, s *check.Sender, sure []string) (sluice.Evidence, bool) {
	owners := copyrights(text)
	if len(owners) == 0 {
		return sluice.Evidence{}, false
	}
	for _, o := range owners {
		words := nameWords(o)
		for _, d := range sure {
			if fitsDomain(words, d) {
				return check.Found(reason.FooterOwn, check.Quote(o)+" at "+check.Quote(d)), true
			}
		}
	}
	name := nameWords(s.Author.Name)
	for _, o := range owners {
		words := nameWords(o)
		if len(words) == 0 || share(words, name) || fitsDomain(words, s.Author.Domain) {
			return sluice.Evidence{}, false
		}
	}
	return check.Found(reason.FooterOther, check.Quote(owners[0])+", not "+check.Quote(s.Author.String())), true
}

func share(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// copyrights lists what stands behind the first few copyright signs, without the year.
func copyrights(text string) []string {
	const most, length = 3, 60
	var out []string
	rest := text
	for len(out) < most {
		i, n := mark(rest)
		if i < 0 {
			break
		}
		line := rest[i+n:]
		rest = line
		line = strings.TrimLeft(line, " \t\u00a0:,-–©0123456789()")
		if len(line) > length {
			line = strings.ToValidUTF8(line[:length], "")
		}
		for _, end := range []string{"\n", "all rights", "alle rechte", "todos los", "todos os", "tous droits", " | ", ". ", "•", "·"} {
			if j := strings.Index(line, end); j >= 0 {
				line = line[:j]
			}
		}
		if line = strings.TrimFunc(line, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); len(line) >= 2 {
			out = append(out, line)
		}
	}
	return out
}

// mark finds the next copyright sign and its length.
func mark(s string) (at, n int) {
	at = -1
	for _, m := range []string{"©", "(c) 20", "(c)20", "copyright"} {
		if i := strings.Index(s, m); i >= 0 && (at < 0 || i < at) {
			at, n = i, len(m)
		}
	}
	return at, n
}

// minLabel is the shortest registered label that is looked for as a word.
const minLabel = 5

// names says how a text in lower case names a domain: by itself, or by its registered
var apostrophes = strings.NewReplacer("'", "", "’", "")

// label in up to four words; "" for not at all.
func names(text, domain string) string {
	if domain == "" {
		return ""
	}
	if boundary(text, domain) {
		return domain
	}
	l := label(domain)
	if len(l) < minLabel {
		return ""
	}
	var last [4]string // the words before
	for w := range strings.FieldsFuncSeq(plain(apostrophes.Replace(text)), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		copy(last[:], last[1:])
		last[3] = w
		joined := ""
		for i := 3; i >= 0 && len(joined) < len(l); i-- {
			if joined = last[i] + joined; joined == l {
				return strings.Join(last[i:], " ")
			}
		}
	}
	return ""
}

// boundary says whether a domain stands in a text as itself and not as the end of
// another's.
func boundary(text, domain string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], domain)
		if i < 0 {
			return false
		}
		i += at
		before := i == 0 || !nameByte(text[i-1]) || text[i-1] == '.'
		end := i + len(domain)
		after := end == len(text) || !nameByte(text[end]) || text[end] == '.' && (end+1 == len(text) || !nameByte(text[end+1]))
		if before && after {
			return true
		}
		at = i + 1
	}
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.'
}
