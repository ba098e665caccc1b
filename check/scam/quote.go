package scam

import (
	"strings"
	"unicode/utf8"
)

// maxLines bounds how many lines are searched for the border of a quotation.
const maxLines = 4000

// parts splits a text into what its sender wrote and what is quoted: lines behind
// ">", and all below a line that mail programs put above a reply or forward.
func parts(text string) (own, quoted string) {
	var o, q strings.Builder
	rest, before := text, ""
	kept := 0 // the lines from here to rest are the sender's, and not yet in o
	keep := func(end int) string {
		if o.Len() == 0 && kept == 0 {
			return text[:end]
		}
		o.WriteString(text[kept:end])
		return o.String()
	}
	for n := 0; rest != "" && n < maxLines; n++ {
		at := len(text) - len(rest)
		line, after, _ := strings.Cut(rest, "\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case border(trimmed, after), strings.HasSuffix(trimmed, ":") && border(before+" "+trimmed, ""):
			if q.Len() == 0 {
				return keep(at), rest
			}
			q.WriteString(rest)
			return keep(at), q.String()
		case strings.HasPrefix(trimmed, ">"):
			o.WriteString(text[kept:at])
			kept = len(text) - len(after)
			q.WriteString(strings.TrimLeft(trimmed, "> "))
			q.WriteByte('\n')
		}
		rest, before = after, trimmed
	}
	return keep(len(text)), q.String()
}

// opens holds what a border can begin with, and what one can that ends in a colon;
// letters beyond ASCII have small forms within it.
var opens, opensColon = func() (a, b [256]bool) {
	for c := range 256 {
		a[c] = c >= utf8.RuneSelf || strings.IndexByte("-_*bBaA", byte(c)) >= 0
		for _, f := range fromFields {
			a[c] = a[c] || byte(c)|0x20 == f[0] || byte(c) == f[0]
		}
		b[c] = a[c]
		for _, w := range wrote {
			b[c] = b[c] || byte(c)|0x20 == w[0][0]
		}
	}
	return a, b
}()

// border says whether line begins a quotation; next is the text behind it.
func border(line, next string) bool {
	if len(line) > 300 || len(line) < 4 {
		return false
	}
	if !opens[line[0]] && (!opensColon[line[0]] || line[len(line)-1] != ':') {
		return false
	}
	low := strings.ToLower(line)
	if strings.HasPrefix(low, "---") || strings.HasPrefix(low, "___") || strings.HasPrefix(low, "***") || strings.HasPrefix(low, "begin ") || strings.HasPrefix(low, "anfang ") {
		for _, w := range bordersWithin {
			if strings.Contains(low, w) {
				return true
			}
		}
	}
	// "On 3 March, Bob wrote:", and the same in other languages.
	if strings.HasSuffix(low, ":") {
		for _, w := range wrote {
			if strings.HasPrefix(low, w[0]) && strings.Contains(low, w[1]) {
				return true
			}
		}
	}
	// A small header: "From: …", then "Sent: …" or "Date: …" within three lines.
	for _, f := range fromFields {
		if strings.HasPrefix(low, f) {
			for range 3 {
				var l string
				l, next, _ = strings.Cut(next, "\n")
				l = strings.ToLower(strings.TrimSpace(l))
				for _, s := range sentFields {
					if strings.HasPrefix(l, s) {
						return true
					}
				}
			}
			return false
		}
	}
	return false
}

var (
	bordersWithin = []string{"original message", "forwarded message", "forwarded by", "ursprüngliche nachricht", "weitergeleitete nachricht", "original-nachricht",
		"message d'origine", "message transféré", "mensaje original", "mensaje reenviado", "messaggio originale", "messaggio inoltrato",
		"mensagem original", "mensagem encaminhada", "oorspronkelijk bericht", "doorgestuurd bericht", "forwarded"}
	wrote = [][2]string{{"on ", "wrote"}, {"am ", "schrieb"}, {"le ", "écrit"}, {"el ", "escribió"}, {"il ", "scritto"}, {"em ", "escreveu"}, {"op ", "schreef"}, {"a ", "écrit"}}
	// Of the languages that the lexicon has.
	fromFields = []string{"from:", "von:", "de :", "de:", "da:", "van:", "*from:*"}
	sentFields = []string{"sent:", "date:", "gesendet:", "datum:", "envoyé", "date :", "enviado", "fecha:", "inviato:", "data:", "verzonden:", "*sent:*", "*date:*"}
)
