package evaluate

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/daemon"
	"sluice/config"
	"sluice/eval/trial"
	"sluice/gate"
	"sluice/learn/text"
	"sluice/learn/text/online"
	"sluice/mailauth"
)

// kind makes what is tried, and returns what tidies up after it.
func (c *Command) kind(ctx context.Context, out io.Writer) (k trial.Kind, done func(), err error) {
	done = func() {}
	trusted := c.Noise == 0
	switch c.Filter {
	case "text":
		return trial.Text(trusted), done, nil
	case "shipped":
		return trial.Shipped(text.Default()), done, nil
	}
	data := c.Data
	if data == "" {
		// Whatever the settings say: a folder that nothing was learned in.
		if data, err = os.MkdirTemp("", "sluice-eval-"); err != nil {
			return k, done, fmt.Errorf("eval: %w", err)
		}
		done = func() { os.RemoveAll(data) }
	}
	defer func() {
		if err != nil {
			done()
		}
	}()
	cfg, err := config.Load(c.Config, config.Flags{Data: data})
	if err != nil {
		return k, done, err
	}
	log := slog.New(slog.NewTextHandler(out, nil))
	state, err := daemon.LearnedState(ctx, cfg, log)
	if err != nil {
		return k, done, err
	}
	var here *online.Model
	if state != nil {
		here = state.Model()
	}
	set, err := build.JudgeHere(cfg, log, false, here, nil)
	if err != nil {
		return k, done, err
	}
	set.Verifier = mailauth.New(mailauth.Config{Hostname: cfg.Hostname, Sealers: cfg.ARCSealers}) // nobody is asked
	set.Budget = 5 * time.Minute
	g := gate.New(gate.Config{Settings: set, Clock: time.Now, Rand: rand.Reader})
	return trial.Whole{Gate: g, Model: text.Default(), Site: c.Filter == "site", Trusted: trusted, Learned: state, Refit: c.LeaveOut}.Kind(), done, nil
}
