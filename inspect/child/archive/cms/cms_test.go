package cms

import (
	"encoding/base64"
	"os/exec"
	"strings"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// der writes an element.
func der(tag byte, body ...string) string {
	s := strings.Join(body, "")
	if len(s) < 0x80 {
		return string([]byte{tag, byte(len(s))}) + s
	}
	return string([]byte{tag, 0x82, byte(len(s) >> 8), byte(len(s))}) + s
}

// loose writes one of indefinite length.
func loose(tag byte, body ...string) string {
	return string([]byte{tag, 0x80}) + strings.Join(body, "") + "\x00\x00"
}

const entityText = "Content-Type: text/plain\r\n\r\nHello\r\n"

func wrap(put func(byte, ...string) string, content string) string {
	return put(0x30, der(6, signed), put(0xa0, put(0x30, der(2, "\x01"), der(0x31), put(0x30, der(6, data), content))))
}

func TestOpen(t *testing.T) {
	pieces := loose(0x24, der(4, entityText[:10]), der(4, entityText[10:]))
	for _, c := range []struct{ name, in, want string }{
		{"signed", wrap(der, der(0xa0, der(4, entityText))), "content.eml"},
		{"in pieces", wrap(loose, loose(0xa0, pieces)), "content.eml"},
		{"armour", "-----BEGIN PKCS7-----\n" + base64.StdEncoding.EncodeToString([]byte(wrap(der, der(0xa0, der(4, entityText))))) + "\n-----END PKCS7-----\n", "content.eml"},
		{"detached", wrap(der, ""), ""},
		{"other content", wrap(der, der(0xa0, der(4, "inert"))), "x"},
		{"encrypted", der(0x30, der(6, enveloped), der(0xa0, "x")), ""},
	} {
		r := childtest.One(t, New(), "x.p7m", inspect.PKCS7, []byte(c.in))
		got := ""
		if len(r.Files) > 1 {
			got = r.Files[1].Name
		}
		if got != c.want || childtest.Has(r, inspect.Damaged, "") {
			t.Errorf("%s: %q, want %q (%v)", c.name, got, c.want, r.Facts)
		}
		if c.want == "content.eml" && (r.Files[1].Size != int64(len(entityText)) || r.Files[1].Type != inspect.Mail) {
			t.Errorf("%s: %+v", c.name, r.Files[1])
		}
		if enc := c.name == "encrypted"; enc != r.Files[0].Class.Has(inspect.Encrypted) {
			t.Errorf("%s: class %v", c.name, r.Files[0].Class)
		}
	}
}

// What openssl signs is unwrapped.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	run := func(in string, args ...string) []byte {
		c := exec.Command("openssl", args...)
		c.Dir, c.Stdin = dir, strings.NewReader(in)
		out, err := c.Output()
		if err != nil {
			t.Skipf("openssl doesn't run: %v", err)
		}
		return out
	}
	run("", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", "k", "-out", "c")
	for _, args := range []string{"-nodetach", "-nodetach -stream"} {
		b := run(entityText, append(strings.Fields("cms -sign -signer c -inkey k -outform DER -binary"), strings.Fields(args)...)...)
		r := childtest.One(t, New(), "smime.p7m", inspect.PKCS7, b)
		if len(r.Files) != 2 || r.Files[1].Size != int64(len(entityText)) {
			t.Errorf("%s: %+v", args, r)
		}
	}
}

func FuzzCMS(f *testing.F) {
	f.Add([]byte(wrap(der, der(0xa0, der(4, entityText)))))
	f.Add([]byte(wrap(loose, loose(0xa0, loose(0x24, der(4, "a"), loose(0x24, der(4, "b")))))))
	f.Fuzz(func(t *testing.T, b []byte) { childtest.Bytes(t, New(), inspect.PKCS7, b) })
}
