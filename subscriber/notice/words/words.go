// Package words is what notices and the page behind them say, in four languages. A folder
// of the operator's may replace any of it: its files are named and made like those here
// and hold what differs.
package words

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"sluice"
)

//go:embed *.toml
var files embed.FS

// Languages are the codes, English first: for all who want none of the others.
var languages = []string{"en", "de", "fr", "es"}

// Languages lists the codes, the default first.
func Languages() []string { return slices.Clone(languages) }

// Speech is one language.
type Speech struct {
	Code  string              `toml:"-"`
	Name  string              `toml:"name"` // what it calls itself
	Mail  map[string]string   `toml:"mail"`
	SMS   map[string]string   `toml:"sms"`
	Page  map[string]string   `toml:"page"`
	Steps map[string][]string `toml:"steps"`
	Seen  map[string]string   `toml:"seen"`
}

// Words are all of them.
type Words struct {
	speeches map[string]*Speech
	site     string // the default language
}

// New reads them. folder is the operator's, "" for none; site the language of who has
// none, "" for English.
func New(folder, site string) (*Words, error) {
	w := &Words{speeches: map[string]*Speech{}, site: "en"}
	if site != "" {
		if !slices.Contains(languages, site) {
			return nil, fmt.Errorf("words: language %q: want one of %s", site, strings.Join(languages, ", "))
		}
		w.site = site
	}
	for _, code := range languages {
		s := &Speech{Code: code}
		b, err := files.ReadFile(code + ".toml")
		if err == nil {
			err = toml.Unmarshal(b, s)
		}
		if err != nil {
			return nil, fmt.Errorf("words: %s: %w", code, err)
		}
		w.speeches[code] = s
	}
	if folder != "" {
		if err := w.edit(folder); err != nil {
			return nil, err
		}
	}
	return w, w.check()
}

// maxFile bounds an operator's file, in octets.
const maxFile = 256 << 10

// edit puts the operator's words in.
func (w *Words) edit(folder string) error {
	if _, err := os.Stat(folder); err != nil {
		return fmt.Errorf("words: %w", err)
	}
	for code, s := range w.speeches {
		name := filepath.Join(folder, code+".toml")
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && len(b) > maxFile {
			err = errors.New("too long")
		}
		var own Speech
		if err == nil {
			err = toml.NewDecoder(strings.NewReader(string(b))).DisallowUnknownFields().Decode(&own)
		}
		if err == nil {
			err = errors.Join(put("mail", s.Mail, own.Mail), put("sms", s.SMS, own.SMS), put("page", s.Page, own.Page), put("seen", s.Seen, own.Seen), put("steps", s.Steps, own.Steps))
		}
		if err != nil {
			return fmt.Errorf("words: %s: %w", name, err)
		}
	}
	return nil
}

// put replaces what is there: what nobody would read is a mistake.
func put[V any](section string, to, from map[string]V) error {
	for k, v := range from {
		if _, ok := to[k]; !ok {
			return fmt.Errorf("[%s] %s: no such words", section, k)
		}
		to[k] = v
	}
	return nil
}

// must are the names that a sentence may have in braces, and whether it needs them.
var must = map[string]map[string]bool{
	"text_infected": {"since": false, "seen": false, "link": true, "case": true, "help": false, "site": false, "account": false},
	"text_own":      {"since": false, "seen": false, "case": true, "help": true, "site": false, "account": false},
	"text_stolen":   {"since": false, "seen": false, "link": true, "case": true, "help": false, "site": false, "account": false},
	"subject":       {"case": false, "site": false},
	"sms":           {"site": false, "link": true, "case": false, "help": false},
	"lead":          {"since": false},
	"kept":          {"kept": true}, "times": {"count": true, "last": true}, "once": {"last": true}, "released": {"until": false}, "help": {"help": true, "case": true},
}

var inBraces = regexp.MustCompile(`\{([^{}]*)\}`)

// check finds what would be wrong in a notice or on the page.
func (w *Words) check() error {
	var errs []error
	for _, code := range languages {
		s := w.speeches[code]
		say := func(where, text, kind string) {
			if err := fits(text, must[kind]); err != nil {
				errs = append(errs, fmt.Errorf("words: %s: %s: %w", code, where, err))
			}
		}
		for k, text := range s.Mail {
			kind := k
			if strings.HasPrefix(k, "subject_") {
				kind = "subject"
				if strings.ContainsAny(text, "\r\n") {
					errs = append(errs, fmt.Errorf("words: %s: mail %s: more than one line", code, k))
				}
			}
			say("mail "+k, text, kind)
		}
		for k, text := range s.SMS {
			say("sms "+k, text, "sms")
		}
		for k, text := range s.Page {
			kind := k
			if strings.HasPrefix(k, "lead_") {
				kind = "lead"
			}
			say("page "+k, text, kind)
		}
		for k, text := range s.Seen {
			say("seen "+k, text, "")
		}
		for k, list := range s.Steps {
			if len(list) == 0 || len(list) > MaxSteps {
				errs = append(errs, fmt.Errorf("words: %s: steps %s: want 1 to %d", code, k, MaxSteps))
			}
			for _, text := range list {
				say("steps "+k, text, "")
			}
		}
	}
	return errors.Join(errs...)
}

// MaxSteps is the most that a page asks for.
const MaxSteps = 12

func fits(text string, names map[string]bool) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("no words")
	}
	found := map[string]bool{}
	for _, m := range inBraces.FindAllStringSubmatch(text, -1) {
		if _, ok := names[m[1]]; !ok {
			return fmt.Errorf("{%s} means nothing here", m[1])
		}
		found[m[1]] = true
	}
	for name, needed := range names {
		if needed && !found[name] {
			return fmt.Errorf("{%s} is missing", name)
		}
	}
	return nil
}

// Of is a language, or the site's where there is no such one.
func (w *Words) Of(code string) *Speech {
	code, _, _ = strings.Cut(strings.ToLower(code), "-")
	if s, ok := w.speeches[code]; ok {
		return s
	}
	return w.speeches[w.site]
}

// Kind is the name of a case's kind in the words.
func Kind(c *sluice.Case) string {
	if c.Kind == sluice.CaseStolen {
		return string(sluice.CaseStolen)
	}
	return string(sluice.CaseInfected)
}

// Saw says a kind of signal in words.
func (s *Speech) Saw(kind string) string {
	if text, ok := s.Seen[kind]; ok {
		return text
	}
	return s.Seen["OTHER"]
}

// Fill puts values into a sentence: pairs of a name and what stands for it. Values are
// not looked into again.
func Fill(text string, values ...string) string {
	pairs := slices.Clone(values)
	for i := 0; i < len(pairs); i += 2 {
		pairs[i] = "{" + pairs[i] + "}"
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
