package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"go/format"
	"slices"
	"strings"
)

// initialisms keep their capitals in constant names.
var initialisms = map[string]string{
	"8BIT": "8Bit", "7BIT": "7Bit",
}

var upper = []string{"ARC", "ASCII", "BATV", "BCC", "BDAT", "BEC", "CC", "CID", "CPU", "CR", "CRLF", "CSS", "DKIM", "DMARC", "DNS", "DNSBL", "DSN", "EICAR", "ESMTP", "FQDN",
	"GTUBE", "HTML", "HTTP", "HTTPS", "ID", "IDN", "IP", "IPV4", "IPV6", "JS", "LF", "LMTP", "MIME", "MTA", "MX", "NUL", "OLE", "PDF", "PTR", "QR", "RBL", "RFC", "RTF", "RTL",
	"SMTP", "SMTPUTF8", "SPF", "SVG", "TLD", "TLS", "TTL", "TNEF", "URI", "URL", "UTF7", "UTF8", "VBA", "XML"}

// constName turns HELO_NO_FQDN into HeloNoFQDN.
func constName(id string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(id, "_") {
		switch w, ok := initialisms[word]; {
		case ok:
			b.WriteString(w)
		case word == "" || slices.Contains(upper, word):
			b.WriteString(word)
		default:
			b.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return b.String()
}

// goSource writes reasons_gen.go.
func goSource(c []entry) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated from catalogue/*.toml by go generate ./reason; DO NOT EDIT.\n\npackage reason\n\n")
	b.WriteString("// The reasons, as untyped strings: they are assignable to sluice.Reason.\nconst (\n")
	for _, e := range c {
		fmt.Fprintf(&b, "%s = %q // %s\n", constName(e.ID), e.ID, comment(e))
	}
	b.WriteString(")\n\n")
	table := tableSource(c)
	sum := sha256.Sum256(table)
	fmt.Fprintf(&b, "const hash = \"%x\"\n\n", sum[:8])
	b.Write(table)
	src, err := format.Source(b.Bytes())
	if err != nil {
		return nil, fmt.Errorf("gen: %w", err)
	}
	return src, nil
}

// tableSource writes the table; the catalogue's hash is taken over it.
func tableSource(c []entry) []byte {
	var b bytes.Buffer
	b.WriteString("// entries is sorted by ID.\nvar entries = [...]Entry{\n")
	for _, e := range c {
		fmt.Fprintf(&b, "{ID: %q, Group: %q, Phase: %q, Threat: %q,\nPoints: %v, Hard: %q, Code: %d, Enhanced: %q,\n", e.ID, e.Group, e.Phase, e.Threat, *e.Points, e.Hard, *e.Code, e.Enhanced)
		for _, f := range [...][2]string{{"Weight", e.Weight}, {"Reply", e.Reply}, {"Fix", e.Fix}, {"Page", e.Page}, {"User", e.User}, {"Admin", e.Admin}, {"Source", e.Source}} {
			fmt.Fprintf(&b, "%s: %q,\n", f[0], oneLine(f[1]))
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func comment(e entry) string {
	if e.Reply != "" {
		return e.Reply
	}
	return oneLine(e.Admin)
}

// oneLine joins the lines of a TOML multi-line string.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// document writes docs/reasons.md.
func document(c []entry) []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Generated from reason/catalogue by go generate ./reason; do not edit. -->\n\n# Reasons\n\n")
	b.WriteString("Every fact that Sluice states about a message, and every cause for which it refuses or defers one. " +
		"Names don't change once released. Points are decibel of odds before the group is weighted and clipped; " +
		"positive points speak against a message. A hard stop decides alone; a hard pass lets a message through all but malware.\n")
	for _, g := range groups {
		var rows []entry
		for _, e := range c {
			if e.Group == g {
				rows = append(rows, e)
			}
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", strings.ToUpper(g[:1])+g[1:])
		b.WriteString("| Reason | Points | Reply | Meaning |\n|---|---|---|---|\n")
		for _, e := range rows {
			fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", e.ID, strings.ToLower(e.ID), points(e), code(e), cell(e.Admin))
		}
		for _, e := range rows {
			describe(&b, e)
		}
	}
	return b.Bytes()
}

func describe(b *bytes.Buffer, e entry) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", e.ID, prose(e.Page))
	if e.Reply != "" {
		fmt.Fprintf(b, "- Reply: `%s` %s", code(e), prose(e.Reply))
		if e.Fix != "" {
			fmt.Fprintf(b, "; %s", prose(e.Fix))
		}
		b.WriteString(".\n")
	}
	fmt.Fprintf(b, "- Recipients read: %s\n- Phase %s, threat %s, %s points (%s).\n- Source: %s\n", prose(e.User), e.Phase, e.Threat, points(e), prose(e.Weight), prose(e.Source))
}

func points(e entry) string {
	if e.Hard != "" {
		return "hard " + e.Hard
	}
	return fmt.Sprintf("%+.1f", *e.Points)
}

func code(e entry) string {
	if *e.Code == 0 {
		return "none"
	}
	return fmt.Sprintf("%d %s", *e.Code, e.Enhanced)
}

// prose keeps words from being read as markup.
func prose(s string) string { return strings.ReplaceAll(oneLine(s), "<", "&lt;") }

func cell(s string) string { return strings.ReplaceAll(prose(s), "|", `\|`) }
