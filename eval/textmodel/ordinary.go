package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"

	"sluice/eval"
	"sluice/learn/text"
)

//go:embed ordinary.txt
var ordinaryText string

// perTemplate is how many messages are made of each template.
const perTemplate = 6

// ordinary makes good mail of the kinds that the corpora lack, from templates.
// Without it the learner takes the words of shops and services for spam, because
// only spam had them.
func ordinary() []mail {
	sections := strings.Split(ordinaryText, "\n%%\n")
	lists := map[string][]string{}
	for l := range strings.Lines(sections[len(sections)-1]) {
		name, words, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(l), "= "), ": ")
		if ok {
			lists[name] = strings.Split(words, "|")
		}
	}
	r := rand.New(rand.NewPCG(seed, 0x0D))
	var out []mail
	for k, template := range sections[1 : len(sections)-1] {
		subject, body, _ := strings.Cut(template, "\n")
		for range perTemplate {
			out = append(out, mail{
				&eval.Entry{Group: fmt.Sprint("ordinary ", k), Part: "train", Corpus: "made", Label: "ham"},
				&text.Document{Subject: expand(r, lists, subject), Text: expand(r, lists, body)},
			})
		}
	}
	return out
}

// expand replaces each {…} by one of its choices, or by a word of the list of
// that name.
func expand(r *rand.Rand, lists map[string][]string, s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		choice, after, _ := strings.Cut(rest, "}")
		words := lists[choice]
		if words == nil {
			words = strings.Split(choice, "|")
		}
		b.WriteString(words[r.IntN(len(words))])
		s = after
	}
}
