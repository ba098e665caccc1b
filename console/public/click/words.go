package click

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"sluice"
)

//go:embed kinds.toml words/*.toml templates/*.html
var files embed.FS

// speech is one file of words: sentences by name.
type speech map[string]any

// catalogue is all that the pages say.
type catalogue struct {
	kinds     map[sluice.Reason]string
	languages map[string]speech
	codes     []string // English first: for all who ask for none of the others
	matcher   language.Matcher
}

// load reads the embedded files once. What is wrong with them, tests find.
var load = sync.OnceValues(func() (*catalogue, error) {
	c := &catalogue{kinds: map[sluice.Reason]string{}, languages: map[string]speech{}, codes: []string{"en"}}
	var k struct {
		Kind []struct {
			Name    string          `toml:"name"`
			Reasons []sluice.Reason `toml:"reasons"`
		} `toml:"kind"`
	}
	if err := read("kinds.toml", &k); err != nil {
		return nil, err
	}
	for _, k := range k.Kind {
		for _, r := range k.Reasons {
			c.kinds[r] = k.Name
		}
	}
	names, err := files.ReadDir("words")
	if err != nil {
		return nil, fmt.Errorf("click: %w", err)
	}
	for _, n := range names {
		s, code := speech{}, strings.TrimSuffix(n.Name(), ".toml")
		if err := read(path.Join("words", n.Name()), &s); err != nil {
			return nil, err
		}
		c.languages[code] = s
		if code != "en" {
			c.codes = append(c.codes, code)
		}
	}
	var tags []language.Tag
	for _, code := range c.codes {
		tags = append(tags, language.Make(code))
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
})

func read(name string, into any) error {
	b, err := files.ReadFile(name)
	if err == nil {
		err = toml.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("click: %s: %w", name, err)
	}
	return nil
}

// maxAccept bounds what is read of Accept-Language, in octets.
const maxAccept = 200

// choose picks a language by a request's Accept-Language (RFC 9110 12.5.4).
func (c *catalogue) choose(accept string) string {
	if len(accept) > maxAccept {
		accept = accept[:strings.LastIndexByte(accept[:maxAccept], ',')+1]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return c.codes[0]
	}
	_, i, confidence := c.matcher.Match(tags...)
	if confidence == language.No {
		i = 0
	}
	return c.codes[i]
}

// say is a sentence with its values: pairs of a name and what stands for it.
func (s speech) say(name string, values ...string) string {
	text, _ := s[name].(string)
	if len(values) == 0 || !strings.Contains(text, "{") {
		return text
	}
	for i := 0; i < len(values); i += 2 {
		values[i] = "{" + values[i] + "}"
	}
	return strings.NewReplacer(values...).Replace(text)
}

// kind is the sentence of a finding.
func (s speech) kind(name, like string) string {
	kinds, _ := s["kind"].(map[string]any)
	if name == "" {
		name = "other"
	}
	if _, ok := kinds[name+"_none"]; ok && like == "" {
		name += "_none"
	}
	return speech(kinds).say(name, "like", like)
}
