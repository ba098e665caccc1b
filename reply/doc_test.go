package reply

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/golden"
)

// preface stands before the generated tables of docs/replies.md.
const preface = `# What a mail server's reply means

A rejection that comes back to you is short, and each receiver words it in its own way. Ask:

    sluice explain '550 5.7.26 This mail has been blocked because the sender is unauthenticated.'
    sluice explain bounce.eml
    sluice explain --json - < bounce.eml

Where the public pages are served, the page /reply answers the same to everybody; it keeps nothing of what is asked (` + "`dictionary = false`" + ` in [public] turns it off).

![The page](reply-page.png) ![The same on a phone](reply-phone.png)

An argument with spaces, or that begins with three digits, is a reply; a file, or ` + "`-`" + `, is a bounce; anything else is a reference of this gateway.

The answer has a class (what happened), a phase (at which step of the conversation it was said, or such a thing is said), whether trying again may help, who can do something about it, and what. It comes from:

1. this gateway's own replies, which are known to the word by the catalogue of reasons;
2. texts that large receivers, filters and lists document (below, with the place);
3. common words in English, German, French, Spanish and Japanese;
4. where no words are known: the enhanced code (RFC 3463), then the basic code.

Words that only say how it ended ("message expired") give way to words that say why.

**Conflict.** A reply may contradict itself: a basic code that says "never" with an enhanced code that says "try again" (` + "`552 4.2.2`" + `), or a precise code with words about something else (` + "`550 5.1.1 … spam`" + `). Such a reply is of the class ` + "`conflict`" + `; the likely class stands beside it. Senders must go by the basic code.

**Bounces.** The machine's part (RFC 3464) is read first, then the text for people, in the shapes that qmail, Postfix, Exim, sendmail, Exchange, Domino, Gmail, Yahoo, Amazon SES and many others give it. Automatic answers, receipts and abuse reports are told apart. A bounce proves nothing: whether the mail it speaks of was yours, its Message-ID and your own header fields in the returned part must tell.

The phrases are written down by hand, and a receiver may change its words at any time: before you rely on a detail, look at the page named. A reply that is read wrongly is worth a report: quote it whole.
`

// TestDoc keeps docs/replies.md in step with the dictionary.
func TestDoc(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(preface)
	b.WriteString("\n## Classes\n\n| class | means | up to | passes by itself | what to do |\n|---|---|---|---|---|\n")
	var names []string
	for c := range classes {
		names = append(names, string(c))
	}
	slices.Sort(names)
	for _, n := range names {
		c := classes[Class(n)]
		passes := "no"
		if c.temporary {
			passes = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", n, c.means, strings.ReplaceAll(string(c.fault), "_", " "), passes, c.advice)
	}
	b.WriteString("\n## Receivers, filters, lists and programs\n\n| whose text | entry | class | documented |\n|---|---|---|---|\n")
	d := table()
	for i := range d.rules {
		if r := &d.rules[i]; r.Receiver != "" {
			fmt.Fprintf(&b, "| %s | `%s` | `%s` | <%s> |\n", r.Receiver, r.ID, r.Class, r.Source)
		}
	}
	golden.Check(t, "../docs/replies.md", b.Bytes())
}
