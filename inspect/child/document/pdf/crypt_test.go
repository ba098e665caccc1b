package pdf

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
)

// A file that opens with a word of the message, and with none but that. The suite's
// files show that the handler itself is right; this makes one whose password is
// known.
func TestPassword(t *testing.T) {
	h := &handler{version: 2, revision: 3, length: 128, owner: bytes.Repeat([]byte("o"), 32), permissions: 0xFFFFFFFC, id: []byte("id"), metadata: true}
	key := h.key("1234")
	sum := md5.Sum(append(bytes.Clone(padding), h.id...))
	user := rc(key, sum[:])
	for i := 1; i <= 19; i++ {
		user = rc(xor(key, byte(i)), user)
	}
	c := &crypt{key: key, version: 2}
	body := fmt.Sprintf("%%PDF-1.4\n1 0 obj<</Filter/Standard/V 2/R 3/Length 128/P -4/O<%x>/U<%x>>>endobj\n2 0 obj<</S/URI/URI<%x>>>endobj\n3 0 obj<</S/JavaScript/JS<%x>>>endobj\ntrailer<</Encrypt 1 0 R/ID[(id)(id)]>>\n",
		h.owner, append(user, make([]byte, 16)...), c.stream(2, 0, []byte("http://drop.example/")), c.stream(3, 0, []byte("code")))

	r := childtest.One(t, Decoder{}, "a.pdf", "pdf", []byte(body), "wrong", "1234")
	if len(r.Links) != 1 || r.Links[0].URL != "http://drop.example/" || !childtest.Has(r, inspect.PasswordWorked, "1234") || !childtest.Has(r, inspect.PDFScript, "code") {
		t.Errorf("%+v %+v", r.Links, r.Facts)
	}
	if !r.Files[0].Class.Has(inspect.Encrypted) {
		t.Error("not marked as encrypted")
	}
	// Without the password the names still say what there is.
	r = childtest.One(t, Decoder{}, "a.pdf", "pdf", []byte(body), "wrong")
	if len(r.Links) != 0 || !childtest.Has(r, inspect.EncryptedDocument, "RC4") || !childtest.Has(r, inspect.PDFScript, "") {
		t.Errorf("%+v %+v", r.Links, r.Facts)
	}
}
