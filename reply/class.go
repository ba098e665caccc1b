package reply

import (
	"strings"

	"sluice"
	"sluice/reason"
)

// Class says what happened to the mail.
type Class string

// The classes. Conflict is stated beside a likely one.
const (
	Unknown           Class = "unknown"
	Conflict          Class = "conflict"
	Accepted          Class = "accepted"
	UnknownUser       Class = "unknown_user"
	UnknownDomain     Class = "unknown_domain"
	Moved             Class = "moved"
	MailboxDisabled   Class = "mailbox_disabled"
	MailboxFull       Class = "mailbox_full"
	RecipientRefuses  Class = "recipient_refuses"
	NoMail            Class = "no_mail"
	Suppressed        Class = "suppressed"
	Reputation        Class = "reputation"
	Listed            Class = "listed"
	RateLimited       Class = "rate_limited"
	Greylisted        Class = "greylisted"
	ReverseDNS        Class = "reverse_dns"
	Hello             Class = "hello"
	SenderRefused     Class = "sender_refused"
	Authentication    Class = "authentication"
	TLS               Class = "tls"
	Login             Class = "login"
	RelayDenied       Class = "relay_denied"
	Spam              Class = "spam"
	Malware           Class = "malware"
	Content           Class = "content"
	TooLarge          Class = "too_large"
	Policy            Class = "policy"
	Protocol          Class = "protocol"
	TooManyRecipients Class = "too_many_recipients"
	Loop              Class = "loop"
	Capacity          Class = "capacity"
	ReceiverError     Class = "receiver_error"
	Network           Class = "network"
	Expired           Class = "expired"
)

// Fault says who can do something about it.
type Fault string

// The faults.
const (
	FaultNone           Fault = "none"
	FaultList           Fault = "address_list"          // the sender's list of addresses
	FaultReputation     Fault = "sender_reputation"     // what the sender's hosts or domain did before
	FaultContent        Fault = "content"               // this message
	FaultAuthentication Fault = "sender_authentication" // SPF, DKIM, DMARC
	FaultSender         Fault = "sender_configuration"  // the sending host's setup
	FaultReceiver       Fault = "receiver"              // the receiving side's setup or choice
	FaultCapacity       Fault = "capacity"              // too much at once, on either side
	FaultNetwork        Fault = "network"
	FaultUnknown        Fault = "unknown"
)

// class is what is known of a class: where it is usually said, whether it passes
// by itself, whose it is, and the words.
type class struct {
	phase     sluice.Phase
	temporary bool
	fault     Fault
	means     string
	advice    string
}

var classes = map[Class]class{
	Unknown:           {sluice.PhaseMessage, false, FaultUnknown, "the reply doesn't say what is wrong", "ask the postmaster of the receiving domain, and quote the whole reply"},
	Conflict:          {sluice.PhaseMessage, false, FaultReceiver, "the reply contradicts itself", "go by the basic code for retries; ask the receiving side's postmaster what is meant"},
	Accepted:          {sluice.PhaseMessage, false, FaultNone, "the mail was accepted", "nothing is to be done"},
	UnknownUser:       {sluice.PhaseRcpt, false, FaultList, "there is no such mailbox", "check the address for a typing error; remove it from lists, and don't send there again"},
	UnknownDomain:     {sluice.PhaseRcpt, false, FaultList, "the recipient's domain can't be found or has no mail server", "check the domain for a typing error; if it is right, its owner must repair its DNS"},
	Moved:             {sluice.PhaseRcpt, false, FaultList, "the recipient has another address now", "use the new address where the reply names one, and remove the old one from lists"},
	MailboxDisabled:   {sluice.PhaseRcpt, false, FaultList, "the mailbox exists and is disabled or not in use", "reach the person another way; remove the address from lists"},
	MailboxFull:       {sluice.PhaseRcpt, true, FaultReceiver, "the recipient's mailbox is full", "try again in some days; after some weeks the mailbox is likely abandoned, so remove it from lists"},
	RecipientRefuses:  {sluice.PhaseRcpt, false, FaultReceiver, "the recipient takes no mail from this sender", "ask the recipient on another way to allow you; don't try to get round it"},
	NoMail:            {sluice.PhaseConnect, false, FaultReceiver, "that host or domain accepts no mail at all", "check the address; the domain says that it takes no mail"},
	Suppressed:        {sluice.PhaseRcpt, false, FaultList, "the sending service didn't try, since this address bounced or complained before", "look at the service's suppression list; take the address off it only if you know that it works and the recipient wants the mail"},
	Reputation:        {sluice.PhaseConnect, false, FaultReputation, "the receiver refuses the sending host or domain for what came from it before", "find out what was sent from there (infected machines, stolen accounts, unwanted mailings), stop it, then ask for removal on the page that the reply names"},
	Listed:            {sluice.PhaseConnect, false, FaultReputation, "the sending host or domain stands on a block list", "look the address up at the list that the reply names, remove the cause, then ask for removal there"},
	RateLimited:       {sluice.PhaseConnect, true, FaultCapacity, "too much mail or too many connections came at once", "send more slowly with fewer parallel connections, and try again later; new senders must raise their volume step by step"},
	Greylisted:        {sluice.PhaseRcpt, true, FaultNone, "first contact is asked to come again", "nothing is to be done: a mail server tries again by itself, from the same address"},
	ReverseDNS:        {sluice.PhaseConnect, false, FaultSender, "the sending address has no name in the DNS, or one that doesn't lead back", "have the owner of the address set a PTR record to a name of yours, whose A or AAAA record is that address"},
	Hello:             {sluice.PhaseHello, false, FaultSender, "the name in HELO or EHLO isn't acceptable", "greet with the host's own full name, which must be in the DNS"},
	SenderRefused:     {sluice.PhaseMail, false, FaultSender, "the sender's address or domain isn't accepted", "use a sender address whose domain exists, receives mail and is yours; else ask the receiver why it is refused"},
	Authentication:    {sluice.PhaseMessage, false, FaultAuthentication, "SPF, DKIM or DMARC didn't pass as the receiver or the domain's own policy demands", "list the sending host in SPF, sign with DKIM in the domain of From, and look at the DMARC reports; mail that was forwarded needs the forwarder to keep signatures intact"},
	TLS:               {sluice.PhaseTLS, false, FaultSender, "no acceptable TLS connection came about", "offer STARTTLS with TLS 1.2 or later and a valid certificate; look for what the reply names"},
	Login:             {sluice.PhaseAuth, false, FaultSender, "a login is needed or failed", "set up the program with the right name, password and port (587 or 465)"},
	RelayDenied:       {sluice.PhaseRcpt, false, FaultSender, "that server isn't responsible for the recipient's domain and won't pass mail on", "check the domain and its MX records; own users must log in before sending"},
	Spam:              {sluice.PhaseMessage, false, FaultContent, "the message was taken for spam", "look at its links, words and form; if recipients asked for it, write to the receiver's postmaster with the reply"},
	Malware:           {sluice.PhaseMessage, false, FaultContent, "malware was found in the message", "scan the sending machine; don't send the file again"},
	Content:           {sluice.PhaseMessage, false, FaultContent, "the message's form or a file in it isn't accepted", "repair what the reply names (header fields, encoding, file type), or share the file by a link"},
	TooLarge:          {sluice.PhaseMail, false, FaultContent, "the message is larger than the receiver takes", "send a smaller message, or share the files by a link"},
	Policy:            {sluice.PhaseMessage, false, FaultReceiver, "a rule of the receiving side forbids it", "look for what the reply names; else ask the receiver's postmaster which rule it was"},
	Protocol:          {sluice.PhaseData, false, FaultSender, "the programs didn't understand each other", "look at the sending program's log: a command, an address or a parameter was not as the receiver expects"},
	TooManyRecipients: {sluice.PhaseRcpt, true, FaultSender, "the message has more recipients than the receiver takes at once", "send the rest in further transactions"},
	Loop:              {sluice.PhaseMessage, false, FaultReceiver, "the message went in a circle", "look for forwards that point at each other, and at the MX records of the domain"},
	Capacity:          {sluice.PhaseConnect, true, FaultCapacity, "the receiving system has no room or no time now", "nothing is to be done: try again later"},
	ReceiverError:     {sluice.PhaseMessage, true, FaultReceiver, "the receiving system has trouble of its own", "try again later; if it lasts, tell the receiver's postmaster"},
	Network:           {sluice.PhaseConnect, true, FaultNetwork, "no connection came about, or it broke", "try again later; if it lasts, check DNS, routes and firewalls on both sides"},
	Expired:           {sluice.PhaseConnect, false, FaultNetwork, "the sending server tried for days and gave up", "look for the reason of the last try; send again when the receiver can be reached"},
}

// Classes lists all classes with their meaning, for documentation.
func Classes() map[Class]string {
	m := make(map[Class]string, len(classes))
	for c, d := range classes {
		m[c] = d.means
	}
	return m
}

// FaultOf is whose fault a class is.
func FaultOf(c Class) Fault { return classes[c].fault }

// TemporaryByNature says whether a class passes by itself where no code speaks.
func TemporaryByNature(c Class) bool { return classes[c].temporary }

// ownClass is the class of one of our own reasons, by what its entry says.
func ownClass(e reason.Entry) Class {
	d := afterDot(e.Enhanced)
	switch {
	case e.Threat == "malware":
		return Malware
	case strings.Contains(e.ID, "GREYLIST"):
		return Greylisted
	case strings.Contains(e.ID, "TLS"):
		return TLS
	case e.Phase == "auth":
		return Login
	case strings.HasPrefix(e.ID, "BACKEND"):
		return ReceiverError
	case strings.HasPrefix(e.ID, "HELO") && !strings.Contains(e.ID, "SPF"):
		return Hello
	case strings.Contains(e.ID, "_RATE") || strings.HasSuffix(e.ID, "_LIMIT"):
		return RateLimited
	case strings.Contains(e.ID, "DNSBL") || strings.Contains(e.ID, "LISTED"):
		return Listed
	case e.Group == "session" && (strings.HasPrefix(d, "5.") || d == "6.0"):
		return Protocol
	case e.Enhanced != "" && (specific(e.Enhanced) || d == "6.0" || d == "5.2"):
		return enhancedClass[d]
	}
	switch e.Group {
	case "identity":
		for _, p := range []string{"SPF_", "DKIM_", "DMARC_", "ARC_", "AUTH_", "BULK_UNSIGNED"} {
			if strings.HasPrefix(e.ID, p) {
				return Authentication
			}
		}
		return Spam
	case "reputation", "session":
		return Reputation
	case "text", "link", "brand", "campaign", "scam":
		return Spam
	case "attachment", "structure":
		return Content
	case "recipient":
		return RecipientRefuses
	}
	if c, by := byCode(e.Code, e.Enhanced); by != "" {
		return c
	}
	return Policy
}
