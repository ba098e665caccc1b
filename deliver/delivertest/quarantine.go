package delivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice"
)

// Quarantined is a message with every field set, for tests of stores.
func Quarantined(id string) *sluice.Quarantined {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	return &sluice.Quarantined{
		ID: id, Tenant: "tenant", Subject: "Ünïcode subject",
		Envelope: sluice.Envelope{ID: id, From: "odd\xff@sender.example", Params: []sluice.Param{{Key: "BODY", Value: "8BITMIME"}},
			Rcpts: []sluice.Recipient{{Address: "a@rcpt.example", Params: []sluice.Param{{Key: "NOTIFY", Value: "NEVER"}}}, {Address: "b@rcpt.example"}},
			Size:  1234, Body: "8BITMIME", SMTPUTF8: true, Tenant: "tenant", Received: at},
		Conn: sluice.Conn{ID: "conn", Client: netip.MustParseAddrPort("[2001:db8::1]:4711"), Start: at, Door: "smtp",
			Hello: sluice.Hello{Verb: "EHLO", Name: "bad\x80name"}, TLS: &sluice.TLSInfo{Version: "TLS1.3"}},
		Verdict: sluice.Verdict{Threat: sluice.ThreatPhish, Points: 21.5, Probability: 0.993,
			Ledger: []sluice.Contribution{{Evidence: sluice.Evidence{Reason: "LINK_TEXT_MISMATCH", Phase: sluice.PhaseMessage,
				Group: sluice.GroupLink, Raw: 4, Detail: "a\x1b[31m\r\n", Range: sluice.Range{Off: 7, Len: 9}}, Points: 4}},
			Versions: sluice.Versions{Program: "1", Catalogue: "c"}},
		Stored: at, Expires: at.Add(24 * time.Hour),
	}
}

// contents lists what q holds, oldest first.
func contents(t *testing.T, q sluice.Quarantine) (ids []string) {
	t.Helper()
	err := q.Each(t.Context(), func(m *sluice.Quarantined, err error) error {
		if err != nil {
			t.Errorf("Each: %v", err)
			return nil
		}
		ids = append(ids, m.ID)
		return nil
	})
	if err != nil {
		t.Errorf("Each: %v", err)
	}
	return ids
}

// TestQuarantine is the conformance suite of [sluice.Quarantine]. open gives an
// empty one.
func TestQuarantine(t *testing.T, open func(t *testing.T) sluice.Quarantine) {
	body := []byte("Subject: x\r\n\r\n\x00\xff any octets \n\r\r\n.\r\n" + strings.Repeat("text ", 1000))
	put := func(t *testing.T, q sluice.Quarantine, m *sluice.Quarantined) {
		t.Helper()
		if err := q.Put(t.Context(), m, body); err != nil {
			t.Fatal(err)
		}
	}
	wantOpen := func(t *testing.T, q sluice.Quarantine, want *sluice.Quarantined) {
		t.Helper()
		got, rc, err := q.Open(t.Context(), want.ID)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		data, err := io.ReadAll(rc)
		if err != nil || !bytes.Equal(data, body) {
			t.Errorf("content differs: %d octets, want %d: %v", len(data), len(body), err)
		}
		if err := rc.Close(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
			t.Errorf("description differs (-want +got):\n%s", diff)
		}
	}
	wantMissing := func(t *testing.T, q sluice.Quarantine, id string) {
		t.Helper()
		if _, _, err := q.Open(t.Context(), id); !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("Open %q: %v, want ErrNotFound", id, err)
		}
	}

	t.Run("whole life", func(t *testing.T) {
		q := open(t)
		m := Quarantined("whole-life-1")
		put(t, q, m)
		if m.Size != int64(len(body)) {
			t.Errorf("Size %d, want %d", m.Size, len(body))
		}
		wantOpen(t, q, m)
		m.Released = time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)
		if err := q.MarkReleased(t.Context(), m.ID, m.Released); err != nil {
			t.Fatal(err)
		}
		wantOpen(t, q, m)
		if err := q.Delete(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, q, m.ID)
		if ids := contents(t, q); len(ids) != 0 {
			t.Errorf("left after Delete: %v", ids)
		}
		// The same id again starts without the old release.
		m.Released = time.Time{}
		put(t, q, m)
		wantOpen(t, q, m)
	})
	t.Run("pending", func(t *testing.T) {
		q := open(t)
		m := Quarantined("pending-0001")
		m.Pending = true
		put(t, q, m)
		wantOpen(t, q, m)
		if err := q.Delete(t.Context(), m.ID); !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("Delete of a pending message: %v, want ErrNotFound", err)
		}
		for range 2 {
			if err := q.Commit(t.Context(), m.ID); err != nil {
				t.Fatalf("Commit: %v", err)
			}
		}
		m.Pending = false
		wantOpen(t, q, m)
		if err := q.Abort(t.Context(), m.ID); !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("Abort of a committed message: %v, want ErrNotFound", err)
		}
		wantOpen(t, q, m)

		m = Quarantined("pending-0002")
		m.Pending = true
		put(t, q, m)
		if err := q.Abort(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
		wantMissing(t, q, m.ID)
		if err := q.Commit(t.Context(), m.ID); !errors.Is(err, sluice.ErrNotFound) {
			t.Errorf("Commit after Abort: %v, want ErrNotFound", err)
		}
	})
	t.Run("order", func(t *testing.T) {
		q := open(t)
		for i, id := range []string{"cc-second-1", "bb-third-12", "aa-first-12"} {
			m := Quarantined(id)
			m.Stored = m.Stored.Add(time.Duration([]int{1, 2, 0}[i]) * time.Hour)
			put(t, q, m)
		}
		if diff := cmp.Diff([]string{"aa-first-12", "cc-second-1", "bb-third-12"}, contents(t, q)); diff != "" {
			t.Error(diff)
		}
		stop := errors.New("stop")
		n := 0
		if err := q.Each(t.Context(), func(*sluice.Quarantined, error) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
			t.Errorf("Each after its function failed: %v, %d calls", err, n)
		}
	})
	t.Run("ids", func(t *testing.T) {
		q := open(t)
		m := Quarantined("")
		put(t, q, m)
		if m.ID == "" {
			t.Fatal("no id given")
		}
		m2 := Quarantined("")
		put(t, q, m2)
		if m.ID == m2.ID {
			t.Error("the same id twice")
		}
		if err := q.Put(t.Context(), Quarantined(m.ID), []byte("other")); err == nil {
			t.Error("one id taken twice")
		}
		wantOpen(t, q, m)
		for _, id := range []string{"../../etc/passwd", "..", "a/b/c/d/e/f", "", "nul\x00nul-nul", "unknown-1234", strings.Repeat("x", 300)} {
			wantMissing(t, q, id)
			for what, err := range map[string]error{"Commit": q.Commit(t.Context(), id), "Abort": q.Abort(t.Context(), id),
				"Delete": q.Delete(t.Context(), id), "MarkReleased": q.MarkReleased(t.Context(), id, time.Now())} {
				if !errors.Is(err, sluice.ErrNotFound) {
					t.Errorf("%s %.20q: %v, want ErrNotFound", what, id, err)
				}
			}
			if id == "unknown-1234" || id == "" {
				continue
			}
			if err := q.Put(t.Context(), Quarantined(id), body); err == nil {
				t.Errorf("Put %.20q: no error", id)
			}
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		q := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Put(ctx, Quarantined("cancelled-1"), body); !errors.Is(err, context.Canceled) {
			t.Errorf("Put: %v", err)
		}
		wantMissing(t, q, "cancelled-1")
	})
	t.Run("concurrent", func(t *testing.T) {
		q := open(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for j := range 5 {
					m := Quarantined(fmt.Sprintf("%d%d-concurrent", i, j))
					m.Pending = j%2 == 0
					err := q.Put(t.Context(), m, body)
					if m.Pending {
						err = errors.Join(err, q.Commit(t.Context(), m.ID))
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := len(contents(t, q)); n != 40 {
			t.Errorf("%d messages, want 40", n)
		}
	})
}
