package dialect

import "encoding/hex"

// hash is a small hash of what a fingerprint speaks of: FNV-1a with a finish that
// spreads the last octets. It isn't secret: who wants another's fingerprint can
// just as well speak as the other does.
type hash uint64

func newHash() hash { return 14695981039346656037 }

func (h *hash) add(b byte) { *h = (*h ^ hash(b)) * 1099511628211 }

func (h *hash) add16(v uint16) {
	h.add(byte(v >> 8))
	h.add(byte(v))
}

// String is ten hex digits.
func (h hash) String() string {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	var b [5]byte
	for i := range b {
		b[i] = byte(h >> (8 * i))
	}
	return hex.EncodeToString(b[:])
}
