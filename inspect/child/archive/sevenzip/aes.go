package sevenzip

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"unicode/utf16"
)

// maxPower bounds the rounds of the key: 7-Zip uses 2^19. More than 2^22 would be
// there to cost time.
const maxPower = 22

// maxRounds bounds those of all keys of one archive: 48 passwords at 2^19, some two
// seconds.
const maxRounds = 48 << 19

// decrypt undoes AES-256-CBC with the key that SHA-256 makes of the password.
func (a *archive) decrypt(r io.Reader, props []byte, password string) (io.Reader, error) {
	if len(props) < 1 {
		return nil, errHeader
	}
	power := props[0] & 0x3f
	var salt, iv []byte
	if props[0]&0xc0 != 0 {
		if len(props) < 2 {
			return nil, errHeader
		}
		n := int(props[0]>>7&1) + int(props[1]>>4)
		m := int(props[0]>>6&1) + int(props[1]&15)
		if len(props) < 2+n+m {
			return nil, errHeader
		}
		salt, iv = props[2:2+n], props[2+n:2+n+m]
	}
	key, err := a.key(password, salt, power)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	var start [16]byte
	copy(start[:], iv)
	return &cbc{r: r, mode: cipher.NewCBCDecrypter(block, start[:])}, nil
}

// key makes and remembers keys: folders of an archive often share the salt, and one
// key takes a large part of a second.
func (a *archive) key(password string, salt []byte, power byte) ([]byte, error) {
	id := string(power) + string(salt) + "\x00" + password
	if k, ok := a.cached[id]; ok {
		return k, nil
	}
	var pass []byte
	for _, u := range utf16.Encode([]rune(password)) {
		pass = binary.LittleEndian.AppendUint16(pass, u)
	}
	var key []byte
	switch {
	case power == 0x3f:
		key = make([]byte, 32)
		copy(key[copy(key, salt):], pass)
	case power > maxPower || a.rounds+1<<power > maxRounds:
		return nil, a.w.Steps()
	default:
		a.rounds += 1 << power
		h := sha256.New()
		round := append(append([]byte{}, salt...), pass...)
		at := len(round)
		round = append(round, make([]byte, 8)...)
		for i := uint64(0); i < 1<<power; i++ {
			if i%(1<<16) == 0 {
				if err := a.w.Err(); err != nil {
					return nil, err
				}
			}
			binary.LittleEndian.PutUint64(round[at:], i)
			h.Write(round)
		}
		key = h.Sum(nil)
	}
	if len(a.cached) > 100 {
		clear(a.cached)
	}
	a.cached[id] = key
	return key, nil
}

// cbc decrypts whole blocks; what is left at the end is no block and is dropped.
type cbc struct {
	r    io.Reader
	mode cipher.BlockMode
	buf  []byte
	out  int
	done int
	err  error
}

func (c *cbc) Read(p []byte) (int, error) {
	for c.out == c.done {
		if c.err != nil {
			return 0, c.err
		}
		c.buf = append(c.buf[:0], c.buf[c.done:]...)
		have := len(c.buf)
		if cap(c.buf) < 32<<10 {
			c.buf = append(make([]byte, 0, 32<<10), c.buf...)
		}
		n, err := c.r.Read(c.buf[have:cap(c.buf)])
		c.buf = c.buf[:have+n]
		c.err = err
		c.out, c.done = 0, len(c.buf)&^15
		c.mode.CryptBlocks(c.buf[:c.done], c.buf[:c.done])
	}
	n := copy(p, c.buf[c.out:c.done])
	c.out += n
	return n, nil
}
