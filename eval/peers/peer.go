package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/eval"
)

// peer is a scanner of somebody else.
type peer struct {
	name     string // short, for files and -only
	title    string
	packages string   // Debian's, whose version is told
	programs []string // without which it can't be measured
	daemons  []daemon // started in this order, stopped in the other
	proto    string   // of scanload
	scan     string   // address
	learn    string   // address of the trainer; "" where it learns nothing
	folder   string   // of word lists instead of addresses, below the peer's own
}

// daemon is a name and a profile of peers.sh.
type daemon struct{ name, profile string }

var (
	names = daemon{"dns", ""} // answers everything with "no such name"
	peers = []peer{
		{
			name: "rspamd", title: "Rspamd", packages: "rspamd", programs: []string{"rspamd", "unbound"},
			daemons: []daemon{names, {"rspamd", "nonet"}}, proto: "rspamd", scan: "127.0.0.1:11333",
		},
		{
			name: "spamassassin", title: "SpamAssassin", packages: "spamassassin", programs: []string{"spamd", "unbound"},
			daemons: []daemon{names, {"spamd", "nonet"}}, proto: "spamc", scan: "127.0.0.1:7830",
		},
		{
			name: "rspamd-bayes", title: "Rspamd, Bayes trained", packages: "rspamd", programs: []string{"rspamd", "redis-server", "unbound"},
			daemons: []daemon{names, {"redis", ""}, {"rspamd", "bayes"}}, proto: "rspamd", scan: "127.0.0.1:11333", learn: "127.0.0.1:11334",
		},
		{
			name: "spamassassin-bayes", title: "SpamAssassin, Bayes trained", packages: "spamassassin", programs: []string{"spamd", "unbound"},
			daemons: []daemon{names, {"spamd", "bayes"}}, proto: "spamc", scan: "127.0.0.1:7830", learn: "127.0.0.1:7830",
		},
		{
			name: "bogofilter", title: "bogofilter, trained", packages: "bogofilter", programs: []string{"bogofilter"},
			proto: "bogofilter", folder: "words", learn: "words",
		},
	}
)

// trained says whether the peer is taught before it judges.
func (p *peer) trained() bool { return p.learn != "" }

// missing returns a program that the peer needs and that isn't here.
func (p *peer) missing() string {
	for _, name := range p.programs {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}

// cgroups is where peers.sh accounts for the CPU time of a daemon.
const cgroups = "/sys/fs/cgroup/cpuacct"

// bench is the machinery that measures peers: tools outside of this repository,
// run in a network namespace where nobody but the peer can be reached.
type bench struct {
	tools    string // folder with peers.sh
	scanload string // program
	space    string // network namespace
	work     string // folder; every start of a peer has its own below it
	jobs     int    // messages at a time
	log      io.Writer
}

// open builds the load tool and makes the namespace.
func open(ctx context.Context, tools, work string, jobs int, log io.Writer) (*bench, error) {
	b := &bench{tools: tools, scanload: filepath.Join(work, "scanload"), space: fmt.Sprintf("sluice-peers-%d", os.Getpid()), work: work, jobs: jobs, log: log}
	build := exec.CommandContext(ctx, "go", "build", "-o", b.scanload, "./scanload")
	build.Dir = tools
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("scanload: %w: %s", err, out)
	}
	for _, args := range [][]string{{"netns", "add", b.space}, {"-n", b.space, "link", "set", "lo", "up"}} {
		if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
			return nil, errors.Join(fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out), b.close())
		}
	}
	return b, nil
}

func (b *bench) close() error {
	out, err := exec.Command("ip", "netns", "delete", b.space).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip netns delete: %w: %s", err, out)
	}
	return nil
}

// inside makes a command that runs in the namespace and gives way to others.
func (b *bench) inside(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--net=/run/netns/" + b.space, "nice", "-n", "10", name}, args...)...)
	cmd.Stderr = b.log
	// What peers.sh leaves running must not hold us.
	cmd.WaitDelay = time.Second
	return cmd
}

func (b *bench) peersh(ctx context.Context, dir string, args ...string) error {
	cmd := b.inside(ctx, filepath.Join(b.tools, "peers.sh"), args...)
	cmd.Env = append(os.Environ(), "PEERS_DIR="+dir, "WORKERS="+strconv.Itoa(b.jobs))
	cmd.Stdout = b.log
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("peers.sh %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// start starts the peer with nothing learned. Stop must be called even after an error.
func (b *bench) start(ctx context.Context, p *peer, dir string) (stop func() error, err error) {
	var running []daemon
	stop = func() error {
		var err error
		for _, d := range slices.Backward(running) {
			// Also where the context has ended.
			err = errors.Join(err, b.peersh(context.Background(), dir, "stop", d.name))
		}
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "words"), 0o755); err != nil {
		return stop, err
	}
	for _, d := range p.daemons {
		procs, err := os.ReadFile(filepath.Join(cgroups, "sluice-"+d.name, "cgroup.procs"))
		if err == nil && len(bytes.TrimSpace(procs)) > 0 {
			return stop, fmt.Errorf("a %s of somebody else is running: see peers.sh status", d.name)
		}
		running = append(running, d)
		// It gives up after some seconds, but Rspamd compiles its patterns first.
		if err := b.peersh(ctx, dir, "start", d.name, d.profile); err != nil && d != p.daemons[len(p.daemons)-1] {
			return stop, err
		}
	}
	for _, addr := range []string{p.scan, p.learn} {
		if err := b.await(ctx, addr); err != nil {
			return stop, err
		}
	}
	return stop, nil
}

// await waits until somebody listens at addr, host:port, in the namespace.
func (b *bench) await(ctx context.Context, addr string) error {
	host, port, ok := strings.Cut(addr, ":")
	if !ok {
		return nil
	}
	const wait = 2 * time.Minute
	for end := time.Now().Add(wait); ; {
		cmd := b.inside(ctx, "bash", "-c", `exec 3<>"/dev/tcp/$0/$1"`, host, port)
		cmd.Stderr = nil
		err := cmd.Run()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Now().After(end) {
			return fmt.Errorf("nobody answers at %s: %w", addr, err)
		}
		time.Sleep(time.Second / 4)
	}
}

// load runs scanload on messages and returns CPU milliseconds a message.
func (b *bench) load(ctx context.Context, p *peer, dir string, paths []string, args ...string) (cpu float64, err error) {
	list := filepath.Join(dir, "list")
	if err := os.WriteFile(list, []byte(strings.Join(paths, "\n")), 0o644); err != nil {
		return 0, err
	}
	jobs := b.jobs
	if p.proto == "bogofilter" && slices.Contains(args, "-learn") {
		jobs = 1 // its word list has one writer
	}
	args = append([]string{"-proto", p.proto, "-c", strconv.Itoa(jobs)}, args...)
	if n := len(p.daemons); n > 0 {
		args = append(args, "-cg", "sluice-"+p.daemons[n-1].name)
	}
	var out bytes.Buffer
	cmd := b.inside(ctx, b.scanload, append(args, "@"+list)...)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("scanload for %s: %w", p.title, err)
	}
	var said struct {
		N      int        `json:"n"`
		Errors int        `json:"errors"`
		CPU    [3]float64 `json:"cpu_ms"`
	}
	if err := json.Unmarshal(out.Bytes(), &said); err != nil {
		return 0, fmt.Errorf("scanload for %s: %w", p.title, err)
	}
	if said.Errors > said.N/50 {
		return 0, fmt.Errorf("scanload for %s: %d of %d messages failed", p.title, said.Errors, said.N)
	}
	if said.Errors > 0 {
		fmt.Fprintf(b.log, "%s: %d of %d messages failed\n", p.title, said.Errors, said.N)
	}
	return said.CPU[1], nil
}

// measure starts the peer, teaches it, and lets it judge.
func (b *bench) measure(ctx context.Context, p *peer, s *sample, train, test []eval.Entry) (m *measured, err error) {
	dir, err := os.MkdirTemp(b.work, p.name+"-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // for daemons that gave up root
		return nil, err
	}
	stop, err := b.start(ctx, p, dir)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return nil, err
	}
	at := func(addr string) string {
		if p.folder != "" {
			return filepath.Join(dir, p.folder)
		}
		return addr
	}
	for _, c := range []struct {
		class eval.Class
		name  string
	}{{eval.Good, "ham"}, {eval.Bad, "spam"}} {
		var paths []string
		for i := range train {
			if train[i].Class() == c.class {
				paths = append(paths, s.path(&train[i]))
			}
		}
		if !p.trained() || len(paths) == 0 {
			continue
		}
		if _, err := b.load(ctx, p, dir, paths, "-addr", at(p.learn), "-learn", c.name); err != nil {
			return nil, err
		}
	}
	scores := filepath.Join(dir, "scores")
	paths := make([]string, len(test))
	for i := range test {
		paths[i] = s.path(&test[i])
	}
	cpu, err := b.load(ctx, p, dir, paths, "-addr", at(p.scan), "-scores", scores)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(scores)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	got, err := readScores(f)
	return &measured{CPU: cpu, Scores: got}, err
}
