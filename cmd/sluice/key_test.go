package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/mailauth/key"
)

// sluiceRun runs a command as a shell would.
func sluiceRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func TestKey(t *testing.T) {
	for _, typ := range []string{"rsa", "ed25519"} {
		file := filepath.Join(t.TempDir(), "k.pem")
		name := []string{"--domain", "Bücher.example", "--selector", "2027a"}
		code, made, stderr := sluiceRun(t, append([]string{"key", "new", "--type", typ, "--out", file}, name...)...)
		if code != 0 {
			t.Fatalf("%s: %s", typ, stderr)
		}
		if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", typ, st, err)
		}
		if !strings.HasPrefix(made, "name  2027a._domainkey.xn--bcher-kva.example\ntype  TXT\ntext  v=DKIM1; k="+typ+"; p=") {
			t.Errorf("%s: %s", typ, made)
		}
		for line := range strings.Lines(made) {
			if q := strings.Split(line, `"`); len(q) > 2 && len(q[1]) > 255 {
				t.Errorf("a string of %d octets", len(q[1]))
			}
		}
		// What is printed is the key's own, and verifiers can read it.
		_, rest, _ := strings.Cut(made, "text  ")
		text, _, _ := strings.Cut(rest, "\n")
		k, err := build.ReadKey(file)
		if err != nil {
			t.Fatal(err)
		}
		record, err := key.Parse(text)
		if err != nil || !cmp.Equal(k.Public(), record.Public) {
			t.Errorf("%s: %v, %+v", typ, err, record)
		}
		if code, shown, stderr := sluiceRun(t, append([]string{"key", "show", file}, name...)...); code != 0 || shown != made {
			t.Errorf("%s: show prints %s%s", typ, shown, stderr)
		}
		before, _ := os.ReadFile(file)
		if code, _, stderr := sluiceRun(t, append([]string{"key", "new", "--out", file}, name...)...); code == 0 || !strings.Contains(stderr, "must not be overwritten") {
			t.Errorf("%s: again: %d %s", typ, code, stderr)
		}
		if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
			t.Errorf("%s: the key was overwritten", typ)
		}
	}
}

func TestKeyErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "k.pem")
	open, junk := filepath.Join(dir, "open.pem"), filepath.Join(dir, "junk.pem")
	for _, f := range []string{open, junk} {
		if err := os.WriteFile(f, []byte("not a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o604); err != nil {
		t.Fatal(err)
	}
	name := []string{"--domain", "a.example", "--selector", "s"}
	for want, args := range map[string][]string{
		"is no domain name":    {"key", "new", "--domain", "a b", "--selector", "s", "--out", file},
		"the selector":         {"key", "new", "--domain", "a.example", "--selector", "a b", "--out", file},
		"want 2048 to 4096":    append([]string{"key", "new", "--bits", "1024", "--out", file}, name...),
		"--type":               append([]string{"key", "new", "--type", "dsa", "--out", file}, name...),
		"no such file":         append([]string{"key", "show", file}, name...),
		"no such file or":      append([]string{"key", "new", "--out", filepath.Join(dir, "none", "k.pem")}, name...),
		"(mode 0604); chmod":   append([]string{"key", "show", open}, name...),
		"junk.pem: key: no PE": append([]string{"key", "show", junk}, name...),
	} {
		if code, _, stderr := sluiceRun(t, args...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a key was left behind")
	}
}

// TestSigner signs by date: the next key takes over at its time, and a domain
// without a key that is due gets no signature.
func TestSigner(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	for _, s := range []struct{ selector, from string }{{"old", "2026-01-01"}, {"new", "2027-01-01"}} {
		file := filepath.Join(dir, s.selector+".pem")
		if code, _, stderr := sluiceRun(t, "key", "new", "--type", "ed25519", "--domain", "a.example", "--selector", s.selector, "--out", file); code != 0 {
			t.Fatal(stderr)
		}
		text.WriteString("[[sign]]\ndomain = \"a.example\"\nselector = \"" + s.selector + "\"\nkey = \"" + file + "\"\nnot_before = \"" + s.from + "\"\n")
	}
	cfg, err := config.Parse("x", []byte(text.String()), config.Flags{})
	if err != nil {
		t.Fatal(err)
	}
	sign, err := build.Signer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	raw := []byte("From: ann@a.example\r\nSubject: x\r\n\r\nhello\r\n")
	for date, want := range map[string]string{"2025-12-31": "", "2026-01-01": "s=old;", "2026-12-31": "s=old;", "2027-01-01": "s=new;"} {
		now, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		fields, err := sign(raw, "A.example", now)
		if err != nil || (want == "") != (len(fields) == 0) || !strings.Contains(string(fields), want) || strings.Count(string(fields), "DKIM-Signature:") > 1 {
			t.Errorf("%s: %v %s", date, err, fields)
		}
	}
	if fields, err := sign(raw, "b.example", time.Now()); err != nil || fields != nil {
		t.Errorf("b.example: %v %s", err, fields)
	}
	if err := os.Chmod(filepath.Join(dir, "new.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := build.Signer(cfg); err == nil || !strings.Contains(err.Error(), "the key of a.example, selector new: ") {
		t.Errorf("an open key: %v", err)
	}
}

// TestLoginNeedsTLS is what an admin reads who would send a password in the open.
func TestLoginNeedsTLS(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("secret\r\nsecond line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for tls, want := range map[string]string{"may": "needs TLS that is verified", "none": "needs TLS that is verified", "verify": ""} {
		cfg, err := config.Parse("x", []byte("hostname = \"mx.a.example\"\n[[domain]]\nnames = [\"a.example\"]\nrelay = [\"smtp://smart.example:587\"]\nuser = \"u\"\npassword_file = \""+
			file+"\"\ntls = \""+tls+"\"\n"), config.Flags{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = build.Routes(cfg)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", tls, err)
		}
	}
}
