// Package network knows who operates a client's network and in which country it
// is, from optional MaxMind DB files (mmdb): GeoLite2 and GeoIP2 ASN and Country,
// DB-IP's and IPinfo's files, which name their fields differently.
//
// Files are read into memory, not mapped: a mapped file that is overwritten in
// place would kill the process. A file that can't be used is an error that says
// why; a record that can't be read is an address that nobody knows. Files come from
// outside, so whatever the reader does, a lookup never panics.
package network

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Info is what is known of an address's network; fields may be missing.
type Info struct {
	ASN     uint32 // autonomous system number, 0: unknown
	Org     string // its operator's name, at most 100 octets, printable
	Country string // ISO 3166-1 alpha-2, upper case
}

// String is the information in words: "AS64500 Example Net, DE".
func (i Info) String() string {
	var parts []string
	if i.ASN != 0 {
		parts = append(parts, strings.TrimSpace("AS"+strconv.FormatUint(uint64(i.ASN), 10)+" "+i.Org))
	}
	if i.Country != "" {
		parts = append(parts, i.Country)
	}
	return strings.Join(parts, ", ")
}

// MaxFile is the size of the largest file that is read.
const MaxFile = 256 << 20

// DB looks addresses up. It is safe for concurrent use; a nil DB knows nothing.
type DB struct {
	paths []string
	files atomic.Pointer[[]*file]
	mu    sync.Mutex // one Refresh at a time
}

// file is one that is loaded, and how it looked on disk then.
type file struct {
	reader *maxminddb.Reader
	size   int64
	time   time.Time
}

// Open reads the files; each has some of the information. Without paths it returns
// nil.
func Open(paths ...string) (*DB, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	d := &DB{paths: paths}
	d.files.Store(&[]*file{})
	if _, err := d.Refresh(); err != nil {
		return nil, err
	}
	return d, nil
}

// Refresh reads those files again that changed on disk and says whether any did.
// After an error everything stays as it was, so it can be called once a minute and
// the error logged.
func (d *DB) Refresh() (changed bool, err error) {
	if d == nil {
		return false, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	old := *d.files.Load()
	fresh := make([]*file, len(d.paths))
	for i, p := range d.paths {
		info, err := os.Stat(p)
		if err != nil {
			return false, fmt.Errorf("network: %w", err)
		}
		if i < len(old) && old[i].size == info.Size() && old[i].time.Equal(info.ModTime()) {
			fresh[i] = old[i]
			continue
		}
		if fresh[i], err = load(p); err != nil {
			return false, fmt.Errorf("network: %s: %w", p, err)
		}
		changed = true
	}
	if changed {
		d.files.Store(&fresh)
	}
	return changed, nil
}

func load(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	if info.Size() > MaxFile {
		return nil, fmt.Errorf("it has %d octets, at most %d are read", info.Size(), MaxFile)
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) != info.Size() {
		return nil, errors.New("it is being written at the moment")
	}
	r, err := parse(b)
	if err != nil {
		return nil, err
	}
	return &file{reader: r, size: info.Size(), time: info.ModTime()}, nil
}

// probe is how many networks of a new file are read to see whether it is any use,
// and walk how many branches of its tree are followed for that, empty ones too: a
// hostile tree has no end of them.
const (
	probe = 1000
	walk  = 100_000
)

// parse opens a file's bytes and reads the start of it.
func parse(b []byte) (r *maxminddb.Reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("it is damaged: %v", p)
		}
	}()
	r, err = maxminddb.OpenBytes(b)
	if err != nil {
		return nil, fmt.Errorf("it is no complete MaxMind DB file: %w", err)
	}
	if v := r.Metadata.IPVersion; v != 4 && v != 6 {
		return nil, fmt.Errorf("it is damaged: it says it is for IP version %d", v)
	}
	n, steps, useful := 0, 0, false
	for res := range r.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if err := res.Err(); err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		if steps++; steps > walk {
			break
		}
		if !res.Found() {
			continue
		}
		i, err := read(res)
		if err != nil {
			return nil, fmt.Errorf("it is damaged at %v: %w", res.Prefix(), err)
		}
		useful = useful || i != Info{}
		if n++; n >= probe {
			break
		}
	}
	switch {
	case n == 0:
		return nil, errors.New("it has no networks")
	case !useful:
		return nil, fmt.Errorf("it has neither numbers of autonomous systems nor countries; its type is %.60q", r.Metadata.DatabaseType)
	}
	return r, nil
}

// Lookup says what is known of an address's network; ok is false where nothing is.
func (d *DB) Lookup(a netip.Addr) (info Info, ok bool) {
	a = a.Unmap().WithZone("")
	if d == nil || !a.IsValid() {
		return Info{}, false
	}
	for _, f := range *d.files.Load() {
		i := lookup(f.reader, a)
		if info.ASN == 0 && i.ASN != 0 {
			info.ASN, info.Org = i.ASN, i.Org
		}
		if info.Country == "" {
			info.Country = i.Country
		}
	}
	return info, info != Info{}
}

func lookup(r *maxminddb.Reader, a netip.Addr) (info Info) {
	defer func() {
		if recover() != nil {
			info = Info{}
		}
	}()
	if a.Is6() && r.Metadata.IPVersion == 4 {
		return Info{}
	}
	info, err := read(r.Lookup(a))
	if err != nil {
		return Info{}
	}
	return info
}

// read takes the fields that the known makers write. A field of an unexpected type
// is one that isn't there, but for the numbers, where it would be damage.
func read(res maxminddb.Result) (info Info, err error) {
	if err := res.Err(); err != nil || !res.Found() {
		return Info{}, err
	}
	// MaxMind and DB-IP.
	if err := res.DecodePath(&info.ASN, "autonomous_system_number"); err != nil {
		return Info{}, err
	}
	if info.ASN != 0 {
		info.Org = text(res, "autonomous_system_organization")
	} else if n, ok := strings.CutPrefix(text(res, "asn"), "AS"); ok { // IPinfo
		if v, err := strconv.ParseUint(n, 10, 32); err == nil && v != 0 {
			info.ASN, info.Org = uint32(v), first(text(res, "as_name"), text(res, "name"))
		}
	}
	info.Org = printable(info.Org)
	for _, c := range [...]string{text(res, "country", "iso_code"), text(res, "registered_country", "iso_code"),
		text(res, "country_code"), text(res, "country")} {
		if country(c) {
			info.Country = strings.ToUpper(c)
			break
		}
	}
	return info, nil
}

// text returns the string at a path, "" where there is none.
func text(res maxminddb.Result, path ...any) string {
	var s string
	if res.DecodePath(&s, path...) != nil {
		return ""
	}
	return s
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func country(s string) bool {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	return len(s) == 2 && letter(s[0]) && letter(s[1])
}

// maxOrg bounds an operator's name.
const maxOrg = 100

func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s[:min(len(s), 4*maxOrg)])
	if len(s) > maxOrg {
		s = strings.ToValidUTF8(s[:maxOrg], "")
	}
	return s
}
