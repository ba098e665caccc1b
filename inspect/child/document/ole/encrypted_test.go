package ole

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"testing"

	"sluice/inspect"
	"sluice/inspect/child/childtest"
	"sluice/inspect/child/document/cfb/cfbtest"
)

// lock encrypts a package as Office does since 2010.
func lock(password, plain string, spins int) map[string]string {
	enc := func(key, iv, b []byte) []byte {
		for len(b)%aes.BlockSize != 0 {
			b = append(b, 0)
		}
		c, _ := aes.NewCipher(key)
		out := make([]byte, len(b))
		cipher.NewCBCEncrypter(c, iv).CryptBlocks(out, b)
		return out
	}
	salt, data, key, verifier := []byte("salt of password"), []byte("salt of the data"), []byte("a key of 32 bytes for the packag"), []byte("verifier 16 long")
	sum := sha512.Sum512(append(bytes.Clone(salt), utf16le(password)...))
	for i := range spins {
		sum = sha512.Sum512(append(binary.LittleEndian.AppendUint32(nil, uint32(i)), sum[:]...))
	}
	part := func(block, b []byte) string {
		k := sha512.Sum512(append(bytes.Clone(sum[:]), block...))
		return base64.StdEncoding.EncodeToString(enc(k[:32], salt, bytes.Clone(b)))
	}
	hash := sha512.Sum512(verifier)
	common := `blockSize="16" keyBits="256" hashSize="64" cipherAlgorithm="AES" cipherChaining="ChainingModeCBC" hashAlgorithm="SHA512"`
	info := "\x04\x00\x04\x00\x40\x00\x00\x00" + fmt.Sprintf(`<encryption><keyData %s saltValue="%s"/><keyEncryptors><p:encryptedKey %s spinCount="%d" saltValue="%s" encryptedVerifierHashInput="%s" encryptedVerifierHashValue="%s" encryptedKeyValue="%s"/></keyEncryptors></encryption>`,
		common, base64.StdEncoding.EncodeToString(data), common, spins, base64.StdEncoding.EncodeToString(salt), part(forInput, verifier), part(forValue, hash[:]), part(forKey, key))
	body := binary.LittleEndian.AppendUint64(nil, uint64(len(plain)))
	for i := 0; i*segment < len(plain); i++ {
		iv := sha512.Sum512(binary.LittleEndian.AppendUint32(bytes.Clone(data), uint32(i)))
		body = append(body, enc(key, iv[:16], []byte(plain[i*segment:min((i+1)*segment, len(plain))]))...)
	}
	return map[string]string{"EncryptionInfo": info, "EncryptedPackage": string(body)}
}

func TestPassword(t *testing.T) {
	plain := "PK\x03\x04" + string(bytes.Repeat([]byte("inert "), 1500))
	for _, c := range []struct {
		password string
		kind     inspect.Kind
		files    int
	}{
		{"1234", inspect.PasswordWorked, 2},
		{standing, inspect.ObjectObfuscated, 2},
		{"unknown", inspect.EncryptedDocument, 1},
	} {
		r := childtest.One(t, Decoder{}, "bill.xlsx", "ole", cfbtest.Build(lock(c.password, plain, 1000)), "wrong", "1234")
		if !childtest.Has(r, c.kind, "") || !childtest.Has(r, inspect.EncryptedDocument, "") || len(r.Files) != c.files || !r.Files[0].Class.Has(inspect.Encrypted) {
			t.Errorf("%s: %+v, %d files", c.password, r.Facts, len(r.Files))
		}
		if c.files == 2 && (r.Files[1].Size != int64(len(plain)) || !r.Files[1].Encrypted) {
			t.Errorf("%s: %+v", c.password, r.Files[1])
		}
	}
	// Who asks for more hashes than anybody needs is not served.
	if r := childtest.One(t, Decoder{}, "bill.xlsx", "ole", cfbtest.Build(bigger(lock("1234", plain, 10)))); len(r.Files) != 1 {
		t.Error("opened")
	}
}

func bigger(m map[string]string) map[string]string {
	m["EncryptionInfo"] = string(bytes.ReplaceAll([]byte(m["EncryptionInfo"]), []byte(`spinCount="10"`), []byte(`spinCount="999999999"`)))
	return m
}

func FuzzAgile(f *testing.F) {
	m := lock("1234", "plain", 10)
	f.Add([]byte(m["EncryptionInfo"]), []byte(m["EncryptedPackage"]))
	f.Fuzz(func(t *testing.T, info, body []byte) {
		a, ok := parseAgile(info)
		if !ok || a.spins > 1000 || len(body) < 8 {
			return
		}
		if key := a.unlock("1234"); key != nil {
			a.decrypt(key, body)
		}
	})
}
