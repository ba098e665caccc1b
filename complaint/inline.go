package complaint

import (
	"slices"
	"strings"

	"sluice/message"
	"sluice/message/header"
)

// markers are lines that mail programs put before a message that they quote when
// forwarding. Lower case, without dashes around.
var markers = []string{"forwarded message", "begin forwarded message", "original message", "forwarded by",
	"weitergeleitete nachricht", "ursprüngliche nachricht", "urspruengliche nachricht", "anfang der weitergeleiteten",
	"message transféré", "message d'origine", "message original", "début du message réexpédié",
	"mensaje reenviado", "mensaje original", "messaggio inoltrato", "messaggio originale", "inizio messaggio inoltrato",
	"doorgestuurd bericht", "oorspronkelijk bericht", "mensagem encaminhada", "mensagem original",
	"wiadomość przekazana", "wiadomość oryginalna", "vidarebefordrat meddelande", "videresendt", "пересылаемое сообщение", "исходное сообщение",
	"转发的邮件", "原始邮件", "転送されたメッセージ", "元のメッセージ"}

// labels begin the lines of a quoted header, in the languages of common programs.
var labels = []string{"from", "sent", "date", "to", "cc", "subject", "reply-to",
	"von", "gesendet", "datum", "an", "betreff", "de", "envoyé", "à", "objet", "enviado", "para", "asunto", "assunto", "data", "a", "oggetto", "da", "inviato",
	"van", "verzonden", "aan", "onderwerp", "från", "skickat", "till", "ämne", "fra", "til", "emne", "od", "do", "temat", "от", "кому", "тема", "дата",
	"发件人", "发送时间", "收件人", "主题", "差出人", "宛先", "件名"}

// quotes says whether the text of m holds a quoted message. It only chooses the words
// of an answer.
func quotes(m *message.Message) bool {
	view := m.View()
	if forwarded(view.Subject) {
		return true
	}
	text := view.Text
	run := 0 // lines of a quoted header in a row
	for n := 0; text != "" && n < 400; n++ {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		line = strings.ToLower(strings.Trim(strings.TrimLeft(line, "> |*"), " \r\t*_"))
		if line == "" {
			continue
		}
		bare := strings.Trim(line, "-_=*: ")
		for _, s := range markers {
			if strings.HasPrefix(bare, s) && len(bare) < 120 {
				return true
			}
		}
		label, _, ok := strings.Cut(line, ":")
		if !ok {
			label, _, ok = strings.Cut(line, "：")
		}
		if ok && slices.Contains(labels, strings.Trim(label, " *_")) {
			if run++; run == 3 {
				return true
			}
			continue
		}
		run = 0
	}
	return false
}

// forwarded says whether a subject begins as that of a forwarded message.
func forwarded(subject string) bool {
	word, _, ok := strings.Cut(header.Lower(strings.TrimSpace(subject)), ":")
	if !ok {
		return false
	}
	switch strings.TrimSpace(word) {
	case "fwd", "fw", "wg", "tr", "rv", "i", "enc", "doorst", "vs", "vb", "pd":
		return true
	}
	return false
}
