package ole

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/xml"
	"hash"
	"slices"
	"strconv"
	"unicode/utf16"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Bounds on trying passwords: each costs up to maxSpins hashes.
const (
	maxSpins     = 200_000
	maxPasswords = 12
)

// standing is the password with which Excel opens workbooks without asking. Who
// encrypts with it wants readers to see the document, and scanners not to.
const standing = "VelvetSweatshop"

// package_ opens an encrypted document where a password of the message or the
// standing one fits, [MS-OFFCRYPTO] 2.3.4.10. What is within is a file of its own.
func (f *file) package_(dir string, b []byte) error {
	f.encrypted("EncryptedPackage")
	e, ok := f.Find(dir + "EncryptionInfo")
	if !ok || len(b) < 8 {
		return nil
	}
	info := f.Read(e, 64<<10)
	if err := f.w.Charge(len(info)); err != nil {
		return err
	}
	a, ok := parseAgile(info)
	if !ok {
		return nil
	}
	passwords := append([]string{standing}, f.w.Passwords()...)
	for i, p := range passwords[:min(len(passwords), maxPasswords)] {
		if err := f.w.Err(); err != nil {
			return err
		}
		key := a.unlock(p)
		if key == nil {
			continue
		}
		if i == 0 {
			f.w.Fact(inspect.ObjectObfuscated, "encrypted with the password that Excel tries by itself")
		} else {
			f.w.Fact(inspect.PasswordWorked, p)
		}
		plain := a.decrypt(key, b)
		if err := f.w.Charge(len(plain)); err != nil {
			return err
		}
		return f.emit(child.Entry{Name: f.w.Name(), Method: "aes", Size: -1, Encrypted: true, Bytes: plain})
	}
	return nil
}

// agile is the description of an encrypted package, [MS-OFFCRYPTO] 2.3.4.10.
type agile struct {
	data, pass params
	spins      int
	input      []byte // encrypted verifier
	value      []byte // encrypted hash of it
	key        []byte // encrypted key
}

// params say how one thing is encrypted.
type params struct {
	salt  []byte
	block int
	bits  int
	hash  func() hash.Hash
}

var hashes = map[string]func() hash.Hash{"SHA1": sha1.New, "SHA-1": sha1.New, "SHA256": sha256.New, "SHA384": sha512.New384, "SHA512": sha512.New}

func parseAgile(b []byte) (*agile, bool) {
	if len(b) < 8 || binary.LittleEndian.Uint32(b) != 0x00040004 {
		return nil, false
	}
	var a agile
	d := xml.NewDecoder(bytes.NewReader(b[8:]))
	d.Strict = false
	for range 1000 {
		t, err := d.RawToken()
		if err != nil {
			break
		}
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "keyData" && e.Name.Local != "encryptedKey" {
			continue
		}
		attr := map[string]string{}
		for _, x := range e.Attr {
			attr[x.Name.Local] = x.Value
		}
		raw := func(k string) []byte { v, _ := base64.StdEncoding.DecodeString(attr[k]); return v }
		number := func(k string) int { v, _ := strconv.Atoi(attr[k]); return v }
		p := params{salt: raw("saltValue"), block: number("blockSize"), bits: number("keyBits"), hash: hashes[attr["hashAlgorithm"]]}
		if attr["cipherAlgorithm"] != "AES" || attr["cipherChaining"] != "ChainingModeCBC" || p.hash == nil || p.block != aes.BlockSize || len(p.salt) != aes.BlockSize || !slices.Contains([]int{128, 192, 256}, p.bits) {
			return nil, false
		}
		if e.Name.Local == "keyData" {
			a.data = p
			continue
		}
		a.pass, a.spins = p, number("spinCount")
		a.input, a.value, a.key = raw("encryptedVerifierHashInput"), raw("encryptedVerifierHashValue"), raw("encryptedKeyValue")
	}
	ok := a.data.hash != nil && a.pass.hash != nil && a.spins >= 0 && a.spins <= maxSpins && len(a.input) >= 16 && len(a.value) >= 16 && len(a.key) >= 16
	return &a, ok
}

// The keys for what a password opens, [MS-OFFCRYPTO] 2.3.4.13.
var (
	forInput = []byte{0xFE, 0xA7, 0xD2, 0x76, 0x3B, 0x4B, 0x9E, 0x79}
	forValue = []byte{0xD7, 0xAA, 0x0F, 0x6D, 0x30, 0x61, 0x34, 0x4E}
	forKey   = []byte{0x14, 0x6E, 0x0B, 0xE7, 0xAB, 0xAC, 0xD0, 0xD6}
)

// unlock tries a password; nil where it is wrong.
func (a *agile) unlock(password string) []byte {
	p := a.pass
	h := p.hash()
	h.Write(p.salt)
	h.Write(utf16le(password))
	sum := h.Sum(nil)
	var n [4]byte
	for i := range a.spins {
		binary.LittleEndian.PutUint32(n[:], uint32(i))
		h.Reset()
		h.Write(n[:])
		h.Write(sum)
		sum = h.Sum(sum[:0])
	}
	open := func(block, b []byte) []byte {
		h.Reset()
		h.Write(sum)
		h.Write(block)
		return cbc(fit(h.Sum(nil), p.bits/8), p.salt, b)
	}
	input, value := open(forInput, a.input), open(forValue, a.value)
	h.Reset()
	h.Write(input[:min(len(p.salt), len(input))])
	if want := h.Sum(nil); len(value) < len(want) || !bytes.Equal(want, value[:len(want)]) {
		return nil
	}
	key := open(forKey, a.key)
	return key[:min(len(key), a.data.bits/8)]
}

// segment is how many bytes of a package are encrypted together.
const segment = 4096

// decrypt undoes an EncryptedPackage: its size, then segments with a vector each.
func (a *agile) decrypt(key, b []byte) []byte {
	size := binary.LittleEndian.Uint64(b)
	b = b[8:]
	out := make([]byte, 0, len(b))
	for i := uint32(0); len(b) >= aes.BlockSize; i++ {
		h := a.data.hash()
		h.Write(a.data.salt)
		h.Write(binary.LittleEndian.AppendUint32(nil, i))
		part := b[:min(len(b), segment)]
		b = b[len(part):]
		out = append(out, cbc(key, fit(h.Sum(nil), aes.BlockSize), part)...)
	}
	return out[:min(uint64(len(out)), size)]
}

// fit makes a sum as long as is needed, [MS-OFFCRYPTO] 2.3.4.11.
func fit(b []byte, n int) []byte {
	for len(b) < n {
		b = append(b, 0x36)
	}
	return b[:n]
}

func cbc(key, iv, b []byte) []byte {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	out := make([]byte, len(b)&^(aes.BlockSize-1))
	cipher.NewCBCDecrypter(c, iv).CryptBlocks(out, b[:len(out)])
	return out
}

func utf16le(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}
