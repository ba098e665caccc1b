package abuse

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"sluice"
	"sluice/dns"
	"sluice/mailauth/dkim"
	"sluice/message"
	"sluice/message/header"
)

// Names of RFC 9477 5.
const (
	addressField  = "CFBL-Address"
	feedbackField = "CFBL-Feedback-ID"
)

// Why a message's sender gets no feedback by its CFBL-Address.
var (
	ErrNoLoop    = errors.New("abuse: the message asks for no feedback")
	ErrAmbiguous = errors.New("abuse: the message has no single author or no single Message-ID")
	ErrUnsigned  = errors.New("abuse: no valid signature covers CFBL-Address and CFBL-Feedback-ID")
	ErrAligned   = errors.New("abuse: no valid signature is of the author's domain, or none of the feedback address's")
)

// CFBL is where a message's sender asks for feedback, if its signatures give it the
// right to (RFC 9477 3.1).
func CFBL(m *message.Message, sigs []dkim.Result) (Contact, error) {
	h := m.Header()
	fields := h.Values(addressField)
	if len(fields) == 0 {
		return Contact{}, ErrNoLoop
	}
	var c Contact
	for _, v := range fields { // RFC 9477 3.2: the first valid one
		if c = parseAddress(v); c.Address != "" {
			break
		}
	}
	if c.Address == "" {
		return Contact{}, ErrNoLoop
	}
	from, clear := m.From()
	author, err := dns.Normalize(from.Domain)
	if err != nil || !clear || h.Count("Message-ID") != 1 {
		return Contact{}, ErrAmbiguous
	}
	loop, err := dns.Normalize(sluice.DomainOf(c.Address))
	if err != nil {
		return Contact{}, ErrNoLoop
	}
	var covered, byAuthor, byLoop bool // by signatures that cover the fields; byAuthor: by any
	authorToo := false                 // the author's covers them as well
	for i := range sigs {
		s := &sigs[i]
		if s.Status != dkim.Pass || s.Testing || !s.FromSigned {
			continue
		}
		ofAuthor := over(s.Domain, author)
		byAuthor = byAuthor || ofAuthor
		// Whoever passes a message on can put further fields on top of the signed one:
		// each of them must be signed (RFC 6376 5.4.2, RFC 9477 3.1.4).
		if !covers(s, h, addressField) || !covers(s, h, feedbackField) {
			continue
		}
		covered = true
		authorToo = authorToo || ofAuthor
		byLoop = byLoop || over(s.Domain, loop)
	}
	switch {
	case !covered:
		return Contact{}, ErrUnsigned
	case loop == author, strings.HasSuffix(loop, "."+author): // RFC 9477 3.1.1, 3.1.2
		if !authorToo {
			return Contact{}, ErrAligned
		}
	case !byLoop || !byAuthor: // RFC 9477 3.1.3; the author's may have been made before the field
		return Contact{}, ErrAligned
	}
	return c, nil
}

// over says whether a signature's domain is this one or a parent of it, within one
// organization.
func over(signer, domain string) bool {
	if signer == domain {
		return true
	}
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	return err == nil && strings.HasSuffix(domain, "."+signer) && (signer == org || strings.HasSuffix(signer, "."+org))
}

// covers says whether all instances of a field are signed.
func covers(s *dkim.Result, h *header.Header, field string) bool {
	n := 0
	for _, name := range s.Signed {
		if header.EqualFold(name, field) {
			n++
		}
	}
	return n >= h.Count(field)
}

// parseAddress reads the field (RFC 9477 5.1); another format than those is ARF, which
// every receiver takes (3.4).
func parseAddress(v string) Contact {
	addr, rest, _ := strings.Cut(v, ";")
	c := Contact{Address: strings.TrimSpace(addr), Format: ARF}
	if !mailable(c.Address) {
		return Contact{}
	}
	if word, _, _ := strings.Cut(strings.TrimSpace(rest), "("); strings.TrimSpace(word) == "report=xarf" {
		c.Format = XARF
	}
	return c
}

// Complaint is a person's word that a message is spam.
type Complaint struct {
	User     string // who says so; it isn't told
	Message  *message.Message
	DKIM     []dkim.Result  // of the message when it came, or verified again
	Client   netip.AddrPort // which brought it; without a port a report can't be XARF
	MailFrom string
	At       time.Time // when it came
	Threat   sluice.Threat
}

// Complain tells the message's sender, where there is a feedback loop, and says how many
// reports left. The same user's word on the same message counts once. Why nobody is told
// by CFBL-Address is one of this package's errors; it needn't be of interest.
func (r *Reporter) Complain(ctx context.Context, now time.Time, c Complaint) (sent int, err error) {
	h := c.Message.Header()
	if strings.HasPrefix(c.Message.Parts[0].Type, "multipart/report") { // no report of a report
		return 0, ErrNoLoop
	}
	var to []Contact
	cfbl := ErrNoLoop
	if r.cfg.CFBL {
		var one Contact
		if one, cfbl = CFBL(c.Message, c.DKIM); cfbl == nil {
			to = append(to, r.usable(one)...)
		}
	}
	byHeader := len(to) > 0
	for _, s := range c.DKIM {
		if a := r.cfg.Loops[s.Domain]; s.Status == dkim.Pass && a != "" && !slices.ContainsFunc(to, func(t Contact) bool { return header.EqualFold(t.Address, a) }) {
			to = append(to, r.usable(Contact{Address: a, Format: ARF})...)
		}
	}
	if len(to) == 0 {
		return 0, cfbl
	}
	k := &sample{client: netip.AddrPortFrom(c.Client.Addr().Unmap(), c.Client.Port()), mailFrom: c.MailFrom, threat: c.Threat, header: least(c.Message), at: c.At}
	about := c.User + "\x00" + cmp.Or(h.Get("Message-ID"), string(c.Message.Raw[:min(len(c.Message.Raw), 512)]))
	for i, t := range to {
		once := r.hash("complaint", about+"\x00"+strings.ToLower(t.Address))
		if told, ok := r.told.Get(once); ok && now.Unix()-int64(told.Since) < int64(r.cfg.Again/time.Second) {
			continue
		}
		if c.Client.Port() == 0 || !mailable(c.MailFrom) { // what XARF demands of spam
			t.Format = ARF
		}
		p := &report{about: about, loop: true, signed: byHeader && i == 0, seen: seen{first: c.At, last: c.At, n: 1, sample: k}}
		took, err := r.write(ctx, now, t, r.cfg.PerLoop, p)
		if err != nil {
			return sent, err
		}
		if took {
			sent++
			r.told.Update(once, now, func(t *tally) bool { *t = tally{uint32(now.Unix()), 1}; return true })
		}
	}
	return sent, nil
}

// forLoops are the fields that a feedback loop needs, and none that tells who complained
// (RFC 9477 3.5: all others may be left out).
var forLoops = []string{"From", "Date", "Message-ID", addressField, feedbackField, "List-ID"}

// least is the header of a message cut down to those fields.
func least(m *message.Message) []byte {
	var out []byte
	h := m.Header()
	for i := range h.Fields {
		f := &h.Fields[i]
		if slices.ContainsFunc(forLoops, f.Is) {
			out = append(out, m.Raw[f.Range.Off:f.Range.End()]...)
		}
	}
	return head(out)
}
