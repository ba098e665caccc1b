package public

import (
	"embed"
	"fmt"
	"path"
	"sync"

	"github.com/pelletier/go-toml/v2"
)

//go:embed words/*.toml
var wordFiles embed.FS

// languages are those of the pages; the first is for those who ask for none of them.
var languages = []string{"en", "de", "fr", "es"}

// words are those of one language.
type words struct {
	Lang  string            `toml:"-"`
	Text  map[string]string `toml:"text"`
	Phase map[string]string `toml:"phase"`
	Group map[string]string `toml:"group"`
	Fact  map[string]string `toml:"fact"`  // by the English name
	Class map[string]string `toml:"class"` // by the English words
}

// load reads the embedded files once. What is wrong with them, tests find.
var load = sync.OnceValues(func() (map[string]*words, error) {
	out := map[string]*words{}
	for _, lang := range languages {
		b, err := wordFiles.ReadFile(path.Join("words", lang+".toml"))
		t := &words{Lang: lang}
		if err == nil {
			err = toml.Unmarshal(b, t)
		}
		if err != nil {
			return nil, fmt.Errorf("public: words in %s: %w", lang, err)
		}
		out[lang] = t
	}
	return out, nil
})

// or is the word for s in m, or s itself.
func or(m map[string]string, s string) string {
	if w := m[s]; w != "" {
		return w
	}
	return s
}
