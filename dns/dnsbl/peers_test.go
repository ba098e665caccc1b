package dnsbl_test

// What hurt users of other mail servers, one test each.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/dns"
	"sluice/dns/dnsbl"
	"sluice/dns/dnsbl/dnsbltest"
)

var client = netip.MustParseAddr("192.0.2.7")

// world is a set of lists and the lists behind it, tested and running.
type world struct {
	*dnsbl.Set
	lists *dnsbltest.Lists
	log   bytes.Buffer
}

// play runs f in a bubble of fake time, with the given lists. Before f, prepare says
// how the lists behave.
func play(t *testing.T, lists []dnsbl.List, prepare func(*dnsbltest.Lists), f func(*testing.T, *world)) {
	t.Helper()
	playWith(t, dnsbl.Config{Lists: lists}, prepare, f)
}

func playWith(t *testing.T, c dnsbl.Config, prepare func(*dnsbltest.Lists), f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{lists: dnsbltest.New()}
		prepare(w.lists)
		if c.Resolver == nil {
			c.Resolver = w.lists
		}
		c.Log = slog.New(slog.NewTextHandler(&w.log, nil))
		set, err := dnsbl.New(c)
		if err != nil {
			t.Fatal(err)
		}
		w.Set = set
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { set.Run(ctx); close(done) }()
		synctest.Wait()
		f(t, w)
		cancel()
		<-done
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (w *world) look(addr string) dnsbl.Result {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return w.Lookup(ctx, netip.MustParseAddr(addr))
}

func (w *world) health(t *testing.T, i int, state dnsbl.State, why string) dnsbl.Health {
	t.Helper()
	h := w.Health()[i]
	if h.State != state || !strings.Contains(h.Why, why) || state == dnsbl.Healthy && h.Why != "" {
		t.Fatalf("%s is %s: %q; want %s: %q", h.Name, h.State, h.Why, state, why)
	}
	return h
}

// unlisted fails where anything counts for or against a client.
func unlisted(t *testing.T, r dnsbl.Result) {
	t.Helper()
	if r.Listed() || r.Block != 0 || r.Allow != 0 {
		t.Fatalf("a listing of %+v", r)
	}
}

func zone(names ...string) (out []dnsbl.List) {
	for _, n := range names {
		out = append(out, dnsbl.List{Zone: n})
	}
	return out
}

// mjl-/mox#354: Spamhaus' refusal codes read as listings.
func TestMox354RefusalCodesAreNoListings(t *testing.T) {
	for _, code := range []string{"127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.1"} {
		play(t, zone("zen.spamhaus.org"), func(l *dnsbltest.Lists) { l.Add("zen.spamhaus.org") }, func(t *testing.T, w *world) {
			w.health(t, 0, dnsbl.Healthy, "")
			zen := w.lists.Add("zen.spamhaus.org")
			zen.Behave(dnsbltest.Always(code))
			r := w.look("192.0.2.7")
			unlisted(t, r)
			if len(r.Answers) != 1 || !strings.Contains(r.Answers[0].Why, code) {
				t.Errorf("%s: %+v", code, r)
			}
			// A refusal beside a listing is a refusal.
			zen.Behave(func(netip.Addr) ([]string, error) { return []string{"127.0.0.2", code}, nil })
			unlisted(t, w.look("192.0.2.8"))
			synctest.Wait()
			w.health(t, 0, dnsbl.Off, code)
		})
	}
}

// docker-mailserver #2918: asked through an open resolver, a list refuses everybody
// and all mail is rejected.
func TestDockerMailserverOpenResolver(t *testing.T) {
	play(t, zone("zen.spamhaus.org"), func(l *dnsbltest.Lists) {
		l.Add("zen.spamhaus.org").Behave(dnsbltest.Always("127.255.255.254"))
	}, func(t *testing.T, w *world) {
		w.health(t, 0, dnsbl.Off, "asked through a public resolver")
		for i := range 20 {
			unlisted(t, w.look(fmt.Sprintf("192.0.2.%d", i+1)))
		}
		if n := w.lists.Asked("1.2.0.192.zen.spamhaus.org"); n != 0 {
			t.Errorf("a list that is off was asked %d times", n)
		}
	})
}

// SpamAssassin bug 8193, Purelymail #448: an allow list answers "high trust" to those
// who ask too much, and phish reaches the inbox.
func TestFalseDNSWLHigh(t *testing.T) {
	all := dnsbltest.Always("127.0.10.3")
	for name, c := range map[string]struct {
		behave func(netip.Addr) ([]string, error)
		why    string
	}{
		"everything, test points and all": {all, "lists 127.0.0.1"},
		"the refusal code":                {dnsbltest.Always("127.0.0.255"), "refuses to serve us: 127.0.0.255"},
		"everything but the test points": {func(a netip.Addr) ([]string, error) {
			switch a.String() {
			case "127.0.0.1":
				return nil, nil
			case "127.0.0.2":
				return []string{"127.0.10.0"}, nil
			}
			return []string{"127.0.10.3"}, nil
		}, "of 16 random addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, zone("list.dnswl.org"), func(l *dnsbltest.Lists) {
				l.Add("list.dnswl.org").Put("127.0.0.2", "127.0.10.0")
			}, func(t *testing.T, w *world) {
				w.health(t, 0, dnsbl.Healthy, "")
				w.lists.Add("list.dnswl.org").Behave(c.behave)
				for i := range 100 { // clients come, until it is noticed or the next test is due
					w.look(fmt.Sprintf("198.51.100.%d", i+1))
					time.Sleep(10 * time.Second)
				}
				w.health(t, 0, dnsbl.Off, c.why)
				unlisted(t, w.look("192.0.2.7"))
				unlisted(t, w.look("198.51.100.1")) // what was remembered doesn't count either
			})
		})
	}
}

// A bot's flood is listed to the last client, which is what the list is for: it must
// not look like a list that lists everything.
func TestFloodOfListedClientsLeavesTheListOn(t *testing.T) {
	play(t, zone("zen.spamhaus.org"), func(l *dnsbltest.Lists) {
		zen := l.Add("zen.spamhaus.org")
		for i := range 250 {
			zen.Put(fmt.Sprintf("203.0.113.%d", i), "127.0.0.4")
		}
	}, func(t *testing.T, w *world) {
		for i := range 250 {
			r := w.look(fmt.Sprintf("203.0.113.%d", i))
			synctest.Wait() // the test that the suspicion asks for takes no time here
			if i != 60 && r.Block != 8 {
				t.Fatalf("client %d: %+v", i, r)
			}
		}
		w.health(t, 0, dnsbl.Healthy, "")
		if r := w.look("203.0.113.60"); r.Block != 8 {
			t.Errorf("after the test: %+v", r)
		}
	})
}

// Lists that have gone: the zone names everybody, or is somebody else's, or is empty,
// or is broken.
func TestListGone(t *testing.T) {
	for name, c := range map[string]struct {
		behave func(netip.Addr) ([]string, error)
		why    string
		state  dnsbl.State
	}{
		"wildcard":           {dnsbltest.Always("127.0.0.2"), "it lists everything", dnsbl.Off},
		"parked domain":      {dnsbltest.Always("203.0.113.80"), "outside 127.0.0.0/8", dnsbl.Off},
		"unknown answers":    {dnsbltest.Always("127.0.0.77"), "it lists everything", dnsbl.Off},
		"empty":              {dnsbltest.Never(dns.ErrNXDomain), "doesn't list its test point", dnsbl.Off},
		"broken name server": {dnsbltest.Never(dns.ErrServFail), "no answer to its tests: server failure", dnsbl.Off},
		"dead name server":   {dnsbltest.Never(dns.ErrTimeout), "no answer to its tests: no answer in time", dnsbl.Off},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org").Behave(c.behave) }, func(t *testing.T, w *world) {
				unlisted(t, w.look("192.0.2.1")) // from the first client on
				time.Sleep(5 * time.Minute)
				w.health(t, 0, c.state, c.why)
				unlisted(t, w.look("192.0.2.2"))
			})
			play(t, zone("bl.example.org"), func(l *dnsbltest.Lists) { l.Add("bl.example.org") }, func(t *testing.T, w *world) {
				w.health(t, 0, dnsbl.Healthy, "")
				w.lists.Add("bl.example.org").Behave(c.behave)
				time.Sleep(20 * time.Minute) // the regular test finds it without any client
				w.health(t, 0, c.state, c.why)
			})
		})
	}
	t.Run("known to have ended", func(t *testing.T) {
		play(t, zone("dnsbl.sorbs.net"), func(l *dnsbltest.Lists) { l.Add("dnsbl.sorbs.net") }, func(t *testing.T, w *world) {
			unlisted(t, w.look("192.0.2.1"))
			time.Sleep(3 * time.Hour)
			w.health(t, 0, dnsbl.Off, "closed in June 2024")
			if n := w.lists.Questions(); n != 0 {
				t.Errorf("%d questions", n)
			}
		})
	})
}

// hestiacp: the private key of a list in the reply to every refused client.
func TestKeyNeverShown(t *testing.T) {
	const key = "Sk3yabcdefghijklmnopqrstuv"
	secret := strings.ToLower(key)
	lists := map[string][]dnsbl.List{
		"beside the zone":  {{Zone: "zen.dq.spamhaus.net", Key: key}},
		"in the zone":      {{Zone: key + ".zen.dq.spamhaus.net"}},
		"not in the table": {{Zone: key + ".authbl.dq.spamhaus.net"}},
		"in both":          {{Zone: key + ".zen.dq.spamhaus.net", Key: key}},
		"unknown zone":     {{Zone: "bl.example.org", Key: key, Name: "our list", Page: "https://example.org/{addr}"}},
	}
	behaviours := map[string]func(netip.Addr) ([]string, error){
		"well":     nil,
		"refusing": dnsbltest.Always("127.255.255.252"),
		"parked":   dnsbltest.Always("203.0.113.80"),
		"strange":  dnsbltest.Always("127.0.0.99"),
		"everyone": dnsbltest.Always("127.0.0.2"),
		"servfail": dnsbltest.Never(dns.ErrServFail),
		"timeout":  dnsbltest.Never(dns.ErrTimeout),
		"bad name": dnsbltest.Never(dns.ErrBadName),
		"other":    dnsbltest.Never(errors.New("lookup " + secret + ".zen.dq.spamhaus.net")),
		"panic":    func(netip.Addr) ([]string, error) { panic("at " + secret) },
	}
	for lname, ls := range lists {
		for bname, behave := range behaviours {
			t.Run(lname+"/"+bname, func(t *testing.T) {
				var shown strings.Builder
				play(t, ls, func(l *dnsbltest.Lists) {
					for _, z := range []string{"zen.dq.spamhaus.net", "authbl.dq.spamhaus.net", "bl.example.org"} {
						z := l.Add(secret + "." + z)
						z.Put("192.0.2.7", "127.0.0.2")
						z.Behave(behave)
					}
				}, func(t *testing.T, w *world) {
					for range 5 {
						r := w.look("192.0.2.7")
						fmt.Fprintf(&shown, "%v %+v %#v\n", r, r, r)
						b, _ := json.Marshal([]any{r, w.Health(), w.Stats()})
						shown.Write(b)
						time.Sleep(10 * time.Minute)
					}
					if behave == nil {
						w.health(t, 0, dnsbl.Healthy, "") // the key was asked with
						if r := w.look("192.0.2.7"); r.Block == 0 {
							t.Errorf("not listed: %+v", r)
						}
					}
					for _, h := range w.Health() {
						fmt.Fprintf(&shown, "%v %+v %#v\n", h, h, h)
					}
					fmt.Fprintf(&shown, "%v %+v %#v %s\n", w.Set, w.Set, w.Set, w.log.String())
					shown.WriteString(w.Hide("7.2.0.192." + secret + ".zen.dq.spamhaus.net " + key))
				})
				grep(t, shown.String(), secret)
			})
		}
	}
	for name, l := range map[string]dnsbl.List{
		"name":      {Zone: "bl.example.org", Key: key, Name: "list " + key},
		"page":      {Zone: "bl.example.org", Key: key, Page: "https://example.org/" + key},
		"meaning":   {Zone: "bl.example.org", Key: key, Answers: []dnsbl.Answer{{Values: values(t, "127.0.0.2"), Meaning: key}}},
		"zone":      {Zone: key + ".example.org", Key: key},
		"two keys":  {Zone: key + ".zen.dq.spamhaus.net", Key: "another"},
		"bad zone":  {Zone: key + "..example.org", Key: key},
		"bad key":   {Zone: "example.org", Key: key + "\x00"},
		"long key":  {Zone: "example.org", Key: dnsbl.Key(strings.Repeat(key, 3))},
		"weight":    {Zone: key + ".zen.dq.spamhaus.net", Weight: -1},
		"kind":      {Zone: key + ".zen.dq.spamhaus.net", Kind: 7},
		"no answer": {Zone: key + ".zen.dq.spamhaus.net", Answers: []dnsbl.Answer{{}}},
	} {
		_, err := dnsbl.New(dnsbl.Config{Resolver: dnsbltest.New(), Lists: []dnsbl.List{l}})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		grep(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
	}
	l, err := dnsbl.List{Zone: key + ".zen.dq.spamhaus.net"}.Complete()
	if err != nil || !strings.EqualFold(string(l.Key), key) {
		t.Fatalf("%v: %v", l, err)
	}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", l.Key, "list", l)
	grep(t, fmt.Sprintf("%v %+v %#v %s %s", l, l, l, b, log.String()), secret)
}

func grep(t *testing.T, text, secret string) {
	t.Helper()
	if text == "" {
		t.Error("nothing to look at")
	}
	if i := strings.Index(strings.ToLower(text), secret); i >= 0 {
		t.Errorf("the key is in …%s…", text[max(i-60, 0):min(i+60, len(text))])
	}
}

func values(t *testing.T, s string) dnsbl.Values {
	t.Helper()
	v, err := dnsbl.ParseValues(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
