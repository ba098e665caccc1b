// Package trace makes and reads the header field by which a site knows its own mail
// again: on a report, on a notice that a message came back.
//
//	X-Sluice-Trace: v=1; id=7K3FQ2M9ZX0ABCDE; t=1795543200; h=…; s=…
//
// The id is the transaction's reference, under which the site's own log has the rest, t
// when the message left, in seconds since 1970. Two codes under a key of the site (HMAC,
// RFC 2104) prove the field: h that the id and the time are ours, s that the message left
// with one reverse-path. Whoever reads the field learns nothing of who sent the message,
// and whoever copies it out of a message can make no notice to another sender with it.
// Nothing stands against copying all of it to the same sender, so what it proves should
// be believed for as long only as mail is under way.
package trace

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"sluice/message/header"
)

// Field is the name of the header field.
const Field = "X-Sluice-Trace"

// Lifetime is how long mail may be under way until a notice of it comes back: servers
// give up after days (RFC 5321 4.5.4.1: at least 4 to 5), and the next one begins anew.
const Lifetime = 14 * 24 * time.Hour

const (
	codeLen   = 22 // of h: 16 octets in base64url
	senderLen = 11 // of s: 8 octets
	maxID     = 40
	maxValue  = 200
	maxHeader = 256 << 10
	maxFields = 1000
	maxTraces = 10
)

// Keys makes and reads fields. It is safe for concurrent use.
type Keys struct{ ring [][]byte }

// New takes keys, newest first: the first one makes fields, any one reads them. Each is
// at least 16 octets long. Every node of a fleet needs the same ones.
func New(keys ...[]byte) (*Keys, error) {
	if len(keys) == 0 {
		return nil, errors.New("trace: no key")
	}
	for _, k := range keys {
		if len(k) < 16 {
			return nil, errors.New("trace: a key is shorter than 16 octets")
		}
	}
	return &Keys{ring: keys}, nil
}

// Mark is what a field of ours says.
type Mark struct {
	ID   string    // of the transaction in which the message left
	Time time.Time // when it left, to the second, UTC
	from string    // s
	key  []byte
}

// Value makes the value of a field for a message that leaves with the reverse-path from.
// It returns "" for an id that a field can't hold.
func (k *Keys) Value(id, from string, at time.Time) string {
	if !validID(id) || at.Unix() < 0 {
		return ""
	}
	t := strconv.FormatInt(at.Unix(), 10)
	return "v=1; id=" + id + "; t=" + t + "; h=" + code(k.ring[0], id, t) + "; s=" + sender(k.ring[0], id, t, from)
}

// Open reads a value. It may have been folded on its way. ok is false for what we never
// wrote.
func (k *Keys) Open(value string) (m Mark, ok bool) {
	if len(value) > maxValue {
		return Mark{}, false
	}
	id, t, h, s, ok := split(value)
	if !ok {
		return Mark{}, false
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != t {
		return Mark{}, false
	}
	for _, key := range k.ring {
		if hmac.Equal([]byte(h), []byte(code(key, id, t))) {
			return Mark{ID: id, Time: time.Unix(n, 0).UTC(), from: s, key: key}, true
		}
	}
	return Mark{}, false
}

// SentBy says whether the message left with this reverse-path: whether a notice about it
// belongs to whom it came.
func (m Mark) SentBy(from string) bool {
	return m.key != nil && hmac.Equal([]byte(m.from), []byte(sender(m.key, m.ID, strconv.FormatInt(m.Time.Unix(), 10), from)))
}

// Fresh says whether a notice that comes now can be about a message that left then.
func (m Mark) Fresh(now time.Time) bool {
	age := now.Sub(m.Time)
	return age <= Lifetime && age >= -time.Hour // clocks of a fleet differ a little
}

// Find returns what the first field of ours in a header says. What stands behind an
// empty line isn't looked at. Fields of others, and forged ones, are passed over.
func (k *Keys) Find(block []byte) (Mark, bool) {
	block = block[:min(len(block), maxHeader)]
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if i := bytes.Index(block, []byte(end)); i >= 0 {
			block = block[:i+len(end)/2]
		}
	}
	h, _ := header.Parse(block, 0, maxFields)
	seen := 0
	for i := range h.Fields {
		f := &h.Fields[i]
		if !f.Is(Field) {
			continue
		}
		if m, ok := k.Open(f.Value); ok {
			return m, true
		}
		if seen++; seen == maxTraces {
			break
		}
	}
	return Mark{}, false
}

// Read is [Keys.Find] in plain values, for the header of a message that somebody reports
// or returns.
func (k *Keys) Read(block []byte) (id string, at time.Time, ok bool) {
	m, ok := k.Find(block)
	return m.ID, m.Time, ok
}

// split takes a value apart: the five parts in their order and nothing else.
func split(value string) (id, t, h, s string, ok bool) {
	var parts [5]string
	rest := value
	for i, name := range [...]string{"v=", "id=", "t=", "h=", "s="} {
		part, more, found := strings.Cut(rest, ";")
		if found != (i < len(parts)-1) {
			return "", "", "", "", false
		}
		if parts[i], ok = strings.CutPrefix(strings.Trim(part, " \t\r\n"), name); !ok {
			return "", "", "", "", false
		}
		rest = more
	}
	return parts[1], parts[2], parts[3], parts[4], parts[0] == "1" && validID(parts[1]) && len(parts[3]) == codeLen && len(parts[4]) == senderLen
}

func validID(id string) bool {
	return id != "" && len(id) <= maxID && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func code(key []byte, id, t string) string { return mac(key, codeLen, "id", id, t) }

func sender(key []byte, id, t, from string) string {
	return mac(key, senderLen, "sender", id, t, header.Lower(from))
}

// mac is n characters of a code over parts, none of which can run into the next one: but
// for the last they hold no NUL.
func mac(key []byte, n int, parts ...string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join(parts, "\x00"))) // never fails
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:n]
}
