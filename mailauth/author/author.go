// Package author reads who a message says it is from, once and for everybody:
// the domain that authentication must match and the name that a person sees come
// from the same reading of the same field. Where mail programs could read
// something else, the author isn't clear, and why is listed: composing two
// readings is how forged mail passes authentication (Chen, Paxson and Jiang,
// "Composition Kills", USENIX Security 2020; Shen and others, "Weak Links in
// Authentication Chains", USENIX Security 2021).
package author

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"sluice/dns"
	"sluice/message"
	"sluice/message/header"
)

// Author is the author of a message (RFC 5322 3.6.2). Display, Local and what
// Problems quote are hostile.
type Author struct {
	Address string // local@domain, the local part quoted where it must be, the domain in A-labels; "" where there is none
	Local   string // unquoted
	Domain  string // A-labels, lower case, no final dot; "" where there is no domain name
	Display string // decoded display name
	// Clear says that every reader finds this one author. Where it is false, no
	// authentication says anything about what a person sees.
	Clear bool
	// Domains are all domains that some reader could take for the author's,
	// Domain first; at most [MaxDomains]. A clear author with a domain has one.
	Domains  []string
	Problems []Problem
}

// Problem is one thing about the From field that isn't plain. A grave one makes
// the author unclear; the others are worth telling.
type Problem struct {
	Code   Code
	Grave  bool
	Detail string // what was seen; hostile
}

// Code names a kind of problem. Codes are stable: checks and logs build on them.
type Code string

// The codes. Those marked (grave) make the author unclear.
const (
	Missing         Code = "MISSING"          // (grave) no From field
	TooLong         Code = "TOO_LONG"         // (grave) the field is longer than any list of authors
	Duplicate       Code = "DUPLICATE"        // (grave) several From fields
	NoAddress       Code = "NO_ADDRESS"       // (grave) no address with a domain
	Several         Code = "SEVERAL"          // (grave) several addresses
	Group           Code = "GROUP"            // (grave) group syntax, which RFC 6854 allows and readers differ on
	Route           Code = "ROUTE"            // (grave) an obsolete source route
	TwoBrackets     Code = "TWO_BRACKETS"     // (grave) two addresses in brackets without a comma
	Unclosed        Code = "UNCLOSED"         // (grave) a bracket, quote or comment without its end
	StrayText       Code = "STRAY_TEXT"       // (grave) text around the address that isn't a name
	UnquotedAddress Code = "UNQUOTED_ADDRESS" // (grave where the domains differ) an address as name, outside quotes
	EncodedAddress  Code = "ENCODED_ADDRESS"  // (grave) encoded words hide an address of another domain from one reader
	EncodedLocal    Code = "ENCODED_LOCAL"    // (grave) an encoded word inside the address
	LocalAt         Code = "LOCAL_AT"         // (grave) "@" in a quoted local part
	Comment         Code = "COMMENT"          // (grave) a comment inside the address, or one that holds another address
	Control         Code = "CONTROL"          // (grave) NUL, bare CR or another control in the field
	Invisible       Code = "INVISIBLE"        // (grave) characters in the address that nobody sees
	FieldSpace      Code = "FIELD_SPACE"      // (grave) white space between the field's name and its colon
	HiddenField     Code = "HIDDEN_FIELD"     // (grave) a line that only some readers take for a From field
	AfterBlank      Code = "AFTER_BLANK"      // (grave) the field stands behind a blank line for some readers
	BadDomain       Code = "BAD_DOMAIN"       // (grave) no name that the DNS can hold
	MappedDomain    Code = "MAPPED_DOMAIN"    // (grave) IDNA changes the domain as written to another
	DomainLiteral   Code = "DOMAIN_LITERAL"   // an IP address for a domain
	TrailingDot     Code = "TRAILING_DOT"     // a dot behind the domain
	DisplayAddress  Code = "DISPLAY_ADDRESS"  // the name holds an address of another domain
	DisplayControl  Code = "DISPLAY_CONTROL"  // the name holds controls, or controls of direction
	IDN             Code = "IDN"              // the domain has letters outside ASCII
	MixedScript     Code = "MIXED_SCRIPT"     // a label of the domain mixes scripts
	Confusable      Code = "CONFUSABLE"       // the domain looks like another one in ASCII
)

// Bounds on one message.
const (
	MaxDomains  = 4
	maxFields   = 8       // From fields looked at
	maxProblems = 16      // listed
	maxNames    = 64      // domains looked for in one text
	maxValue    = 8 << 10 // octets of one field
)

// Has says whether the problem is among those listed.
func (a *Author) Has(c Code) bool {
	for _, p := range a.Problems {
		if p.Code == c {
			return true
		}
	}
	return false
}

// AuthorDomain is the one domain that DMARC may be applied to. ok is false where
// the author isn't clear, but for several addresses of one domain in one field:
// RFC 9989 5.3.1 counts domains, not addresses.
func (a *Author) AuthorDomain() (domain string, ok bool) {
	if a.Domain == "" || len(a.Domains) != 1 {
		return "", false
	}
	for _, p := range a.Problems {
		if p.Grave && p.Code != Several {
			return "", false
		}
	}
	return a.Domain, true
}

func (a *Author) add(c Code, grave bool, detail string) {
	if a.Has(c) || len(a.Problems) >= maxProblems {
		if grave && len(a.Problems) > 0 { // what isn't listed still counts
			for i := range a.Problems {
				if a.Problems[i].Code == c {
					a.Problems[i].Grave = true
					return
				}
			}
			a.Problems[len(a.Problems)-1].Grave = true
		}
		return
	}
	a.Problems = append(a.Problems, Problem{Code: c, Grave: grave, Detail: header.Clip(detail)})
}

// candidate adds a domain that some reader could see, in any spelling.
func (a *Author) candidate(domain string) {
	d := name(domain)
	if d == "" || len(a.Domains) >= MaxDomains {
		return
	}
	for _, have := range a.Domains {
		if have == d {
			return
		}
	}
	a.Domains = append(a.Domains, d)
}

// name is the A-label form of a domain name, or "" where the DNS can't hold it or
// it is an address literal.
func name(s string) string {
	s = strings.Trim(s, " \t\r\n")
	if s == "" || s[0] == '[' || strings.HasSuffix(s, ".") || strings.ContainsRune(s, utf8.RuneError) {
		return "" // a final dot was cut before: this is the second
	}
	n, err := dns.Normalize(s)
	if err != nil {
		return ""
	}
	for i := range len(n) { // a host name, for the DNS holds more (RFC 2181 11)
		c := n[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return ""
		}
	}
	if _, err := netip.ParseAddr(n); err == nil { // user@192.0.2.1
		return ""
	}
	return n
}

// Of reads the author of a message. The work is linear in its header.
func Of(m *message.Message) Author {
	var a Author
	h := m.Header()
	var fields []*header.Field
	for i := range h.Fields {
		if h.Fields[i].Is("From") {
			if fields = append(fields, &h.Fields[i]); len(fields) == maxFields {
				break
			}
		}
	}
	clear := false
	switch {
	case len(fields) == 0:
		a.add(Missing, true, "")
	case len(fields[0].Value) > maxValue: // more than anybody's address: not worth the time
		a.add(TooLong, true, fields[0].Value)
		list, _ := header.ParseAddressList(fields[0].Value[:maxValue])
		a.candidates(list)
	default:
		var main header.Address
		main, clear = m.From()
		a.read(main, fields[0])
	}
	if _, ok := fromLine([]byte(m.EnvelopeFromLine())); ok {
		a.hide(m.EnvelopeFromLine()) // "From :" on the first line is a mailbox file's separator to some
	}
	if len(fields) > 1 {
		a.add(Duplicate, true, fields[1].Value)
		for _, f := range fields[1:] {
			list, _ := header.ParseAddressList(f.Value[:min(len(f.Value), maxValue)])
			a.candidates(list)
		}
	}
	for _, f := range fields {
		a.framing(m, f)
	}
	a.hidden(m)
	a.Clear = true
	for _, p := range a.Problems {
		a.Clear = a.Clear && !p.Grave
	}
	// message.From is the stricter of the two where this reading knows no reason;
	// it is overruled only for an unquoted name that repeats the domain.
	if !clear && a.Clear && !a.Has(UnquotedAddress) {
		a.add(StrayText, true, h.Get("From"))
		a.Clear = false
	}
	if !a.Clear {
		for _, f := range fields {
			value := f.Value[:min(len(f.Value), maxValue)]
			a.scan(value)
			a.scan(header.DecodeWords(value))
		}
	}
	return a
}

// read takes the first From field apart.
func (a *Author) read(main header.Address, f *header.Field) {
	list, defects := header.ParseAddressList(f.Value)
	a.Local, a.Display = main.Local, main.Name
	if _, domain := splitRaw(specOf(main.Raw)); utf8.ValidString(domain) {
		a.Domain = name(main.Domain)
	}
	if a.Domain != "" && a.Local != "" {
		a.Address = quoteLocal(a.Local) + "@" + a.Domain
	}
	a.candidate(a.Domain)
	a.candidates(list)
	a.grammar(list, defects, f.Value)
	if len(list) > 0 {
		a.address(list[0])
		a.display(list[0])
	}
	a.encoded(f.Value)
}

func (a *Author) candidates(list []header.Address) {
	for _, x := range list {
		if len(a.Domains) >= MaxDomains {
			return
		}
		if utf8.ValidString(x.Raw) {
			a.candidate(x.Domain)
		}
	}
}

// grammar judges the list as a whole.
func (a *Author) grammar(list []header.Address, defects []header.Defect, value string) {
	switch {
	case len(list) == 0:
		a.add(NoAddress, true, value)
	case len(list) > 1:
		a.add(Several, true, value)
	}
	for _, x := range list[:min(len(list), maxFields)] {
		if x.Group != "" {
			a.add(Group, true, value)
		}
	}
	// RFC 6854: a group without members leaves no author at all.
	for _, d := range defects {
		switch d.Code {
		case header.AddressRoute:
			a.add(Route, true, value)
		case header.AddressTwoBrackets:
			a.add(TwoBrackets, true, value)
		case header.AddressNoBracket, header.AddressOpenQuote, header.AddressOpenComment:
			a.add(Unclosed, true, value)
		case header.AddressUnquotedAt:
			a.add(UnquotedAddress, a.foreign(value), value)
		default:
			if d.Ambiguous {
				a.add(StrayText, true, value)
			}
		}
	}
}

// foreign says whether text holds an address of another domain than the author's.
func (a *Author) foreign(text string) bool {
	n := 0
	for d := range domainsIn(text) {
		if n++; d != a.Domain || n == maxNames {
			return true
		}
	}
	return false
}
