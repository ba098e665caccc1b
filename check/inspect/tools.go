package inspect

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/check"
	"sluice/engine"
	"sluice/inspect"
	"sluice/message"
	"sluice/message/links"
	"sluice/reason"
)

// Tools are programs that look at files beside the decoders: YARA with the admin's
// rules, and a reader of text in pictures.
type Tools struct {
	Inspector inspect.Inspector // nil: there are none
	Rules     bool              // files are scanned with YARA rules
	Bytes     int64             // of files in files that are scanned, together
	Pictures  int               // that are read; 0: none
	// Little is how many letters and digits a message shows at most for its pictures to
	// be read: who writes a picture because filters read text writes little.
	Little int
	Time   time.Duration // for one message
	// Defer has a message wait where nobody could look; else it goes on without.
	Defer bool
}

// wait is how long a free process is waited for, beyond the time of the look.
const wait = 8 * time.Second

// keep is what the decoders are to hand over.
func (t *Tools) keep(m *message.Message) (k inspect.Keep) {
	if t.Inspector == nil {
		return k
	}
	if t.Rules {
		k.Bytes = t.Bytes
	}
	if t.Pictures > 0 && shows(m) <= t.Little {
		k.Pictures = t.Pictures
	}
	return k
}

// shows is how many letters and digits a reader sees.
func shows(m *message.Message) (n int) {
	for _, r := range m.View().Text {
		if isWord(r) {
			n++
		}
	}
	return n
}

// Bounds of one request, in octets and files: the frame's, with room for pictures.
const (
	maxScanned = inspect.MaxBody - inspect.MaxPictures/2*inspect.MaxPixels
	maxScans   = 256
)

// look has the tools look at what the decoders saw, and puts what they found into the
// report, as if it stood there from the beginning. It returns what is to be said of the
// tools themselves.
func (t *Tools) look(ctx context.Context, q *inspect.Request, r *inspect.Report) (out []sluice.Evidence) {
	if t.Inspector == nil {
		return nil
	}
	ask, of, left := t.request(q, r)
	r.Kept = nil                                    // they are large
	if left || r.Exhausted.Has(inspect.LimitKept) { // honest archives are large as well
		out = append(out, check.Unknown(reason.EngineUnknown, "tools: there is more in the files than they are given"))
	}
	if len(ask.Inputs) == 0 {
		return out
	}
	got, err := t.Inspector.Inspect(ctx, ask)
	if err != nil {
		return append(out, t.absent(err.Error())...)
	}
	at := func(i int) int { return of[min(max(i, 0), len(of)-1)] }
	if got.Ended == inspect.Killed {
		out = append(out, t.absent(got.By+": "+got.Ended.String())...)
	} else if got.Ended != inspect.Complete {
		r.Facts = append(r.Facts, inspect.Fact{File: at(got.At), Kind: inspect.ToolDied, Detail: got.By + ": " + got.Ended.String()})
	}
	if got.Exhausted.Has(inspect.LimitTime) {
		r.Facts = append(r.Facts, inspect.Fact{File: at(0), Kind: inspect.ToolLate, Detail: "the time for one message is over"})
	}
	for _, f := range got.Facts {
		if f.Kind == inspect.ToolFailed {
			out = append(out, t.absent(f.Detail)...)
			continue
		}
		f.File = at(f.File)
		r.Facts = append(r.Facts, f)
	}
	for _, x := range got.Texts {
		x.File = at(x.File)
		r.Texts = append(r.Texts, x)
		for _, l := range links.FindInText(x.Text, maxRead) {
			r.Links = append(r.Links, inspect.Link{File: x.File, URL: l.Raw, Via: inspect.ViaText})
		}
	}
	return out
}

// maxRead bounds the links that are taken from a picture.
const maxRead = 16

// request asks about the files of a message, and those in them, and pictures; of is the
// file in the report that each input is. left: something had no room.
func (t *Tools) request(q *inspect.Request, r *inspect.Report) (ask *inspect.Request, of []int, left bool) {
	ask = &inspect.Request{Budget: inspect.Budget{Time: t.Time}}
	size := 0
	add := func(file int, what inspect.Type, body []byte) {
		if what == inspect.ForRules && (len(ask.Inputs) == maxScans || size+len(body) > maxScanned) {
			left = true
			return
		}
		size += len(body)
		ask.Inputs = append(ask.Inputs, inspect.Input{DeclaredType: string(what), Body: body})
		of = append(of, file)
	}
	if t.Rules {
		for i, in := range q.Inputs[:min(len(q.Inputs), len(r.Files))] {
			if r.Files[i].Same < 0 && len(in.Body) > 0 {
				add(i, inspect.ForRules, in.Body)
			}
		}
		for _, k := range r.Kept {
			if k.Form == inspect.Octets {
				add(k.File, inspect.ForRules, k.Body)
			}
		}
	}
	room := inspect.MaxBody - size
	for _, k := range r.Kept {
		if k.Form != inspect.Pixels {
			continue
		}
		if room -= len(k.Body); room < 0 {
			left = true
			break
		}
		add(k.File, inspect.ForOCR, k.Body)
	}
	return ask, of, left
}

// absent is what no look amounts to: our own trouble, never evidence.
func (t *Tools) absent(why string) []sluice.Evidence {
	why = "tools: " + engine.Printable(why, 300)
	out := []sluice.Evidence{check.Unknown(reason.EngineUnknown, why)}
	if t.Defer {
		out = append(out, check.Unknown(reason.CheckIncomplete, why))
	}
	return out
}

// rule states a YARA rule that fits a file.
func (s *statements) rule(f inspect.Fact) {
	r, ok := inspect.ParseRule(f.Detail)
	if !ok {
		return
	}
	if name, ok := malware(&r); ok {
		n := len(s.list)
		if s.add(reason.EngineMalware, f.File, ""); len(s.list) > n {
			// The reply to the sender takes the name from what stands before " (by".
			s.list[n].Detail = fmt.Sprintf("%s (by yara, rule %s:%s, in %s)", engine.Printable(strings.ReplaceAll(name, " (by ", " "), engine.MaxSignature),
				r.Namespace, r.Name, s.place(f.File))
		}
		return
	}
	n := len(s.list)
	s.add(reason.YaraMatch, f.File, f.Detail)
	if score, err := strconv.ParseFloat(r.Value("score"), 64); err == nil && len(s.list) > n && s.list[n].Raw != 0 {
		s.list[n].Raw = math.Round(10*6*min(max(score, 0), 100)/100) / 10 // what is judged counts 6 at most
	}
}

// malware says whether a rule calls what it finds malware, and how: by the meta value
// "malware", true or a name, or by the tag of that name.
func malware(r *inspect.Rule) (name string, ok bool) {
	v := r.Value("malware")
	for _, t := range r.Tags {
		ok = ok || strings.EqualFold(t, "malware")
	}
	switch strings.ToLower(v) {
	case "false", "0":
		return "", false
	case "":
		if !ok {
			return "", false
		}
	case "true", "1":
	default:
		return v, true
	}
	for _, key := range []string{"family", "malware_family"} {
		if v := r.Value(key); v != "" {
			return v, true
		}
	}
	return r.Name, true
}
