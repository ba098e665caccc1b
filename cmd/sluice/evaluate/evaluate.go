// Package evaluate is the command that tries Sluice on labelled mail: it says where
// the mail is, what is tried on it and how, and writes what package eval/trial finds.
package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"sluice/cmd/sluice/term"
	"sluice/eval/trec"
	"sluice/eval/trial"
)

// Command is the command line.
type Command struct {
	Ham     []string `help:"Files, folders, mbox files or Maildirs of wanted mail." placeholder:"PATH…" sep:"none" group:"The mail"`
	Spam    []string `help:"The same of unwanted mail." placeholder:"PATH…" sep:"none" group:"The mail"`
	Index   string   `help:"Index of the TREC spam track: lines such as \"spam ../data/inmail.1\"." placeholder:"FILE" type:"path" group:"The mail"`
	Corpora string   `help:"Folder of corpora with a SPLIT.tsv." placeholder:"DIR" type:"path" group:"The mail"`
	Part    string   `help:"Part of the corpora that is judged." enum:"test,train,all," default:"" placeholder:"PART" group:"The mail"`
	Only    []string `help:"Of the corpora only these." placeholder:"CORPUS" group:"The mail"`

	Filter string `help:"What is tried: text (the online learner, empty at first), shipped (the shipped text model), verdict (everything but the network), site (the same, learning as it goes)." enum:"text,shipped,verdict,site" default:"verdict" group:"The trial"`
	Config string `help:"Settings whose rules, lists and policy count." placeholder:"FILE" type:"path" group:"The trial"`
	Data   string `help:"Data folder: what was learned there counts, and site learns on from it. Learned from the same mail, it flatters." placeholder:"DIR" type:"path" group:"The trial"`

	Order    string   `help:"Order of the mail for what learns: given, time, random. Default: given for an index, else time." enum:"given,time,random," default:"" placeholder:"ORDER" group:"The trial"`
	Seed     []uint64 `help:"Seeds of random choices; a run for each." default:"1" group:"The trial"`
	Delay    int      `help:"Messages between one and its label." group:"The trial"`
	Share    float64  `help:"Share of the messages that ever get a label." default:"1" group:"The trial"`
	Noise    float64  `help:"Share of the labels that are wrong. Labels then count as users' clicks, not an admin's." group:"The trial"`
	TrainOn  string   `help:"Learn this part of the corpora first, and nothing while judging." enum:"train,test," default:"" placeholder:"PART" group:"The trial"`
	LeaveOut bool     `name:"leave-one-out" help:"Judge each corpus (part test) by what the others (part train) teach." group:"The trial"`
	LearnOf  []string `name:"learn-from" help:"With --leave-one-out: corpora that may teach; default: all but foff_milter." placeholder:"CORPUS" group:"The trial"`
	Evasion  bool     `help:"Also try disguises: half of the mail, or --train-on, trains, the rest is disguised." group:"The trial"`

	JSON   bool   `help:"Report as JSON." group:"The report"`
	HTML   string `name:"html" help:"Also write a report with pictures, one file without scripts." placeholder:"FILE" type:"path" group:"The report"`
	Scores string `help:"Also write a line for each message: name, part, label, verdict, score, detail." placeholder:"FILE" type:"path" group:"The report"`
}

// Env is what a command gets from the program.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	CPU            func() time.Duration // used by the process; nil: costs aren't told
}

// Evaluate runs the command.
func (c *Command) Evaluate(ctx context.Context, env Env) error {
	if err := c.check(); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	kind, done, err := c.kind(ctx, env.Stderr)
	if err != nil {
		return err
	}
	defer done()
	e := &evaluation{Command: c, env: env, kind: kind}
	if c.LeaveOut {
		return e.leaveOut(ctx)
	}
	return e.judge(ctx)
}

// check finds flags that don't go together.
func (c *Command) check() error {
	given := 0
	for _, is := range []bool{len(c.Ham)+len(c.Spam) > 0, c.Index != "", c.Corpora != ""} {
		if is {
			given++
		}
	}
	split := c.Part != "" || len(c.Only) > 0 || c.TrainOn != "" || c.LeaveOut
	switch {
	case given == 0:
		return errors.New("say what mail to judge: --ham PATH… and --spam PATH…, --index FILE, or --corpora DIR")
	case given > 1:
		return errors.New("take one of --ham and --spam, --index, --corpora")
	case split && c.Corpora == "":
		return errors.New("--part, --only, --train-on and --leave-one-out need --corpora")
	case c.LeaveOut && (c.Part != "" || len(c.Only) > 0 || c.TrainOn != "" || c.Evasion || c.HTML != ""):
		return errors.New("--leave-one-out chooses its mail itself and makes one table: no --part, --only, --train-on, --evasion, --html")
	case len(c.LearnOf) > 0 && !c.LeaveOut:
		return errors.New("--learn-from is for --leave-one-out; with --train-on use --only")
	case c.LeaveOut && c.feedback() != (trec.Feedback{}), c.TrainOn != "" && c.feedback() != (trec.Feedback{}):
		return errors.New("--delay, --share and --noise are for learning while judging")
	case c.TrainOn != "" && (c.Filter == "verdict" || c.Filter == "shipped"):
		return fmt.Errorf("filter %s doesn't learn: use text or site with --train-on", c.Filter)
	case c.TrainOn != "" && c.Part == c.TrainOn, c.TrainOn != "" && c.Part == "all":
		return errors.New("what was learned can't judge: --train-on and --part are the same")
	case c.Data != "" && (c.Filter == "text" || c.Filter == "shipped"):
		return fmt.Errorf("filter %s knows nothing of a site: use verdict or site with --data", c.Filter)
	case c.Data != "" && c.LeaveOut:
		return errors.New("--leave-one-out judges by what the corpora teach: no --data")
	case c.Delay < 0 || c.Share < 0 || c.Share > 1 || c.Noise < 0 || c.Noise > 1:
		return errors.New("--delay counts messages, --share and --noise are between 0 and 1")
	case len(c.Seed) == 0:
		return errors.New("--seed wants a number")
	}
	return nil
}

func (c *Command) feedback() trec.Feedback {
	f := trec.Feedback{Delay: c.Delay, Share: c.Share, Noise: c.Noise}
	if f.Share == 1 {
		f.Share = 0 // which means the same
	}
	return f
}

// evaluation is one run of the command.
type evaluation struct {
	*Command
	env  Env
	kind trial.Kind
}

// sources are what is judged, and what is learned before.
func (e *evaluation) sources() (judged, train []trial.Source, name string, err error) {
	switch {
	case e.Index != "":
		judged, err = trial.Index(e.Index)
		return judged, nil, e.Index, err
	case e.Corpora == "":
		return trial.Folders(e.Ham, e.Spam, e.env.Stdin), nil, "own mail", nil
	}
	part := e.Part
	if part == "" {
		part = "test"
		if e.TrainOn == "test" {
			part = "train"
		}
	}
	if judged, err = trial.Corpora(e.Corpora, part, e.Only); err != nil || e.TrainOn == "" {
		return judged, nil, "part " + part + " of the corpora", err
	}
	train, err = trial.Corpora(e.Corpora, e.TrainOn, e.Only)
	train = slices.DeleteFunc(train, func(s trial.Source) bool { return !trial.Trainable(s.Corpus) })
	if err == nil && len(train) == 0 {
		err = errors.New("eval: nothing may be trained on these corpora")
	}
	return judged, train, "part " + part + " of the corpora", err
}

func (e *evaluation) judge(ctx context.Context) error {
	judged, train, name, err := e.sources()
	if err != nil {
		return err
	}
	before := e.cpu()
	box, err := e.read(ctx, slices.Concat(judged, train))
	if err != nil {
		return err
	}
	used := e.cpu() - before
	c := trial.Config{Kind: e.kind, Source: name, Order: e.order(), Seeds: e.Seed, Feedback: e.feedback(), CPU: e.env.CPU}
	if e.TrainOn == "" {
		c.Mail = box.Mail
	} else {
		for _, m := range box.Mail {
			if m.Part == e.TrainOn {
				c.Train = append(c.Train, m)
			} else {
				c.Mail = append(c.Mail, m)
			}
		}
	}
	show := term.ProgressOn(e.env.Stderr, len(c.Mail)*len(e.Seed))
	c.Step = show.Step
	r, err := trial.Run(ctx, c)
	show.End()
	if err != nil {
		return err
	}
	r.NotMail, r.Unreadable = box.NotMail, len(box.Errors)
	if e.env.CPU != nil {
		r.Cost.Read = used.Seconds() * 1000 / float64(len(box.Mail))
	}
	r.Notes = append(r.Notes, e.notes(r)...)
	if e.Evasion {
		if r.Evasion, err = e.evade(ctx, judged, train); err != nil {
			return err
		}
	}
	return e.write(r)
}

func (e *evaluation) cpu() time.Duration {
	if e.env.CPU == nil {
		return 0
	}
	return e.env.CPU()
}

func (e *evaluation) order() trec.Order {
	switch {
	case e.Order != "":
		return trec.Order(e.Order)
	case e.Index != "":
		return trec.Given
	}
	return trec.Time
}

// read reads everything and says what couldn't be.
func (e *evaluation) read(ctx context.Context, sources []trial.Source) (*trial.Inbox, error) {
	show := term.ProgressOn(e.env.Stderr, len(sources))
	box, err := trial.Read(ctx, e.kind, sources, show.Step)
	show.End()
	if err != nil {
		return nil, err
	}
	for _, err := range box.Errors {
		fmt.Fprintf(e.env.Stderr, "eval: %s\n", term.Plain(err.Error(), 300))
	}
	if len(box.Mail) == 0 {
		return nil, errors.New("eval: there is no labelled mail to judge")
	}
	return box, nil
}

// evade tries disguises. Without a part to train on, every second message trains.
func (e *evaluation) evade(ctx context.Context, judged, train []trial.Source) ([]trial.Disguise, error) {
	if len(train) == 0 {
		var test []trial.Source
		for i, s := range judged {
			if i%2 == 0 && trial.Trainable(s.Corpus) {
				train = append(train, s)
			} else {
				test = append(test, s)
			}
		}
		judged = test
	}
	fmt.Fprintln(e.env.Stderr, "eval: trying disguises")
	return trial.Evade(ctx, e.kind, train, judged, e.Seed[0])
}

func (e *evaluation) leaveOut(ctx context.Context) error {
	sources, err := trial.Corpora(e.Corpora, "all", nil)
	if err != nil {
		return err
	}
	box, err := e.read(ctx, sources)
	if err != nil {
		return err
	}
	show := term.ProgressOn(e.env.Stderr, 0)
	l, err := trial.LeaveOneOut(ctx, e.kind, box.Mail, e.LearnOf, e.Seed[0], show.Step)
	show.End()
	if err != nil {
		return err
	}
	l.Notes = append(l.Notes, "foff_milter is never trained on; corpora that may only judge are trained on here for measuring, and no weight of it is kept")
	if e.Filter != "text" {
		l.Notes = append(l.Notes, "the text model is made anew without the corpus; the line that turns its margin into decibel, and the points and weights of the other checks, are the shipped ones")
	}
	if err := e.writeScores(l.Judged()); err != nil {
		return err
	}
	if e.JSON {
		return e.encode(l)
	}
	return l.WriteText(e.env.Stdout)
}

// notes say what the reader has to know about the figures.
func (e *evaluation) notes(r *trial.Report) (out []string) {
	if e.Corpora != "" && e.Filter != "text" && e.TrainOn == "" && e.Part != "" && e.Part != "test" {
		out = append(out, "the shipped text model was trained on the part train of some of these corpora: only the part test is unseen")
	}
	if e.Data != "" {
		out = append(out, "what was learned in "+term.Plain(e.Data, 200)+" counts: if it was learned from this mail, all figures are too good")
	}
	if e.Corpora == "" {
		out = append(out, "wanted and unwanted mail of different years, mailboxes or archives are told apart by what doesn't matter: such figures are too good")
	}
	if r.Ham < 1000 || r.Spam < 100 {
		out = append(out, fmt.Sprintf("%d wanted and %d unwanted messages are few: read the intervals, not the figures", r.Ham, r.Spam))
	}
	return out
}

// write puts the report where it was asked for.
func (e *evaluation) write(r *trial.Report) error {
	if err := e.writeScores(r.Judged()); err != nil {
		return err
	}
	if e.HTML != "" {
		if err := toFile(e.HTML, func(w io.Writer) error { return r.WriteHTML(w, time.Now()) }); err != nil {
			return err
		}
	}
	if e.JSON {
		return e.encode(r)
	}
	return r.WriteText(e.env.Stdout)
}

func (e *evaluation) writeScores(judged []trial.Judged) error {
	if e.Scores == "" {
		return nil
	}
	return toFile(e.Scores, func(w io.Writer) error { return trial.WriteScores(w, judged) })
}

func (e *evaluation) encode(v any) error {
	enc := json.NewEncoder(e.env.Stdout)
	enc.SetIndent("", " ")
	return enc.Encode(v)
}

// toFile writes a file that names people's mail: nobody else may read it.
func toFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("eval: %s: %w", name, err)
	}
	return nil
}
