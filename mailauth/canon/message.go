package canon

import (
	"cmp"
	"crypto"
	_ "crypto/sha1" // obsolete signatures are computed too, so that they can be explained
	_ "crypto/sha256"
	"hash"
	"io"
	"math"
	"slices"

	"sluice/message/header"
)

// Message is a message prepared for the making of header and body hashes. It is
// read only after New, so it may be used concurrently.
type Message struct {
	raw    []byte
	fields []header.Field
	body   []byte
	byName map[string][]int // lower-case name → its fields, from the top
}

// New prepares a message. Field ranges are places in raw; body is what stands
// behind the empty line.
func New(raw []byte, fields []header.Field, body []byte) *Message {
	m := &Message{raw: raw, fields: fields, body: body, byName: make(map[string][]int, len(fields))}
	for i := range fields {
		name := header.Lower(fields[i].Name)
		m.byName[name] = append(m.byName[name], i)
	}
	return m
}

// Fields are the message's header fields.
func (m *Message) Fields() []header.Field { return m.fields }

// Field is the whole field with its line end.
func (m *Message) Field(i int) []byte {
	r := m.fields[i].Range
	return m.raw[r.Off:r.End()]
}

// Named lists the fields of a name (lower case), from the top. It is not to be
// changed.
func (m *Message) Named(name string) []int { return m.byName[name] }

// Select chooses the fields that a list of names (lower case) signs: each name
// takes the lowest field of that name not taken yet, and -1 where there is none
// (RFC 6376 5.4.2). The field own, which holds the signature, is never taken.
func (m *Message) Select(names []string, own int) []int {
	out := make([]int, len(names))
	left := make(map[string]int, len(names))
	for i, name := range names {
		list := m.byName[name]
		n, seen := left[name]
		if !seen {
			n = len(list)
		}
		if n > 0 && list[n-1] == own {
			n--
		}
		out[i] = -1
		if n > 0 {
			n--
			out[i] = list[n]
		}
		left[name] = n
	}
	return out
}

// HashHeader hashes the chosen fields, then the signature's own field without
// the value of b= (RFC 6376 3.7).
func (m *Message) HashHeader(h crypto.Hash, a Algorithm, chosen []int, own []byte, b Tag) []byte {
	sum := h.New()
	var buf []byte
	for _, i := range chosen {
		if i >= 0 {
			buf = AppendField(buf[:0], m.Field(i), a)
			sum.Write(buf)
		}
	}
	sum.Write(AppendSignature(buf[:0], own, b, a))
	return sum.Sum(nil)
}

// BodyRequest asks for one body hash.
type BodyRequest struct {
	Canon  Algorithm
	Hash   crypto.Hash
	Length int64 // l=: only so many canonical octets; negative for all
}

// BodySum is the answer to a BodyRequest.
type BodySum struct {
	Sum   []byte // nil where the body is shorter than the length asked for
	Total int64  // canonical octets of the whole body
}

// HashBody answers requests in their order. The body is canonicalized at most
// once for each form, and hashed at most once for each form and hash, however
// many requests there are.
func (m *Message) HashBody(requests []BodyRequest) []BodySum {
	out := make([]BodySum, len(requests))
	for _, a := range []Algorithm{Simple, Relaxed} {
		var sinks []*sink
		var to []io.Writer
		for i, r := range requests {
			if r.Canon != a {
				continue
			}
			j := slices.IndexFunc(sinks, func(s *sink) bool { return s.kind == r.Hash })
			if j < 0 {
				j = len(sinks)
				sinks = append(sinks, &sink{kind: r.Hash, sum: r.Hash.New(), out: out})
				to = append(to, sinks[j])
			}
			at := r.Length
			if at < 0 {
				at = math.MaxInt64
			}
			sinks[j].marks = append(sinks[j].marks, mark{at, i})
		}
		if len(sinks) == 0 {
			continue
		}
		w := to[0]
		if len(to) > 1 {
			w = io.MultiWriter(to...)
		}
		for _, s := range sinks {
			slices.SortStableFunc(s.marks, func(x, y mark) int { return cmp.Compare(x.at, y.at) })
		}
		b := NewBody(w, a)
		b.Write(m.body) // a hash never fails
		b.Close()
		for _, s := range sinks {
			s.finish()
		}
		for i, r := range requests {
			if r.Canon == a {
				out[i].Total = sinks[0].n
			}
		}
	}
	return out
}

// sink hashes a body and takes the sum at marks on the way.
type sink struct {
	kind  crypto.Hash
	sum   hash.Hash
	n     int64  // octets so far
	marks []mark // ascending; those passed are cut off
	out   []BodySum
}

type mark struct {
	at int64
	to int // index of the answer
}

func (s *sink) Write(p []byte) (int, error) {
	all := len(p)
	for len(s.marks) > 0 && s.marks[0].at-s.n <= int64(len(p)) {
		k := s.marks[0].at - s.n
		s.sum.Write(p[:k])
		s.n, p = s.n+k, p[k:]
		s.out[s.marks[0].to].Sum = s.sum.Sum(nil)
		s.marks = s.marks[1:]
	}
	s.sum.Write(p)
	s.n += int64(len(p))
	return all, nil
}

// finish answers what the end answers. A length beyond it has no sum.
func (s *sink) finish() {
	for _, k := range s.marks {
		if k.at == math.MaxInt64 || k.at == s.n {
			s.out[k.to].Sum = s.sum.Sum(nil)
		}
	}
}
