package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/certs"
	"sluice/cmd/sluice/term"
	"sluice/deliver/delivertest"
	"sluice/internal/golden"
)

// examined is a whole set-up with a mixture of what is good and bad.
func examined(t *testing.T) (*Report, *strings.Replacer) {
	t.Helper()
	srv := delivertest.NewServer(t, delivertest.Script{})
	dir := filepath.Join(t.TempDir(), "data")
	cfg := settings(t, fmt.Sprintf(`data = %q
[[domain]]
names = ["example.org", "example.net"]
relay = ["smtp://%s"]
recipients = ["people"]
[[directory]]
name = "people"
kind = "list"
addresses = ["ann@example.org"]
[[dnsbl]]
zone = "bl.example.net"
[[listen]]
address = "127.0.0.1:0"
[[listen]]
address = "192.0.2.99:587"
[console]
address = "127.0.0.1:0"
[dns]
servers = ["9.9.9.9"]
`, dir, srv.Addr))
	m := bench()
	r := Run(t.Context(), Config{Settings: cfg, Certs: certs.Config{Names: []string{cfg.Hostname}, Dir: dir, Now: m.now}, machine: m, Resolver: zone(t, `{
		".": {"NS": ["a.root-servers.net."]},
		"2.0.0.127.bl.example.net": {"A": ["127.0.0.2"]},
		"mx.example.org": {"A": ["192.0.2.25"]},
		"192.0.2.25": {"PTR": ["mx.example.org."]},
		"example.org": {"MX": ["10 mx.example.org."], "TXT": ["v=spf1 mx -all"]},
		"_dmarc.example.org": {"TXT": ["v=DMARC1; p=quarantine"]},
		"example.net": {"MX": ["10 elsewhere.example."]},
		"_dmarc.example.net": {"TXT": "TIMEOUT"}}`)})
	return r, strings.NewReplacer(srv.Addr, "BACKEND", dir, "DATA")
}

func TestRun(t *testing.T) {
	r, plain := examined(t)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.What, f.Text, f.Fix = plain.Replace(f.What), plain.Replace(f.Text), plain.Replace(f.Fix)
		if head, _, ok := strings.Cut(f.Text, " answers in "); ok {
			f.Text = head + " answers in N ms in clear text"
		}
	}
	var text, js bytes.Buffer
	if err := r.Text(&text, false); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.txt", text.Bytes())
	if err := r.JSON(&js); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/report.json", js.Bytes())
	var back struct {
		OK, Warnings, Broken int
		Findings             []Finding
	}
	if err := json.Unmarshal(js.Bytes(), &back); err != nil || back.OK+back.Warnings+back.Broken != len(back.Findings) || back.Broken != r.Count(Bad) {
		t.Errorf("%v %+v", err, back)
	}
	// Colours change nothing else.
	var painted bytes.Buffer
	if err := r.Text(&painted, term.Paint(true)); err != nil {
		t.Fatal(err)
	}
	clear := painted.String()
	for _, code := range []string{"1", "2", "32", "33", "31;1", "0"} {
		clear = strings.ReplaceAll(clear, "\x1b["+code+"m", "")
	}
	if clear != text.String() {
		t.Errorf("without its colours the text is another\n%s", golden.Diff(text.Bytes(), []byte(clear)))
	}
}

// TestRunChangesNothing leaves the data folder as it was: not there.
func TestRunChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := settings(t, fmt.Sprintf("data = %q\n[[domain]]\nnames = [\"example.org\"]\n[[listen]]\naddress = \"127.0.0.1:0\"\n", dir))
	r := Run(t.Context(), Config{Settings: cfg, Certs: certs.Config{Names: []string{cfg.Hostname}, Dir: dir}, machine: bench()})
	if _, err := os.Stat(dir); err == nil {
		t.Error("the data folder was made")
	}
	if r.Count(Bad) != 0 {
		t.Errorf("%+v", r)
	}
}

// TestSettings says what sluice serve would stop at, and looks at the rest.
func TestSettings(t *testing.T) {
	cfg := settings(t, "[[dnsbl]]\nzone = \"bl.example.net\"\nkey_file = \"/none/key\"\n[[listen]]\naddress = \"127.0.0.1:0\"\n")
	cfg.Connect.ASN = "/none.mmdb"
	r := Run(t.Context(), Config{Settings: cfg, Certs: certs.Config{Names: []string{cfg.Hostname}, Dir: cfg.Data}, machine: bench(), Resolver: zone(t, `{}`)})
	var areas []string
	for _, f := range r.Findings {
		if f.Level == Bad {
			areas = append(areas, f.Area+": "+f.Text)
		}
	}
	for _, want := range []string{"Configuration: sluice serve would stop: dnsbl bl.example.net: key_file: ", "DNS lists: it isn't asked", "System: network: "} {
		if !strings.Contains(strings.Join(areas, "\n"), want) {
			t.Errorf("no %q in %q", want, areas)
		}
	}
}

func TestFailed(t *testing.T) {
	var b bytes.Buffer
	if err := failed(fmt.Errorf("config: x.toml:3:1: unknown key %q", "listn")).Text(&b, false); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/failed.txt", b.Bytes())
}

// TestHostile shows what others wrote without obeying it, on one line.
func TestHostile(t *testing.T) {
	var b bytes.Buffer
	r := &Report{[]Finding{{Area: "A", What: "evil\x1b[2J\n", Level: Bad, Text: "says\r\nok  all \u202ewell" + strings.Repeat("x", 1000), Fix: "\x07"}}}
	if err := r.Text(&b, false); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); strings.ContainsAny(s, "\x1b\r\x07\u202e") || strings.Count(s, "\n") != 5 || len(s) > 600 {
		t.Errorf("%q", s)
	}
}

// TestWithin bounds a check that ignores its context, and survives one that panics.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		hangs := check{"A", "hangs", func(context.Context) []Finding { <-release; return nil }}
		falls := check{"A", "falls", func(context.Context) []Finding { panic("oh") }}
		begun := time.Now()
		got := all(t.Context(), []check{hangs, falls, {"A", "fine", func(context.Context) []Finding { return ok("fine") }}})
		want(t, "all", got, "bad no answer within 3s", "bad the check itself fell over: oh; ", "ok fine")
		if took := time.Since(begun); took != checkTime+grace {
			t.Errorf("it took %v", took)
		}
		close(release)
	})
}

// TestAll keeps to its time and its width with many slow checks, and keeps their
// order.
func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), totalTime)
		defer cancel()
		var now, most atomic.Int32
		var list []check
		for i := range 1000 {
			list = append(list, check{"A", fmt.Sprint(i), func(ctx context.Context) []Finding {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer now.Add(-1)
				<-ctx.Done()
				return ok("slow")
			}})
		}
		begun := time.Now()
		got := all(ctx, list)
		if took := time.Since(begun); took > totalTime+grace {
			t.Errorf("it took %v", took)
		}
		if most.Load() > parallel || len(got) != len(list) {
			t.Errorf("%d at a time, %d findings", most.Load(), len(got))
		}
		late := 0
		for i, f := range got {
			if f.What != fmt.Sprint(i) {
				t.Fatalf("place %d has %s", i, f.What)
			}
			if f.Level == Warn {
				late++
			}
		}
		// What gets its turn as the time ends may go either way.
		if most := len(list) - int(totalTime/checkTime)*parallel; late > most || late < most-parallel {
			t.Errorf("%d weren't looked at", late)
		}
	})
}

func TestGather(t *testing.T) {
	in := []Finding{{Area: "A", What: "1", silent: true, Text: "a", Fix: "f"}, {Area: "A", What: "2", Text: "b"}, {Area: "A", What: "3", silent: true}, {Area: "B", What: "4", silent: true, Text: "c"}}
	var got []string
	for _, f := range gather(in) {
		got = append(got, f.Area+" "+f.What+" "+f.Text)
	}
	if s := strings.Join(got, "\n"); s != "A not known 2 questions without an answer, such as 1: a\nA 2 b\nB 4 c" {
		t.Error(s)
	}
}
