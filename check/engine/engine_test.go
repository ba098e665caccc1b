package engine_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/checktest"
	enginecheck "sluice/check/engine"
	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
	"sluice/engine"
	"sluice/engine/enginetest"
	"sluice/engine/hashlist"
	"sluice/engine/tlsh"
	"sluice/judge/pipeline"
	"sluice/judge/verdict"
	"sluice/reason"
)

const evil = "a text that the scanner knows"

// content is a file, big enough and mixed enough for all digests.
func content(n int) []byte {
	var b strings.Builder
	for i := 0; b.Len() < 5000; i++ {
		fmt.Fprintf(&b, "%x", sha256.Sum256([]byte(fmt.Sprint(n, i))))
	}
	return []byte(b.String())
}

func attached(data []byte, name string) *check.Input {
	return checktest.Input(checktest.Attached("Content-Type: application/octet-stream; name="+name, base64.StdEncoding.EncodeToString(data)))
}

func scanner(s engine.Scanner) *engine.Guarded { return engine.Guard(s, engine.GuardConfig{}) }

// lines are reasons and details.
func lines(ev []sluice.Evidence) string {
	var out []string
	for _, e := range ev {
		s := string(e.Reason)
		if e.State == sluice.Unknown {
			s += " unknown"
		}
		if e.Hard == sluice.HardStop {
			s += " stop"
		}
		out = append(out, s+": "+e.Detail)
	}
	return strings.Join(out, "\n")
}

func TestFindings(t *testing.T) {
	a := &enginetest.Scanner{Called: "one", Finds: map[string]string{evil: "Win.Test.A"}}
	b := &enginetest.Scanner{Called: "two", Finds: map[string]string{evil: "Heuristics.B"}, Kind: engine.Suspicious}
	checks := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: scanner(a)}, {Scanner: scanner(b)}}})
	ev := checktest.Run(t, checks, checktest.Input(checktest.Mail("", evil)))
	if got, want := lines(ev), "ENGINE_MALWARE stop: Win.Test.A (by one)\nENGINE_SUSPICIOUS: Heuristics.B (by two)"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if ev := checktest.Run(t, checks, checktest.Input(checktest.Mail("", "nothing"))); len(ev) != 0 {
		t.Errorf("clean: %v", ev)
	}
	if checks[0].Info().Name != "engine/one" || checks[1].Info().Cost != check.Remote {
		t.Errorf("%+v", checks[0].Info())
	}
}

// TestAbsence takes a message through the pipeline while the scanner is away.
func TestAbsence(t *testing.T) {
	for absent, want := range map[check.Absence]string{
		check.Open:      "ENGINE_UNKNOWN",
		check.Temporary: "ENGINE_UNKNOWN CHECK_INCOMPLETE",
		check.Closed:    "ENGINE_UNKNOWN CHECK_REQUIRED",
	} {
		s := &enginetest.Scanner{}
		s.Fail(errors.New("away"), errors.New("away"))
		p := pipeline.New(enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: scanner(s), Absent: absent}}}),
			pipeline.Config{Clock: func() time.Time { return checktest.Now }, Weights: verdict.Weights{}})
		ev := p.Run(context.Background(), sluice.PhaseMessage, checktest.Input(checktest.Mail("", evil)), nil)
		var got []string
		for _, e := range ev {
			got = append(got, string(e.Reason))
			if !strings.Contains(e.Detail, "away") {
				t.Errorf("%v: detail %q", absent, e.Detail)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v: %v, want %s", absent, got, want)
		}
	}
}

func TestUnscannable(t *testing.T) {
	s := &enginetest.Scanner{}
	s.Fail(fmt.Errorf("too deep: %w", engine.ErrUnscannable), nil)
	for _, c := range []struct {
		e    enginecheck.Engine
		want string
	}{
		{enginecheck.Engine{}, "ENGINE_UNSCANNABLE: test: too deep: the message is beyond the scanner's limits"},
		{enginecheck.Engine{Refuse: true}, "ENGINE_UNSCANNABLE stop: test: too deep: the message is beyond the scanner's limits"},
		{enginecheck.Engine{MaxSize: 20}, "ENGINE_UNSCANNABLE: test: 261 octets, it is asked about 20 at most"},
	} {
		c.e.Scanner = scanner(s)
		ev, err := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{c.e}})[0].Check(context.Background(), checktest.Input(checktest.Mail("", "x")))
		if got := lines(ev); err != nil || got != c.want || c.e.Refuse && ev[0].Raw != 0 {
			t.Errorf("got  %s (%v)\nwant %s", got, err, c.want)
		}
	}
}

func TestMemory(t *testing.T) {
	s := &enginetest.Scanner{Finds: map[string]string{evil: "A"}}
	s.Say(engine.Info{Version: "1"})
	g := scanner(s)
	checks := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: g}}})
	step := func(what, body string, later time.Duration, asked bool) {
		t.Helper()
		in := checktest.Input(checktest.Mail("", body))
		in.Now = in.Now.Add(later)
		before := s.Scans()
		ev := checktest.Run(t, checks, in)
		if found := len(ev) == 1; found != (body == evil) || s.Scans()-before != map[bool]int{true: 1}[asked] {
			t.Errorf("%s: %v, asked %d times", what, ev, s.Scans()-before)
		}
	}
	step("clean", "x", 0, true)
	step("clean again", "x", 9*time.Minute, false)
	step("clean, old", "x", 11*time.Minute, true)
	step("bad", evil, 0, true)
	step("bad again", evil, 59*time.Minute, false)
	step("bad, old", evil, 61*time.Minute, true)
	step("another", "y", 0, true)
	// A failure isn't remembered.
	s.Fail(errors.New("away"), nil)
	if _, err := checks[0].Check(context.Background(), checktest.Input(checktest.Mail("", "z"))); err == nil {
		t.Error("no error")
	}
	s.Fail(nil, nil)
	step("after a failure", "z", 0, true)
	// New signatures.
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { g.Run(ctx); close(done) }()
	for g.Version() == "" {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	step("new signatures", "y", 0, true)
	step("new signatures again", "y", 0, false)

	none := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: g}}, Memory: -1})
	before := s.Scans()
	for range 3 {
		_ = checktest.Run(t, none, checktest.Input(checktest.Mail("", "x")))
	}
	if n := s.Scans() - before; n != 3 {
		t.Errorf("without memory it was asked %d times", n)
	}
}

func TestSkipText(t *testing.T) {
	html := func(body string) string { return checktest.Mail("Content-Type: text/html", body) }
	s := &enginetest.Scanner{}
	checks := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: scanner(s)}}, SkipText: true, Memory: -1})
	for name, c := range map[string]struct {
		raw   string
		asked int
	}{
		"plain":        {checktest.Mail("", "x"), 0},
		"html":         {html("<p>x</p>"), 0},
		"alternative":  {checktest.Mail("Content-Type: multipart/alternative; boundary=b", "--b\n\nx\n--b\nContent-Type: text/html\n\n<p>x\n--b--\n"), 0},
		"script":       {html("<script>x</script>"), 1},
		"packed":       {html("<a href='DATA:application/zip;base64,UEs='>x</a>"), 1},
		"frame":        {html("<iframe src=x></iframe>"), 1},
		"attachment":   {checktest.Attached("Content-Type: application/pdf", "JVBERg=="), 1},
		"named text":   {checktest.Mail("Content-Type: text/plain; name=x.bat", "x"), 1},
		"picture":      {checktest.Mail("Content-Type: image/png", "x"), 1},
		"message":      {checktest.Mail("Content-Type: message/rfc822", "Subject: x\n\nx"), 1},
		"uuencoded":    {checktest.Mail("", "begin 644 x.exe\n#86)C\n`\nend\n"), 1},
		"two readings": {checktest.Mail("Content-Type: text/plain\nContent-Type: application/zip", "x"), 2},
	} {
		before := s.Scans()
		if _, err := checks[0].Check(context.Background(), checktest.Input(c.raw)); err != nil {
			t.Fatal(err)
		}
		if n := s.Scans() - before; (n > 0) != (c.asked > 0) || n < c.asked {
			t.Errorf("%s: asked %d times, want %d", name, n, c.asked)
		}
	}
}

func TestHashes(t *testing.T) {
	bad := content(1)
	relative := append([]byte("some words in front "), bad...)
	d, err := tlsh.Sum(bad)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "l")
	if err := os.WriteFile(path, fmt.Appendf(nil, "%x Trojan.A\n%s Family.A\n", sha256.Sum256(bad), d), 0o600); err != nil {
		t.Fatal(err)
	}
	lists, err := hashlist.New(hashlist.Config{Files: []hashlist.File{{Path: path, Name: "own"}}, Distance: 60})
	if err != nil {
		t.Fatal(err)
	}
	checks := enginecheck.Checks(enginecheck.Config{Hashes: lists})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"listed":   {bad, `ENGINE_MALWARE stop: Trojan.A (by own, in part 2 "x.bin")`},
		"stranger": {content(2), ""},
	} {
		if got := lines(checktest.Run(t, checks, attached(c.data, "x.bin"))); got != c.want {
			t.Errorf("%s: got %s\nwant %s", name, got, c.want)
		}
	}
	if got := lines(checktest.Run(t, checks, attached(relative, "x.bin"))); !strings.HasPrefix(got, "ENGINE_SUSPICIOUS: like Family.A (distance ") {
		t.Errorf("relative: %s", got)
	}
}

func TestDNS(t *testing.T) {
	bad := content(1)
	synctest.Test(t, func(t *testing.T) {
		names := dnsbltest.New()
		zone := names.AddNames("hash.example.org")
		d, err := hashlist.NewDNS([]hashlist.DNSList{{List: dnsbl.List{Zone: "hash.example.org"}, Form: hashlist.SHA1, Kind: engine.Malware}}, dnsbl.Config{Resolver: names})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.Run(ctx); close(done) }()
		synctest.Wait()
		checks := enginecheck.Checks(enginecheck.Config{DNS: d})
		if got := lines(checktest.Run(t, checks, attached(bad, "a.bin"))); got != "" {
			t.Errorf("not listed: %s", got)
		}
		zone.Behave(dnsbltest.Always("127.0.0.2"))
		if got, want := lines(checktest.Run(t, checks, attached(content(2), "x.bin"))), `ENGINE_MALWARE stop: listed (by hash.example.org, in part 2 "x.bin")`; got != want {
			t.Errorf("listed: %s", got)
		}
		zone.Behave(dnsbltest.Never(dns.ErrServFail))
		if got := lines(checktest.Run(t, checks, attached(content(3), "x.bin"))); got != "ENGINE_UNKNOWN unknown: hash.example.org: server failure" {
			t.Errorf("no answer: %s", got)
		}
		zone.Behave(nil)
		asked := names.Questions()
		_ = checktest.Run(t, checks, checktest.Input(checktest.Mail("", string(content(4)))))
		if n := names.Questions() - asked; n != 0 {
			t.Errorf("%d questions about the text of a message", n)
		}
		many := "Content-Type: multipart/mixed; boundary=b"
		body := ""
		for i := range 50 {
			body += "--b\nContent-Type: application/x-x\n\n" + string(content(100+i)) + "\n"
		}
		_ = checktest.Run(t, checks, checktest.Input(checktest.Mail(many, body+"--b--\n")))
		if n := names.Questions() - asked; n != 8 {
			t.Errorf("%d questions about 50 files, want 8", n)
		}
		cancel()
		<-done
		_ = d.Close()
	})
}

func TestDeclared(t *testing.T) {
	s := &enginetest.Scanner{}
	for _, c := range enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: scanner(s)}}}) {
		if c.Info().Reasons[0] != reason.EngineUnknown {
			t.Errorf("%s: no answer would be %s", c.Info().Name, c.Info().Reasons[0])
		}
		if ev, err := c.Check(context.Background(), &check.Input{}); ev != nil || err != nil {
			t.Errorf("%s without a message: %v %v", c.Info().Name, ev, err)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	checks := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: scanner(&enginetest.Scanner{})}}})
	in := checktest.Input(checktest.Mail("", strings.Repeat("some words\n", 1000)))
	b.SetBytes(int64(len(in.Message.Raw)))
	for b.Loop() {
		_, _ = checks[0].Check(context.Background(), in)
	}
}
