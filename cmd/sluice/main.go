// Command sluice is the mail-security gateway: one binary for the daemon and
// for everything an admin does with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/build/users"
	"sluice/cmd/sluice/cases"
	"sluice/cmd/sluice/daemon"
	"sluice/cmd/sluice/feedback"
	"sluice/config"
)

// commands is what sluice can do.
type commands struct {
	Serve      serveCmd         `cmd:"" help:"Run the gateway: SMTP, console, public page."`
	Scan       scanCmd          `cmd:"" help:"Judge stored messages: files, folders, mbox, Maildir or standard input."`
	Explain    explainCmd       `cmd:"" help:"Say why a message was treated as it was, or what another server's reply or bounce means."`
	Log        logCmd           `cmd:"" help:"List what came in, newest first."`
	Quarantine quarantineCmd    `cmd:"" help:"Look after withheld messages."`
	Learn      learnCmd         `cmd:"" help:"Teach the text model from your own mail."`
	Replay     replayCmd        `cmd:"" help:"Judge the log again under other settings, and say who would be treated otherwise."`
	Eval       evalCmd          `cmd:"" help:"Try Sluice on labelled mail, yours too, and say what to expect of it."`
	Brand      brandCmd         `cmd:"" help:"Look at the brands whose names are protected."`
	Auth       authCmd          `cmd:"" help:"Say who a message, or a domain, is: SPF, DKIM, ARC, DMARC as a tree."`
	Lint       lintCmd          `cmd:"" help:"Look at a message of your own: what receivers think of it, and what to change."`
	Key        keyCmd           `cmd:"" help:"Make keys that mail is signed with (DKIM), and show their DNS records."`
	Report     reportCmd        `cmd:"" help:"Look at reports on mail: those that came in, and those sent."`
	Top        topCmd           `cmd:"" help:"Watch what goes on at the port: sessions, refusals, networks, dialects."`
	Console    consoleCmd       `cmd:"" help:"Look after the console's accounts."`
	Case       cases.Command    `cmd:"" help:"Look after cases of your own users: infected devices, stolen accounts."`
	Feedback   feedback.Command `cmd:"" help:"Look after labels: what was said of which message, by whom, and what came of it."`
	Doctor     doctorCmd        `cmd:"" help:"Examine the set-up: what is broken, and what to do."`
	Version    versionCmd       `cmd:"" help:"Print the version."`
}

// app is what every command gets beside its own flags.
type app struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// cases is what the command of that name gets.
func (a *app) cases() *cases.Env {
	return &cases.Env{Context: a.ctx, Stdout: a.stdout, User: whoami(), Clock: time.Now,
		Open: func(_ context.Context, file, data string) (cases.Book, error) {
			r, cfg, err := place{Config: file, Data: data}.open(a)
			if err != nil {
				return nil, err
			}
			return users.NewBook(cfg, r.Store, r.Close, slog.New(slog.NewTextHandler(a.stderr, nil)))
		},
		Preview: func(file, data, language, channel, kind string) (string, string, string, error) {
			cfg, err := config.Load(file, config.Flags{Data: data})
			if err != nil {
				return "", "", "", err
			}
			t, err := users.Preview(cfg, language, channel, kind, time.Now())
			return t.Subject, t.Text, t.HTML, err
		}}
}

// feedback is what the command of that name gets.
func (a *app) feedback() *feedback.Env {
	return &feedback.Env{Context: a.ctx, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr, User: whoami(),
		Open: func(ctx context.Context, file, data string) (feedback.Book, error) {
			cfg, err := config.Load(file, config.Flags{Data: data})
			if err != nil {
				return nil, err
			}
			return daemon.OpenBook(ctx, cfg, slog.New(slog.NewTextHandler(a.stderr, nil)))
		}}
}

// exitError carries a status for the shell beside the words.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	if len(os.Args) > 1 && os.Args[1] == inspectCommand { // before anything is opened
		os.Exit(inspectFiles(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: tests start it too.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c commands
	a := &app{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	exit := -1 // set by --help, which has printed what was asked for
	parser, err := kong.New(&c, kong.Name("sluice"),
		kong.Description("A mail-security gateway: judges every message and says why."),
		kong.Writers(stdout, stderr), kong.Exit(func(n int) { exit = n }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(a, a.feedback(), a.cases()))
	if err != nil {
		fmt.Fprintf(stderr, "sluice: %v\n", err)
		return 2
	}
	k, err := parser.Parse(spreadLists(args))
	if exit >= 0 {
		return exit
	}
	if err != nil {
		fmt.Fprintf(stderr, "sluice: %v\nTry: sluice --help\n", err)
		return 2
	}
	err = k.Run()
	if e, ok := errors.AsType[*exitError](err); ok {
		if e.err != nil {
			fmt.Fprintf(stderr, "sluice: %v\n", e.err)
		}
		return e.code
	}
	if err != nil {
		fmt.Fprintf(stderr, "sluice: %v\n", err)
		return 1
	}
	return 0
}

// spreadLists repeats --ham and --spam of learn and eval before each of several paths, so
// that "--ham cur new" and the shell's "--ham box/*" mean what they say.
func spreadLists(args []string) []string {
	if len(args) == 0 || args[0] != "learn" && args[0] != "eval" {
		return args
	}
	out := args[:1:1]
	flag, values := "", 0
	for _, a := range args[1:] {
		switch {
		case strings.HasPrefix(a, "-") && a != "-":
			flag, values = "", 0
			if a == "--ham" || a == "--spam" {
				flag = a
			}
		case flag != "":
			if values++; values > 1 {
				out = append(out, flag)
			}
		}
		out = append(out, a)
	}
	return out
}

type versionCmd struct{}

func (versionCmd) Run(a *app) error {
	v := build.Version
	if info, ok := debug.ReadBuildInfo(); ok && v == build.Version {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				v += "-" + s.Value[:12]
			}
		}
	}
	_, err := fmt.Fprintf(a.stdout, "sluice %s\n", v)
	return err
}
