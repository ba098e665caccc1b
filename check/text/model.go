package text

import (
	"context"
	"fmt"
	"math"
	"strings"

	"sluice"
	"sluice/check"
	learned "sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/message"
	"sluice/reason"
)

const (
	// From this many decibel on the words that weigh most are named: it takes
	// longer than the score.
	nameWords = 6
	topWords  = 5
	// Less than this many different features (three or four words) say nothing.
	fewest = 20
)

// Model returns the check that asks the text models: the shipped one, and over it
// what was learned here, by the number of labels. It states TEXT_SPAM or TEXT_HAM
// with the decibel of both together, and an unknown TEXT_SPAM where there is too
// little text to judge and nothing was learned. here may be nil, or return nil.
func Model(shipped *learned.Model, here func() *online.Model) check.Checker {
	m := models{shipped, here}
	return check.Look(check.Info{
		Name: "text/model", Phase: sluice.PhaseMessage, Group: sluice.GroupText, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.TextSpam, reason.TextHam},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		e := m.judge(in)
		if m.learned() == nil {
			temper(&e, check.SenderOf(ctx, in))
		}
		return []sluice.Evidence{e}
	})
}

// Bulk mail is where the shipped model is weakest: newsletters of shops read like spam,
// and copies of them like newsletters (measured on modern mail, content filters are at
// chance there). What it says of such mail is held back by who speaks.
const (
	coherentShare = 0.5 // of what speaks against a sender whose name, domain and proof fit
	strangersGood = 4.0 // dB that good words may speak for one that nobody knows
	nobodysGood   = 1.0 // and for one of whom nothing at all is proved
)

// temper holds the shipped model's word back for mail for many, and good words for
// strangers.
func temper(e *sluice.Evidence, s *check.Sender) {
	switch {
	case e.State == sluice.Found && s.Known && s.Free && e.Raw < -strangersGood:
		e.Raw = -strangersGood // anybody gets an address there, and what is proved is the provider
		e.Detail = "no more for a free mailbox; " + e.Detail
	case e.State == sluice.Found && s.Borrows != nil && s.Carrier() == nil && e.Raw < -nobodysGood:
		e.Raw = -nobodysGood // a copy has the words of what it copies
		e.Detail = "no more under a name that isn't the sender's; " + e.Detail
	case e.State != sluice.Found || !s.Mass() || !s.Modern:
	case e.Raw > 0 && s.Coherent:
		e.Raw = math.Round(e.Raw*coherentShare*10) / 10
		e.Detail = "halved for a sender whose name fits; " + e.Detail
	case e.Raw < -nobodysGood && s.Known && !s.Aligned && len(s.Signers) == 0:
		e.Raw = -nobodysGood
		e.Detail = "no more for a sender of whom nothing is proved; " + e.Detail
	case e.Raw < -strangersGood && !s.Coherent && s.Carrier() == nil:
		e.Raw = -strangersGood
		e.Detail = "no more for an unknown sender; " + e.Detail
	}
}

// Features reads what the site's learner works on, once where notes are kept.
func Features(n *check.Notes, m *message.Message) *online.Features {
	return check.Note(n, func() *online.Features { return online.ExtractShown(m, Shown(n, m)) })
}

type models struct {
	shipped *learned.Model
	here    func() *online.Model
}

func (m models) judge(in *check.Input) sluice.Evidence {
	d := learned.FromMessage(in.Message)
	d.Shown = Shown(in.Notes, in.Message)
	s := m.shipped.Score(d)
	here := m.learned()
	var o online.Outcome
	if here != nil {
		o = here.Score(Features(in.Notes, in.Message), Recipient(in.Envelope))
	}
	e := Over(m.shipped.Calibration(), s, here, o)
	if e.State == sluice.Unknown {
		return e
	}
	if e.Detail == "" {
		e.Detail = detail(s)
	}
	if here != nil {
		ham, spam := here.Labels()
		e.Detail += fmt.Sprintf("; learned here from %d wanted and %d unwanted: %+.1f dB, margin %.2f", ham, spam, o.DB, o.Margin)
	}
	e.Detail += m.words(in, d, here, e.Raw)
	return e
}

// Over is the word of the text models on a message, of which the shipped one, with
// calibration c, made s: TEXT_SPAM or TEXT_HAM. What was learned at a site, here, and
// made o, is laid over it; here may be nil, and counts where it has labels of both
// kinds. Where there is too little text and nothing was learned, TEXT_SPAM is unknown.
func Over(c learned.Calibration, s learned.Score, here *online.Model, o online.Outcome) sluice.Evidence {
	db, detail := s.DB, ""
	if s.Features < fewest {
		db, detail = 0, fmt.Sprintf("too little text: %d features", s.Features)
	}
	switch {
	case taught(here):
		s.DB = db
		db = here.Over(s, c, o)
	case detail != "":
		e := check.Found(reason.TextSpam, detail)
		e.State, e.Raw = sluice.Unknown, 0
		return e
	}
	id := sluice.Reason(reason.TextHam)
	if db > 0 {
		id = reason.TextSpam
	}
	e := check.Found(id, detail)
	e.Raw = math.Round(db*10) / 10
	return e
}

// taught says whether labels of both kinds were learned.
func taught(here *online.Model) bool {
	if here == nil {
		return false
	}
	ham, spam := here.Labels()
	return ham > 0 && spam > 0
}

// learned is what was learned here, nil where that isn't of both kinds yet.
func (m models) learned() *online.Model {
	if m.here == nil {
		return nil
	}
	if here := m.here(); taught(here) {
		return here
	}
	return nil
}

// Recipient says whose words count beside everybody's: those of one domain, and of
// one user where the message is for nobody else. e may be nil.
func Recipient(e *sluice.Envelope) (to online.Recipient) {
	if e == nil || len(e.Rcpts) == 0 {
		return to
	}
	to.Domain = strings.ToLower(sluice.DomainOf(e.Rcpts[0].Address))
	if len(e.Rcpts) == 1 {
		to.User = strings.ToLower(e.Rcpts[0].Address)
	}
	return to
}

// detail is what the admin reads of the shipped model.
func detail(s learned.Score) string {
	var b strings.Builder
	fmt.Fprintf(&b, "margin %.2f", s.Margin)
	if s.From < s.To {
		fmt.Fprintf(&b, " of octets %d to %d, of all %.2f", s.From, s.To, s.Whole)
	}
	fmt.Fprintf(&b, "; %d features, %.0f %% known", s.Features, 100*s.Coverage)
	return b.String()
}

// counts says whether what was learned here counts more than what ships.
func counts(here *online.Model) bool {
	if here == nil {
		return false
	}
	ham, spam := here.Labels()
	return min(ham, spam) >= 250 // as [online.Model.Over] weighs them
}

// words names those that weigh most, by the model that counts more. They are the
// message's own.
func (m models) words(in *check.Input, d *learned.Document, here *online.Model, db float64) string {
	if db < nameWords {
		return ""
	}
	var top []learned.Token
	if counts(here) {
		top = here.Top(in.Message, topWords)
	} else {
		top = m.shipped.Top(d, topWords)
	}
	var b strings.Builder
	for k, t := range top {
		b.WriteString([]string{"; ", ", "}[min(k, 1)])
		fmt.Fprintf(&b, "%q %+.1f", t.Word, t.DB)
	}
	return b.String()
}
