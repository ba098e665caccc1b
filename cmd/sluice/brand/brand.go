// Package brand shows the list of brands in the terminal: who is on it, and what a name
// or a domain is to it.
package brand

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/explain"
	"sluice/learn/brand"
)

// Filter says which brands to list; zero fields take all.
type Filter struct {
	Kind    string
	Country string // ISO 3166 code
}

// row is one brand in JSON.
type row struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Countries []string `json:"countries,omitempty"`
	Names     []string `json:"names"`
	Common    []string `json:"common,omitempty"` // of the names, those that are words too
	Domains   []string `json:"domains"`
	Links     []string `json:"links,omitempty"`
}

func rowOf(b *brand.Brand) row {
	r := row{ID: b.ID, Name: b.String(), Kind: string(b.Kind), Countries: b.Countries, Domains: b.Domains, Links: b.Links}
	for _, n := range b.Names {
		r.Names = append(r.Names, n.Text)
		if n.Common {
			r.Common = append(r.Common, n.Text)
		}
	}
	return r
}

// List prints the brands of a list.
func List(w io.Writer, l *brand.List, f Filter, asJSON bool) error {
	var rows []row
	for _, b := range l.All() {
		if (f.Kind == "" || f.Kind == string(b.Kind)) && (f.Country == "" || slices.Contains(b.Countries, strings.ToLower(f.Country))) {
			rows = append(rows, rowOf(b))
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(rows)
	}
	for _, r := range rows {
		where := strings.Join(r.Countries, " ")
		if _, err := fmt.Fprintf(w, "%-11s %-6s %s: %s\n", r.Kind, where, plain(r.Name), strings.Join(r.Domains, " ")); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d brands, of %s\n", len(rows), l.Date().Format("2 January 2006"))
	return err
}

// Show prints the brands that a text names, as a display name does, or that speak from a
// domain. It fails where there are none.
func Show(w io.Writer, l *brand.List, what string, asJSON bool) error {
	type hit struct {
		brand *brand.Brand
		how   string
	}
	var hits []hit
	add := func(b *brand.Brand, how string) {
		if !slices.ContainsFunc(hits, func(h hit) bool { return h.brand == b }) {
			hits = append(hits, hit{b, how})
		}
	}
	if b := l.Lookup(what); b != nil && b.ID == what {
		add(b, "")
	}
	for _, b := range l.Of(strings.ToLower(what)) {
		add(b, "speaks from there")
	}
	l.Find(what, func(m brand.Match) bool {
		how := "named as " + plain(what[m.Start:m.End])
		if m.Form != 0 {
			how += ", with " + m.Form.Words()
		}
		add(m.Brand, how)
		return len(hits) < 20
	})
	if len(hits) == 0 {
		return fmt.Errorf("brand: nobody in the list of %s is called, or speaks from, %q", l.Date().Format("2 January 2006"), what)
	}
	if asJSON {
		var rows []row
		for _, h := range hits {
			rows = append(rows, rowOf(h.brand))
		}
		return json.NewEncoder(w).Encode(rows)
	}
	for i, h := range hits {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := page(w, h.brand, h.how); err != nil {
			return err
		}
	}
	return nil
}

func page(w io.Writer, b *brand.Brand, how string) error {
	head := b.String() + " (" + string(b.Kind) + ")"
	if how != "" {
		head += ": " + how
	}
	var names []string
	for _, n := range b.Names {
		switch {
		case n.Person:
			names = append(names, n.Text+" (people are called so too)")
		case n.Common:
			names = append(names, n.Text+" (a word too)")
		default:
			names = append(names, n.Text)
		}
	}
	lines := []string{plain(head), "  names    " + plain(strings.Join(names, ", ")), "  domains  " + strings.Join(b.Domains, " ")}
	if len(b.Links) > 0 {
		lines = append(lines, "  links    "+strings.Join(b.Links, " "))
	}
	if len(b.Countries) > 0 {
		lines = append(lines, "  in       "+strings.Join(b.Countries, " "))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func plain(s string) string { return explain.Escape(s, 500) }
