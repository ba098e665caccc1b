package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Each bad file is a test: its first line is "# want: " and the message.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.toml")
	if err != nil || len(files) < 10 {
		t.Fatalf("want the bad files, got %d, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(text), "\n")
			want, ok := strings.CutPrefix(first, "# want: ")
			if !ok {
				t.Fatalf("no '# want:' line")
			}
			_, err = Parse(filepath.Base(f), text, Flags{})
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestFullExample(t *testing.T) {
	c, err := Load("../docs/sluice.example.toml", Flags{})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Domains) != 3 || c.Domains[0].Relay[1].String() != "smtp://10.0.0.6:25" {
		t.Errorf("domains: %+v", c.Domains)
	}
	if c.Limits.MessageSize != 50<<20 || c.Keep.Log.Duration != 30*24*time.Hour {
		t.Errorf("limits %+v, keep %+v", c.Limits, c.Keep)
	}
	if !c.IsTrusted(netip.MustParseAddr("::ffff:10.1.2.3")) || c.IsTrusted(netip.MustParseAddr("127.0.0.1")) {
		t.Error("trusted networks are wrong")
	}
}

func TestFirstTry(t *testing.T) {
	c, err := Load("", Flags{})
	if err != nil {
		t.Fatal(err)
	}
	if !c.FirstTry || c.Listen[0].Address != "127.0.0.1:2525" || c.Console.Address != "127.0.0.1:8025" {
		t.Errorf("defaults: %+v", c)
	}
	if r := c.Domains[0].Relay; len(r) != 1 || r[0].String() != "maildir:sluice-data/maildir" {
		t.Errorf("relay: %v", r)
	}
}

func TestFlagsWin(t *testing.T) {
	c, err := Parse("x", []byte("data = \"a\"\n[[listen]]\naddress = \":25\"\n"), Flags{
		Listen: []string{"127.0.0.1:1"}, Data: "b", Domains: []string{"Bücher.example", "b.example"}, Relay: "smtp://[::1]:2600"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != "b" || len(c.Listen) != 1 || c.Listen[0].Address != "127.0.0.1:1" {
		t.Errorf("flags lost: %+v", c)
	}
	d := c.Domains[0]
	if d.Names[0] != "xn--bcher-kva.example" || d.Relay[0].Target != "[::1]:2600" || c.FirstTry {
		t.Errorf("domain: %+v", d)
	}
	if c.Postmaster != "postmaster@xn--bcher-kva.example" {
		t.Errorf("postmaster %q", c.Postmaster)
	}
}

func TestHashFollowsTheSource(t *testing.T) {
	a, _ := Parse("x", []byte("hostname = \"a\""), Flags{})
	b, _ := Parse("x", []byte("hostname = \"b\""), Flags{})
	c, _ := Parse("y", []byte("hostname = \"a\""), Flags{})
	if a.Hash() == b.Hash() || a.Hash() != c.Hash() || len(a.Hash()) != 12 {
		t.Errorf("hashes %s %s %s", a.Hash(), b.Hash(), c.Hash())
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[[domain]]\nnames=[\"a.example\"]\nrelay=[\"smtp://h:1\"]\n"))
	f.Add([]byte("trusted=[\"10.0.0.0/8\"]\n[keep]\nlog=\"30d\""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Parse("f", b, Flags{}); (c == nil) == (err == nil) {
			t.Fatal("want a config or an error")
		}
	})
}

func TestLint(t *testing.T) {
	c, err := Parse("x.toml", []byte("hostname = \"MX.Example.org\"\n[public]\naddress = \"127.0.0.1:8026\"\n[reports]\nrelay = \"smtp://10.0.0.1:25\"\n[lint]\nmail = true\n"), Flags{})
	if err != nil || c.Lint.MailDomain != "mx.example.org" || !c.Lint.Page || !c.Public.Dictionary || c.Lint.MaxSize != 2<<20 {
		t.Errorf("%+v, %+v, %v", c.Lint, c.Public, err)
	}
	c, err = Parse("x.toml", []byte("[lint]\npage = false\n[public]\ndictionary = false\n"), Flags{})
	if err != nil || c.Lint.Page || c.Lint.MailDomain != "" || c.Public.Dictionary {
		t.Errorf("%+v, %+v, %v", c.Lint, c.Public, err)
	}
}
