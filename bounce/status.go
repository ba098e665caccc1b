package bounce

import (
	"bytes"
	"strings"

	"sluice/message/header"
	"sluice/reply"
)

// maxGroups bounds the blocks of one delivery status.
const maxGroups = 2000

// fields takes a delivery status apart: groups of fields parted by empty lines,
// the first about the message, the others about one recipient each (RFC 3464
// 2.1). Some programs write it all in one group.
func (r *reader) fields(body []byte) {
	if len(r.groups) > 0 {
		return // a second one would be of a bounce inside the bounce
	}
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	for n := 0; len(body) > 0 && n < maxGroups; n++ {
		var block []byte
		block, body, _ = bytes.Cut(bytes.TrimLeft(body, "\n \t"), []byte("\n\n"))
		h, _ := header.Parse(block, 0, 100)
		if s := after(h.Get("Reporting-MTA")); s != "" && r.b.Reporter == "" {
			r.b.Reporter = header.Clip(s)
		}
		if s := h.Get("Original-Envelope-Id"); s != "" {
			r.b.Original.EnvelopeID = header.Clip(s)
		}
		if s := h.Get("X-Original-Message-Id"); s != "" {
			r.b.Original.MessageID = header.Clip(strings.Trim(s, "<> "))
		}
		if h.Field("Final-Recipient") != nil || h.Field("Original-Recipient") != nil || h.Field("Action") != nil || h.Field("Status") != nil {
			r.groups = append(r.groups, h)
		}
	}
}

// status makes recipients of the groups.
func (r *reader) status() {
	paragraphs := r.anchors(r.sender())
	for _, h := range r.groups {
		if len(r.b.Recipients) >= r.c.Recipients {
			r.b.Left++
			continue
		}
		rc := Recipient{
			Address: mailbox(after(h.Get("Final-Recipient"))),
			Asked:   mailbox(after(h.Get("Original-Recipient"))),
			Action:  action(h.Get("Action")),
			Written: header.Clip(h.Get("Status")),
			Remote:  header.Clip(firstWord(after(h.Get("Remote-MTA")))),
			Said:    said(h.Decoded("Diagnostic-Code")),
		}
		if !strings.Contains(rc.Address, "@") {
			if x := mailbox(after(h.Get("X-Actual-Recipient"))); strings.Contains(x, "@") {
				rc.Address = x
			} else if strings.Contains(rc.Asked, "@") {
				rc.Address = rc.Asked
			}
		}
		own := paragraphOf(paragraphs, rc)
		if !strings.Contains(rc.Address, "@") {
			switch {
			case len(paragraphs) == 1:
				rc.Address = paragraphs[0].address
			case len(r.b.Original.Recipients) > 0 && len(r.groups) == 1:
				rc.Address, rc.Guessed = r.b.Original.Recipients[0], true
			}
		}
		if strings.Trim(rc.Said, "0123456789 ") == "" { // nothing, or what a program returned
			if rc.Said = own; own == "" && len(r.groups) == 1 {
				rc.Said = essence(r.notice)
			}
		}
		rc.Command = reply.Command(rc.Said + "\n" + own)
		a := reply.Classify(reply.Query{Text: rc.Said, Status: rc.Written, Command: rc.Command, Host: rc.Remote})
		if a.Weak {
			a = r.deeper(a, &rc, own, len(r.groups) == 1)
		}
		r.finish(&rc, a)
		r.b.Recipients = append(r.b.Recipients, rc)
	}
	r.b.Kind = r.actionKind()
}

// deeper asks the text for people where the machine's part says too little: the
// paragraph about the recipient first, the whole notice where it is about one.
func (r *reader) deeper(a reply.Answer, rc *Recipient, own string, alone bool) reply.Answer {
	texts := []string{own}
	if alone && a.Rule == "" || alone && rc.Said == "" {
		texts = append(texts, essence(r.notice))
	}
	for _, t := range texts {
		if strings.TrimSpace(t) == "" {
			continue
		}
		b := reply.Classify(reply.Query{Text: t, Status: rc.Written, Command: rc.Command, Host: rc.Remote})
		if b.Weak && a.Rule != "" {
			continue
		}
		if a.Code != 0 {
			b.Code = a.Code
		}
		if rc.Said == "" {
			rc.Said = t
		}
		return b
	}
	return a
}

// paragraphOf finds the text about a recipient.
func paragraphOf(list []anchor, rc Recipient) string {
	for _, p := range list {
		if strings.EqualFold(p.address, rc.Address) || rc.Asked != "" && strings.EqualFold(p.address, rc.Asked) {
			return p.text
		}
	}
	return ""
}

// after is a typed value without its type: "rfc822; a@b" (RFC 3464 2.1.2).
func after(s string) string {
	if t, v, ok := strings.Cut(s, ";"); ok && !strings.ContainsAny(strings.TrimSpace(t), "@<> ") {
		return strings.TrimSpace(v)
	}
	return strings.TrimSpace(s)
}

// said is a Diagnostic-Code without its type.
func said(s string) string { return after(s) }

// mailbox takes the address out of what may stand in a recipient field. xtext and
// comments are left as they are.
func mailbox(s string) string {
	if a := firstAddress(s); a != "" {
		return a
	}
	return header.Clip(strings.Trim(strings.TrimSpace(s), "<>"))
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return w
}

// action reads an Action field; comments and capitals occur.
func action(s string) string {
	s = header.Lower(firstWord(strings.TrimSpace(s)))
	switch s {
	case "failed", "delayed", "delivered", "relayed", "expanded":
		return s
	case "failure", "expired", "undeliverable":
		return "failed"
	case "deferred", "delay":
		return "delayed"
	case "deliverable": // Postfix' answer to a probe
		return "delivered"
	}
	return ""
}
