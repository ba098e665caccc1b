package thread

import (
	"unicode"
)

// Shingles of a text.
const (
	run       = 8  // words of one
	window    = 16 // of which the smallest hash is kept
	maxText   = 64 << 10
	maxPrints = 64 // kept of one text
)

// shingles hashes runs of words under the site's key and keeps some of them: the
// smallest of each window (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003). Words
// are letters and digits in lower case; what separates them doesn't matter. A script
// without spaces has words of one character.
func (t *Table) shingles(tenant, text string) []hash {
	words := wordHashes(text[:min(len(text), maxText)])
	if len(words) < run {
		return nil
	}
	sums := make([]uint64, len(words)-run+1)
	for i := range sums {
		var h uint64
		for _, w := range words[i : i+run] {
			h = h*0x9e3779b97f4a7c15 + w
			h ^= h >> 29
		}
		sums[i] = h
	}
	salt := uint64(t.hash("s", tenant))
	var out []hash
	last := -1
	for i := 0; i+1 <= len(sums) && len(out) < maxPrints; i++ {
		end := min(i+window, len(sums))
		if i > 0 && end-i < window {
			break
		}
		least := i
		for j := i + 1; j < end; j++ {
			if sums[j] <= sums[least] {
				least = j
			}
		}
		if least != last {
			out, last = append(out, t.seal(salt, sums[least])), least
		}
	}
	return out
}

// seal mixes the sum of a run with the site's salt, which nobody else has: who has the
// store can't ask whether a sentence was written. It is one round of a keyed mix, not
// of a cipher: a sum of eight words is hard enough to guess.
func (t *Table) seal(salt, sum uint64) hash {
	var b [16]byte
	for i := range 8 {
		b[i], b[8+i] = byte(salt>>(8*i)), byte(sum>>(8*i))
	}
	return t.hash("p", string(b[:]))
}

// wordHashes are FNV-1a sums of the words.
func wordHashes(text string) (out []uint64) {
	const offset, prime = 14695981039346656037, 1099511628211
	h, in := uint64(offset), false
	end := func() {
		if in {
			out, h, in = append(out, h), offset, false
		}
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai):
			end()
			out = append(out, (uint64(offset)^uint64(r))*prime)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			h, in = (h^uint64(unicode.ToLower(r)))*prime, true
		default:
			end()
		}
	}
	end()
	return out
}
