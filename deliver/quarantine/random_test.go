package quarantine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/quarantine"
	"sluice/internal/durable"
)

// Random histories with crashes in between, beside a map that knows what must be
// there.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type kept struct {
			body             string
			pending, release bool
		}
		m := durable.NewMem()
		s := open(t, m, quarantine.Config{})
		want := map[string]kept{}
		ctx := t.Context()
		some := func() string {
			ids := slices.Sorted(maps.Keys(want))
			return rapid.SampledFrom(append(ids, "nobody-knows-it")).Draw(rt, "id")
		}
		expect := func(what string, err error, ok bool) {
			if ok && err != nil || !ok && !errors.Is(err, sluice.ErrNotFound) {
				rt.Fatalf("%s: %v", what, err)
			}
		}
		n := 0
		check := func(contents bool) {
			found := map[string]kept{}
			err := s.Each(ctx, func(q *sluice.Quarantined, err error) error {
				if err != nil {
					return err
				}
				if !contents {
					found[q.ID] = kept{want[q.ID].body, q.Pending, !q.Released.IsZero()}
					return nil
				}
				_, rc, err := s.Open(ctx, q.ID)
				if err != nil {
					return err
				}
				defer rc.Close()
				body, err := io.ReadAll(rc)
				found[q.ID] = kept{string(body), q.Pending, !q.Released.IsZero()}
				return err
			})
			if err != nil || !maps.Equal(found, want) {
				rt.Fatalf("found %v, want %v: %v", found, want, err)
			}
			if _, files := s.Usage(); files != len(want) {
				rt.Fatalf("%d files counted, want %d", files, len(want))
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { check(false) },
			"put": func(rt *rapid.T) {
				n++
				id := fmt.Sprintf("%02d-message", n)
				body := string(bytes.Repeat([]byte(id), rapid.IntRange(0, 500).Draw(rt, "size")))
				q := delivertest.Quarantined(id)
				q.Pending = rapid.Bool().Draw(rt, "pending")
				if err := s.Put(ctx, q, []byte(body)); err != nil {
					rt.Fatal(err)
				}
				want[id] = kept{body, q.Pending, false}
			},
			"commit": func(*rapid.T) {
				id := some()
				k, ok := want[id]
				expect("commit", s.Commit(ctx, id), ok)
				if ok {
					k.pending = false
					want[id] = k
				}
			},
			"abort": func(*rapid.T) {
				id := some()
				expect("abort", s.Abort(ctx, id), want[id].pending)
				if want[id].pending {
					delete(want, id)
				}
			},
			"delete": func(*rapid.T) {
				id := some()
				k, ok := want[id]
				expect("delete", s.Delete(ctx, id), ok && !k.pending)
				if ok && !k.pending {
					delete(want, id)
				}
			},
			"release": func(*rapid.T) {
				id := some()
				k, ok := want[id]
				expect("release", s.MarkReleased(ctx, id, time.Unix(1, 0)), ok && !k.pending)
				if ok && !k.pending {
					k.release = true
					want[id] = k
				}
			},
			"crash": func(rt *rapid.T) {
				var rnd *rand.Rand
				if seed := rapid.Uint64().Draw(rt, "seed"); seed > 0 {
					rnd = rand.New(rand.NewPCG(seed, 0))
				}
				m = m.Crash(rnd)
				s = open(t, m, quarantine.Config{})
				if _, err := s.Recover(ctx); err != nil {
					rt.Fatal(err)
				}
				maps.DeleteFunc(want, func(_ string, k kept) bool { return k.pending })
				check(true)
			},
		})
	})
}
