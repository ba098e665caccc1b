// Package banner puts plain words at the top of mail that is delivered and suspicious,
// and takes them off again when our users answer it. It is pure.
//
// # Where it stands
//
// In each part that a client may show as the message's text: the text of a simple
// message, every alternative of a multipart/alternative, the first text of a
// multipart/mixed, the root of a multipart/related. A part keeps its charset and
// transfer encoding where they can carry the words; else it becomes UTF-8 in
// quoted-printable. All other parts stay as they are, octet for octet, and the tree of
// parts is the same.
//
// # Where it doesn't
//
// Nothing is put into what is signed or encrypted by S/MIME or PGP, since that would
// break the signature or not be read, nor into a message without text, or one whose
// parts clients read in different ways. Such messages carry the verdict in their
// header and subject only; [Plan.Left] says why. A DKIM signature of the body breaks
// with every banner: whoever adds one says in Authentication-Results what passed
// before, and may seal with ARC.
//
// # What strangers can do
//
// The words are in a table whose every element has all that could hide it set inline
// and important, which no style sheet of the message can outdo. What covers the whole
// page still covers it, but covers the message as well. A banner carries a token of the
// site; what carries one already when it comes, ours from before or a forgery, loses
// it, so that adding is idempotent.
package banner

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"sluice"
	"sluice/deliver/rewrite"
	"sluice/message"
)

// Config sets up a Writer.
type Config struct {
	// Key is the site's secret that the token is made of, at least 16 octets; OldKeys
	// are those whose banners may still be quoted.
	Key     []byte
	OldKeys [][]byte
	// Language is that of recipients whose own isn't known, default "en".
	Language string
}

// Writer adds and removes banners. It is safe for concurrent use.
type Writer struct {
	words    *catalogue
	language string
	token    string
	own      []string // ours, and those of old keys
}

// New makes a Writer. An error names a language that there are no words for.
func New(cfg Config) (*Writer, error) {
	words, err := load()
	if err != nil {
		return nil, err
	}
	if len(cfg.Key) < 16 {
		return nil, errors.New("banner: the key has less than 16 octets")
	}
	if cfg.Language == "" {
		cfg.Language = "en"
	}
	w := &Writer{words: words, language: words.language(cfg.Language), token: token(cfg.Key)}
	if w.language == "" {
		return nil, errors.New("banner: no words in language " + strings.ToValidUTF8(cfg.Language, "?"))
	}
	w.own = []string{w.token}
	for _, k := range cfg.OldKeys {
		w.own = append(w.own, token(k))
	}
	return w, nil
}

// A token looks like [sluice:0123abcd].
const (
	tokenStart = "[sluice:"
	tokenLen   = len(tokenStart) + 8 + 1
)

func token(key []byte) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("sluice banner"))
	return tokenStart + hex.EncodeToString(m.Sum(nil)[:4]) + "]"
}

// Item is one sentence. Make it with [Choose] or [Of].
type Item struct {
	Reason sluice.Reason // "" for what only a kind is known of
	kind   string
}

// Of is the item of a reason; ok is false for one that no banner speaks of.
func Of(r sluice.Reason) (i Item, ok bool) {
	c, err := load()
	if err != nil {
		return i, false
	}
	n, ok := c.of[r]
	if !ok {
		return i, false
	}
	return Item{Reason: r, kind: c.kinds[n].Name}, true
}

// MaxItems is how many sentences a banner has at most.
const MaxItems = 3

// Choose picks what a banner says of a verdict: the most telling kinds first, one
// sentence of each, at most [MaxItems]. A first contact alone is no suspicion, so it
// is only said beside something else, or where alone is true. Where the evidence has no
// words of its own, the threat has.
func Choose(v *sluice.Verdict, alone bool) (out []Item) {
	c, err := load()
	if err != nil || v == nil {
		return nil
	}
	best := make([]*sluice.Contribution, len(c.kinds))
	first := -1
	for i := range v.Ledger {
		e := &v.Ledger[i]
		n, ok := c.of[e.Reason]
		if !ok || e.State != sluice.Found {
			continue
		}
		if c.kinds[n].Name == "first_contact" {
			first = n
		} else if e.Points <= 0 {
			continue
		}
		if best[n] == nil || e.Points > best[n].Points {
			best[n] = e
		}
	}
	for n, e := range best {
		if e != nil && n != first && len(out) < MaxItems {
			out = append(out, Item{e.Reason, c.kinds[n].Name})
		}
	}
	if len(out) == 0 && v.Points > 0 {
		switch v.Threat {
		case sluice.ThreatPhish, sluice.ThreatCopycat, sluice.ThreatMalware, sluice.ThreatAttack:
			out = append(out, Item{kind: "phish"})
		case sluice.ThreatScam:
			out = append(out, Item{kind: "scam"})
		default:
			out = append(out, Item{kind: "other"})
		}
	}
	if first >= 0 && (alone || len(out) > 0) && len(out) < MaxItems {
		out = append(out, Item{best[first].Reason, "first_contact"})
	}
	return out
}

// Plan is what to change in a message.
type Plan struct {
	Changes []rewrite.Change // in order; for rewrite.Edits or rewrite.Apply
	Parts   int              // parts that carry the banner, or lost one
	Left    string           // why none carries it: "signed", "encrypted", "no text", "ambiguous"; "" where some does
}

// The reasons why a message is left alone.
const (
	LeftSigned    = "signed"
	LeftEncrypted = "encrypted"
	LeftNoText    = "no text"
	LeftAmbiguous = "ambiguous"
)

// Add plans a banner in a recipient's language, the Writer's where there are no words
// in it. No items, no banner, but those that are there go.
func (w *Writer) Add(m *message.Message, items []Item, lang string) Plan {
	e, left := w.Edit(m, items, lang)
	p := plan(m, e, left)
	if p.Parts == 0 && p.Left == "" && len(items) > 0 {
		p.Left = LeftAmbiguous
	}
	return p
}

// Edit is [Writer.Add] to be made together with other edits by [rewrite.EditTexts],
// behind those that change what the message says itself. left is why no part carries
// the banner, as in [Plan].
func (w *Writer) Edit(m *message.Message, items []Item, lang string) (e rewrite.TextEdit, left string) {
	code := w.words.language(lang)
	if code == "" {
		code = w.language
	}
	var b *block
	if len(items) > 0 {
		b = &block{title: w.words.languages[code].Title, token: w.token, lang: code}
		for _, i := range items[:min(len(items), MaxItems)] {
			if s := w.words.sentence(code, i); s != "" && !slices.Contains(b.lines, s) {
				b.lines = append(b.lines, s)
			}
		}
	}
	return w.edit(m, b, nil)
}

// Remove plans to take our banners off a message of one of our users, who answers or
// forwards mail that had one. Others' banners stay.
func (w *Writer) Remove(m *message.Message) Plan {
	e, left := w.RemoveEdit(m)
	return plan(m, e, left)
}

// RemoveEdit is [Writer.Remove] to be made together with other edits.
func (w *Writer) RemoveEdit(m *message.Message) (e rewrite.TextEdit, left string) {
	return w.edit(m, nil, w.own)
}

// plan makes an edit alone.
func plan(m *message.Message, e rewrite.TextEdit, left string) Plan {
	changes, written := rewrite.EditTexts(m, e)
	return Plan{Changes: changes, Parts: len(written), Left: left}
}

// edit is for all parts; tokens are those to remove, nil for all that look like one.
func (w *Writer) edit(m *message.Message, b *block, tokens []string) (rewrite.TextEdit, string) {
	parts, left := texts(m)
	if b == nil && left == "" || b == nil && left == LeftNoText {
		// A quotation may stand in any text.
		parts, left = anyTexts(m), ""
	}
	if left != "" {
		return rewrite.TextEdit{}, left
	}
	f := finder{tokens: tokens, titles: w.titles()}
	return rewrite.TextEdit{Parts: parts, Edit: func(t *rewrite.Text) bool { return edit(t, b, f) }}, ""
}

func (w *Writer) titles() (out []string) {
	for _, l := range w.words.languages {
		out = append(out, l.Title)
	}
	slices.Sort(out)
	return out
}

// Present says whether a message carries what looks like a banner.
func Present(m *message.Message) bool {
	f := finder{}
	return slices.ContainsFunc(anyTexts(m), func(p *message.Part) bool { return f.find(string(m.Decoded(p)), 0) >= 0 })
}
