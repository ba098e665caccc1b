package reply

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"sluice"
	"sluice/internal/literal"
	"sluice/reason"
)

//go:embed rules/*.toml
var files embed.FS

// rule is one entry of the dictionary.
type rule struct {
	ID       string   `toml:"id"`
	Class    Class    `toml:"class"`
	Receiver string   `toml:"receiver"` // "" for words that anybody may use
	Code     int      `toml:"code"`     // where given, the reply must have it
	Enhanced string   `toml:"enhanced"`
	Any      []string `toml:"any"`  // one of these must occur, lower case
	All      []string `toml:"all"`  // and all of these
	Weak     bool     `toml:"weak"` // words that are said of many things: any other rule beats it
	Last     bool     `toml:"last"` // says how it ended, not why: a rule that says why beats it
	Means    string   `toml:"means"`
	Fix      string   `toml:"fix"`
	Source   string   `toml:"source"`
	Date     string   `toml:"date"`

	reason sluice.Reason
	phase  sluice.Phase // of the reason
}

// strong is the weight from which words outspeak a code.
const strong = 3

// weight orders rules: a receiver's own text before common words, common words
// before weak ones.
func (r *rule) weight() int {
	switch {
	case r.reason != "":
		return 5
	case r.Last:
		return 2
	case r.Receiver != "":
		return 4
	case r.Weak:
		return 1
	}
	return strong
}

// dictionary is all rules behind one matcher.
type dictionary struct {
	rules    []rule
	phrases  []string
	uses     [][]use // by phrase
	matcher  *literal.Matcher
	replies  *literal.Matcher // our own replies, by reason
	reasons  []rule
	hostList []host
}

// use is one place where a phrase stands: in Any (all < 0), or as an All.
type use struct{ rule, all int }

// host says whose hosts end in a suffix.
type host struct{ suffix, receiver string }

// table is the dictionary that ships, read once.
var table = sync.OnceValue(func() *dictionary {
	d, err := load()
	if err != nil {
		panic(err) // the files are part of the program, and a test reads them
	}
	return d
})

func load() (*dictionary, error) {
	d := new(dictionary)
	names, err := files.ReadDir("rules")
	if err != nil {
		return nil, fmt.Errorf("reply: %w", err)
	}
	for _, n := range names {
		b, err := files.ReadFile("rules/" + n.Name())
		if err != nil {
			return nil, fmt.Errorf("reply: %w", err)
		}
		var f struct {
			Source string              `toml:"source"` // for rules that name none
			Date   string              `toml:"date"`
			Rule   []rule              `toml:"rule"`
			Hosts  map[string][]string `toml:"hosts"`
		}
		dec := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
		if err := dec.Decode(&f); err != nil {
			return nil, fmt.Errorf("reply: rules/%s: %w", n.Name(), err)
		}
		for _, r := range f.Rule {
			if r.Source == "" {
				r.Source = f.Source
			}
			if r.Date == "" {
				r.Date = f.Date
			}
			d.rules = append(d.rules, r)
		}
		for receiver, suffixes := range f.Hosts {
			for _, s := range suffixes {
				d.hostList = append(d.hostList, host{s, receiver})
			}
		}
	}
	slices.SortFunc(d.hostList, func(a, b host) int { return strings.Compare(a.suffix, b.suffix) })
	d.index()
	d.own()
	return d, nil
}

// index makes the matcher over all phrases of the rules.
func (d *dictionary) index() {
	at := map[string]int{}
	add := func(p string, u use) {
		i, ok := at[p]
		if !ok {
			i = len(d.phrases)
			at[p] = i
			d.phrases, d.uses = append(d.phrases, p), append(d.uses, nil)
		}
		d.uses[i] = append(d.uses[i], u)
	}
	for i, r := range d.rules {
		for _, p := range r.Any {
			add(p, use{i, -1})
		}
		for k, p := range r.All {
			add(p, use{i, k})
		}
	}
	d.matcher = literal.New(d.phrases)
}

// own makes rules of the replies in our catalogue: what this gateway says is
// known to the word.
func (d *dictionary) own() {
	var texts []string
	for _, e := range reason.All() {
		if e.Reply == "" {
			continue
		}
		t := normal(e.Reply)
		texts = append(texts, t)
		var phase sluice.Phase
		if err := phase.UnmarshalText([]byte(e.Phase)); err != nil {
			phase = sluice.PhaseMessage
		}
		d.reasons = append(d.reasons, rule{
			ID: e.ID, Class: ownClass(e), Receiver: "sluice", Any: []string{t}, Means: e.Page, Fix: e.Fix,
			Source: "docs/reasons.md#" + strings.ToLower(e.ID), reason: sluice.Reason(e.ID), phase: phase,
		})
	}
	d.replies = literal.New(texts)
}

// ownReply says whether a text has the shape of our replies: a reference behind
// the words. Others may use the same words, so the shape decides.
func ownReply(words string) bool { return strings.Contains(words, " ref ") }

// found is what a scan knows of one rule.
type found struct {
	any, length int
	all         uint64
}

// match returns the rule that speaks, or nil. The work is one pass over words
// and a constant per hit; hits are bounded by the text.
func (d *dictionary) match(words string, a Answer, q Query) *rule {
	if ownReply(words) {
		var own *rule
		d.replies.Scan([]byte(words), func(p, start, end int) bool {
			if whole(words, start, end) && (own == nil || len(d.reasons[p].Any[0]) > len(own.Any[0])) {
				own = &d.reasons[p]
			}
			return true
		})
		if own != nil {
			return own
		}
	}
	hits := map[int]found{}
	d.matcher.Scan([]byte(words), func(p, start, end int) bool {
		if !whole(words, start, end) {
			return true
		}
		for _, u := range d.uses[p] {
			f := hits[u.rule]
			if u.all < 0 {
				f.any++
				f.length = max(f.length, end-start)
			} else if f.all&(1<<u.all) == 0 {
				f.all |= 1 << u.all
				f.length += end - start
			}
			hits[u.rule] = f
		}
		return true
	})
	receiver := d.receiver(q.Host)
	best, bestScore := -1, [3]int{}
	for i, f := range hits {
		r := &d.rules[i]
		if len(r.Any) > 0 && f.any == 0 || f.all != 1<<len(r.All)-1 ||
			r.Code != 0 && r.Code != a.Code || r.Enhanced != "" && afterDot(r.Enhanced) != afterDot(a.Enhanced) {
			continue
		}
		home := 0
		if r.Receiver != "" && r.Receiver == receiver {
			home = 1
		}
		score := [3]int{r.weight(), home, f.length}
		if c := slices.Compare(score[:], bestScore[:]); best < 0 || c > 0 || c == 0 && i < best {
			best, bestScore = i, score
		}
	}
	if best < 0 {
		return nil
	}
	return &d.rules[best]
}

// receiver names whose host this is.
func (d *dictionary) receiver(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if len(name) > 255 {
		return ""
	}
	for _, h := range d.hostList {
		if name == h.suffix || strings.HasSuffix(name, "."+h.suffix) {
			return h.receiver
		}
	}
	return ""
}

// whole says whether words[start:end] stands alone: "spf" is no part of another
// word. Scripts that don't part words pass.
func whole(words string, start, end int) bool {
	alone := func(in, out byte) bool {
		return !(letter(in) || isDigit(in)) || !(letter(out) || isDigit(out))
	}
	return (start == 0 || alone(words[start], words[start-1])) && (end == len(words) || alone(words[end-1], words[end]))
}

// normal brings a reply into the form that phrases are written in: lower case,
// single spaces, without addresses, and without the codes that are repeated on
// each of its lines (RFC 5321 4.2.1).
func normal(text string) string {
	if len(text) > MaxText {
		text = text[:MaxText]
	}
	var b strings.Builder
	b.Grow(len(text))
	for f := range strings.FieldsSeq(strings.ToLower(text)) {
		if i := strings.IndexByte(f, '@'); i > 0 {
			// What stands before an address in brackets stays: "from:<a@b>".
			if i = strings.IndexByte(f[:i], '<'); i <= 0 {
				continue
			}
			f = f[:i]
		}
		if lineCode(f) || strings.HasPrefix(f, "size=") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(f)
	}
	words := strings.ReplaceAll(b.String(), "’", "'")
	// Which command was answered says nothing about why.
	for _, s := range spoken {
		if s.frame {
			words = strings.ReplaceAll(words, s.words, "")
		}
	}
	return words
}

// lineCode says whether a word is a code before the text of a line: "550-5.1.1",
// "550", "5.1.1".
func lineCode(w string) bool {
	if len(w) < 3 || w[0] != '2' && w[0] != '4' && w[0] != '5' {
		return false
	}
	rest := w
	if isDigit(w[1]) && isDigit(w[2]) {
		if rest = strings.TrimPrefix(w[3:], "-"); rest == "" {
			return true
		}
	}
	_, ok := parseEnhanced(rest)
	return ok
}
