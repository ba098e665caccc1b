package arc

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
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
	"sluice/message"
)

// TestMailDKIMHashes compares what we hash with what Mail::DKIM hashes, on sealed
// messages of the corpora whose keys are gone: header and body of message
// signatures, and the covered fields of seals. SLUICE_FULL asks for all messages.
func TestMailDKIMHashes(t *testing.T) {
	if err := exec.Command("perl", "-MMail::DKIM::ARC::Verifier", "-e", "1").Run(); err != nil {
		t.Skip("Mail::DKIM is missing (Debian: libmail-dkim-perl; scripts/install-test-deps)")
	}
	files := sealedFiles(t, 150)
	cmd := exec.Command("perl", "testdata/mailarc.pl")
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	got, err := cmd.Output()
	if err != nil {
		t.Fatalf("mailarc.pl: %v\n%s", err, stderr.String())
	}
	theirs := make(map[string][2]string)
	for line := range strings.Lines(string(got)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(f) == 4 {
			theirs[f[0]+"\t"+f[1]] = [2]string{f[2], f[3]}
		}
	}
	var messages, seals, equal int
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(canon.CRLF(data), message.Limits{})
		if bytes.Count(m.Raw, []byte{'\r'}) != bytes.Count(m.Raw, []byte("\r\n")) {
			continue // a bare CR is data here and white space there
		}
		v := &validator{m: canon.New(m.Raw, m.Header().Fields, m.Body(m.Parts[0]))}
		if _, err := v.collect(50); err != nil {
			continue
		}
		if _, err := v.structure(); err != nil {
			continue
		}
		compare := func(what string, b, header, body string) {
			want, ok := theirs[file+"\t"+b]
			if !ok {
				return
			}
			if what == "seal" {
				seals++
				want[1] = ""
			} else {
				messages++
			}
			if want == [2]string{header, body} {
				equal++
			} else {
				t.Errorf("%s: %s %.12s: header equal %v, body equal %v", file, what, b, want[0] == header, want[1] == body)
			}
		}
		for i, s := range v.sets {
			plain := func(v string) string { return strings.Join(strings.Fields(v), "") }
			b, _ := s.ams.Tags.Get("b")
			chosen := v.m.Select(s.ams.Names, s.message)
			body := v.m.HashBody([]canon.BodyRequest{{Canon: s.ams.Body, Hash: s.ams.Algorithm.Hash, Length: s.ams.Length}})[0]
			compare("message signature", plain(b), hex.EncodeToString(v.m.HashHeader(s.ams.Algorithm.Hash, s.ams.Header, chosen,
				s.ams.Field, s.ams.Tags.Place("b"))), hex.EncodeToString(body.Sum))
			b, _ = s.as.Tags.Get("b")
			compare("seal", plain(b), hex.EncodeToString(v.m.HashHeader(s.as.Algorithm.Hash, canon.Relaxed, v.sealed(1, i+1),
				s.as.Field, s.as.Tags.Place("b"))), "")
		}
	}
	t.Logf("%d messages; %d message signatures and %d seals that both read, %d with equal hashes", len(files), messages, seals, equal)
	if equal == 0 {
		t.Error("nothing was compared")
	}
}

func sealedFiles(t *testing.T, most int) []string {
	t.Helper()
	root := shared.Dir(t, "corpora")
	var all []string
	for _, corpus := range []string{"foff_milter", "kfcreview", "lists_2019_2026", "phishing_pot"} {
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
	var out []string
	step := 1
	if os.Getenv("SLUICE_FULL") == "" {
		step = 5
	}
	for i := 0; i < len(all) && (step == 1 || len(out) < most); i += step {
		data, err := os.ReadFile(all[i])
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytes.ToLower(data[:min(len(data), 64<<10)]), []byte("\narc-seal:")) {
			out = append(out, all[i])
		}
	}
	return out
}

// TestDkimpy has dkimpy validate chains that we made, sound and broken.
func TestDkimpy(t *testing.T) {
	python := "/usr/bin/python3"
	if exec.Command(python, "-c", "import dkim, nacl.signing").Run() != nil {
		t.Skip("dkimpy is missing (Debian: python3-dkim, python3-nacl; scripts/install-test-deps)")
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048) // dkimpy takes no Ed25519 in chains
	if err != nil {
		t.Fatal(err)
	}
	z := zoneOf(t, k, "a.example", "b.example")
	one := hopWith(t, k, z, plain, "a.example", nil)
	two := hopWith(t, k, z, one, "b.example", func(s string) string { return strings.Replace(s, "Lunch", "[list] Lunch", 1) + "footer\r\n" })
	ask := []string{plain, one, two, one + "x\r\n", strings.Replace(two, "cv=pass", "cv=none", 1), strings.Replace(two, "arc=none", "arc=pass", 1)}
	in, err := json.Marshal(map[string]any{"zone": z, "messages": ask})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/dkimpy.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dkimpy.py: %v\n%s", err, stderr.String())
	}
	var states []string
	if err := json.Unmarshal(out, &states); err != nil || len(states) != len(ask) {
		t.Fatalf("%v: %s", err, out)
	}
	for i, raw := range ask {
		if r := validate(z, raw); string(r.Status) != states[i] {
			t.Errorf("chain %d: we say %s (%s), dkimpy %s", i, r.Status, r.Problem, states[i])
		}
	}
}
