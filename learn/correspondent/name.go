package correspondent

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"sluice/learn/text"
)

// owners is how many owners of addresses a name has at most; a name of more says
// nothing of any.
const owners = 4

// name is who uses a name.
type name struct {
	Who [owners]hash
	Day uint16 // when it was last learned
	N   uint16 // owners; above 4: too many
}

const nameKeep = 400 // days

func nameWorth(n *name, now time.Time) float64 { return float64(nameKeep - since(n.Day, days(now))) }

// maxName is how much of a display name is read.
const maxName = 200

// roles are words of names that aren't a person's.
var roles = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`account accounts admin administrator alert alerts billing center centre company customer
		department desk help info list mail mailer mailing news newsletter noreply notification notifications office online
		order orders payment payments post reply sales security service services shop store support system team update updates
		via web webmaster`) {
		m[w] = true
	}
	return m
}()

// FoldName is a person's name in the form that is compared: look-alike letters are
// one, case, order of words, titles' dots and initials don't matter. It is "" for what
// isn't a first and a last name: one word, many words, words of roles, addresses.
func FoldName(display string) string {
	if len(display) > maxName || strings.ContainsAny(display, "@<>/") {
		return ""
	}
	// Normal forms keep letters and their accents together, so that an accent
	// doesn't part a word.
	folded := text.AppendNormal(nil, norm.NFC.String(strings.ToValidUTF8(display, " ")), maxName)
	words := strings.FieldsFunc(string(folded), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\''
	})
	words = slices.DeleteFunc(words, func(w string) bool { return len(w) < 2 })
	if len(words) < 2 || len(words) > 5 || slices.ContainsFunc(words, func(w string) bool { return roles[w] }) {
		return ""
	}
	slices.Sort(words)
	out := strings.Join(words, " ")
	if len(out) < 7 {
		return ""
	}
	return out
}

// learnName notes that an address uses a name, in the eyes of one of our addresses
// or, for our own people, of one of our domains.
func (t *Table) learnName(now time.Time, tenant, eyes, display, address string) {
	folded := FoldName(display)
	if folded == "" {
		return
	}
	who := t.hash("w", Owner(address))
	today := days(now)
	t.names.Update(t.hash("n", tenant, eyes, folded), now, func(n *name) bool {
		if since(n.Day, today) > nameKeep {
			*n = name{}
		}
		fresh := n.Day == today
		n.Day = max(n.Day, today)
		switch {
		case slices.Contains(n.Who[:min(n.N, owners)], who), n.N > owners:
			return !fresh
		case n.N < owners:
			n.Who[n.N] = who
		}
		n.N++
		return true
	})
}

// Namesake is whose name somebody else uses.
type Namesake uint8

// The kinds.
const (
	Nobody        Namesake = iota
	Correspondent          // of one whom the recipient writes to or hears from
	Colleague              // of one who writes from the recipient's domain
)

// Named says whether a display name is that of a correspondent or colleague of ours
// while the address is an unrelated one.
func (t *Table) Named(now time.Time, tenant, ours string, from Mailbox) Namesake {
	ours = Normal(ours)
	theirs := Normal(from.Address)
	folded := FoldName(from.Name)
	if ours == "" || theirs == "" || folded == "" {
		return Nobody
	}
	who := t.hash("w", Owner(theirs))
	_, home, _ := cut(ours)
	if _, d, _ := cut(theirs); d == home {
		return Nobody
	}
	others := func(eyes string) (other, same bool) {
		n, ok := t.names.Get(t.hash("n", tenant, eyes, folded))
		if !ok || n.N == 0 || n.N > owners || since(n.Day, days(now)) > nameKeep {
			return false, ok && n.N > owners
		}
		same = slices.Contains(n.Who[:n.N], who)
		return !same, same
	}
	correspondent, same := others(ours)
	colleague, same2 := others(home)
	switch {
	case same || same2:
		return Nobody // it is that person, or a name that too many have
	case t.Known(now, tenant, ours, theirs).Level != Unknown:
		return Nobody // an address that we know, whatever its name
	case correspondent:
		return Correspondent
	case colleague:
		return Colleague
	}
	return Nobody
}

// messageID is an identifier without brackets, "" for what is none.
func messageID(s string) string {
	s = strings.Trim(s, " \t<>")
	if len(s) < 5 || len(s) > 500 || strings.ContainsAny(s, " \t<>") {
		return ""
	}
	return s
}

// MessageIDs reads the identifiers of In-Reply-To and References fields (RFC 5322
// 3.6.4), at most twenty, the last ones.
func MessageIDs(values ...string) (out []string) {
	for _, v := range values {
		if len(v) > 16<<10 {
			v = v[len(v)-16<<10:]
		}
		for {
			_, rest, ok := strings.Cut(v, "<")
			if !ok {
				break
			}
			id, rest, ok := strings.Cut(rest, ">")
			if !ok {
				break
			}
			v = rest
			if id = messageID(id); id != "" {
				out = append(out, id)
			}
		}
	}
	return out[max(0, len(out)-maxIDs):]
}
