// Package protect puts links of our own in place of those in mail that is delivered, so
// that they can be checked once more when somebody follows them, and puts the originals
// back into what our users answer and forward. It is pure.
//
// # What a link becomes
//
// https://mx.acme.example/c/shop.example/AHwS…: where it leads stands in it for people,
// and all of it sealed behind that (see [Sealer]), together with the reference of the
// message and the time. The page behind it, console/public/click, needs no database.
// Nobody but us can make such a link, so the page is no open redirector.
//
// # Where it stands
//
// In the texts that clients display: of HTML what can be followed (the href of a, area
// and Outlook's shapes, what forms post to), also in the conditional comments that only
// Outlook reads, and addresses in the text itself, which clients make links of; of plain
// text the addresses. In HTML the visible text stays as it is. Parts keep their charset
// and transfer encoding as [rewrite.EditTexts] says; everything else in the message
// stays, octet for octet.
//
// # Where it doesn't
//
// Never in what is signed or encrypted by S/MIME or PGP, also in place; in files,
// calendars and attached messages; in links that aren't of the web (mailto, tel, cid);
// in links to allowed domains; in those that unsubscribe; nor where ours would be
// longer than programs take ([MaxLink]). [Report.Left] counts them. A DKIM signature of
// the body breaks with the first link: whoever rewrites says in Authentication-Results
// what passed before, and may seal with ARC.
//
// # What strangers can do
//
// A link that is left alone isn't checked later, so each exception is as narrow as it
// can be: unsubscribing has to be said in words beside the link, and an armour of PGP
// has to be whole.
package protect

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/deliver/rewrite"
	"sluice/message"
	"sluice/message/links"
)

// Config sets up a Writer.
type Config struct {
	// PublicURL is where our public pages are: https://mx.acme.example. Links of the
	// OldURLs, where they were before, are restored too.
	PublicURL string
	OldURLs   []string
	Sealer    *Sealer
	// Allow says which hosts' links stay as they are, nil: none's. The host is in lower
	// case and A-labels, without a final dot.
	Allow func(host string) bool
	// Names rewrites bare names in text ("example.com") as well, which many clients
	// make links of, and of which many are only names. Addresses with a scheme, with
	// "www." or with a path are always rewritten.
	Names bool
}

// Writer rewrites and restores links. It is safe for concurrent use.
type Writer struct {
	cfg  Config
	ours []string // prefixes of our links, the present one first
}

// MaxLink is the longest link that we write: Outlook cuts them behind 2083 characters.
const MaxLink = 2048

// maxLinks is how many links of a message are rewritten.
const maxLinks = 5000

// New makes a Writer.
func New(cfg Config) (*Writer, error) {
	if cfg.Sealer == nil {
		return nil, errors.New("protect: no sealer")
	}
	w := &Writer{cfg: cfg}
	for _, u := range append([]string{cfg.PublicURL}, cfg.OldURLs...) {
		p, err := url.Parse(u)
		if err != nil || p.Scheme != "https" && p.Scheme != "http" || p.Host == "" || p.RawQuery != "" || p.Fragment != "" || p.User != nil {
			return nil, errors.New("protect: the public URL has to be https://HOST")
		}
		w.ours = append(w.ours, p.Scheme+"://"+strings.ToLower(p.Host)+strings.TrimSuffix(p.EscapedPath(), "/")+"/c/")
	}
	return w, nil
}

// Plan is what to change in a message.
type Plan struct {
	Changes []rewrite.Change // in order; for rewrite.Edits or rewrite.Apply
	Parts   int              // that are written anew
	Report
}

// Report counts what an edit did.
type Report struct {
	Links int            // rewritten, or restored
	Left  map[string]int // links, or parts, that were left alone, by why; nil for none
	// Changed counts links whose spelling isn't kept: relative ones, and those in a
	// charset that doesn't give the same octets back. What they mean is.
	Changed int
}

// Why links are left alone; from signed on parts are counted.
const (
	LeftAllowed     = "allowed"
	LeftLong        = "too long"
	LeftUnsubscribe = "unsubscribe"
	LeftArmour      = "pgp in place"
	LeftMany        = "too many"
	LeftSigned      = "signed"
	LeftEncrypted   = "encrypted"
	LeftAmbiguous   = "ambiguous"
	LeftUnwritten   = "no way to write it"
)

func (r *Report) left(why string) {
	if r.Left == nil {
		r.Left = map[string]int{}
	}
	r.Left[why]++
}

// Protect plans to rewrite the links of a message that is delivered. ref is its
// reference, and now goes into the links.
func (w *Writer) Protect(m *message.Message, ref string, now time.Time) Plan {
	return plan(m, func() (rewrite.TextEdit, *Report) { return w.Edit(m, ref, now) })
}

// Edit is [Writer.Protect] to be made together with other edits by [rewrite.EditTexts],
// before those that add words of ours. The report is filled when the edit was made.
func (w *Writer) Edit(m *message.Message, ref string, now time.Time) (rewrite.TextEdit, *Report) {
	r := &Report{}
	if !rewrite.Plain(m) {
		r.left(LeftAmbiguous)
		return rewrite.TextEdit{}, r
	}
	parts := texts(m, r)
	j := &job{w: w, ref: ref, now: now, report: r, leave: unsubscribes(m)}
	return rewrite.TextEdit{Parts: parts, Edit: j.protect, Undone: j.undone}, r
}

// Restore plans to put the originals in place of our links, in a message of one of our
// users. It has to be made before the message is signed. Attached messages are restored
// too; what the user's program signed or encrypted isn't.
func (w *Writer) Restore(m *message.Message) Plan {
	return plan(m, func() (rewrite.TextEdit, *Report) { return w.RestoreEdit(m) })
}

// RestoreEdit is [Writer.Restore] to be made together with other edits.
func (w *Writer) RestoreEdit(m *message.Message) (rewrite.TextEdit, *Report) {
	r := &Report{}
	if !rewrite.Plain(m) {
		r.left(LeftAmbiguous)
		return rewrite.TextEdit{}, r
	}
	j := &job{w: w, report: r}
	e := rewrite.TextEdit{Edit: j.restore, Undone: j.undone}
	for _, p := range m.Parts {
		if (p.Type == "text/plain" || p.Type == "text/html") && rewrite.Changeable(p) {
			e.Parts = append(e.Parts, p)
		}
	}
	return e, r
}

func plan(m *message.Message, edit func() (rewrite.TextEdit, *Report)) Plan {
	e, r := edit()
	p := Plan{}
	var written []*message.Part
	p.Changes, written = rewrite.EditTexts(m, e)
	p.Parts, p.Report = len(written), *r
	return p
}

// texts are the parts whose links are rewritten; what isn't looked into is counted.
// HTML with a name is displayed by some clients all the same.
func texts(m *message.Message, r *Report) (out []*message.Part) {
	for _, p := range m.Parts {
		if rewrite.Attached(p) || p.Parent != nil && !rewrite.Changeable(p.Parent) {
			continue
		}
		switch {
		case p.Type == "multipart/signed":
			r.left(LeftSigned)
		case p.Type == "multipart/encrypted", strings.HasPrefix(p.Type, "application/pkcs7-mime"), strings.HasPrefix(p.Type, "application/x-pkcs7-mime"):
			r.left(LeftEncrypted)
		case p.Type != "text/html" && p.Type != "text/plain" || p.Disposition == "attachment" || p.Filename != "" && p.Type != "text/html" && p.Parent != nil:
		case rewrite.Changeable(p):
			out = append(out, p)
		case p.Parent == nil || p.Parent.Type != "multipart/signed" && p.Parent.Type != "multipart/encrypted": // those are counted
			r.left(LeftAmbiguous)
		}
	}
	return out
}

// job is one message.
type job struct {
	w      *Writer
	ref    string
	now    time.Time
	report *Report
	before Report          // what it was before the last part
	leave  map[string]bool // addresses of List-Unsubscribe
}

// begin remembers the counts before a part, undone takes back what that part added.
func (j *job) begin() { j.before = *j.report }

func (j *job) undone(*rewrite.Text) {
	j.report.Links, j.report.Changed = j.before.Links, j.before.Changed
	j.report.left(LeftUnwritten)
}

// edit is a change in a text.
type edit struct {
	off, end int
	text     string
}

// made makes edits, which stand in order; one that begins inside of another is left out.
func made(s string, edits []edit) string {
	var out strings.Builder
	at := 0
	for _, e := range edits {
		if e.off < at {
			continue
		}
		out.WriteString(s[at:e.off])
		out.WriteString(e.text)
		at = e.end
	}
	out.WriteString(s[at:])
	return out.String()
}

// protect rewrites one text.
func (j *job) protect(t *rewrite.Text) bool {
	j.begin()
	armour := armours(t.S)
	if len(armour) > 0 && t.Remade() {
		j.report.left(LeftArmour)
		return false // its charset would change
	}
	for _, c := range t.Part.Children { // files that are uuencoded in the text
		if off := c.Body.Off - t.Part.Body.Off; off >= 0 {
			armour = append(armour, [2]int{off, off + c.Body.Len})
		}
	}
	var edits []edit
	if t.HTML {
		edits = j.protectHTML(t, armour)
	} else {
		edits = j.protectText(t, armour)
	}
	if len(edits) == 0 {
		return false
	}
	t.S = made(t.S, edits)
	return true
}

// link seals an address of the web; ok is false where it stays as it is. form says how it
// stands in the text, words whether words beside it say that it unsubscribes.
func (j *job) link(l *links.Link, k Link, words func() bool) (ours string, ok bool) {
	switch {
	case l.Scheme != "http" && l.Scheme != "https" || l.Host == "", j.w.own(k.URL):
		return "", false
	case j.w.cfg.Allow != nil && j.w.cfg.Allow(l.Host):
		j.report.left(LeftAllowed)
		return "", false
	case words():
		j.report.left(LeftUnsubscribe)
		return "", false
	case j.report.Links >= maxLinks:
		j.report.left(LeftMany)
		return "", false
	}
	k.Ref, k.Time = j.ref, j.now
	if len(k.URL)+len(k.written) <= maxSealed {
		ours = j.w.ours[0] + j.w.cfg.Sealer.Seal(k)
	}
	if ours == "" || len(ours) > MaxLink {
		j.report.left(LeftLong)
		return "", false
	}
	j.report.Links++
	return ours, true
}

// own says whether an address is one of our links.
func (w *Writer) own(u string) bool {
	return slices.ContainsFunc(w.ours, func(p string) bool { return strings.HasPrefix(u, p) })
}

// armours are the places in a text that are signed or encrypted by PGP in place, from a
// line that begins an armour to the one that ends it (RFC 9580 6.2, 7). One that doesn't
// end protects nothing.
func armours(s string) (out [][2]int) {
	const begin, end, signature = "-----BEGIN PGP ", "-----END PGP ", "-----END PGP SIGNATURE-----"
	signatures := true // there may be another
	for at := 0; len(out) < 100; {
		i := strings.Index(s[at:], begin)
		if i < 0 {
			break
		}
		i += at
		at = i + len(begin)
		if i > 0 && s[i-1] != '\n' && s[i-1] != '>' {
			continue
		}
		signed := strings.HasPrefix(s[at:], "SIGNED MESSAGE-----")
		closing := end
		if signed {
			closing = signature
		}
		n := -1
		if !signed || signatures {
			n = strings.Index(s[at:], closing)
		}
		switch {
		case n < 0 && signed:
			signatures = false
			continue
		case n < 0:
			return out // nothing ends any more
		}
		at += n + len(closing)
		if rest := strings.Index(s[at:min(len(s), at+40)], "-----"); !signed && rest >= 0 {
			at += rest + len("-----")
		}
		out = append(out, [2]int{i, at})
	}
	return out
}

// within says whether a place is in one of the ranges.
func within(ranges [][2]int, at int) bool {
	return slices.ContainsFunc(ranges, func(r [2]int) bool { return r[0] <= at && at < r[1] })
}
