package feedback

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

// prepared is a label on its way into the log.
type prepared struct {
	entry    *sluice.Feedback
	features *online.Features
	mark     *opinion
}

// prepare reads a message.
func (r *Room) prepare(l *sluice.Label) (p prepared, err error) {
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
	if len(l.Raw) == 0 && len(l.Features) > 0 {
		return r.again(f, l)
	}
	d, err := r.Describe(message.Parse(l.Raw, message.Limits{}))
	if err != nil {
		return p, err
	}
	f.Features, f.Print = d.Features, d.Print
	return prepared{entry: f, features: d.features, mark: markOf(d.print, f.Features)}, nil
}

// again prepares a label of a message that was described when it came.
func (r *Room) again(f *sluice.Feedback, l *sluice.Label) (p prepared, err error) {
	if l.Extractor != online.Extractor {
		return p, fmt.Errorf("feedback: the message was described by another version: %w", online.ErrExtractor)
	}
	features := new(online.Features)
	if err := features.UnmarshalBinary(l.Features); err != nil {
		return p, fmt.Errorf("feedback: %w", err)
	}
	var print *campaign.Print
	if len(l.Print) > 0 {
		print = new(campaign.Print)
		if err := print.UnmarshalBinary(l.Print); err != nil {
			return p, fmt.Errorf("feedback: %w", err)
		}
	}
	f.Features, f.Print = l.Features, l.Print
	return prepared{entry: f, features: features, mark: markOf(print, f.Features)}, nil
}

// Description is what a label teaches of a message: hashes, no words.
type Description struct {
	Extractor       int
	Features, Print []byte

	features *online.Features
	print    *campaign.Print
}

// Describe reads a message for a label that may be given when its body is gone.
func (r *Room) Describe(msg *message.Message) (d Description, err error) {
	d.Extractor, d.features = online.Extractor, online.Extract(msg).Sorted()
	if d.Features, err = d.features.MarshalBinary(); err != nil {
		return d, fmt.Errorf("feedback: %w", err)
	}
	if r.cfg.Campaigns != nil {
		d.print = r.cfg.Campaigns.Print(msg)
	}
	if d.print.Empty() {
		d.print = nil
	} else if d.Print, err = d.print.MarshalBinary(); err != nil {
		return d, fmt.Errorf("feedback: %w", err)
	}
	return d, nil
}

// weigh decides about a label; mu is held. It returns whether it is to be written.
func (r *Room) weigh(p *prepared) bool {
	f := p.entry
	f.Time = r.cfg.Clock().UTC()
	tooMany := r.decide(f, p.features, p.mark)
	if f.State == sluice.FeedbackRefused {
		f.Features, f.Print = nil, nil // nobody will learn from it
	}
	return !tooMany
}

// Teach decides what a label is worth, writes it down, and lets Run learn from it.
// What is refused for being too much of something isn't written: its entry has no
// Seq. An error means that the label is not in the log, and may be given again.
func (r *Room) Teach(ctx context.Context, l *sluice.Label) (*sluice.Feedback, error) {
	p, err := r.prepare(l)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.know(ctx); err != nil {
		return nil, err
	}
	if r.weigh(&p) {
		if err := r.add(ctx, p.entry); err != nil {
			return nil, err
		}
	}
	r.count(p.entry)
	return p.entry, nil
}

// TeachAll is Teach for many labels of an admin or from sorted folders: messages are
// read side by side and written in one step, all or none. Other sources are an
// error: what they say is weighed one by one. A few hundred at a time are right.
func (r *Room) TeachAll(ctx context.Context, labels []*sluice.Label) ([]*sluice.Feedback, error) {
	all := make([]prepared, len(labels))
	errs := make([]error, len(labels))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(labels)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(labels)); i = next.Add(1) - 1 {
				if s := labels[i].Source; s != sluice.SourceAdmin && s != sluice.SourceLearn {
					errs[i] = fmt.Errorf("feedback: labels of source %q are given one by one", s)
					continue
				}
				all[i], errs[i] = r.prepare(labels[i])
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.know(ctx); err != nil {
		return nil, err
	}
	out := make([]*sluice.Feedback, len(all))
	var write []*sluice.Feedback
	for i := range all {
		out[i] = all[i].entry
		if r.weigh(&all[i]) {
			write = append(write, out[i])
		}
	}
	if err := r.add(ctx, write...); err != nil {
		return nil, err
	}
	for _, f := range out {
		r.count(f)
	}
	return out, nil
}

func (r *Room) count(f *sluice.Feedback) {
	switch f.State {
	case sluice.FeedbackApplied:
		r.stats.applied.Add(1)
	case sluice.FeedbackHeld:
		r.stats.held.Add(1)
	default:
		r.stats.refused.Add(1)
	}
}

// batches is a log that takes many entries in one step, all or none.
type batches interface {
	AddFeedbacks(ctx context.Context, list []*sluice.Feedback) error
}

// add appends entries and takes them into the ledger; mu is held. That they are in
// the log is what counts: where reading them back fails, the next call does it.
func (r *Room) add(ctx context.Context, list ...*sluice.Feedback) error {
	var err error
	if b, ok := r.cfg.Log.(batches); ok && len(list) > 1 {
		err = b.AddFeedbacks(ctx, list)
	} else {
		for _, f := range list {
			if err = r.cfg.Log.AddFeedback(ctx, f); err != nil {
				break
			}
		}
	}
	if err != nil {
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
// only the bias of their own address and domain. No single one blocks a campaign for
// everybody: half a trusted report is all that a verdict takes from the campaign
// memory, and the best user has less than half of that.
func (r *Room) judge(f *sluice.Feedback, features *online.Features, mark *opinion) {
	l := r.ledger
	hold := func(why string) { f.State, f.Why, f.Trust = sluice.FeedbackHeld, why, 0 }
	f.Trusted = false
	p := l.reporters[reporterKey(f.By, false)]
	if p == nil {
		p = &reporter{name: f.By}
	}
	f.Trust = userWeight * p.trust()
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
// that, the entry is a counter and says so. A label that waits is refused: the entry
// settles it, and nothing is learned. A label that taught nothing and one that was taken
// back already are errors, as is the undoing of an undo: the label must be given again.
func (r *Room) Undo(ctx context.Context, seq int64, by string) (*sluice.Feedback, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.EqualFold(by, Guard) {
		by = "account " + by // the guard's own name says that a label did harm
	}
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
	case !counted && of.State == sluice.FeedbackHeld:
		f := takenBack(of, r.cfg.Clock().UTC(), by)
		f.State, f.Why = sluice.FeedbackRefused, cmp.Or(why, "it waited, and was refused")
		if err := r.add(ctx, f); err != nil {
			return nil, err
		}
		return f, nil
	case !counted:
		return nil, labelError(seq, "nothing was learned from it")
	default:
		if of, err = r.cfg.Log.FeedbackEntry(ctx, at); err != nil {
			return nil, fmt.Errorf("feedback: the entry that accepted label %d: %w", seq, err)
		}
	}
	f := takenBack(of, r.cfg.Clock().UTC(), by)
	f.Of, f.Why = seq, why
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

// takenBack is the entry that takes a label back.
func takenBack(of *sluice.Feedback, now time.Time, by string) *sluice.Feedback {
	return &sluice.Feedback{
		Kind: sluice.FeedbackUndo, Of: of.Seq, ID: of.ID, Tenant: of.Tenant, Time: now, Spam: of.Spam, Threat: of.Threat,
		Source: of.Source, By: cut(by, maxName), To: of.To, State: sluice.FeedbackApplied, Trust: of.Trust, Trusted: of.Trusted,
	}
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
	if r.ledger.refused[seq] {
		return nil, labelError(seq, "it was refused already")
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
