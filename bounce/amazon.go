package bounce

import (
	"encoding/json"
	"strings"

	"sluice/message/header"
	"sluice/reply"
)

// event is what Amazon SES tells by SNS as a mail whose text is JSON.
// https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
type event struct {
	Kind   string `json:"notificationType"`
	Bounce struct {
		Kind       string `json:"bounceType"`
		Recipients []struct {
			Address    string `json:"emailAddress"`
			Action     string `json:"action"`
			Status     string `json:"status"`
			Diagnostic string `json:"diagnosticCode"`
		} `json:"bouncedRecipients"`
		Reporter string `json:"reportingMTA"`
	} `json:"bounce"`
	Delivery struct {
		Recipients []string `json:"recipients"`
		Response   string   `json:"smtpResponse"`
		Reporter   string   `json:"reportingMTA"`
	} `json:"delivery"`
	Mail struct {
		Source      string   `json:"source"`
		Destination []string `json:"destination"`
		Headers     []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
		} `json:"headers"`
	} `json:"mail"`
}

// amazon reads such a mail, and says whether it was one.
func (r *reader) amazon() bool {
	if len(r.notice) == 0 || !strings.HasPrefix(r.notice[0], "{") {
		return false
	}
	// Long lines come back with "!" and a line end inside.
	text := strings.ReplaceAll(strings.Join(r.notice, "\n"), "!\n ", "")
	if !strings.Contains(text, "notificationType") {
		return false
	}
	var e event
	// SNS may put the event into a message of its own, as a string.
	var outer struct {
		Message string `json:"Message"`
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&outer); err != nil {
		return false
	}
	if outer.Message != "" {
		text = outer.Message
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&e); err != nil {
		return false
	}
	r.b.Format = "amazonses"
	o := &r.b.Original
	o.From, o.Recipients = header.Clip(e.Mail.Source), nil
	for _, a := range e.Mail.Destination[:min(len(e.Mail.Destination), 100)] {
		o.Recipients = append(o.Recipients, header.Clip(a))
	}
	for _, h := range e.Mail.Headers {
		switch {
		case header.EqualFold(h.Name, "Subject"):
			o.Subject = header.Clip(h.Value)
		case header.EqualFold(h.Name, "Message-Id"):
			o.MessageID = header.Clip(strings.Trim(h.Value, "<> "))
		case r.c.TraceField != "" && header.EqualFold(h.Name, r.c.TraceField):
			o.Trace = header.Clip(h.Value)
		}
	}
	switch e.Kind {
	case "Complaint":
		r.b.Kind = Feedback
	case "Bounce":
		r.b.Reporter = header.Clip(after(e.Bounce.Reporter))
		for _, b := range e.Bounce.Recipients {
			r.add(Recipient{Address: header.Clip(b.Address), Action: action(b.Action), Written: header.Clip(b.Status), Said: after(b.Diagnostic)})
		}
		r.b.Kind = r.actionKind()
		if e.Bounce.Kind == "Transient" && r.b.Kind == Success {
			r.b.Kind = Delay
		}
	case "Delivery":
		r.b.Reporter = header.Clip(e.Delivery.Reporter)
		for _, a := range e.Delivery.Recipients {
			r.add(Recipient{Address: header.Clip(a), Action: "delivered", Said: e.Delivery.Response})
		}
		r.b.Kind = Success
	default:
		return false
	}
	return true
}

// add classifies and keeps a recipient whose fields are known.
func (r *reader) add(rc Recipient) {
	if len(r.b.Recipients) >= r.c.Recipients {
		r.b.Left++
		return
	}
	r.finish(&rc, reply.Classify(reply.Query{Text: rc.Said, Status: rc.Written}))
	r.b.Recipients = append(r.b.Recipients, rc)
}
