package feedback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
	"sluice/message"
)

// Bounds of what an entry holds.
const (
	mostTo      = 16  // recipients
	maxName     = 320 // octets of an address or a name
	maxID       = 128
	strongDB    = 26 // what the model says for sure: e^6 to 1
	leastLabels = 50 // of either kind, before the model is asked at all
)

// Guard is the name under which labels that harmed golden mail are taken back.
const Guard = "guard"

// ErrLabel is behind what is wrong with a request about a label: there is none, it
// taught nothing, it was taken back already.
var ErrLabel = errors.New("not possible for this label")

func labelError(seq int64, why string) error {
	return fmt.Errorf("feedback: label %d: %w: %s", seq, ErrLabel, why)
}

// Teach decides what a label is worth, writes it down, and lets Run learn from it.
// What is refused for being too much of something isn't written: its entry has no
// Seq. An error means that the label is not in the log, and may be given again.
func (r *Room) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	msg := message.Parse(l.Raw, message.Limits{})
	features := online.Extract(msg)
	f := &sluice.Feedback{
		Kind: sluice.FeedbackLabel, ID: cut(l.ID, maxID), Tenant: cut(l.Tenant, maxName), Spam: l.Spam, Threat: l.Threat,
		Source: l.Source, By: cut(l.By, maxName), State: sluice.FeedbackApplied, Extractor: online.Extractor,
	}
	if !l.Spam {
		f.Threat = sluice.ThreatNone
	}
	for _, to := range l.To[:min(len(l.To), mostTo)] {
		f.To = append(f.To, cut(strings.ToLower(to), maxName))
	}
	var err error
	if f.Features, err = features.MarshalBinary(); err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	var print *campaign.Print
	if r.cfg.Campaigns != nil {
		if print = r.cfg.Campaigns.Print(msg); !print.Empty() {
			if f.Print, err = print.MarshalBinary(); err != nil {
				return nil, fmt.Errorf("feedback: %w", err)
			}
		}
	}
	if print.Empty() {
		print = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.know(ctx); err != nil {
		return nil, err
	}
	f.Time = r.cfg.Clock().UTC()
	if tooMany := r.decide(f, features, markOf(print, f.Features)); tooMany {
		r.stats.refused.Add(1)
		f.Features, f.Print = nil, nil
		return f, nil
	}
	if f.State == sluice.FeedbackRefused {
		f.Features, f.Print = nil, nil // nobody will learn from it
	}
	if err := r.add(ctx, f); err != nil {
		return nil, err
	}
	switch f.State {
	case sluice.FeedbackApplied:
		r.stats.applied.Add(1)
	case sluice.FeedbackHeld:
		r.stats.held.Add(1)
	default:
		r.stats.refused.Add(1)
	}
	return f, nil
}

// add appends an entry and takes it into the ledger; mu is held. That it is in the
// log is what counts: where reading it back fails, the next call does it.
func (r *Room) add(ctx context.Context, f *sluice.Feedback) error {
	if err := r.cfg.Log.AddFeedback(ctx, f); err != nil {
		return fmt.Errorf("feedback: the label is not written, give it again: %w", err)
	}
	_ = r.know(ctx)
	r.poke()
	return nil
}

// decide sets State, Why, Trust and Trusted. It returns true where there is too much
// of something.
func (r *Room) decide(f *sluice.Feedback, features *online.Features, mark *opinion) bool {
	refuse := func(why string) { f.State, f.Why = sluice.FeedbackRefused, why }
	f.Trust, f.Trusted = 1, true
	switch f.Source {
	case sluice.SourceAdmin, sluice.SourceLearn:
		if features.Len() == 0 {
			refuse("nothing to learn from")
		}
		return false
	case sluice.SourceRelease:
		switch {
		case f.Spam:
			refuse("a release only vouches for a message")
		case features.Len() == 0:
			refuse("nothing to learn from")
		}
		return false
	case sluice.SourceTrap:
		if !f.Spam {
			refuse("a trap can't vouch for a message")
			return true
		}
	case sluice.SourceReport, sluice.SourceFolder:
	default:
		refuse("of no known source")
		return true
	}
	if features.Len() == 0 {
		refuse("nothing to learn from")
		return true
	}
	if why := r.tooMany(f, mark); why != "" {
		refuse(why)
		return true
	}
	if f.Source != sluice.SourceTrap {
		r.judge(f, features, mark)
	}
	return false
}

// tooMany says what there is too much of.
func (r *Room) tooMany(f *sluice.Feedback, mark *opinion) string {
	l, today := r.ledger, dayOf(f.Time)
	if l.day == today && l.today >= r.cfg.Day {
		return "enough labels today"
	}
	o := l.prints.look(mark)
	if f.Source == sluice.SourceTrap {
		if o != nil && o.day == today && o.traps >= r.cfg.CampaignDay {
			return "enough of this campaign"
		}
		return ""
	}
	p := l.reporters[reporterKey(f.By, false)]
	if p == nil {
		return ""
	}
	most := r.cfg.ReporterDay
	if p.agreement() < 0.5 {
		most = min(r.cfg.NewReporterDay, most)
	}
	if p.day == today && p.today >= most {
		return "enough labels of this reporter today"
	}
	if o != nil {
		if v := o.voice(p); v != nil && v.day == today && v.today >= r.cfg.CampaignDay {
			return "enough of this campaign"
		}
	}
	return ""
}

// judge says what a user's word is worth. Users never teach the fast weights, and
// only the bias of their own address and domain. No single one blocks a campaign:
// a campaign is blocked from half a trusted report on.
func (r *Room) judge(f *sluice.Feedback, features *online.Features, mark *opinion) {
	l := r.ledger
	hold := func(why string) { f.State, f.Why, f.Trust = sluice.FeedbackHeld, why, 0 }
	f.Trusted = false
	p := l.reporters[reporterKey(f.By, false)]
	if p == nil {
		p = &reporter{name: f.By}
	}
	f.Trust = min(p.trust(), mostTrust)
	o := l.prints.look(mark)
	if o != nil && o.voice(p) != nil {
		f.Trust = 0 // counts once for the campaign, like one who says the same thing twice
	}
	if p.held {
		hold("earlier labels of this reporter harmed wanted mail")
		return
	}
	if o != nil && o.said != 0 && (o.said > 0) != f.Spam && f.Time.Sub(o.saidAt) < r.cfg.Keep {
		hold("a trusted label of this campaign says otherwise")
		return
	}
	m := r.cfg.Text.Model()
	if ham, spam := m.Labels(); min(ham, spam) < leastLabels || p.agreement() >= proven {
		return
	}
	out := m.Score(features, online.Recipient{})
	if f.Spam && out.DB < -strongDB && out.Slow < 0 || !f.Spam && out.DB > strongDB && out.Slow > 0 {
		hold("the model is sure of the contrary")
	}
}

// Undo takes a label back, as if it had never been given. Where it is too old for
// that, the entry is a counter and says so. A label that taught nothing and one that
// was taken back already are errors, as is the undoing of an undo: the label must be
// given again.
func (r *Room) Undo(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.undo(ctx, seq, by, "")
}

func (r *Room) undo(ctx context.Context, seq int64, by, why string) (*sluice.Feedback, error) {
	of, err := r.label(ctx, seq)
	if err != nil {
		return nil, err
	}
	at, counted := r.ledger.accepted[seq]
	switch {
	case of.State == sluice.FeedbackApplied:
		at = seq
	case !counted:
		return nil, labelError(seq, "nothing was learned from it")
	default:
		if of, err = r.cfg.Log.FeedbackEntry(ctx, at); err != nil {
			return nil, fmt.Errorf("feedback: the entry that accepted label %d: %w", seq, err)
		}
	}
	f := &sluice.Feedback{
		Kind: sluice.FeedbackUndo, Of: seq, ID: of.ID, Tenant: of.Tenant, Time: r.cfg.Clock().UTC(), Spam: of.Spam, Threat: of.Threat,
		Source: of.Source, By: cut(by, maxName), To: of.To, State: sluice.FeedbackApplied, Why: why, Trust: of.Trust, Trusted: of.Trusted,
	}
	if can, err := r.replayable(ctx, at, of.Time); err != nil {
		return nil, err
	} else if !can {
		f.Kind = sluice.FeedbackCounter
		f.Why = "older than what can be replayed: trained against it instead, which is not the same to the last bit"
		// It must be enough by itself: the label may leave the log before it.
		f.Extractor, f.Features, f.Print = of.Extractor, of.Features, of.Print
	}
	if err := r.add(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// label returns a label that is neither missing nor taken back.
func (r *Room) label(ctx context.Context, seq int64) (*sluice.Feedback, error) {
	if err := r.know(ctx); err != nil {
		return nil, err
	}
	f, err := r.cfg.Log.FeedbackEntry(ctx, seq)
	switch {
	case errors.Is(err, sluice.ErrNotFound):
		return nil, fmt.Errorf("feedback: label %d: %w", seq, err)
	case err != nil:
		return nil, fmt.Errorf("feedback: the log of labels can't be read: %w", err)
	case f.Kind == sluice.FeedbackUndo || f.Kind == sluice.FeedbackCounter:
		return nil, labelError(seq, "it took a label back; give that label again instead")
	case f.Kind != sluice.FeedbackLabel:
		return nil, labelError(seq, "it is no label")
	}
	if _, twice := r.ledger.gone[seq]; twice {
		return nil, labelError(seq, "it was taken back already")
	}
	return f, nil
}

// Accept lets a held label count from here on, as an admin's.
func (r *Room) Accept(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of, err := r.label(ctx, seq)
	if err != nil {
		return nil, err
	}
	if of.State != sluice.FeedbackHeld {
		return nil, labelError(seq, "it is not held")
	}
	if _, twice := r.ledger.accepted[seq]; twice {
		return nil, labelError(seq, "it was accepted already")
	}
	f := *of
	f.Kind, f.Of, f.Seq, f.Time, f.By = sluice.FeedbackAccept, seq, 0, r.cfg.Clock().UTC(), cut(by, maxName)
	f.Source, f.State, f.Why, f.Trust, f.Trusted = sluice.SourceAdmin, sluice.FeedbackApplied, "", 1, true
	if err := r.add(ctx, &f); err != nil {
		return nil, err
	}
	return &f, nil
}

// labelCampaign gives an entry to the campaign memory. Only labels reach it, never
// in a replay: it also sees the mail itself, and what a label did there is taken
// back by its opposite. of is the label that the entry is about.
func (r *Room) labelCampaign(f, of *sluice.Feedback) {
	if r.cfg.Campaigns == nil || f.State != sluice.FeedbackApplied {
		return
	}
	what := f
	l := campaign.Label{Time: f.Time, Bad: f.Spam, Trust: f.Trust, By: f.By, Threat: f.Threat}
	switch f.Kind {
	case sluice.FeedbackUndo:
		if of == nil {
			return
		}
		what = of
		l.Undo, l.By = true, of.By
	case sluice.FeedbackCounter:
		l.Undo = true
		if of != nil {
			l.By = of.By
		}
	}
	if !(l.Trust > 0) || len(what.Print) == 0 {
		return
	}
	p := new(campaign.Print)
	if err := p.UnmarshalBinary(what.Print); err != nil {
		r.stats.damaged.Add(1)
		return
	}
	l.Trust = min(l.Trust, 1)
	r.cfg.Campaigns.Label(p, l)
}

// operation is what an entry teaches the text model, nil where nothing; what can't
// be read is counted.
func (r *Room) operation(f *sluice.Feedback) *operation {
	o, err := parse(f)
	switch {
	case errors.Is(err, online.ErrExtractor):
		r.stats.skipped.Add(1)
	case err != nil:
		r.stats.damaged.Add(1)
	}
	return o
}

func quietly(f *sluice.Feedback) *operation {
	o, _ := parse(f)
	return o
}

// parse makes an operation of an entry, nil where it teaches nothing. It hangs on
// nothing but the entry.
func parse(f *sluice.Feedback) (*operation, error) {
	switch {
	case f.Kind != sluice.FeedbackLabel && f.Kind != sluice.FeedbackAccept && f.Kind != sluice.FeedbackCounter:
		return nil, nil
	case f.State != sluice.FeedbackApplied || len(f.Features) == 0:
		return nil, nil
	case f.Extractor != online.Extractor:
		return nil, online.ErrExtractor
	}
	features := new(online.Features)
	if err := features.UnmarshalBinary(f.Features); err != nil {
		return nil, err
	}
	return &operation{
		label:   online.Label{Features: features, Spam: f.Spam, Trusted: f.Trusted, To: recipient(f)},
		against: f.Kind == sluice.FeedbackCounter,
	}, nil
}

// operation is one step of the text model.
type operation struct {
	label   online.Label
	against bool // trains against the label
}

func (o *operation) apply(s *online.State) {
	if o.against {
		s.Unlearn(o.label)
		return
	}
	s.Learn(o.label)
}

// recipient is whose bias a label teaches: of a user their own, else the first
// recipient's.
func recipient(f *sluice.Feedback) online.Recipient {
	address := ""
	if len(f.To) > 0 {
		address = f.To[0]
	}
	if (f.Source == sluice.SourceReport || f.Source == sluice.SourceFolder) && strings.Contains(f.By, "@") {
		address = f.By
	}
	address = strings.ToLower(address)
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return online.Recipient{}
	}
	return online.Recipient{Domain: address[at+1:], User: address}
}

// cut bounds a name from outside, without leaving half a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
