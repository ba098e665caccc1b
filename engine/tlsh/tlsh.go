// Package tlsh computes and compares TLSH digests: fingerprints of files that stay
// close to each other while the files do (Oliver, Cheng, Chen: TLSH, a Locality
// Sensitive Hash, 2013). This is the common form: 128 buckets, one octet of checksum,
// written as "T1" and 70 hexadecimal digits.
//
// A distance of 0 is the same file nearly always, up to 30 a variant mostly, from 100
// on nothing. Near is not the same: a digest finds relatives, good and bad.
package tlsh

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

const (
	buckets = 128 // of 256 that are counted
	window  = 5
	// MinLength is the least that has a digest, in octets.
	MinLength = 50
	// length of a digest's text without "T1".
	digits = 70
)

// Digest is a fingerprint. The zero value is that of nothing.
type Digest struct {
	checksum byte
	length   byte // of the file, logarithmic
	q1, q2   byte // ratios of the quartiles, modulo 16
	// code has two bits for each bucket: the quarter that its count is in. Bucket i is
	// in bits 2·(i%32) of word i/32.
	code [4]uint64
}

// ErrNone: the content is too short or too uniform for a digest.
var ErrNone = errors.New("tlsh: too short or too uniform for a digest")

// pearson is the permutation of Pearson, Fast Hashing of Variable-Length Text Strings,
// CACM 33(6), 1990, table I.
var pearson = [256]byte{
	1, 87, 49, 12, 176, 178, 102, 166, 121, 193, 6, 84, 249, 230, 44, 163,
	14, 197, 213, 181, 161, 85, 218, 80, 64, 239, 24, 226, 236, 142, 38, 200,
	110, 177, 104, 103, 141, 253, 255, 50, 77, 101, 81, 18, 45, 96, 31, 222,
	25, 107, 190, 70, 86, 237, 240, 34, 72, 242, 20, 214, 244, 227, 149, 235,
	97, 234, 57, 22, 60, 250, 82, 175, 208, 5, 127, 199, 111, 62, 135, 248,
	174, 169, 211, 58, 66, 154, 106, 195, 245, 171, 17, 187, 182, 179, 0, 243,
	132, 56, 148, 75, 128, 133, 158, 100, 130, 126, 91, 13, 153, 246, 216, 219,
	119, 68, 223, 78, 83, 88, 201, 99, 122, 11, 92, 32, 136, 114, 52, 10,
	138, 30, 48, 183, 156, 35, 61, 26, 143, 74, 251, 94, 129, 162, 63, 152,
	170, 7, 115, 167, 241, 206, 3, 150, 55, 59, 151, 220, 90, 53, 23, 131,
	125, 173, 15, 238, 79, 95, 89, 16, 105, 137, 225, 224, 217, 160, 37, 123,
	118, 73, 2, 157, 46, 116, 9, 145, 134, 228, 207, 212, 202, 215, 69, 229,
	27, 188, 67, 124, 168, 252, 42, 4, 29, 108, 21, 247, 19, 205, 39, 203,
	233, 40, 186, 147, 198, 192, 155, 33, 164, 191, 98, 204, 165, 180, 117, 76,
	140, 36, 210, 172, 41, 54, 159, 8, 185, 232, 113, 196, 231, 47, 146, 120,
	51, 65, 28, 144, 254, 221, 93, 189, 194, 139, 112, 43, 71, 109, 184, 209,
}

// pick hashes a triplet under a salt that has been hashed already.
func pick(salt, a, b, c byte) byte {
	return pearson[pearson[pearson[salt^a]^b]^c]
}

// The salts of the checksum and of the six triplets that a window has with its newest
// octet, hashed.
var salt0, salt2, salt3, salt5, salt7, salt11, salt13 = pearson[0], pearson[2], pearson[3], pearson[5], pearson[7], pearson[11], pearson[13]

// Sum is the digest of a file, or [ErrNone].
func Sum(data []byte) (Digest, error) {
	var d Digest
	if len(data) < MinLength || len(data) > math.MaxInt32 {
		return d, ErrNone
	}
	var count [256]uint32
	e, f, g, h := data[0], data[1], data[2], data[3] // the oldest first
	for _, a := range data[window-1:] {
		d.checksum = pick(salt0, a, h, d.checksum)
		count[pick(salt2, a, h, g)]++
		count[pick(salt3, a, h, f)]++
		count[pick(salt5, a, g, f)]++
		count[pick(salt7, a, g, e)]++
		count[pick(salt11, a, h, e)]++
		count[pick(salt13, a, f, e)]++
		e, f, g, h = f, g, h, a
	}
	used := (*[buckets]uint32)(count[:])
	filled := 0
	for _, n := range used {
		if n > 0 {
			filled++
		}
	}
	q1, q2, q3 := quartiles(used)
	if q3 == 0 || filled <= buckets/2 {
		return Digest{}, ErrNone
	}
	d.length = logarithm(len(data))
	// Integers past 24 bits lose their last ones in a float32, as in the other programs
	// that write such digests.
	d.q1 = byte(uint32(float32(q1*100)/float32(q3)) % 16)
	d.q2 = byte(uint32(float32(q2*100)/float32(q3)) % 16)
	for i, n := range used {
		quarter := uint64(0)
		switch {
		case n > q3:
			quarter = 3
		case n > q2:
			quarter = 2
		case n > q1:
			quarter = 1
		}
		d.code[i/32] |= quarter << (2 * (i % 32))
	}
	return d, nil
}

// quartiles are the counts below or at which a quarter, half and three quarters of the
// buckets are.
func quartiles(count *[buckets]uint32) (q1, q2, q3 uint32) {
	sorted := *count
	// An insertion sort of 128 numbers takes a few microseconds at worst.
	for i := 1; i < len(sorted); i++ {
		n := sorted[i]
		j := i
		for ; j > 0 && sorted[j-1] > n; j-- {
			sorted[j] = sorted[j-1]
		}
		sorted[j] = n
	}
	return sorted[buckets/4-1], sorted[buckets/2-1], sorted[3*buckets/4-1]
}

// logarithm is the length's octet: logarithms of three bases for three ranges.
func logarithm(n int) byte {
	l := math.Log(float64(float32(n)))
	switch {
	case n <= 656:
		l /= math.Log(1.5)
	case n <= 3199:
		l = l/math.Log(1.3) - 8.72777
	default:
		l = l/math.Log(1.1) - 62.5472
	}
	return byte(int(math.Floor(l)))
}

// Parse reads a digest, with or without "T1" in front, in either case.
func Parse(s string) (Digest, error) {
	var d Digest
	if len(s) == digits+2 && (s[0] == 'T' || s[0] == 't') && s[1] == '1' {
		s = s[2:]
	}
	if len(s) != digits {
		return d, fmt.Errorf("tlsh: %d characters, want T1 and %d digits", len(s), digits)
	}
	var b [digits / 2]byte
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return d, errors.New("tlsh: not hexadecimal")
	}
	d.checksum, d.length = bits.RotateLeft8(b[0], 4), bits.RotateLeft8(b[1], 4)
	// The octet of the ratios is written with its halves swapped too: that of the first
	// quartile comes first.
	d.q1, d.q2 = b[2]>>4, b[2]&15
	for i := range d.code {
		// The code is written from its last octet to its first.
		d.code[3-i] = binary.BigEndian.Uint64(b[3+8*i:])
	}
	return d, nil
}

// String is the digest's text, "T1" and 70 digits.
func (d Digest) String() string {
	var b [digits / 2]byte
	b[0], b[1], b[2] = bits.RotateLeft8(d.checksum, 4), bits.RotateLeft8(d.length, 4), d.q1<<4|d.q2
	for i := range d.code {
		binary.BigEndian.PutUint64(b[3+8*i:], d.code[3-i])
	}
	return "T1" + strings.ToUpper(hex.EncodeToString(b[:]))
}

// Distance says how far two files are apart; 0 for the same.
func Distance(a, b Digest) int {
	n := a.header(b)
	for i := range a.code {
		n += word(a.code[i], b.code[i])
	}
	return n
}

// Within says whether two files are at most most apart, and how far. It mostly finds
// out from the digests' first octets that they aren't.
func Within(a, b Digest, most int) (int, bool) {
	n := a.header(b)
	for i := 0; i < len(a.code) && n <= most; i++ {
		n += word(a.code[i], b.code[i])
	}
	return n, n <= most
}

// Key is the coarse part of a digest: the octet of the file's length, and the ratios of
// the quartiles in 4 bits each. Digests are at least [KeyDistance] of their keys apart,
// so an index by keys spares most comparisons.
func (d Digest) Key() uint16 { return uint16(d.length)<<8 | uint16(d.q1)<<4 | uint16(d.q2) }

// KeyDistance is what two keys add to the distance of their digests.
func KeyDistance(a, b uint16) int {
	n := apart(int(a>>8), int(b>>8), 256)
	if n > 1 {
		n *= 12
	}
	for _, shift := range [2]int{4, 0} {
		k := apart(int(a>>shift&15), int(b>>shift&15), 16)
		if k > 1 {
			k = 12 * (k - 1)
		}
		n += k
	}
	return n
}

func (d Digest) header(o Digest) int {
	n := KeyDistance(d.Key(), o.Key())
	if d.checksum != o.checksum {
		n++
	}
	return n
}

// apart is the way between two numbers on a circle.
func apart(a, b, round int) int {
	k := a - b
	if k < 0 {
		k = -k
	}
	return min(k, round-k)
}

// word is the distance of 32 pairs of bits: pairs one or two quarters apart count so
// much, the outer ones, which are three apart, count 6.
func word(a, b uint64) int {
	const low = 0x5555555555555555
	x := a ^ b
	one, two := x&low, x>>1&low // the lower and upper bits that differ
	both := one & two           // 0 and 3, or 1 and 2
	outer := both &^ (a ^ a>>1) // of them those with equal bits in a: 0 and 3
	return bits.OnesCount64(one&^two) + 2*bits.OnesCount64(two&^one) + bits.OnesCount64(both) + 5*bits.OnesCount64(outer)
}
