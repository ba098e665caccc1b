package feedback

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"

	"sluice"
	"sluice/learn/campaign"
	"sluice/learn/text/online"
)

// What the guard calls harm.
const (
	guardLabels = 50     // of either kind that a model must have before it is compared with
	guardShare  = 0.0005 // of wanted mail that may newly read as spam
	guardMean   = 3.0    // decibel by which all wanted mail may move towards spam
	guardMeanOf = 200    // labels of either kind from which on that is asked
	guardMissed = 0.05   // of golden spam that may newly read as wanted
	guardFew    = 5      // and how many must
	guardBurst  = 20     // labels after which a look is worth it when there is time
	guardTrials = 80     // replays in one search
	guardWho    = 64     // reporters that are tried by themselves
	guardSample = 100    // messages that are read in each, beside those that got lost
	anchorEvery = 10     // looks between two anchors
)

// baseline is the model that the golden mail is compared with: the one of the last
// look, and that of some looks ago, so that many small steps are seen too.
type baseline struct {
	model  *online.Model
	seq    int64
	anchor *online.Model
	since  int64 // seq of anchor
	looks  int
}

// reading is what a model makes of the golden mail.
type reading struct {
	wanted, spam []float64 // decibel
}

func readGolden(m *online.Model, wanted, spam []*online.Features) reading {
	var out reading
	for _, f := range wanted {
		out.wanted = append(out.wanted, m.Score(f, online.Recipient{}).DB)
	}
	for _, f := range spam {
		out.spam = append(out.spam, m.Score(f, online.Recipient{}).DB)
	}
	return out
}

// dropGolden obeys an admin who says that golden mail isn't what it seemed.
func (r *Room) dropGolden(f *sluice.Feedback) {
	if r.cfg.Golden == nil || f.Source != sluice.SourceAdmin || f.Kind == sluice.FeedbackCounter {
		return
	}
	p := new(campaign.Print)
	if p.UnmarshalBinary(f.Print) != nil {
		p = nil
	}
	r.cfg.Golden.Drop(p, f.Features, f.Spam)
}

func over(list []float64, limit float64) (n int) {
	for _, x := range list {
		if x >= limit {
			n++
		}
	}
	return n
}

func mean(list []float64) (sum float64) {
	for _, x := range list {
		sum += x
	}
	return sum / float64(max(len(list), 1))
}

// harm is what got worse.
type harm struct {
	wanted bool // wanted mail reads as spam
	shift  bool // all of it moved
	spam   bool // spam reads as wanted
	words  string
}

func (h harm) any() bool { return h.wanted || h.shift || h.spam }

// moved counts messages that crossed the line upwards, and downwards.
func moved(before, after []float64, line float64) (up, down int) {
	for i := range before {
		switch {
		case before[i] < line && after[i] >= line:
			up++
		case before[i] >= line && after[i] < line:
			down++
		}
	}
	return up, down
}

// beyondChance says whether more got lost than messages near the line would cross it
// both ways by chance (McNemar): seven where none came back. It is asked often, so
// two standard errors are not enough.
func beyondChance(lost, back int) bool {
	return float64(lost-back) >= 2.5*math.Sqrt(float64(lost+back)) && lost > 0
}

// compare says what got worse from before to after. of is how many messages the
// readings stand for.
func (r *Room) compare(before, after reading, ofWanted, ofSpam int, mature bool) harm {
	var h harm
	q := r.cfg.Quarantine
	if up, down := moved(before.wanted, after.wanted, q); beyondChance(up, down) && float64(up-down) > guardShare*float64(ofWanted) {
		h.wanted = true
		h.words = fmt.Sprintf("%d of %d wanted messages newly read as spam, %d no longer", up, ofWanted, down)
	}
	if shift := mean(after.wanted) - mean(before.wanted); mature && len(after.wanted) >= guardBurst && shift > guardMean {
		h.shift = true
		h.words = cmp.Or(h.words, fmt.Sprintf("wanted mail moved %.1f dB towards spam", shift))
	}
	if up, down := moved(before.spam, after.spam, q); beyondChance(down, up) && down-up >= guardFew && float64(down-up) > guardMissed*float64(ofSpam) {
		h.spam = true
		h.words = cmp.Or(h.words, fmt.Sprintf("%d of %d spam messages are newly missed, %d no longer", down, ofSpam, up))
	}
	return h
}

// watch reads the golden mail by the new model; where it got worse, the labels that
// did it are taken back. work is held.
func (r *Room) watch(ctx context.Context) error {
	r.text.guard = 0
	if r.cfg.Golden == nil {
		return nil
	}
	if err := r.cfg.Text.Flush(ctx); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	now := r.cfg.Clock()
	wanted, spam := r.cfg.Golden.Features(false, now), r.cfg.Golden.Features(true, now)
	model := r.cfg.Text.Model()
	after := readGolden(model, wanted, spam)
	r.stats.guardRuns.Add(1)
	r.stats.golden.Store(int64(len(wanted)))
	r.stats.goldenLost.Store(int64(over(after.wanted, r.cfg.Quarantine)))
	for _, b := range []struct {
		model *online.Model
		seq   int64
	}{{r.guard.model, r.guard.seq}, {r.guard.anchor, r.guard.since}} {
		if b.model == nil {
			continue
		}
		ham, bad := b.model.Labels()
		if min(ham, bad) < guardLabels {
			continue
		}
		before := readGolden(b.model, wanted, spam)
		h := r.compare(before, after, len(wanted), len(spam), min(ham, bad) >= guardMeanOf)
		if !h.any() {
			continue
		}
		s := &search{r: r, from: b.seq, harm: h, ofWanted: len(wanted), ofSpam: len(spam), mature: min(ham, bad) >= guardMeanOf}
		s.pick(wanted, spam, before, after)
		took, err := s.run(ctx)
		if err != nil {
			return err
		}
		if took > 0 {
			return nil // the model is made anew, and looked at again
		}
	}
	g := &r.guard
	g.model, g.seq = model, r.text.seq
	if g.looks++; g.anchor == nil || g.looks >= anchorEvery {
		g.anchor, g.since, g.looks = model, r.text.seq, 0
	}
	return nil
}

// search finds whose labels did harm, by replaying the log from the baseline
// without some of them.
type search struct {
	r                *Room
	from             int64
	harm             harm
	mature           bool
	ofWanted, ofSpam int
	wanted, spam     []*online.Features
	hurt             []*online.Features // those that got lost
	before           reading
	start            *online.State // at from
	steps            []searched
	trials           int
}

// searched is a step of the replay.
type searched struct {
	entry *sluice.Feedback
	op    *operation
	who   string // key of the reporter; "" for who isn't suspected
}

// pick takes of the golden mail what shows the harm: all that got lost, and of the
// rest an even sample.
func (s *search) pick(wanted, spam []*online.Features, before, after reading) {
	q := s.r.cfg.Quarantine
	some := func(list []*online.Features, before, after []float64, lost func(b, a float64) bool) (out []*online.Features, was []float64) {
		step := max(len(list)/guardSample, 1)
		for i := range list {
			if lost(before[i], after[i]) && len(out) < 2*guardSample || i%step == 0 {
				out, was = append(out, list[i]), append(was, before[i])
			}
		}
		return out, was
	}
	up := func(b, a float64) bool { return b < q && a >= q }
	down := func(b, a float64) bool { return up(a, b) }
	s.wanted, s.before.wanted = some(wanted, before.wanted, after.wanted, up)
	s.spam, s.before.spam = some(spam, before.spam, after.spam, down)
	lost, list, from, to := up, wanted, before.wanted, after.wanted
	switch {
	case !s.harm.wanted && s.harm.shift:
		s.hurt = s.wanted
		return
	case !s.harm.wanted:
		lost, list, from, to = down, spam, before.spam, after.spam
	}
	for i := range list {
		if lost(from[i], to[i]) && len(s.hurt) < guardSample {
			s.hurt = append(s.hurt, list[i])
		}
	}
}

// run takes back what did harm and says how many labels that were.
func (s *search) run(ctx context.Context) (took int, err error) {
	if err := s.load(ctx); err != nil {
		return 0, err
	}
	var who []string
	count := map[string]int{}
	for i := range s.steps {
		if w := s.steps[i].who; w != "" {
			count[w]++
		}
	}
	who = slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	if ok, err := s.heals(ctx, nil); err != nil || ok {
		return 0, err // it went away by itself: other labels were taken back meanwhile
	}
	ok, err := s.heals(ctx, who)
	if err != nil {
		return 0, err
	}
	if !ok || len(who) == 0 {
		return 0, s.blame(ctx)
	}
	found, err := s.culprits(ctx, who)
	if err != nil {
		return 0, err
	}
	var labels []int64
	for i := range s.steps {
		if x := &s.steps[i]; slices.Contains(found, x.who) {
			labels = append(labels, x.entry.Seq)
		}
	}
	var names []string
	for _, key := range found {
		names = append(names, key[1:])
	}
	s.r.cfg.Trace.Warn("labels harmed mail that is known, they are taken back and their reporters held", slog.String("harm", s.harm.words),
		slog.String("reporters", cut(strings.Join(names, " "), 1024)), slog.Int("labels", len(labels)), slog.Int("replays", s.trials))
	for _, seq := range labels {
		s.r.mu.Lock()
		_, err := s.r.undo(ctx, seq, Guard, s.harm.words)
		s.r.mu.Unlock()
		if err != nil {
			return took, err
		}
		took++
		s.r.stats.guardTaken.Add(1)
	}
	return took, nil
}

// load makes the state at the baseline, and reads the labels since.
func (s *search) load(ctx context.Context) error {
	r := s.r
	state, seq, exact, err := r.base(ctx, s.from)
	if err != nil {
		return err
	}
	if !exact {
		r.cfg.Trace.Error("labels harmed mail that is known, and no snapshot is left to find out which", slog.String("harm", s.harm.words))
	}
	for exact && seq < r.text.seq {
		page, err := r.page(ctx, seq, r.text.seq)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, f := range page {
			seq = f.Seq
			if !f.teaches {
				continue
			}
			op, _ := parse(f.Feedback)
			switch {
			case op == nil:
			case f.Seq <= s.from:
				op.apply(state)
			default:
				x := searched{entry: f.Feedback, op: op}
				if s.suspect(f.Feedback) {
					x.who = reporterKey(f.By, trustedSource(f.Source))
				}
				// The entry's features are in op.
				x.entry.Features, x.entry.Print = nil, nil
				s.steps = append(s.steps, x)
			}
		}
	}
	s.start = state
	return nil
}

// suspect says whether a label may be taken back by the guard: of users and traps,
// and of the kind that does such harm. An admin's word stands; it is named instead.
func (s *search) suspect(f *sluice.Feedback) bool {
	if f.Kind != sluice.FeedbackLabel || trustedSource(f.Source) && f.Source != sluice.SourceTrap {
		return false
	}
	return f.Spam && (s.harm.wanted || s.harm.shift) || !f.Spam && s.harm.spam
}

// heals says whether the harm is gone without the labels of some reporters.
func (s *search) heals(ctx context.Context, who []string) (bool, error) {
	return s.try(ctx, func(x *searched, _ int) bool { return x.who == "" || !slices.Contains(who, x.who) })
}

// try replays the steps that keep wants, and says whether the harm is gone then.
func (s *search) try(ctx context.Context, keep func(*searched, int) bool) (bool, error) {
	m, err := s.replay(ctx, keep)
	if err != nil {
		return false, err
	}
	return !s.r.compare(s.before, readGolden(m, s.wanted, s.spam), s.ofWanted, s.ofSpam, s.mature).any(), nil
}

func (s *search) replay(ctx context.Context, keep func(*searched, int) bool) (*online.Model, error) {
	s.trials++
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("feedback: %w", err)
	}
	state := s.start.Clone()
	for i := range s.steps {
		if keep(&s.steps[i], i) {
			s.steps[i].op.apply(state)
		}
	}
	return state.Model(), nil
}

// culprits finds the reporters without whom the harm is gone. Each is tried
// alone on the baseline: by how much do these labels move what got lost? Of those who
// move it most, as many are taken as it needs, and who is like them.
func (s *search) culprits(ctx context.Context, who []string) ([]string, error) {
	who = who[:min(len(who), guardWho)]
	none, err := s.replay(ctx, func(*searched, int) bool { return false })
	if err != nil {
		return nil, err
	}
	start := s.margin(none)
	force := make(map[string]float64, len(who))
	for _, w := range who {
		m, err := s.replay(ctx, func(x *searched, _ int) bool { return x.who == w })
		if err != nil {
			return nil, err
		}
		force[w] = s.margin(m) - start
	}
	who = slices.DeleteFunc(who, func(w string) bool { return force[w] <= 0 })
	slices.SortFunc(who, func(a, b string) int { return cmp.Or(cmp.Compare(force[b], force[a]), cmp.Compare(a, b)) })
	low, high := 0, len(who) // without the first low the harm is there
	for high-low > 1 {
		mid := (low + high) / 2
		ok, err := s.heals(ctx, who[:mid])
		if err != nil {
			return nil, err
		}
		if ok {
			high = mid
		} else {
			low = mid
		}
	}
	// Who moves it half as much as the first is of the same kind, needed or not; who
	// hardly moves it isn't, even if that takes a second look.
	for high < len(who) && force[who[high]] >= force[who[0]]/2 {
		high++
	}
	for high > 1 && force[who[high-1]] < force[who[0]]/5 {
		high--
	}
	return who[:high], nil
}

// margin is how bad the lost messages read, in the direction of the harm.
func (s *search) margin(m *online.Model) (sum float64) {
	for _, f := range s.hurt {
		sum += m.Score(f, online.Recipient{}).Margin
	}
	if s.harm.spam && !s.harm.wanted && !s.harm.shift {
		return -sum
	}
	return sum
}

// blame names the first label of somebody trusted after which the harm is there. It
// is theirs to take back.
func (s *search) blame(ctx context.Context) error {
	low, high := 0, len(s.steps) // the first low do no harm, the first high do
	for high-low > 1 && s.trials < guardTrials {
		mid := (low + high) / 2
		ok, err := s.try(ctx, func(_ *searched, i int) bool { return i < mid })
		if err != nil {
			return err
		}
		if ok {
			low = mid
		} else {
			high = mid
		}
	}
	args := []any{slog.String("harm", s.harm.words), slog.Int64("since", s.from)}
	if high > 0 {
		f := s.steps[high-1].entry
		args = append(args, slog.Int64("label", f.Seq), slog.String("by", f.By), slog.String("source", string(f.Source)))
	}
	s.r.cfg.Trace.Warn("labels harmed mail that is known; they are of somebody trusted, so they stay: take them back if they were wrong", args...)
	return nil
}
