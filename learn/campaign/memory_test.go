package campaign_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/learn/campaign"
	"sluice/message"
)

// mail is a message with a text, HTML where it begins with a tag.
func mail(to, body string) *message.Message {
	kind := "plain"
	if strings.HasPrefix(body, "<") {
		kind = "html"
	}
	return message.Parse([]byte("From: x@example.org\r\nTo: "+to+"\r\nSubject: x\r\nContent-Type: text/"+kind+"; charset=utf-8\r\n\r\n"+
		strings.ReplaceAll(body, "\n", "\r\n")), message.DefaultLimits())
}

// phish is a campaign's message to a person; n makes what differs between copies.
func phish(name string, n int) string {
	return fmt.Sprintf(`Dear %s,

your mailbox %s@example.net is almost full, and %d messages from %d March could not be
delivered to your inbox. To keep on receiving mail you have to confirm your account
within 24 hours, or it will be closed for good and all of your data will be lost.
Confirm it here: https://login-%d.example/confirm?id=%x

The administrators of your mail system
`, name, strings.ToLower(name), n, n%28+1, n, uint64(n)*0x9e3779b97f4a7c15)
}

const letter = `<html><body><p>Our spring catalogue is here, with two hundred new plants for balcony and garden.</p>
<p>Order before the end of the month and we send your plants without any charge for delivery.</p>
<p>Come and see us on one of our open days, walk through the greenhouses, and ask our gardeners anything you like.</p>
<a href="https://%s/catalogue">Look at the catalogue</a> <a href="https://shop.garden.example/leave">Unsubscribe</a></body></html>`

func genuine() *message.Message {
	return mail("ann@example.net", fmt.Sprintf(letter, "shop.garden.example"))
}
func copied() *message.Message {
	return mail("ann@example.net", fmt.Sprintf(letter, "plants.crook.example"))
}

func memory() *campaign.Memory { return campaign.New(campaign.Config{Fingerprints: 10_000, Key: 7}) }

// owner is a sighting of mail that garden.example authenticates.
func owner(i int, at time.Time) campaign.Sighting {
	return campaign.Sighting{Time: at, Client: netip.MustParseAddr("192.0.2.10"), Domain: "garden.example", History: true,
		Recipients: []string{fmt.Sprintf("reader%d@example.net", i)}}
}

// look wants exactly one cluster.
func look(t *testing.T, m *campaign.Memory, msg *message.Message, s campaign.Sighting) campaign.Match {
	t.Helper()
	k := m.Look(m.Print(msg), s)
	if len(k) != 1 {
		t.Fatalf("%d clusters, want one: %+v", len(k), k)
	}
	return k[0]
}

func TestReportBlocksTheRest(t *testing.T) {
	m := memory()
	first := m.Print(mail("ann@example.net", phish("Ann", 1)))
	m.Observe(first, sighting(1, start))
	copy := mail("Bob Miller <bob@example.net>", phish("Bob", 77))
	if k := look(t, m, copy, sighting(2, start)); k.Reported || k.Messages != 1 {
		t.Errorf("before the report: %+v", k)
	}
	report := campaign.Label{Time: start, Bad: true, Trust: 1, By: "admin"}
	if !m.Label(first, report) {
		t.Fatal("the report was not taken")
	}
	k := look(t, m, copy, sighting(2, start.Add(time.Second)))
	if !k.Reported || k.Bad < 0.99 || k.Similarity < 0.8 {
		t.Errorf("after the report: %+v", k)
	}
	if k = look(t, m, copy, sighting(2, start.Add(180*24*time.Hour))); k.Bad < 0.49 || k.Bad > 0.51 || !k.Reported {
		t.Errorf("a half-life later: %+v", k)
	}
	if k = look(t, m, copy, sighting(2, start.Add(900*24*time.Hour))); k.Reported {
		t.Errorf("years later: %+v", k)
	}
	report.Undo = true
	m.Label(first, report)
	if k = look(t, m, copy, sighting(2, start)); k.Reported || k.Bad != 0 {
		t.Errorf("taken back: %+v", k)
	}
	report.Undo = false
	m.Label(first, report)
	m.Label(first, campaign.Label{Time: start, Trust: 1, By: "admin"})
	if k = look(t, m, copy, sighting(2, start)); k.Reported {
		t.Errorf("somebody as trusted says it is good: %+v", k)
	}
	other := mail("ann@example.net", "The minutes of our last meeting are attached, please tell me by Friday whether you agree with what they say about the roof and the new heating.\n")
	if k := m.Look(m.Print(other), sighting(3, start)); len(k) != 0 {
		t.Errorf("another text: %+v", k)
	}
}

// A report holds while the campaign goes on, a weak one doesn't.
func TestReportHolds(t *testing.T) {
	for _, tt := range []struct{ trust, want float64 }{{1, 0.6}, {0.3, 0.05}} {
		m := memory()
		m.Label(m.Print(mail("ann@example.net", phish("Ann", 1))), campaign.Label{Time: start, Bad: true, Trust: tt.trust, By: "user"})
		at := start
		for i := range 7 {
			at = at.Add(100 * 24 * time.Hour)
			m.Observe(m.Print(mail("ann@example.net", phish("Ann", i))), sighting(i, at))
		}
		k := look(t, m, mail("ann@example.net", phish("Ann", 9)), sighting(1, at.Add(100*24*time.Hour)))
		if k.Reported != (tt.trust == 1) || k.Bad > tt.want+0.1 || k.Bad < tt.want-0.1 {
			t.Errorf("a report of %v, two years later: %+v", tt.trust, k)
		}
	}
}

// A report that comes before any mail of the campaign, such as from a trap, counts.
func TestReportFirst(t *testing.T) {
	m := memory()
	m.Label(m.Print(mail("trap@example.net", phish("Trap", 5))), campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
	if k := look(t, m, mail("ann@example.net", phish("Ann", 6)), sighting(1, start)); !k.Reported {
		t.Errorf("%+v", k)
	}
}

func TestOutbreak(t *testing.T) {
	tests := []struct {
		name string
		gap  time.Duration
		edit func(i int, s *campaign.Sighting)
		want bool
	}{
		{"strangers within minutes", time.Minute, func(int, *campaign.Sighting) {}, true},
		{"one operator", time.Minute, func(_ int, s *campaign.Sighting) { s.ASN = 64500 }, false},
		{"one neighbourhood", time.Minute, func(i int, s *campaign.Sighting) { s.Client = netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }, false},
		{"one provider of IPv6", time.Minute, func(i int, s *campaign.Sighting) {
			s.Client = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i), 0, byte(i)})
		}, false},
		{"a domain with a good name", time.Minute, func(_ int, s *campaign.Sighting) { s.Domain, s.History = "garden.example", true }, false},
		{"a domain without history", time.Minute, func(i int, s *campaign.Sighting) { s.Domain = fmt.Sprint("bot", i, ".example") }, true},
		{"over days", 20 * time.Hour, func(int, *campaign.Sighting) {}, false},
		{"from nowhere", time.Minute, func(_ int, s *campaign.Sighting) { s.Client = netip.Addr{} }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := memory()
			var k campaign.Match
			for i := range 5 {
				s := sighting(i*100, start.Add(time.Duration(i)*tt.gap))
				tt.edit(i, &s)
				p := m.Print(mail("ann@example.net", phish("Ann", i)))
				if found := m.Look(p, s); len(found) == 1 {
					k = found[0]
				}
				m.Observe(p, s)
			}
			if k.Outbreak != tt.want {
				t.Errorf("outbreak %v, want %v: %+v", k.Outbreak, tt.want, k)
			}
		})
	}
}

// An outbreak counts though the sender tried the text before.
func TestOutbreakAfterTrial(t *testing.T) {
	for _, before := range []time.Duration{40 * time.Hour, 3 * time.Hour} {
		m := memory()
		m.Observe(m.Print(mail("ann@example.net", phish("Ann", 9))), sighting(9, start.Add(-before)))
		for i := range 4 {
			m.Observe(m.Print(mail("ann@example.net", phish("Ann", i))), sighting(i*100, start.Add(time.Duration(i)*time.Second)))
		}
		if k := look(t, m, mail("ann@example.net", phish("Ann", 5)), sighting(500, start.Add(5*time.Second))); !k.Outbreak || k.Unrelated != 5 {
			t.Errorf("tried %v before: %+v", before, k)
		}
	}
}

// A campaign that was quiet breaks out anew; one that goes on has a history.
func TestOutbreakOfKnown(t *testing.T) {
	for _, tt := range []struct {
		quiet time.Duration
		want  bool
	}{{30 * time.Hour, true}, {3 * time.Hour, false}} {
		m := memory()
		for i := range 10 {
			m.Observe(m.Print(mail("ann@example.net", phish("Ann", i))), sighting(9, start.Add(time.Duration(i)*time.Hour)))
		}
		then := start.Add(9*time.Hour + tt.quiet)
		for i := range 5 {
			m.Observe(m.Print(mail("ann@example.net", phish("Ann", i))), sighting(i*100, then))
		}
		if k := look(t, m, mail("ann@example.net", phish("Ann", 5)), sighting(500, then)); k.Outbreak != tt.want {
			t.Errorf("quiet for %v: %+v", tt.quiet, k)
		}
	}
}

// send makes the newsletter a wanted campaign.
func send(m *campaign.Memory) (later time.Time) {
	for i := range 20 {
		m.Observe(m.Print(genuine()), owner(i, start.Add(time.Duration(i)*time.Minute)))
	}
	return start.Add(2 * time.Hour)
}

func TestWanted(t *testing.T) {
	m := memory()
	later := send(m)
	k := look(t, m, genuine(), owner(1, later))
	if !k.Wanted || k.Reported || len(k.Twins) != 1 || !k.Twins[0].Own || !k.Twins[0].Proven {
		t.Errorf("the newsletter: %+v", k)
	}
	if r := k.Recipients; r < 14 || r > 27 {
		t.Errorf("%v recipients, want about 20", r)
	}
	if k = look(t, m, genuine(), owner(1, start.Add(30*time.Minute))); k.Wanted {
		t.Errorf("silence of half an hour is no consent: %+v", k)
	}
	stranger := sighting(3, later)
	k = look(t, m, copied(), stranger)
	if k.Wanted || len(k.Twins) != 1 || k.Twins[0].Domain != "garden.example" || k.Twins[0].Own || fmt.Sprint(k.Twins[0].Strange) != "[crook.example]" ||
		!k.Twins[0].First.Equal(start) {
		t.Errorf("the copy: %+v", k)
	}
	if k = look(t, m, copied(), owner(1, later)); k.Wanted {
		t.Errorf("the owner's account, but leading elsewhere: %+v", k)
	}
	known := stranger
	known.Domain, known.History = "other.example", true
	if k = look(t, m, genuine(), known); k.Wanted {
		t.Errorf("by another good name: %+v", k)
	}

	// A report about the copy is not held against the owner, or what was forwarded.
	m.Label(m.Print(copied()), campaign.Label{Time: later, Bad: true, Trust: 1, By: "trap"})
	if k = look(t, m, copied(), stranger); !k.Reported {
		t.Errorf("the copy, reported: %+v", k)
	}
	if k = look(t, m, genuine(), owner(1, later)); k.Reported || !k.Wanted {
		t.Errorf("the newsletter, when its copy was reported: %+v", k)
	}
	if k = look(t, m, genuine(), stranger); k.Reported || k.Wanted {
		t.Errorf("the newsletter, forwarded: %+v", k)
	}
}

// A fraud that uses the owner's mail as it is, links and all, is blocked once a message
// of that sort was reported.
func TestReportOfInside(t *testing.T) {
	m := memory()
	later := send(m)
	m.Label(m.Print(genuine()), campaign.Label{Time: later, Bad: true, Trust: 1, By: "trap"})
	if k := look(t, m, genuine(), sighting(3, later)); !k.Reported {
		t.Errorf("%+v", k)
	}
	if k := look(t, m, genuine(), owner(1, later)); k.Reported || !k.Wanted {
		t.Errorf("the owner: %+v", k)
	}
}

// TestConcurrent is for the race detector: mail, labels and a snapshot at once.
func TestConcurrent(t *testing.T) {
	m := memory()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				at := start.Add(time.Duration(i) * time.Second)
				p := m.Print(mail("ann@example.net", phish("Ann", i)))
				m.Look(p, sighting(g*100, at))
				m.Observe(p, sighting(g*100, at))
				m.Observe(m.Print(genuine()), owner(i, at))
				m.Label(p, campaign.Label{Time: at, Bad: i%2 == 0, Trust: 0.5, By: "user"})
			}
		})
	}
	wg.Go(func() { saved(t, m) })
	wg.Wait()
	if st := m.Stats(); st.Clusters != 2 {
		t.Errorf("%+v", st)
	}
}

// Complaints end the protection.
func TestComplaints(t *testing.T) {
	m := memory()
	later := send(m)
	m.Label(m.Print(genuine()), campaign.Label{Time: later, Bad: true, Trust: 1, By: "admin", Domain: "garden.example"})
	if k := look(t, m, genuine(), owner(1, later)); k.Wanted || !k.Reported {
		t.Errorf("%+v", k)
	}
}

// What must not protect: unauthenticated mail, one voice, free mail, bad mail added
// slowly.
func TestPoison(t *testing.T) {
	t.Run("good labels of unauthenticated mail", func(t *testing.T) {
		m := memory()
		p := m.Print(copied())
		for i := range 10 {
			m.Observe(p, sighting(i, start))
			m.Label(p, campaign.Label{Time: start, Trust: 1, By: fmt.Sprint("user", i)})
		}
		if k := look(t, m, copied(), sighting(1, start.Add(48*time.Hour))); k.Wanted {
			t.Errorf("%+v", k)
		}
	})
	t.Run("one voice", func(t *testing.T) {
		m := memory()
		p := m.Print(genuine())
		m.Observe(p, owner(1, start))
		for range 10 {
			m.Label(p, campaign.Label{Time: start, Trust: 1, By: "user1", Domain: "garden.example"})
		}
		if k := look(t, m, genuine(), owner(1, start.Add(2*time.Hour))); k.Wanted {
			t.Errorf("%+v", k)
		}
		m.Label(p, campaign.Label{Time: start, Trust: 1, By: "admin", Domain: "garden.example"})
		if k := look(t, m, genuine(), owner(1, start.Add(2*time.Hour))); !k.Wanted {
			t.Errorf("a second voice: %+v", k)
		}
	})
	t.Run("free mail", func(t *testing.T) {
		m := memory()
		s := owner(0, start)
		s.Domain = "gmail.com"
		for i := range 30 {
			s.Recipients = []string{fmt.Sprint("r", i, "@example.net")}
			m.Observe(m.Print(genuine()), s)
		}
		s.Time = start.Add(2 * time.Hour)
		if k := look(t, m, genuine(), s); k.Wanted || len(k.Twins) != 0 {
			t.Errorf("%+v", k)
		}
	})
	t.Run("captured slowly", func(t *testing.T) {
		m := memory()
		later := send(m)
		thief := owner(2, later) // has the owner's account
		for i := range 200 {
			later = later.Add(time.Hour)
			m.Observe(m.Print(copied()), sighting(i, later))
			thief.Time = later.Add(24 * time.Hour)
			m.Observe(m.Print(copied()), thief)
		}
		for _, s := range []campaign.Sighting{sighting(1, later), owner(1, later)} {
			if k := look(t, m, copied(), s); k.Wanted {
				t.Errorf("%+v", k)
			}
		}
		if k := look(t, m, genuine(), owner(1, later)); !k.Wanted {
			t.Errorf("the newsletter: %+v", k)
		}
	})
	t.Run("drift", func(t *testing.T) {
		// From a reported text to the newsletter, two sentences at a time.
		m := memory()
		from := strings.FieldsFunc(phish("Ann", 1), func(r rune) bool { return r == ' ' })
		to := strings.Fields(strings.Repeat("our spring catalogue is here with two hundred new plants for balcony and garden order before the end of the month ", 1) +
			"and we send your plants without any charge come and see us walk through the greenhouses and ask our gardeners anything you like about soil and seeds and roses")
		m.Label(m.Print(mail("ann@example.net", strings.Join(from, " "))), campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
		for n := 0; n < len(to); n += 4 {
			text := strings.Join(to[:n], " ") + " " + strings.Join(from[min(len(from), n*len(from)/len(to)):], " ")
			m.Observe(m.Print(mail("ann@example.net", text)), sighting(n, start))
		}
		for _, k := range m.Look(m.Print(mail("ann@example.net", strings.Join(to, " "))), sighting(1, start)) {
			if k.Reported {
				t.Errorf("the reported cluster has reached a text of its own: %+v", k)
			}
		}
	})
}

// A notice that many domains with a good name send is nobody's: a report about one
// doesn't block it.
func TestCommon(t *testing.T) {
	m := memory()
	body := "This calendar invitation was made by the meeting service. Answer with yes or no, and the organiser will be told at once. You can change your answer at any time before the meeting begins.\n"
	p := m.Print(mail("ann@example.net", body))
	for i := range 30 {
		s := sighting(i*100, start.Add(time.Duration(i)*time.Minute))
		s.Domain, s.History = fmt.Sprint("firm", i, ".example"), true
		m.Observe(p, s)
	}
	if m.Label(p, campaign.Label{Time: start.Add(48 * time.Hour), Bad: true, Trust: 1, By: "user"}) {
		t.Error("the report was taken")
	}
	if k := look(t, m, mail("bob@example.net", body), sighting(1, start.Add(48*time.Hour))); k.Reported || k.Outbreak || k.Domains < campaign.Common {
		t.Errorf("%+v", k)
	}
}

// A flood of new texts, each sent twice from all over the world, pushes out nothing
// that was judged.
func TestFlood(t *testing.T) {
	m := campaign.New(campaign.Config{Fingerprints: 6000, Clusters: 500})
	later := send(m)
	bad := m.Print(mail("ann@example.net", phish("Ann", 1)))
	m.Label(bad, campaign.Label{Time: later, Bad: true, Trust: 1, By: "trap"})
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		later = later.Add(time.Second)
		p := random(r)
		m.Observe(p, sighting(i, later))
		m.Observe(p, sighting(i+1, later))
	}
	if k := look(t, m, mail("bob@example.net", phish("Bob", 2)), sighting(1, later)); !k.Reported {
		t.Errorf("%+v", k)
	}
	if k := look(t, m, genuine(), owner(1, later)); !k.Wanted {
		t.Errorf("%+v", k)
	}
	st := m.Stats()
	if st.Clusters > 500 || st.Fingerprints > 6000 || st.Lost == 0 {
		t.Errorf("%+v", st)
	}
	// And what is new is still learned.
	p := random(r)
	m.Observe(p, sighting(1, later))
	if k := m.Look(p, sighting(2, later)); len(k) != 1 {
		t.Errorf("a new text in a full memory: %+v", k)
	}
}

// random is the print of a text that nobody has seen.
func random(r *rand.Rand) *campaign.Print {
	p := &campaign.Print{Domains: []string{"example.org"}}
	p.Text.N = 100
	for i := range p.Text.Bands {
		p.Text.Bands[i] = r.Uint64()
	}
	p.Text.Bits = [2]uint64{r.Uint64(), r.Uint64()}
	return p
}

// TestLeftOut has pairs of unrelated mail that share what isn't theirs.
func TestLeftOut(t *testing.T) {
	const (
		notice = "\n\nThis message is confidential and may be privileged. It is meant for the intended recipient alone; if you have got it in error, please tell the sender and delete it. Any disclosure, copying or use of it is prohibited and may be against the law.\n"
		quoted = "\n\nOn Mon, 2 Mar 2026 at 10:12, Bob Miller <bob@example.org> wrote:\n\nPlease have a look at the plans for the new kitchen, which the architect has sent us today, and tell me whether the windows are where you would like to have them.\n"
		arrows = "\n\n> Please have a look at the plans for the new kitchen, which the architect has sent\n> us today, and tell me whether the windows are where you would like to have them.\n"
		list   = "\n_______________________________________________\nGardeners mailing list -- gardeners@lists.example.org\nTo leave send an email to gardeners-leave@lists.example.org and wait for the answer that tells you what to do next\n"
	)
	tests := []struct{ name, a, b string }{
		{"a legal notice", "Lunch at noon?" + notice, "The invoice is paid." + notice},
		{"a quoted message", "Yes." + quoted, "Not at all!" + quoted},
		{"a quoted message with arrows", "Yes." + arrows, "Not at all!" + arrows},
		{"a list's footer", "Has anybody seen this beetle before?" + list, "The meeting was moved to Thursday evening." + list},
		{"short texts", "Thanks, see you tomorrow.", "Thanks, see you tomorrow."},
		{"nothing", "", ""},
		{"numbers", strings.Repeat("1200 33.5 99 ", 30), strings.Repeat("1201 34.5 98 ", 30)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := memory()
			m.Observe(m.Print(mail("ann@example.net", tt.a)), sighting(1, start))
			if k := m.Look(m.Print(mail("ann@example.net", tt.b)), sighting(2, start)); len(k) != 0 {
				t.Errorf("%+v", k)
			}
		})
	}
}

// Marks of what is left out don't hide a message that is all of them.
func TestNotLeftOut(t *testing.T) {
	long := "You have won a great sum of money in our lottery, and all that you have to do is to write to the agent who keeps the cheque for you, with your name, your age and the address where he can send it to you by courier. " +
		"Please keep this strictly confidential until the money is in your hands."
	for name, body := range map[string]string{
		"below a signature's mark": "--\n" + strings.Repeat(long+"\n", 4),
		"above a legal notice":     long + "\nThis message is confidential and privileged. If you got it in error, its disclosure is prohibited, so please delete it at once and tell us about it, since the law says that you must; that goes for its files as well, whoever sent them to you.",
	} {
		if p := memory().Print(mail("ann@example.net", body)); p.Text.N < 40 {
			t.Errorf("%s: %d runs of words", name, p.Text.N)
		}
	}
}

// Tricks with characters don't make a new text of an old one.
func TestDisguise(t *testing.T) {
	m := memory()
	m.Label(m.Print(mail("ann@example.net", phish("Ann", 1))), campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
	tricks := map[string]func(string) string{
		"zero width": func(s string) string { return strings.ReplaceAll(s, "a", "a\u200b") },
		"look-alike": func(s string) string { return strings.NewReplacer("o", "о", "e", "е").Replace(s) },
		"case":       strings.ToUpper,
		"html": func(s string) string {
			return "<html><body><div style='display:none'>" + strings.Repeat("harmless words about gardens and roses ", 50) + "</div><p>" + s + "</p></body></html>"
		},
	}
	for name, trick := range tricks {
		if k := look(t, m, mail("ann@example.net", trick(phish("Ann", 1))), sighting(1, start)); !k.Reported {
			t.Errorf("%s: %+v", name, k)
		}
	}
}

// What has no words is known by its layout or its file.
func TestLayoutAndFile(t *testing.T) {
	table := "<html><body>" + strings.Repeat("<table><tr><td><a href='https://x%d.example/'><img src='cid:a'></a></td><td><div><p><b></b></p></div></td></tr></table><hr><span><i></i></span>", 3) +
		"<ul><li><h1></h1></li><li><h2></h2></li></ul><center><font><small></small></font></center></body></html>"
	m := memory()
	picture := func(n int) *message.Message {
		return mail("ann@example.net", strings.ReplaceAll(table, "%d", fmt.Sprint(n)))
	}
	m.Label(m.Print(picture(1)), campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
	if k := look(t, m, picture(2), sighting(1, start)); !k.Reported || k.Kind != "layout" {
		t.Errorf("%+v", k)
	}
	attached := func(text, file string) *message.Message {
		return message.Parse([]byte("From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"+text+
			"\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\n"+file+"\r\n--b--\r\n"), message.DefaultLimits())
	}
	file := strings.Repeat("%PDF-1.4 an invoice\r\n", 100)
	m.Label(m.Print(attached("See the file.", file)), campaign.Label{Time: start, Bad: true, Trust: 1, By: "trap"})
	if k := look(t, m, attached("Your bill!", file), sighting(1, start)); !k.Reported || k.Kind != "file" {
		t.Errorf("%+v", k)
	}
	if k := m.Look(m.Print(attached("Your bill!", file+"x")), sighting(1, start)); len(k) != 0 {
		t.Errorf("another file: %+v", k)
	}
}

func TestPrintForm(t *testing.T) {
	m := memory()
	p := m.Print(copied())
	b, err := p.MarshalBinary()
	if err != nil || len(b) > 400 {
		t.Fatal(len(b), err)
	}
	p.Text.Least = nil // isn't stored
	var got campaign.Print
	if err := got.UnmarshalBinary(b); err != nil || fmt.Sprint(got) != fmt.Sprint(*p) {
		t.Errorf("%v: %v, want %v", err, got, *p)
	}
	for n := range b {
		if err := got.UnmarshalBinary(b[:n]); err == nil {
			t.Errorf("%d octets of %d were taken", n, len(b))
		}
	}
}

// The key decides where a text meets others.
func TestKey(t *testing.T) {
	a, b := campaign.New(campaign.Config{Fingerprints: 1000, Key: 1}), campaign.New(campaign.Config{Fingerprints: 1000, Key: 2})
	msg := copied()
	if a.Print(msg).Text.Bands == b.Print(msg).Text.Bands {
		t.Error("two keys, one fingerprint")
	}
}
