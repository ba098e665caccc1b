// Package lookalike finds domains that are made to be taken for others: "paypa1.com",
// "rnicrosoft.com", "paypal-login.example", "paypal.com.evil.example". An Index holds
// the names to protect; a look-up costs the same whatever their number.
//
// # How
//
// A label is reduced to its skeleton (UTS 39): letters of all scripts as they are
// read, without hyphens and accents, and with one letter for those of ASCII that are
// taken for each other. The skeleton of each protected label, and each string that is
// left when one of its characters is dropped, leads to the name. A look-up does the
// same to the host that is asked about: two words that differ by one insertion,
// omission, replacement or transposition have one of these strings in common. Parts
// of combined words ("paypal-login") and the labels in front of the organization's
// domain are looked up by skeleton alone.
//
// # When it says nothing
//
// Two short names are close by chance: "chase.com" and "case.com" belong to banks and
// neighbours alike. So each kind of likeness has a least length (see rules), which is
// greater for ordinary words, for correspondents, and where the top-level domain
// differs. A host whose organization is protected itself is nobody's look-alike, and
// the caller can excuse those that have earned a name of their own.
//
// The package is pure, and an Index is safe for concurrent use.
package lookalike

import (
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/publicsuffix"
)

// Kind says whose name is protected. A name may be of several kinds: they are bits.
type Kind uint8

// The kinds.
const (
	Own           Kind = 1 << iota // a domain that we receive mail for
	Brand                          // of a known brand
	Correspondent                  // of somebody whom our users write to
)

// String names the kinds.
func (k Kind) String() string {
	var out []string
	for i, s := range []string{"own", "brand", "correspondent"} {
		if k&(1<<i) != 0 {
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

// Name is a protected name.
type Name struct {
	Domain string // an organizational domain; hosts are cut down to theirs
	Kind   Kind
	// Weight ranks names that a host resembles alike: the greater goes first.
	Weight uint8
}

// Match is a protected name that a host resembles.
type Match struct {
	Name     Name
	Family   Family
	Distance int // edits between the labels; 0: they look the same, or one holds the other
	// Strength is how sure the likeness is meant, 0 to 1: for the name of a bank in
	// letters of two alphabets 1, for a known word under another top-level domain
	// less than a half.
	Strength float64
	// Part is the part of the host that resembles the name, in Unicode; hostile.
	Part string
}

// Config sets up an Index.
type Config struct {
	// Seed makes the hashes unpredictable; any number.
	Seed uint64
	// Max is how many names are kept; 0: 2 million.
	Max int
}

// Index is the protected names.
type Index struct {
	seed uint64
	max  int

	mu     sync.RWMutex
	shards [1 << shardBits]slots
	names  []record
	free   []uint32 // ids of removed names
	text   []byte   // all domains, in Unicode
	lost   int      // octets of text that nobody uses
}

// record is one name: 8 octets, its text apart.
type record struct {
	off    uint32
	n      uint8 // octets of the domain
	label  uint8 // of them, of its first label
	kind   Kind  // 0: removed
	weight uint8
}

// known marks, in record.kind, a name that is found by its domain alone.
const known Kind = 1 << 7

const defaultMax = 2_000_000

// New returns an empty index.
func New(c Config) *Index {
	if c.Max <= 0 {
		c.Max = defaultMax
	}
	return &Index{seed: c.Seed*0x9e3779b97f4a7c15 + 0x2545f4914f6cdd1d, max: min(c.Max, 1<<30)}
}

// What a hash is of. An edit is a string with one character missing.
const (
	ofDomain   = 0x1f123bb5
	ofSkeleton = 0x6c62272e
	ofEdit     = 0x3c6ef372
)

// The hash of a string of characters is a polynomial in prime, so that the hashes of
// all strings with one character missing come from one pass.
const prime = 0x9fb21c651e98df25

// powers of prime.
var powers = func() (p [maxLabel + 2]uint64) {
	p[0] = 1
	for i := range len(p) - 1 {
		p[i+1] = p[i] * prime
	}
	return p
}()

func (x *Index) value(r rune) uint64 { return (uint64(r) + 1) * (x.seed | 1) }

// mix finishes a hash.
func mix(h, of uint64) uint64 {
	hi, lo := bits.Mul64(h^of*0xff51afd7ed558ccd, 0x9e3779b97f4a7c15)
	h = hi ^ lo
	h ^= h >> 32
	return h * 0xd6e8feb86659fd93
}

func (x *Index) hash(s []rune, of uint64) uint64 {
	h := uint64(0)
	for _, r := range s {
		h = h*prime + x.value(r)
	}
	return mix(h, of)
}

func (x *Index) hashDomain(s string) uint64 {
	h := uint64(0)
	for _, r := range s {
		h = h*prime + x.value(r)
	}
	return mix(h, ofDomain)
}

// edits are the hashes of s and of all strings with one character of s missing, each
// once. It fills and returns out.
func (x *Index) edits(s []rune, out []uint64) []uint64 {
	n := len(s)
	var after [maxLabel + 2]uint64 // hash of what follows
	for i := n - 1; i >= 0; i-- {
		after[i] = after[i+1] + x.value(s[i])*powers[n-1-i]
	}
	out = append(out, mix(after[0], ofEdit))
	before := uint64(0)
	for i, r := range s {
		if i == 0 || r != s[i-1] { // of a pair one is enough
			out = append(out, mix(before*powers[n-1-i]+after[i+1], ofEdit))
		}
		before = before*prime + x.value(r)
	}
	return out
}

func (x *Index) shard(h uint64) (*slots, uint32) {
	return &x.shards[h>>(64-shardBits)], uint32(h)
}

// warm touches the places of many hashes before any of them is searched: memory then
// answers for all of them at once.
func (x *Index) warm(hashes []uint64) {
	sum := uint64(0)
	for _, h := range hashes {
		s := &x.shards[h>>(64-shardBits)]
		if len(s.places) > 0 {
			sum |= s.places[s.home(uint32(h))]
		}
	}
	runtime.KeepAlive(sum)
}

// warmNames does the same for names and their texts.
func (x *Index) warmNames(ids []uint32) {
	sum := byte(0)
	for _, id := range ids {
		sum |= x.text[x.names[id].off]
	}
	runtime.KeepAlive(sum)
}

func (x *Index) domain(id uint32) string {
	r := x.names[id]
	return string(x.text[r.off : r.off+uint32(r.n)])
}

// label is the first label of a name; it shares the index's memory.
func (x *Index) label(id uint32) []byte {
	r := x.names[id]
	return x.text[r.off : r.off+uint32(r.label)]
}

// split parts a host in Unicode into what stands before its organizational domain,
// the domain's first label, and the public suffix. private says that the suffix is one
// of the list's private part: what is below belongs to anybody. It says false where
// there is no such domain.
func split(host string) (sub, label, suffix string, private, ok bool) {
	if host == "" || len(host) > 1000 || host[0] == '[' {
		return "", "", "", false, false
	}
	suffix, icann := publicsuffix.PublicSuffix(host)
	if len(suffix)+1 >= len(host) || !strings.HasSuffix(host, suffix) || host[len(host)-len(suffix)-1] != '.' {
		return "", "", "", false, false
	}
	label = host[:len(host)-len(suffix)-1]
	if i := strings.LastIndexByte(label, '.'); i >= 0 {
		sub, label = label[:i], label[i+1:]
	}
	return sub, label, suffix, !icann && strings.IndexByte(suffix, '.') >= 0, label != ""
}

// splitAt is split where the organizational domain may be known.
func splitAt(host, org string) (sub, label, suffix string, private, ok bool) {
	n := len(host) - len(org) - 1
	if org != "" && n > 0 && host[n] == '.' && host[n+1:] == org && len(host) <= 1000 {
		label, suffix, ok = strings.Cut(org, ".")
		if ok && label != "" && strings.IndexByte(suffix, '.') < 0 { // others may be private
			return host[:n], label, suffix, false, true
		}
	}
	return split(host)
}

// least is the number of characters from which a label is compared by edits.
const least = 5

// Add protects a name, or adds a kind to one that is protected. It says whether the
// index holds it: false for what is no organizational domain, or where the index is
// full.
func (x *Index) Add(n Name) bool {
	host := decode(n.Domain)
	_, label, suffix, _, ok := split(host)
	n.Kind &^= known
	var w word
	if !ok || n.Kind == 0 || len(label)+1+len(suffix) > 255 || !w.readLabel(label) {
		return false
	}
	domain := host[len(host)-len(label)-1-len(suffix):]
	x.mu.Lock()
	defer x.mu.Unlock()
	id, there := x.find(domain)
	if there {
		r := &x.names[id]
		had := r.kind
		r.kind |= n.Kind
		r.weight = max(r.weight, n.Weight)
		if had&known == 0 || n.Kind&Own == 0 {
			return true
		}
		r.kind &^= known // now it is ours, and found whatever else is called so
	} else if id, ok = x.enter(domain, label, n); !ok {
		return false
	}
	force := n.Kind&Own != 0
	s, rest := x.shard(x.hash(w.skeleton(), ofSkeleton))
	if !s.add(rest, id, force) {
		x.names[id].kind |= known
		return true
	}
	if len(w.skeleton()) >= least {
		var buf [maxLabel + 2]uint64
		for _, h := range x.edits(w.skeleton(), buf[:0]) {
			s, rest := x.shard(h)
			s.add(rest, id, force)
		}
	}
	return true
}

// enter makes a record and its way from the domain.
func (x *Index) enter(domain, label string, n Name) (id uint32, ok bool) {
	if len(x.names)-len(x.free) >= x.max || len(x.text)+len(domain) > 1<<31 {
		return 0, false
	}
	r := record{off: uint32(len(x.text)), n: uint8(len(domain)), label: uint8(len(label)), kind: n.Kind, weight: n.Weight}
	x.text = append(x.text, domain...)
	if k := len(x.free); k > 0 {
		id, x.free = x.free[k-1], x.free[:k-1]
		x.names[id] = r
	} else {
		id = uint32(len(x.names))
		x.names = append(x.names, r)
	}
	s, rest := x.shard(x.hashDomain(domain))
	s.add(rest, id, true)
	return id, true
}

// find looks a protected domain up.
func (x *Index) find(domain string) (uint32, bool) {
	return x.findHash(x.hashDomain(domain), domain)
}

// findHash is find where the hash is known.
func (x *Index) findHash(hash uint64, domain string) (uint32, bool) {
	var buf [4]uint32
	s, rest := x.shard(hash)
	for _, id := range s.find(rest, buf[:0]) {
		r := x.names[id]
		if string(x.text[r.off:r.off+uint32(r.n)]) == domain {
			return id, true
		}
	}
	return 0, false
}

// Remove takes kinds from a name; with none left it is no longer protected. It says
// whether there was anything to take.
func (x *Index) Remove(domain string, kind Kind) bool {
	host := decode(domain)
	_, label, suffix, _, ok := split(host)
	if !ok {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	id, there := x.find(host[len(host)-len(label)-1-len(suffix):])
	if !there || x.names[id].kind&kind&^known == 0 {
		return false
	}
	r := &x.names[id]
	if r.kind &^= kind &^ known; r.kind&^known != 0 {
		return true
	}
	s, rest := x.shard(x.hashDomain(x.domain(id)))
	s.remove(rest, id)
	var w word
	w.readLabel(label)
	s, rest = x.shard(x.hash(w.skeleton(), ofSkeleton))
	s.remove(rest, id)
	if len(w.skeleton()) >= least {
		var buf [maxLabel + 2]uint64
		for _, h := range x.edits(w.skeleton(), buf[:0]) {
			s, rest := x.shard(h)
			s.remove(rest, id)
		}
	}
	x.lost += int(r.n)
	*r = record{}
	x.free = append(x.free, id)
	if x.lost > 1<<16 && 2*x.lost > len(x.text) {
		x.tidy()
	}
	return true
}

// tidy writes the texts anew.
func (x *Index) tidy() {
	text := make([]byte, 0, len(x.text)-x.lost)
	for i := range x.names {
		r := &x.names[i]
		if r.kind != 0 {
			off := len(text)
			text = append(text, x.text[r.off:r.off+uint32(r.n)]...)
			r.off = uint32(off)
		}
	}
	x.text, x.lost = text, 0
}

// Protected returns the kinds of the organization that a host belongs to, 0 for one
// that isn't protected.
func (x *Index) Protected(host string) Kind {
	host = decode(host)
	_, label, suffix, _, ok := split(host)
	if !ok {
		return 0
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	id, there := x.find(host[len(host)-len(label)-1-len(suffix):])
	if !there {
		return 0
	}
	return x.names[id].kind &^ known
}

// Stats are the index's size.
type Stats struct {
	Names int
	Bytes int // of memory, about
}

// Stats returns the index's size.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	s := Stats{Names: len(x.names) - len(x.free), Bytes: cap(x.text) + 8*cap(x.names) + 4*cap(x.free)}
	for i := range x.shards {
		s.Bytes += 8 * cap(x.shards[i].places)
	}
	return s
}

// maxMatches bounds an answer.
const maxMatches = 4

// Lookup finds the protected names that a host resembles, the surest first, at most
// four. excused, where it isn't nil, is asked about the host's organization (in
// Unicode) before anything is found: it says that the organization has a name of its
// own. A host of a protected organization resembles nobody.
func (x *Index) Lookup(host string, excused func(org string) bool) []Match {
	return x.LookupIn(host, "", excused)
}

// LookupIn is Lookup of a host whose organizational domain is known, which is a third
// of the work; org as links.OrgDomain has it, "" for unknown.
func (x *Index) LookupIn(host, org string, excused func(org string) bool) []Match {
	host = decode(host)
	sub, label, suffix, private, ok := splitAt(host, org)
	if !ok {
		return nil
	}
	l := look{x: x, sub: sub, label: label, suffix: suffix, private: private, org: host[len(host)-len(label)-1-len(suffix):]}
	l.run()
	if len(l.found) == 0 || excused != nil && excused(l.org) {
		return nil
	}
	slices.SortStableFunc(l.found, func(a, b Match) int {
		switch {
		case a.Strength != b.Strength:
			return compare(b.Strength, a.Strength)
		case a.Name.Kind != b.Name.Kind:
			return int(a.Name.Kind) - int(b.Name.Kind)
		case a.Name.Weight != b.Name.Weight:
			return int(b.Name.Weight) - int(a.Name.Weight)
		}
		return strings.Compare(a.Name.Domain, b.Name.Domain)
	})
	return l.found[:min(len(l.found), maxMatches)]
}

func (l *look) run() {
	x := l.x
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.names) == len(x.free) {
		return
	}
	if l.whole() {
		l.parts(l.label, false)
		l.front()
	}
}

func compare(a, b float64) int {
	if a < b {
		return -1
	}
	return 1
}
