// Package cases is the command that looks after cases of our own users: infected devices
// and stolen accounts.
package cases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sluice"
	"sluice/cmd/sluice/term"
	consolecases "sluice/console/cases"
	"sluice/subscriber/cases"
	"sluice/subscriber/report"
)

// Book is the cases, and what an admin may do with them. [subscriber.Warden] with its
// store is one; what it writes, a running daemon reads within a minute.
type Book interface {
	Case(ctx context.Context, id string) (*sluice.Case, error)
	ListCases(ctx context.Context, q sluice.CaseQuery) ([]*sluice.Case, error)
	Remedy(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	CloseCase(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	FalseAlarm(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	Reopen(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	Note(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)
	Close() error
}

// Env is what a command gets from the program.
type Env struct {
	Context context.Context // kong hands over one value
	Stdout  io.Writer
	Open    func(ctx context.Context, config, data string) (Book, error)
	// Preview is what a notice would say: its subject, "" for none, text and HTML.
	Preview func(config, data, language, channel, kind string) (subject, text, html string, err error)
	User    string // who runs the command
	Clock   func() time.Time
}

// Command is the command line.
type Command struct {
	List    List    `cmd:"" help:"List cases, newest first."`
	Show    Show    `cmd:"" help:"Show one case: what was seen, who was told, every step."`
	Release Release `cmd:"" help:"Say that the cause is gone: mail goes out again, and the user is watched for a while."`
	Close   Close   `cmd:"" help:"End a case."`
	False   False   `cmd:"" name:"false-alarm" help:"End a case in which there was nothing."`
	Reopen  Reopen  `cmd:"" help:"Go on with a case that has ended."`
	Note    Note    `cmd:"" help:"Write something into a case."`
	Preview Preview `cmd:"" help:"Show what a user would be told."`
	Figures Figures `cmd:"" help:"Count a period: detected, told, rid of it, each with its denominator."`
}

// Where says whose cases they are.
type Where struct {
	Config string `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	Data   string `help:"Data folder of the daemon." placeholder:"DIR"`
}

// with opens the book, runs f, and closes it.
func (w Where) with(env *Env, f func(context.Context, Book) error) error {
	b, err := env.Open(env.Context, w.Config, w.Data)
	if err == nil {
		err = errors.Join(f(env.Context, b), b.Close())
	}
	if err != nil {
		return fmt.Errorf("case: %w", err)
	}
	return nil
}

// Preview shows what a user would be told.
type Preview struct {
	Where
	Language string `help:"en, de, fr or es; default: the site's." placeholder:"CODE"`
	Channel  string `help:"mail, sms or webhook." enum:"mail,sms,webhook" default:"mail"`
	Kind     string `help:"infected or stolen." enum:"infected,stolen" default:"infected"`
	HTML     bool   `help:"The mail's HTML instead of its text."`
}

// Run shows it.
func (c *Preview) Run(env *Env) error {
	subject, text, html, err := env.Preview(c.Config, c.Data, c.Language, c.Channel, c.Kind)
	switch {
	case err != nil:
		return fmt.Errorf("case: %w", err)
	case c.HTML:
		text = html
	case subject != "":
		text = subject + "\n\n" + text
	}
	_, err = fmt.Fprintln(env.Stdout, strings.TrimSpace(text))
	return err
}

// List lists cases.
type List struct {
	Where
	All     bool          `help:"Also those that have ended."`
	State   string        `help:"Only these." enum:"open,held,notified,remediated,watched,closed,false_alarm,merged," default:"" placeholder:"STATE"`
	Subject string        `help:"Only of this user, such as account:bob@example.org." placeholder:"KEY"`
	Since   time.Duration `help:"Only those opened in the last while, such as 24h." placeholder:"TIME"`
	Limit   int           `short:"n" default:"50" help:"At most so many."`
	JSON    bool          `help:"One JSON object a line."`
}

// Run lists, newest first.
func (c *List) Run(env *Env) error {
	if c.Limit < 1 {
		return errors.New("case: --limit: want at least 1")
	}
	return c.with(env, func(ctx context.Context, b Book) error {
		q := sluice.CaseQuery{State: sluice.CaseState(c.State), Subject: c.Subject, Live: !c.All && c.State == ""}
		now := env.Clock()
		if c.Since > 0 {
			q.Since = now.Add(-c.Since)
		}
		all, err := pages(ctx, b, q, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			e := json.NewEncoder(env.Stdout)
			for _, one := range all {
				if err := e.Encode(consolecases.NewEntry(one)); err != nil {
					return err
				}
			}
			return nil
		}
		if len(all) == 0 {
			fmt.Fprintln(env.Stdout, "No cases.")
			return nil
		}
		w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CASE\tSTATE\tWHO\tKIND\tOPENED\tTOLD\tKEPT\tMOST OF IT")
		for _, one := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", one.ID, one.State, term.Plain(one.Subject, 60), one.Kind, ago(now, one.Opened), ago(now, one.Told), one.Kept, strongest(one))
		}
		return w.Flush()
	})
}

// pages reads at most so many.
func pages(ctx context.Context, b Book, q sluice.CaseQuery, most int) (all []*sluice.Case, err error) {
	for most > 0 {
		q.Limit = min(most, sluice.MaxPage)
		page, err := b.ListCases(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < q.Limit {
			break
		}
		most -= len(page)
		q.Before = page[len(page)-1].ID
	}
	return all, nil
}

// ago is a moment as people say it.
func ago(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "-"
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// strongest names the two kinds of signals that weigh most.
func strongest(c *sluice.Case) string {
	var a, b *sluice.CaseSignal
	for i := range c.Signals {
		switch s := &c.Signals[i]; {
		case a == nil || s.Points > a.Points:
			a, b = s, a
		case b == nil || s.Points > b.Points:
			b = s
		}
	}
	var out []string
	for _, s := range []*sluice.CaseSignal{a, b} {
		if s != nil {
			out = append(out, s.Kind)
		}
	}
	return strings.Join(out, ", ")
}

// Show shows one.
type Show struct {
	Where
	ID   string `arg:"" help:"The case." placeholder:"CASE"`
	JSON bool   `help:"As JSON."`
}

// Run shows it.
func (c *Show) Run(env *Env) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		one, err := b.Case(ctx, c.ID)
		if err != nil {
			return known(c.ID, err)
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(consolecases.NewEntry(one))
		}
		show(env.Stdout, env.Clock(), one)
		return nil
	})
}

// known names the case that isn't there.
func known(id string, err error) error {
	if errors.Is(err, sluice.ErrNotFound) {
		return fmt.Errorf("no case %q; sluice case list shows those that there are", term.Plain(id, 40))
	}
	return err
}

const stamp = "2006-01-02 15:04:05"

func show(w io.Writer, now time.Time, c *sluice.Case) {
	p := term.PaintFor(w)
	line := func(k, s string) {
		if s != "" {
			fmt.Fprintf(w, "%-10s %s\n", k, s)
		}
	}
	line("case", p.Bold(c.ID))
	line("who", term.Plain(c.Subject, 200))
	line("tenant", term.Plain(c.Tenant, 100))
	state := string(c.State)
	if c.Restrict != "" && c.State.Live() {
		state += ", mail: " + string(c.Restrict)
	}
	line("state", state)
	line("kind", map[sluice.CaseKind]string{sluice.CaseInfected: "an infected device", sluice.CaseStolen: "a stolen account"}[c.Kind])
	line("opened", c.Opened.Format(stamp)+", "+ago(now, c.Opened))
	line("mail", fmt.Sprintf("%d left before the hold, %d kept", c.Let, c.Kept))
	if !c.Until.IsZero() {
		line("watched", "until "+c.Until.Format(stamp))
	}
	line("went on as", c.Into)
	fmt.Fprintln(w, "\nseen")
	for _, s := range c.Signals {
		text := fmt.Sprintf("  %6.1f dB  %-20s %4d ×  last %s", s.Points, term.Plain(s.Kind, 20), s.Count, s.Last.Format(stamp))
		if s.ID != "" {
			text += "  message " + term.Plain(s.ID, 40)
		}
		fmt.Fprintln(w, text)
		if s.Detail != "" {
			fmt.Fprintln(w, "             "+p.Dim(term.Plain(s.Detail, 200)))
		}
	}
	if len(c.Notices) > 0 {
		fmt.Fprintln(w, "\ntold")
	}
	for _, n := range c.Notices {
		fmt.Fprintf(w, "  %s  %-8s %s  %s\n", n.Tried.Format(stamp), term.Plain(n.Channel, 20), term.Plain(n.Address, 100), proof(&n))
		if n.Detail != "" {
			fmt.Fprintln(w, "             "+p.Dim(term.Plain(n.Detail, 200)))
		}
	}
	fmt.Fprintln(w, "\nsteps")
	for _, s := range c.Steps {
		text := fmt.Sprintf("  %s  %-12s %s", s.Time.Format(stamp), s.What, term.Plain(s.Actor, 60))
		if s.To != "" && s.To != s.From {
			text += " → " + string(s.To)
		}
		if s.Note != "" {
			text += "  " + p.Dim(term.Plain(s.Note, 300))
		}
		fmt.Fprintln(w, text)
	}
	if c.LeftSteps > 0 {
		fmt.Fprintf(w, "  and %d more that weren't kept\n", c.LeftSteps)
	}
}

// proof is how far a notice came.
func proof(n *sluice.CaseNotice) string {
	for _, p := range []struct {
		at   time.Time
		word string
	}{{n.Acknowledged, "acknowledged"}, {n.Delivered, "delivered"}, {n.Opened, "opened"}, {n.Accepted, "accepted"}, {n.Failed, "failed"}} {
		if !p.at.IsZero() {
			return p.word + " " + p.at.Format(stamp)
		}
	}
	return "tried"
}

// act is what the commands that change a case have in common.
type act struct {
	Where
	ID   string `arg:"" help:"The case." placeholder:"CASE"`
	Why  string `help:"What to write into the case's audit." placeholder:"WORDS"`
	JSON bool   `help:"As JSON."`
}

type change func(ctx context.Context, now time.Time, id, admin, note string) (*sluice.Case, error)

func (c *act) run(env *Env, how func(Book) change) error {
	return c.with(env, func(ctx context.Context, b Book) error {
		one, err := how(b)(ctx, env.Clock(), c.ID, env.User, c.Why)
		if errors.Is(err, cases.ErrState) {
			if now, err := b.Case(ctx, c.ID); err == nil {
				return fmt.Errorf("%s is %s, where that can't be done", now.ID, state(now.State))
			}
		}
		if err != nil {
			return known(c.ID, err)
		}
		if c.JSON {
			return json.NewEncoder(env.Stdout).Encode(consolecases.NewEntry(one))
		}
		fmt.Fprintf(env.Stdout, "%s of %s is %s.\n", one.ID, term.Plain(one.Subject, 200), state(one.State))
		return nil
	})
}

// state is one in words that follow "is".
func state(s sluice.CaseState) string {
	if s == sluice.CaseFalseAlarm {
		return "a false alarm"
	}
	return string(s)
}

// Release lets mail go again.
type Release struct{ act }

// Run does so.
func (c *Release) Run(env *Env) error { return c.run(env, func(b Book) change { return b.Remedy }) }

// Close ends a case.
type Close struct{ act }

// Run does so.
func (c *Close) Run(env *Env) error { return c.run(env, func(b Book) change { return b.CloseCase }) }

// False ends a case in which there was nothing.
type False struct{ act }

// Run does so.
func (c *False) Run(env *Env) error { return c.run(env, func(b Book) change { return b.FalseAlarm }) }

// Reopen goes on with a case.
type Reopen struct{ act }

// Run does so.
func (c *Reopen) Run(env *Env) error { return c.run(env, func(b Book) change { return b.Reopen }) }

// Note writes into a case.
type Note struct {
	Where
	ID    string   `arg:"" help:"The case." placeholder:"CASE"`
	Words []string `arg:"" help:"What to write." placeholder:"WORDS"`
}

// Run does so.
func (c *Note) Run(env *Env) error {
	a := act{Where: c.Where, ID: c.ID, Why: strings.Join(c.Words, " ")}
	return a.run(env, func(b Book) change { return b.Note })
}

// mostCounted bounds the cases of a period.
const mostCounted = 1_000_000

// Figures counts a period.
type Figures struct {
	Where
	From string `help:"First day, such as 2026-10-01; default: 30 days ago." placeholder:"DAY"`
	To   string `help:"The day after the last; default: now." placeholder:"DAY"`
	Of   int    `help:"How many users there are, for the share that was detected." placeholder:"N"`
	CSV  bool   `name:"csv" help:"As CSV."`
	JSON bool   `help:"As JSON."`
}

// Run counts.
func (c *Figures) Run(env *Env) error {
	now := env.Clock()
	from, to := now.AddDate(0, 0, -30), now
	for _, d := range []struct {
		word, text string
		at         *time.Time
	}{{"--from", c.From, &from}, {"--to", c.To, &to}} {
		if d.text == "" {
			continue
		}
		t, err := time.ParseInLocation(time.DateOnly, d.text, now.Location())
		if err != nil {
			return fmt.Errorf("case: %s %q: want a day such as 2026-10-01", d.word, d.text)
		}
		*d.at = t
	}
	if !from.Before(to) {
		return errors.New("case: --from must be before --to")
	}
	return c.with(env, func(ctx context.Context, b Book) error {
		list, err := pages(ctx, b, sluice.CaseQuery{Since: from, Until: to}, mostCounted)
		if err != nil {
			return err
		}
		f := report.Of(list, from, to, now, c.Of)
		switch {
		case c.JSON:
			return json.NewEncoder(env.Stdout).Encode(f)
		case c.CSV:
			return report.CSV(env.Stdout, f)
		}
		_, err = io.WriteString(env.Stdout, f.String())
		return err
	})
}
