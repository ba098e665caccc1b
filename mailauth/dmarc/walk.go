package dmarc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"sluice/dns"
)

// maxQueries is the most names that one tree walk asks for (RFC 9989 4.10).
const maxQueries = 8

// Step is one question of an evaluation, in the order asked.
type Step struct {
	For    string // whose walk: the author's domain or an authenticated one
	Name   string // asked for: _dmarc.example.com
	Type   string // TXT; MX, A, AAAA where existence was asked
	Found  string // the record, or the answer in short; hostile
	Err    string // why there is no answer, "" where there is one
	Cached bool   // asked before in this evaluation
}

// String is one line for people. It may hold hostile text.
func (s Step) String() string {
	out := s.Found
	if out == "" {
		out = s.Err
	}
	return s.Name + " " + s.Type + ": " + out
}

// found is a policy record and where it was.
type found struct {
	domain string
	record Record
}

// walk is the outcome of a tree walk.
type walk struct {
	start   string
	found   []found // from the longest name to the shortest
	err     error   // the walk broke off: what stands above is unknown
	errName string
}

// at returns the record at a domain.
func (w *walk) at(domain string) *found {
	for i := range w.found {
		if w.found[i].domain == domain {
			return &w.found[i]
		}
	}
	return nil
}

// organization is the organizational domain (RFC 9989 4.10.2), and the public
// suffix domain where the walk ended at one.
func (w *walk) organization() (org, psd string) {
	for _, f := range w.found {
		switch {
		case f.record.PSD == 'n':
			return f.domain, ""
		case f.record.PSD == 'y' && f.domain != w.start:
			return below(w.start, f.domain), f.domain
		}
	}
	if n := len(w.found); n > 0 {
		return w.found[n-1].domain, ""
	}
	return w.start, ""
}

// below is the name one label below parent on the way to name.
func below(name, parent string) string {
	rest := strings.TrimSuffix(name, "."+parent)
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + parent
}

// next is the name that a walk asks for after name, "" behind the top: one label
// less, and seven labels where there were eight or more (RFC 9989 4.10 step 4).
func next(name string) string {
	_, name, _ = strings.Cut(name, ".")
	for dots := strings.Count(name, "."); dots > 6; dots-- {
		_, name, _ = strings.Cut(name, ".")
	}
	return name
}

// lookup is one answer of an evaluation.
type lookup struct {
	record *Record
	note   string
	err    error
}

// walker asks each name once per evaluation.
type walker struct {
	r       dns.Resolver
	answers map[string]lookup
	asked   int // questions that went to the resolver
	trace   []Step
}

// Bounds on one evaluation beyond the eight of each walk.
const (
	maxAsked   = 64 // questions in all
	maxTrace   = 128
	maxRecords = 1000 // TXT strings looked at under one name
)

// errBudget is a walk that would ask too much; it counts as temporary.
var errBudget = fmt.Errorf("dmarc: more than %d questions for one message", maxAsked)

// walk asks for policy records from start up to the top (RFC 9989 4.10).
func (w *walker) walk(ctx context.Context, start string) walk {
	out := walk{start: start}
	name := start
	for range maxQueries {
		l := w.policy(ctx, start, name)
		if l.err != nil && !dns.NotFound(l.err) {
			out.err, out.errName = l.err, name
			return out
		}
		if l.record != nil {
			out.found = append(out.found, found{name, *l.record})
			if l.record.PSD == 'n' || l.record.PSD == 'y' {
				return out
			}
		}
		if name = next(name); name == "" {
			return out
		}
	}
	return out
}

// policy asks for the one policy record at a domain.
func (w *walker) policy(ctx context.Context, start, domain string) lookup {
	name := "_dmarc." + domain
	l, cached := w.answers[name]
	if !cached {
		l = w.ask(ctx, name)
		w.answers[name] = l
	}
	w.step(Step{For: start, Name: name, Type: "TXT", Found: l.note, Err: text(l.err), Cached: cached})
	return l
}

func (w *walker) ask(ctx context.Context, name string) lookup {
	if w.asked++; w.asked > maxAsked {
		return lookup{err: errBudget}
	}
	texts, err := dns.LookupTXT(ctx, w.r, name)
	if err != nil {
		return lookup{err: err}
	}
	var records []string
	for _, t := range texts[:min(len(texts), maxRecords)] {
		if IsRecord(t) {
			records = append(records, t)
		}
	}
	switch len(records) {
	case 0:
		return lookup{note: fmt.Sprintf("%d text records, none of DMARC", len(texts))}
	case 1:
		rec, _ := Parse(records[0])
		return lookup{record: &rec, note: records[0]}
	}
	// RFC 9989 4.10 step 2: several are as good as none.
	return lookup{note: fmt.Sprintf("%d DMARC records: all are discarded", len(records))}
}

// exists says whether a domain has an MX, A or AAAA record (RFC 9989 3.2.13).
func (w *walker) exists(ctx context.Context, domain string) (bool, error) {
	for _, t := range []dns.Type{dns.MX, dns.A, dns.AAAA} {
		if w.asked++; w.asked > maxAsked {
			return false, errBudget
		}
		_, err := w.r.Lookup(ctx, domain, t)
		step := Step{For: domain, Name: domain, Type: t.String(), Err: text(err)}
		if err == nil {
			step.Found = "the domain exists"
		}
		w.step(step)
		switch {
		case err == nil:
			return true, nil
		case dns.Temporary(err):
			return false, err
		case errors.Is(err, dns.ErrNXDomain): // RFC 8020: of no type
			return false, nil
		}
	}
	return false, nil
}

// text is an error's text, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (w *walker) step(s Step) {
	if len(w.trace) < maxTrace {
		w.trace = append(w.trace, s)
	}
}
