package feedback

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"sluice"
	"sluice/learn/text/online"
)

// What the guard calls harm.
const (
	guardLabels = 50     // of either kind that a model must have before it is compared with
	guardShare  = 0.0005 // of wanted mail that may newly read as spam
	guardLeast  = 2      // messages that must do so: fewer can be chance
	guardMean   = 3.0    // decibel by which all wanted mail may move towards spam
	guardMeanOf = 200    // labels of either kind from which on that is asked
	guardMissed = 0.05   // of golden spam that may newly read as wanted
	guardFew    = 5      // and how many must
	guardBurst  = 20     // labels after which a look is worth it when there is time
	guardTrials = 48     // replays in one search
	guardSample = 300    // messages that are read in each
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

// readings of golden mail by a model. Features that can't be read are left out on
// every side.
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

func (r *Room) features(list []*golden) []*online.Features {
	var out []*online.Features
	for _, m := range list {
		f := new(online.Features)
		if f.UnmarshalBinary(m.features) == nil {
			out = append(out, f)
		}
	}
	return out
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

// compare says what got worse from before to after. of is how many messages the
// readings stand for.
func (r *Room) compare(before, after reading, ofWanted, ofSpam int, mature bool) harm {
	var h harm
	q := r.cfg.Quarantine
	was, is := over(before.wanted, q), over(after.wanted, q)
	if grown := is - was; grown >= guardLeast && float64(grown) > guardShare*float64(ofWanted) {
		h.wanted = true
		h.words = fmt.Sprintf("%d of %d wanted messages read as spam, %d before", is, ofWanted, was)
	}
	if shift := mean(after.wanted) - mean(before.wanted); mature && len(after.wanted) >= guardBurst && shift > guardMean {
		h.shift = true
		h.words = cmp.Or(h.words, fmt.Sprintf("wanted mail moved %.1f dB towards spam", shift))
	}
	was, is = over(before.spam, q), over(after.spam, q)
	if lost := was - is; lost >= guardFew && float64(lost) > guardMissed*float64(ofSpam) {
		h.spam = true
		h.words = cmp.Or(h.words, fmt.Sprintf("%d of %d spam messages are found, %d before", is, ofSpam, was))
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
	wanted, spam := r.features(r.cfg.Golden.list(false, now)), r.features(r.cfg.Golden.list(true, now))
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
	before           reading
	start            []byte // the state at from
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
	s.wanted, s.before.wanted = some(wanted, before.wanted, after.wanted, func(b, a float64) bool { return b < q && a >= q })
	s.spam, s.before.spam = some(spam, before.spam, after.spam, func(b, a float64) bool { return b >= q && a < q })
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
	if ok, err := s.heals(ctx, nil, nil); err != nil || ok {
		return 0, err // it went away by itself: other labels were taken back meanwhile
	}
	ok, err := s.heals(ctx, who, nil)
	if err != nil {
		return 0, err
	}
	if !ok || len(who) == 0 {
		return 0, s.blame(ctx)
	}
	found, err := s.shrink(ctx, who, nil)
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
	var b bytes.Buffer
	if err := state.Write(&b); err != nil {
		return fmt.Errorf("feedback: %w", err)
	}
	s.start = b.Bytes()
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
func (s *search) heals(ctx context.Context, who, and []string) (bool, error) {
	return s.try(ctx, func(x *searched, _ int) bool {
		return x.who == "" || !slices.Contains(who, x.who) && !slices.Contains(and, x.who)
	})
}

// try replays the steps that keep wants.
func (s *search) try(ctx context.Context, keep func(*searched, int) bool) (bool, error) {
	s.trials++
	if err := ctx.Err(); err != nil {
		return false, fmt.Errorf("feedback: %w", err)
	}
	state, err := online.Load(bytes.NewReader(s.start))
	if err != nil {
		return false, fmt.Errorf("feedback: %w", err)
	}
	for i := range s.steps {
		if keep(&s.steps[i], i) {
			s.steps[i].op.apply(state)
		}
	}
	return !s.r.compare(s.before, readGolden(state.Model(), s.wanted, s.spam), s.ofWanted, s.ofSpam, s.mature).any(), nil
}

// shrink finds of reporters without whom (and without those of also) the harm is
// gone a set that can't be halved.
func (s *search) shrink(ctx context.Context, who, also []string) ([]string, error) {
	if len(who) <= 1 || s.trials >= guardTrials {
		return who, nil
	}
	a, b := who[:len(who)/2], who[len(who)/2:]
	for _, half := range [][]string{a, b} {
		ok, err := s.heals(ctx, half, also)
		if err != nil {
			return nil, err
		}
		if ok {
			return s.shrink(ctx, half, also)
		}
	}
	left, err := s.shrink(ctx, a, slices.Concat(also, b))
	if err != nil {
		return nil, err
	}
	right, err := s.shrink(ctx, b, slices.Concat(also, left))
	return slices.Concat(left, right), err
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
