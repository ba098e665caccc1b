package text

import (
	"crypto/sha256"
	"strings"
)

// maxCandidates bounds how many strings are put through a checksum.
const maxCandidates = 32

// bitcoinAddress finds the first valid Bitcoin address in text: base58 with a
// double SHA-256 (P2PKH, P2SH) or bech32 (BIP 173, BIP 350). Checksums make
// false finds next to impossible.
func bitcoinAddress(text string) string {
	tried := 0
	for i := 0; i < len(text); {
		if !alnum(text[i]) {
			i++
			continue
		}
		j := i
		for j < len(text) && alnum(text[j]) {
			j++
		}
		if w := text[i:j]; len(w) >= 26 && len(w) <= 74 && (w[0] == '1' || w[0] == '3' || w[0]|0x20 == 'b') {
			if tried++; tried > maxCandidates {
				return ""
			}
			if validBase58(w) || validBech32(w) {
				return w
			}
		}
		i = j
	}
	return ""
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

func validBase58(s string) bool {
	if len(s) > 35 {
		return false
	}
	var raw [25]byte // version, 20 octets, checksum
	for i := 0; i < len(s); i++ {
		carry := strings.IndexByte(base58, s[i])
		if carry < 0 {
			return false
		}
		for k := len(raw) - 1; k >= 0; k-- {
			carry += 58 * int(raw[k])
			raw[k] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	if raw[0] != 0 && raw[0] != 5 {
		return false
	}
	once := sha256.Sum256(raw[:21])
	twice := sha256.Sum256(once[:])
	return string(twice[:4]) == string(raw[21:])
}

const bech32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

func validBech32(s string) bool {
	low := strings.ToLower(s)
	if !strings.HasPrefix(low, "bc1") || low != s && strings.ToUpper(s) != s || len(s) < 42 {
		return false
	}
	c := uint32(1)
	step := func(v byte) {
		top := c >> 25
		c = c&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				c ^= g
			}
		}
	}
	for _, v := range [...]byte{'b' >> 5, 'c' >> 5, 0, 'b' & 31, 'c' & 31} { // the prefix, expanded
		step(v)
	}
	for i := 3; i < len(low); i++ {
		v := strings.IndexByte(bech32, low[i])
		if v < 0 {
			return false
		}
		step(byte(v))
	}
	return c == 1 || c == 0x2bc830a3
}
