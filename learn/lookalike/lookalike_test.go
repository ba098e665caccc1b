package lookalike_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/learn/lookalike"
)

func index(names ...lookalike.Name) *lookalike.Index {
	x := lookalike.New(lookalike.Config{Seed: 1})
	for _, n := range names {
		x.Add(n)
	}
	return x
}

func brands(domains ...string) *lookalike.Index {
	x := index()
	for _, d := range domains {
		x.Add(lookalike.Name{Domain: d, Kind: lookalike.Brand})
	}
	return x
}

// first is the surest likeness in words, "" for none.
func first(x *lookalike.Index, host string) string {
	m := x.Lookup(host, nil)
	if len(m) == 0 {
		return ""
	}
	return m[0].Name.Domain + ": " + m[0].Family.String()
}

func TestLookup(t *testing.T) {
	x := brands("paypal.com", "microsoft.com", "chase.com", "ing.com", "target.com", "apple.com", "wellsfargo.com", "t-online.de", "amazon.com", "amazon.de", "dhl.com", "netflix.com", "google.com", "сбербанк.рф", "facebook.com")
	for host, want := range map[string]string{
		"paypal.com": "", "www.paypal.com": "", "mail.amazon.de": "", "unrelated.com": "", "localhost": "", "": "", "com": "", "192.0.2.1": "", "[::1]": "",

		"pаypal.com":                           "paypal.com: letters of another alphabet",
		"xn--pypal-4ve.com":                    "paypal.com: letters of another alphabet",
		"аррӏе.com":                            "apple.com: letters of another alphabet",
		"dнl.com":                              "dhl.com: letters of another alphabet",
		"pàypal.com":                           "paypal.com: accents",
		"paypa1.com":                           "paypal.com: characters that look alike",
		"paypa1.net":                           "",
		"rnicrosoft.com":                       "microsoft.com: characters that look alike",
		"micr0s0ft.com":                        "microsoft.com: characters that look alike",
		"vvellsfargo.com":                      "wellsfargo.com: characters that look alike",
		"g00gle.com":                           "google.com: characters that look alike",
		"facebook.corn.example":                "facebook.com: name in front of another domain",
		"face-book.com":                        "facebook.com: hyphens",
		"microsoft.co":                         "microsoft.com: another top-level domain",
		"netflix.example.net":                  "netflix.com: name in front of another domain",
		"payppal.com":                          "paypal.com: doubled letter",
		"gogle.com":                            "google.com: doubled letter",
		"mircosoft.com":                        "microsoft.com: swapped letters",
		"micosoft.com":                         "microsoft.com: missing letter",
		"micrhosoft.com":                       "microsoft.com: additional letter",
		"microsoftt.com":                       "microsoft.com: doubled letter",
		"microsoftx.com":                       "microsoft.com: additional ending",
		"micresoft.com":                        "microsoft.com: another vowel",
		"microsift.com":                        "microsoft.com: another vowel",
		"microdoft.com":                        "microsoft.com: neighbour on the keyboard",
		"mmcrosoft.com":                        "microsoft.com: flipped bit",
		"wellsfakgo.com":                       "wellsfargo.com: another letter",
		"paypal-secure-login.com":              "paypal.com: combined with a service word",
		"securepaypal.com":                     "paypal.com: combined with a service word",
		"paypallogin24.net":                    "paypal.com: combined with a service word",
		"login-paypa1.net":                     "paypal.com: combined with a service word",
		"pay-pal-login.net":                    "paypal.com: combined with a service word",
		"paypal-gifts.net":                     "paypal.com: combined with another word",
		"apple-pie.net":                        "",
		"apple-support.net":                    "apple.com: combined with a service word",
		"target-practice.org":                  "",
		"paypal.com.evil.example.org":          "paypal.com: domain in front of another",
		"www.dhl.com.evil-host.net":            "dhl.com: domain in front of another",
		"paypal.evil-host.net":                 "paypal.com: name in front of another domain",
		"paypal-login.evil-host.net":           "paypal.com: name and service word in front of another domain",
		"paypal.login.evil-host.net":           "paypal.com: name and service word in front of another domain",
		"paypal-login.pages.dev":               "paypal.com: combined with a service word",
		"netflix.github.io":                    "netflix.com: name in front of another domain",
		"microsoft-com.20230601.gappssmtp.com": "",
		"paypal.okta.com":                      "",

		// Honest neighbours.
		"case.com": "", "ring.com": "", "chasen.com": "", "cheese.com": "", "phase.com": "", "king.com": "", "wing.com": "", "targets.com": "", "forget.com": "",
		"largest.com": "", "ample.com": "", "apples.com": "", "amazing.com": "", "amazonia.com": "",
		"target.org": "", "chase.org": "", "apple.net": "", "online.de": "", "dhs.com": "", "netflex.org": "",
	} {
		if got := first(x, host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// Our own names are protected where a brand's would not be.
func TestOwn(t *testing.T) {
	x := index(lookalike.Name{Domain: "garden.example", Kind: lookalike.Own}, lookalike.Name{Domain: "smiths.example", Kind: lookalike.Correspondent})
	for host, want := range map[string]lookalike.Family{
		"gardem.example": lookalike.Alike, "gadren.example": lookalike.Transpose, "garden-login.net": lookalike.Combined, "garden.example.net": 0,
		"smith.example": 0, "smlths.example": 0,
	} {
		m := x.Lookup(host, nil)
		got := lookalike.Family(0)
		if len(m) > 0 {
			got = m[0].Family
		}
		if got != want {
			t.Errorf("%s: %v, want %v (%+v)", host, got, want, m)
		}
	}
	if m := x.Lookup("gadren.example", func(org string) bool { return org == "gadren.example" }); m != nil {
		t.Errorf("excused: %v", m)
	}
}

func TestAddRemove(t *testing.T) {
	x := index()
	for _, d := range []string{"", "com", "localhost", "192.0.2.1", "[::1]", strings.Repeat("a", 70) + ".com"} {
		if x.Add(lookalike.Name{Domain: d, Kind: lookalike.Own}) {
			t.Errorf("added %q", d)
		}
	}
	for range 3 {
		if !x.Add(lookalike.Name{Domain: "Mail.PayPal.com.", Kind: lookalike.Brand}) || !x.Add(lookalike.Name{Domain: "paypal.com", Kind: lookalike.Correspondent, Weight: 3}) {
			t.Fatal("not added")
		}
		if k := x.Protected("www.paypal.com"); k != lookalike.Brand|lookalike.Correspondent {
			t.Fatalf("kinds %v", k)
		}
		if !x.Remove("paypal.com", lookalike.Brand) || x.Protected("paypal.com") != lookalike.Correspondent || x.Remove("paypal.com", lookalike.Brand) {
			t.Fatal("the brand is not gone")
		}
		if !x.Remove("paypal.com", lookalike.Correspondent) || x.Stats().Names != 0 || first(x, "paypa1.com") != "" {
			t.Fatal("the name is not gone")
		}
	}
}

// A word that thousands have in their names is nobody's, and costs nobody time.
func TestCommonLabel(t *testing.T) {
	x := index()
	for i := range 500 {
		x.Add(lookalike.Name{Domain: fmt.Sprintf("solicitors.%s%s.example", string(rune('a'+i%26)), strings.Repeat("x", i/26)), Kind: lookalike.Correspondent})
	}
	all := []string{"com", "net", "org", "de", "fr", "it", "es", "nl", "be", "at", "ch", "dk", "se", "no", "fi", "pl", "cz", "sk", "hu", "ro", "bg", "gr", "pt", "ie", "lt", "lv", "ee"}
	for _, tld := range all {
		if !x.Add(lookalike.Name{Domain: "solicitors." + tld, Kind: lookalike.Correspondent}) {
			t.Fatal(tld)
		}
	}
	for _, tld := range all {
		if x.Protected("solicitors."+tld) == 0 || len(x.Lookup("solicitors."+tld, nil)) != 0 {
			t.Errorf("%s isn't known", tld)
		}
	}
	if !x.Add(lookalike.Name{Domain: "solicitors.lv", Kind: lookalike.Own}) || first(x, "so1icitors.lv") != "solicitors.lv: characters that look alike" {
		t.Errorf("ours: %q", first(x, "so1icitors.lv"))
	}
	for _, tld := range all {
		x.Remove("solicitors."+tld, lookalike.Correspondent|lookalike.Own)
	}
	if len(x.Lookup("so1icitors.lv", nil)) != 0 {
		t.Error("removed and still there")
	}
}

// letters makes names without what the families are made of.
const letters = "bcdfgkpqstwxz"

func randomName(t *rapid.T) string {
	n := rapid.IntRange(12, 20).Draw(t, "n")
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rapid.IntRange(0, len(letters)-1).Draw(t, "c")]
		if i > 0 && b[i] == b[i-1] {
			b[i] = "ae"[i%2]
		}
	}
	return string(b)
}

// Every family, made of random names, is found.
func TestFamilies(t *testing.T) {
	families := map[string]func(t *rapid.T, s string) string{
		"homoglyph":  func(_ *rapid.T, s string) string { return strings.Replace(s, "c", "с", 1) + ".com" },
		"omission":   func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + s[i+1:] + ".com" },
		"insertion":  func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + "m" + s[i:] + ".com" },
		"repetition": func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + s[i:i+1] + s[i:] + ".com" },
		"transposition": func(t *rapid.T, s string) string {
			i := at(t, s)
			return s[:i-1] + s[i:i+1] + s[i-1:i] + s[i+1:] + ".com"
		},
		"replacement": func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + "j" + s[i+1:] + ".com" },
		"bit":         func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + flip(s[i]) + s[i+1:] + ".com" },
		"addition":    func(_ *rapid.T, s string) string { return s + "x.com" },
		"hyphen":      func(t *rapid.T, s string) string { i := at(t, s); return s[:i] + "-" + s[i:] + ".com" },
		"tld":         func(_ *rapid.T, s string) string { return s + ".net" },
		"combosquat":  func(t *rapid.T, s string) string { return word(t) + "-" + s + ".com" },
		"joined":      func(t *rapid.T, s string) string { return s + word(t) + ".net" },
		"any word":    func(_ *rapid.T, s string) string { return s + "-lamps.net" },
		"subdomain":   func(_ *rapid.T, s string) string { return "www." + s + ".com.a-stranger.net" },
		"first label": func(_ *rapid.T, s string) string { return s + ".x.y.a-stranger.net" },
	}
	for name, make := range families {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := randomName(t)
				if name == "homoglyph" {
					s = "c" + s
				}
				x := brands(s+".com", "paypal.com")
				host := make(t, s)
				m := x.Lookup(host, nil)
				if host != s+".com" && (len(m) == 0 || m[0].Name.Domain != s+".com") {
					t.Fatalf("%s, made of %s: %+v", host, s, m)
				}
			})
		})
	}
}

func at(t *rapid.T, s string) int { return rapid.IntRange(1, len(s)-2).Draw(t, "at") }

func word(t *rapid.T) string {
	return rapid.SampledFrom([]string{"login", "secure", "support", "verify", "update"}).Draw(t, "word")
}

// flip changes one bit of a letter so that another is left.
func flip(c byte) string {
	for _, bit := range []byte{1, 2, 4, 8, 16} {
		if d := c ^ bit; 'a' <= d && d <= 'z' {
			return string(d)
		}
	}
	return "m"
}

// An index after many additions and removals answers as one made afresh.
func TestSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := index()
		held := map[string]lookalike.Kind{}
		names := rapid.SliceOfN(rapid.StringMatching(`[ab0]{5,7}\.(com|net)`), 1, 12).Draw(t, "names")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			d := rapid.SampledFrom(names).Draw(t, "name")
			k := rapid.SampledFrom([]lookalike.Kind{lookalike.Own, lookalike.Brand, lookalike.Correspondent}).Draw(t, "kind")
			if rapid.Bool().Draw(t, "add") {
				x.Add(lookalike.Name{Domain: d, Kind: k})
				held[d] |= k
			} else {
				x.Remove(d, k)
				held[d] &^= k
			}
		}
		fresh := index()
		for d, k := range held {
			if k != 0 {
				fresh.Add(lookalike.Name{Domain: d, Kind: k})
			}
			if got := x.Protected(d); got != k {
				t.Fatalf("%s: %v, want %v", d, got, k)
			}
		}
		if x.Stats().Names != fresh.Stats().Names {
			t.Fatalf("%d names, want %d", x.Stats().Names, fresh.Stats().Names)
		}
		for _, host := range []string{"ababab.com", "aobaab.com", "login-ababa.net", "bababa.net"} {
			a, b := x.Lookup(host, nil), fresh.Lookup(host, nil)
			if len(a) != len(b) || len(a) > 0 && a[0].Strength != b[0].Strength {
				t.Fatalf("%s: %v, afresh %v", host, a, b)
			}
		}
	})
}

func FuzzLookup(f *testing.F) {
	for _, s := range []string{"paypa1.com", "xn--pypal-4ve.com", "а.а.а", "login-paypal.evil.example.", "-.-", "xn--a.com", "\xff.com", strings.Repeat("a-", 40) + ".com"} {
		f.Add(s)
	}
	x := brands("paypal.com", "microsoft.com", "t-online.de")
	f.Fuzz(func(t *testing.T, host string) {
		for _, m := range x.Lookup(host, nil) {
			if m.Strength <= 0 || m.Strength > 1 || m.Family.String() == "" || m.Name.Domain == "" {
				t.Errorf("%+v", m)
			}
		}
		lookalike.MixedScripts(host)
		y := index()
		if y.Add(lookalike.Name{Domain: host, Kind: lookalike.Own}) {
			if y.Protected(host) != lookalike.Own || len(y.Lookup(host, nil)) != 0 {
				t.Errorf("%q was added and isn't known", host)
			}
			if !y.Remove(host, lookalike.Own) || y.Stats().Names != 0 {
				t.Errorf("%q doesn't go", host)
			}
		}
	})
}

func TestMixedScripts(t *testing.T) {
	for host, want := range map[string]bool{
		"paypal.com": false, "pаypal.com": true, "xn--pypal-4ve.com": true, "аррӏе.com": false, "bücher.de": false, "トヨタtoyota.jp": false, "сбербанк.рф": false, "аα.com": true,
	} {
		if got := lookalike.MixedScripts(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
}

// million fills an index as the world's domains look: words, words together, words
// with a number.
func million(b testing.TB, n int) (*lookalike.Index, []string) {
	r := rand.New(rand.NewPCG(1, 2))
	syllables := strings.Fields("ba be bi bo bu da de di do du fa fe ga ge gi go ka ke ki ko la le li lo lu ma me mi mo na ne ni no pa pe pi po ra re ri ro sa se si so ta te ti to va ve vi vo wa wi ar en er in on st th tech net soft bank shop art media group data web")
	tlds := []string{"com", "com", "com", "net", "org", "de", "co.uk", "fr", "nl", "it"}
	x := lookalike.New(lookalike.Config{Seed: 7})
	var hosts []string
	for x.Stats().Names < n {
		var s strings.Builder
		for range 2 + r.IntN(4) {
			s.WriteString(syllables[r.IntN(len(syllables))])
		}
		d := s.String() + "." + tlds[r.IntN(len(tlds))]
		x.Add(lookalike.Name{Domain: d, Kind: lookalike.Correspondent})
		if len(hosts) < 4096 {
			hosts = append(hosts, d)
		}
	}
	return x, hosts
}

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1_000, 1_000_000} {
		x, hosts := million(b, n)
		strangers := make([]string, len(hosts))
		likes := make([]string, len(hosts))
		for i, h := range hosts {
			strangers[i] = "www." + strings.Replace(h, ".", "qxj.", 1)
			likes[i] = h[:2] + h[1:]
		}
		s := x.Stats()
		for name, list := range map[string][]string{"stranger": strangers, "protected": hosts, "like": likes} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				i, start := 0, cpu()
				for b.Loop() {
					x.Lookup(list[i&4095%len(list)], nil)
					i++
				}
				b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(s.Bytes)/float64(s.Names), "B/name")
			})
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x := index()
	for b.Loop() {
		x.Add(lookalike.Name{Domain: fmt.Sprintf("name%x.com", r.Uint32()), Kind: lookalike.Correspondent})
	}
}

// cpu is the time that the process has used; other programs don't count.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure shows as 0
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
