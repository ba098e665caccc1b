// Package lure holds the check of how mail for many baits: gifts, deadlines, wonders,
// quotes, services that nobody asked for. Honest mail says such things too, so they
// count against senders only whose name and domain don't fit, and little each.
package lure

import (
	"context"
	"slices"
	"strings"

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

var apostrophes = strings.NewReplacer("’", "'", "‘", "'", "\u00a0", " ", "\n", " ", "\t", " ", "\u200b", "", "\u200c", "", "\u00ad", "")

func lures(ctx context.Context, in *check.Input) []sluice.Evidence {
	s := check.SenderOf(ctx, in)
	if s.Coherent || !s.Modern || s.Traffic == check.List {
		return nil
	}
	h := in.Message.Header()
	answer := h.Field("In-Reply-To") != nil || h.Field("References") != nil
	v := in.Message.View()
	text := v.Text
	if len(text) > maxText {
		text = text[:maxText/2] + " " + text[len(text)-maxText/2:]
	}
	subject := apostrophes.Replace(strings.ToLower(v.Subject[:min(len(v.Subject), 1000)]))
	text = apostrophes.Replace(strings.ToLower(text))
	var out []sluice.Evidence
	for i := range themes {
		t := &themes[i]
		if !s.Mass() && (!t.letters || answer) {
			continue
		}
		if found, n := t.find(subject, text); n >= t.enough {
			out = append(out, check.Found(t.id, strings.Join(found, ", ")))
		}
	}
	return out
}

// maxFound is how many phrases a detail names.
const maxFound = 5

func (t *theme) find(subject, text string) (found []string, n int) {
	for _, p := range t.phrases {
		switch {
		case strings.Contains(subject, p):
			n += 2
		case strings.Contains(text, p):
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
