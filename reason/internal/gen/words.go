package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// words are one reason in another language than English.
type words struct {
	Page string `toml:"page"`
	Fix  string `toml:"fix"`
}

// tongue is one language and its words by reason.
type tongue struct {
	code  string // "de"
	words map[string]words
}

var tongueName = regexp.MustCompile(`^[a-z]{2}$`)

// readWords reads the translations in dir, one file for each language, sorted by its
// code. No folder is no translation.
func readWords(dir string, c []entry) ([]tongue, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("gen: %w", err)
	}
	slices.Sort(names)
	byID := map[string]entry{}
	for _, e := range c {
		byID[e.ID] = e
	}
	var out []tongue
	var faults []error
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("gen: %w", err)
		}
		t := tongue{code: strings.TrimSuffix(filepath.Base(name), ".toml")}
		if !tongueName.MatchString(t.code) {
			faults = append(faults, fmt.Errorf("%s: want a language of two letters", filepath.Base(name)))
		}
		d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
		if err := d.Decode(&t.words); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", filepath.Base(name), err))
			continue
		}
		for _, id := range slices.Sorted(maps.Keys(t.words)) {
			if fault := wrong(t.words[id], byID, id); fault != "" {
				faults = append(faults, fmt.Errorf("%s: %s: %s", filepath.Base(name), id, fault))
			}
		}
		out = append(out, t)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("gen: %w", errors.Join(faults...))
	}
	return out, nil
}

// wrong says what is wrong with the words of one reason, "" for nothing.
func wrong(w words, byID map[string]entry, id string) string {
	e, ok := byID[id]
	switch {
	case !ok:
		return "there is no such reason"
	case w.Page == "" || !utf8.ValidString(w.Page) || !utf8.ValidString(w.Fix):
		return "want a page, in UTF-8"
	case (w.Fix == "") != (e.Fix == ""):
		return "want a fix where English has one, and only there"
	case strings.ContainsAny(w.Page+w.Fix, "<>"):
		return "no markup"
	case !strings.HasSuffix(oneLine(w.Page), ".") || w.Fix != "" && !strings.HasSuffix(w.Fix, "."):
		return "want whole sentences"
	}
	return ""
}

// wordsSource writes words_gen.go.
func wordsSource(list []tongue) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated from words/*.toml by go generate ./reason; DO NOT EDIT.\n\npackage reason\n\n")
	b.WriteString("// tongues are sorted by code, their words by ID.\nvar tongues = [...]tongue{\n")
	for _, t := range list {
		fmt.Fprintf(&b, "{%q, words%s[:]},\n", t.code, strings.ToUpper(t.code))
	}
	b.WriteString("}\n")
	for _, t := range list {
		fmt.Fprintf(&b, "\nvar words%s = [...]Words{\n", strings.ToUpper(t.code))
		for _, id := range slices.Sorted(maps.Keys(t.words)) {
			fmt.Fprintf(&b, "{ID: %q, Page: %q, Fix: %q},\n", id, oneLine(t.words[id].Page), oneLine(t.words[id].Fix))
		}
		b.WriteString("}\n")
	}
	src, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("gen: %w", err)
	}
	return src, nil
}
