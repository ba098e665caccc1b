package swarm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"sluice/eval/swarm/talk"
)

// kind is a sort of hostile client; its families differ in dialect, timing,
// texts and names.
type kind struct {
	name, about string
	weight      int      // of sessions, for all its families together
	spread      string   // addresses: "one" for 40 sessions, "few" for 8, "many" for 1, "block" (one each, neighbours)
	ptr         []string // classes of PTR, one a family
	naming      []string // styles of HELO name, one a family; nil for styles
	forms       []string // ways of doing it, halved between the splits
	listed      int      // of 100 addresses: in public block lists
	shape       func(*rand.Rand, *talk.Dialect)
	like        string // speaks like this honest program, without a fault
	sender      string // "", "own" (a domain of its own with SPF), "null"
	to          string // "", "traps", "guesses" (most don't exist)
	attacker    bool   // its aim isn't to have mail accepted
	holds       bool   // it keeps connections
	burst       bool   // it comes in bursts
	retries     []time.Duration
	act         talk.Act
}

var (
	access  = []string{"none", "none", "generic", "dynamic", "dynamic", "unproven"} // what infected machines in access networks have
	hosting = []string{"none", "generic", "generic", "unproven", "proven"}
	// styles are HELO names of bots; each belongs to one split.
	styles = []string{"ptr", "bare-word", "windows", "random-fqdn", "random-long", "numbered", "literal", "underscore", "user", "recipient-domain", "provider", "upper", "sender-domain", "short-host", "lan"}
	// lies are greetings that can't be true.
	lies = []string{"ours", "our-address", "our-literal", "localhost", "localhost.localdomain", "bare-address", "foreign-literal", "bare-word", "our-domain", "random", "empty-label", "garbage"}
)

// kinds is the table of hostile families. The weights are a judgement of what a
// mail port sees (most of it never reaches RCPT), not a measurement.
var kinds = []kind{
	{name: "early-talker", about: "talks before the greeting", weight: 120, spread: "few", ptr: access, listed: 70, act: talk.Spam,
		shape: func(_ *rand.Rand, d *talk.Dialect) { d.Wait = "none" }},
	{name: "early-line", about: "talks after the first line of a greeting of several", weight: 30, spread: "few", ptr: access, listed: 60, act: talk.Spam,
		shape: func(_ *rand.Rand, d *talk.Dialect) { d.Wait = "line" }},
	{name: "dialect", about: "sends spam in a dialect no server has", weight: 200, spread: "few", ptr: access, listed: 60, act: talk.Spam},
	{name: "fire-forget", about: "sends once, reads little, never retries, never says QUIT", weight: 120, spread: "many", ptr: access, listed: 70, act: talk.Spam,
		shape: func(_ *rand.Rand, d *talk.Dialect) { d.Refused, d.Quit = "ignore", "none" }},
	{name: "retry-spam", about: "retries after 4xx, as Kelihos did", weight: 60, spread: "few", ptr: access, listed: 60, act: talk.Spam, retries: minutes(5.5, 10, 10, 10)},
	{name: "helo-liar", about: "greets with our name, our address, localhost, a bare word", weight: 60, spread: "few", ptr: access, naming: lies, listed: 50, act: talk.Spam},
	{name: "pipeliner", about: "pipelines without being offered it", weight: 40, spread: "few", ptr: access, listed: 50, act: talk.Spam,
		shape: func(r *rand.Rand, d *talk.Dialect) { d.Pipeline = one(r, []string{"always", "blast"}) }},
	{name: "spamtrap", about: "writes to addresses nobody ever had", weight: 30, spread: "few", ptr: access, listed: 60, to: "traps", act: talk.Spam},
	{name: "harvest-fast", about: "tries a dictionary of recipients in one connection", weight: 60, spread: "one", ptr: hosting, listed: 40, act: talk.Harvest(60)},
	{name: "harvest-slow", about: "tries one or two recipients from each of many addresses", weight: 40, spread: "many", ptr: hosting, listed: 30, act: talk.Harvest(2)},
	{name: "auth-guess", about: "guesses passwords of one account", weight: 50, spread: "one", ptr: hosting, listed: 40, attacker: true, holds: true, act: talk.Guess(25, false)},
	{name: "auth-spray", about: "tries one password on many accounts from many addresses", weight: 20, spread: "many", ptr: hosting, listed: 30, attacker: true, act: talk.Guess(3, true)},
	{name: "auth-stuffing", about: "tries leaked pairs of names and passwords", weight: 30, spread: "few", ptr: hosting, listed: 40, attacker: true, holds: true, act: talk.Guess(15, true)},
	{name: "idle", about: "connects and says nothing", weight: 30, spread: "one", ptr: access, listed: 30, attacker: true, holds: true, burst: true, act: talk.Idle},
	{name: "connect-flood", about: "opens connections in bursts and holds them", weight: 50, spread: "one", ptr: access, listed: 40, attacker: true, holds: true, burst: true, act: talk.Idle},
	{name: "junk", about: "speaks another protocol", weight: 60, spread: "few", ptr: hosting, listed: 30, forms: talk.JunkForms, attacker: true, holds: true, act: talk.Junk},
	{name: "slow-reader", about: "asks and never reads the answers", weight: 10, spread: "one", ptr: access, listed: 30, attacker: true, holds: true, act: talk.Unread},
	{name: "slow-writer", about: "drips octets, lines or commands", weight: 20, spread: "one", ptr: access, listed: 30, forms: talk.DripForms, attacker: true, holds: true, act: talk.Drip},
	{name: "snowshoe", about: "many neighbours, few messages each, real software, own domains with SPF", weight: 20, spread: "block", ptr: []string{"proven"}, naming: []string{"own"}, listed: 30, like: "bulk", sender: "own", act: talk.Spam},
	{name: "hacked", about: "a real Postfix on a hacked host of good standing", weight: 5, spread: "one", ptr: []string{"proven"}, naming: []string{"own"}, like: "postfix", sender: "own", retries: minutes(5, 10, 20), act: talk.Spam},
	{name: "bounce-flood", about: "backscatter: real servers return bounces for forged senders", weight: 5, spread: "many", ptr: []string{"proven"}, naming: []string{"own"}, like: "postfix", sender: "null", to: "guesses", act: talk.Spam},
	{name: "smuggler", about: "hides a second message behind a false end of data", weight: 5, spread: "few", ptr: hosting, naming: []string{"own"}, forms: talk.Smuggles, like: "swaks", sender: "own", act: talk.Smuggle},
	{name: "bdat-abuse", about: "BDAT without recipients, with impossible sizes, cut short", weight: 10, spread: "few", ptr: hosting, forms: talk.ChunkForms, act: talk.AbuseBDAT},
	{name: "tls-inject", about: "commands behind STARTTLS in clear", weight: 10, spread: "few", ptr: hosting, forms: talk.InjectForms, act: talk.Inject},
}

// family makes the kind's v-th family of a split.
func (k *kind) family(c *Config, v int) *Family {
	id := fmt.Sprintf("%s/%s/%d", k.name, c.Split, v)
	r := seeded(c.Seed, id)
	f := &Family{ID: id, Kind: k.name, About: k.about, kind: k, Pitch: pick(r, "pitch", names(pitches), c.Split)}
	if k.like != "" {
		for i := range programs {
			if programs[i].name == k.like {
				f.Dialect = programs[i].dialect
			}
		}
	} else {
		f.Dialect = grow(r, c.Split, k.shape)
	}
	if k.forms != nil {
		half := halved(k.name, k.forms, c.Split)
		f.Form = half[(v-1+r.IntN(len(half)))%len(half)]
		if len(half) >= c.Variants {
			f.Form = half[(v-1)%len(half)]
		}
	}
	switch {
	case k.naming == nil:
		f.Naming = pick(r, "naming", styles, c.Split)
	case len(k.naming) == 1:
		f.Naming = k.naming[0]
	default:
		half := halved(k.name, k.naming, c.Split)
		f.Naming = half[(v-1)%len(half)]
	}
	return f
}

// pitch writes the messages of one hostile conversation.
func (p *Population) pitch(r *rand.Rand, f *Family, src *Source, now time.Time) ([]*talk.Mail, error) {
	m := &talk.Mail{From: p.forged(r, f, src)}
	n := 1 + r.IntN(4)
	for range n {
		m.Rcpts = append(m.Rcpts, talk.Recipient{Addr: p.target(r, f.kind.to) + "@" + p.cfg.Domain})
	}
	from := m.From
	if from == "" {
		from = "MAILER-DAEMON@" + src.Helo
	}
	if p.hostile != nil {
		b, err := p.hostile.draw(r, from, m.Rcpts[0].Addr, src.Helo, now)
		if err != nil {
			return nil, err
		}
		m.Body = b
	} else {
		for _, t := range pitches {
			if t.name == f.Pitch {
				m.Body = compose(r, t, from, m.Rcpts[0].Addr, "mail.swarm", now, "")
			}
		}
	}
	m.EightBit = !ascii(m.Body)
	return []*talk.Mail{m}, nil
}

// forged is the envelope sender of a hostile message.
func (p *Population) forged(r *rand.Rand, f *Family, src *Source) string {
	local := one(r, firsts) + fmt.Sprint(r.IntN(1000))
	switch {
	case f.kind.sender == "null":
		return ""
	case f.kind.sender == "own":
		return local + "@" + src.Domain
	}
	switch r.IntN(4) {
	case 0: // somebody honest, whose SPF forbids it
		for _, f := range p.families {
			if f.Honest && r.IntN(3) == 0 {
				return local + "@" + one(r, f.Sources).Domain
			}
		}
	case 1:
		return local + "@" + p.cfg.Domain
	}
	return local + "@" + word(r, 5+r.IntN(6)) + ".swarm"
}

// target is a local part that a bot writes to.
func (p *Population) target(r *rand.Rand, to string) string {
	switch {
	case to == "traps" && r.IntN(3) > 0:
		return one(r, p.cfg.Traps)
	case to == "guesses" && r.IntN(5) > 0:
		return guessed(r)
	}
	return one(r, p.cfg.Mailbox)
}

// guessed is a name from a dictionary; hardly any exists.
func guessed(r *rand.Rand) string {
	switch r.IntN(3) {
	case 0:
		return one(r, firsts) + fmt.Sprint(r.IntN(100))
	case 1:
		return one(r, firsts)[:1] + one(r, lasts)
	}
	return strings.Join([]string{one(r, lasts), one(r, firsts)}, one(r, []string{".", "_", "-"}))
}
