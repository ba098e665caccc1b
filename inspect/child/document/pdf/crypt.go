package pdf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

// crypt undoes the standard handler of encryption, ISO 32000-1 7.6 and 32000-2 7.6.
type crypt struct {
	key     []byte
	version int  // 5: keys are not mixed with the object's number
	aes     bool // for streams and strings alike
	none    bool // streams and strings are not encrypted
}

// padding fills passwords, 7.6.3.3.
var padding = []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")

// handler is what the file says about its encryption.
type handler struct {
	version, revision, length int
	owner, user, oe, ue       []byte
	permissions               uint32
	id                        []byte
	metadata                  bool
}

// unlock tries a password as the user's; nil where it is wrong.
func (h *handler) unlock(password string) []byte {
	if h.revision >= 5 {
		return h.unlock5(password)
	}
	key := h.key(password)
	var want []byte
	if h.revision == 2 {
		want = rc(key, padding)
	} else {
		sum := md5.Sum(append(bytes.Clone(padding), h.id...))
		want = rc(key, sum[:])
		for i := 1; i <= 19; i++ {
			want = rc(xor(key, byte(i)), want)
		}
	}
	if len(h.user) < 16 || !bytes.Equal(want[:16], h.user[:16]) {
		return nil
	}
	return key
}

// key is algorithm 2 of 7.6.3.3.
func (h *handler) key(password string) []byte {
	m := md5.New()
	m.Write(append([]byte(password), padding...)[:32])
	m.Write(h.owner[:min(len(h.owner), 32)])
	m.Write(binary.LittleEndian.AppendUint32(nil, h.permissions))
	m.Write(h.id)
	if h.revision >= 4 && !h.metadata {
		m.Write([]byte{0xFF, 0xFF, 0xFF, 0xFF})
	}
	sum := m.Sum(nil)
	n := min(max(h.length/8, 5), 16)
	if h.revision == 2 {
		n = 5
	}
	if h.revision >= 3 {
		for range 50 {
			s := md5.Sum(sum[:n])
			sum = s[:]
		}
	}
	return sum[:n]
}

// unlock5 is algorithm 2.A of ISO 32000-2 7.6.4.3.3.
func (h *handler) unlock5(password string) []byte {
	if len(h.user) < 48 || len(h.ue) < 32 {
		return nil
	}
	p := []byte(password[:min(len(password), 127)])
	check := h.hash(p, h.user[32:40])
	if !bytes.Equal(check, h.user[:32]) {
		return nil
	}
	block, err := aes.NewCipher(h.hash(p, h.user[40:48]))
	if err != nil {
		return nil
	}
	key := make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(key, h.ue[:32])
	return key
}

// hash is algorithm 2.B of ISO 32000-2 7.6.4.3.4.
func (h *handler) hash(password, salt []byte) []byte {
	sum := sha256.Sum256(append(bytes.Clone(password), salt...))
	k := sum[:]
	if h.revision < 6 {
		return k
	}
	for round := range 400 {
		one := append(bytes.Clone(password), k...)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		e := bytes.Repeat(one, 64)
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(e, e)
		mod := 0
		for _, c := range e[:16] {
			mod += int(c)
		}
		switch mod % 3 {
		case 0:
			s := sha256.Sum256(e)
			k = s[:]
		case 1:
			s := sha512.Sum384(e)
			k = s[:]
		default:
			s := sha512.Sum512(e)
			k = s[:]
		}
		if round >= 63 && int(e[len(e)-1]) <= round-31 {
			break
		}
	}
	return k[:32]
}

func rc(key, b []byte) []byte {
	c, err := rc4.NewCipher(key)
	if err != nil {
		return b
	}
	out := make([]byte, len(b))
	c.XORKeyStream(out, b)
	return out
}

func xor(key []byte, v byte) []byte {
	out := bytes.Clone(key)
	for i := range out {
		out[i] ^= v
	}
	return out
}

// stream decrypts the bytes of a stream or string of an object, 7.6.2.
func (c *crypt) stream(number, gen int, b []byte) []byte {
	if c.none {
		return b
	}
	key := c.key
	if c.version < 5 {
		mix := append(bytes.Clone(key), byte(number), byte(number>>8), byte(number>>16), byte(gen), byte(gen>>8))
		if c.aes {
			mix = append(mix, "sAlT"...)
		}
		sum := md5.Sum(mix)
		key = sum[:min(len(c.key)+5, 16)]
	}
	if !c.aes {
		return rc(key, b)
	}
	if len(b) < 32 {
		return nil
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	body := b[16:]
	body = body[:len(body)&^15]
	out := make([]byte, len(body))
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(out, body)
	if n := int(out[len(out)-1]); n >= 1 && n <= 16 {
		out = out[:len(out)-n]
	}
	return out
}
