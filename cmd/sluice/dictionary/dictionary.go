// Package dictionary is the part of sluice explain that is about other servers:
// what a reply means, and what a bounce reports.
package dictionary

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/bounce"
	"sluice/cmd/sluice/term"
	"sluice/reply"
)

// maxBounce bounds a stored notice that is explained.
const maxBounce = 64 << 20

// IsReply says whether the argument of explain is what a server answered, rather
// than a reference: three digits in front, or several words.
func IsReply(s string) bool {
	s = strings.TrimSpace(s)
	digits := 0
	for digits < len(s) && digits < 4 && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	return strings.ContainsAny(s, " \t\n") || digits == 3 && (len(s) == 3 || s[3] == '-')
}

// Reply prints what an answer of any receiver means, as words or as JSON.
func Reply(w io.Writer, text string, asJSON bool) error {
	a := reply.Classify(reply.Query{Text: text})
	if asJSON {
		return json.NewEncoder(w).Encode(a)
	}
	p := term.PaintFor(w)
	fmt.Fprintf(w, "%s\n", p.Bold(term.Plain(text, reply.MaxText)))
	writeAnswer(w, "", a)
	return nil
}

// writeAnswer prints what a reply means, line by line.
func writeAnswer(w io.Writer, indent string, a reply.Answer) {
	line := func(k, s string) {
		if s != "" {
			fmt.Fprintf(w, "%s%-9s %s\n", indent, k, s)
		}
	}
	line("means", a.Means)
	class := string(a.Class)
	if a.Class == reply.Conflict {
		class += ", likely " + string(a.Likely)
	}
	try := "for good: trying again unchanged won't help"
	switch {
	case a.Likely == reply.Accepted:
		try = "done"
	case a.Temporary:
		try = "for now: a mail server tries again by itself"
	}
	line("class", class)
	line("said", try+", in phase "+a.Phase.String())
	line("up to", strings.ReplaceAll(string(a.Fault), "_", " "))
	line("conflict", a.Conflict)
	line("do", a.Advice)
	line("text of", a.Receiver)
	if a.Receiver != "" {
		line("see", a.Source)
	}
}

// Bounce prints what a stored notice reports; "-" reads in.
func Bounce(w io.Writer, in io.Reader, name string, asJSON bool) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("explain: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxBounce+1))
	if err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	if len(raw) > maxBounce {
		return fmt.Errorf("explain: %s is larger than %d MB", name, maxBounce>>20)
	}
	b := bounce.Parse(raw, bounce.Config{})
	if asJSON {
		return json.NewEncoder(w).Encode(b)
	}
	writeBounce(w, b)
	return nil
}

var kindWords = map[bounce.Kind]string{
	bounce.None: "no notice of a mail server", bounce.Failure: "a mail server reports that mail was not delivered", bounce.Delay: "a mail server reports a delay; it keeps trying",
	bounce.Success: "a mail server reports that mail was delivered", bounce.AutoReply: "an automatic answer of a person's program", bounce.Disposition: "a receipt: the mail was read or deleted",
	bounce.Feedback: "an abuse report: somebody complained about the mail",
}

func writeBounce(w io.Writer, b *bounce.Bounce) {
	p := term.PaintFor(w)
	fmt.Fprintln(w, p.Bold(kindWords[b.Kind]))
	line := func(k, s string) {
		if s != "" {
			fmt.Fprintf(w, "%-9s %s\n", k, term.Plain(s, 998))
		}
	}
	line("reporter", b.Reporter)
	line("about", b.Original.Subject)
	line("id", b.Original.MessageID)
	for _, r := range b.Recipients {
		address := r.Address
		if address == "" {
			address = "an address that the notice doesn't name"
		}
		if r.Guessed {
			address += " (by the returned message)"
		}
		fmt.Fprintf(w, "\n%s  %s %s\n", p.Bold(term.Plain(address, 320)), term.Plain(r.Action, 20), term.Plain(r.Status, 20))
		if said := strings.Join(strings.Fields(r.Said), " "); said != "" {
			fmt.Fprintf(w, "  %-9s %s\n", "text", term.Plain(said, 998))
		}
		writeAnswer(w, "  ", r.Answer)
	}
	if b.Left > 0 {
		fmt.Fprintf(w, "\nand %d more recipients\n", b.Left)
	}
}

// IsFile says whether the argument of explain names a stored message.
func IsFile(s string) bool {
	if s == "-" {
		return true
	}
	st, err := os.Stat(s)
	return err == nil && st.Mode().IsRegular()
}
