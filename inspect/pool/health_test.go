package pool

import (
	"errors"
	"strings"
	"testing"

	"sluice/inspect"
)

// TestHealth: what a pool does, and how its processes die, can be seen.
func TestHealth(t *testing.T) {
	p := pool(t, Config{Size: 1})
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"quick", "quick", "crash"} {
		if _, err := ask(p, kind, 1); err != nil {
			t.Fatal(err)
		}
	}
	h := p.Health()
	// A request that crashes its process is given to a second one.
	if h.Processes != 1 || h.Running > 1 || h.Looked != 2 || h.Early != 1 || h.Failed != 0 || h.Deaths != 2 || h.LastDeath.IsZero() ||
		!strings.HasPrefix(h.Why, inspect.Crashed.String()+": ") || h.Waiting != 0 || h.Queue != 64 || h.Trouble != "" || len(h.Sandbox) != 4 {
		t.Errorf("%+v", h)
	}
	q := New(Config{Size: 1, Command: []string{"/nonexistent"}})
	defer q.Close()
	if err := q.Ready(t.Context()); !errors.Is(err, ErrDown) {
		t.Fatal(err)
	}
	if h := q.Health(); h.Trouble == "" || h.Running != 0 || len(h.Sandbox) != 0 {
		t.Errorf("%+v", h)
	}
}
