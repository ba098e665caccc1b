package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// lines reads one JSON object a line.
func lines(t *testing.T, text string) (out []map[string]any) {
	t.Helper()
	for l := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			t.Fatalf("%v in %q", err, l)
		}
		out = append(out, m)
	}
	return out
}

// TestQuarantineCommands holds three messages, shows, releases and deletes them,
// and finds them again without the database.
func TestQuarantineCommands(t *testing.T) {
	t.Parallel() // it mostly waits
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, accepted: true})
	for _, id := range []string{"one", "two", "three"} {
		if r := d.send(strings.Replace(spam(id), "Subject: minutes", "Subject: "+id+" \x1b[31mred", 1), "bob@a.example"); r[0] != '2' {
			t.Fatal(r)
		}
	}
	ids := map[string]string{}
	for _, m := range lines(t, d.sluice("quarantine", "list", "--json")) {
		subject, _, _ := strings.Cut(m["subject"].(string), " ")
		ids[subject] = m["id"].(string)
	}
	if len(ids) != 3 {
		t.Fatalf("in quarantine: %v", ids)
	}
	if out := d.sluice("quarantine", "list"); strings.Count(out, "held") != 3 || strings.Contains(out, "\x1b[31m") {
		t.Errorf("list:\n%q", out)
	}
	show := d.sluice("quarantine", "show", strings.ToLower(ids["one"]))
	if !strings.Contains(show, "GTUBE") || !strings.Contains(show, "<ann@sender.example>") || strings.Contains(show, "\x1b") {
		t.Errorf("show:\n%q", show)
	}
	if raw := d.sluice("quarantine", "show", "--raw", ids["one"]); !strings.HasPrefix(raw, "From: Ann") || !strings.Contains(raw, gtube) {
		t.Errorf("show --raw:\n%s", raw)
	}

	d.sluice("quarantine", "release", ids["one"])
	eventually(t, "the released message is at the next hop", func() bool { return sink.Seen()["one"] == 1 })
	d.sluice("quarantine", "delete", ids["two"])
	_, errs, err := run(t, "quarantine", "show", ids["two"], "--config", d.config)
	if err == nil || !strings.Contains(errs, "no message") || strings.Count(errs, "\n") != 1 {
		t.Errorf("show what was deleted: %v %s", err, errs)
	}
	if _, errs, err := run(t, "quarantine", "release", "../../../etc/passwd", "--config", d.config); err == nil || !strings.Contains(errs, "no message") {
		t.Errorf("release of a path: %v %s", err, errs)
	}

	withoutDatabase(t, d, ids)
}

// withoutDatabase deletes the database, which is only an index: the files tell
// everything. "one" was released, "two" deleted, "three" is held.
func withoutDatabase(t *testing.T, d *daemon, ids map[string]string) {
	t.Helper()
	d.stop(syscall.SIGTERM)
	before := d.sluice("quarantine", "show", "--json", ids["three"])
	for _, f := range files(t, d.data, "") {
		if strings.HasPrefix(filepath.Base(f), "sluice.db") {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, _, err := run(t, "quarantine", "list", "--config", d.config); err != nil || out != "" {
		t.Errorf("a new database knows already: %v\n%s", err, out)
	}
	d.sluice("quarantine", "reindex")
	after := lines(t, d.sluice("quarantine", "list", "--json"))
	found := map[any]map[string]any{}
	for _, m := range after {
		found[m["id"]] = m
	}
	if found[ids["three"]] == nil || found[ids["two"]] != nil {
		t.Errorf("after reindex: %v", after)
	}
	if m := found[ids["one"]]; m != nil && m["released"] == nil {
		t.Error("after reindex the released message looks held")
	}
	if again := d.sluice("quarantine", "show", "--json", ids["three"]); again != before {
		t.Errorf("show after reindex:\n%s\nbefore:\n%s", again, before)
	}
	broken := heldFile(t, d, ids["three"])
	if err := os.Truncate(broken, 100); err != nil {
		t.Fatal(err)
	}
	out, errs, err := run(t, "quarantine", "reindex", "--config", d.config)
	if err == nil || !strings.Contains(errs, "unreadable") || !strings.Contains(out, "1 files could not be read") {
		t.Errorf("reindex with a torn file: %v\n%s%s", err, out, errs)
	}
	if _, err := os.Stat(broken); err != nil {
		t.Errorf("the torn file is gone: %v", err)
	}
}

// heldFile is the quarantine's file of a message.
func heldFile(t *testing.T, d *daemon, id string) string {
	t.Helper()
	all := files(t, filepath.Join(d.data, "quarantine"), "")
	for _, f := range all {
		if strings.HasPrefix(strings.ToUpper(filepath.Base(f)), id) {
			return f
		}
	}
	t.Fatalf("no file for %s in %v", id, all)
	return ""
}

// TestLearn teaches the model from two small folders: its version changes, scan
// and a reloaded daemon use it, and it can be taken back.
func TestLearn(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		for kind, text := range map[string]string{"ham": "The zeppelin workshop meets on Thursday; bring your own rivets.", "spam": "Quartzberry elixir makes you young, order quartzberry elixir today."} {
			path := filepath.Join(dir, kind, fmt.Sprintf("%d.eml", i))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(mail(fmt.Sprintf("%s%d", kind, i), text, i)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	probe := filepath.Join(dir, "probe.eml")
	if err := os.WriteFile(probe, []byte(mail("probe", "Quartzberry elixir makes you young, order quartzberry elixir today.", 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr})
	points := func() float64 {
		out, errs, err := run(t, "scan", "--json", "--config", d.config, "--now", "2026-11-24T06:00:00Z", probe)
		if err != nil {
			t.Fatalf("scan: %v\n%s", err, errs)
		}
		return lines(t, out)[0]["verdict"].(map[string]any)["points"].(float64)
	}
	model := func(id string) string {
		r := d.send(mail(id, "The text is beside the point here.", 2), "bob@a.example")
		if r[0] != '2' {
			t.Fatal(r)
		}
		var rows []map[string]any
		eventually(t, "the log has the message", func() bool {
			rows = lines(t, d.sluice("log", "--json", "-n", "1"))
			return len(rows) == 1 && strings.Contains(rows[0]["message_id"].(string), id)
		})
		return fmt.Sprint(rows[0]["versions"].(map[string]any)["model"])
	}

	fresh, shipped := points(), model("before")
	out, errs, err := run(t, "learn", "--json", "--config", d.config, "--ham", filepath.Join(dir, "ham"), "--spam", filepath.Join(dir, "spam"))
	if err != nil {
		t.Fatalf("learn: %v\n%s", err, errs)
	}
	report := lines(t, out)[0]
	if m := report["model"].(map[string]any); report["ham"] != 12.0 || report["spam"] != 12.0 || m["ham"] != 12.0 || m["spam"] != 12.0 {
		t.Errorf("learn reports %v", report)
	}
	if got := points(); got <= fresh {
		t.Errorf("scan gives %v points after learning, %v before", got, fresh)
	}
	if strings.Contains(shipped, "+") {
		t.Errorf("before anything was learned the model is %s", shipped)
	}
	n := 0
	eventually(t, "the daemon has learned it", func() bool { n++; return model(fmt.Sprint("after ", n)) == shipped+"+24" })
	if _, errs, err := run(t, "learn", "--config", d.config, "--forget"); err != nil {
		t.Fatalf("forget: %v\n%s", err, errs)
	}
	if got := points(); got != fresh {
		t.Errorf("scan gives %v points after forgetting, %v at first", got, fresh)
	}
}

// TestLogAndExplain holds the JSON of both, and that what was refused at RCPT is
// found too.
func TestLogAndExplain(t *testing.T) {
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr})
	if r := d.send(clean("fine"), "bob@a.example", "carol@a.example"); r[0] != '2' {
		t.Fatal(r)
	}
	refused := d.send(mail("bad", eicar, 1), "bob@a.example")
	denied := d.send(clean("x"), "bob@elsewhere.example")
	rec := record(t, d, refused)
	sum := 0.0
	for _, e := range rec["evidence"].([]any) {
		sum += e.(map[string]any)["points"].(float64)
	}
	v := rec["verdict"].(map[string]any)
	if v["hard"] != "EICAR" || v["action"] != "reject" || v["threat"] != "malware" || fmt.Sprintf("%.1f", sum) != fmt.Sprintf("%.1f", v["points"]) {
		t.Errorf("explain --json: sum %v, %v", sum, rec)
	}
	if rec["reply"] != refused {
		t.Errorf("the log has the reply %q, the client got %q", rec["reply"], refused)
	}
	record(t, d, denied)
	rows := lines(t, d.sluice("log", "--json"))
	byAction := map[any]int{}
	for _, r := range rows {
		byAction[r["verdict"].(map[string]any)["action"]]++
	}
	if len(rows) != 3 || byAction["accept"] != 1 || byAction["reject"] != 2 {
		t.Errorf("log --json: %d rows, %v", len(rows), byAction)
	}
	if n := len(lines(t, d.sluice("log", "--json", "--action", "reject", "elsewhere"))); n != 1 {
		t.Errorf("log --action reject elsewhere: %d rows", n)
	}
	if _, errs, err := run(t, "explain", "0000000000000000", "--config", d.config); err == nil || !strings.Contains(errs, "no message") || strings.Count(errs, "\n") != 1 {
		t.Errorf("explain of nothing: %v %s", err, errs)
	}
}
