// Command peers measures other scanners beside Sluice, on the same messages:
//
//	go run ./eval/peers -shared ../shared -n 600
//
// Bogofilter, SpamAssassin and Rspamd, as Debian has them, judge the part "test" of
// the corpora's split: those with rules once as they come, and all of them after
// learning messages of the part "train". Sluice judges the same messages, with what
// it is shipped with and after learning the same. Nobody asks the network.
//
// A sample of -n messages a pool and part is drawn by a hash of their paths. Peers
// are started by the tools in SHARED/bench, in a network namespace of their own, which
// takes root and control groups; those that aren't installed are left out, with a
// line that says so. With -work what was measured stays, and isn't measured again.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"sluice/eval"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

type settings struct {
	shared, work string
	n, jobs      int
	rows         []row
	scanners     []string // all where empty
}

func parse(args []string) (*settings, error) {
	fs := flag.NewFlagSet("peers", flag.ContinueOnError)
	c := &settings{}
	fs.StringVar(&c.shared, "shared", "../shared", "folder with corpora/ and bench/")
	fs.StringVar(&c.work, "work", "", "folder that keeps what was measured; a temporary one where empty")
	fs.IntVar(&c.n, "n", 600, "messages of each pool and part")
	fs.IntVar(&c.jobs, "jobs", 2, "messages at a time")
	only := fs.String("rows", "", "only these rows, by comma")
	scanners := fs.String("scanners", "", "only these scanners, by comma: ours, "+strings.Join(peerNames(), ", "))
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 || c.n < 1 || c.jobs < 1 {
		return nil, fmt.Errorf("give -n and -jobs of 1 or more, and no other arguments")
	}
	for _, r := range rows {
		if *only == "" || slices.Contains(strings.Split(*only, ","), r.name) {
			c.rows = append(c.rows, r)
		}
	}
	if len(c.rows) == 0 {
		return nil, fmt.Errorf("no row is called %s", *only)
	}
	if *scanners != "" {
		c.scanners = strings.Split(*scanners, ",")
	}
	for _, name := range c.scanners {
		if name != "ours" && !slices.Contains(peerNames(), name) {
			return nil, fmt.Errorf("no scanner is called %s", name)
		}
	}
	return c, nil
}

func peerNames() []string {
	var out []string
	for i := range peers {
		out = append(out, peers[i].name)
	}
	return out
}

func (c *settings) wants(scanner string) bool {
	return len(c.scanners) == 0 || slices.Contains(c.scanners, scanner)
}

func run(ctx context.Context, args []string, w, log io.Writer) error {
	c, err := parse(args)
	if err != nil {
		return err
	}
	corpora, tools := filepath.Join(c.shared, "corpora"), filepath.Join(c.shared, "bench")
	for _, need := range []string{filepath.Join(corpora, "SPLIT.tsv"), filepath.Join(tools, "peers.sh")} {
		if _, err := os.Stat(need); err != nil {
			fmt.Fprintf(w, "peers: skipped: %s is absent; SLUICE_SHARED names the folder with corpora and bench\n", need)
			return nil
		}
	}
	split, err := eval.Corpora(corpora)
	if err != nil {
		return err
	}
	work := c.work
	if work == "" {
		if work, err = os.MkdirTemp("", "sluice-peers-"); err != nil {
			return err
		}
		defer os.RemoveAll(work)
	}
	if work, err = filepath.Abs(work); err != nil {
		return err
	}
	kept := filepath.Join(work, "n"+strconv.Itoa(c.n))
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil { // daemons that gave up root read below it
		return err
	}
	s, err := write(corpora, filepath.Join(kept, "mail"), draw(split, c.n), c.rows)
	if err != nil {
		return err
	}
	m := &measurement{settings: c, sample: s, work: work, kept: kept, log: log}
	if err := m.peers(ctx, tools); err != nil {
		return err
	}
	if c.wants("ours") {
		if err := m.ours(ctx); err != nil {
			return err
		}
	}
	for _, line := range m.versions {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "up to %d messages of each pool and part\n\n", c.n)
	return writeTable(w, s, c.rows, m.results)
}

// measurement is a run under way.
type measurement struct {
	*settings
	sample     *sample
	work, kept string
	log        io.Writer
	versions   []string
	results    []result
}

// present returns the peers that can be measured, and says which can't.
func (m *measurement) present() []*peer {
	var out []*peer
	for i := range peers {
		p := &peers[i]
		if !m.wants(p.name) {
			continue
		}
		if name := p.missing(); name != "" {
			fmt.Fprintf(m.log, "peers: %s skipped: %s is absent (make bench-deps)\n", p.title, name)
			continue
		}
		out = append(out, p)
	}
	return out
}

func (m *measurement) peers(ctx context.Context, tools string) error {
	list := m.present()
	if len(list) == 0 {
		return nil
	}
	why := ""
	if _, err := os.Stat(cgroups); err != nil {
		why = "control groups of version 1 are absent"
	}
	for _, name := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			why = name + " is absent"
		}
	}
	if os.Geteuid() != 0 {
		why = "this takes root"
	}
	if why != "" {
		fmt.Fprintf(m.log, "peers: all peers skipped: %s\n", why)
		return nil
	}
	b, err := open(ctx, tools, m.work, m.jobs, m.log)
	if err != nil {
		return err
	}
	defer b.close()
	for _, p := range list {
		if err := m.peer(ctx, b, p); err != nil {
			return err
		}
	}
	return nil
}

func (m *measurement) peer(ctx context.Context, b *bench, p *peer) error {
	if v, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Package} ${Version}", p.packages).Output(); err == nil && !slices.Contains(m.versions, string(v)) {
		m.versions = append(m.versions, string(v))
	}
	if !p.trained() {
		var test []eval.Entry
		for i := range m.rows {
			test = append(test, m.sample.test(&m.rows[i], m.rows[i].good, m.rows[i].bad)...)
		}
		slices.SortFunc(test, func(a, b eval.Entry) int { return strings.Compare(a.Path, b.Path) })
		test = slices.Compact(test)
		got, err := keep(m.kept, p.name, test, func(lacking []eval.Entry) (*measured, error) {
			return b.measure(ctx, p, m.sample, nil, lacking)
		})
		if err != nil {
			return err
		}
		for i := range m.rows {
			m.results = append(m.results, result{p.title, &m.rows[i], got})
		}
		return nil
	}
	for i := range m.rows {
		r := &m.rows[i]
		got, err := keep(m.kept, fmt.Sprintf("%s-%s-%016x", p.name, r.name, lesson(m.sample.train(r))), m.sample.test(r, r.good, r.bad), func(lacking []eval.Entry) (*measured, error) {
			return b.measure(ctx, p, m.sample, m.sample.train(r), lacking)
		})
		if err != nil {
			return err
		}
		m.results = append(m.results, result{p.title, r, got})
	}
	return nil
}

// lesson tells apart what was learned, so that nothing is kept beyond a change of rows.
func lesson(train []eval.Entry) uint64 {
	var all strings.Builder
	for i := range train {
		all.WriteString(train[i].Path + "\n")
	}
	return hash(all.String())
}

func (m *measurement) ours(ctx context.Context) error {
	o, err := judge(ctx, m.work, m.sample, m.jobs)
	if err != nil {
		return err
	}
	for i := range m.rows {
		ours, err := o.results(&m.rows[i])
		if err != nil {
			return err
		}
		m.results = append(m.results, ours...)
	}
	return nil
}
