package gate

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/explain"
	"sluice/judge/policy"
	"sluice/message"
	"sluice/message/htmlview"
	"sluice/reason"
)

// stripped lists what stands in place of the files that the table takes out or
// converts.
func (s *session) stripped(j *judged) []rewrite.Part {
	why := map[int]sluice.Reason{}
	for i := range j.verdict.Ledger {
		c := &j.verdict.Ledger[i]
		if c.State != sluice.Found || c.Part < 0 || c.Part >= len(j.msg.Parts) {
			continue
		}
		switch {
		case c.Reason == reason.FileStripped, c.Reason == reason.FileConverted && why[c.Part] == "":
			why[c.Part] = c.Reason
		}
	}
	var out []rewrite.Part
	for i, r := range why {
		p := j.msg.Parts[i]
		if holds(why, p.Parent) {
			continue // it goes with the part that holds it
		}
		one := rewrite.Part{Root: p.Parent == nil, Off: p.Header.Range.Off, End: p.Body.End(), Name: p.Filename + ".txt",
			Text: explain.Note(r, p.Filename, s.options(j.id, sluice.PhaseMessage, &j.verdict, 250, r))}
		if p.Filename == "" {
			one.Name = "file.txt"
		}
		if one.Root {
			one.Off = p.Body.Off
		}
		if r == reason.FileConverted {
			one.Text += "\n" + htmlview.Render(j.msg.Text(p), htmlview.DefaultLimits()).Visible + "\n"
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b rewrite.Part) int { return cmp.Compare(a.Off, b.Off) })
	return out
}

func holds(why map[int]sluice.Reason, p *message.Part) bool {
	for ; p != nil; p = p.Parent {
		if why[p.Index] != "" {
			return true
		}
	}
	return false
}

// tagged says whether the message is to look suspicious to its reader: a message that
// was only stripped isn't.
func tagged(v *sluice.Verdict, action sluice.Action, p policy.Policy) bool {
	return action == sluice.Tag || action == sluice.Strip && v.Probability >= p.TagAt
}

// annotations are what is written into the message for its readers. It is called once
// for those who get the message now; the rest, if any, gets the same.
func (s *session) annotations(j *judged) (changes []rewrite.Change) {
	if s.set.Annotate == nil || j.msg == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil { // plain mail is better than none
			s.gate.cfg.Logger.Error("panic while annotating a message; it goes out without", "id", j.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			changes = nil
		}
	}()
	changes = s.set.Annotate(s.conn, j.env, j.msg, &j.verdict)
	if len(changes) > 0 && s.conn.Auth == "" && j.action == sluice.Accept {
		j.action = sluice.Banner
		for i := range j.decisions {
			if j.decisions[i].Action == sluice.Accept {
				j.decisions[i].Action = sluice.Banner
			}
		}
	}
	return changes
}
