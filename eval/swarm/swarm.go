// Package swarm plays the clients of a mail server: honest senders, each with
// the SMTP dialect, the habits and the retry schedule of real software, and
// hostile families, generated from a seed over a grammar of what bots do. It
// speaks plain TCP to any SMTP server, knows the truth about every session, and
// reports per family what the server made of it. It is an attacker on purpose:
// point it only at servers of your own.
package swarm

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"sluice/eval/swarm/talk"
)

// Config says who plays, against what, for how long. New fills zero values with
// the defaults given here.
type Config struct {
	Seed  uint64
	Split Split  // Train (default) or Test
	Only  string // glob of kinds that play; "" for all

	Addr       string // the door for everybody, host:port
	Submission string // the door for own users with STARTTLS, "" if there is none
	SMTPS      string // the door for own users inside TLS, "" if there is none
	TLS        bool   // clients whose software does so use STARTTLS where it is offered

	Name    string     // the server's own name, default "mx." + Domain
	Server  netip.Addr // the server's own address, default 127.0.0.1: what liars greet with
	Domain  string     // domain of the recipients, default "harbour.swarm"
	Mailbox []string   // local parts that exist, default Mailboxes
	Traps   []string   // local parts that nobody ever had, default Traps

	HonestNet netip.Prefix // IPv4, default 127.10.0.0/16
	BotNet    netip.Prefix // IPv4, default 127.20.0.0/16

	Honest   int // honest conversations begun, default 200, none where negative
	Bots     int // hostile sessions begun, default 2000, none where negative
	Variants int // families of each hostile kind, default 3
	// Mix gives kinds another weight than the table's; 0 leaves a kind out.
	Mix map[string]int

	Time     time.Duration // the sessions begin within this time, default 60 s
	Grace    time.Duration // and may go on for this time, default 60 s
	Patience time.Duration // how long a client holds a connection at most, default 30 s
	// Factor compresses the honest and hostile retry schedules: a wait of an hour
	// takes an hour/Factor. The server's greylisting has to be shortened by the
	// same factor. Default 60.
	Factor float64
	// At most so many connections at a time: of honest clients (default 128), of
	// bots that come and go (256), and of those that hold connections (512).
	Honests, Quick, Holders int

	Corpus    string // folder of *.eml with honest messages, "" for templates
	BotCorpus string // folder of *.eml with unwanted messages, "" for templates
}

// Mailboxes and Traps are the default recipients of Config.
var (
	Mailboxes = strings.Fields("anna.archer bruno.bakker carla.castillo david.dahl elena.ericsson frank.fischer grace.garcia henry.hansen irene.ivanov jonas.jansen info office sales support orders press jobs helpdesk postmaster abuse karin lucas maria niels olga peter")
	Traps     = strings.Fields("george.old spider7 webform2009 nobody.here k.unused")
)

func (c *Config) fill() error {
	def := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	wait := func(p *time.Duration, d time.Duration) {
		if *p == 0 {
			*p = d
		}
	}
	word := func(p *string, s string) {
		if *p == "" {
			*p = s
		}
	}
	def(&c.Honest, 200)
	def(&c.Bots, 2000)
	c.Honest, c.Bots = max(c.Honest, 0), max(c.Bots, 0)
	def(&c.Variants, 3)
	def(&c.Honests, 128)
	def(&c.Quick, 256)
	def(&c.Holders, 512)
	wait(&c.Time, time.Minute)
	wait(&c.Grace, time.Minute)
	wait(&c.Patience, 30*time.Second)
	word((*string)(&c.Split), string(Train))
	word(&c.Domain, "harbour.swarm")
	word(&c.Name, "mx."+c.Domain)
	if c.Factor == 0 {
		c.Factor = 60
	}
	if !c.Server.IsValid() {
		c.Server = netip.MustParseAddr("127.0.0.1")
	}
	if !c.HonestNet.IsValid() {
		c.HonestNet = netip.MustParsePrefix("127.10.0.0/16")
	}
	if !c.BotNet.IsValid() {
		c.BotNet = netip.MustParsePrefix("127.20.0.0/16")
	}
	if c.Mailbox == nil {
		c.Mailbox = Mailboxes
	}
	if c.Traps == nil {
		c.Traps = Traps
	}
	switch {
	case c.Split != Train && c.Split != Test:
		return fmt.Errorf("swarm: the split is %q, not train or test", c.Split)
	case c.Factor < 1:
		return errors.New("swarm: the factor is below 1")
	case c.Honest > 500_000 || c.Bots > 500_000:
		return errors.New("swarm: at most a million sessions")
	case !c.HonestNet.Addr().Is4() || !c.BotNet.Addr().Is4() || c.HonestNet.Bits() > 24 || c.BotNet.Bits() > 20:
		return errors.New("swarm: the honest network is an IPv4 prefix of /24 or shorter, the bots' /20 or shorter")
	case c.HonestNet.Overlaps(c.BotNet):
		return errors.New("swarm: the networks overlap")
	}
	return nil
}

// Family is one kind of client as one server would get to know it.
type Family struct {
	ID      string       `json:"id"`   // "postfix", "harvest-fast/test/2"
	Kind    string       `json:"kind"` // "postfix", "harvest-fast"
	About   string       `json:"about"`
	Honest  bool         `json:"honest"`
	Dialect talk.Dialect `json:"dialect"`
	Form    string       `json:"form,omitempty"`    // which of a kind's ways this family has
	Naming  string       `json:"naming,omitempty"`  // style of its HELO names
	Pitch   string       `json:"pitch,omitempty"`   // template of its messages
	Sources []Source     `json:"sources,omitempty"` // where it connects from

	sessions int
	program  *program
	kind     *kind
}

// Source is one simulated host.
type Source struct {
	Addr   netip.Addr `json:"addr"`
	Helo   string     `json:"helo"`
	Domain string     `json:"domain"`           // of its senders; "" for a liar's
	PTR    string     `json:"ptr,omitempty"`    // "" for none
	Proven bool       `json:"proven,omitempty"` // the PTR's name leads back to Addr
	Listed bool       `json:"listed,omitempty"` // public lists know it
	secret talk.Account
}

// job is one conversation to begin: when, by whom, and the seed of its choices.
type job struct {
	at     time.Duration
	family *Family
	source int
	seed   uint64
}

// Population is everybody who plays, ready to run. It doesn't change.
type Population struct {
	cfg      Config
	families []*Family
	jobs     []job
	honest   *corpus
	hostile  *corpus
}

// New makes the population that a seed stands for. Equal configurations make
// equal populations.
func New(cfg Config) (*Population, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	p := &Population{cfg: cfg}
	var err error
	if p.honest, err = openCorpus(cfg.Corpus); err != nil {
		return nil, err
	}
	if p.hostile, err = openCorpus(cfg.BotCorpus); err != nil {
		return nil, err
	}
	if err := p.people(); err != nil {
		return nil, err
	}
	if len(p.families) == 0 {
		return nil, fmt.Errorf("swarm: nobody plays: no kind matches %q", cfg.Only)
	}
	p.schedule()
	return p, nil
}

// Families lists everybody, honest ones first.
func (p *Population) Families() []*Family { return p.families }

// Recipients are the addresses that the server has to have, and Traps those that
// it may keep as spamtraps.
func (p *Population) Recipients() []string { return addresses(p.cfg.Mailbox, p.cfg.Domain) }

// Traps are the spamtraps that some families write to.
func (p *Population) Traps() []string { return addresses(p.cfg.Traps, p.cfg.Domain) }

func addresses(locals []string, domain string) []string {
	var out []string
	for _, l := range locals {
		out = append(out, l+"@"+domain)
	}
	return out
}

// Accounts are the names and passwords that honest users of the submission doors
// have; the server's login has to know them.
func (p *Population) Accounts() map[string]string {
	out := map[string]string{}
	for _, f := range p.families {
		for _, s := range f.Sources {
			if s.secret.User != "" && !f.program.stale {
				out[s.secret.User] = s.secret.Secret
			}
		}
	}
	return out
}

// plays says whether a kind takes part, and with what weight.
func (c *Config) plays(kind string, weight int) int {
	if ok, err := path.Match(c.Only, kind); c.Only != "" && (err != nil || !ok) {
		return 0
	}
	if w, ok := c.Mix[kind]; ok {
		return w
	}
	return weight
}

// seeded is a generator for one purpose.
func seeded(seed uint64, purpose string) *rand.Rand {
	h := seed
	for _, b := range []byte(purpose) {
		h = (h ^ uint64(b)) * 0x100000001b3
	}
	return rand.New(rand.NewPCG(seed, h))
}

// people makes the families and their sources.
func (p *Population) people() error {
	c := &p.cfg
	var weights []int
	for i := range programs {
		pr := &programs[i]
		w := c.plays(pr.name, pr.weight)
		if w <= 0 || pr.held && c.Split == Train || pr.door != "" && c.door(pr.door) == "" {
			continue
		}
		p.families = append(p.families, &Family{ID: pr.name, Kind: pr.name, About: pr.about, Honest: true, Dialect: pr.dialect, program: pr})
		weights = append(weights, w)
	}
	for i, n := range share(c.Honest, weights) {
		p.families[i].sessions = n
	}
	bots := len(p.families)
	weights = weights[:0]
	for i := range kinds {
		k := &kinds[i]
		w := c.plays(k.name, k.weight)
		for v := 1; v <= c.Variants && w > 0; v++ {
			p.families = append(p.families, k.family(c, v))
			weights = append(weights, w)
		}
	}
	for i, n := range share(c.Bots, weights) {
		p.families[bots+i].sessions = n
	}
	return p.settle()
}

// share divides n by weight. Everybody who plays gets one while there is enough.
func share(n int, weights []int) []int {
	out, sum := make([]int, len(weights)), 0
	order := make([]int, len(weights))
	for i, w := range weights {
		sum += w
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return weights[b] - weights[a] })
	left := n
	for _, i := range order {
		if left > 0 {
			out[i], left = 1, left-1
		}
	}
	rest := left
	for i, w := range weights {
		more := rest * w / sum
		out[i] += more
		left -= more
	}
	for i := 0; left > 0 && len(order) > 0; i, left = i+1, left-1 {
		out[order[i%len(order)]]++
	}
	return out
}

// schedule lays the jobs over the time.
func (p *Population) schedule() {
	for _, f := range p.families {
		r := seeded(p.cfg.Seed, "schedule/"+f.ID)
		var at time.Duration
		for i := range f.sessions {
			// Floods come in bursts of 20 from one source, the rest at any time.
			if f.kind == nil || !f.kind.burst || i%20 == 0 {
				at = time.Duration(r.Int64N(int64(p.cfg.Time)))
			}
			src := r.IntN(len(f.Sources))
			if f.kind != nil && f.kind.spread != "one" {
				src = i % len(f.Sources)
			}
			if f.kind != nil && f.kind.burst {
				src = i / 20 % len(f.Sources)
			}
			p.jobs = append(p.jobs, job{at, f, src, r.Uint64()})
		}
	}
	slices.SortStableFunc(p.jobs, func(a, b job) int { return int(a.at - b.at) })
}

// door is the address of a door by name.
func (c *Config) door(name string) string {
	switch name {
	case "submission":
		return c.Submission
	case "smtps":
		return c.SMTPS
	}
	return c.Addr
}
