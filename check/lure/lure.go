// Package lure holds the check of how mail for many baits: gifts, deadlines, wonders,
// quotes, services that nobody asked for. Honest mail says such things too, so they
// count against senders only whose name and domain don't fit, and little each.
package lure

import (
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// Checks returns the check of this folder.
func Checks() []check.Checker {
	return []check.Checker{check.Look(check.Info{
		Name: "lure/lures", Phase: sluice.PhaseMessage, Group: sluice.GroupScam, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.LureGift, reason.LureDeadline, reason.LureWonder, reason.LureQuotes, reason.LureStrangers, reason.LureServices},
	}, lures)}
}

// theme is a kind of bait and the phrases of it, in lower case with plain apostrophes;
// enough of them are told.
type theme struct {
	id      sluice.Reason
	enough  int  // different phrases; one in the subject counts as two
	letters bool // people's letters are looked at too
	phrases []string
}

var themes = []theme{
	{reason.LureGift, 2, false, split(`gift card|free gift|claim your|claim now|your reward|been selected|been chosen|exclusive reward|complete the survey|short survey|quick survey|take the survey|just pay shipping|
		only pay shipping|unclaimed|congratulations|loyalty reward|sweepstakes|you've won|you have won|lucky winner|voucher|gutschein|gewonnen|ganador|premio|parabéns|félicitations|gagnant|hai vinto|gewonnen`)},
	{reason.LureDeadline, 2, false, split(`expires today|expires tonight|final notice|last chance|final warning|act now|within 24 hours|within 48 hours|will be suspended|will be deleted|will be deactivated|before it's gone|
		while supplies last|limited supply|limited spots|offer ends|has expired|payment declined|payment failed|immediately|today only|don't miss|hurry|only today|letzte chance|última oportunidad|dernière chance`)},
	{reason.LureWonder, 2, false, split(`doctors hate|weird trick|simple trick|simple method|ancient|home remedy|natural remedy|at-home|miracle|melt fat|melts fat|burn fat|belly fat|lose weight|weight loss|big pharma|
		clinically proven|scientists discover|breakthrough|root cause|blood sugar|erectile|neuropathy|tinnitus|prostate|joint pain|hearing loss|vision loss|testosterone|libido|wrinkles|keto|
		gummies|cbd|doctor reveals|harvard|shocking|secret|this video|watch the video|reversed|metabolism|supplement|overnight|ritual`)},
	{reason.LureQuotes, 2, false, split(`free quote|compare quotes|instant quote|home warranty|auto insurance|car insurance|life insurance|burial insurance|medicare|final expense|mortgage rate|refinance|solar panel|solar program|
		gutter|walk-in tub|debt relief|credit card debt|timeshare|low rates|may qualify|you qualify|pre-approved|pre-qualified|reverse mortgage|extended warranty|roof replacement|window replacement|personal loan|lowest rate`)},
	{reason.LureStrangers, 1, false, split(`not affiliated with|not endorsed by|not associated with|third-party advertis|third party advertis|this is an advertisement|this advertisement|independent marketer|
		trademarks are the property|affiliate commission`)},
	{reason.LureServices, 2, true, split(`search engine optimi|seo services|seo expert|seo company|web design|website design|redesign your website|first page of google|google ranking|rank your website|lead generation|
		email list|attendees list|guest post|backlink|app development|software development company|verified contacts|increase your traffic|digital marketing|quick call|outsourc|our portfolio|virtual assistant|
		white label|affordable price|business loan|working capital|merchant cash`)},
}

func split(s string) []string {
	var out []string
	for p := range strings.SplitSeq(s, "|") {
		if p = strings.Join(strings.Fields(p), " "); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// maxText is how much of the text is read: baits stand at the beginning, excuses at
// the end.
const maxText = 40 << 10

func lures(ctx context.Context, in *check.Input) []sluice.Evidence {
	s := check.SenderOf(ctx, in)
	if s.Coherent || !s.Modern || s.Traffic == check.List {
		return nil
	}
	h := in.Message.Header()
	answer := h.Field("In-Reply-To") != nil || h.Field("References") != nil
	if !s.Mass() && answer {
		return nil
	}
	v := in.Message.View()
	text := v.Text
	if len(text) > maxText {
		text = text[:maxText/2] + " " + text[len(text)-maxText/2:]
	}
	var seen sightings
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	*buf = appendFolded((*buf)[:0], v.Subject[:min(len(v.Subject), 1000)])
	seen.look(*buf, inSubject)
	*buf = appendFolded((*buf)[:0], text)
	seen.look(*buf, inText)
	var out []sluice.Evidence
	for i := range themes {
		t := &themes[i]
		if !s.Mass() && !t.letters {
			continue
		}
		if found, n := seen.of(i); n >= t.enough {
			out = append(out, check.Found(t.id, strings.Join(found, ", ")))
		}
	}
	return out
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// appendFolded appends s in lower case, with plain apostrophes and spaces and without
// what is invisible.
func appendFolded(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			dst = append(dst, plain[c])
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch r {
		case '’', '‘':
			dst = append(dst, '\'')
		case '\u00a0':
			dst = append(dst, ' ')
		case '\u200b', '\u200c', '\u00ad':
		default:
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
	}
	return dst
}

var plain = func() (t [utf8.RuneSelf]byte) {
	for c := range t {
		t[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			t[c] |= 0x20
		}
	}
	t['\n'], t['\t'] = ' ', ' '
	return t
}()

// Where a phrase was met.
const (
	inSubject = 1 << iota
	inText
)

// sightings is where each phrase was met, by theme and place in it.
type sightings [maxThemes][maxPhrases]uint8

// Bounds of the lists above, which a test keeps.
const (
	maxThemes  = 6
	maxPhrases = 48
)

// bait is one phrase of a theme.
type bait struct {
	phrase   string
	theme, n uint8
}

// begins holds the phrases by a hash of their first three octets; 0 is none. All are
// looked for in one pass.
var begins, baits = func() (t [1 << hashBits]uint8, lists [][]bait) {
	lists = [][]bait{nil}
	for i := range themes {
		for n, p := range themes[i].phrases {
			h := begin(p[0], p[1], p[2])
			if t[h] == 0 {
				t[h] = uint8(len(lists))
				lists = append(lists, nil)
			}
			lists[t[h]] = append(lists[t[h]], bait{p, uint8(i), uint8(n)})
		}
	}
	return t, lists
}()

const hashBits = 13

func begin(a, b, c byte) uint32 {
	return (uint32(a)<<16 | uint32(b)<<8 | uint32(c)) * 0x9E3779B1 >> (32 - hashBits)
}

// look notes all phrases in folded text.
func (s *sightings) look(b []byte, where uint8) {
	for i := 2; i < len(b); i++ {
		list := begins[begin(b[i-2], b[i-1], b[i])]
		if list == 0 {
			continue
		}
		rest := b[i-2:]
		for _, p := range baits[list] {
			if len(rest) >= len(p.phrase) && string(rest[:len(p.phrase)]) == p.phrase {
				s[p.theme][p.n] |= where
			}
		}
	}
}

// maxFound is how many phrases a detail names.
const maxFound = 5

// of tells the phrases of a theme that were met, and how many: those in the subject
// count as two.
func (s *sightings) of(theme int) (found []string, n int) {
	for i, p := range themes[theme].phrases {
		switch {
		case s[theme][i]&inSubject != 0:
			n += 2
		case s[theme][i]&inText != 0:
			n++
		default:
			continue
		}
		if len(found) < maxFound {
			found = append(found, p)
		}
	}
	return found, n
}
