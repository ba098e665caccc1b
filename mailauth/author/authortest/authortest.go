// Package authortest holds sessions that try to pass authentication under
// another's name, by the families of the literature, and honest ones that look
// much the same. Package dmarc's tests run them through author and DMARC; they
// are plain data, so that a whole engine can be run over them too.
//
// Families: the numbered cases of the tool espoofer (Chen, Paxson, Jiang,
// "Composition Kills: A Case Study of Email Sender Authentication", USENIX
// Security 2020; its 18 attacks are spread over 22 cases and the replays of
// section 6), and attacks A1 to A14 of Shen and others, "Weak Links in
// Authentication Chains", USENIX Security 2021. The samples are our own.
package authortest

import "strings"

// The parties.
const (
	Bank     = "bank.example"     // whose name is taken: p=reject
	Attacker = "attacker.example" // has honest records of its own
	Victim   = "victim.example"
)

// Zone is the DNS of all cases, in the JSON form of dnstest.
const Zone = `{
	"bank.example": {"MX": ["10 mx.bank.example."], "A": ["192.0.2.10"], "TXT": ["v=spf1 ip4:192.0.2.10 -all"]},
	"_dmarc.bank.example": {"TXT": ["v=DMARC1; p=reject; rua=mailto:d@bank.example"]},
	"mail.bank.example": {"A": ["192.0.2.10"], "TXT": ["v=spf1 a -all"]},
	"news.bank.example": {"A": ["192.0.2.11"]},
	"nosub.example": {"MX": ["10 mx.nosub.example."], "TXT": ["v=spf1 ip4:192.0.2.30 -all"]},
	"_dmarc.nosub.example": {"TXT": ["v=DMARC1; p=reject; sp=none; np=reject"]},
	"attacker.example": {"MX": ["10 mx.attacker.example."], "A": ["203.0.113.66"], "TXT": ["v=spf1 ip4:203.0.113.66 -all"]},
	"_dmarc.attacker.example": {"TXT": ["v=DMARC1; p=none"]},
	"esp.example": {"A": ["198.51.100.5"], "TXT": ["v=spf1 ip4:198.51.100.5 -all"]},
	"bounce.esp.example": {"A": ["198.51.100.5"], "TXT": ["v=spf1 ip4:198.51.100.5 -all"]},
	"lists.example": {"A": ["198.51.100.7"], "TXT": ["v=spf1 ip4:198.51.100.7 -all"]},
	"_dmarc.lists.example": {"TXT": ["v=DMARC1; p=quarantine"]},
	"forwarder.example": {"A": ["198.51.100.9"], "TXT": ["v=spf1 ip4:198.51.100.9 -all"]},
	"_dmarc.forwarder.example": {"TXT": ["v=DMARC1; p=reject"]},
	"person.example": {"A": ["192.0.2.40"]},
	"_dmarc.person.example": {"TXT": ["v=DMARC1; p=none"]},
	"xn--bcher-kva.example": {"A": ["192.0.2.50"], "TXT": ["v=spf1 ip4:192.0.2.50 -all"]},
	"_dmarc.xn--bcher-kva.example": {"TXT": ["v=DMARC1; p=reject"]},
	"xn--bnk-6cd.example": {"A": ["203.0.113.66"], "TXT": ["v=spf1 ip4:203.0.113.66 -all"]}
}`

// Auth is what a correct verifier finds for one identity of the session.
type Auth struct {
	Result, Domain, Selector string
}

// Case is one session. What SPF and DKIM say is stated, not computed: where a
// correct verifier refuses the input, the tables hold what a careless one would
// say, the harder case for what comes after.
type Case struct {
	ID       string // "espoofer server_a1", "weak-links A8", "honest …"
	Name     string
	Client   string // address of the client
	Helo     string
	MailFrom string // reverse-path as sent, without the brackets; "" is the null one
	// NoPath says that the reverse-path breaks RFC 5321's grammar, so a correct
	// server has answered 501 before all that follows.
	NoPath  bool
	Message string // CRLF line ends
	SPF     Auth
	DKIM    []Auth
	Spoofed string // domain that a reader shall believe; "" for honest cases
	// Vouched says that the spoofed domain itself authenticates the message (its
	// server lets users or strangers write as others): nothing that a receiver
	// checks here can tell, other evidence must.
	Vouched bool
}

// msg builds a message: header lines, and a body.
func msg(fields ...string) string {
	return strings.Join(fields, "\r\n") + "\r\nTo: you@victim.example\r\nSubject: your account\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\nMessage-ID: <1@attacker.example>\r\n\r\nplease read\r\n"
}

// Attacks are the hostile sessions.
func Attacks() []Case {
	own := Auth{Result: "pass", Domain: Attacker}
	mine := []Auth{{"pass", Attacker, "s"}}
	// evil is a session in which all that the attacker proves is its own domain.
	evil := func(id, name string, fields ...string) Case {
		return Case{ID: id, Name: name, Client: "203.0.113.66", Helo: "mx.attacker.example", MailFrom: "any@attacker.example",
			Message: msg(fields...), SPF: own, DKIM: mine, Spoofed: Bank}
	}
	out := append(servers(evil), displays(evil)...)
	out = append(out, accounts(evil)...)
	return append(out, weakLinks(evil)...)
}

type maker func(id, name string, fields ...string) Case

// servers play SPF, DKIM and the parser of the From field against each other.
func servers(evil maker) []Case {
	plain := "From: Bank <service@bank.example>"
	a1 := evil("espoofer server_a1", "MAIL FROM below the domain, of a name that doesn't exist", plain)
	a1.MailFrom, a1.SPF, a1.DKIM = "any@nothing.bank.example", Auth{Result: "none", Domain: "nothing.bank.example"}, nil
	a2 := evil("espoofer server_a2", "MAIL FROM that some take for empty, so that SPF checks HELO", plain)
	a2.MailFrom, a2.NoPath, a2.DKIM = "(any@bank.example", true, nil
	a2.SPF = Auth{Result: "pass", Domain: "mx.attacker.example"}
	a3 := evil("espoofer server_a3", "NUL in the selector: the key comes from elsewhere", plain,
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s._domainkey.attacker.example.\x00.any; h=from; bh=; b=")
	a3.DKIM = []Auth{{"permerror", Bank, "s._domainkey.attacker.example.\x00.any"}}
	a4 := evil("espoofer server_a4", "a quote in d= splits the result that is handed on", plain,
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example'a.attacker.example; s=s; h=from; bh=; b=")
	a4.DKIM = []Auth{{"pass", "bank.example'a.attacker.example", "s"}}
	a5 := evil("espoofer server_a5", "a parenthesis in MAIL FROM comments the rest of the domain out", plain)
	a5.MailFrom, a5.NoPath, a5.DKIM, a5.SPF = "any@bank.example(.attacker.example", true, nil, Auth{Result: "pass", Domain: "bank.example(.attacker.example"}
	a6 := evil("espoofer server_a6", "a quote in MAIL FROM ends the domain early", plain)
	a6.MailFrom, a6.NoPath, a6.DKIM, a6.SPF = "any@bank.example'@any.attacker.example", true, nil, Auth{Result: "pass", Domain: "any.attacker.example"}
	a7 := evil("espoofer server_a7", "a source route in MAIL FROM", plain)
	a7.MailFrom, a7.DKIM, a7.SPF = "@bank.example,@any.example:any@attacker.example", nil, Auth{Result: "pass", Domain: Attacker}
	return []Case{a1, a2, a3, a4, a5, a6, a7,
		evil("espoofer server_a8", "two From fields", "From: <first@attacker.example>", plain),
		evil("espoofer server_a8 reversed", "two From fields, the spoofed one first", plain, "From: <first@attacker.example>"),
		evil("espoofer server_a9", "a From field behind white space, then another", " From: <first@attacker.example>", plain),
		evil("espoofer server_a9 folded", "a second From field as the fold of another field", "From: <first@attacker.example>", "X-Note: x", " From: service@bank.example"),
		evil("espoofer server_a10", "white space before a colon", "From: <first@attacker.example>", "From : <service@bank.example>"),
		evil("espoofer server_a10 alone", "white space before the only colon", "From : <first@attacker.example>", "Sender: <service@bank.example>"),
		evil("espoofer server_a11", "a fold between name and colon", "From\r\n : <first@attacker.example>", plain),
		evil("espoofer server_a12", "From that some don't see, and Sender", "From\r\n : <first@attacker.example>", "Sender: <service@bank.example>"),
		evil("espoofer server_a13", "From that some don't see, and Resent-From", "From\r\n : <first@attacker.example>", "Resent-From: <service@bank.example>"),
	}
}

// displays play the checked address against the one that is shown.
func displays(evil maker) []Case {
	return []Case{
		evil("espoofer server_a14", "several addresses", "From: <first@attacker.example>, <service@bank.example>", "Sender: <s@sender.bank.example>"),
		evil("espoofer server_a15", "an encoded address before another", "From: =?utf-8?B?PHNlcnZpY2VAYmFuay5leGFtcGxlPg==?=, <second@attacker.example>"),
		evil("espoofer server_a15 one", "an encoded address runs into another", "From: =?utf-8?Q?service=40bank.example=2C?= <second@attacker.example>"),
		evil("espoofer server_a16", "a route that ends at the spoofed address", "From: <@attacker.example,@any.example:service@bank.example>"),
		evil("espoofer server_a17", "a backslash before the comma", `From: <service@bank.example>\,<second@attacker.example>`),
		evil("espoofer server_a18", "a bare address, then a comma", "From: service@bank.example,<second@attacker.example>"),
		evil("espoofer server_a19", "text behind the bracket", "From: <any@attacker.example>service@bank.example"),
		evil("espoofer server_a19 before", "an address before the bracket, unquoted", "From: service@bank.example <any@attacker.example>"),
		evil("espoofer server_a19 two", "two brackets", "From: <service@bank.example><any@attacker.example>"),
		evil("own group", "group syntax around the address", "From: Bank: service@bank.example, any@attacker.example;"),
		evil("own group of one", "group syntax with one member", "From: Bank:service@bank.example;"),
		evil("own empty group", "a group without members", "From: service@bank.example:;"),
		evil("own comment", "the real domain in a comment", "From: <any@attacker.example(@bank.example)>"),
		evil("own comment before", "the spoofed address as a comment before", "From: (service@bank.example) any@attacker.example"),
		evil("own open comment", "a comment that doesn't end", "From: service@bank.example (<any@attacker.example>"),
		evil("own quoted local", "an @ inside a quoted local part", `From: "service@bank.example"@attacker.example`),
		evil("own quoted local bracket", "a bracket inside a quoted local part", `From: <"service@bank.example> "@attacker.example>`),
		evil("own open quote", "a quote that doesn't end", `From: "Bank <service@bank.example>, <any@attacker.example>`),
		evil("own two ats", "two @ outside quotes", "From: <service@bank.example@attacker.example>"),
		evil("own no address", "a name only", "From: service at bank.example"),
		evil("own empty", "nothing in the field", "From:", "Reply-To: service@bank.example"),
		evil("own blank line", "a line of blanks before the field", "X-A: b\r\n \t", "From: service@bank.example"),
		evil("own bare CR", "a bare CR inside another field", "From: <any@attacker.example>", "X-A: b\rFrom: service@bank.example"),
		evil("own mapped", "full-width letters that IDNA folds", "From: <service@ｂａｎｋ.example>"),
		evil("own encoded domain", "an encoded word for a domain", "From: <service@=?utf-8?Q?bank.example?=>"),
		evil("own encoded local", "an encoded word before the @", "From: =?utf-8?Q?service=40bank.example=3E?=@attacker.example"),
	}
}

// accounts use an account at the spoofed domain, or a message that it signed.
func accounts(evil maker) []Case {
	signed := Auth{Result: "pass", Domain: Bank}
	user := func(id, name string, fields ...string) Case {
		c := evil(id, name, fields...)
		c.Client, c.Helo, c.MailFrom, c.SPF, c.DKIM = "192.0.2.10", "mail.bank.example", "attacker@bank.example", signed, []Auth{{"pass", Bank, "s"}}
		return c
	}
	c3 := user("espoofer client_a3", "another user of the same domain in From", "From: <service@bank.example>")
	c3.Vouched = true
	head := evil("espoofer replay of a header", "a signed message with a second From on top", "From: <any@attacker.example>", "From: <service@bank.example>",
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from:to:subject; bh=; b=")
	head.DKIM = []Auth{{"pass", Bank, "s"}, {"pass", Attacker, "s"}}
	reply := evil("espoofer replay of a header, one below", "a signed message whose copy of From stands below another", "From: Bank <service@other.bank.example>", "From: <service@bank.example>",
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=from; bh=; b=")
	reply.DKIM = []Auth{{"pass", Bank, "s"}}
	body := evil("espoofer replay of a body", "a message signed with l=, and more text behind", "From: <service@bank.example>",
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; l=1; h=from; bh=; b=")
	body.DKIM = []Auth{{"policy", Bank, "s"}} // what l= leaves unsigned is not authenticated
	return []Case{
		user("espoofer client_a1", "a user's second From field", "From: <attacker@bank.example>", "From: <service@bank.example>"),
		user("espoofer client_a2", "a user's second address", "From: <attacker@bank.example>, <service@other.example>"),
		c3, head, reply, body,
	}
}

// weakLinks are the attacks of the second paper by its numbers.
func weakLinks(evil maker) []Case {
	plain := "From: Bank <service@bank.example>"
	with := func(c Case, spf Auth, dkim ...Auth) Case {
		c.SPF, c.DKIM = spf, dkim
		return c
	}
	a1 := with(evil("weak-links A1", "logged in as one user, MAIL FROM another of the domain", plain), Auth{Result: "pass", Domain: Bank}, Auth{"pass", Bank, "s"})
	a1.MailFrom, a1.Vouched = "service@bank.example", true
	a2 := with(evil("weak-links A2", "MAIL FROM and From differ", plain), Auth{Result: "pass", Domain: Attacker})
	a3 := with(evil("weak-links A3", "null reverse-path: SPF of HELO", plain), Auth{Result: "pass", Domain: "mx.attacker.example"})
	a3.MailFrom = ""
	a8 := with(evil("weak-links A8", "a subdomain that doesn't exist and has no record", "From: <service@pay.nosub.example>"), Auth{Result: "none", Domain: "pay.nosub.example"})
	a8.MailFrom, a8.Spoofed = "service@pay.nosub.example", "nosub.example"
	a9 := with(evil("weak-links A9", "a forwarder that checks nothing sends it on", plain), Auth{Result: "pass", Domain: "forwarder.example"}, Auth{"pass", "forwarder.example", "f"})
	a9.Client, a9.Helo, a9.MailFrom = "198.51.100.9", "forwarder.example", "SRS0=x=y=attacker.example=any@forwarder.example"
	a9own := a9
	a9own.ID, a9own.Name, a9own.Message, a9own.Spoofed, a9own.Vouched = "weak-links A9 own", "a forwarder makes mail under its own name its own", msg("From: <service@forwarder.example>"), "forwarder.example", true
	a10 := with(evil("weak-links A10", "a signature that names the domain and another's key", plain,
		"DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=none; h=from; bh=; b=",
		"DKIM-Signature: v=1; a=rsa-sha256; d=attacker.example; i=service@bank.example; s=s; h=from; bh=; b="),
		Auth{Result: "pass", Domain: Attacker}, Auth{"permerror", Bank, "none"}, Auth{"pass", Attacker, "s"})
	a11 := with(evil("weak-links A11", "a forged ARC set that tells of a pass", plain,
		"ARC-Seal: i=1; a=rsa-sha256; d=attacker.example; s=s; cv=none; b=",
		"ARC-Message-Signature: i=1; a=rsa-sha256; d=attacker.example; s=s; h=from; bh=; b=",
		"ARC-Authentication-Results: i=1; mx.attacker.example; dmarc=pass header.from=bank.example",
		"Authentication-Results: mx.victim.example; dmarc=pass header.from=bank.example"),
		Auth{Result: "pass", Domain: Attacker})
	a12 := with(evil("weak-links A12", "a look-alike in letters of another script", "From: Bank <service@bаnk.example>"), Auth{Result: "pass", Domain: "xn--bnk-6cd.example"}, Auth{"pass", "xn--bnk-6cd.example", "s"})
	a12.MailFrom = "service@xn--bnk-6cd.example"
	return []Case{a1, a2, a3,
		evil("weak-links A4", "several From fields, far apart", "From: <any@attacker.example>", "X-A: 1", "X-B: 2", "from: service@bank.example"),
		evil("weak-links A5", "several addresses, one without brackets", "From: service@bank.example, any@attacker.example"),
		evil("weak-links A6", "truncation by a NUL", "From: <service@bank.example\x00@attacker.example>"),
		evil("weak-links A6 space", "truncation by white space", "From: <service@bank.example attacker.example>"),
		evil("weak-links A6 invisible", "truncation by an invisible character", "From: <service@bank.example\u200b.attacker.example>"),
		evil("weak-links A7", "the address in an encoded word", "From: =?utf-8?B?c2VydmljZUBiYW5rLmV4YW1wbGU=?= <any@attacker.example>"),
		evil("weak-links A7 whole", "the whole field in encoded words", "From: =?utf-8?Q?Bank_=3Cservice=40bank.example=3E?="),
		a8, a9, a9own, a10, a11, a12,
		evil("weak-links A13", "characters that are not shown hide the real domain", "From: <service@bank.example\x08\x08@attacker.example>"),
		evil("weak-links A13 long", "white space pushes the real address out of sight", `From: "service@bank.example`+strings.Repeat(" ", 200)+`" <any@attacker.example>`),
		evil("weak-links A14", "direction override in the name", "From: \"\u202eelpmaxe.knab@ecivres\u202c\" <any@attacker.example>"),
		evil("weak-links A14 address", "direction override in the address", "From: <\u202eelpmaxe.knab@ecivres\u202c@attacker.example>"),
	}
}

// Honest are sessions that look like an attack and are none.
func Honest() []Case {
	ok := func(name string, fields ...string) Case {
		return Case{ID: "honest", Name: name, Client: "192.0.2.10", Helo: "mail.bank.example", MailFrom: "service@bank.example",
			Message: msg(fields...), SPF: Auth{Result: "pass", Domain: Bank}, DKIM: []Auth{{"pass", Bank, "s"}}}
	}
	with := func(c Case, mailFrom string, spf Auth, dkim ...Auth) Case {
		c.MailFrom, c.SPF, c.DKIM = mailFrom, spf, dkim
		return c
	}
	plain := "From: Bank <service@bank.example>"
	return []Case{
		ok("plain", plain),
		with(ok("mailing list that rewrites From", "From: Anna via Talk <talk@lists.example>", "Reply-To: anna@person.example", "List-Id: <talk.lists.example>"),
			"talk-bounces@lists.example", Auth{Result: "pass", Domain: "lists.example"}, Auth{"pass", "lists.example", "l"}, Auth{"fail", "person.example", "p"}),
		with(ok("mailing list that keeps From, author without a policy", "From: Anna <anna@person.example>", "List-Id: <talk.lists.example>"),
			"talk-bounces@lists.example", Auth{Result: "pass", Domain: "lists.example"}, Auth{"fail", "person.example", "p"}, Auth{"pass", "lists.example", "l"}),
		with(ok("service provider with an aligned key", plain), "b-1@bounce.esp.example", Auth{Result: "pass", Domain: "bounce.esp.example"}, Auth{"pass", "esp.example", "e"}, Auth{"pass", Bank, "esp"}),
		with(ok("service provider with an aligned return path", "From: Bank <service@news.bank.example>"), "b@news.bank.example", Auth{Result: "pass", Domain: "news.bank.example"}),
		with(ok("subdomain signed by the organization", "From: Bank <service@news.bank.example>"), "b@bounce.esp.example", Auth{Result: "pass", Domain: "bounce.esp.example"}, Auth{"pass", Bank, "s"}),
		ok("Sender that differs", plain, "Sender: Secretary <office@bank.example>"),
		ok("resent", plain, "Resent-From: Anna <anna@person.example>", "Resent-Date: Tue, 24 Nov 2026 08:00:00 +0000"),
		ok("many recipients, one group", plain, "Cc: Team: a@victim.example, b@victim.example;, c@person.example"),
		with(ok("international domain", "From: Bücher <laden@bücher.example>"), "laden@xn--bcher-kva.example", Auth{Result: "pass", Domain: "xn--bcher-kva.example"}, Auth{"pass", "xn--bcher-kva.example", "s"}),
		with(ok("international domain in A-labels", "From: Laden <laden@xn--bcher-kva.example>"), "laden@xn--bcher-kva.example", Auth{Result: "pass", Domain: "bücher.example"}, Auth{"pass", "BÜCHER.example", "s"}),
		ok("encoded name with a comma", "From: =?utf-8?Q?M=C3=BCller=2C_Anna?= <service@bank.example>"),
		ok("quoted name with a comma", `From: "Bank, Service" <service@bank.example>`),
		ok("address as its own name", "From: service@bank.example <service@bank.example>"),
		ok("address as its own quoted name", `From: "service@bank.example" <service@bank.example>`),
		ok("name in a comment", "From: service@bank.example (Bank Service)"),
		ok("folded", "From: A Bank With A Long Name\r\n <service@bank.example>"),
		ok("quoted local part", `From: "bank service"@bank.example`),
		ok("signature that folds at From", "DKIM-Signature: v=1; a=rsa-sha256; d=bank.example; s=s; h=To:\r\n\tFrom:Subject; bh=; b=", plain),
		ok("forwarded text in a subject", plain, "X-Original-Subject: FW:\r\n From: the desk of the director"),
		ok("two authors of one domain", "From: Anna <a@bank.example>, Ben <b@bank.example>", "Sender: a@bank.example"),
		with(ok("forwarded, signature intact", plain), "SRS0=x=y=bank.example=service@forwarder.example", Auth{Result: "pass", Domain: "forwarder.example"}, Auth{"pass", Bank, "s"}),
		with(ok("bounce", "From: Mail Delivery <postmaster@bank.example>"), "", Auth{Result: "pass", Domain: "mail.bank.example"}),
	}
}
