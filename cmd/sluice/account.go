package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/console/password"
)

type consoleCmd struct {
	Password consolePassword `cmd:"" help:"Set an account's password, read from standard input; makes the account if it is new."`
}

type consolePassword struct {
	place
	Name string `arg:"" default:"admin" help:"The account."`
}

// Run is the way back in for an admin who lost the password: whoever may write
// the data folder may set it.
func (c *consolePassword) Run(a *app) error {
	return c.with(a, func(r *daemon.Rooms, _ *config.Config) error {
		if term.IsTerminal(a.stderr) {
			fmt.Fprint(a.stderr, "New password (shown as you type): ")
		}
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		word := strings.TrimRight(line, "\r\n")
		if word == "" {
			return fmt.Errorf("console password: no password on standard input: %w", errors.Join(err, errEmpty))
		}
		hash, err := password.Hash(rand.Reader, word)
		if err != nil {
			return fmt.Errorf("console password: %w", err)
		}
		if err := r.Store.PutAccount(a.ctx, &sluice.Account{Name: c.Name, Password: hash, Created: time.Now()}); err != nil {
			return fmt.Errorf("console password: %w", err)
		}
		_, err = fmt.Fprintf(a.stdout, "password of %s is set; sessions under way go on until they expire\n", term.Plain(c.Name, 60))
		return err
	})
}

var errEmpty = errors.New("it must not be empty")
