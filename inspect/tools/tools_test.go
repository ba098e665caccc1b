package tools_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"sluice/inspect"
	"sluice/inspect/child/tool"
	"sluice/inspect/child/tool/run"
	"sluice/inspect/tools"
)

// The test program is also the process that runs tools, and what becomes one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "test-tools":
			os.Exit(tool.Main(os.Args[2:], []string{"/proc/self/exe", "test-run"}, os.Stdin, os.Stdout, os.Stderr))
		case "test-run":
			os.Exit(run.Become(os.Args[2:], os.Stderr))
		}
	}
	os.Exit(m.Run())
}

func needs(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip(p + " is not installed: scripts/install-test-deps")
		}
	}
}

// start starts tools and ends them with the test.
func start(t testing.TB, c tools.Config) *tools.Tools {
	t.Helper()
	c.Command = []string{"/proc/self/exe", "test-tools"}
	x, err := tools.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := x.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return x
}

// write makes a file of rules and returns its path.
func write(t testing.TB, name, rules string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ask(t testing.TB, x *tools.Tools, inputs ...inspect.Input) *inspect.Report {
	t.Helper()
	r, err := x.Inspect(t.Context(), &inspect.Request{Inputs: inputs})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func scan(body string) inspect.Input {
	return inspect.Input{Name: "x", DeclaredType: string(inspect.ForRules), Body: []byte(body)}
}

func read(w, h int, lines ...string) inspect.Input {
	return inspect.Input{Name: "p", DeclaredType: string(inspect.ForOCR), Body: picture(w, h, lines...)}
}

// picture writes text into a PGM.
func picture(w, h int, lines ...string) []byte {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	for i, l := range lines {
		d := font.Drawer{Dst: m, Src: image.NewUniform(color.Black), Face: basicfont.Face7x13, Dot: fixed.P(10, 20+18*i)}
		d.DrawString(l)
	}
	return append([]byte("P5\n"+strconv.Itoa(w)+" "+strconv.Itoa(h)+"\n255\n"), m.Pix...)
}

func facts(r *inspect.Report) string {
	var out []string
	for _, f := range r.Facts {
		out = append(out, fmt.Sprintf("%d %s %s", f.File, f.Kind, f.Detail))
	}
	return strings.Join(out, "\n")
}

const ruleFile = `rule Found : loader doc { meta: malware = "Emo\"tet" score = 80 author = "x" strings: $a = "needle" condition: $a }
private rule Hidden { condition: true }
rule Large { condition: Hidden and filesize > 100 }
`

func TestRules(t *testing.T) {
	needs(t, "yara", "yarac")
	x := start(t, tools.Config{Rules: []string{write(t, "own.yar", ruleFile)}})
	for range 2 { // a process is used again
		r := ask(t, x, scan("hay"), scan("hay needle hay"), scan(""), scan(strings.Repeat("needle ", 100)))
		want := `1 RULE_MATCH own:Found [loader,doc] malware="Emo\"tet" score="80"
3 RULE_MATCH own:Found [loader,doc] malware="Emo\"tet" score="80"
3 RULE_MATCH own:Large`
		if got := facts(r); got != want || r.Ended != inspect.Complete || r.Exhausted != 0 {
			t.Fatalf("got\n%s\nwant\n%s\n%v %s", got, want, r.Ended, r.Reason)
		}
	}
	h := x.Health()
	if h.Rules != 1 || len(h.Programs) != 1 || !strings.HasPrefix(h.Programs[0], "YARA ") {
		t.Errorf("%+v", h)
	}
	if !h.Strict {
		t.Logf("the sandbox doesn't hold here: %s", h.Sandbox)
	}
}

func TestManyFiles(t *testing.T) {
	needs(t, "yara", "yarac")
	x := start(t, tools.Config{Rules: []string{write(t, "own.yar", ruleFile)}})
	var in []inspect.Input
	for i := range 256 {
		in = append(in, scan(strings.Repeat("needle", i%2)))
	}
	if r := ask(t, x, in...); strings.Count(facts(r), "own:Found") != 128 {
		t.Errorf("%s", facts(r))
	}
}

func TestText(t *testing.T) {
	needs(t, "tesseract")
	x := start(t, tools.Config{OCR: true})
	r := ask(t, x, read(420, 100, "Dear customer your account has been suspended", "Please verify your details within 24 hours"), read(200, 100))
	if len(r.Texts) != 1 || r.Texts[0].File != 0 || r.Texts[0].Origin != inspect.OriginOCR || !strings.Contains(r.Texts[0].Text, "account has been suspended") {
		t.Errorf("%+v %s %v", r.Texts, facts(r), r.Ended)
	}
	if r.Ended != inspect.Complete || facts(r) != "" {
		t.Errorf("%v %s %s", r.Ended, r.Reason, facts(r))
	}
	// What is no picture is no text, and nobody's trouble.
	for _, body := range []string{"", "P5\n", "P5\n99999 99999\n255\n", "no picture"} {
		r := ask(t, x, inspect.Input{DeclaredType: string(inspect.ForOCR), Body: []byte(body)})
		if r.Ended != inspect.Complete || len(r.Texts) != 0 {
			t.Errorf("%q: %v %v", body, r.Ended, r.Texts)
		}
	}
}

// TestTraps: time is bounded for rules and for pictures, and what comes behind is looked
// at.
func TestTraps(t *testing.T) {
	needs(t, "yara", "yarac", "tesseract")
	slow := `rule Trap { condition: for all i in (0..4000000000) : (for all j in (0..4000000000) : (i + j >= 0)) }`
	x := start(t, tools.Config{Rules: []string{write(t, "trap.yar", slow)}, OCR: true, Time: 8 * time.Second})
	began := time.Now()
	r := ask(t, x, scan("aaaa"), read(420, 40, "text that is read all the same, behind it"))
	if !strings.Contains(facts(r), "0 TOOL_LATE yara") || len(r.Texts) != 1 {
		t.Errorf("%s %v %v", facts(r), r.Texts, r.Ended)
	}
	if took := time.Since(began); took > 40*time.Second {
		t.Errorf("it took %v", took)
	}
	alone(t, x)
	// A picture as large as may be, full of what looks like letters.
	noise := []byte("P5\n2000 2000\n255\n")
	for i := range 4_000_000 {
		noise = append(noise, byte((i*2654435761>>13)&1)*255)
	}
	r = ask(t, x, inspect.Input{DeclaredType: string(inspect.ForOCR), Body: noise})
	t.Log(r.Took, facts(r))
	if r.Ended != inspect.Complete && r.Ended != inspect.TimedOut || r.Took > 20*time.Second {
		t.Errorf("%v after %v: %s", r.Ended, r.Took, facts(r))
	}
	alone(t, x)
}

// alone: an answer is there, and no program runs any more.
func alone(t *testing.T, x *tools.Tools) {
	t.Helper()
	if left := children(t, x); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
}

// children lists what runs below the processes of x.
func children(t testing.TB, x *tools.Tools) (found []int) {
	t.Helper()
	parents := x.Pids()
	list, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			continue
		}
		ppid, _ := strconv.Atoi(fields[1])
		if slices.Contains(parents, ppid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
			found = append(found, pid)
		}
	}
	return found
}

// busy starts a scan that takes its time, and waits for the program.
func busy(t *testing.T, x *tools.Tools) (program int, answer chan *inspect.Report) {
	t.Helper()
	answer = make(chan *inspect.Report, 1)
	go func() {
		r, err := x.Inspect(context.Background(), &inspect.Request{Inputs: []inspect.Input{scan("x")}})
		if err != nil {
			t.Error(err)
		}
		answer <- r
	}()
	for range 1500 {
		for _, pid := range children(t, x) {
			if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(name)) == "yara" {
				return pid, answer
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("no program is run")
	return 0, nil
}

const endless = `rule Endless { condition: for all i in (0..4000000000) : (for all j in (0..4000000000) : (i + j >= 0)) }`

// TestKilled: a program, or the process that runs it, is killed in the middle. Both are
// facts about the file, nothing stays behind, and the next request is served.
func TestKilled(t *testing.T) {
	needs(t, "yara", "yarac")
	x := start(t, tools.Config{Rules: []string{write(t, "own.yar", endless)}, Time: 10 * time.Second})
	pid, answer := busy(t, x)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if r := <-answer; r.Ended != inspect.Complete || !strings.Contains(facts(r), "0 TOOL_DIED yara: killed") {
		t.Errorf("%v %s", r.Ended, facts(r))
	}
	gone(t, pid)

	// The processes that a killed one is tried again with end so too.
	var programs []int
	pid, answer = busy(t, x)
	var r *inspect.Report
	for r == nil {
		programs = append(programs, pid)
		before := x.Pids()
		for _, p := range before {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		gone(t, pid)
		for pid = 0; pid == 0 && r == nil; {
			select {
			case r = <-answer:
			case <-time.After(5 * time.Millisecond):
				for _, c := range children(t, x) {
					if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c)); strings.TrimSpace(string(name)) == "yara" && !slices.Contains(programs, c) {
						pid = c
					}
				}
			}
		}
	}
	if r.Ended != inspect.Killed || r.By != "yara" {
		t.Errorf("%v by %q: %s", r.Ended, r.By, r.Reason)
	}
	pid, answer = busy(t, x) // the next is served
	x.Close()
	<-answer
	gone(t, pid)
}

// gone waits until a process has ended. Who was reaped by the system's first process may
// be seen as a zombie until then.
func gone(t *testing.T, pid int) {
	t.Helper()
	for range 1000 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		if strings.HasPrefix(rest, "Z") && len(rest) > 2 && strings.Fields(rest)[1] == "1" {
			t.Logf("process %d has ended, and waits for the first process to take note", pid)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

// TestMemory: a program that takes more than it may is stopped by the kernel.
func TestMemory(t *testing.T) {
	needs(t, "tesseract")
	x := start(t, tools.Config{OCR: true, Memory: 32 << 20})
	r := ask(t, x, read(420, 40, "there is no room to read this text"))
	if len(r.Texts) != 0 || r.Ended != inspect.Complete || !strings.Contains(facts(r), "tesseract") {
		t.Errorf("%v %v %s", r.Texts, r.Ended, facts(r))
	}
}

func TestBadRules(t *testing.T) {
	needs(t, "yara", "yarac")
	good := write(t, "good.yar", "rule A { condition: true }")
	for _, row := range []struct {
		name  string
		rules []string
		want  string
	}{
		{"syntax", []string{write(t, "bad.yar", "rule A { condition: true }\nrule B { condition: $x }")}, "bad.yar(2): undefined string \"$x\""},
		{"absent", []string{"/nowhere/*.yar"}, "no file is called /nowhere/*.yar"},
		{"folder", []string{filepath.Dir(good)}, "is a folder; write "},
		{"pattern", []string{"[x"}, "syntax error in pattern"},
		{"namespace", []string{good, write(t, "good.yara", "rule A { condition: true }")}, "the same namespace, good"},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, err := tools.New(t.Context(), tools.Config{Rules: row.rules, Command: []string{"/proc/self/exe", "test-tools"}})
			if err == nil {
				x.Close()
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	if _, err := tools.New(t.Context(), tools.Config{OCR: true, Languages: []string{"xyz"}}); err == nil ||
		!strings.Contains(err.Error(), "tesseract") || exists("tesseract") && !strings.Contains(err.Error(), "tesseract-ocr-xyz") {
		t.Errorf("an unknown language: %v", err)
	}
}

func exists(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// TestReload changes rules under way; bad ones leave those before in use.
func TestReload(t *testing.T) {
	needs(t, "yara", "yarac")
	path := write(t, "own.yar", ruleFile)
	x := start(t, tools.Config{Rules: []string{path}})
	put := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("rule New { condition: no }")
	if err := x.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "own.yar(1)") || x.Health().Trouble == "" {
		t.Fatalf("%v, %+v", err, x.Health())
	}
	if r := ask(t, x, scan("needle")); !strings.Contains(facts(r), "own:Found") {
		t.Errorf("the rules before are gone: %s", facts(r))
	}
	put("rule New { condition: true }")
	if err := x.Reload(t.Context()); err != nil || x.Health().Trouble != "" {
		t.Fatalf("%v, %+v", err, x.Health())
	}
	if r := ask(t, x, scan("needle")); facts(r) != "0 RULE_MATCH own:New" {
		t.Errorf("%s", facts(r))
	}
}

// cost is the processor time of children that have ended.
func cost(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the most that a program held so far, so that it belongs to a row only where that
// is measured alone.
func peak(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Maxrss) / 1024
}

// BenchmarkTools takes the processor time of all that is run, when it has ended.
func BenchmarkTools(b *testing.B) {
	needs(b, "yara", "yarac", "tesseract")
	var rules strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&rules, "rule R%d { strings: $a = \"signature %d of many\" $b = { %02x %02x 41 42 43 ?? %02x } condition: any of them }\n", i, i*7919, i%256, i/8%256, i%251)
	}
	body := strings.Repeat("some words that are nothing. ", 1<<20/29)
	for name, c := range map[string]struct {
		cfg tools.Config
		in  []inspect.Input
	}{
		"yara 3 rules, 10 kB":    {tools.Config{Rules: []string{write(b, "own.yar", ruleFile)}}, []inspect.Input{scan(body[:10<<10])}},
		"yara 2000 rules, 10 kB": {tools.Config{Rules: []string{write(b, "many.yar", rules.String())}}, []inspect.Input{scan(body[:10<<10])}},
		"yara 2000 rules, 1 MB":  {tools.Config{Rules: []string{write(b, "many.yar", rules.String())}}, []inspect.Input{scan(body)}},
		"tesseract, 4 lines": {tools.Config{OCR: true}, []inspect.Input{read(840, 100, "Dear customer your account has been suspended",
			"Please verify your details within 24 hours", "Buy cheap pills and watches online today", "visit our shop")}},
		"tesseract, page of 1000 words": {tools.Config{OCR: true}, []inspect.Input{read(1400, 1200, page()...)}},
	} {
		b.Run(name, func(b *testing.B) {
			x := start(b, c.cfg)
			before := cost(b)
			for b.Loop() {
				ask(b, x, c.in...)
			}
			x.Close()
			b.ReportMetric(float64((cost(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(peak(b), "peak-MB")
		})
	}
}

func page() (lines []string) {
	words := strings.Fields("the quick brown fox jumps over a lazy dog while seven wizards make toxic brew for our evil queen and her jackals")
	for i := range 60 {
		var l []string
		for k := range 17 {
			l = append(l, words[(i*17+k*5)%len(words)])
		}
		lines = append(lines, strings.Join(l, " "))
	}
	return lines
}
