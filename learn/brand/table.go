package brand

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice"
	"sluice/internal/domains"
	"sluice/internal/shelf"
	"sluice/internal/table"
	"sluice/learn/service"
	"sluice/message/links"
)

// Config sets up a Table. Zero fields but Key take the default.
type Config struct {
	// Key is the site's secret under which names and domains are hashed, at least 16
	// octets. With another key all that was stored is unknown.
	Key       []byte
	Capacity  int           // names with their holders that are remembered, default 100,000, at most a million
	Days      int           // days with delivered mail that make a holder, default 5
	Span      time.Duration // between the first and the last of them, default 30 days
	Keep      time.Duration // how long after their last mail they count, default 200 days
	Wrote     int           // days on which our side wrote that vouch for a domain, default 3
	WroteSpan time.Duration // between the first and the last of them, default 14 days
	SaveEvery time.Duration // the shortest time between two saves, default 5 minutes
}

const day = 24 * time.Hour

func (c *Config) defaults() {
	for _, f := range []struct {
		to  *int
		def int
	}{{&c.Capacity, 100_000}, {&c.Days, 5}, {&c.Wrote, 3}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
	c.Capacity = min(c.Capacity, 1_000_000)
	for _, f := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.Span, 30 * day}, {&c.Keep, 200 * day}, {&c.WroteSpan, 14 * day}, {&c.SaveEvery, 5 * time.Minute}} {
		if *f.to <= 0 {
			*f.to = f.def
		}
	}
}

// keepSent is how many days our own mail vouches.
const keepSent = 400

// hashed names a claim, a holder or both; 0 is none.
type hashed uint64

// Table is the memory of who spoke under which name. Its methods are safe for
// concurrent use. It knows two kinds of claims, and what it takes to earn them differs:
//
// A name of the list belongs to those domains that the list gives. Time alone earns
// nothing here: whoever wants to forge a known brand can afford to wait. A domain that
// was delivered under the name over [Config.Span] without a complaint has the right once
// our own people write to it too.
//
// Any other name belongs to the first domains, at most four, that have spoken under it
// for [Config.Span]. Only a domain that our people write to keeps others from the name,
// so nobody can take a name from its owner by being there first; and where one of them
// is such a domain, newcomers don't join by waiting.
type Table struct {
	cfg     Config
	key     [32]byte
	held    *shelf.Shelf[hashed, holding]
	owners  *shelf.Shelf[hashed, owners]
	written *shelf.Shelf[hashed, series]
	bars    *shelf.Shelf[hashed, service.Bar] // by the keys of held
	keep    shelf.Keeper
}

// New makes an empty Table.
func New(cfg Config) (*Table, error) {
	if len(cfg.Key) < 16 {
		return nil, errors.New("brand: the key has less than 16 octets")
	}
	cfg.defaults()
	t := &Table{cfg: cfg, key: sha256.Sum256(cfg.Key)}
	t.held = shelf.New[hashed]("held", cfg.Capacity, t.heldWorth)
	t.owners = shelf.New[hashed]("owners", cfg.Capacity/2, t.ownersWorth)
	t.written = shelf.New[hashed]("written", cfg.Capacity/2, writtenWorth)
	t.bars = shelf.New[hashed]("bar", cfg.Capacity/10+10, (*service.Bar).Worth)
	t.keep = shelf.Keeper{Kind: MemoKind, Mark: strconv.FormatUint(uint64(t.hash("key")), 16), Every: cfg.SaveEvery,
		Shelves: []shelf.Kept{t.held, t.owners, t.written, t.bars}}
	return t, nil
}

// hash hashes words under the site's key.
func (t *Table) hash(words ...string) hashed {
	b := append(make([]byte, 0, 256), t.key[:]...)
	for _, w := range words {
		b = binary.AppendUvarint(b, uint64(len(w)))
		b = append(b, w...)
	}
	sum := sha256.Sum256(b)
	return max(hashed(binary.BigEndian.Uint64(sum[:])), 1)
}

func days(t time.Time) uint16        { return uint16(min(max(t.Unix()/86400, 1), 1<<16-1)) }
func span(d time.Duration) int       { return int(d / day) }
func since(then, now uint16) int     { return max(int(now)-int(then), 0) }
func (s *series) long() int          { return since(s.First, s.Last) }
func (s *series) fresh(d uint16) int { return since(s.Last, d) }

// series counts days on which something happened.
type series struct{ Days, First, Last uint16 }

// add counts a day, and says whether it is a new one. Clocks that go back add nothing.
func (s *series) add(today uint16) bool {
	if today <= s.Last {
		return false
	}
	if s.Days == 0 {
		s.First = today
	}
	s.Last = today
	s.Days = max(s.Days, s.Days+1)
	return true
}

// holding is a domain that speaks under a name.
type holding struct {
	series
	Barred uint16 // nothing counts before this day
}

func (t *Table) established(h *holding, today uint16) bool {
	return int(h.Days) >= t.cfg.Days && h.long() >= span(t.cfg.Span) && h.fresh(today) <= span(t.cfg.Keep) && today >= h.Barred
}

// heldWorth keeps what took long to earn before what anybody can make in a day.
func (t *Table) heldWorth(h *holding, now time.Time) float64 {
	today := days(now)
	fresh := 1 / (1 + float64(h.fresh(today))/30)
	switch {
	case today < h.Barred:
		return 10
	case h.Days == 0 || h.fresh(today) > span(t.cfg.Keep):
		return -1
	case t.established(h, today):
		return 20 + float64(min(h.Days, 100))*fresh
	case h.Days > 1:
		return min(float64(h.Days), 10) * fresh
	}
	return 0
}

// maxOwners is how many domains share a name; a name of more is nobody's.
const maxOwners = 4

// owners are the domains that a name not in the list belongs to.
type owners struct {
	Held    [maxOwners]hashed // keys of their holdings
	Written [maxOwners]hashed // keys of what our side wrote to them
	N       uint16            // above maxOwners: the name is nobody's
	Day     uint16            // of the last change or use
}

func (t *Table) ownersWorth(o *owners, now time.Time) float64 {
	return float64(span(t.cfg.Keep) - since(o.Day, days(now)))
}

func writtenWorth(s *series, now time.Time) float64 {
	if s.fresh(days(now)) > keepSent {
		return -1
	}
	return float64(min(s.Days, 50)) - 1
}

// vouched says whether our people write to a domain, and not just today.
func (t *Table) vouched(k hashed, today uint16) bool {
	s, ok := t.written.Get(k)
	return ok && int(s.Days) >= t.cfg.Wrote && s.long() >= span(t.cfg.WroteSpan) && s.fresh(today) <= keepSent
}

// Claim is the use of a name: of a brand in the list, or of any other.
type Claim struct {
	key    string
	listed bool
}

// Zero says whether it claims nothing.
func (c Claim) Zero() bool { return c.key == "" }

// ClaimOf is the claim to be a brand of the list.
func ClaimOf(b *Brand) Claim { return Claim{"b:" + b.ID, true} }

// ClaimName is what a display name claims that names no brand of the list: its words
// without those that every sender uses. It is zero where little is left.
func ClaimName(display string) Claim {
	w := telling(display)
	key := strings.Join(w, " ")
	if len(w) == 0 || len(w) > 6 || len(key) < 5 {
		return Claim{}
	}
	return Claim{"n:" + key, false}
}

// Fits says whether a firm's name fits its domain, so that the name can be learned: a
// word of it stands in the domain's own label, and the mailbox isn't a person's with
// that name ("john@smith.example").
func Fits(display, address string) bool {
	local, domain, _ := strings.Cut(strings.ToLower(address), "@")
	label, _, _ := strings.Cut(links.OrgDomain(domain), ".")
	label = squash(label)
	fits, person := false, false
	for _, w := range telling(display) {
		in := len(w) >= 3 && strings.Contains(label, w)
		fits = fits || in
		person = person || !in && len(w) >= 3 && strings.Contains(local, w)
	}
	return fits && !person
}

// telling lists the words of a name that say who it is.
func telling(display string) (out []string) {
	if len(display) > maxDisplay || strings.Contains(display, "@") {
		return nil
	}
	var f folded
	f.fold(display)
	for i := range f.words {
		if w := f.text(i, i+1); !Hollow(w) {
			out = append(out, w)
		}
	}
	return out
}

// maxDisplay is the longest display name, in octets, that is looked at.
const maxDisplay = 200

// Hollow says whether a word, in lower case, says nothing of who a sender is.
func Hollow(word string) bool { return hollow[word] }

var hollow = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`a an the and of for from by at on in to your our my new no not reply noreply team teams support service services customer
		customers client clients care info information account accounts alert alerts notification notifications notify notice news newsletter newsletters update updates
		security secure safety mail email e online official admin administrator help helpdesk desk billing bill payment payments pay invoice invoices order orders shipping
		shipment delivery tracking department dept center centre office group inc ltd llc corp co gmbh ag sa srl spa bv nv ab plc com net org www de fr es it uk us eu
		message messages system verification verify confirm confirmation id login protection fraud antifraud fraudprevention renewal renewals subscription subscriptions
		member members membership rewards reward loyalty survey surveys feedback winner winners promo promotion promotions offer offers deal deals gift giveaway bonus dept
		departement exclusive express important urgent action required status review hr it inbox voicemail fax storage cloud webmail postmaster mailer daemon
		kundenservice kundendienst kunden konto rechnung versand lieferung sicherheit sendungsverfolgung der die das und von vom zu ihre ihr dein deine bestellung zahlung
		servicio servicios atencion cliente clientes cuenta seguridad entrega pedido factura del el la los las y su tu de aviso avisos notificacion notificaciones
		suporte atendimento conta seguranca fatura da do das dos seu sua e os
		servizio clienti assistenza sicurezza ordine consegna fattura avviso di della dei il lo un
		securite compte livraison commande facture le les du des et votre vos avis assistance
		gagnant gagnants felicitations gewinner gewinn gluckwunsch herzlichen ganador ganadores felicidades vencedor parabens vincitore complimenti winnaar gefeliciteerd
		klantenservice beveiliging rekening bestelling bezorging het van uw kundeservice kundtjanst sikkerhed sakerhet obsluga klienta bezpieczenstwo`) {
		m[w] = true
	}
	return m
}()

// Holder is who answers for an address in this memory: its organization, or the address
// itself where anybody gets one or a service speaks for many.
func Holder(address string) string {
	address = strings.ToLower(strings.ToValidUTF8(address, "?"))
	d := strings.TrimSuffix(sluice.DomainOf(address), ".")
	if d == "" || len(address) > 320 {
		return ""
	}
	org := links.OrgDomain(d)
	if domains.FreeMail(d) || domains.FreeMail(org) || domains.FreeHost(d) || service.Of(d) != nil {
		return address
	}
	return org
}

// Incoming is a message that was delivered, nobody having found fault with it, whose
// author is authenticated. Others must not be told.
type Incoming struct {
	Tenant string
	Claims []Claim // those that it makes plainly; unlisted ones only where [Fits] holds
	From   string  // the author's address
}

// Received learns of an accepted message. Several on one day count as one.
func (t *Table) Received(now time.Time, in Incoming) {
	holder := Holder(in.From)
	if holder == "" {
		return
	}
	today := days(now)
	for _, c := range in.Claims[:min(len(in.Claims), 4)] {
		if c.Zero() {
			continue
		}
		k, long := t.hash("h", in.Tenant, c.key, holder), false
		t.held.Update(k, now, func(h *holding) bool {
			if today < h.Barred || !h.add(today) {
				return false
			}
			long = t.established(h, today)
			return true
		})
		if long && !c.listed {
			t.admit(now, in.Tenant, c, k, t.hash("w", in.Tenant, holder))
		}
	}
}

// admit makes a holder one of a name's owners.
func (t *Table) admit(now time.Time, tenant string, c Claim, held, written hashed) {
	today := days(now)
	vouched := t.vouched(written, today)
	t.owners.Update(t.hash("n", tenant, c.key), now, func(o *owners) bool {
		fresh := o.Day == today
		o.Day = max(o.Day, today)
		n := min(int(o.N), maxOwners)
		if slices.Contains(o.Held[:n], held) || int(o.N) > maxOwners && !vouched {
			return !fresh
		}
		// A place is free where its owner has gone; it is the first that a newcomer takes.
		for i := range n {
			if h, ok := t.held.Get(o.Held[i]); !ok || since(h.Last, today) > span(t.cfg.Keep) {
				o.Held[i], o.Written[i] = held, written
				return true
			}
		}
		guarded := false
		for i := range n {
			guarded = guarded || t.vouched(o.Written[i], today)
		}
		switch {
		case guarded && !vouched:
			return !fresh
		case n < maxOwners:
			o.Held[n], o.Written[n] = held, written
			o.N++
		case vouched: // takes the place of one that nobody vouches for
			for i := range n {
				if !t.vouched(o.Written[i], today) {
					o.Held[i], o.Written[i], o.N = held, written, maxOwners
					break
				}
			}
		default:
			o.N = maxOwners + 1
		}
		return true
	})
}

// Sent learns that a user of ours, no program, wrote to an address.
func (t *Table) Sent(now time.Time, tenant string, to ...string) {
	today := days(now)
	for _, a := range to[:min(len(to), 50)] {
		if h := Holder(a); h != "" {
			t.written.Update(t.hash("w", tenant, h), now, func(s *series) bool { return s.add(today) })
		}
	}
}

// Say takes in what somebody says of an author's message under these names; see
// [service.Bar]. Tell it only of mail whose author was authenticated: others' forgeries
// end nothing. Names of the list stay the brand's.
func (t *Table) Say(now time.Time, in Incoming, v service.Voice, unwanted bool) {
	t.voice(now, in, func(b *service.Bar) (bool, bool) { return b.Say(now, v, unwanted) })
}

// Unsay takes it back.
func (t *Table) Unsay(now time.Time, in Incoming, v service.Voice, unwanted bool) {
	t.voice(now, in, func(b *service.Bar) (bool, bool) { return b.Unsay(now, v, unwanted) })
}

func (t *Table) voice(now time.Time, in Incoming, speak func(*service.Bar) (ends, lifts bool)) {
	holder := Holder(in.From)
	if holder == "" {
		return
	}
	for _, c := range in.Claims[:min(len(in.Claims), 4)] {
		if c.Zero() {
			continue
		}
		k := t.hash("h", in.Tenant, c.key, holder)
		t.bars.Update(k, now, func(b *service.Bar) bool {
			ends, lifts := speak(b)
			switch {
			case ends:
				t.held.Update(k, now, func(h *holding) bool {
					b.Before = service.Series(h.series)
					*h = holding{Barred: b.Until}
					return true
				})
			case lifts:
				t.held.Update(k, now, func(h *holding) bool {
					*h = holding{series: series(b.Before.Join(service.Series(h.series)))}
					return true
				})
				b.Before = service.Series{}
			}
			return true
		})
	}
}

// Right says whether an authenticated author has earned a name.
func (t *Table) Right(now time.Time, tenant string, c Claim, from string) bool {
	holder := Holder(from)
	if t == nil || holder == "" || c.Zero() {
		return false
	}
	today := days(now)
	k := t.hash("h", tenant, c.key, holder)
	if h, ok := t.held.Get(k); !ok || !t.established(&h, today) {
		return false
	}
	if c.listed {
		return t.vouched(t.hash("w", tenant, holder), today)
	}
	o, _ := t.owners.Get(t.hash("n", tenant, c.key))
	return int(o.N) <= maxOwners && slices.Contains(o.Held[:min(int(o.N), maxOwners)], k)
}

// Taken says whether a name that isn't in the list belongs to a domain that our people
// write to, and an author isn't that domain, nor one of the name's other owners.
func (t *Table) Taken(now time.Time, tenant string, c Claim, from string) bool {
	holder := Holder(from)
	if t == nil || holder == "" || c.Zero() || c.listed {
		return false
	}
	today := days(now)
	o, ok := t.owners.Get(t.hash("n", tenant, c.key))
	if !ok || o.N > maxOwners {
		return false
	}
	mine, taken := t.hash("h", tenant, c.key, holder), false
	for i := range int(o.N) {
		if o.Held[i] == mine {
			return false
		}
		h, ok := t.held.Get(o.Held[i])
		taken = taken || ok && t.established(&h, today) && t.vouched(o.Written[i], today)
	}
	return taken && !t.vouched(t.hash("w", tenant, holder), today)
}

// Stats counts the entries.
type Stats struct{ Held, Owners, Written table.Stats }

// Stats counts the entries.
func (t *Table) Stats() Stats {
	return Stats{t.held.Stats(), t.owners.Stats(), t.written.Stats()}
}

// MemoKind is the [sluice.Memo.Kind] under which brands are kept.
const MemoKind = "brand"

// Load takes in what was saved. Call it before anything is learned. Buckets that can't
// be read are left out; the error names the first, and the rest is loaded.
func (t *Table) Load(ctx context.Context, now time.Time, memos sluice.Memos) (loaded int, err error) {
	return t.keep.Load(ctx, now, memos)
}

// Save writes what changed, unless the last save was less than Config.SaveEvery ago.
func (t *Table) Save(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Save(ctx, now, memos)
}

// Flush is Save at once, for the end of the program.
func (t *Table) Flush(ctx context.Context, now time.Time, memos sluice.Memos) (int, error) {
	return t.keep.Flush(ctx, now, memos)
}
