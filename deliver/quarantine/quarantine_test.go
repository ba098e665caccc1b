package quarantine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/quarantine"
	"sluice/internal/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, fsys durable.FS, cfg quarantine.Config) *quarantine.Store {
	t.Helper()
	cfg.FS = fsys
	if cfg.Dir == "" {
		cfg.Dir = "q"
	}
	s, err := quarantine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	t.Run("os", func(t *testing.T) {
		delivertest.TestQuarantine(t, func(t *testing.T) sluice.Quarantine {
			return open(t, durable.OS{}, quarantine.Config{Dir: path.Join(t.TempDir(), "data/quarantine")})
		})
	})
	t.Run("mem", func(t *testing.T) {
		delivertest.TestQuarantine(t, func(t *testing.T) sluice.Quarantine {
			return open(t, durable.NewMem(), quarantine.Config{})
		})
	})
}

// promise is what the callers of a quarantine have been told about one message.
type promise int

const (
	unsaid  promise = iota // Put has not returned: whole or not there
	kept                   // must be there
	pending                // Put returned, Commit was not called: Recover drops it
	gone                   // Abort or Delete returned: must not be there
)

// At every operation on the disk the power may go. What was promised then must
// hold after a restart, and what is there must be whole.
func TestCrashAnywhere(t *testing.T) {
	body := bytes.Repeat([]byte("Subject: x\r\n\r\nsome text that is long enough to be torn\r\n"), 20)
	m := durable.NewMem()
	said := map[string]promise{}
	points := 0
	check := func() {
		points++
		for seed := range uint64(12) {
			var rnd *rand.Rand
			if seed > 0 {
				rnd = rand.New(rand.NewPCG(seed, uint64(points)))
			}
			after(t, fmt.Sprintf("point %d seed %d", points, seed), m.Crash(rnd), said, body)
		}
	}
	s := open(t, m, quarantine.Config{})
	m.Before = func(durable.Op) error { check(); return nil }
	ctx := t.Context()
	do := func(id string, before promise, f func() error, then promise) {
		t.Helper()
		said[id] = before
		if err := f(); err != nil {
			t.Fatal(err)
		}
		said[id] = then
		check()
	}
	put := func(id string, pend bool) func() error {
		return func() error {
			q := delivertest.Quarantined(id)
			q.Pending = pend
			return s.Put(ctx, q, body)
		}
	}
	do("aa-plain-put", unsaid, put("aa-plain-put", false), kept)
	do("aa-committed", unsaid, put("aa-committed", true), pending)
	do("bb-aborted-1", unsaid, put("bb-aborted-1", true), pending)
	do("aa-committed", unsaid, func() error { return s.Commit(ctx, "aa-committed") }, kept)
	do("bb-aborted-1", pending, func() error { return s.Abort(ctx, "bb-aborted-1") }, gone)
	do("bb-deleted-1", unsaid, put("bb-deleted-1", false), kept)
	do("aa-plain-put", kept, func() error { return s.MarkReleased(ctx, "aa-plain-put", time.Now()) }, kept)
	do("bb-deleted-1", unsaid, func() error { return s.Delete(ctx, "bb-deleted-1") }, gone)
	if points < 30 {
		t.Errorf("only %d points seen", points)
	}
	t.Logf("%d crash points × 12 outcomes", points)
}

// after restarts on what a crash left and compares it with what was promised.
func after(t *testing.T, where string, left *durable.Mem, said map[string]promise, body []byte) {
	t.Helper()
	s := open(t, left, quarantine.Config{})
	if _, err := s.Recover(t.Context()); err != nil {
		t.Fatalf("%s: recover: %v", where, err)
	}
	err := s.Each(t.Context(), func(q *sluice.Quarantined, err error) error {
		if err != nil {
			t.Errorf("%s: a broken file is left: %v", where, err)
		} else if q.Pending {
			t.Errorf("%s: %s is still pending", where, q.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	for id, p := range said {
		_, rc, err := s.Open(t.Context(), id)
		switch {
		case err == nil:
			got, err := io.ReadAll(rc)
			_ = rc.Close()
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s: %s: %d octets: %v", where, id, len(got), err)
			}
			if p == pending || p == gone {
				t.Errorf("%s: %s is there", where, id)
			}
		case !errors.Is(err, sluice.ErrNotFound):
			t.Errorf("%s: %s: %v", where, id, err)
		case p == kept:
			t.Errorf("%s: %s is lost", where, id)
		}
	}
}

// A disk that fails at any one operation: Put says so, and the message is not
// found afterwards; what was there before stays.
func TestPutFails(t *testing.T) {
	for _, pend := range []bool{false, true} {
		for at := 1; ; at++ {
			m := durable.NewMem()
			s := open(t, m, quarantine.Config{})
			if err := s.Put(t.Context(), delivertest.Quarantined("aa-older-one"), []byte("x")); err != nil {
				t.Fatal(err)
			}
			n := 0
			m.Before = func(durable.Op) error {
				if n++; n == at {
					return syscall.ENOSPC
				}
				return nil
			}
			q := delivertest.Quarantined("aa-newer-one")
			q.Pending = pend
			err := s.Put(t.Context(), q, []byte("y"))
			if n < at {
				if err != nil || at < 4 {
					t.Errorf("ended after %d: %v", at, err)
				}
				break
			}
			if r := sluice.ReplyTo(err); r.Code != 452 || r.Enhanced != "4.3.1" || !errors.Is(err, quarantine.ErrFull) {
				t.Errorf("failure at %d: %v, reply %s", at, err, r)
			}
			if _, _, err := s.Open(t.Context(), "aa-newer-one"); !errors.Is(err, sluice.ErrNotFound) {
				t.Errorf("failure at %d: found all the same: %v", at, err)
			}
			if _, files := s.Usage(); files != 1 {
				t.Errorf("failure at %d: %d files counted", at, files)
			}
			if _, _, err := s.Open(t.Context(), "aa-older-one"); err != nil {
				t.Errorf("failure at %d: the older one: %v", at, err)
			}
		}
	}
}

func TestQuota(t *testing.T) {
	ctx := t.Context()
	m := durable.NewMem()
	s := open(t, m, quarantine.Config{MaxFiles: 2})
	for _, id := range []string{"quota-file-1", "quota-file-2"} {
		if err := s.Put(ctx, delivertest.Quarantined(id), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Put(ctx, delivertest.Quarantined("quota-file-3"), []byte("x"))
	if r := sluice.ReplyTo(err); r.Code != 452 || !errors.Is(err, quarantine.ErrFull) {
		t.Errorf("third of two: %v", err)
	}
	if err := s.Delete(ctx, "quota-file-1"); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(ctx, delivertest.Quarantined("quota-file-3"), []byte("x")); err != nil {
		t.Errorf("after a delete: %v", err)
	}
	// A new process counts what is there; noise does not shrink to nothing.
	noise := make([]byte, 8000)
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	used, files := s.Usage()
	s = open(t, m, quarantine.Config{MaxBytes: used + 12_000})
	if b, f := s.Usage(); b != used || f != files {
		t.Errorf("a new process counts %d octets in %d files, the old one %d in %d", b, f, used, files)
	}
	if err := s.Put(ctx, delivertest.Quarantined("quota-byte-1"), noise); err != nil {
		t.Errorf("first 8 kB of 12: %v", err)
	}
	if err := s.Put(ctx, delivertest.Quarantined("quota-byte-2"), noise); !errors.Is(err, quarantine.ErrFull) {
		t.Errorf("second 8 kB of 12: %v", err)
	}
}

func TestSweep(t *testing.T) {
	ctx := t.Context()
	m := durable.NewMem()
	s := open(t, m, quarantine.Config{Retention: 10 * time.Hour})
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for id, stored := range map[string]time.Time{"old-old-old": now.Add(-11 * time.Hour), "new-new-new": now.Add(-9 * time.Hour)} {
		for _, pend := range []bool{false, true} {
			q := delivertest.Quarantined(id)
			q.Stored, q.Expires, q.Pending = stored, time.Time{}, pend
			if pend {
				q.ID += "-pending"
				q.Stored = stored.Add(9*time.Hour + time.Minute) // the newer one was written a minute from now
			}
			if err := s.Put(ctx, q, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	deleted, err := s.Sweep(ctx, now)
	if err != nil || !slices.Equal(deleted, []string{"old-old-old"}) {
		t.Errorf("deleted %v, %v", deleted, err)
	}
	if _, files := s.Usage(); files != 2 {
		t.Errorf("%d files left, want the newer one and the newer pending one", files)
	}
}

// index is a QuarantineIndex that only takes what Reindex gives.
type index struct {
	sluice.QuarantineIndex
	rows []string
}

func (x *index) ReplaceIndex(ctx context.Context, each func(func(*sluice.Quarantined) error) error) error {
	return each(func(q *sluice.Quarantined) error { x.rows = append(x.rows, q.ID); return nil })
}

func TestReindexAndBrokenFiles(t *testing.T) {
	ctx := t.Context()
	m := durable.NewMem()
	s := open(t, m, quarantine.Config{})
	for _, id := range []string{"good-good-1", "good-good-2", "torn-torn-1"} {
		if err := s.Put(ctx, delivertest.Quarantined(id), bytes.Repeat([]byte("x"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	q := delivertest.Quarantined("pend-pend-1")
	q.Pending = true
	if err := s.Put(ctx, q, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := m.Rename("q/to/torn-torn-1.sq", "q/to/torn-name-9.sq"); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(m, "q/to/torn-torn-2.sq", []byte("sluice-quarantine 1\n{")); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(m, "q/to/strangers.txt", []byte("left alone")); err != nil {
		t.Fatal(err)
	}
	var x index
	kept, broken, err := s.Reindex(ctx, &x)
	if kept != 2 || broken != 2 || err != nil {
		t.Errorf("kept %d, broken %d, %v; want 2, 2: a torn file and one under another's name", kept, broken, err)
	}
	if diff := cmp.Diff([]string{"good-good-1", "good-good-2"}, x.rows); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Open("q/to/strangers.txt"); err != nil {
		t.Errorf("a stranger's file: %v", err)
	}
	if _, _, err := s.Open(ctx, "torn-torn-2"); err == nil || errors.Is(err, sluice.ErrNotFound) {
		t.Errorf("a torn file opens with %v", err)
	}
	if _, err := m.Open("q/pe/pend-pend-1.pending"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("pending after Recover: %v", err)
	}
}

// The files outlive the program: what version 1 wrote must always be readable.
// This is its description as text.
func TestFormatStays(t *testing.T) {
	m := durable.NewMem()
	s := open(t, m, quarantine.Config{})
	if err := s.Put(t.Context(), delivertest.Quarantined("format-stays"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	r, err := m.Open("q/fo/format-stays.sq")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(data), "\n", 3)
	const want = `{"ID":"format-stays","Tenant":"tenant","Envelope":{"ID":"format-stays","From":"\u0000b64:b2Rk/0BzZW5kZXIuZXhhbXBsZQ==","Params":[{"Key":"BODY","Value":"8BITMIME"}],"Rcpts":[{"Address":"a@rcpt.example","Params":[{"Key":"NOTIFY","Value":"NEVER"}]},{"Address":"b@rcpt.example","Params":null}],"Size":1234,"Body":"8BITMIME","SMTPUTF8":true,"Tenant":"tenant","Received":"2026-03-04T05:06:07Z"},"Conn":{"ID":"conn","Client":"[2001:db8::1]:4711","Local":"","Start":"2026-03-04T05:06:07Z","Door":"smtp","Hello":{"Verb":"EHLO","Name":"\u0000b64:YmFkgG5hbWU="},"TLS":{"Version":"TLS1.3","Cipher":"","ServerName":""},"Auth":"","Trusted":false,"AlreadyAccepted":false,"Stored":false},"Verdict":{"Threat":"phish","Points":21.5,"Probability":0.993,"Hard":"","HardKind":0,"Ledger":[{"Reason":"LINK_TEXT_MISMATCH","Phase":"message","Group":"link","Raw":4,"Threat":"none","State":"found","Hard":0,"Detail":"a\u001b[31m\r\n","Range":{"off":7,"len":9},"Part":0,"Points":4}],"Versions":{"program":"1","catalogue":"c","model":"","config":""}},"Stored":"2026-03-04T05:06:07Z","Expires":"2026-03-05T05:06:07Z","Size":1,"Subject":"Ünïcode subject","Pending":false,"Released":"0001-01-01T00:00:00Z"}`
	if lines[0] != "sluice-quarantine 1" || lines[1] != want {
		t.Errorf("the format has changed: readers of old files need a new version of it\n got %s\nwant %s", lines[1], want)
	}
}

func FuzzFile(f *testing.F) {
	m := durable.NewMem()
	s := open(f, m, quarantine.Config{})
	if err := s.Put(f.Context(), delivertest.Quarantined("fuzz-fuzz-1"), []byte("Subject: x\r\n\r\nbody\r\n")); err != nil {
		f.Fatal(err)
	}
	r, err := m.Open("q/fu/fuzz-fuzz-1.sq")
	if err != nil {
		f.Fatal(err)
	}
	seed, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m := durable.NewMem()
		s := open(t, m, quarantine.Config{})
		if err := m.MkdirAll("q/fu"); err != nil {
			t.Fatal(err)
		}
		if err := durable.WriteFile(m, "q/fu/fuzz-fuzz-1.sq", data); err != nil {
			t.Fatal(err)
		}
		q, rc, err := s.Open(t.Context(), "fuzz-fuzz-1")
		if err == nil {
			n, err := io.Copy(io.Discard, rc)
			_ = rc.Close()
			if err == nil && n != q.Size {
				t.Errorf("%d octets, %d announced", n, q.Size)
			}
		}
		if err := s.Each(t.Context(), func(*sluice.Quarantined, error) error { return nil }); err != nil {
			t.Error(err)
		}
		if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
	})
}

func benchmarkPut(b *testing.B, fsys durable.FS, dir string) {
	s := open(b, fsys, quarantine.Config{Dir: dir})
	body := []byte(strings.Repeat("Received: from somewhere by elsewhere; some date\r\n", 200))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Put(b.Context(), delivertest.Quarantined(""), body); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutCPU leaves the disk out.
func BenchmarkPutCPU(b *testing.B) { benchmarkPut(b, noSync{durable.OS{}}, b.TempDir()) }

// BenchmarkPut waits for the disk's syncs.
func BenchmarkPut(b *testing.B) { benchmarkPut(b, durable.OS{}, b.TempDir()) }

// noSync trusts the page cache: for measuring only.
type noSync struct{ durable.FS }

type noSyncFile struct{ durable.File }

func (n noSync) SyncDir(string) error { return nil }

func (n noSync) Create(name string) (durable.File, error) {
	f, err := n.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return noSyncFile{f}, nil
}

func (noSyncFile) Sync() error { return nil }
