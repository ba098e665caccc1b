package main

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/eval"
	"sluice/message/header"
)

// row is one comparison: good and bad mail of the part "test", and the mail of the
// part "train" that a scanner may learn from before. Pools are corpus/label.
type row struct {
	name      string // short, for files
	title     string
	good, bad []string
	train     []string
	learn     int  // messages of each pool that are learned at the most; 0: all of the sample
	judge     int  // the same of those that are judged
	strange   bool // the bad mail, or all, is of a kind that isn't learned
}

// rows are what is compared. Rows of one corpus say how well a scanner learns
// mail of a kind; those with "from others" say what is left of it on mail of
// a kind that it was not taught. foff_milter is never learned from.
var rows = []row{
	{
		name: "spamassassin", title: "SpamAssassin corpus, 2002–03",
		good: []string{"spamassassin/ham", "spamassassin/hardham"}, bad: []string{"spamassassin/spam"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "spamassassin/spam"},
	},
	{
		name: "lists", title: "mailing lists, 2019–26",
		good: []string{"lists_2019_2026/ham"}, bad: []string{"lists_2019_2026/spam"},
		train: []string{"lists_2019_2026/ham", "lists_2019_2026/spam"},
	},
	{
		// Ham of both: alone, either the year or the headers of lists would tell.
		name: "phish", title: "phishing_pot, 2022–26; ham of both", learn: 300, judge: 300,
		good:  []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham"},
		bad:   []string{"phishing_pot/phish"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham", "phishing_pot/phish"},
	},
	{
		name: "nazario", title: "nazario, 2004–05; ham of SpamAssassin's corpus",
		good: []string{"spamassassin/ham", "spamassassin/hardham"}, bad: []string{"nazario/phish"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "nazario/phish"},
	},
	{
		name: "week", title: "all of these pooled; what a week may bring was learned", learn: 100,
		good:  []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham"},
		bad:   []string{"spamassassin/spam", "lists_2019_2026/spam", "phishing_pot/phish", "nazario/phish"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham", "spamassassin/spam", "lists_2019_2026/spam", "phishing_pot/phish", "nazario/phish"},
	},
	{
		name: "spamassassin-others", strange: true, title: "SpamAssassin corpus, learned from others",
		good: []string{"spamassassin/ham", "spamassassin/hardham"}, bad: []string{"spamassassin/spam"},
		train: []string{"lists_2019_2026/ham", "lists_2019_2026/spam", "phishing_pot/phish", "enron_raw/ham", "glitchyzorua_419/fraud"},
	},
	{
		name: "lists-others", strange: true, title: "mailing lists, learned from others",
		good: []string{"lists_2019_2026/ham"}, bad: []string{"lists_2019_2026/spam"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "spamassassin/spam", "phishing_pot/phish", "enron_raw/ham", "glitchyzorua_419/fraud"},
	},
	{
		name: "phish-others", strange: true, title: "phishing_pot; ham of both; bad mail learned from others", judge: 300,
		good:  []string{"spamassassin/ham", "spamassassin/hardham", "lists_2019_2026/ham"},
		bad:   []string{"phishing_pot/phish"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "spamassassin/spam", "lists_2019_2026/ham", "lists_2019_2026/spam", "enron_raw/ham", "glitchyzorua_419/fraud"},
	},
	{
		name: "foff", strange: true, title: "foff_milter, 2025–26, learned from others",
		good: []string{"foff_milter/ham"}, bad: []string{"foff_milter/spam"},
		train: []string{"spamassassin/ham", "spamassassin/hardham", "spamassassin/spam", "lists_2019_2026/ham", "lists_2019_2026/spam", "phishing_pot/phish"},
	},
}

// sample is a fixed choice of messages.
type sample struct {
	dir   string                  // where the messages lie, each under part/corpus/label/name
	pools map[string][]eval.Entry // by part/corpus/label, in the order of their hash
}

func (s *sample) path(e *eval.Entry) string {
	return filepath.Join(s.dir, e.Part, filepath.FromSlash(e.Path))
}

// train returns the messages that a row may learn from.
func (s *sample) train(r *row) []eval.Entry { return s.entries("train", r.train, r.learn) }

// test returns the messages of pools that are judged for a row.
func (s *sample) test(r *row, pools ...[]string) []eval.Entry {
	return s.entries("test", slices.Concat(pools...), r.judge)
}

// entries returns the messages of pools of a part, at most so many of each, all for 0.
func (s *sample) entries(part string, pools []string, most int) []eval.Entry {
	var out []eval.Entry
	for _, p := range pools {
		all := s.pools[part+"/"+p]
		if most > 0 {
			all = all[:min(most, len(all))]
		}
		out = append(out, all...)
	}
	return out
}

// draw chooses up to n messages of every pool and part: those whose paths have the
// least hashes, so that every run and every scanner has the same, and a smaller
// sample is part of a larger one.
func draw(split []eval.Entry, n int) map[string][]eval.Entry {
	by := map[string][]eval.Entry{}
	for _, e := range split {
		by[e.Part+"/"+e.Pool()] = append(by[e.Part+"/"+e.Pool()], e)
	}
	for k, all := range by {
		slices.SortFunc(all, func(a, b eval.Entry) int {
			return cmp.Or(cmp.Compare(hash(a.Path), hash(b.Path)), strings.Compare(a.Path, b.Path))
		})
		by[k] = all[:min(n, len(all))]
	}
	return by
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// write lays the messages of all rows into dir, as a gateway would have met them.
func write(corpora, dir string, pools map[string][]eval.Entry, rows []row) (*sample, error) {
	s := &sample{dir: dir, pools: pools}
	for _, r := range rows {
		for _, e := range slices.Concat(s.train(&r), s.test(&r, r.good, r.bad)) {
			to := s.path(&e)
			if _, err := os.Stat(to); err == nil {
				continue
			}
			file, err := os.ReadFile(filepath.Join(corpora, filepath.FromSlash(e.Path)))
			if err != nil {
				return nil, err
			}
			b, err := eval.ReadMail(corpora, &e)
			if err != nil {
				return nil, err
			}
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(to, arriving(file, b), 0o644); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Fields that a receiver, a filter or a mailbox put in after the message arrived.
// They give the label away, and no gateway meets them.
var (
	afterwards = map[string]bool{
		"authentication-results": true, "received-spf": true, "dkim-filter": true, "delivered-to": true, "return-path": true,
		"x-original-to": true, "x-apparently-to": true, "x-greylist": true, "x-uidl": true, "status": true, "x-status": true,
		"x-keywords": true, "x-bogosity": true, "lines": true, "content-length": true,
	}
	afterwardsPrefixes = []string{"arc-", "x-ms-", "x-forefront-", "x-microsoft-", "x-eop", "x-sid-", "x-incoming", "x-message-",
		"x-spam-", "x-virus-", "x-ses-", "x-gm-", "x-google-", "x-crm114", "x-foff-", "x-ymail", "x-forwarded-"}
)

// arriving returns a message without those fields, under a line "From sender" where
// the envelope sender is known: by such a line in the file, or by Return-Path.
func arriving(file, b []byte) []byte {
	sender := ""
	if line, ok := bytes.CutPrefix(file, []byte("From ")); ok {
		if f := bytes.Fields(line[:min(len(line), 500)]); len(f) > 0 {
			sender = string(f[0])
		}
	}
	var kept bytes.Buffer
	drop := false
	for len(b) > 0 {
		line, rest, _ := bytes.Cut(b, []byte("\n"))
		if len(bytes.TrimRight(line, "\r")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			name, value, _ := bytes.Cut(line, []byte(":"))
			lower := header.Lower(string(bytes.TrimSpace(name)))
			drop = afterwards[lower] || slices.ContainsFunc(afterwardsPrefixes, func(p string) bool { return strings.HasPrefix(lower, p) })
			if lower == "return-path" && sender == "" {
				sender = strings.Trim(string(bytes.TrimSpace(value)), "<>")
			}
		}
		if !drop {
			kept.Write(b[:len(b)-len(rest)])
		}
		b = rest
	}
	kept.Write(b)
	if !strings.Contains(sender, "@") || strings.ContainsAny(sender, " \t\r") {
		return kept.Bytes()
	}
	return append([]byte("From "+sender+" Thu Jan  1 00:00:00 1970\n"), kept.Bytes()...)
}
