package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"sluice/inspect"
)

// maxRequest bounds the head of a request: names, types and passwords.
const maxRequest = inspect.MaxInputs*(inspect.MaxName+inspect.MaxDeclared+32) + inspect.MaxPasswords*(inspect.MaxPassword+4) + 256

// Clip cuts a request to what may be asked: inputs, passwords, names. It returns an
// error where the bodies are too large together.
func Clip(r *inspect.Request) (*inspect.Request, error) {
	out := &inspect.Request{Budget: r.Budget.WithDefaults(), Keep: r.Keep.Within()}
	out.Inputs = append(out.Inputs, r.Inputs[:min(len(r.Inputs), inspect.MaxInputs)]...)
	total := 0
	for i := range out.Inputs {
		in := &out.Inputs[i]
		in.Name, in.DeclaredType = cut(in.Name, inspect.MaxName), cut(in.DeclaredType, inspect.MaxDeclared)
		total += len(in.Body)
	}
	if total > inspect.MaxBody {
		return nil, fmt.Errorf("inspect/wire: %d bytes of files, at most %d are taken", total, inspect.MaxBody)
	}
	for _, p := range r.Passwords {
		if len(out.Passwords) < inspect.MaxPasswords && len(p) <= inspect.MaxPassword && p != "" {
			out.Passwords = append(out.Passwords, strings.ToValidUTF8(p, "?"))
		}
	}
	return out, nil
}

// cut bounds s and makes it valid UTF-8.
func cut(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "?") }

// WriteRequest sends a request that [Clip] has cut. Bodies go out behind its head as
// they are.
func WriteRequest(w *bufio.Writer, r *inspect.Request) error {
	var b record
	bu := r.Budget
	for _, n := range []int64{int64(bu.Depth), int64(bu.Entries), bu.Bytes, bu.File, bu.Ratio, bu.Pixels, int64(bu.Time), r.Keep.Bytes, int64(r.Keep.Pictures)} {
		b.num(n)
	}
	b.each(r.Passwords)
	b.bits(uint64(len(r.Inputs)))
	for _, in := range r.Inputs {
		b.text(in.Name)
		b.text(in.DeclaredType)
		b.num(int64(len(in.Body)))
	}
	if err := writeRecord(w, kindRequest, b); err != nil {
		return err
	}
	for _, in := range r.Inputs {
		if _, err := w.Write(in.Body); err != nil {
			return fmt.Errorf("inspect/wire: %w", err)
		}
	}
	return flush(w)
}

// ReadRequest reads a request; io.EOF as it is where there is none any more. room is
// used for the bodies where it is large enough.
func ReadRequest(r *bufio.Reader, room []byte) (*inspect.Request, []byte, error) {
	kind, p, err := readRecord(r, nil, maxRequest)
	switch {
	case errors.Is(err, io.EOF):
		return nil, room, io.EOF
	case err != nil:
		return nil, room, fmt.Errorf("inspect/wire: request: %w", err)
	case kind != kindRequest:
		return nil, room, fmt.Errorf("inspect/wire: request: %w", errForm)
	}
	f := fields{b: p}
	var q inspect.Request
	q.Budget = inspect.Budget{Depth: f.int(0, math.MaxInt32), Entries: f.int(0, math.MaxInt32), Bytes: f.num(0, math.MaxInt64),
		File: f.num(0, math.MaxInt64), Ratio: f.num(0, math.MaxInt64), Pixels: f.num(0, math.MaxInt64), Time: time.Duration(f.num(0, maxTime))}
	q.Keep = inspect.Keep{Bytes: f.num(0, inspect.MaxKeep), Pictures: f.int(0, inspect.MaxPictures)}
	for range f.bits(inspect.MaxPasswords) {
		q.Passwords = append(q.Passwords, f.text(2*inspect.MaxPassword))
	}
	var sizes []int
	total := 0
	for range f.bits(inspect.MaxInputs) {
		q.Inputs = append(q.Inputs, inspect.Input{Name: f.text(inspect.MaxName), DeclaredType: f.text(inspect.MaxDeclared)})
		sizes = append(sizes, f.int(0, inspect.MaxBody))
		total += sizes[len(sizes)-1]
	}
	if err := f.end(); err != nil || total > inspect.MaxBody {
		return nil, room, fmt.Errorf("inspect/wire: request: %w", errForm)
	}
	if cap(room) < total {
		room = make([]byte, total)
	}
	room = room[:total]
	if _, err := io.ReadFull(r, room); err != nil {
		return nil, room, fmt.Errorf("inspect/wire: request: %w", noEOF(err))
	}
	rest := room
	for i, n := range sizes {
		q.Inputs[i].Body, rest = rest[:n:n], rest[n:]
	}
	return &q, room, nil
}
