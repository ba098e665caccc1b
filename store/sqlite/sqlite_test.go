package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice"
	"sluice/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Path == "" {
		// A name that a careless URL would split.
		cfg.Path = filepath.Join(t.TempDir(), "a b%41?x=1#f.db")
	}
	s, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) sluice.Store { return open(t, Config{}) })
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd %41 ?#.db")
	s := open(t, Config{Path: path})
	s.Append(storetest.Record("a", noon))
	if err := s.PutAccount(t.Context(), &sluice.Account{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode().Perm())
	}
	s = open(t, Config{Path: path})
	if _, err := s.Record(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	if n, err := s.CountAccounts(t.Context()); n != 1 || err != nil {
		t.Errorf("%d accounts, %v", n, err)
	}
}

// TestTwoProcesses: the command line reads and writes while the daemon runs.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	a, b := open(t, Config{Path: path}), open(t, Config{Path: path})
	for i := range 50 {
		a.Append(storetest.Record(fmt.Sprintf("a%d", i), noon))
		b.Append(storetest.Record(fmt.Sprintf("b%d", i), noon))
		if err := errors.Join(a.Flush(t.Context()), b.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	// A row that another process indexes during a rebuild survives it.
	err := a.ReplaceIndex(t.Context(), func(yield func(*sluice.Quarantined) error) error {
		if err := b.IndexQuarantined(t.Context(), storetest.Quarantined("new", noon)); err != nil {
			return err
		}
		return yield(storetest.Quarantined("found", noon))
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := b.Quarantined(t.Context(), sluice.Query{})
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v; want 2", len(rows), err)
	}
}

// TestUpgrade opens a file of every earlier schema. The dumps are what that
// version wrote; a new migration needs the dump of the one before it.
func TestUpgrade(t *testing.T) {
	files, err := filepath.Glob("schema/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema files: %v", err)
	}
	for version := 1; version <= len(files); version++ {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			dump, err := os.ReadFile(fmt.Sprintf("testdata/v%d.sql", version))
			if err != nil {
				t.Fatalf("every schema version needs a dump: %v", err)
			}
			path := filepath.Join(t.TempDir(), "old.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(string(dump)); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			s := open(t, Config{Path: path})
			r, err := s.Record(t.Context(), "kept")
			if err != nil {
				t.Fatal(err)
			}
			kept, held := storetest.Record("kept", noon), storetest.Quarantined("kept", noon)
			if version < 11 {
				kept.Authenticated = nil
				for _, c := range []*sluice.Conn{&kept.Conn, &held.Conn} {
					c.Via = netip.AddrPort{}
				}
				kept.Envelope.Outbound, held.Envelope.Outbound = false, false
			}
			if version < 6 {
				kept.Files, kept.FilesLeft = nil, 0
			} else if version < 8 {
				kept.Files[0].Links, kept.Files[0].Signs = nil, nil
			}
			if d := cmp.Diff(kept, r, storetest.Equal); d != "" {
				t.Errorf("record changed (-want +got):\n%s", d)
			}
			rows, err := s.Quarantined(t.Context(), sluice.Query{Text: "invoice"})
			if err != nil || len(rows) != 1 {
				t.Fatalf("%d quarantine rows, %v; want 1", len(rows), err)
			}
			if d := cmp.Diff(held, rows[0], storetest.Equal); d != "" {
				t.Errorf("quarantine row changed (-want +got):\n%s", d)
			}
			f, err := s.FeedbackSince(t.Context(), 0, 10)
			if err != nil || len(f) != 1 {
				t.Fatalf("feedback %v, %v", f, err)
			}
			want := storetest.Feedback("kept", noon)
			if version < 5 {
				want = &sluice.Feedback{Kind: sluice.FeedbackLabel, ID: "kept", Tenant: "acme", Time: noon, Spam: true,
					Source: sluice.SourceAdmin, By: "anna", State: sluice.FeedbackApplied}
			}
			want.Seq = 1
			if d := cmp.Diff(want, f[0]); d != "" {
				t.Errorf("feedback changed (-want +got):\n%s", d)
			}
			if _, err := s.Account(t.Context(), "admin"); err != nil {
				t.Error(err)
			}
			if _, err := s.Tenant(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
			memos := 0
			if err := s.EachMemo(t.Context(), "reputation", func(m sluice.Memo) error {
				if memos++; m.Key != "kept" || string(m.Value) != "1 2" || !m.Updated.Equal(noon) {
					t.Errorf("memo changed: %+v", m)
				}
				return nil
			}); err != nil || version >= 4 && memos != 1 {
				t.Errorf("%d memos, %v", memos, err)
			}
			if r, err := s.Review(t.Context(), "kept"); version >= 7 && (err != nil || r.State != sluice.ReviewBad || string(r.Print) != "p\xff" || r.From != "sender@example.org") {
				t.Errorf("review %+v, %v", r, err)
			}
			if a, err := s.Appeal(t.Context(), "kept"); version >= 9 && (err != nil || a.State != sluice.AppealGranted || a.Hello != "mail.example" || a.Phase != sluice.PhaseMessage) {
				t.Errorf("appeal %+v, %v", a, err)
			}
			if version >= 10 {
				want := storetest.Case("kept", "account:kept", noon)
				want.Version = 1
				c, err := s.Case(t.Context(), "kept")
				if d := cmp.Diff(want, c); d != "" || err != nil {
					t.Errorf("case changed: %v (-want +got):\n%s", err, d)
				}
			}
			// It is writable and ends at the newest schema.
			s.Append(storetest.Record("new", noon))
			if err := s.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			if got, want := schema(t, s), schema(t, open(t, Config{})); got != want {
				t.Errorf("upgraded schema differs from a new one:\n%s", cmp.Diff(want, got))
			}
		})
	}
}

func schema(t *testing.T, s *Store) string {
	t.Helper()
	rows, err := s.read.Query(`SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'goose%' ORDER BY type, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s: %s\n", kind, name, strings.Join(strings.Fields(text), " "))
	}
	return b.String()
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, Config{Path: path})
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`); err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	_, err := Open(t.Context(), Config{Path: path})
	if !errors.Is(err, errNewer) {
		t.Fatalf("Open = %v, want a refusal", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("not a database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(dir, "damaged")
	s := open(t, Config{Path: damaged})
	for i := range 200 {
		s.Append(storetest.Record(fmt.Sprint(i), noon))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	for i := 100; i < len(whole); i++ { // the header survives, the pages don't
		whole[i] = 0xa5
	}
	if err := os.WriteFile(damaged, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want string }{
		{garbage, "no database of ours"},
		{damaged, "damaged"},
		{dir, "is a directory"},
		{filepath.Join(dir, "missing", "db"), "no such file or directory"},
	} {
		s, err := Open(t.Context(), Config{Path: test.path})
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", test.path)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "sqlite: ") || !strings.Contains(err.Error(), test.path) {
			t.Errorf("%s: %q, want %q in it", test.path, err, test.want)
		}
	}
}

// TestDamagedWhileRunning: pages go bad under an open store.
func TestDamagedWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, Config{Path: path})
	for i := range 500 {
		s.Append(storetest.Record(fmt.Sprint(i), noon))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Rows, indexes and documents; the schema in the first pages survives.
	for i := 60 * 4096; i < len(whole); i++ {
		whole[i] = 0xa5
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Path: path})
	_, err = s.Records(t.Context(), sluice.Query{Limit: 500})
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Records = %v, want it called damaged", err)
	}
}

// TestWriteTrouble: whatever the disk does, Append returns, losses are counted
// with a cause, and the log goes on once the trouble is over.
func TestWriteTrouble(t *testing.T) {
	for _, test := range []struct {
		name, want string
		cause, end func(t *testing.T, s *Store)
	}{
		{"full", "the disk is full",
			func(t *testing.T, s *Store) {
				// The writer's connection is idle: nothing else is queued.
				execute(t, s.write, `PRAGMA max_page_count=1`) // clamped to the present size
			},
			func(t *testing.T, s *Store) { execute(t, s.write, `PRAGMA max_page_count=1000000`) }},
		{"read-only", "read-only",
			func(t *testing.T, s *Store) { execute(t, s.write, `PRAGMA query_only=1`) },
			func(t *testing.T, s *Store) { execute(t, s.write, `PRAGMA query_only=0`) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			s := open(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
			s.Append(storetest.Record("before", noon))
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			test.cause(t, s)
			const lost = 400
			for i := range lost {
				s.Append(storetest.Record(fmt.Sprint(i), noon))
			}
			err := s.Flush(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("Flush = %v, want %q in it", err, test.want)
			}
			if strings.Count(err.Error(), s.cfg.Path) != 1 {
				t.Errorf("explained twice: %v", err)
			}
			if got := s.LogStats(); got.Failed != lost || got.Written != 1 || got.Queued != 0 {
				t.Errorf("LogStats = %+v, want %d failed", got, lost)
			}
			if err := s.Health(); err == nil {
				t.Error("Health is well")
			}
			if err := s.PutAccount(t.Context(), &sluice.Account{Name: strings.Repeat("x", 1<<20)}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("PutAccount = %v, want %q in it", err, test.want)
			}
			if _, err := s.Record(t.Context(), "before"); err != nil {
				t.Errorf("reading: %v", err)
			}
			test.end(t, s)
			s.Append(storetest.Record("after", noon))
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Health(); err != nil {
				t.Errorf("Health = %v after the trouble", err)
			}
			if n := strings.Count(log.String(), "can't be written"); n != 1 {
				t.Errorf("said %d times, want once:\n%s", n, log.String())
			}
		})
	}
}

func execute(t *testing.T, db *sql.DB, q string) {
	t.Helper()
	if _, err := db.Exec(q); err != nil {
		t.Fatal(err)
	}
}

// TestLockedNeverBlocksAppend: another process holds the lock; the queue fills,
// the rest is dropped, and every record is accounted for.
func TestLockedNeverBlocksAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, Config{Path: path, QueueRecords: 50, BatchRecords: 10, BusyTimeout: 50 * time.Millisecond})
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	execute(t, other, `BEGIN IMMEDIATE`)
	start := time.Now()
	const n = 1000
	for i := range n {
		s.Append(storetest.Record(fmt.Sprint(i), noon))
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("%d Appends took %v under a lock", n, took)
	}
	if err := s.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("Flush = %v, want it called locked", err)
	}
	got := s.LogStats()
	if got.Failed+got.Dropped != n || got.Dropped == 0 || got.Failed == 0 {
		t.Errorf("LogStats = %+v, want %d failed and dropped in all", got, n)
	}
	execute(t, other, `ROLLBACK`)
	s.Append(storetest.Record("after", noon))
	if err := s.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestQueueBoundedByBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, Config{Path: path, QueueBytes: 100_000, BusyTimeout: 10 * time.Millisecond})
	big := storetest.Record("big", noon)
	big.Subject = strings.Repeat("x", 200_000)
	s.Append(big)
	if got := s.LogStats(); got.Dropped != 1 {
		t.Errorf("LogStats = %+v, want the big one dropped", got)
	}
	s.Append(storetest.Record("small", noon))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.queuedBytes.Load(); got != 0 {
		t.Errorf("%d bytes counted in an empty queue", got)
	}
}

// TestBatchDelay: a lone record is written without anybody asking.
func TestBatchDelay(t *testing.T) {
	s := open(t, Config{BatchDelay: 10 * time.Millisecond})
	s.Append(storetest.Record("lone", noon))
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := s.Record(t.Context(), "lone"); err == nil {
			return
		}
	}
	t.Error("not written")
}

// TestSweepShrinksFile: retention gives space back.
func TestSweepShrinksFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	s := open(t, Config{Path: path})
	for i := range 3000 {
		s.Append(storetest.Record(fmt.Sprint(i), noon))
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	pages := func() (n int) {
		if err := s.read.QueryRow(`PRAGMA page_count`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := pages()
	if _, err := s.Sweep(t.Context(), noon.Add(1)); err != nil {
		t.Fatal(err)
	}
	if after := pages(); after > before/4 {
		t.Errorf("%d pages before, %d after", before, after)
	}
}

// TestNumbersAreFormat: columns hold actions, threats and hard marks by number,
// so the numbers are part of the file format. A new one goes to the end.
func TestNumbersAreFormat(t *testing.T) {
	for i, want := range []string{"accept", "tag", "banner", "strip", "quarantine", "defer", "reject", "drop", "hold"} {
		if got := sluice.Action(i).String(); got != want {
			t.Errorf("action %d is %s, files say %s", i, got, want)
		}
	}
	for i, want := range []string{"none", "spam", "bulk", "phish", "scam", "copycat", "malware", "bot", "attack"} {
		if got := sluice.Threat(i).String(); got != want {
			t.Errorf("threat %d is %s, files say %s", i, got, want)
		}
	}
	if sluice.Soft != 0 || sluice.HardStop != 1 || sluice.HardPass != 2 {
		t.Error("hard marks have other numbers than in files")
	}
}

// TestCountUsesIndexOnly: the console asks for counts often.
func TestCountUsesIndexOnly(t *testing.T) {
	s := open(t, Config{})
	var a, b, c int
	var plan string
	err := s.read.QueryRow("EXPLAIN QUERY PLAN "+countActions, 0, "").Scan(&a, &b, &c, &plan)
	if err != nil || !strings.Contains(plan, "USING COVERING INDEX message_by_action") {
		t.Errorf("plan %q, %v", plan, err)
	}
}

// TestSync: labels and accounts are on the disk when the call returns; the log,
// which may lose its last rows to a power cut, doesn't wait for it.
func TestSync(t *testing.T) {
	s := open(t, Config{})
	for durable, want := range map[bool]int{false: 1, true: 2} { // NORMAL, FULL
		var got int
		err := s.mutate(t.Context(), durable, func(ctx context.Context, tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&got)
		})
		if err != nil || got != want {
			t.Errorf("durable %v: synchronous is %d, want %d (%v)", durable, got, want, err)
		}
	}
}

// TestPageUsesIndex: a page costs the same however long the log is.
func TestPageUsesIndex(t *testing.T) {
	s := open(t, Config{})
	rows, err := s.read.Query(`EXPLAIN QUERY PLAN SELECT seq, time FROM message ORDER BY time DESC, seq DESC LIMIT 50`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c int
		var plan string
		if err := rows.Scan(&a, &b, &c, &plan); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(plan, "TEMP B-TREE") || !strings.Contains(plan, "message_by_time") {
			t.Errorf("plan: %s", plan)
		}
	}
}

// TestFileQueriesUseIndexes: a digest is looked up, whatever else is asked for; names are
// looked at message by message, newest first; a replaced or swept row finds its files.
func TestFileQueriesUseIndexes(t *testing.T) {
	s := open(t, Config{})
	for _, test := range []struct {
		query string
		want  []string
	}{
		{`SELECT seq, time FROM message WHERE time >= 5 AND ` + bySum + `) ORDER BY time DESC, seq DESC LIMIT 50`,
			[]string{"SEARCH message USING INTEGER PRIMARY KEY (rowid=?)", "message_file_by_sum (sha256=?)"}},
		{`SELECT seq, time FROM message WHERE ` + byName + ` AND instr(f.inside, ?) > 0) ORDER BY time DESC, seq DESC LIMIT 50`,
			[]string{"SCAN message USING COVERING INDEX message_by_time", "USING PRIMARY KEY (seq=?)"}},
		{`DELETE FROM message_file WHERE seq = ?`, []string{"PRIMARY KEY (seq=?)"}},
		{`SELECT seq, time FROM message WHERE relayed = ? AND relayed <> x'' ORDER BY time DESC, seq DESC LIMIT 50`, []string{"message_by_relayed (relayed=?)"}},
	} {
		rows, err := s.read.Query(`EXPLAIN QUERY PLAN `+test.query, "x")
		if err != nil {
			t.Fatal(err)
		}
		var plan strings.Builder
		for rows.Next() {
			var a, b, c int
			var line string
			if err := rows.Scan(&a, &b, &c, &line); err != nil {
				t.Fatal(err)
			}
			plan.WriteString(line + "\n")
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		for _, w := range test.want {
			if !strings.Contains(plan.String(), w) {
				t.Errorf("%s: no %q in the plan\n%s", test.query, w, plan.String())
			}
		}
	}
}

// TestFeedbackQueriesUseIndexes: neither the admin's queue, nor what is known of one
// message, nor a sweep walks the log, whose rows are large.
func TestFeedbackQueriesUseIndexes(t *testing.T) {
	s := open(t, Config{})
	for _, test := range []struct{ query, index string }{
		{`SELECT seq FROM feedback WHERE seq > 5 ORDER BY seq LIMIT 9`, "INTEGER PRIMARY KEY (rowid>?)"},
		{`SELECT ` + feedbackColumns + ` FROM feedback WHERE state = ? ORDER BY seq DESC LIMIT 9`, "feedback_by_state (state=?)"},
		{`SELECT ` + feedbackColumns + ` FROM feedback WHERE id = ? ORDER BY seq DESC LIMIT 9`, "feedback_by_id (id=?)"},
		{`SELECT seq FROM feedback WHERE time < 5 AND seq <= 7 ORDER BY time LIMIT 9`, "feedback_by_time (time<?)"},
	} {
		var a, b, c int
		var plan string
		err := s.read.QueryRow(`EXPLAIN QUERY PLAN `+test.query, "x").Scan(&a, &b, &c, &plan)
		if err != nil || !strings.Contains(plan, test.index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %q, %v", test.query, plan, err)
		}
	}
}

// TestMemoQueriesUseIndexes: neither a page nor a sweep walks the memos.
func TestMemoQueriesUseIndexes(t *testing.T) {
	s := open(t, Config{})
	for _, test := range []struct{ query, index string }{
		{`SELECT key, value, updated FROM memo WHERE kind = 'k' AND key > x'00' ORDER BY key LIMIT 9`, "PRIMARY KEY (kind=? AND key>?)"},
		{`SELECT key FROM memo WHERE kind = 'k' AND updated < 5 LIMIT 9`, "memo_by_time (kind=? AND updated<?)"},
	} {
		var a, b, c int
		var plan string
		err := s.read.QueryRow(`EXPLAIN QUERY PLAN `+test.query).Scan(&a, &b, &c, &plan)
		if err != nil || !strings.Contains(plan, test.index) {
			t.Errorf("%s: %q, %v", test.query, plan, err)
		}
	}
}

func TestEscape(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte("\xf4\x8f\xbc\x80\xbf")))).Draw(t, "s"))
		e := escape(s)
		if strings.ToValidUTF8(e, "") != e {
			t.Fatalf("escape(%q) = %q is no UTF-8", s, e)
		}
		if got := unescape(e); got != s {
			t.Fatalf("unescape(escape(%q)) = %q", s, got)
		}
	})
}

// FuzzDecode: a damaged or foreign document is an error, never a panic, and what
// decodes encodes to what decodes to the same.
func FuzzDecode(f *testing.F) {
	text, err := encodeRecord(storetest.Record("a", noon))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(`{"id":"x","conn":{"client":"1.2.3.4:5"},"verdict":{"ledger":[{"id":"A","state":"unknown"}]}}`)
	f.Add(`{"decisions":[{"action":"nope"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := decodeRecord(text); err == nil && r.ID != "" {
			again, err := encodeRecord(r)
			if err != nil {
				return // a year beyond JSON's
			}
			r2, err := decodeRecord(again)
			if err != nil {
				t.Fatalf("decode of own encoding: %v\n%s", err, again)
			}
			if d := cmp.Diff(r, r2, storetest.Equal, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
				t.Fatal(d)
			}
		}
		_, _ = decodeQuarantined(text)
	})
}

// BenchmarkAppend measures records per second through queue, batch and disk.
func BenchmarkAppend(b *testing.B) {
	s := open(b, Config{Path: filepath.Join(b.TempDir(), "db")})
	r := storetest.Record("x", noon)
	i := 0
	for b.Loop() {
		c := *r
		c.ID = fmt.Sprintf("id-%d", i)
		s.Append(&c)
		if i++; i%4000 == 0 { // keep below the queue: measure writing, not dropping
			if err := s.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := s.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if st := s.LogStats(); st.Dropped+st.Failed > 0 {
		b.Fatalf("lost some: %+v", st)
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkAppendCall measures what the port pays: a queue that takes or drops.
func BenchmarkAppendCall(b *testing.B) {
	s := open(b, Config{Path: filepath.Join(b.TempDir(), "db")})
	r := storetest.Record("x", noon)
	b.ReportAllocs()
	for b.Loop() {
		s.Append(r)
	}
}

// BenchmarkPutMemos writes a batch as their owners do.
func BenchmarkPutMemos(b *testing.B) {
	s := open(b, Config{Path: filepath.Join(b.TempDir(), "db")})
	list := make([]sluice.Memo, 500)
	for i := range list {
		list[i] = sluice.Memo{Kind: "reputation", Key: fmt.Sprintf("192.0.2.%d", i), Value: make([]byte, 40), Updated: noon}
	}
	for b.Loop() {
		if err := s.PutMemos(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/memo")
}

// full returns a store with n records, a millisecond apart.
func full(b *testing.B, n int) *Store {
	b.Helper()
	s := open(b, Config{Path: filepath.Join(b.TempDir(), "db")})
	for i := range n {
		c := *storetest.Record(fmt.Sprint(i), noon.Add(time.Duration(i)*time.Millisecond))
		s.Append(&c)
		if i%4000 == 3999 || i == n-1 {
			if err := s.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	return s
}

// BenchmarkPage reads the newest page, as every screen does again and again.
func BenchmarkPage(b *testing.B) {
	s := full(b, 20_000)
	for b.Loop() {
		if rs, err := s.Records(b.Context(), sluice.Query{}); err != nil || len(rs) != 50 {
			b.Fatal(len(rs), err)
		}
	}
}

// BenchmarkSearch looks for what isn't there: the worst a reader can ask.
func BenchmarkSearch(b *testing.B) {
	s := full(b, 20_000)
	for b.Loop() {
		if rs, err := s.Records(b.Context(), sluice.Query{Text: "nowhere to be found"}); err != nil || len(rs) > 0 {
			b.Fatal(rs, err)
		}
	}
}
