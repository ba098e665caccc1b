// Package engine holds the checks that ask scanners beside the gateway about a message,
// one check for each, and those that look files up in lists of digests. What a scanner
// can't tell is unknown, never clean; what that means for the message is the admin's
// setting.
package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/engine"
	"sluice/engine/hashlist"
	"sluice/internal/table"
	"sluice/message"
	"sluice/reason"
)

// Engine is a scanner and what its answers count for.
type Engine struct {
	Scanner *engine.Guarded
	// Absent is what no answer means.
	Absent check.Absence
	// Refuse makes a hard stop of a message that is beyond the scanner's limits: else
	// padding is a way past it.
	Refuse bool
	// MaxSize is the largest message that the scanner is asked about, in octets; 0: any.
	MaxSize int
}

// Config says who is asked. Zero fields have defaults.
type Config struct {
	Engines []Engine
	Hashes  *hashlist.Set // nil: none
	DNS     *hashlist.DNS // nil: none
	// SkipText spares the scanners messages that hold nothing but plain text and HTML
	// without anything packed in it.
	SkipText bool
	// Memory is how many results are remembered, by the digest of the whole message; 0:
	// 16,384, negative: none.
	Memory int
	// Clean and Found are how long results are good, while the scanner's signatures stay
	// the same; 0: 10 min and 1 h.
	Clean, Found time.Duration
	// Wait is how long lists in the DNS are waited for; 0: 3 s.
	Wait time.Duration
}

// Checks returns the checks of this folder, by the order in c.
func Checks(c Config) []check.Checker {
	if c.Memory == 0 {
		c.Memory = 1 << 14
	}
	if c.Clean <= 0 {
		c.Clean = 10 * time.Minute
	}
	if c.Found <= 0 {
		c.Found = time.Hour
	}
	if c.Wait <= 0 {
		c.Wait = 3 * time.Second
	}
	var m *memory
	if c.Memory > 0 {
		m = newMemory(c.Memory)
	}
	var out []check.Checker
	for i, e := range c.Engines {
		out = append(out, &asking{Engine: e, cfg: &c, memory: m, index: i})
	}
	if c.Hashes != nil {
		out = append(out, newHashes(c.Hashes))
	}
	if c.DNS != nil {
		out = append(out, &asksDNS{lists: c.DNS, wait: c.Wait})
	}
	return out
}

// asking is the check of one scanner.
type asking struct {
	Engine
	cfg    *Config
	memory *memory
	index  int
}

// Info returns the declaration. What is unknown comes first: it is what a check without
// an answer amounts to.
func (a *asking) Info() check.Info {
	return check.Info{
		Name: "engine/" + a.Scanner.Name(), Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Remote,
		Deadline: a.Scanner.Timeout() + time.Second, Absent: a.Absent,
		Reasons: []sluice.Reason{reason.EngineUnknown, reason.EngineMalware, reason.EngineSuspicious, reason.EngineUnscannable},
	}
}

// Check asks the scanner about the whole message: scanners unpack mail themselves.
func (a *asking) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil || a.cfg.SkipText && textOnly(in.Message) {
		return nil, nil
	}
	raw := in.Message.Raw
	if a.MaxSize > 0 && len(raw) > a.MaxSize {
		return a.unscannable(fmt.Sprintf("%d octets, it is asked about %d at most", len(raw), a.MaxSize)), nil
	}
	var key memoryKey
	version := ""
	if a.memory != nil {
		key, version = memoryKey{sum: sha256.Sum256(raw), engine: a.index}, a.Scanner.Version()
		if found, ok := a.memory.recall(key, version, in.Now); ok {
			return evidence(found), nil
		}
	}
	var found []engine.Finding
	for body := range readings(in.Message) {
		f, err := a.Scanner.Scan(ctx, body)
		switch {
		case errors.Is(err, engine.ErrUnscannable):
			return append(evidence(found), a.unscannable(engine.Printable(err.Error(), 300))...), nil
		case err != nil:
			return evidence(found), fmt.Errorf("engine: %w", err)
		}
		for _, x := range f {
			if !slices.Contains(found, x) {
				found = append(found, x)
			}
		}
		if slices.ContainsFunc(f, func(x engine.Finding) bool { return x.Kind == engine.Malware }) {
			break // decided
		}
	}
	if a.memory != nil {
		good := a.cfg.Clean
		if len(found) > 0 {
			good = a.cfg.Found
		}
		a.memory.keep(key, remembered{found: found, version: version, until: in.Now.Add(good)}, in.Now)
	}
	return evidence(found), nil
}

// maxReadings bounds what of one message is scanned beside itself.
const maxReadings = 4

// readings are the message, and the messages that stand in it in a form that only some
// readers open: encoded ones, which a scanner may take for a file, and second readings
// of what is ambiguous. Most messages have none.
func readings(m *message.Message) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if !yield(m.Raw) {
			return
		}
		var last *message.Message
		more, room := 0, len(m.Raw)+1<<20
		for in := range m.All() {
			if in == m || in == last {
				continue
			}
			last = in
			if more++; more > maxReadings || len(in.Raw) > room {
				return
			}
			room -= len(in.Raw)
			if !yield(in.Raw) {
				return
			}
		}
	}
}

func (a *asking) unscannable(why string) []sluice.Evidence {
	ev := check.Found(reason.EngineUnscannable, a.Scanner.Name()+": "+why)
	if a.Refuse {
		ev.Raw, ev.Hard = 0, sluice.HardStop
	}
	return []sluice.Evidence{ev}
}

// most bounds the findings that are stated of one scanner.
const most = 10

// evidence turns findings into evidence: each malware, and all suspicions as one, for
// one more says nothing new.
func evidence(found []engine.Finding) []sluice.Evidence {
	var out []sluice.Evidence
	var suspicions []string
	for _, f := range found {
		switch {
		case f.Kind == engine.Malware && len(out) < most:
			out = append(out, check.Found(reason.EngineMalware, words(f)))
		case f.Kind != engine.Malware && len(suspicions) < most:
			suspicions = append(suspicions, words(f))
		}
	}
	if len(suspicions) > 0 {
		out = append(out, check.Found(reason.EngineSuspicious, strings.Join(suspicions, "; ")))
	}
	return out
}

// words is "name (by engine, in place)". The reply to the sender takes the name from it.
func words(f engine.Finding) string {
	by := " (by " + engine.Printable(f.Engine, 60)
	if f.Where != "" {
		by += ", in " + f.Where
	}
	return engine.Printable(f.Signature, engine.MaxSignature) + by + ")"
}

// textOnly says whether a message is plain text and HTML and nothing else for any
// reader: no file, nothing hidden in second readings, nothing packed into HTML.
func textOnly(m *message.Message) bool {
	if m.Truncated {
		return false
	}
	for in, p := range m.All() {
		switch {
		case in != m || p.Ghost || len(p.Readings) > 0 || p.Embedded || p.IsFile():
			return false
		case p.IsMultipart() && len(p.Children) > 0:
		case p.Type != "text/plain" && p.Type != "text/html":
			return false
		case p.Type == "text/html" && packed(m.Decoded(p)):
			return false
		}
	}
	if v := m.View(); v.Scripts > 0 || v.Frames > 0 {
		return false
	}
	return true
}

// packed says whether HTML carries something in itself.
func packed(html []byte) bool {
	return strings.Contains(strings.ToLower(string(html)), "data:")
}

// memory remembers what scanners said about whole messages. Only the very same octets
// count: scanners look at headers too, so a message with another header may be clean,
// or not.
type memory struct {
	table *table.Table[memoryKey, remembered]
}

type memoryKey struct {
	sum    [sha256.Size]byte
	engine int
}

type remembered struct {
	found   []engine.Finding
	version string
	until   time.Time
	seen    int // beyond the first
}

func newMemory(entries int) *memory {
	return &memory{table.New[memoryKey](table.Config[remembered]{Capacity: entries, Worth: func(v *remembered, now time.Time) float64 {
		if now.After(v.until) {
			return -1
		}
		return float64(v.seen)
	}})}
}

func (m *memory) recall(k memoryKey, version string, now time.Time) ([]engine.Finding, bool) {
	v, ok := m.table.Get(k)
	if !ok || v.version != version || now.After(v.until) {
		return nil, false
	}
	m.table.Amend(k, now, func(v *remembered) { v.seen++ })
	return v.found, true
}

func (m *memory) keep(k memoryKey, v remembered, now time.Time) {
	m.table.Update(k, now, func(old *remembered) {
		v.seen = old.seen
		*old = v
	})
}
