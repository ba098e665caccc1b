package engine

import (
	"context"
	"crypto/sha256"
	"iter"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/engine"
	"sluice/engine/hashlist"
	"sluice/message"
	"sluice/reason"
)

// Bounds of what one message is looked up for.
const (
	maxFiles = 200
	maxAsked = 8 // in the DNS
)

// hashed is a part's content with its digest.
type hashed struct {
	data  []byte
	sum   [sha256.Size]byte
	where string
	part  *message.Part
}

// files walks the parts that aren't containers, each content once.
func files(m *message.Message) iter.Seq[hashed] {
	return func(yield func(hashed) bool) {
		seen := map[[sha256.Size]byte]bool{}
		for in, p := range m.All() {
			if len(p.Children) > 0 && (p.IsMultipart() || p.IsMessage()) {
				continue
			}
			data := in.Decoded(p)
			if len(data) < hashlist.MinSize {
				continue
			}
			h := hashed{data: data, sum: sha256.Sum256(data), where: "part " + p.Path, part: p}
			if p.Filename != "" {
				h.where += " " + check.Quote(p.Filename)
			}
			if seen[h.sum] {
				continue
			}
			seen[h.sum] = true
			if len(seen) > maxFiles || !yield(h) {
				return
			}
		}
	}
}

// newHashes looks all parts up in the lists in files.
func newHashes(lists *hashlist.Set) check.Checker {
	return check.Func(check.Info{
		Name: "engine/hashes", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Heavy,
		Reasons: []sluice.Reason{reason.EngineUnknown, reason.EngineMalware, reason.EngineSuspicious},
	}, func(in *check.Input) []sluice.Evidence {
		var found []engine.Finding
		for f := range files(in.Message) {
			found = append(found, lists.Find(f.data, f.sum, f.where)...)
		}
		return evidence(found)
	})
}

// asksDNS looks attached files up in lists in the DNS.
type asksDNS struct {
	lists *hashlist.DNS
	wait  time.Duration
}

// Info returns the declaration. The lists' silence is never held against a message.
func (a *asksDNS) Info() check.Info {
	return check.Info{
		Name: "engine/dns", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Remote, Deadline: a.wait + time.Second,
		Reasons: []sluice.Reason{reason.EngineUnknown, reason.EngineMalware, reason.EngineSuspicious},
	}
}

// Check asks about the attached files at the same time.
func (a *asksDNS) Check(ctx context.Context, in *check.Input) ([]sluice.Evidence, error) {
	if in.Message == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.wait)
	defer cancel()
	type answer struct {
		found   []engine.Finding
		unknown []string
	}
	asked := 0
	answers := make(chan answer, maxAsked)
	for f := range files(in.Message) {
		if !f.part.IsFile() {
			continue
		}
		if asked++; asked > maxAsked {
			asked = maxAsked
			break
		}
		question := a.lists.Question(f.data, f.sum)
		go func() {
			found, unknown := question.Ask(ctx, f.where)
			answers <- answer{found, unknown}
		}()
	}
	var all answer
	for range asked {
		got := <-answers
		all.found, all.unknown = append(all.found, got.found...), append(all.unknown, got.unknown...)
	}
	slices.SortStableFunc(all.found, func(x, y engine.Finding) int { return strings.Compare(x.Where, y.Where) })
	out := evidence(all.found)
	if len(all.unknown) > 0 {
		slices.Sort(all.unknown)
		out = append(out, check.Unknown(reason.EngineUnknown, strings.Join(slices.Compact(all.unknown), "; ")))
	}
	for i := range out {
		out[i].Phase = sluice.PhaseMessage
	}
	return out, nil
}

// Known looks up files that somebody else has unpacked and hashed, such as members of
// an archive: their size, SHA-256, TLSH digest in text ("" for none) and place in words.
// A nil set knows nothing.
func Known(lists *hashlist.Set) func(size int64, sum [sha256.Size]byte, digest, where string) []sluice.Evidence {
	return func(size int64, sum [sha256.Size]byte, digest, where string) []sluice.Evidence {
		if lists == nil || size < hashlist.MinSize {
			return nil
		}
		return evidence(lists.Known(hashlist.MinSize, sum, digest, where))
	}
}
