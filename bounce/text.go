package bounce

import (
	"slices"
	"strings"
	"sync"

	"sluice/message/header"
	"sluice/reply"
)

// anchor is an address that a notice is about, and the text about it.
type anchor struct {
	address string
	line    int
	text    string
}

// returns are words of the line behind which programs put the message back.
var returns = []string{
	"below this line is a copy of the message", "this is a copy of the message", "this is a copy of your message", "original message follows",
	"unsent message follows", "returned message", "header of the original message", "copy of the original message", "included is a copy of the message",
	"message header follows", "message headers follow", "original message header", "original mail header", "forwarded message", "undelivered message follows", "start of original",
	"-original message", "- original message", "original message:", "original message ---", "original message -", "transcript of original", "returned mail follows",
	"the attachment contains the original mail", "message text follows", "unsent message below", "original mail follows", "copy of your message", "ursprüngliche nachricht",
	"copie de votre message", "message d'origine", "mensaje original", "message body follows", "元のメッセージ",
}

// take keeps the notice's lines, and what stands below it as the returned message.
func (r *reader) take(s string) {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if len(s) > r.c.Text {
		s = s[:r.c.Text]
	}
	at := 0
	for len(r.notice) < r.c.Lines && at < len(s) {
		line, next := s[at:], len(s)
		if i := strings.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
		}
		low := strings.TrimSpace(strings.ToLower(line))
		if back := isReturn(low); back || looksReturned(line) {
			if back {
				at = next
			}
			r.block(s[at:])
			return
		}
		r.notice, r.lower = append(r.notice, line), append(r.lower, low)
		at = next
	}
}

// isReturn says whether a line announces the returned message.
func isReturn(low string) bool {
	if len(low) > 120 || strings.Contains(low, "was received") || strings.Contains(low, "attached") {
		return false
	}
	return slices.ContainsFunc(returns, func(w string) bool { return strings.Contains(low, w) })
}

// looksReturned says whether a line is a field that only a message's header has.
func looksReturned(line string) bool {
	for _, f := range []string{"Received:", "Return-Path:", "DKIM-Signature:", "X-Originating-IP:", "X-Received:", "Delivered-To:", "MIME-Version:"} {
		if len(line) >= len(f) && header.EqualFold(line[:len(f)], f) {
			return true
		}
	}
	return false
}

// labels are what may stand before the address of a recipient.
var labels = []string{
	"final-recipient:", "original-recipient:", "recipient address:", "recipient:", "recipients:", "to:", "addressed to:", "rcpt to:", "x-failed-recipients:", "address:",
	"e-mail address:", "email address:", "failed recipient:", "intended recipient:", "user:", "unknown user:", "empfänger:", "destinataire:", "destinatario:", "an:", "invalid user:", "mailbox:",
	"not delivered to:", "delivery to:", "could not be delivered to:", "unable to deliver message to:", "deliver to:", "delivery failed to:", "宛先:", "sent <<< rcpt to:", "recipient(s):",
	"unable to deliver mail to", "delivery to", "could not deliver to", "the following message to", "your message to", "message to", "mail to", "the e-mail to", "email to", "the user",
	"user mailbox exceeds allowed size:", "delivery failed:", "undeliverable to", "the following recipients returned permanent errors:", "invalid final delivery userid:", "cannot send to",
}

// anchors finds the addresses that the notice is about, in order, each with its
// text. own are addresses that it isn't about.
func (r *reader) anchors(own []string) []anchor {
	var out []anchor
	at := map[string]int{}
	for i, line := range r.notice {
		if len(r.groups) > 0 && (strings.HasPrefix(r.lower[i], "final-rec") || strings.HasPrefix(r.lower[i], "original-rec")) {
			continue // the machine's part again, as text
		}
		for _, a := range r.anchorsOf(i, line) {
			key := strings.ToLower(a.address)
			if _, ok := at[key]; ok || slices.Contains(own, key) {
				continue
			}
			if len(out) > r.c.Recipients {
				continue
			}
			at[key] = len(out)
			out = append(out, anchor{address: a.address, line: i, text: a.text})
		}
	}
	for k := range out {
		end := len(r.notice)
		if k+1 < len(out) {
			end = max(out[k].line+1, out[k+1].line)
		}
		out[k].text = r.below(out[k], end)
	}
	return out
}

// sender are the addresses that are never a failed recipient: whom the notice is
// for. It is the mail's sender.
func (r *reader) sender() (own []string) {
	if f := r.b.Original.From; f != "" && !slices.Contains(r.b.Original.Recipients, f) {
		own = append(own, strings.ToLower(f))
	}
	to, _ := header.ParseAddressList(r.m.Header().Get("To"))
	for _, a := range to {
		if a.Domain != "" && !slices.Contains(r.b.Original.Recipients, a.String()) {
			own = append(own, strings.ToLower(a.String()))
		}
	}
	return own
}

// anchorsOf finds addresses that stand at the line's start, behind bullets, or
// behind a label.
func (r *reader) anchorsOf(i int, line string) []anchor {
	s := strings.TrimLeft(line, " \t*>-•・\"'=")
	low := strings.ToLower(s)
	if i > 0 && (strings.HasSuffix(r.lower[i-1], "sent by") || strings.HasSuffix(r.lower[i-1], "message from")) {
		return nil
	}
	if a, rest := leading(s); a != "" {
		list := []anchor{{address: a, line: i, text: rest}}
		// "a@b, c@d": a list of recipients on one line.
		for n := 0; n < 100 && strings.HasPrefix(strings.TrimLeft(rest, " "), ","); n++ {
			b, more := leading(strings.TrimLeft(rest, " ,"))
			if b == "" {
				break
			}
			list, rest = append(list, anchor{address: b, line: i, text: more}), more
		}
		return list
	}
	for _, l := range labels {
		if rest, ok := strings.CutPrefix(low, l); ok {
			v := s[len(s)-len(rest):]
			if t, w, ok := strings.Cut(v, ";"); ok && !strings.Contains(t, "@") {
				v = w
			}
			if a, rest := leading(strings.TrimLeft(v, " \t:\"'")); a != "" {
				return []anchor{{address: a, line: i, text: rest}}
			}
		}
	}
	return nil
}

// below is what stands about an address: the rest of its line and what follows up
// to an empty line, or up to the next address where nothing else is there.
func (r *reader) below(a anchor, end int) string {
	end = min(end, a.line+60)
	first := strings.Trim(a.text, " \t:;,.>\"'")
	var b strings.Builder
	b.WriteString(first)
	for i := a.line + 1; i < end; i++ {
		if r.lower[i] == "" {
			if b.Len() > len(first) || len(first) > 12 {
				break
			}
			continue
		}
		b.WriteByte('\n')
		b.WriteString(r.notice[i])
	}
	return strings.TrimSpace(b.String())
}

// text reads a notice that has no part for machines.
func (r *reader) text() {
	list := r.anchors(r.sender())
	if len(list) == 0 {
		list = r.anchors(nil) // somebody wrote to himself
	}
	if failed := r.m.Header().Get("X-Failed-Recipients"); failed != "" {
		list = r.failed(failed, list)
	}
	guessed := false
	if len(list) == 0 {
		list, guessed = r.elsewhere()
	}
	whole := essence(r.notice)
	wholeAnswer := sync.OnceValue(func() reply.Answer { return reply.Classify(reply.Query{Text: whole}) })
	for _, a := range list {
		if len(r.b.Recipients) >= r.c.Recipients {
			r.b.Left++
			continue
		}
		rc := Recipient{Address: a.address, Said: a.text, Guessed: guessed}
		ans := reply.Classify(reply.Query{Text: a.text})
		if ans.Weak {
			if t := r.mentions(a.address); t != "" {
				if b := reply.Classify(reply.Query{Text: t}); !b.Weak || ans.Rule == "" && b.Rule != "" {
					ans, rc.Said = b, t
				}
			}
		}
		if ans.Weak {
			if b := wholeAnswer(); !b.Weak || ans.Rule == "" {
				ans = b
				if rc.Said == "" {
					rc.Said = whole
				}
			}
		}
		if rc.Command = reply.Command(rc.Said); rc.Command == "" && len(list) == 1 {
			rc.Command = reply.Command(strings.Join(r.notice, "\n"))
		}
		r.finish(&rc, ans)
		r.b.Recipients = append(r.b.Recipients, rc)
	}
	r.b.Kind = r.actionKind()
	if len(r.b.Recipients) == 0 {
		r.b.Kind = Failure
	}
}

// failed takes the addresses of X-Failed-Recipients, which Exim and Gmail write,
// with the text about them.
func (r *reader) failed(field string, list []anchor) (out []anchor) {
	addrs, _ := header.ParseAddressList(field)
	for _, a := range addrs {
		if a.Domain == "" || len(out) >= r.c.Recipients {
			continue
		}
		n := anchor{address: a.String()}
		if i := slices.IndexFunc(list, func(x anchor) bool { return strings.EqualFold(x.address, n.address) }); i >= 0 {
			n = list[i]
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return list
	}
	return out
}

// elsewhere finds recipients where no line begins with one: the first address in
// the text that isn't the sender's, else those of the returned message.
func (r *reader) elsewhere() (list []anchor, guessed bool) {
	own := r.sender()
	for i, line := range r.notice {
		if strings.HasPrefix(r.lower[i], "from:") || strings.HasPrefix(r.lower[i], "mail from") || strings.Contains(r.lower[i], "message-id") {
			continue
		}
		for rest := line; ; {
			a := firstAddress(rest)
			if a == "" {
				break
			}
			_, rest, _ = strings.Cut(rest, a)
			low := strings.ToLower(a)
			if !slices.Contains(own, low) && !strings.HasPrefix(low, "postmaster@") && !strings.HasPrefix(low, "mailer-daemon@") && !strings.HasPrefix(low, "abuse@") {
				return []anchor{{address: a, line: i}}, false
			}
		}
	}
	for _, a := range r.b.Original.Recipients {
		list = append(list, anchor{address: a})
	}
	if len(list) == 0 {
		return []anchor{{}}, true
	}
	return list, true
}

// mentions gathers the lines that name an address, each with the next two.
func (r *reader) mentions(address string) string {
	if address == "" {
		return ""
	}
	low := strings.ToLower(address)
	var b strings.Builder
	until := -1
	for i, l := range r.lower {
		if strings.Contains(l, low) {
			until = i + 2
		}
		// One long line may name many recipients: each gets no more than its share.
		if i <= until && b.Len() < maxSaid {
			b.WriteString(clip(r.notice[i], maxSaid))
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// polite are words of notices that say nothing about the cause, and would be
// taken for it.
var polite = []string{
	"this message was created automatically", "a message that you", "recipients. this is a permanent error", "please do not reply", "for further assistance", "if you do so", "delete your own text",
	"problem report", "i'm sorry to have to inform you", "i'm afraid i wasn't able", "i've given up", "sorry it didn't work out", "the mail system", "this is the mail system", "subject:", "date:", "sent:", "message-id:", "from:",
	"your message", "original message", "contact", "postmaster", "this is a permanent error", "the following address", "this is an automatically generated", "this message is in mime format", "since your mail reader",
}

// essence is the notice without polite words: what may name a cause.
func essence(lines []string) string {
	var b strings.Builder
	for _, l := range lines {
		low := strings.ToLower(l)
		if slices.ContainsFunc(polite, func(p string) bool { return strings.Contains(low, p) }) {
			continue
		}
		if b.Len()+len(l) > reply.MaxText {
			break
		}
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.String()
}

// leading cuts an address off the start of s: a@b, <a@b>, "a@b".
func leading(s string) (address, rest string) {
	t := strings.TrimLeft(s, "<\"'([")
	n := addressLen(t)
	if n == 0 {
		return "", s
	}
	return t[:n], strings.TrimLeft(t[n:], ">\"')]")
}

// firstAddress finds the first address in s.
func firstAddress(s string) string {
	for at := strings.IndexByte(s, '@'); at >= 0; {
		from := at
		for from > 0 && at-from < 64 && isLocal(s[from-1]) {
			from--
		}
		if n := addressLen(s[from:]); n > 0 && from+n > at {
			return s[from : from+n]
		}
		next := strings.IndexByte(s[at+1:], '@')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return ""
}

// addressLen is the length of the address that s begins with, 0 for none.
func addressLen(s string) int {
	at := 0
	for at < len(s) && at <= 64 && isLocal(s[at]) {
		at++
	}
	if at == 0 || at >= len(s) || s[at] != '@' {
		return 0
	}
	end := at + 1
	for end < len(s) && end-at <= 255 && (isAlnum(s[end]) || s[end] == '.' || s[end] == '-' || s[end] == '_') {
		end++
	}
	d := strings.TrimRight(s[at+1:end], ".-")
	if !strings.Contains(d, ".") || d[0] == '.' || d[0] == '-' {
		return 0
	}
	return at + 1 + len(d)
}

func isAlnum(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c >= 0x80 }

// isLocal says whether c may stand in an unquoted local part (RFC 5321 4.1.2
// Atom, with dots).
func isLocal(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0 }
