// Package policy turns a verdict into an action for each recipient, and the
// recipients' actions into one answer for the sender. It sees what the judge
// found and never looks at the message again.
package policy

import (
	"fmt"
	"strings"

	"sluice"
	"sluice/reason"
)

// Policy is what one tenant wants done. The zero value is not usable; start
// from [Default].
type Policy struct {
	// Probabilities of being unwanted from which on a message is tagged,
	// quarantined, or rejected.
	TagAt, QuarantineAt, RejectAt float64
	// Groups is how many groups of evidence must each bring Support points
	// against a message before the sum may reject it: one kind of evidence,
	// be it ever so strong, only quarantines. Hard stops need no company.
	Groups  int
	Support float64
	// GreyAt is the probability from which on a client that nothing speaks for is
	// asked to come again before its message is read.
	GreyAt float64
}

// Default is the careful policy that ships.
func Default() Policy {
	return Policy{TagAt: 0.7, QuarantineAt: 0.95, RejectAt: 0.999, Groups: 2, Support: 2, GreyAt: 0.2}
}

// Check says what is wrong with a policy that comes from a configuration.
func (p Policy) Check() error {
	if !(0 < p.TagAt && p.TagAt <= p.QuarantineAt && p.QuarantineAt <= p.RejectAt && p.RejectAt <= 1) {
		return fmt.Errorf("policy: tag at %v, quarantine at %v, reject at %v: want probabilities in rising order", p.TagAt, p.QuarantineAt, p.RejectAt)
	}
	if p.Groups < 2 || p.Groups >= sluice.GroupCount {
		return fmt.Errorf("policy: rejecting needs at least 2 groups of evidence and at most %d, not %d", sluice.GroupCount-1, p.Groups)
	}
	if !(p.GreyAt > 0 && p.GreyAt <= 1) {
		return fmt.Errorf("policy: grey at %v: want a probability above 0", p.GreyAt)
	}
	if !(p.Support > 0 && p.Support <= 10) {
		return fmt.Errorf("policy: support %v: want points from above 0 to 10", p.Support)
	}
	return nil
}

// Circumstances change what may be done with a message.
type Circumstances struct {
	// Exempt recipients get everything but malware and attacks, tagged where it
	// would have been refused. Postmaster and abuse are always exempt.
	Exempt bool
	// AlreadyAccepted: the client is a queue or a forwarder that took the
	// message already, so refusing it would make backscatter.
	AlreadyAccepted bool
	// Trusted clients are treated likewise.
	Trusted bool
}

// Decide is policy's word on one recipient. Why names the reason that leads;
// it is empty for a message that is simply accepted.
func Decide(v sluice.Verdict, p Policy, recipient string, c Circumstances) sluice.Decision {
	d := sluice.Decision{Recipient: recipient}
	d.Action, d.Why = p.judge(v)
	if c.Exempt || IsExempt(recipient) {
		d.Action = exempt(d.Action, v)
	}
	if (c.AlreadyAccepted || c.Trusted) && (d.Action == sluice.Reject || d.Action == sluice.Defer) {
		d.Action = sluice.QuarantineIt
	}
	return d
}

// Early is policy's word on a recipient before the message is seen, from what the
// connection, the greeting and the sender have shown. Defer with GREYLISTED means
// that the client is grey: whether it is asked to come again depends on what is known
// of it. Recipients who must get mail aren't refused; but even they may be asked for a
// second try.
func Early(v sluice.Verdict, p Policy, recipient string, c Circumstances) sluice.Decision {
	d := sluice.Decision{Recipient: recipient}
	if c.AlreadyAccepted || c.Trusted {
		return d // the message decides
	}
	grey := sluice.Decision{Recipient: recipient, Action: sluice.Defer, Why: reason.Greylisted}
	exempt := c.Exempt || IsExempt(recipient)
	nobody := unanswerable(v)
	switch {
	case v.HardKind == sluice.HardPass:
	case exempt && (v.HardKind == sluice.HardStop || nobody != ""):
		return grey
	case v.HardKind == sluice.HardStop:
		d.Action, d.Why = sluice.Reject, v.Hard
		if e, ok := reason.Lookup(string(v.Hard)); ok && e.Code/100 == 4 {
			d.Action = sluice.Defer
		}
	case nobody != "":
		d.Action, d.Why = sluice.Reject, nobody
	case !exempt && v.Probability >= p.RejectAt && p.supported(v):
		d.Action, d.Why = sluice.Reject, Lead(v)
	case v.Probability >= p.GreyAt:
		return grey
	}
	return d
}

// unanswerable finds the fact that nothing can be sent to the envelope's sender: its
// domain doesn't exist, or takes no mail. No bounce could reach it, so it is refused
// whatever else speaks for it (RFC 7505 4.2; RFC 5321 3.6.2 in spirit).
func unanswerable(v sluice.Verdict) sluice.Reason {
	for i := range v.Ledger {
		c := &v.Ledger[i]
		if c.State == sluice.Found && (c.Reason == reason.SenderDomainNxdomain || c.Reason == reason.NullMXSender) {
			return c.Reason
		}
	}
	return ""
}

// IsExempt says whether an address must be reachable even for those whose mail
// is refused: postmaster (RFC 5321 4.5.1) and abuse (RFC 2142 4), which is sent
// spam on purpose.
func IsExempt(recipient string) bool {
	return sluice.IsPostmaster(recipient) || isAbuse(sluice.LocalOf(recipient))
}

// isAbuse compares in ASCII: equal length leaves no room for Unicode folding.
func isAbuse(local string) bool {
	return len(local) == len("abuse") && strings.EqualFold(local, "abuse")
}

// judge decides without regard to who receives and who sends.
func (p Policy) judge(v sluice.Verdict) (sluice.Action, sluice.Reason) {
	switch v.HardKind {
	case sluice.HardStop:
		if e, ok := reason.Lookup(string(v.Hard)); ok && e.Code/100 == 4 {
			return sluice.Defer, v.Hard
		}
		return sluice.Reject, v.Hard
	case sluice.HardPass:
		return sluice.Accept, v.Hard
	}
	if v.Probability >= p.RejectAt && p.supported(v) {
		return sluice.Reject, Lead(v)
	}
	if why, ok := incomplete(v); ok {
		return sluice.Defer, why
	}
	wish, why := wished(v)
	if a, r := demanded(v); a > wish {
		wish, why = a, r
	}
	if r := misleading(v); r != "" && wish < sluice.Tag {
		wish, why = sluice.Tag, r
	}
	switch {
	case v.Probability >= p.QuarantineAt:
		return sluice.QuarantineIt, Lead(v)
	case wish == sluice.QuarantineIt:
		return wish, why
	case v.Probability >= p.TagAt && wish <= sluice.Tag:
		return sluice.Tag, Lead(v)
	}
	return wish, why
}

// misleading returns the fact that the message shows its reader another author
// than the one that authentication speaks of. However good the rest looks, such
// a message isn't delivered unmarked: the sum can't know that the authenticated
// domain is not the one that a person reads.
func misleading(v sluice.Verdict) sluice.Reason {
	for i := range v.Ledger {
		c := &v.Ledger[i]
		if c.State != sluice.Found {
			continue
		}
		switch c.Reason {
		case reason.FromUnclear, reason.FromNameAddress, reason.FromNameOurs, reason.FromDomainLookalike, reason.FromLooksLikeUs, reason.HeaderDirection:
			return c.Reason
		}
	}
	return ""
}

// trustedReport is the raw evidence from which on a report counts as that of an admin
// or a trap, not faded.
const trustedReport = 20

// demanded is what a person has decided beforehand, whatever the sum: somebody trusted
// has called the very same message unwanted (that its words read well is what made the
// report necessary), the table of files says what happens to one that is attached, a
// document starts programs by itself, or it is the copy of somebody's campaign whose
// button leads elsewhere (it reads as the genuine one does, so the sum can't know), or
// somebody who isn't who he seems asks for money.
func demanded(v sluice.Verdict) (sluice.Action, sluice.Reason) {
	act, why := sluice.Accept, sluice.Reason("")
	for i := range v.Ledger {
		c := &v.Ledger[i]
		if c.State != sluice.Found {
			continue
		}
		want := sluice.Accept
		switch {
		case c.Reason == reason.CampaignReported && c.Raw >= trustedReport, c.Reason == reason.FileHeld, c.Reason == reason.DocumentRuns,
			c.Reason == reason.Copycat:
			want = sluice.QuarantineIt
		case c.Reason == reason.FileStripped, c.Reason == reason.FileConverted:
			want = sluice.Strip
		}
		if want > act {
			act, why = want, c.Reason
		}
	}
	if r := impostor(v); r != "" && act < sluice.QuarantineIt {
		act, why = sluice.QuarantineIt, r
	}
	return act, why
}

// Reasons by which a sender passes for somebody whom the reader trusts, and those by
// which a message asks for money or what is as good.
var (
	passes = map[sluice.Reason]bool{reason.FromLooksLikeUs: true, reason.FromLooksLikeCorrespondent: true, reason.ProtectedName: true,
		reason.NameOfCorrespondent: true, reason.OfficeOfOurs: true, reason.ThreadNamesake: true}
	asks = map[sluice.Reason]bool{reason.BECPaymentChange: true, reason.BECPayroll: true, reason.BECGiftCard: true, reason.BECPayment: true, reason.BECData: true}
)

// impostor finds what a message asks for whose sender isn't who it seems: either alone
// may be honest, a private address or a new bank; both together are how firms lose
// money, and the words are those of honest mail.
func impostor(v sluice.Verdict) sluice.Reason {
	seems, ask := false, sluice.Reason("")
	for i := range v.Ledger {
		c := &v.Ledger[i]
		if c.State != sluice.Found || c.Raw <= 0 {
			continue
		}
		seems = seems || passes[c.Reason]
		if asks[c.Reason] && ask == "" { // the strongest stands first
			ask = c.Reason
		}
	}
	if !seems {
		return ""
	}
	return ask
}

// wished is what the owner of From's domain asks for by DMARC, as far as a
// receiver may follow it alone: p=reject is quarantine (RFC 9989 5.4 forbids to
// reject on it alone), p=quarantine is a tag. Forwarders that we trust to have
// seen the message whole, and mailing lists, break what the owner relies on: for
// the first nothing is done, for the second the next milder.
func wished(v sluice.Verdict) (sluice.Action, sluice.Reason) {
	wish, why := sluice.Accept, sluice.Reason("")
	list := false
	for i := range v.Ledger {
		c := &v.Ledger[i]
		if c.State != sluice.Found {
			continue
		}
		switch c.Reason {
		case reason.ARCPassTrusted:
			return sluice.Accept, ""
		case reason.BulkList:
			list = true
		case reason.DMARCFailReject:
			wish, why = sluice.QuarantineIt, c.Reason
		case reason.DMARCFailQuarantine:
			wish, why = sluice.Tag, c.Reason
		}
	}
	if list && wish != sluice.Accept {
		if wish == sluice.Tag {
			return sluice.Accept, ""
		}
		wish = sluice.Tag
	}
	return wish, why
}

// supported says whether enough kinds of evidence agree. Text is one of them
// at most, so the text model never rejects alone.
func (p Policy) supported(v sluice.Verdict) bool {
	var sum [sluice.GroupCount]float64
	for i := range v.Ledger {
		if c := &v.Ledger[i]; int(c.Group) < sluice.GroupCount && c.Group != sluice.GroupPrior {
			sum[c.Group] += c.Points
		}
	}
	n := 0
	for _, s := range sum {
		if s >= p.Support {
			n++
		}
	}
	return n >= max(p.Groups, 2)
}

// incomplete finds the entry by which the pipeline says that an answer which
// matters is missing.
func incomplete(v sluice.Verdict) (sluice.Reason, bool) {
	for i := range v.Ledger {
		switch c := &v.Ledger[i]; c.Reason {
		case reason.CheckIncomplete, reason.InternalPanic, reason.ScanTimeout:
			if c.State == sluice.Unknown {
				return c.Reason, true
			}
		}
	}
	return "", false
}

// exempt softens what would be done to a recipient who must get mail: it is
// delivered with a tag. What may harm the reader goes to quarantine, where an
// admin can look at it.
func exempt(a sluice.Action, v sluice.Verdict) sluice.Action {
	switch a {
	case sluice.Reject, sluice.QuarantineIt, sluice.Drop:
		if v.HardKind == sluice.HardStop && (v.Threat == sluice.ThreatMalware || v.Threat == sluice.ThreatAttack) {
			return sluice.QuarantineIt
		}
		return sluice.Tag
	}
	return a
}

// Lead returns the reason that leads the reply: the strongest soft fact of the
// verdict's threat that the catalogue has refusing words for, else the
// strongest of any threat, else UNWANTED.
func Lead(v sluice.Verdict) sluice.Reason {
	var any sluice.Reason
	for i := range v.Ledger { // strongest first
		c := &v.Ledger[i]
		if c.Points <= 0 {
			continue
		}
		if e, ok := reason.Lookup(string(c.Reason)); !ok || e.Code/100 != 5 {
			continue
		}
		if c.Threat == v.Threat {
			return c.Reason
		}
		if any == "" {
			any = c.Reason
		}
	}
	if any == "" {
		any = reason.Unwanted
	}
	return any
}

// Combine makes one answer of the recipients' decisions, because SMTP has one
// reply to the final dot (RFC 5321 4.2.4): where all refuse, reject; else where
// any defers, defer all; else accept, and quarantine for those who refuse. It
// returns the action that the sender's reply follows, the strongest where the
// message is taken, and the decisions as they will be carried out.
func Combine(decisions []sluice.Decision) (sluice.Action, []sluice.Decision) {
	if len(decisions) == 0 {
		return sluice.Defer, nil // nobody decided: the sender keeps it
	}
	out := make([]sluice.Decision, len(decisions))
	copy(out, decisions)
	refuse, first := 0, -1
	for i := range out {
		switch out[i].Action {
		case sluice.Reject:
			refuse++
		case sluice.Defer:
			if first < 0 {
				first = i
			}
		}
	}
	switch {
	case refuse == len(out):
		return sluice.Reject, out
	case first >= 0:
		for i := range out {
			if out[i].Action != sluice.Defer {
				out[i].Action, out[i].Why = sluice.Defer, out[first].Why
			}
		}
		return sluice.Defer, out
	}
	all := sluice.Accept
	for i := range out {
		if out[i].Action == sluice.Reject {
			out[i].Action = sluice.QuarantineIt
		}
		all = max(all, out[i].Action)
	}
	return all, out
}
