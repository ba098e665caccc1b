// Package ref makes the references that a refused sender gets: a short id for
// people, and a sealed token that carries what the why page needs, so that the
// page works on every node and without a database.
package ref

import (
	"fmt"
	"io"
)

// alphabet is Crockford's base 32: no I, L, O or U, so that an id survives being
// read aloud and typed.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// IDLen is the length of an id: 80 random bits.
const IDLen = 16

// NewID returns a reference of [IDLen] letters and digits, unguessable if rand
// is. It panics where rand fails: going on with a guessable id would be worse,
// and crypto/rand.Reader never does.
func NewID(rand io.Reader) string {
	var b [IDLen]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		panic(fmt.Sprintf("ref: no randomness: %v", err))
	}
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b[:])
}

// Canon reads an id as a person may have written it: in any case, in groups,
// with the letters that look like digits. It returns "" for what can't be one.
func Canon(s string) string {
	out := make([]byte, 0, IDLen)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		switch {
		case c == '-' || c == ' ':
			continue
		case c == 'O':
			c = '0'
		case c == 'I' || c == 'L':
			c = '1'
		case c == 'U' || c < '0' || c > '9' && c < 'A' || c > 'Z':
			return ""
		}
		if len(out) == IDLen {
			return ""
		}
		out = append(out, c)
	}
	if len(out) != IDLen {
		return ""
	}
	return string(out)
}
