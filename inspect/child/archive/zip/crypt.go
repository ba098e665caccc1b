package zip

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"
	"hash/crc32"
)

// openOld decrypts the encryption of APPNOTE 6.1 and checks the one byte that the
// header offers; nil where it doesn't fit.
func openOld(e *entry, packed []byte, password string) []byte {
	if len(packed) < 12 {
		return nil
	}
	k := newKeys(password)
	var head [12]byte
	for i := range head {
		head[i] = k.decrypt(packed[i])
	}
	want := byte(e.crc >> 24)
	if e.later() {
		want = byte(e.dos >> 8)
	}
	if head[11] != want && head[11] != byte(e.crc>>24) {
		return nil
	}
	out := make([]byte, len(packed)-12)
	for i := range out {
		out[i] = k.decrypt(packed[12+i])
	}
	return out
}

type keys [3]uint32

func newKeys(password string) *keys {
	k := &keys{0x12345678, 0x23456789, 0x34567890}
	for i := range len(password) {
		k.update(password[i])
	}
	return k
}

func (k *keys) update(c byte) {
	k[0] = crc32.IEEETable[byte(k[0])^c] ^ k[0]>>8
	k[1] = (k[1]+k[0]&0xff)*134775813 + 1
	k[2] = crc32.IEEETable[byte(k[2])^byte(k[1]>>24)] ^ k[2]>>8
}

func (k *keys) stream() byte {
	t := uint16(k[2]) | 2
	return byte(t * (t ^ 1) >> 8)
}

func (k *keys) decrypt(c byte) byte {
	c ^= k.stream()
	k.update(c)
	return c
}

// aesExtra reads the field of WinZip's encryption: strength 1 to 3 for 128 to 256
// bits, and the method of what is inside.
func aesExtra(e *entry) (strength byte, method uint16, ok bool) {
	x, ok := e.field(0x9901)
	if !ok || len(x) < 7 || x[4] < 1 || x[4] > 3 {
		return 0, 0, false
	}
	return x[4], binary.LittleEndian.Uint16(x[5:]), true
}

// openAES decrypts and authenticates; nil where the password doesn't fit.
func openAES(packed []byte, password string, strength byte) []byte {
	n := 8 + 8*int(strength) // of the key
	salt := n / 2
	if len(packed) < salt+2+10 {
		return nil
	}
	key, err := pbkdf2.Key(sha1.New, password, packed[:salt], 1000, 2*n+2)
	if err != nil || subtle.ConstantTimeCompare(key[2*n:], packed[salt:salt+2]) == 0 {
		return nil
	}
	data := packed[salt+2 : len(packed)-10]
	mac := hmac.New(sha1.New, key[n:2*n])
	mac.Write(data)
	if !hmac.Equal(mac.Sum(nil)[:10], packed[len(packed)-10:]) {
		return nil
	}
	block, err := aes.NewCipher(key[:n])
	if err != nil {
		return nil
	}
	// Counter mode, counting from 1 with the low byte first.
	out := make([]byte, len(data))
	var counter, pad [16]byte
	for at := 0; at < len(data); at += 16 {
		binary.LittleEndian.PutUint64(counter[:], uint64(at/16)+1)
		block.Encrypt(pad[:], counter[:])
		subtle.XORBytes(out[at:], data[at:min(at+16, len(data))], pad[:])
	}
	return out
}
