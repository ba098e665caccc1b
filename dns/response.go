package dns

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	wire "github.com/miekg/dns"
)

// Bounds on one answer. A domain's TXT records are rarely over a hundred or 8 kB;
// a response over TCP can hold 5,000.
const (
	maxRecords = 256
	maxText    = 32 << 10 // octets of names and texts in them
	maxCNAMEs  = 8
)

// ednsSize is the response size that passes every path without fragments
// (DNS Flag Day 2020; RFC 9715 3.1).
const ednsSize = 1232

const headerLen = 12 // RFC 1035 4.1.1

var errMalformed = errors.New("malformed response")

// query is one question in wire form.
type query struct {
	msg      []byte
	question []byte // the part of msg that a response repeats
	exact    bool   // letter case must come back as sent
	name     string // normalized
	t        Type
}

// newQuery writes a question for a normalized name with a random identifier.
func newQuery(random io.Reader, name string, t Type, edns, mix bool) (*query, error) {
	var seed [34]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return nil, err
	}
	fqdn := []byte(wire.Fqdn(name))
	if mix { // draft-vixie-dnsext-dns0x20
		for i, c := range fqdn {
			if 'a' <= c && c <= 'z' && seed[2+i/8]>>(i%8)&1 == 1 {
				fqdn[i] -= 'a' - 'A'
			}
		}
	}
	m := new(wire.Msg)
	m.SetQuestion(string(fqdn), uint16(t)) // and recursion desired
	m.Id = binary.BigEndian.Uint16(seed[:])
	m.AuthenticatedData = true // RFC 6840 5.7: we understand AD, without DNSSEC records
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	b, err := m.Pack()
	if err != nil {
		return nil, err
	}
	end, ok := skipName(b, headerLen)
	if !ok {
		return nil, errMalformed
	}
	return &query{msg: b, question: b[headerLen : end+4], exact: mix, name: name, t: t}, nil
}

// matches says whether a message is the response to this query (RFC 5452 9.1);
// the connected socket has checked where it comes from.
func (q *query) matches(msg []byte) bool {
	if len(msg) < headerLen || msg[0] != q.msg[0] || msg[1] != q.msg[1] {
		return false
	}
	// A response, of opcode QUERY.
	if msg[2]&0x80 == 0 || msg[2]&0x78 != 0 {
		return false
	}
	switch binary.BigEndian.Uint16(msg[4:]) {
	case 0: // some servers refuse with a bare header
		rcode := int(msg[3] & 15)
		return rcode != wire.RcodeSuccess && rcode != wire.RcodeNameError
	case 1:
	default:
		return false
	}
	if len(msg) < headerLen+len(q.question) {
		return false
	}
	got := msg[headerLen : headerLen+len(q.question)]
	if q.exact {
		return bytes.Equal(got, q.question)
	}
	// Length octets are below 'A', so the whole name may be folded; type and
	// class may not.
	n := len(q.question) - 4
	for i := range n {
		if fold(got[i]) != fold(q.question[i]) {
			return false
		}
	}
	return bytes.Equal(got[n:], q.question[n:])
}

func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// response is what a server's message says about a question.
type response struct {
	rcode     int
	truncated bool     // TC: ask again over TCP
	cut       bool     // more records than we take
	ad        bool     // AD as sent; believed by the caller's leave only
	answered  bool     // the answer section has records, whatever they are
	lame      bool     // a server that neither knows nor asks others
	records   []Record // of the type asked for, and CNAMEs, whatever their owner
	denials   []denial // the SOA records beside a denial
}

// denial is a SOA record in the authority section (RFC 2308 3).
type denial struct {
	zone string
	ttl  time.Duration
}

// parse reads a response that matches q. It takes memory for at most maxRecords
// records, however many the message has, and skips what nobody asked for
// without looking into it.
func (q *query) parse(msg []byte) (response, error) {
	if len(msg) < headerLen {
		return response{}, errMalformed
	}
	var (
		flags = binary.BigEndian.Uint16(msg[2:])
		r     = response{rcode: int(flags & 15), truncated: flags&(1<<9) != 0, ad: flags&(1<<5) != 0}
		off   = headerLen
	)
	if binary.BigEndian.Uint16(msg[4:]) > 0 {
		off += len(q.question)
	}
	if r.truncated {
		return r, nil // RFC 2181 9: not to be used
	}
	text, referral := 0, false
	for section := range 3 {
		for range binary.BigEndian.Uint16(msg[6+2*section:]) {
			h, ok := readHead(msg, off)
			if !ok {
				return r, errMalformed
			}
			here := off
			off = h.end
			switch {
			case section == 2 && h.typ == wire.TypeOPT: // RFC 6891 6.1.3: eight more bits of the code
				r.rcode |= int(h.ttl>>24) << 4
			case h.class != wire.ClassINET:
			case section == 0 && (Type(h.typ) == q.t || Type(h.typ) == CNAME):
				if len(r.records) == maxRecords || text > maxText {
					r.cut = true
					continue
				}
				rec, err := readRecord(msg, here, h)
				if err != nil {
					return r, err
				}
				text += len(rec.Name) + len(rec.Host) + len(rec.Text)
				r.records = append(r.records, rec)
			case section == 1 && h.typ == wire.TypeSOA && len(r.denials) < 2:
				d, err := readSOA(msg, here, h)
				if err != nil {
					return r, err
				}
				r.denials = append(r.denials, d)
			case section == 1 && h.typ == wire.TypeNS:
				referral = true
			}
		}
	}
	// Nothing, no SOA, and no recursion or a delegation: the server sends us
	// elsewhere, which isn't a denial (RFC 2308 2.2).
	none := len(r.records)+len(r.denials) == 0
	authoritative, recursive := flags&(1<<10) != 0, flags&(1<<7) != 0
	r.answered = binary.BigEndian.Uint16(msg[6:]) > 0
	r.lame = r.rcode == wire.RcodeSuccess && none && !authoritative && (referral || !recursive)
	return r, nil
}

// head is a record without its data.
type head struct {
	typ, class uint16
	ttl        uint32
	length     int
	end        int // where the next record begins
}

func readHead(msg []byte, off int) (head, bool) {
	off, ok := skipName(msg, off)
	if !ok || len(msg)-off < 10 {
		return head{}, false
	}
	h := head{
		typ:    binary.BigEndian.Uint16(msg[off:]),
		class:  binary.BigEndian.Uint16(msg[off+2:]),
		ttl:    binary.BigEndian.Uint32(msg[off+4:]),
		length: int(binary.BigEndian.Uint16(msg[off+8:])),
	}
	h.end = off + 10 + h.length
	return h, h.end <= len(msg)
}

// skipName is the offset behind a name, whose pointers are not followed.
func skipName(msg []byte, off int) (int, bool) {
	for off < len(msg) {
		switch c := int(msg[off]); {
		case c == 0:
			return off + 1, true
		case c >= 0xc0: // RFC 1035 4.1.4
			return off + 2, off+2 <= len(msg)
		case c >= 0x40:
			return 0, false
		default:
			off += 1 + c
		}
	}
	return 0, false
}

func unpack(msg []byte, off int, h head) (wire.RR, error) {
	rr, end, err := wire.UnpackRR(msg, off)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errMalformed, err)
	}
	_, known := rr.(*wire.RFC3597)
	if end != h.end || h.length == 0 && !known {
		return nil, errMalformed
	}
	if h.ttl>>31 != 0 {
		rr.Header().Ttl = 0 // RFC 2181 8
	}
	return rr, nil
}

func readRecord(msg []byte, off int, h head) (Record, error) {
	rr, err := unpack(msg, off, h)
	if err != nil {
		return Record{}, err
	}
	return FromWire(rr), nil
}

func readSOA(msg []byte, off int, h head) (denial, error) {
	rr, err := unpack(msg, off, h)
	if err != nil {
		return denial{}, err
	}
	soa, ok := rr.(*wire.SOA)
	if !ok {
		return denial{}, errMalformed
	}
	// RFC 2308 5: the lesser of the record's own time and its last field.
	ttl := min(soa.Hdr.Ttl, soa.Minttl)
	return denial{plain(soa.Hdr.Name), time.Duration(ttl) * time.Second}, nil
}

// find is the response's records of one type at one name. Those of other names
// are not what was asked for, and are dropped.
func (r *response) find(name string, t Type) (out []Record) {
	for _, rec := range r.records {
		if rec.Type == t && rec.Name == name {
			rec.Name = name // one string for all
			out = append(out, rec)
		}
	}
	return out
}

// denialTTL is how long the denial of a name may be kept, by a zone above it;
// zero where no such zone speaks.
func (r *response) denialTTL(name string) (ttl time.Duration) {
	for _, d := range r.denials {
		if within(name, d.zone) {
			ttl = max(ttl, d.ttl)
		}
	}
	return ttl
}

// within says whether a name is at or below a zone.
func within(name, zone string) bool {
	if zone == "." || name == zone {
		return true
	}
	n := len(name) - len(zone)
	return n > 0 && name[n-1] == '.' && name[n:] == zone
}
