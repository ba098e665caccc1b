package urllist

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"sluice/engine"
	"sluice/message/links"
)

// entries are what one file holds: 64-bit hashes with a secret seed, which nobody can
// aim at, and what each means. Meanings are kept once each: feeds repeat them.
type entries struct {
	keys    map[uint64]uint32
	names   []string // [0] is ""
	skipped int
}

const (
	maxLine  = 16 << 10
	maxName  = 60
	maxNames = 1 << 16
	// A file of which more than one line in skipShare is no entry isn't a list.
	skipShare = 10
	skipFree  = 20
)

var (
	errTooMany = errors.New("more entries than the bound")
	errNoList  = errors.New("too many lines that are neither an address nor a host")
)

// parse reads a list. Each line is a web address, a host or a domain; "0.0.0.0 host" and
// "127.0.0.1 host" are lines of a hosts file; a line in quotes is CSV, whose first field
// with a web address counts. Lines that begin with "#", ";" or "!" are comments. A name
// alone stands for all below it, a web address without a path for its host alone. Feeds
// have lines that are neither: a few are passed over.
func parse(r io.Reader, seed maphash.Seed, most int) (*entries, error) {
	e := &entries{keys: map[uint64]uint32{}, names: []string{""}}
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
		if text == "" || strings.IndexByte("#;!", text[0]) >= 0 {
			continue
		}
		key, name := entry(text)
		if key == "" {
			if e.skipped++; e.skipped > skipFree && e.skipped*skipShare > n {
				return nil, fmt.Errorf("line %d: %w", n, errNoList)
			}
			continue
		}
		name = engine.Printable(name, maxName)
		id, ok := known[name]
		if !ok && len(e.names) < maxNames { // further ones have no name
			id = uint32(len(e.names))
			name = strings.Clone(name) // not the whole line
			known[name] = id
			e.names = append(e.names, name)
		}
		e.keys[maphash.String(seed, key)] = id
		if len(e.keys) > most {
			return nil, fmt.Errorf("line %d: %w", n, errTooMany)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n+1, err)
	}
	if len(e.keys) == 0 && e.skipped > 0 {
		return nil, errNoList
	}
	return e, nil
}

// entry reads one line; "" for no entry.
func entry(text string) (key, name string) {
	if text[0] == '"' {
		return csv(text)
	}
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return "", "" // white space of another kind
	}
	if len(fields) >= 2 {
		// A hosts file; anything else behind the first word is a remark.
		if a, err := netip.ParseAddr(fields[0]); err == nil && (a.IsUnspecified() || a.IsLoopback()) {
			return place(fields[1]), ""
		}
	}
	if strings.Contains(fields[0], "://") {
		return place(fields[0]), strings.Join(fields[1:], " ")
	}
	// "host,reason" and "||host^" are other ways of writing it.
	word, rest, _ := strings.Cut(fields[0], ",")
	word = strings.TrimSuffix(strings.TrimPrefix(word, "||"), "^")
	return place(word), strings.Trim(rest+" "+strings.Join(fields[1:], " "), " #,")
}

// csv reads a line as URLhaus writes it: "id","date","url","status","last seen",
// "threat","tags","page","who". The threat is what the listing means.
func csv(text string) (key, name string) {
	fields := strings.Split(strings.Trim(text, `"`), `","`)
	for i, f := range fields {
		if strings.HasPrefix(f, "http://") || strings.HasPrefix(f, "https://") {
			if i+3 < len(fields) {
				name = fields[i+3]
			}
			return place(f), name
		}
	}
	return "", ""
}

// place is the key of an address, host or domain; "" for what is none, or would list
// half the world.
func place(s string) string {
	if strings.Contains(s, "://") {
		l := links.Parse(s)
		if l.Host == "" || l.Has(links.OddHost) {
			return ""
		}
		if a := address(&l); a != l.Host+"/" {
			return ofURL + a
		}
		return ofHost + l.Host
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "*"), ".")
	if s == "" || strings.ContainsAny(s, "@/ ") {
		if i := strings.IndexByte(s, '/'); i > 0 && !strings.Contains(s, "@") { // an address without its scheme
			return place("http://" + s)
		}
		return ""
	}
	l := links.Parse("http://" + s + "/")
	if l.Host == "" || l.Has(links.OddHost) || l.Port != "" || !strings.ContainsAny(l.Host, ".:") {
		return ""
	}
	if suffix, icann := publicsuffix.PublicSuffix(l.Host); icann && suffix == l.Host {
		return ""
	}
	return ofDomain + l.Host
}
