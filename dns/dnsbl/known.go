package dnsbl

import "strings"

// Known returns what is known of a zone: its kind, a weight, its answers and what
// they mean. It says false for a zone that nobody has written down here.
func Known(zone string) (List, bool) {
	bare, _ := part(lower(strings.TrimSuffix(zone, ".")))
	l, ok := known[bare]
	return l, ok
}

// Ended says why there is no list at a zone any more, "" for any other zone. Those
// who still ask it get no answer, or one for every address.
func Ended(zone string) string {
	l, _ := Known(zone)
	return l.ended
}

// part takes the key off a zone of an operator who gives keys. The operator may have
// lists that aren't in the table: their keys are as private.
func part(zone string) (bare, key string) {
	for _, parent := range keyed {
		front, ok := strings.CutSuffix(zone, "."+parent)
		if i := strings.LastIndexByte(front, '.'); ok && i > 0 {
			return zone[i+1:], zone[:i]
		}
	}
	return zone, ""
}

// keyed are the domains of operators whose zones begin with the customer's key.
var keyed = []string{"dq.spamhaus.net", "mail.abusix.zone"}

// The weights are judged: a list that names hosts caught in the act, and hardly ever
// a mail server, is worth the threshold alone; the others need company.
var known = byZone(
	// https://docs.spamhaus.com/datasets/ "Available Zones". 127.0.0.5 to .7 are
	// reserved for XBL. PBL is a policy: no mail server ought to be there, and some
	// small ones are.
	spamhaus("zen", "127.0.0.2", "127.0.0.3", "127.0.0.9", "127.0.0.4-7", "127.0.0.10-11", "127.0.0.30"),
	spamhaus("sbl", "127.0.0.2", "127.0.0.3", "127.0.0.9", "127.0.0.30"),
	spamhaus("xbl", "127.0.0.4-7"),
	spamhaus("sbl-xbl", "127.0.0.2", "127.0.0.3", "127.0.0.9", "127.0.0.4-7", "127.0.0.30"),
	spamhaus("pbl", "127.0.0.10-11"),

	// https://docs.abusix.com/ "Production Zones".
	[]List{{Zone: "combined.mail.abusix.zone", Kind: Block, Weight: 8, IPv6: true, Page: "https://lookup.abusix.com/search?q={addr}",
		Answers: []Answer{
			{values("127.0.0.2-3"), 8, "sends spam", false}, {values("127.0.0.200"), 8, "listed by hand", false},
			{values("127.0.0.4"), 8, "exploited machine", false}, {values("127.0.0.11-12"), 5, "policy: not the address of a mail server", false},
		}}},

	// https://www.spamcop.net/bl.shtml: one answer.
	[]List{{Zone: "bl.spamcop.net", Kind: Block, Weight: 4, Page: "https://www.spamcop.net/w3m?action=checkblock&ip={addr}",
		Answers: one("reported for spam")}},
	// https://www.barracudacentral.org/rbl: one answer; the resolver's address must be registered.
	[]List{{Zone: "b.barracudacentral.org", Kind: Block, Weight: 5, Page: "https://www.barracudacentral.org/lookups?ip_address={addr}",
		Answers: one("sends spam")}},
	// https://psbl.org/: one answer.
	[]List{{Zone: "psbl.surriel.com", Kind: Block, Weight: 3, Page: "https://psbl.org/listing?ip={addr}",
		Answers: one("wrote to a spamtrap")}},
	// https://www.uceprotect.net/: level 1 lists single addresses. Levels 2 and 3 list
	// whole networks for their neighbours and are left out.
	[]List{{Zone: "dnsbl-1.uceprotect.net", Kind: Block, Weight: 2, Answers: one("wrote to a spamtrap")}},

	// https://mailspike.org/usage.html: 127.0.0.2 a burst of spam now, 10 the worst
	// reputation to 20 the best. The page names no test points.
	[]List{{Zone: "bl.mailspike.net", Kind: Block, Weight: 4, Untested: true, Page: "https://mailspike.org/iplookup.html",
		Answers: []Answer{
			{values("127.0.0.2"), 4, "part of a wave of spam", false}, {values("127.0.0.10"), 4, "worst reputation", false},
			{values("127.0.0.11"), 3, "very bad reputation", false}, {values("127.0.0.12"), 2, "bad reputation", false},
			{Values: values("127.0.0.13-20"), Meaning: "no bad reputation", Ignore: true},
		}}},
	[]List{{Zone: "wl.mailspike.net", Kind: Allow, Weight: 3, Untested: true,
		Answers: []Answer{
			{values("127.0.0.18"), 1, "good reputation", false}, {values("127.0.0.19"), 2, "very good reputation", false},
			{values("127.0.0.20"), 3, "excellent reputation", false},
			{Values: values("127.0.0.10-17"), Meaning: "no good reputation", Ignore: true},
		}}},

	// https://www.dnswl.org/?page_id=15: 127.0.category.trust; 127.0.0.255 to those
	// who ask too much, and later "high" for every address: the tests find that.
	[]List{{Zone: "list.dnswl.org", Kind: Allow, Weight: 5, IPv6: true, Refusals: []Values{values("127.0.0.255")},
		Page: "https://www.dnswl.org/s/?s={addr}",
		Answers: []Answer{
			{Values: values("127.0.2-20.0"), Meaning: "a mail server, not trusted", Ignore: true},
			{values("127.0.2-20.1"), 1, "low trust", false}, {values("127.0.2-20.2"), 3, "medium trust", false},
			{values("127.0.2-20.3"), 5, "high trust", false},
		}}},

	// https://wiki.junkemailfilter.com/index.php/Spam_DNS_Lists: one zone for black,
	// white and between. Only black and brown count, for the rest would be a listing
	// to whoever looks at the name alone.
	[]List{{Zone: "hostkarma.junkemailfilter.com", Kind: Block, Weight: 3, Untested: true,
		Answers: []Answer{
			{values("127.0.0.2"), 3, "sends spam only", false}, {values("127.0.0.4"), 1, "sends spam, too little to be sure", false},
			{Values: values("127.0.0.1"), Meaning: "white", Ignore: true}, {Values: values("127.0.0.3"), Meaning: "sends both", Ignore: true},
			{Values: values("127.0.0.5"), Meaning: "not to be blocked", Ignore: true},
		}}},

	ended("dnsbl.sorbs.net", "closed in June 2024"),
	ended("bl.spamcannibal.org", "closed; in 2018 the zone listed every address"),
	ended("relays.ordb.org", "closed in 2006; in 2008 the zone listed every address"),
	ended("dnsbl.njabl.org", "closed in 2013"),
	ended("dnsbl.ahbl.org", "closed; since 2015 the zone listed every address"),
	ended("cbl.abuseat.org", "now part of xbl.spamhaus.org and zen.spamhaus.org"),
)

func byZone(lists ...[]List) map[string]List {
	m := map[string]List{}
	for _, ls := range lists {
		for _, l := range ls {
			m[l.Zone] = l
		}
	}
	return m
}

func one(meaning string) []Answer { return []Answer{{Values: values("127.0.0.2"), Meaning: meaning}} }

func ended(zone, why string) []List { return []List{{Zone: zone, Kind: Block, ended: why}} }

// spamhaus is a list of that house in its public zone and in the zone of its data
// query service, with the answers that it has.
func spamhaus(name string, answers ...string) []List {
	meanings := map[string]Answer{
		"127.0.0.2":     {Weight: 8, Meaning: "SBL: sends spam or serves those who do"},
		"127.0.0.3":     {Weight: 8, Meaning: "CSS: sends spam"},
		"127.0.0.9":     {Weight: 8, Meaning: "DROP: a network of criminals"},
		"127.0.0.4-7":   {Weight: 8, Meaning: "XBL: infected or exploited machine"},
		"127.0.0.10-11": {Weight: 6, Meaning: "PBL: not the address of a mail server"},
		"127.0.0.30":    {Weight: 8, Meaning: "BCL: controls a botnet"},
	}
	l := List{Kind: Block, Weight: 8, IPv6: true, Page: "https://check.spamhaus.org/results?query={addr}"}
	for _, a := range answers {
		m := meanings[a]
		m.Values = values(a)
		l.Answers = append(l.Answers, m)
	}
	public, private := l, l
	public.Zone, private.Zone = name+".spamhaus.org", name+".dq.spamhaus.net"
	return []List{public, private}
}
