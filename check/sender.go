package check

import (
	"context"
	"net/mail"
	"slices"
	"strings"

	"sluice"
	"sluice/internal/domains"
	"sluice/internal/literal"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/mailauth"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Sender is what the message, its session and authentication say together of who
// speaks. All domains are organizational ones, in lower case, "" for unknown.
type Sender struct {
	Author  header.Address // the first of From; no Domain where there is none
	Clear   bool           // readers can see no other author
	Org     string         // of the author
	Free    bool           // the author's is a mailbox provider
	Traffic Traffic

	// Known says that authentication was looked at: without it, what isn't proved is
	// unknown and no evidence.
	Known    bool
	Aligned  bool     // the author's own domain is proved
	Signers  []string // whose signatures pass
	Signed   bool     // the author's organization is among them
	Envelope string   // of the reverse-path
	Client   string   // of the client's confirmed name
	Greeting string   // of the client's greeting
	Generic  string   // the client's name where a provider made it from the address or gave it to a pool
	// Carriers are the services that carry the message, as far as a signature that
	// passes or the client's confirmed name proves it: the newest first, each once.
	Carriers []*service.Service
	// Modern mail is of the time of authentication: it comes now, it is known, or the
	// message is signed or dated so. What mail of before should have shown is no evidence.
	Modern bool
	// Coherent: the author's name fits a proved domain that isn't a service's, and is no
	// brand's, or the proved author is a brand of the shipped list.
	Coherent bool
	// Borrows is the brand of the shipped list that the author's name is, though neither
	// the author's domain nor a signature that passes is the brand's; nil for none.
	Borrows *brand.Brand
}

// Proved lists the domains that stand behind a message: the author's where it is
// aligned, and those that sign, without services, mailbox providers and hosts: a
// service signs whatever its customers write.
func (s *Sender) Proved() []string {
	var out []string
	if s.Aligned && !s.Free {
		out = append(out, header.Lower(s.Author.Domain))
	}
	for _, d := range s.Signers {
		if service.Of(d) == nil && !domains.FreeMail(d) && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// WellKnown is the brand of the shipped list that stands behind the message: the
// author's domain is proved and the brand's, or the brand signed; nil for none. What
// anybody may have a platform write to strangers isn't the platform's word.
func (s *Sender) WellKnown() *brand.Brand {
	for _, d := range s.Proved() {
		if c := service.Of(d); c != nil && (c.Kind.Open() || !c.Kind.Sends()) {
			continue
		}
		if of := brand.Shipped().Of(d); len(of) > 0 {
			return of[0]
		}
	}
	return nil
}

// Mass says whether a message is what programs send: the rules of bulk mail hold for
// it, and its name is a firm's. Lists and people's letters are let be.
func (s *Sender) Mass() bool { return s.Traffic == Campaign || s.Traffic == Notice }

// Mailboxed says whether a mailbox provider or a filter of outgoing mail carries the
// message: firms' own domains are there, which nobody else knows.
func (s *Sender) Mailboxed() bool {
	return slices.ContainsFunc(s.Carriers, func(c *service.Service) bool { return c.Kind == service.Mailbox || c.Kind == service.Gateway })
}

// Traffic is how a message is meant to reach people. It is what the message looks
// like, and for lists what has been proved: who writes a message chooses it, so it may
// excuse from evidence that doesn't fit, and speaks for nobody.
type Traffic uint8

// The kinds of traffic.
const (
	Unclear  Traffic = iota
	List             // a discussion list passed on what somebody wrote to it
	Campaign         // one text for many: newsletters, offers
	Notice           // a program wrote it to one: receipts, notices, alerts
	Personal         // somebody wrote it to somebody
)

// String is the kind's word.
func (t Traffic) String() string {
	return [...]string{"unclear", "list", "campaign", "notice", "personal"}[min(t, Personal)]
}

// Carrier is the first service that sends for customers, nil where none carries the
// message.
func (s *Sender) Carrier() *service.Service {
	for _, c := range s.Carriers {
		if c.Kind.Sends() {
			return c
		}
	}
	return nil
}

// SenderOf makes the Sender of a message once, and keeps it in the notes. It may ask
// the DNS through in.Auth; where nobody can be asked it knows what the message says.
func SenderOf(ctx context.Context, in *Input) *Sender {
	return Note(in.Notes, func() *Sender { return newSender(ctx, in) })
}

func newSender(ctx context.Context, in *Input) *Sender {
	s := &Sender{}
	if in.Message == nil {
		return s
	}
	h := in.Message.Header()
	s.Author, s.Clear = in.Message.From()
	s.Org = links.OrgDomain(s.Author.Domain)
	s.Free = domains.FreeMail(s.Author.Domain) || domains.FreeMail(s.Org)
	if in.Envelope != nil {
		s.Envelope = links.OrgDomain(sluice.DomainOf(in.Envelope.From))
	}
	s.session(ctx, in)
	passed := s.authentication(ctx, in)
	for _, host := range passed {
		s.carry(host)
	}
	s.Borrows = s.borrows()
	s.Modern = s.Known || Lately(in, modern) || h.Field("DKIM-Signature") != nil || h.Field("List-Unsubscribe-Post") != nil
	s.Traffic = s.traffic(in, passed)
	s.Coherent = s.WellKnown() != nil || s.Borrows == nil && slices.ContainsFunc(s.Proved(), func(d string) bool { return brand.Fits(s.Author.Name, "@"+d) })
	return s
}

// modern is the year from which on mail for many is authenticated as a rule.
const modern = 2019

// Lately says whether a message is of a year or later. Mail that is read from files
// tells its own time; what comes now is of now.
func Lately(in *Input, year int) bool {
	if in.Conn == nil || !in.Conn.Stored && in.Conn.Door != sluice.DoorScan {
		return in.Now.Year() >= year
	}
	t, err := mail.ParseDate(in.Message.Header().Get("Date"))
	return err == nil && t.Year() >= year
}

// session says who the client is.
func (s *Sender) session(ctx context.Context, in *Input) {
	if in.Conn == nil || in.Conn.Trusted || !Public(in.Conn.Client.Addr()) {
		return
	}
	if name := in.Conn.Hello.Name; strings.Contains(name, ".") && !strings.HasPrefix(name, "[") {
		s.Greeting = links.OrgDomain(header.Lower(strings.TrimSuffix(name, ".")))
	}
	if in.Auth.Live() {
		r := in.Auth.Reverse(ctx)
		if r.Generic.Kind != "" && len(r.Names) > 0 {
			s.Generic = r.Names[0]
		}
		if r.Class == iprev.Confirmed {
			s.Client = links.OrgDomain(header.Lower(r.Name))
			s.carry(header.Lower(r.Name))
		}
	}
}

// authentication returns the domains that a passing method proves.
func (s *Sender) authentication(ctx context.Context, in *Input) (passed []string) {
	if !in.Auth.InTransaction() || !in.Auth.Live() && in.Auth.Upstream(in.Message) == nil {
		return nil
	}
	d := in.Auth.DMARC(ctx, in.Message, in.Now)
	known := in.Auth.Known()
	s.Known = d.Value != dmarc.TempError
	s.Aligned = s.Clear && aligned(known, d, s.Org)
	for _, id := range d.Identifiers {
		if id.Result != "pass" || id.Domain == "" {
			continue
		}
		passed = append(passed, header.Lower(id.Domain))
		if id.Method != "dkim" {
			continue
		}
		if org := links.OrgDomain(header.Lower(id.Domain)); !slices.Contains(s.Signers, org) {
			s.Signers = append(s.Signers, org)
			s.Signed = s.Signed || org == s.Org
		}
	}
	return passed
}

// aligned says whether the author's domain is proved, also where the domain has no
// policy and an upstream found out.
func aligned(k mailauth.Known, d dmarc.Result, org string) bool {
	if k.Aligned() {
		return true
	}
	return d.Value == dmarc.None && org != "" && k.SPF != nil && k.SPF.Result == spf.Pass && k.SPF.Identity == spf.MailFrom && links.OrgDomain(k.SPF.Domain) == org
}

func (s *Sender) carry(host string) {
	if c := service.Of(host); c != nil && !slices.Contains(s.Carriers, c) {
		s.Carriers = append(s.Carriers, c)
	}
}

// marks of list software; two make a list, since each alone stands in campaigns too.
var listMarks = [...]string{"List-Post", "List-Archive", "List-Subscribe", "List-Owner", "X-Mailing-List", "X-BeenThere", "Mailing-List", "X-Mailman-Version", "X-Loop", "Archived-At"}

// traffic recognises lists first, for their software changes what all else looks at.
func (s *Sender) traffic(in *Input, passed []string) Traffic {
	h := in.Message.Header()
	n := 0
	for _, name := range listMarks {
		if h.Field(name) != nil {
			n++
		}
	}
	precedence := header.Lower(h.Get("Precedence"))
	if precedence == "list" {
		n++
	}
	owner := listOwner(h)
	switch {
	case owner != "" && n >= 1 || n >= 2:
		if !s.Known || s.listProved(owner, passed) {
			return List
		}
	}
	v := in.Message.View()
	switch {
	case h.Field("List-Unsubscribe") != nil, h.Field("Feedback-ID") != nil, owner != "", precedence == "bulk", precedence == "list":
		return Campaign
	case automatic(h):
		return Notice
	case s.typed(h, v):
		return Personal
	case v.HasHTML && offersLeave(v):
		return Campaign
	case leads(v), machine(s.Author.Local), !s.Clear, s.Borrows != nil: // no mail program writes an author that can't be read
		return Notice
	}
	return Unclear
}

// typed says whether somebody wrote the message: it looks so, and something shows a
// mail program or a mailbox, or there is nothing to follow.
func (s *Sender) typed(h *header.Header, v *message.View) bool {
	if !personal(v) || !s.Clear || machine(s.Author.Local) || office(s.Author.Name) {
		return false
	}
	for _, name := range [...]string{"In-Reply-To", "References", "User-Agent", "Thread-Index", "Thread-Topic", "X-Originating-IP"} {
		if h.Field(name) != nil {
			return true
		}
	}
	if s.Borrows != nil { // nobody is called so
		return false
	}
	return s.Free || !leads(v) || !v.HasHTML || s.Mailboxed()
}

// office says whether a name has a word that is an office's: "team", "support". Short
// ones stand in people's names as well.
func office(name string) bool {
	for w := range strings.FieldsSeq(strings.ToLower(name[:min(len(name), 200)])) {
		if len(w) > 3 && brand.Hollow(w) {
			return true
		}
	}
	return false
}

// machines are local parts that no person reads.
var machines = []string{"noreply", "donotreply", "naoresponder", "noresponder", "nepasrepondre", "nichtantworten", "mailer", "notification", "newsletter", "bounce"}

var joints = strings.NewReplacer("-", "", "_", "", ".", "")

func machine(local string) bool {
	local = joints.Replace(header.Lower(local))
	return slices.ContainsFunc(machines, func(m string) bool { return strings.Contains(local, m) })
}

// leads says whether there is a link to the web to follow.
func leads(v *message.View) bool {
	for i := range v.Links {
		l := &v.Links[i]
		if (l.Source == links.FromAnchor || l.Source == links.FromText) && (l.Scheme == "http" || l.Scheme == "https") {
			return true
		}
	}
	return false
}

// listOwner is the organization in List-Id (RFC 2919) or List-Post (RFC 2369).
func listOwner(h *header.Header) string {
	id := h.Get("List-Id")
	if i := strings.LastIndexByte(id, '<'); i >= 0 {
		id = id[i+1:]
	}
	id = header.Lower(strings.TrimRight(strings.TrimSpace(id), ">"))
	if strings.Contains(id, ".") && !strings.ContainsAny(id, " \t") {
		return links.OrgDomain(id)
	}
	if i := strings.LastIndexByte(h.Get("List-Post"), '@'); i >= 0 {
		domain, _, _ := strings.Cut(h.Get("List-Post")[i+1:], ">")
		return links.OrgDomain(header.Lower(domain))
	}
	return ""
}

// listProved says whether who runs the list stands behind the message: a method passes
// for it, or its host is the client.
func (s *Sender) listProved(owner string, passed []string) bool {
	for _, d := range passed {
		if links.OrgDomain(d) == owner {
			return true
		}
	}
	return owner != "" && s.Client == owner
}

// automatic says whether a program says that it wrote the message (RFC 3834 5).
func automatic(h *header.Header) bool {
	v := header.Lower(strings.TrimSpace(h.Get("Auto-Submitted")))
	return v != "" && v != "no"
}

// personalLinks is how many places a letter leads to; signatures have a few.
const personalLinks = 4

// personal says whether a message looks as if somebody had typed it: no pictures from
// the web, few links.
func personal(v *message.View) bool {
	n := 0
	for i := range v.Links {
		switch l := &v.Links[i]; {
		case l.Source == links.FromImage && (l.Scheme == "http" || l.Scheme == "https"), l.Source == links.FromForm:
			return false
		case l.Source == links.FromAnchor || l.Source == links.FromText:
			if l.Scheme == "http" || l.Scheme == "https" {
				n++
			}
		}
	}
	return n <= personalLinks && v.HTMLSize < 60<<10
}

// leave are words of links by which one leaves a mailing, in a few languages.
var leave = literal.New([]string{"unsubscribe", "opt out", "opt-out", "manage preferences", "email preferences", "abmelden", "abbestellen", "désabonner", "desabonner", "désinscri",
	"darse de baja", "cancelar suscripción", "descadastr", "cancelar inscrição", "annulla iscrizione", "disiscri", "afmelden", "uitschrijven", "отписаться", "退订", "配信停止"})

func offersLeave(v *message.View) (found bool) {
	var buf []byte
	for i := range v.Links {
		l := &v.Links[i]
		if l.Source != links.FromAnchor || len(l.Text) < 2 {
			continue
		}
		buf = literal.AppendLower(buf[:0], l.Text[:min(len(l.Text), 200)])
		if leave.Scan(buf, func(int, int, int) bool { found = true; return false }); found {
			return true
		}
	}
	return false
}
