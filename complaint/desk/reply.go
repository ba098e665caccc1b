package desk

import (
	"fmt"
	"strings"

	"sluice"
)

// tally is what came of a report's messages.
type tally struct {
	spam, ham, held, refused, left, failed int

	refs []int64 // of the entries in the log
	err  error   // the last failure
}

func (t *tally) count(f *sluice.Feedback, err error) {
	if err != nil {
		t.failed++
		t.err = err
		return
	}
	if f.Seq > 0 { // one too many isn't written down
		t.refs = append(t.refs, f.Seq)
	}
	switch {
	case f.State == sluice.FeedbackHeld:
		t.held++
	case f.State == sluice.FeedbackRefused:
		t.refused++
	case f.Spam:
		t.spam++
	default:
		t.ham++
	}
}

// maxRefs is how many references a reply names.
const maxRefs = 5

// reply thanks, and says what came of it:
//
//	250 2.0.0 Thank you: 2 messages learned as spam, 1 waits for an administrator. ref 12, 13, 14
func (t *tally) reply() sluice.Reply {
	var parts []string
	part := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	part(t.spam, "message learned as spam", "messages learned as spam")
	part(t.ham, "message learned as wanted", "messages learned as wanted")
	part(t.held, "message waits for an administrator", "messages wait for an administrator")
	part(t.refused, "message not used", "messages not used")
	part(t.left, "left out (too many, or too large)", "left out (too many, or too large)")
	part(t.failed, "left out (trouble here)", "left out (trouble here)")
	var b strings.Builder
	fmt.Fprintf(&b, "Thank you: %s.", strings.Join(parts, ", "))
	for i, r := range t.refs {
		if i == maxRefs {
			b.WriteString(" and more")
			break
		}
		before := ","
		if i == 0 {
			before = " ref"
		}
		fmt.Fprintf(&b, "%s %d", before, r)
	}
	return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: b.String()}
}
