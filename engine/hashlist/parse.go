package hashlist

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"sluice/engine"
	"sluice/engine/tlsh"
)

// entries are what one file holds. Names are kept once each: feeds repeat them.
type entries struct {
	sums  map[[sha256.Size]byte]uint32
	near  []near
	names []string // [0] is ""
}

type near struct {
	digest tlsh.Digest
	name   uint32
}

const (
	maxLine  = 1024
	maxName  = 100
	maxNames = 1 << 20
)

var errTooMany = errors.New("more entries than the bound")

// parse reads a list: on each line a SHA-256 in 64 hexadecimal digits, or a TLSH digest,
// and behind white space or a comma a name, if there is one. Lines that begin with "#"
// are comments. A line that is none of these is an error: half a list isn't taken for
// a list.
func parse(r io.Reader, most, mostNear int) (*entries, error) {
	e := &entries{sums: map[[sha256.Size]byte]uint32{}, names: []string{""}}
	known := map[string]uint32{"": 0}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 4096), maxLine)
	n := 0
	for s.Scan() {
		n++
		text := strings.Trim(s.Text(), " \t\r")
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if text == "" || text[0] == '#' {
			continue
		}
		digest, name := text, ""
		if i := strings.IndexAny(text, " \t,;"); i >= 0 {
			digest, name = text[:i], engine.Printable(strings.TrimLeft(text[i:], " \t,;*\""), maxName)
			name = strings.TrimRight(name, "\", ;")
		}
		id, ok := known[name]
		if !ok && len(e.names) < maxNames { // further ones have no name
			id = uint32(len(e.names))
			name = strings.Clone(name) // not the whole line
			known[name] = id
			e.names = append(e.names, name)
		}
		if err := e.add(digest, id); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(e.sums) > most || len(e.near) > mostNear {
			return nil, fmt.Errorf("line %d: %w", n, errTooMany)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	return e, nil
}

func (e *entries) add(digest string, name uint32) error {
	if len(digest) == 2*sha256.Size {
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(digest)); err != nil {
			return errors.New("a SHA-256 that isn't hexadecimal")
		}
		e.sums[sum] = name
		return nil
	}
	d, err := tlsh.Parse(digest)
	if err != nil {
		return fmt.Errorf("%q is neither a SHA-256 nor a TLSH digest", engine.Printable(digest, 40))
	}
	e.near = append(e.near, near{d, name})
	return nil
}
