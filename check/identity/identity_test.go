package identity_test

import (
	"testing"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/identity"
)

func TestMessages(t *testing.T) {
	mail := func(fields string) string { return checktest.Mail(fields, "Hello\n") }
	checktest.Table(t, identity.Checks(), []checktest.Case{
		{"plain", mail(""), ""},
		{"no From", mail("-From"), "FROM_MISSING"},
		{"two From fields", mail("From: a@example.org\nFrom: b@example.com"), "FROM_DUPLICATE"},
		{"From without address", mail("From: The Bank"), "FROM_INVALID"},
		{"From with an empty domain", mail("From: <bob@>"), "FROM_INVALID"},
		{"empty From", mail("From:"), "FROM_INVALID"},
		{"two authors", mail("From: a@example.org, b@example.com"), "FROM_MULTIPLE"},
		{"two authors on a list", mail("From: a@example.org, b@example.com\nList-Id: <l.example.org>\nList-Post: <mailto:l@l.example.org>"), ""},
		{"two bracketed addresses", mail("From: <ceo@example.com> <x@example.org>"), "FROM_AMBIGUOUS"},
		{"source route", mail("From: <@example.com:x@example.org>"), "FROM_AMBIGUOUS"},
		{"foreign address outside quotes", mail("From: ceo@bank.com <x@example.org>"), "FROM_AMBIGUOUS FROM_NAME_ADDRESS"},
		{"own address outside quotes", mail("From: bob@example.org <bob@example.org>"), ""},
		{"single label domain", mail("From: root@server"), "FROM_DOMAIN_UNKNOWN"},
		{"top-level domain that doesn't exist", mail("From: a@firm.nosuchtld"), "FROM_DOMAIN_UNKNOWN"},
		{"A-label", mail("From: a@xn--bcher-kva.com"), ""},

		{"name holds another address", mail(`From: "ceo@bank.com" <x@example.org>`), "FROM_NAME_ADDRESS"},
		{"name holds it in words", mail(`From: "Ann, ceo@bank.com (Bank)" <x@example.org>`), "FROM_NAME_ADDRESS"},
		{"name holds it encoded", mail(`From: =?utf-8?B?Y2VvQGJhbmsuY29t?= <x@example.org>`), "FROM_NAME_ADDRESS"},
		{"name holds it with a wide at", mail("From: \"ceo＠bank.com\" <x@example.org>"), "FROM_NAME_ADDRESS"},
		{"name holds an address of the same house", mail(`From: "bob@mail.example.org" <bob@example.org>`), ""},
		{"name holds the recipient's domain", mail(`From: "boss@example.net" <x@example.org>`), "FROM_NAME_OURS"},
		{"list rewrites the name", mail(`From: "bob@bank.com via list" <l@example.org>` + "\nList-Id: <l.example.org>\nList-Post: <mailto:l@l.example.org>"), ""},
		{"name with an at sign only", mail(`From: "Bob @ work" <bob@example.org>`), ""},
		{"name with a file name", mail(`From: "me@version1.2" <bob@example.org>`), ""},

		{"answers to the same house", mail("Reply-To: sales@mail.example.org"), ""},
		{"answers to free mail", mail("Reply-To: mrs.smith@gmail.com"), "REPLY_TO_FREE_MAIL"},
		{"answers of the same person to free mail", mail("Reply-To: bob@gmail.com"), ""},
		{"free mail answers to another mailbox", mail("From: a.b@gmail.com\nReply-To: mrs.smith@outlook.com"), "REPLY_TO_OTHER_MAILBOX"},
		{"free mail answers to another mailbox there", mail("From: a.b@gmail.com\nReply-To: mrs.smith@gmail.com"), "REPLY_TO_OTHER_MAILBOX"},
		{"answers elsewhere", mail("Reply-To: desk@help.example.com"), "REPLY_TO_DIFFERS"},
		{"one of the answers to the same house", mail("Reply-To: desk@help.example.com, bob@example.org"), ""},
		{"answers of a list", mail("Reply-To: mrs.smith@gmail.com\nList-Post: <mailto:l@example.org>"), ""},
		{"broken Reply-To", mail("Reply-To: nobody"), ""},

		{"from the recipient", mail("From: Ann <ANN@example.net>"), "FROM_IS_RECIPIENT"},

		{"tenant's technical name", mail("From: x@contoso123.onmicrosoft.com"), "FROM_TENANT_NAME"},
		{"cheap top-level domain", mail("From: x@win.click"), "FROM_RISKY_TLD"},
		{"free web space", mail("From: noreply@login-123.firebaseapp.com"), "FROM_FREE_HOST"},
		{"generated local part", mail("From: kjhg23kjh4g23kjh4g23k4hg@example.org"), "FROM_ODD_LOCAL"},
		{"long local part of words", mail("From: customer-service.newsletter@example.org"), ""},
		{"generated local part on a list", mail("From: kjhg23kjh4g23kjh4g23k4hg@example.org\nList-Id: <l.example.org>\nList-Post: <mailto:l@l.example.org>"), ""},

		{"styled subject", mail("Subject: =?utf-8?B?8J2Qj/CdkJrwnZCy?= now"), "HEADER_STYLED"},
		{"styled name in a From without address", mail("From: ʟᴏᴡᴇ's"), "FROM_INVALID HEADER_STYLED"},
		{"mixed script in the subject", mail("Subject: P\u0430ypal notice"), "HEADER_MIXED_SCRIPT"},
		{"mixed script in the name", mail("From: P\u0430ypal <bob@example.org>"), "HEADER_MIXED_SCRIPT"},
		{"invisible in subject and name", mail("Subject: in\u200bvoice\nFrom: Pay\u200bpal <bob@example.org>"), "HEADER_INVISIBLE"},
		{"emoji sequence", mail("Subject: Hi 👩\u200d💻 there"), ""},
		{"override", mail("Subject: abc\u202edef"), "HEADER_DIRECTION"},
		{"embedding in Hebrew", mail("Subject: \u202bשלום\u202c"), ""},
		{"Russian", mail("Subject: Привет из Москвы\nFrom: Иван <bob@example.org>"), ""},
	})
}

func TestFit(t *testing.T) {
	link := func(fields string) string {
		return checktest.Mail(fields+"\nDKIM-Signature: v=1; d=x.example; b=x\nContent-Type: text/html", `<a href="https://x.example.com/">Read</a>`)
	}
	checktest.Table(t, identity.Checks(), []checktest.Case{
		{"a firm's name in its domain", link(`From: "Acme Tools" <news@acme.com>`), "FROM_NAME_FITS"},
		{"in a subdomain", link(`From: "Disney+" <x@mail.disneyplus.com>`), "FROM_NAME_FITS"},
		{"the domain in joined words", link(`From: "Two Blind Brothers" <x@twoblindbrothers.com>`), "FROM_NAME_FITS"},
		{"initials", link(`From: "British Airways" <x@crm.ba.com>`), "FROM_NAME_FITS"},
		{"hyphens", link(`From: "Flowers 1-800" <x@1-800-flowers.com>`), "FROM_NAME_FITS"},
		{"a person's name in the local part", link(`From: "John Smith" <jsmith@firm.com>`), ""},
		{"a foreign name", link(`From: "Big Bank" <x@hairdresser.com>`), "FROM_NAME_FOREIGN"},
		{"a foreign name without links", checktest.Mail(`From: "Big Bank" <x@hairdresser.com>`, "Hello"), ""},
		{"a foreign name at free mail", link(`From: "Big Cat" <x@gmail.com>`), ""},
		{"a foreign name on a list", link("List-Id: <l.example.org>\nList-Post: <mailto:l@l.example.org>\n" + `From: "Big Bank" <x@hairdresser.com>`), ""},
		{"a foreign name in an answer", link("In-Reply-To: <a@b>\n" + `From: "Big Bank" <x@hairdresser.com>`), ""},
		{"sent by a service", link(`From: "Big Bank" <x@em1.sendgrid.net>`), ""},
		{"hollow words", link(`From: "Customer Service Team" <x@hairdresser.com>`), ""},
		{"no name", link(`From: x@hairdresser.com`), ""},
		{"another script", link(`From: "Большой банк" <x@hairdresser.com>`), ""},
	})
}

// Our own users may write to themselves, and people keep what they did.
func TestSelfInside(t *testing.T) {
	for name, change := range map[string]func(*check.Input){
		"authenticated": func(in *check.Input) { in.Conn.Auth = "ann" },
		"trusted":       func(in *check.Input) { in.Conn.Trusted = true },
		"stored":        func(in *check.Input) { in.Conn.Stored = true },
	} {
		in := checktest.Input(checktest.Mail("From: ann@example.net", ""))
		change(in)
		if ev := checktest.Run(t, identity.Checks(), in); len(ev) != 0 {
			t.Errorf("%s: %+v", name, ev)
		}
	}
}
