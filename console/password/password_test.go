package password

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

func TestHashAndVerify(t *testing.T) {
	const word = "correct horse battery"
	h, err := Hash(rand.Reader, word)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Hash(rand.Reader, word)
	if err != nil || again == h {
		t.Errorf("two hashes of one password are equal: no salt (%v)", err)
	}
	if !Verify(h, word) {
		t.Error("the right password is refused")
	}
	for _, wrong := range []string{"", word + "x", word[1:], strings.ToUpper(word), strings.Repeat("x", 1<<20)} {
		if Verify(h, wrong) {
			t.Errorf("%.20q is taken for %q", wrong, word)
		}
	}
}

func TestHashLength(t *testing.T) {
	for _, p := range []string{"", "short", strings.Repeat("x", 257)} {
		if _, err := Hash(rand.Reader, p); !errors.Is(err, ErrLength) {
			t.Errorf("%d octets: %v", len(p), err)
		}
	}
}

func TestVerifyBadHashes(t *testing.T) {
	for _, h := range []string{
		"", "plain", "$argon2id$", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
		"$argon2id$v=18$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", // 4 TB
		"$argon2id$v=19$m=64,t=4294967295,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
		"$2a$10$abcdefghijklmnopqrstuv",
	} {
		if Verify(h, "anything at all") {
			t.Errorf("%q verifies", h)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=1")
	f.Fuzz(func(t *testing.T, hash string) {
		p, err := parse(hash)
		if err == nil && (p.memory > maxMemory || p.passes > maxPasses || len(p.sum) == 0 || p.lanes == 0) {
			t.Errorf("parse(%q) = %+v", hash, p)
		}
	})
}
