package maildir_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"path"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/maildir"
	"sluice/internal/durable"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read(t *testing.T, fsys durable.FS, name string) string {
	t.Helper()
	r, err := fsys.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func list(t *testing.T, fsys durable.FS, dir string) (names []string) {
	t.Helper()
	es, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		names = append(names, path.Join(dir, e.Name))
	}
	return names
}

func TestConformance(t *testing.T) {
	for name, fsys := range map[string]durable.FS{"os": durable.OS{}, "mem": durable.NewMem()} {
		t.Run(name, func(t *testing.T) {
			delivertest.TestDeliverer(t, func(t *testing.T) (sluice.Deliverer, func() []string) {
				dir := path.Join(t.TempDir(), "Maildir")
				m, err := maildir.New(maildir.Config{Dir: dir, FS: fsys, Hostname: "gate.example"})
				if err != nil {
					t.Fatal(err)
				}
				return m, func() (texts []string) {
					for _, name := range list(t, fsys, path.Join(dir, "new")) {
						texts = append(texts, strings.ReplaceAll(read(t, fsys, name), "\n", "\r\n"))
					}
					if left := list(t, fsys, path.Join(dir, "tmp")); len(left) > 0 {
						t.Errorf("left in tmp: %v", left)
					}
					return texts
				}
			})
		})
	}
}

func TestFile(t *testing.T) {
	m := durable.NewMem()
	md, err := maildir.New(maildir.Config{Dir: "M", FS: m, Hostname: "gate/../:25"})
	if err != nil {
		t.Fatal(err)
	}
	d := delivertest.Delivery("Subject: x\r\n\r\na\rb\nc\r\n", "../../etc@rcpt.example", "a\r\nX-Evil: b@rcpt.example")
	d.Envelope.From = ""
	if out := md.Deliver(t.Context(), d); !out[0].Delivered() {
		t.Fatalf("%+v", out)
	}
	names := list(t, m, "M/new")
	if len(names) != 1 || strings.Count(names[0], "/") != 2 || strings.Contains(names[0], ":") {
		t.Fatalf("files %v", names)
	}
	want := "Return-Path: <>\nDelivered-To: ../../etc@rcpt.example\nDelivered-To: a??X-Evil: b@rcpt.example\nX-Sluice-ID: id\nSubject: x\n\na\rb\nc\n"
	if got := read(t, m, names[0]); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A crash at any operation: what was said to be stored is there and whole, and
// nothing in "new" is ever torn.
func TestCrashAnywhere(t *testing.T) {
	m := durable.NewMem()
	md, err := maildir.New(maildir.Config{Dir: "M", FS: m})
	if err != nil {
		t.Fatal(err)
	}
	stored, points := 0, 0
	check := func() {
		points++
		for seed := range uint64(20) {
			var rnd *rand.Rand
			if seed > 0 {
				rnd = rand.New(rand.NewPCG(seed, uint64(points)))
			}
			left := m.Crash(rnd)
			names := list(t, left, "M/new")
			if len(names) < stored {
				t.Fatalf("point %d: %d of %d messages", points, len(names), stored)
			}
			for _, name := range names {
				if text := read(t, left, name); !strings.HasSuffix(text, "the end\n") {
					t.Fatalf("point %d: torn: %q", points, text)
				}
			}
		}
	}
	m.Before = func(durable.Op) error { check(); return nil }
	for range 3 {
		if out := md.Deliver(t.Context(), delivertest.Delivery("Subject: x\r\n\r\nthe end\r\n", "a@rcpt.example")); !out[0].Delivered() {
			t.Fatalf("%+v", out)
		}
		stored++
		check()
	}
	if points < 15 {
		t.Errorf("only %d points", points)
	}
}

func TestDiskFails(t *testing.T) {
	for _, trouble := range []error{syscall.ENOSPC, errors.New("input/output error")} {
		for at := 1; ; at++ {
			m := durable.NewMem()
			md, err := maildir.New(maildir.Config{Dir: "M", FS: m})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			m.Before = func(durable.Op) error {
				if n++; n == at {
					return trouble
				}
				return nil
			}
			o := md.Deliver(t.Context(), delivertest.Delivery("x\r\n", "a@rcpt.example"))[0]
			if n < at {
				if !o.Delivered() || at < 5 {
					t.Errorf("ended at %d: %+v", at, o)
				}
				break
			}
			want := 451
			if errors.Is(trouble, syscall.ENOSPC) {
				want = 452
			}
			if o.Reply.Code != want || !errors.Is(o.Err, trouble) || len(list(t, m, "M/new")) != 0 || len(list(t, m, "M/tmp")) != 0 {
				t.Errorf("failure at %d: %+v, %v", at, o, list(t, m, "M/new"))
			}
		}
	}
	if _, err := maildir.New(maildir.Config{}); err == nil {
		t.Error("no folder: no error")
	}
}
