package scam

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"golang.org/x/crypto/sha3"
)

// maxCandidates bounds how many strings are put through a checksum.
const maxCandidates = 32

// coinAddress finds the first valid address of a coin in text: Bitcoin in base58 with
// a double SHA-256 (P2PKH, P2SH) or bech32 (BIP 173, BIP 350), Ethereum (EIP-55),
// Tron. Checksums make false finds next to impossible.
func coinAddress(text string) string {
	tried := 0
	// No run of shortestCoin letters and digits lies between two places that far apart.
	for at := shortestCoin - 1; at < len(text); at += shortestCoin {
		if !alnum(text[at]) {
			continue
		}
		i, j := at, at
		for i > 0 && alnum(text[i-1]) {
			i--
		}
		for j < len(text) && alnum(text[j]) {
			j++
		}
		w := text[i:j]
		at = j
		if len(w) < shortestCoin || len(w) > 74 || strings.IndexByte("013bBT", w[0]) < 0 {
			continue
		}
		if tried++; tried > maxCandidates {
			return ""
		}
		if validBase58(w) || validBech32(w) || validEther(w) {
			return w
		}
	}
	return ""
}

// shortestCoin is the length of the shortest address.
const shortestCoin = 26

func alnum(c byte) bool { return alnums[c] }

var alnums = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
	}
	return t
}()

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
	if raw[0] != 0 && raw[0] != 5 && raw[0] != 0x41 { // P2PKH, P2SH, Tron
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

// validEther says whether s is an Ethereum address. Capitals are a checksum of the
// digits (EIP-55); one in letters of one case has none.
func validEther(s string) bool {
	if len(s) != 42 || s[0] != '0' || s[1]|0x20 != 'x' {
		return false
	}
	s = s[2:]
	low := strings.ToLower(s)
	if _, err := hex.DecodeString(low); err != nil {
		return false
	}
	if s == low || s == strings.ToUpper(s) {
		return strings.ContainsAny(low, "abcdef") && strings.ContainsAny(low, "123456789")
	}
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(low))
	sum := hex.EncodeToString(h.Sum(nil))
	for i := range len(s) {
		if c := low[i]; c >= 'a' && (sum[i] >= '8') != (s[i] != c) {
			return false
		}
	}
	return true
}
