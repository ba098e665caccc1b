package banner

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"sluice"
	"sluice/reason"
)

//go:embed kinds.toml words/*.toml
var files embed.FS

// language is one file of words.
type language struct {
	Title string            `toml:"title"`
	Kind  map[string]string `toml:"kind"`
}

// kind is what a sentence says.
type kind struct {
	Name    string          `toml:"name"`
	Reasons []sluice.Reason `toml:"reasons"`
}

// catalogue is all of it.
type catalogue struct {
	kinds     []kind
	of        map[sluice.Reason]int // place in kinds
	languages map[string]*language
}

// load reads the embedded files once. What is wrong with them, tests find.
var load = sync.OnceValues(func() (*catalogue, error) {
	c := &catalogue{of: map[sluice.Reason]int{}, languages: map[string]*language{}}
	var k struct {
		Kind []kind `toml:"kind"`
	}
	if err := read("kinds.toml", &k); err != nil {
		return nil, err
	}
	c.kinds = k.Kind
	for i, k := range c.kinds {
		for _, r := range k.Reasons {
			c.of[r] = i
		}
	}
	names, err := files.ReadDir("words")
	if err != nil {
		return nil, fmt.Errorf("banner: %w", err)
	}
	for _, n := range names {
		l := new(language)
		if err := read(path.Join("words", n.Name()), l); err != nil {
			return nil, err
		}
		c.languages[strings.TrimSuffix(n.Name(), ".toml")] = l
	}
	return c, nil
})

func read(name string, into any) error {
	b, err := files.ReadFile(name)
	if err == nil {
		err = toml.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("banner: %s: %w", name, err)
	}
	return nil
}

// Languages lists the codes of the languages that there are words for.
func Languages() (out []string) {
	c, err := load()
	if err != nil {
		return nil
	}
	for l := range c.languages {
		out = append(out, l)
	}
	return out
}

// Speaks says whether there are words in a language, by a tag such as "de-AT".
func Speaks(tag string) bool {
	c, err := load()
	return err == nil && c.language(tag) != ""
}

// language picks one by a tag such as "de-AT", "" where there is none.
func (c *catalogue) language(tag string) string {
	code, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-")
	if c.languages[code] == nil {
		return ""
	}
	return code
}

// sentence is what an item says in a language: in English the reason's own sentence
// for users, if the catalogue of reasons has one.
func (c *catalogue) sentence(code string, i Item) string {
	if code == "en" && i.Reason != "" {
		if e, ok := reason.Lookup(string(i.Reason)); ok && e.User != "" {
			return e.User
		}
	}
	return c.languages[code].Kind[i.kind]
}
