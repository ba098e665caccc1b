package dkim

import (
	"bytes"
	"context"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/shared"
	"sluice/mailauth/canon"
	"sluice/mailauth/key"
	"sluice/mailauth/signature"
	"sluice/message"
)

// signedFiles lists messages of the corpora that hold a DKIM-Signature, about
// most of them, spread evenly; SLUICE_FULL in the environment asks for all.
func signedFiles(t *testing.T, most int) []string {
	t.Helper()
	root := shared.Dir(t, "corpora")
	var all []string
	for _, corpus := range []string{"foff_milter", "glitchyzorua_419", "kfcreview", "lists_2019_2026", "phishing_pot"} {
		err := filepath.WalkDir(filepath.Join(root, corpus), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				all = append(all, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	step := 1
	if os.Getenv("SLUICE_FULL") == "" {
		step = max(1, len(all)/most)
	}
	var out []string
	for i := 0; i < len(all); i += step {
		data, err := os.ReadFile(all[i])
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytes.ToLower(data[:min(len(data), 64<<10)]), []byte("\ndkim-signature:")) {
			out = append(out, all[i])
		}
	}
	return out
}

// TestMailDKIMHashes compares what we hash with what Mail::DKIM hashes, on signed
// messages whose keys are long gone: the digest of the chosen and canonical header
// fields, and that of the body.
func TestMailDKIMHashes(t *testing.T) {
	if err := exec.Command("perl", "-MMail::DKIM::Verifier", "-e", "1").Run(); err != nil {
		t.Skip("Mail::DKIM is missing (Debian: libmail-dkim-perl; scripts/install-test-deps)")
	}
	files := signedFiles(t, 600)
	cmd := exec.Command("perl", "testdata/maildkim.pl")
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("maildkim.pl: %v\n%s", err, stderr.String())
	}
	theirs := make(map[string][2]string)
	for line := range strings.Lines(string(got)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) == 4 {
			theirs[f[0]+"\t"+f[1]] = [2]string{f[2], f[3]}
		}
	}
	var signatures, compared, odd, headers, bodies, intact int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(canon.CRLF(data), message.Limits{})
		cm := canon.New(m.Raw, m.Header().Fields, m.Body(m.Parts[0]))
		for _, i := range cm.Named("dkim-signature") {
			signatures++
			sig, fault := signature.Parse(cm.Field(i), signature.DKIM)
			if fault != nil {
				continue
			}
			b, _ := sig.Tags.Get("b")
			want, ok := theirs[file+"\t"+strings.Join(strings.Fields(b), "")]
			if !ok {
				continue // of a kind that Mail::DKIM doesn't know
			}
			compared++
			digest := cm.HashHeader(sig.Algorithm.Hash, sig.Header, cm.Select(sig.Names, i), sig.Field, sig.Tags.Place("b"))
			sum := cm.HashBody([]canon.BodyRequest{{Canon: sig.Body, Hash: sig.Algorithm.Hash, Length: sig.Length}})[0]
			if bytes.Equal(sum.Sum, sig.BodyHash) {
				intact++
			}
			if sum.Sum == nil || bytes.Count(m.Raw, []byte{'\r'}) != bytes.Count(m.Raw, []byte("\r\n")) {
				// A body shorter than l= has no hash here (RFC 6376 3.5); theirs is
				// that of what is there. A bare CR, which RFC 5322 2.3 forbids, is
				// data here and white space there.
				odd++
				continue
			}
			sameHeader, sameBody := hex.EncodeToString(digest) == want[0], hex.EncodeToString(sum.Sum) == want[1]
			if sameHeader {
				headers++
			}
			if sameBody {
				bodies++
			}
			if !sameHeader || !sameBody {
				t.Errorf("%s (s=%s d=%s c=%v/%v): header equal %v, body equal %v", file, sig.Selector, sig.Domain, sig.Header, sig.Body, sameHeader, sameBody)
			}
		}
	}
	t.Logf("%d messages, %d signatures; %d that both read, of them %d left out (bare CR, l= beyond the body): header hash equal %d, body hash equal %d; body intact %d",
		len(files), signatures, compared, odd, headers, bodies, intact)
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// awkward are messages whose canonical forms differ from what they look like.
var awkward = map[string]string{
	"plain":       "From: a@example.org\r\nTo: b@example.net\r\nSubject: hi\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\nhello\r\n",
	"no body":     "From: a@example.org\r\nSubject: hi\r\n\r\n",
	"empty lines": "From: a@example.org\r\nSubject: hi\r\n\r\n\r\n\r\ntext\r\n\r\n\r\n",
	"only lines":  "From: a@example.org\r\nSubject: hi\r\n\r\n\r\n\r\n \t\r\n",
	"spaces":      "From:  a@example.org \t\r\nSubject: a\r\n\t b \t c  \r\nX: \r\n\r\n a \t b  \r\n\t\r\nend \r\n",
	"no line end": "From: a@example.org\r\nSubject: hi\r\n\r\nlast line",
	"twice":       "Received: one\r\nReceived: two\r\nFrom: a@example.org\r\nComments: x\r\nComments: y\r\n\r\nbody\r\n",
	"8bit":        "From: =?utf-8?q?=C3=A4?= <a@example.org>\r\nSubject: \u00e4\u00f6\r\n\r\n\u00fc\u00df\r\n",
}

// request asks another implementation to sign or verify.
type request struct {
	Do       string            `json:"do"`
	Message  string            `json:"message"` // one character for each octet
	Zone     map[string]string `json:"zone"`
	Form     string            `json:"form"`
	Selector string            `json:"selector"`
	Key      string            `json:"key"`

	name, raw string
}

// peers are the implementations that scripts in testdata run. Debian has a
// Python of its own, for which python3-dkim is installed.
var peers = map[string]struct {
	probe, run []string
	debian     string
	keys       []string
	omit       string // a message, and why
}{
	"dkimpy": {probe: []string{"/usr/bin/python3", "-c", "import dkim, nacl.signing"}, run: []string{"/usr/bin/python3", "testdata/dkimpy.py"},
		debian: "python3-dkim, python3-nacl", keys: []string{"rsa", "ed"}},
	// Mail::DKIM's simple form adds no CRLF to a body that doesn't end with one, as
	// RFC 6376 3.4.3 demands. By SMTP every body ends with one.
	"Mail::DKIM": {probe: []string{"perl", "-MMail::DKIM::Signer", "-e", "1"}, run: []string{"perl", "testdata/maildkim-live.pl"},
		debian: "libmail-dkim-perl", keys: []string{"rsa"}, omit: "no line end, simple"},
}

// TestPeers signs awkward messages here and there, in both forms, and verifies
// them there and here.
func TestPeers(t *testing.T) {
	pemKey, rsaKey := testRSA(t)
	seed, edKey := testEd25519()
	signers := map[string]crypto.Signer{"rsa": rsaKey, "ed": edKey}
	private := map[string]string{"rsa": pemKey, "ed": seed}
	zone, records := texts{}, map[string]string{}
	for selector, k := range signers {
		text, err := key.Text(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		name := key.Name("example.org", selector)
		zone[name], records[name] = []string{text}, text
	}
	for peer, p := range peers {
		t.Run(peer, func(t *testing.T) {
			if exec.Command(p.probe[0], p.probe[1:]...).Run() != nil {
				t.Skipf("%s is missing (Debian: %s; scripts/install-test-deps)", peer, p.debian)
			}
			var ask []request
			for name, raw := range awkward {
				for _, form := range []string{"relaxed", "simple"} {
					if p.omit == name+", "+form {
						continue
					}
					for _, selector := range p.keys {
						field, err := Sign([]byte(raw), suiteTime, SignOptions{Domain: "example.org", Selector: selector,
							Key: signers[selector], Simple: form == "simple"})
						if err != nil {
							t.Fatal(err)
						}
						r := request{Form: form, Selector: selector, name: name, raw: raw}
						r.Do, r.Message, r.Zone = "verify", latin1(string(field)+raw), records
						ask = append(ask, r)
						r.Do, r.Message, r.Key = "sign", latin1(raw), private[selector]
						ask = append(ask, r)
					}
				}
			}
			ours, theirs := 0, 0
			for i, got := range answers(t, p.run, ask) {
				r := ask[i]
				if r.Do == "verify" {
					if ours++; got != "pass" {
						t.Errorf("%s (%s, %s): %s says %q of ours", r.name, r.Selector, r.Form, peer, got)
					}
					continue
				}
				theirs++
				m := message.Parse([]byte(got+r.raw), message.Limits{})
				if v := Verify(context.Background(), zone, m, suiteTime, Limits{}); len(v) != 1 || v[0].Status != Pass {
					t.Errorf("%s (%s, %s): we refuse %s's: %+v\n%s", r.name, r.Selector, r.Form, peer, v, got)
				}
			}
			t.Logf("%s takes %d signatures of ours, we %d of its", peer, ours, theirs)
		})
	}
}

func answers(t *testing.T, run []string, ask []request) []string {
	t.Helper()
	in, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(run[0], run[1:]...)
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", run, err, stderr.String())
	}
	var list []string
	if err := json.Unmarshal(out, &list); err != nil || len(list) != len(ask) {
		t.Fatalf("%v: %v, %d answers to %d requests", run, err, len(list), len(ask))
	}
	return list
}

// latin1 carries octets through JSON: one character for each.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}
