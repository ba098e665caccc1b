// Package quote tells what the writer of a message wrote from what is quoted, as mail
// programs mark it, and replies from first messages by their subject.
package quote

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLines bounds how many lines are looked at; all behind counts as written.
const maxLines = 4000

// Split parts a text: lines behind ">", and all below a line that programs put above
// what they quote, are quoted. Forwards are quotes too.
func Split(text string) (own, quoted string) {
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

// border says whether a line begins a quotation; next is the text behind it.
func border(line, next string) bool {
	if len(line) > 300 || len(line) < 4 {
		return false
	}
	return dashed(line) || attribution(line) || header(line, next)
}

// dashed is "-----Original Message-----" in any language: words between rows of
// dashes. A row alone, or a title in a plain-text letter, has no such short words.
func dashed(line string) bool {
	marks := "-_=*"
	inner := strings.Trim(line, "-_=* ")
	if inner == "" || !strings.ContainsRune(marks, rune(line[0])) || len(line)-len(strings.TrimLeft(line, marks)) < 2 {
		return false
	}
	inner = strings.ToLower(inner)
	for _, w := range within {
		if strings.Contains(inner, w) {
			return true
		}
	}
	return false
}

// attribution is "On 3 March 2026, Bob <bob@example.org> wrote:" in any language: it
// ends in a colon and has a verb of writing, and a date or an address.
func attribution(line string) bool {
	if !strings.HasSuffix(line, ":") && !strings.HasSuffix(line, "：") {
		return false
	}
	if !strings.ContainsAny(line, "0123456789@") {
		return false
	}
	low := strings.ToLower(line)
	for _, w := range verbs {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// header is a small header as Outlook puts it above what it quotes, in any language:
// a line that names a sender, and right behind it two more fields of which one has a
// date.
func header(line, next string) bool {
	name, value, ok := field(line)
	if !ok || value == "" || !senders[name] {
		return false
	}
	fields, dated := 0, false
	for n := 0; n < 6 && next != ""; n++ {
		var l string
		l, next, _ = strings.Cut(next, "\n")
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		_, v, ok := field(l)
		if !ok {
			break
		}
		fields++
		dated = dated || strings.ContainsAny(v, "0123456789")
	}
	return fields >= 2 && dated
}

// field reads "Name: value" with a name of letters, as in "*Von:* Bob".
func field(line string) (name, value string, ok bool) {
	i := strings.IndexAny(line, ":：")
	if i < 2 || i > 40 {
		return "", "", false
	}
	name = strings.ToLower(strings.Trim(line[:i], "* \u00a0>"))
	for _, r := range name {
		if !unicode.IsLetter(r) && r != ' ' && r != '-' && r != '\'' && r != '’' && !unicode.IsMark(r) {
			return "", "", false
		}
	}
	_, size := utf8.DecodeRuneInString(line[i:])
	return name, strings.Trim(line[i+size:], "* "), name != ""
}

var (
	within = []string{"original message", "original appointment", "forwarded", "ursprüngliche", "weitergeleitete", "original-nachricht", "originalnachricht",
		"message d'origine", "message d’origine", "message transféré", "mensaje original", "mensaje reenviado", "messaggio originale", "messaggio inoltrato",
		"mensagem original", "mensagem encaminhada", "oorspronkelijk", "doorgestuurd", "ursprungligt", "vidarebefordrat", "oprindelig", "opprinnelig", "videresendt",
		"alkuperäinen", "välitetty", "wiadomość oryginalna", "oryginalna wiadomość", "přeposlaná", "původní", "eredeti üzenet", "továbbított", "mesaj original", "mesajul original",
		"исходное сообщение", "пересылаемое", "пересланное", "оригинальное", "оригінальне", "orijinal mesaj", "iletilen", "αρχικό μήνυμα", "προωθημένο",
		"הודעה מקורית", "הועברה", "الرسالة الأصلية", "رسالة معاد", "原始邮件", "原始郵件", "转发", "轉寄", "元のメッセージ", "オリジナルメッセージ", "転送", "원본 메시지", "전달"}
	verbs = []string{"wrote", "schrieb", "geschrieben", "écrit", "escribió", "scritto", "escreveu", "schreef", "geschreven", "skrev", "kirjoitti", "napisał", "napsal", "napísal", "írta",
		"a scris", "написа", "писал", "пишет", "писав", "yazdı", "έγραψε", "כתב", "كتب", "写道", "寫道", "のメール", "書きました", "작성", "viết", "menulis"}
	senders = set("from", "von", "de", "da", "van", "fra", "från", "lähettäjä", "od", "feladó", "от", "від", "kimden", "gönderen", "από", "מאת", "من", "发件人", "寄件者", "寄件人", "差出人", "보낸 사람", "expéditeur", "remitente", "mittente", "remetente", "afzender", "nadawca", "odesílatel", "dari", "từ")
)

func set(words ...string) map[string]bool {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return m
}
