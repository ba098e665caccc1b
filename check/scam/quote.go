package scam

import (
	"strings"
)

// maxLines bounds how many lines are searched for the border of a quotation.
const maxLines = 4000

// parts splits a text into what its sender wrote and what is quoted: lines behind
// ">", and all below a line that mail programs put above a reply or forward.
func parts(text string) (own, quoted string) {
	var o, q strings.Builder
	rest, before := text, ""
	for n := 0; rest != ""; n++ {
		line, after, _ := strings.Cut(rest, "\n")
		trimmed := strings.TrimSpace(line)
		if n >= maxLines {
			o.WriteString(rest)
			break
		}
		switch {
		case border(trimmed, after), strings.HasSuffix(trimmed, ":") && border(before+" "+trimmed, ""):
			q.WriteString(rest)
			return o.String(), q.String()
		case strings.HasPrefix(trimmed, ">"):
			q.WriteString(strings.TrimLeft(trimmed, "> "))
			q.WriteByte('\n')
		default:
			o.WriteString(line)
			o.WriteByte('\n')
		}
		rest, before = after, trimmed
	}
	return o.String(), q.String()
}

// border says whether line begins a quotation; next is the text behind it.
func border(line, next string) bool {
	if len(line) > 300 || len(line) < 4 {
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
