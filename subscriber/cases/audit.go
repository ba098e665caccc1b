package cases

import (
	"fmt"
	"strings"
	"time"

	"sluice"
)

// Audit writes a case as lines for an admin: what it is, how far it came, what was
// seen, who was told how, and each step with its time and actor. Hostile octets are
// quoted.
func Audit(c *sluice.Case) string {
	var b strings.Builder
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
	fmt.Fprintf(&b, "case %s of %s: %s", quoted(c.ID), quoted(c.Subject), c.State)
	if c.Restrict != sluice.RestrictNone {
		fmt.Fprintf(&b, ", mail: %s", c.Restrict)
	}
	fmt.Fprintf(&b, "\n%s, %.1f points at most", c.Kind, c.Points)
	if c.Recurred > 0 {
		fmt.Fprintf(&b, ", recurred %d times", c.Recurred)
	}
	if c.Into != "" {
		fmt.Fprintf(&b, ", goes on as %s", quoted(c.Into))
	}
	fmt.Fprintf(&b, "\n%d messages left from the first abuse to the hold, %d were kept\n\nseen\n", c.Let, c.Kept)
	for _, s := range c.Signals {
		fmt.Fprintf(&b, "  %s %3d × %-18s %5.1f  %s\n", at(s.Last), s.Count, s.Kind, s.Points, quoted(s.Detail))
	}
	b.WriteString("\ntold\n")
	for _, n := range c.Notices {
		fmt.Fprintf(&b, "  %s %s %s to %s: %s\n", at(n.Tried), n.Channel, quoted(n.ID), quoted(n.Address), proofs(&n, at))
	}
	b.WriteString("\nsteps\n")
	for _, s := range c.Steps {
		fmt.Fprintf(&b, "  %s %-12s %-10s", at(s.Time), quoted(s.Actor), s.What)
		if s.From != s.To {
			fmt.Fprintf(&b, " %s → %s", s.From, s.To)
		}
		if s.Note != "" {
			fmt.Fprintf(&b, "  %s", quoted(s.Note))
		}
		b.WriteByte('\n')
	}
	if c.LeftSteps > 0 {
		fmt.Fprintf(&b, "  … and %d more\n", c.LeftSteps)
	}
	return b.String()
}

func proofs(n *sluice.CaseNotice, at func(time.Time) string) string {
	var out []string
	for _, p := range []struct {
		level sluice.ProofLevel
		t     time.Time
	}{{sluice.ProofFailed, n.Failed}, {sluice.ProofAccepted, n.Accepted}, {sluice.ProofOpened, n.Opened}, {sluice.ProofDelivered, n.Delivered}, {sluice.ProofAcknowledged, n.Acknowledged}} {
		if !p.t.IsZero() {
			out = append(out, string(p.level)+" "+at(p.t))
		}
	}
	if len(out) == 0 {
		out = []string{"tried, nothing known"}
	}
	if n.Detail != "" {
		out = append(out, quoted(n.Detail))
	}
	return strings.Join(out, ", ")
}

// quoted leaves plain text as it is, and quotes what holds controls, marks of direction
// or broken characters.
func quoted(s string) string {
	q := fmt.Sprintf("%+q", s)
	if inner := q[1 : len(q)-1]; inner == s {
		return s
	}
	for _, r := range s {
		if r == '"' || r == '\\' || r >= 0xa1 && r < 0x2000 || r >= 0x3000 && r < 0xd800 || r >= ' ' && r < 0x7f {
			continue
		}
		return q
	}
	return s
}
