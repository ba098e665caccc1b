package swarm

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/eval/swarm/talk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plainToken(user, pass string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + pass))
}

// modern is what today's servers offer.
var modern = []string{"PIPELINING", "SIZE 10000000", "8BITMIME", "DSN", "CHUNKING", "SIZE"}

// play runs a small population against a server.
func play(t *testing.T, cfg Config) (*Population, *Result, *Report) {
	t.Helper()
	if cfg.Time == 0 {
		cfg.Time = 300 * time.Millisecond
	}
	if cfg.Patience == 0 {
		cfg.Patience = 5 * time.Second
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	res := p.Run(context.Background())
	rep := p.Report(res)
	if t.Failed() || testing.Verbose() {
		t.Log("\n" + rep.Table())
	}
	return p, res, rep
}

func known(addr string) bool {
	local, domain, _ := strings.Cut(addr, "@")
	return domain == "harbour.swarm" && (slices.Contains(Mailboxes, local) || slices.Contains(Traps, local))
}

// TestHonest plays every honest program against servers that offer different
// things: all mail arrives in one try, and nobody breaks a rule.
func TestHonest(t *testing.T) {
	for name, offers := range map[string][]string{
		"modern": modern, "no extension": nil, "pipelining": {"PIPELINING"}, "tls": append([]string{"STARTTLS"}, modern...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &plain{offers: offers, exists: known, pause: 10 * time.Millisecond, greeting: "wait"}
			p, res, rep := play(t, Config{Addr: s.start(t), Bots: -1, Mix: noBots(), Honest: 60, Split: Test, TLS: true, Seed: 3})
			h := rep.Honest
			if h.Messages < 60 || h.Delivered+h.Undeliverable != h.Messages || h.Delayed > 0 || h.MaxDelay > time.Minute {
				t.Errorf("%d messages: %d delivered, %d undeliverable, %d delayed, at most %v", h.Messages, h.Delivered, h.Undeliverable, h.Delayed, h.MaxDelay)
			}
			for _, x := range res.Sessions {
				if x.Problem != "" || x.Outcome != talk.Delivered && x.Code != 550 {
					t.Errorf("%s: %s %s %d", x.Family, x.Outcome, x.Problem, x.Code)
				}
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, tk := range s.talks {
				if tk.early || !tk.quit && len(tk.bodies) > 0 || len(tk.faults) > 0 {
					t.Errorf("%s: early %t, quit %t, faults %q in %q", tk.source, tk.early, tk.quit, tk.faults, tk.lines)
				}
			}
			if n := len(p.Families()); n < 18 {
				t.Errorf("%d honest families", n)
			}
		})
	}
}

// noBots leaves every hostile kind out.
func noBots() map[string]int {
	m := map[string]int{}
	for _, k := range kinds {
		m[k.name] = 0
	}
	return m
}

// TestRetry shows that honest programs obey 4xx: they wait their schedule and
// come back, and the delay is counted in simulated time.
func TestRetry(t *testing.T) {
	s := &plain{offers: modern, exists: known, first: 451}
	mix := noBots()
	for _, pr := range programs {
		mix[pr.name] = 0
	}
	mix["exim"], mix["opensmtpd"] = 1, 1
	// Each host defers once; with one conversation a host all of them wait once.
	_, res, rep := play(t, Config{Addr: s.start(t), Mix: mix, Honest: 8, Factor: 3000, Seed: 9})
	if h := rep.Honest; h.Delivered+h.Undeliverable != h.Messages || h.Delayed == 0 {
		t.Fatalf("%+v", h)
	}
	for _, m := range res.Messages {
		if m.Tries < 2 || m.Fate != Arrived {
			continue
		}
		want := map[string]time.Duration{"exim": 15 * time.Minute, "opensmtpd": 15 * time.Second}[m.Family]
		if m.Delay < want || m.Delay > want+10*time.Second {
			t.Errorf("%s: %d tries, %v of delay, want %v", m.Family, m.Tries, m.Delay, want)
		}
	}
	if miss := rep.Miss(Bars{}); len(miss) != 1 || !strings.Contains(miss[0], "delayed") {
		t.Errorf("bars missed: %q", miss)
	}
}

// TestHonestRefused counts what a server does wrong: it must not look well.
func TestHonestRefused(t *testing.T) {
	s := &plain{offers: modern, refuse: 554}
	_, _, rep := play(t, Config{Addr: s.start(t), Mix: noBots(), Honest: 30, Seed: 2})
	if h := rep.Honest; h.Delivered != 0 || h.Refused == 0 || h.Refused+h.Undeliverable != h.Messages {
		t.Errorf("%+v", h)
	}
	if miss := rep.Miss(Bars{Early: 0.95}); len(miss) != 3 {
		t.Errorf("bars missed: %q", miss)
	}
}

// TestAccounts plays own users on the submission doors: the right passwords are
// taken, and the forgotten device's never.
func TestAccounts(t *testing.T) {
	offers := append([]string{"AUTH PLAIN LOGIN"}, modern...)
	sub := &plain{offers: append([]string{"STARTTLS"}, offers...)}
	tls := &plain{offers: offers, implicit: true}
	mx := &plain{offers: modern}
	mix := noBots()
	for _, pr := range programs {
		if pr.door == "" {
			mix[pr.name] = 0
		}
	}
	cfg := Config{Addr: mx.start(t), Submission: "127.0.0.1:1", SMTPS: "127.0.0.1:1", Mix: mix, Honest: 12, Seed: 1, Factor: 3000}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sub.logins, tls.logins = p.Accounts(), p.Accounts()
	cfg.Submission, cfg.SMTPS = sub.start(t), tls.start(t)
	_, res, rep := play(t, cfg)
	forgotten := 0
	for _, s := range res.Sessions {
		if s.Family == "forgotten" {
			forgotten++
			if s.Code != 535 || s.Accepted != 0 {
				t.Errorf("forgotten: %s %d", s.Outcome, s.Code)
			}
		} else if s.Outcome != talk.Delivered || !s.TLS {
			t.Errorf("%s at %s: %s %d %s", s.Family, s.Door, s.Outcome, s.Code, s.Problem)
		}
	}
	if h := rep.Honest; forgotten < staleTries || h.Refused+h.Pending > 0 || h.Undeliverable == 0 {
		t.Errorf("%d from the forgotten device, %+v", forgotten, h)
	}
}

// hostile is a small run of one hostile kind.
func hostile(addr, kind string, n int, split Split) Config {
	return Config{Addr: addr, Only: kind, Honest: -1, Bots: n, Split: split, Seed: 4, TLS: true, Factor: 3000,
		Time: 300 * time.Millisecond, Patience: 3 * time.Second, Grace: 10 * time.Second}
}

// bots plays one hostile kind.
func bots(t *testing.T, s *plain, kind string, n int, split Split) (*Population, *Result, *Report) {
	t.Helper()
	return play(t, hostile(s.start(t), kind, n, split))
}

// TestHostile shows that each kind does what its name says, as a plain server
// sees it.
func TestHostile(t *testing.T) {
	some := func(s *plain, ok func(*call) bool) int {
		n := 0
		for _, tk := range s.talks {
			if ok(tk) {
				n++
			}
		}
		return n
	}
	has := func(word string) func(*call) bool {
		return func(tk *call) bool { return strings.Contains(strings.ToUpper(strings.Join(tk.lines, "")), word) }
	}
	faulty := func(tk *call) bool { return len(tk.faults) > 0 }
	kinds := []struct {
		kind string
		ok   func(*call) bool
		all  bool
	}{
		{"early-talker", func(tk *call) bool { return tk.early }, true},
		{"early-line", func(tk *call) bool { return tk.early }, true},
		{"pipeliner", func(tk *call) bool { return strings.Contains(strings.Join(tk.faults, ""), "pipelined") }, false},
		{"fire-forget", func(tk *call) bool { return !tk.quit }, true},
		{"dialect", faulty, false},
		{"spamtrap", func(tk *call) bool {
			return slices.ContainsFunc(Traps, func(w string) bool { return has(strings.ToUpper(w))(tk) })
		}, false},
		{"harvest-fast", func(tk *call) bool { return strings.Count(strings.ToUpper(strings.Join(tk.lines, "")), "RCPT ") > 20 }, false},
		{"harvest-slow", func(tk *call) bool { return strings.Count(strings.ToUpper(strings.Join(tk.lines, "")), "RCPT ") <= 2 }, true},
		{"auth-guess", has("AUTH "), false},
		{"idle", func(tk *call) bool { return len(tk.lines) == 0 }, true},
		{"slow-reader", func(tk *call) bool { return len(tk.lines) > 10 }, true},
		{"junk", func(tk *call) bool { return tk.early || faulty(tk) }, true},
		{"bdat-abuse", has("BDAT"), false},
		{"tls-inject", has("STARTTLS"), false},
		{"bounce-flood", has("MAIL FROM:<>"), true},
		{"helo-liar", has("LO "), true},
		{"snowshoe", func(tk *call) bool { return !faulty(tk) && tk.quit }, true},
		{"hacked", func(tk *call) bool { return !faulty(tk) && tk.quit }, true},
	}
	// All at once, since they mostly wait.
	servers, results := make([]*plain, len(kinds)), make([]*Result, len(kinds))
	var wg sync.WaitGroup
	for i, x := range kinds {
		pause, line := 200*time.Millisecond, time.Duration(0) // shorter than anybody's patience
		switch x.kind {                                       // these end as soon as the client speaks
		case "early-talker":
			pause = 10 * time.Second
		case "early-line":
			line = 10 * time.Second
		}
		servers[i] = &plain{exists: known, pause: pause, line: line, greeting: "wait", offers: []string{"8BITMIME"}}
		p, err := New(hostile(servers[i].start(t), x.kind, 12, Train))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() { results[i] = p.Run(context.Background()) })
	}
	wg.Wait()
	for i, x := range kinds {
		t.Run(x.kind, func(t *testing.T) {
			s := servers[i]
			s.mu.Lock()
			defer s.mu.Unlock()
			n := some(s, x.ok)
			if n == 0 || x.all && n < len(s.talks) {
				t.Errorf("%d of %d sessions do what the kind says", n, len(s.talks))
				for _, tk := range s.talks {
					t.Logf("early %t, quit %t, %d faults, lines %q", tk.early, tk.quit, len(tk.faults), tk.lines[:min(4, len(tk.lines))])
				}
			}
			if len(results[i].Sessions) < 12 {
				t.Errorf("%d sessions", len(results[i].Sessions))
			}
		})
	}
}

// TestCut shows that every kind, cut by the server, is counted as refused before
// DATA, and that none hangs on.
func TestCut(t *testing.T) {
	for _, split := range []Split{Train, Test} {
		t.Run(string(split), func(t *testing.T) {
			t.Parallel()
			s := &plain{exists: known, cutAfter: 1, idle: 300 * time.Millisecond}
			_, res, rep := bots(t, s, "", 150, split)
			for _, x := range res.Sessions {
				if x.Outcome != talk.RefusedEarly {
					t.Errorf("%s: %s, %s %d, reached %s, %s", x.Family, x.Outcome, x.Phase, x.Code, x.Reached, x.Problem)
				}
			}
			if rep.Early() != 1 || rep.Bots < 150 {
				t.Errorf("%d of %d", rep.BotEarly, rep.Bots)
			}
		})
	}
}

// TestOpenDoor shows that a server which refuses nothing looks as bad as it is.
func TestOpenDoor(t *testing.T) {
	t.Parallel()
	s := &plain{offers: modern, lenient: true}
	_, _, rep := bots(t, s, "", 150, Train)
	if rep.Early() > 0.35 {
		t.Errorf("%.0f %% counted as refused by a server that only knows the syntax", 100*rep.Early())
	}
	for _, f := range rep.Families {
		if (f.Kind == "hacked" || f.Kind == "snowshoe") && f.Delivered != f.Sessions {
			t.Errorf("%s: %d of %d delivered", f.Family, f.Delivered, f.Sessions)
		}
	}
}

// TestRetrySpam shows that retrying bots come back and forgetful ones don't.
func TestRetrySpam(t *testing.T) {
	t.Parallel()
	for kind, back := range map[string]bool{"retry-spam": true, "hacked": true, "fire-forget": false} {
		s := &plain{offers: modern, first: 451, lenient: true}
		_, res, _ := bots(t, s, kind, 9, Train)
		came := slices.ContainsFunc(res.Sessions, func(x *talk.Session) bool { return x.Try > 1 })
		if came != back {
			t.Errorf("%s came back: %t", kind, came)
		}
	}
}

// TestSplit shows that the halves share no dialect, text, name style, pace or
// form, for many seeds, and that every pool has both halves.
func TestSplit(t *testing.T) {
	for pool, options := range map[string][]string{"pace": paceNames, "pitch": names(pitches), "naming": styles, "helo-liar": lies,
		"junk": talk.JunkForms, "smuggler": talk.Smuggles, "bdat-abuse": talk.ChunkForms, "tls-inject": talk.InjectForms, "slow-writer": talk.DripForms} {
		a, b := halved(pool, options, Train), halved(pool, options, Test)
		if len(a) == 0 || len(b) == 0 || len(a)+len(b) != len(options) {
			t.Errorf("%s: train %q, test %q", pool, a, b)
		}
	}
	seen := map[Split]map[string]bool{Train: {}, Test: {}}
	for _, split := range []Split{Train, Test} {
		for seed := range uint64(40) {
			p, err := New(Config{Seed: seed, Split: split, Bots: 300})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Families() {
				if f.Honest || f.kind.like != "" {
					continue
				}
				for _, w := range []string{"dialect " + grammar(f.Dialect), "pitch " + f.Pitch, "pace " + f.Dialect.Gap.String(), "name " + f.Naming} {
					seen[split][w] = true
				}
				if f.Form != "" {
					seen[split]["form "+f.Form] = true
				}
			}
		}
	}
	for w := range seen[Train] {
		if seen[Test][w] {
			t.Errorf("in both halves: %s", w)
		}
	}
	if len(seen[Train]) < 500 || len(seen[Test]) < 500 {
		t.Errorf("%d and %d choices seen", len(seen[Train]), len(seen[Test]))
	}
}

// TestDeterministic shows that a seed stands for one population and one plan.
func TestDeterministic(t *testing.T) {
	describe := func(seed uint64) string {
		p, err := New(Config{Seed: seed, Bots: 300, Honest: 50})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.WriteString(p.Zones() + p.Blocklist("bl.swarm"))
		for _, f := range p.Families() {
			fmt.Fprintf(&b, "%s %s %+v\n", f.ID, f.Dialect, f.Sources)
		}
		for _, j := range p.jobs {
			fmt.Fprintf(&b, "%v %s %d %d\n", j.at, j.family.ID, j.source, j.seed)
			src, when := &j.family.Sources[j.source], time.Unix(0, 0).UTC()
			write := p.pitch
			if j.family.Honest {
				write = p.letters
			}
			mails, err := write(seeded(j.seed, "mail"), j.family, src, when)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range mails {
				fmt.Fprintf(&b, "%s %v\n%s\n", m.From, m.Rcpts, m.Body)
			}
		}
		return b.String()
	}
	one, again, other := describe(7), describe(7), describe(8)
	if d := cmp.Diff(one, again); d != "" {
		t.Errorf("two populations of one seed differ: %.300s", d)
	}
	if one == other {
		t.Error("two seeds stand for the same population")
	}
}

// TestZones shows that the DNS data suit the population: honest hosts have a name
// that leads back to them and a policy that allows them.
func TestZones(t *testing.T) {
	p, err := New(Config{Bots: 400, Honest: 50, Submission: "127.0.0.1:1", SMTPS: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	z, err := dnstest.Parse("zones", strings.NewReader(p.Zones()))
	if err != nil {
		t.Fatal(err)
	}
	list, err := dnstest.Parse("list", strings.NewReader(p.Blocklist("bl.swarm")))
	if err != nil {
		t.Fatal(err)
	}
	first := func(z *dnstest.Zone, name string, typ dns.Type) string {
		a, err := z.Lookup(context.Background(), name, typ)
		if err != nil {
			return ""
		}
		return fmt.Sprint(a.Records[0])
	}
	listed, used := 0, map[netip.Addr]bool{}
	for _, f := range p.Families() {
		for _, s := range f.Sources {
			ptr := first(z, strings.TrimSuffix(reverse(s.Addr), "."), dns.PTR)
			a := ""
			if s.PTR != "" {
				a = first(z, s.PTR, dns.A)
			}
			if (ptr != "") != (s.PTR != "") || s.Proven != strings.Contains(a, s.Addr.String()) {
				t.Errorf("%s %s: PTR %q, A %q, source %+v", f.ID, s.Addr, ptr, a, s)
			}
			if spf := first(z, s.Domain, dns.TXT); f.Honest && f.program.door == "" && !strings.Contains(spf, "ip4:"+s.Addr.String()) {
				t.Errorf("%s: SPF of %s is %q", s.Addr, s.Domain, spf)
			}
			if used[s.Addr] && f.Kind != "forgotten" {
				t.Errorf("%s is used twice", s.Addr)
			}
			used[s.Addr] = true
			b := s.Addr.As4()
			on := first(list, fmt.Sprintf("%d.%d.%d.%d.bl.swarm", b[3], b[2], b[1], b[0]), dns.A) != ""
			if on != s.Listed || on && f.Honest {
				t.Errorf("%s %s: listed %t", f.ID, s.Addr, on)
			}
			if on {
				listed++
			}
		}
	}
	if listed < 20 || first(list, "2.0.0.127.bl.swarm", dns.A) == "" || first(list, "1.0.0.127.bl.swarm", dns.A) != "" {
		t.Errorf("%d listed; test points wrong", listed)
	}
}
