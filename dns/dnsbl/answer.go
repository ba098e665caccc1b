package dnsbl

import (
	"errors"
	"net/netip"
	"slices"

	wire "github.com/miekg/dns"

	"sluice/dns"
)

// kind is what an answer amounts to.
type kind uint8

const (
	notListed kind = iota + 1
	listed
	noAnswer // nobody said anything: timeout, SERVFAIL, REFUSED
	notAsked // we didn't ask, or didn't wait: the list isn't to blame
	denied   // the list says that it doesn't serve us
	unusable // an answer in 127.0.0.0/8 that means nothing we know
	outside  // an answer outside 127.0.0.0/8: whoever answers keeps no list
)

// outcome is one list's word on one address.
type outcome struct {
	kind    kind
	codes   []netip.Addr // as answered, bounded
	weight  float64      // of a listing
	meaning string       // of a listing
	why     string       // of anything but listed and notListed; ours, never the resolver's words
}

var (
	refused = Values{{127, 127}, {255, 255}, {255, 255}, {0, 255}}

	// RFC 5782 2.1: answers are in 127.0.0.0/8.
	loopback = netip.MustParsePrefix("127.0.0.0/8")

	clean = &outcome{kind: notListed}
)

// maxCodes bounds the answers of one list that are looked at and kept.
const maxCodes = 16

// classify reads the answer to one question. The list's trouble is never a listing,
// whatever else the answer holds: only an answer whose every address is in order, or
// at least of the list's own making, lists anybody.
func (l *List) classify(a dns.Answer, err error) *outcome {
	switch {
	case errors.Is(err, dns.ErrNXDomain) || errors.Is(err, dns.ErrNoData):
		return clean // RFC 5782 2.1
	case errors.Is(err, dns.ErrBudget):
		return &outcome{kind: notAsked, why: "the budget for questions is spent"}
	case errors.Is(err, dns.ErrTimeout):
		return &outcome{kind: noAnswer, why: "no answer in time"}
	case err != nil && a.RCode == wire.RcodeRefused:
		return &outcome{kind: noAnswer, why: "the name server refuses the question"}
	case err != nil:
		return &outcome{kind: noAnswer, why: "server failure"}
	case a.Stale:
		return &outcome{kind: noAnswer, why: "no answer now, only an old one"}
	}
	o := &outcome{kind: unusable}
	strange := ""
	for _, r := range a.Records {
		if r.Type != dns.A {
			continue
		}
		if len(o.codes) == maxCodes {
			break
		}
		code := r.Addr.Unmap()
		o.codes = append(o.codes, code)
		switch answer, known := l.meaning(code); {
		case !loopback.Contains(code):
			o.kind, o.why = outside, "answers "+code.String()+", which is outside 127.0.0.0/8: whoever answers keeps no list"
		case o.kind == outside:
		case l.refuses(code):
			o.kind, o.why = denied, "refuses to serve us: "+refusal(code)
		case o.kind == denied:
		case !known:
			strange = code.String()
		case answer.Ignore && o.kind != listed:
			o.kind = notListed // with a code: the test points see the entry
		case !answer.Ignore && (o.kind != listed || answer.Weight > o.weight):
			// Of several answers the heaviest counts: they are about one address.
			o.kind, o.weight, o.meaning = listed, answer.Weight, answer.Meaning
		}
	}
	switch o.kind {
	case unusable:
		o.why = "answers without an address"
		if strange != "" {
			o.why = "answers " + strange + ", which is none of its known answers"
		}
	case outside, denied:
		o.weight, o.meaning = 0, ""
	}
	return o
}

func (l *List) meaning(code netip.Addr) (Answer, bool) {
	i := slices.IndexFunc(l.Answers, func(a Answer) bool { return a.Values.Contains(code) })
	if i < 0 {
		return Answer{}, false
	}
	return l.Answers[i], true
}

func (l *List) refuses(code netip.Addr) bool {
	return refused.Contains(code) || slices.ContainsFunc(l.Refusals, func(v Values) bool { return v.Contains(code) })
}

// refusal puts a refusal code into words; 252 to 255 are those of Spamhaus, whom
// others follow.
func refusal(code netip.Addr) string {
	s := code.String()
	switch s {
	case "127.255.255.252":
		return s + ", a mistake in the zone's name"
	case "127.255.255.254":
		return s + ", asked through a public resolver"
	case "127.255.255.255":
		return s + ", too many questions"
	}
	return s
}
