package evaluate

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/eval/trial"
	"sluice/gate"
	"sluice/mailauth"
)

// kind makes what is tried, and returns what tidies up after it.
func (c *Command) kind(log io.Writer) (k trial.Kind, done func(), err error) {
	done = func() {}
	trusted := c.Noise == 0
	if c.Filter == "text" {
		return trial.Text(trusted), done, nil
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
	model, err := build.Model(data)
	if err != nil {
		return k, done, err
	}
	if c.Filter == "shipped" {
		return trial.Shipped(model), done, nil
	}
	cfg, err := config.Load(c.Config, config.Flags{Data: data})
	if err != nil {
		return k, done, err
	}
	set, err := build.Judge(cfg, slog.New(slog.NewTextHandler(log, nil)), false)
	if err != nil {
		return k, done, err
	}
	set.Verifier = mailauth.New(mailauth.Config{Hostname: cfg.Hostname, Sealers: cfg.ARCSealers}) // nobody is asked
	set.Budget = 5 * time.Minute
	g := gate.New(gate.Config{Settings: set, Clock: time.Now, Rand: rand.Reader})
	return trial.Whole{Gate: g, Model: model, Site: c.Filter == "site", Trusted: trusted, Refit: c.LeaveOut}.Kind(), done, nil
}
