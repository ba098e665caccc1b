package bounce

import (
	"slices"
	"strings"
)

// daemons are local parts and names that send notices.
var daemons = []string{"mailer-daemon", "mailer_daemon", "mailerdaemon", "postmaster", "post_master", "mail delivery", "mail.delivery", "mdaemon", "mail-daemon", "maildaemon", "mailadm", "delivery subsystem", "mail system", "mta-report", "system administrator", "mail administrator"}

// subjects begin or make up the subjects of notices, and of little else.
var subjects = []string{
	"undeliver", "delivery status notification", "delivery status", "returned mail", "returned message", "failure notice", "delivery failure", "delivery failed", "mail delivery failed", "delivery has failed", "delivery report", "non-deliverable",
	"nondeliverable", "non delivery", "mail failure", "could not be delivered", "delivery problem", "mail error", "delivery error", "delivery notification",
	"mail system error", "unknown user", "user unknown", "error sending", "unable to deliver", "mail could not", "returned to sender", "mail returned", "not delivered", "unzustellbar", "nicht zustellbar", "unzustellbarkeit",
	"échec de la remise", "non remis", "retour de courrier", "no entregado", "no se pudo entregar", "エラーメール", "配信不能", "配送エラー", "送信できません", "недоставлен", "не доставлено", "problem delivering", "are not member", "bounce notification", "mail delivery",
}

// hints are words that the subjects of notices have, and others too.
var hints = []string{"warning: message", "delayed", "message status", "message delivery", "rejected", "bounce", "notification", "fehler", "échec", "retour", "fallo", "エラー", "配信", "配送", "доставлено", "cannot be sent", "not sent", "dsn", "mail not", "blocked", "message you sent", "error", "not accepted", "failed", "failure"}

// cues are words in the text of notices.
var cues = []string{
	"could not be delivered", "couldn't be delivered", "could not deliver", "unable to deliver", "wasn't able to deliver", "not able to deliver", "delivery to the following", "not delivered", "undeliver", "was not delivered", "did not reach", "delivery failed", "delivery has failed",
	"failed permanently", "fatal errors", "delivery problems", "delivery errors", "permanent error", "could not be sent", "couldn't be sent", "was rejected", "was blocked", "bounced", "non-deliverable", "returned", "trouble delivering", "message blocked",
	"unknown user", "user unknown", "unsent message", "failure reasons", "not be found", "deferred", "rejected by", "mailbox is full", "does not exist", "error below", "error message", "no valid recipients", "not a member", "delivery time",
	"konnte nicht zugestellt", "nicht zugestellt", "n'a pas pu être", "n'a pu être", "no se ha podido entregar", "no pudo ser entregado", "送信できませんでした", "失敗", "配信でき", "存在しない", "エラー", "не может быть доставлено", "failed to send", "transcript", "error occurred", "delivery attempt", "over quota", "unable to send",
	"undeliverable", "is not accepted", "cannot be delivered", "can not be delivered", "failed with", "delivery failure", "are not member", "will keep trying", "has been delayed", "not yet been delivered",
}

// looksLikeNotice says whether the mail is a notice about other mail: a daemon
// wrote it and its subject or text say so, or subject and text do both, and it is
// neither an answer nor list mail, which may talk about bounces.
func (r *reader) looksLikeNotice() bool {
	h := r.m.Header()
	if h.Field("X-Failed-Recipients") != nil {
		return true
	}
	subject := strings.ToLower(strings.TrimSpace(h.Decoded("Subject")))
	if r.answerSubject(subject) {
		return false
	}
	from, path := strings.ToLower(h.Decoded("From")), strings.ToLower(strings.TrimSpace(h.Get("Return-Path")))
	daemon := path == "<>" || strings.Contains(r.m.EnvelopeFromLine(), "MAILER-DAEMON") ||
		slices.ContainsFunc(daemons, func(d string) bool { return strings.Contains(from, d) || strings.Contains(path, d) })
	told := contains(subject, subjects)
	text := strings.Join(r.lower, " ")
	if len(text) > 16<<10 {
		text = text[:16<<10]
	}
	cue := contains(text, cues)
	if daemon {
		return told || cue || contains(subject, hints)
	}
	for _, f := range []string{"List-Id", "List-Unsubscribe", "List-Post", "X-Mailing-List"} {
		if h.Field(f) != nil {
			return false
		}
	}
	if strings.HasPrefix(subject, "[") {
		return false
	}
	// A notice that hides who wrote it gives the message back, or answers it.
	return cue && (told && !strings.HasPrefix(subject, "re:") && !strings.HasPrefix(subject, "fwd:") && !strings.HasPrefix(subject, "fw:") || r.returned != nil && contains(subject, hints) && !strings.HasPrefix(subject, "re:"))
}

func contains(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// answerSubjects begin the subjects of automatic answers.
var answerSubjects = []string{"out of office", "out of the office", "automatic reply", "auto reply", "autoreply", "auto-reply", "auto:", "auto response", "auto-response", "autoresponse", "vacation reply", "vacation autoreply", "abwesenheit", "automatische antwort", "réponse automatique", "absence du bureau", "respuesta automática", "fuera de la oficina", "自動応答", "自動返信", "不在通知", "i am away"}

func (r *reader) answerSubject(subject string) bool {
	subject = strings.TrimSpace(subject)
	return slices.ContainsFunc(answerSubjects, func(s string) bool { return strings.HasPrefix(subject, s) }) ||
		strings.HasSuffix(subject, "is out of the office.") && !strings.HasPrefix(subject, "re:") && !strings.HasPrefix(subject, "[")
}

// looksLikeAnswer says whether the mail is an automatic answer of a person's
// program (RFC 3834 5, and what came before it).
func (r *reader) looksLikeAnswer() bool {
	h := r.m.Header()
	auto := strings.ToLower(strings.TrimSpace(h.Get("Auto-Submitted")))
	if strings.HasPrefix(auto, "auto-replied") || strings.HasPrefix(auto, "auto-generated") && r.answerSubject(strings.ToLower(h.Decoded("Subject"))) {
		return true
	}
	for _, f := range []string{"X-Autoreply", "X-Autorespond", "X-Autoreply-From", "X-Auto-Response-From", "X-Autogenerated"} {
		if v := strings.ToLower(h.Get(f)); v != "" && v != "no" {
			return true
		}
	}
	if p := strings.ToLower(h.Get("Precedence")); p == "auto_reply" || p == "auto-reply" {
		return true
	}
	return r.answerSubject(strings.ToLower(h.Decoded("Subject")))
}

// complaint says whether the mail is the kind of abuse report that Outlook.com
// sends, which has no part for machines (JMRP).
func (r *reader) complaint() bool {
	return r.returned != nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.m.Header().Get("Subject"))), "complaint about message from ")
}

// delayed says whether the notice is a warning that delivery goes on.
func (r *reader) delayed() bool {
	for _, l := range r.lower {
		for _, w := range []string{"will keep trying", "will continue to be retried", "you do not need to resend", "do not need to resend your message", "this is a warning message only", "still trying", "will be retried", "delivery will be attempted", "has been delayed", "is not yet been delivered", "message will be retried"} {
			if strings.Contains(l, w) {
				return true
			}
		}
	}
	return false
}

// formats tells programs by what their notices say.
var formats = []struct{ format, words string }{
	{"qmail", "this is the qmail-send program"}, {"qmail", "below this line is a copy of the message"}, {"postfix", "this is the mail system at host"}, {"postfix", "this is the postfix program"},
	{"gmail", "google tried to deliver"}, {"gmail", "technical details of permanent failure"}, {"gmail", "googlemail"}, {"exim", "this message was created automatically by mail delivery software"},
	{"sendmail", "transcript of session follows"}, {"sendmail", "had permanent fatal errors"}, {"exchange", "msexch:"}, {"exchange", "did not reach the following recipient"}, {"exchange", "diagnostic information for administrators"},
	{"exchange", "delivery has failed to these recipients"}, {"domino", "domino directory"}, {"domino", "was not delivered to:"}, {"opensmtpd", "this is the mailer-daemon"}, {"courier", "this is a delivery status notification from"},
	{"dragonfly", "dragonfly mail agent"}, {"amazonses", "amazonses.com"}, {"yahoo", "we were unable to deliver your message to the following address"}, {"zoho", "zohomail"}, {"m-filter", "m-filter"}, {"mailru", "mail.ru"},
}

// format names the program that wrote the notice.
func (r *reader) format() string {
	text := strings.Join(r.lower, " ")
	if len(text) > 16<<10 {
		text = text[:16<<10]
	}
	for _, f := range formats {
		if strings.Contains(text, f.words) {
			return f.format
		}
	}
	if len(r.groups) > 0 {
		return "dsn"
	}
	return "text"
}
