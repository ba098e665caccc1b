package lint

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/lint/report"
	"sluice/reason"
)

// clashes are reasons that rest on messages which were met before: reported ones,
// outbreaks, others' campaigns.
var clashes = []sluice.Reason{reason.CampaignReported, reason.CampaignOutbreak, reason.Copycat, reason.CopycatHint}

// lures are reasons that rest on the templates of known phish and fraud.
var lures = []sluice.Reason{reason.CredentialLure, reason.PrizeLure, reason.ParcelLure, reason.LureGift, reason.LureDeadline, reason.LureWonder,
	reason.ScamRefund, reason.ScamParcel, reason.ScamTechSupport, reason.ScamJob, reason.ScamLoan, reason.ScamInvestment, reason.ScamRental, reason.ScamHint,
	reason.CallbackInvoice, reason.AdvanceFee, reason.AdvanceFeeHint, reason.BECPaymentChange, reason.BECPayment, reason.BECPayroll, reason.BECGiftCard, reason.BECData}

// reading is how the text reads, and what it resembles: for those who run the gateway,
// since it tells how words are judged.
func (s *subject) reading() {
	s.section("reading", "How it reads", false)
	against := s.found(reason.TextSpam)
	switch spoken := s.found(reason.TextHam); {
	case against != nil:
		s.fact(report.Warn, "words", signed("like unwanted mail", against.Points)).Why = quote(against.Detail)
	case spoken != nil:
		s.fact(report.Good, "words", signed("like wanted mail", spoken.Points)).Why = quote(spoken.Detail)
	default:
		s.fact(report.Info, "words", "neither way")
	}
	s.templates()
}

func signed(what string, points float64) string {
	return strings.ReplaceAll(fmt.Sprintf("%s, %+.1f points", what, points), "-", "−")
}

// templates is what the message resembles as a whole.
func (s *subject) templates() {
	known := false
	for _, id := range clashes {
		if c := s.found(id); c != nil {
			known = true
			e, _ := reason.Lookup(string(id))
			s.fact(report.Bad, "template", e.Reply).Why = quote(c.Detail)
		}
	}
	for _, id := range lures {
		if c := s.found(id); c != nil {
			known = true
			e, _ := reason.Lookup(string(id))
			s.fact(report.Warn, "template", e.Reply).Why = quote(strings.TrimSpace(c.Detail + ", as in known phish and fraud"))
		}
	}
	switch {
	case s.found(reason.CampaignWanted) != nil:
		s.fact(report.Good, "template", "a campaign that people here want")
	case known:
	case s.c.Campaigns:
		s.fact(report.Good, "template", "like no message that was reported here, and no known phish")
	default:
		s.fact(report.Good, "template", "like no known phish").Why = "what was reported at this site is compared by the running gateway: its page, or POST /lint"
	}
}
