package build

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"sluice"
	checktext "sluice/check/text"
	"sluice/config"
	"sluice/gate"
	"sluice/learn/campaign"
	"sluice/learn/feedback"
	"sluice/learn/feedback/golden"
	"sluice/learn/text/online"
	"sluice/reason"
)

// Learning is what labels teach: the text model of this site, and the memory of
// campaigns. It lives as long as the process; the log of labels, longer.
type Learning struct {
	*feedback.Room
	Text *online.Learner

	golden *golden.Set
	traps  chan *sluice.Label
	log    *slog.Logger
}

// learnedFolder holds snapshots of what was learned, and the golden mail.
func learnedFolder(data string) string { return filepath.Join(data, "learned") }

// NewLearning makes what learns. Nothing is read yet: [Learning.CatchUp] or Run does.
// memory may be nil; fresh says that it has none of the labels that were given before.
func NewLearning(cfg *config.Config, labels sluice.FeedbackLog, memory *campaign.Memory, fresh bool, log *slog.Logger) (*Learning, error) {
	return newLearning(cfg, labels, memory, fresh, 0, log)
}

func newLearning(cfg *config.Config, labels sluice.FeedbackLog, memory *campaign.Memory, fresh bool, snapshotEvery int, log *slog.Logger) (*Learning, error) {
	l := &Learning{Text: online.New(online.Config{}), golden: golden.New(golden.Config{}),
		traps: make(chan *sluice.Label, 64), log: log}
	c := feedback.Config{Log: labels, Text: l.Text, Golden: l.golden, Folder: learnedFolder(cfg.Data), Clock: time.Now, Trace: log,
		Keep: cfg.Keep.Labels.Duration, SnapshotEvery: snapshotEvery}
	if memory != nil {
		c.Campaigns, c.CampaignsEmpty = memory, fresh
	}
	var err error
	if l.Room, err = feedback.New(c); err != nil {
		l.Text.Close()
		return nil, err
	}
	return l, nil
}

// NewTeacher makes what commands give labels with, beside a running daemon: the labels
// go into the log, and the daemon learns them within seconds.
func NewTeacher(cfg *config.Config, labels sluice.FeedbackLog, log *slog.Logger) (*Learning, error) {
	key, err := CampaignKey(cfg.Data)
	if err != nil {
		return nil, err
	}
	var prints *campaign.Memory
	if !cfg.Campaign.Off { // it makes prints, and remembers nothing worth having
		prints = campaign.New(campaign.Config{Key: key, Fingerprints: 10_000})
	}
	// Thousands of labels in a row aren't worth a snapshot every five hundred.
	return newLearning(cfg, labels, prints, true, 2500, log)
}

// startWait is how long a start waits for what was learned before.
const startWait = 30 * time.Second

// Start loads what was learned before. Where that fails the gateway starts without it,
// and Run goes on trying.
func (l *Learning) Start(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	if err := l.LoadGolden(); err != nil {
		l.log.Warn("the golden mail can't be read and fills anew", "error", err)
	}
	if err := l.CatchUp(ctx); err != nil {
		l.log.Error("what was learned here isn't loaded yet; the shipped model judges alone until it is", "error", err)
	}
}

// Model is what was learned so far.
func (l *Learning) Model() *online.Model { return l.Text.Model() }

// Version names it, to stand behind the shipped model's: labels up to an entry of the log.
func (l *Learning) Version() string {
	if seq := l.Stats().Seq; seq > 0 {
		return fmt.Sprintf("+%d", seq)
	}
	return ""
}

// trapWait bounds how long a label of a trap waits for the database.
const trapWait = 10 * time.Second

// lookEvery is how soon what commands and other nodes wrote is learned.
const lookEvery = 5 * time.Second

// Run learns until ctx ends.
func (l *Learning) Run(ctx context.Context) {
	tick, look := time.NewTicker(time.Minute), time.NewTicker(lookEvery)
	defer tick.Stop()
	defer look.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case label := <-l.traps:
				l.trap(ctx, label)
			case <-look.C:
				_ = l.CatchUp(ctx) // Run says what goes wrong
			case <-ctx.Done():
				return
			}
		}
	}()
	l.Room.Run(ctx, tick.C)
	<-done
}

func (l *Learning) trap(ctx context.Context, label *sluice.Label) {
	ctx, cancel := context.WithTimeout(ctx, trapWait)
	defer cancel()
	if _, err := l.Teach(ctx, label); err != nil {
		l.log.Error("a spamtrap's label is lost", "id", label.ID, "error", err)
	}
}

// Observe learns from a judged message what needs no person: a spamtrap's mail is
// spam, and what known correspondents send each other is golden. It never waits.
func (l *Learning) Observe(o *gate.Observation, print func() *campaign.Print) {
	switch {
	case o.Trapped:
		label := &sluice.Label{Raw: slices.Clone(o.Message.Raw), ID: o.ID, Tenant: o.Envelope.Tenant, Spam: true, Source: sluice.SourceTrap, By: "spamtrap"}
		select {
		case l.traps <- label:
		default: // a flood teaches no more than its first messages
			l.log.Warn("a spamtrap's label is left out, too many wait", "id", o.ID)
		}
	case wanted(o):
		offer := golden.Offering{ID: o.ID, Features: checktext.Features(o.Notes, o.Message), Print: print(), Time: o.Envelope.Received}
		for _, a := range o.Message.Addresses("From") {
			offer.From = a.Domain
			break
		}
		l.golden.Offer(offer)
	}
}

// wanted says whether people have shown that they want such mail: it was accepted,
// and answers mail of ours or comes from somebody they have written to, authenticated.
func wanted(o *gate.Observation) bool {
	if o.Action != sluice.Accept || !o.Reply.Positive() || o.Verdict.Probability > 0.2 {
		return false
	}
	return slices.ContainsFunc(o.Verdict.Ledger, func(c sluice.Contribution) bool {
		return c.State == sluice.Found && (c.Reason == reason.ReplyToOurs || c.Reason == reason.CorrespondentKnown)
	})
}

// Close ends the learner, and writes down what is kept beside the log.
func (l *Learning) Close() error {
	defer l.Text.Close()
	return l.Room.Close()
}
