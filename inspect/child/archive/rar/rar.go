// Package rar opens RAR archives of versions 1.5 to 7. A library unpacks; its
// dictionary is capped, and headers are looked at before it derives keys.
package rar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/nwaples/rardecode/v2"

	"sluice/inspect"
	"sluice/inspect/child"
)

// Decoder opens archives of this format.
type Decoder struct{}

// New returns the decoder.
func New() Decoder { return Decoder{} }

// Name is "rar".
func (Decoder) Name() string { return "rar" }

// Types is rar alone.
func (Decoder) Types() []inspect.Type { return []inspect.Type{inspect.Rar} }

const (
	// maxDict bounds the dictionary, which the library allocates as declared.
	maxDict = 64 << 20
	// maxPower bounds the rounds of a key, 2 to this: RAR itself uses 15. The
	// library can't be stopped in the middle of them.
	maxPower = 19
	// maxRounds bounds those of all keys of one archive.
	maxRounds = 1 << 22
)

const (
	magic5 = "Rar!\x1a\x07\x01\x00"
	magic4 = "Rar!\x1a\x07\x00"
)

// Open lists and unpacks.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	if bytes.HasPrefix(w.Bytes(), []byte("RE~^")) {
		w.Fact(inspect.Unsupported, "rar: version 1.4")
		return nil
	}
	a := &archive{w: w}
	power := costliest(w.Bytes())
	a.tries = max(1, maxRounds>>power)
	if power > maxPower {
		w.Fact(inspect.Unsupported, fmt.Sprintf("rar: a key of 2^%d rounds", power))
		a.hopeless = true
	}
	err := a.find()
	if err == nil {
		err = a.emit()
	}
	if a.locked {
		w.Mark(inspect.Encrypted)
	}
	return err
}

// archive is one file at work.
type archive struct {
	w        *child.Work
	locked   bool
	tries    int    // passwords that may be tried
	hopeless bool   // keys are too costly to try
	password string // the one that worked
	opened   bool
}

func (a *archive) reader(password string, with bool) (*rardecode.Reader, error) {
	opts := []rardecode.Option{rardecode.MaxDictionarySize(maxDict), rardecode.BufferSize(32 << 10)}
	if with {
		opts = append(opts, rardecode.Password(password))
	}
	return rardecode.NewReader(bytes.NewReader(a.w.Bytes()), opts...)
}

// find looks whether anything is encrypted, and for the password that opens it.
func (a *archive) find() error {
	state, err := a.probe("", false)
	if err != nil || state != locked {
		return err
	}
	a.locked = true
	if a.hopeless {
		return nil
	}
	for i, p := range a.w.Passwords() {
		if i >= a.tries {
			_ = a.w.Steps() // the files are listed all the same
			return nil
		}
		if err := a.w.Err(); err != nil {
			return err
		}
		state, err := a.probe(p, true)
		if err != nil {
			return err
		}
		if state == open {
			a.password, a.opened = p, true
			a.w.Fact(inspect.PasswordWorked, p)
			return nil
		}
	}
	return nil
}

type state uint8

const (
	plain  state = iota // nothing is encrypted
	locked              // something is, and doesn't open
	open                // it opens
)

// probe goes to the first encrypted file and reads it.
func (a *archive) probe(password string, with bool) (state, error) {
	r, err := a.reader(password, with)
	if err != nil {
		if isLocked(err) {
			return locked, nil
		}
		return plain, nil // emit tells what is wrong
	}
	for n := 0; ; n++ {
		h, err := r.Next()
		switch {
		case isLocked(err):
			return locked, nil
		case err != nil && with:
			return locked, nil // headers that were decrypted with a wrong key are nonsense
		case err != nil:
			return plain, nil
		}
		if n%64 == 0 {
			if err := a.w.Err(); err != nil {
				return plain, err
			}
		}
		if !h.Encrypted && !h.HeaderEncrypted || h.IsDir {
			continue
		}
		if !with {
			return locked, nil
		}
		if !h.Encrypted {
			return open, nil
		}
		_, err = io.Copy(io.Discard, a.w.Reader(io.LimitReader(r, a.w.Budget().File)))
		switch {
		case errors.Is(err, child.ErrBudget):
			return plain, err
		case err != nil:
			return locked, nil
		}
		return open, nil
	}
}

func isLocked(err error) bool {
	return errors.Is(err, rardecode.ErrArchiveEncrypted) || errors.Is(err, rardecode.ErrArchivedFileEncrypted) || errors.Is(err, rardecode.ErrBadPassword)
}

// emit goes through the files.
func (a *archive) emit() error {
	w := a.w
	r, err := a.reader(a.password, a.opened)
	if err != nil {
		return err
	}
	for {
		h, err := r.Next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, rardecode.ErrMultiVolume):
			w.Fact(inspect.SplitVolume, "more volumes follow")
			return nil
		case isLocked(err):
			// Not even the names can be read.
			_, err := w.Emit(child.Entry{Encrypted: true, Method: "aes", Size: -1})
			return err
		case err != nil:
			return err
		}
		if h.IsDir {
			if err := w.Err(); err != nil {
				return err
			}
			continue
		}
		e := child.Entry{Name: h.Name, Method: fmt.Sprintf("rar%d", h.Version), Size: h.UnPackedSize, Encrypted: h.Encrypted || h.HeaderEncrypted}
		if h.UnKnownSize {
			e.Size = -1
		}
		if !e.Encrypted || a.opened {
			e.Body = r
		}
		if h.LinkType != 0 {
			e.Body = nil
			e.Encrypted = false
		}
		i, err := w.Emit(e)
		if err != nil {
			return err
		}
		if h.LinkType != 0 {
			w.FactOf(i, inspect.LinkEntry, h.LinkTarget)
		}
	}
}

// costliest is the highest power of two in the key derivations of a RAR 5 archive,
// as far as its headers can be read. The other versions have a fixed one.
func costliest(b []byte) int {
	if !bytes.HasPrefix(b, []byte(magic5)) {
		return 0
	}
	most := 0
	at := uint64(len(magic5))
	for at+7 < uint64(len(b)) {
		h := &varint{b: b[at+4:]}
		size := h.next()
		from := at + 4 + uint64(len(b[at+4:])-len(h.b))
		if size == 0 || size > 2<<20 || from+size > uint64(len(b)) {
			break
		}
		h.b = b[from : from+size]
		kind, flags := h.next(), h.next()
		var extra, data uint64
		if flags&1 != 0 {
			extra = h.next()
		}
		if flags&2 != 0 {
			data = h.next()
		}
		if kind == 4 { // the headers that follow are encrypted
			h.next()
			h.next()
			if len(h.b) > 0 {
				most = max(most, int(h.b[0]))
			}
			break
		}
		if extra <= size {
			most = max(most, powerOf(b[from+size-extra:from+size]))
		}
		if data > uint64(len(b)) {
			break
		}
		at = from + size + data
	}
	return most
}

// powerOf reads the records behind a file's header for that of its encryption.
func powerOf(b []byte) int {
	most := 0
	for len(b) > 0 {
		h := &varint{b: b}
		size := h.next()
		if size == 0 || size > uint64(len(h.b)) {
			break
		}
		rest := h.b[size:]
		h.b = h.b[:size]
		if h.next() == 1 {
			h.next()
			h.next()
			if len(h.b) > 0 {
				most = max(most, int(h.b[0]))
			}
		}
		b = rest
	}
	return most
}

type varint struct{ b []byte }

// next is 0 where there is none.
func (v *varint) next() uint64 {
	n, k := binary.Uvarint(v.b)
	if k <= 0 {
		v.b = nil
		return 0
	}
	v.b = v.b[k:]
	return n
}
