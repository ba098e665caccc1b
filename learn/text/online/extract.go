package online

import (
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"sluice/learn/text"
	"sluice/message"
	"sluice/message/header"
	"sluice/message/links"
)

// Extractor names the way from a message to features. What was learned with one
// means nothing to another.
const Extractor = 2

// Sizes of the look at one message.
const (
	maxRaw    = 2000     // octets of the header as it came
	maxBody   = 500      // octets of the body as it came
	maxGrams  = 2000     // octets of visible text that are cut into byte grams
	maxText   = 32 << 10 // octets of visible text
	maxTail   = 8 << 10  // how many of them come from the end of a longer text
	maxDirty  = 50       // words that are taken as they were written
	maxSource = 32 << 10 // octets of HTML source that are searched for tricks
	maxOther  = 4 << 10  // octets of hidden text, and of alternative text
	maxHeader = 8 << 10  // octets of header that are read word by word
	maxField  = 1000     // octets of one field, of the subject, of a link
	maxLinks  = 50
	maxWord   = 40 // octets of a word that are hashed

	gramLen    = 4
	osbWindow  = 5
	blockWords = 60 // in a block; a segment is two of them in a row
)

// view is a way to look at a message. Each view that a message has gets the same
// share of its length as a vector, however many features it has: a long text
// doesn't drown the header, nor the other way round.
type view int

const (
	viewRaw    view = iota // byte grams of the header as it came
	viewHeader             // names, order and words of fields
	viewWords              // words and sparse pairs of subject and visible text, and how they are disguised
	viewGrams              // byte grams of the visible text
	viewLinks              // hosts and parts of links
	viewBody               // byte grams of the body as it came: how it is built
	viewHidden             // words that are hidden, and alternative texts
	views
)

// Salts keep the kinds of features inside a view apart.
const (
	saltSubject = 0x03707344
	saltHost    = 0xA4093822
	saltAlt     = 0x299F31D0
	saltOrder   = 0x082EFA98
	saltPair    = 0x13198A2E
	saltDirty   = 0xEC4E6C89
	saltEffort  = 0x452821E6
)

// Features are the different features of one message, hashed. They hold no text
// and never change.
type Features struct {
	index []uint32       // slots of the whole message, view after view
	ends  [views]int32   // where each view ends in index
	norm  [views]float32 // value of a feature of each view; all squares sum up to 1

	sorted bool // index, in each view

	// Of a text that is longer than a segment: the features of each block. An entry
	// is a place in the words view and, above it, how many blocks back the feature
	// was met last; 0 where it is new.
	parts  []uint32
	blocks []int32 // ends in parts
}

const (
	backShift = 20
	placeMask = 1<<backShift - 1
)

// Len returns the number of different features.
func (f *Features) Len() int { return len(f.index) }

// Sorted returns f with its slots in the order of the table, which Learn needs: a
// window of examples goes through memory forwards. Whoever calls it beforehand, in
// another goroutine, takes that work from the learner; scores stay the same but
// for rounding.
func (f *Features) Sorted() *Features {
	if f.sorted {
		return f
	}
	g := *f
	g.sorted = true
	g.index = slices.Clone(f.index)
	start := int32(0)
	for v, end := range g.ends {
		if view(v) == viewWords && len(f.parts) > 0 {
			g.parts = follow(g.index[start:end], f.parts, f.blocks)
		} else {
			sortSlots(g.index[start:end], 0)
		}
		start = end
	}
	return &g
}

// follow sorts words, and returns parts with the new places, in their order.
func follow(words, parts []uint32, blocks []int32) []uint32 {
	keys := make([]uint64, len(words))
	for k, w := range words {
		keys[k] = uint64(w)<<32 | uint64(k)
	}
	sortSlots(keys, 32)
	place := make([]uint32, len(words))
	for k, key := range keys {
		words[k], place[uint32(key)] = uint32(key>>32), uint32(k)
	}
	out := make([]uint32, len(parts))
	for k, p := range parts {
		out[k] = p&^placeMask | place[p&placeMask]
	}
	start := int32(0)
	for _, end := range blocks {
		slices.Sort(out[start:end])
		start = end
	}
	return out
}

// sortSlots sorts by the slot that stands in the bits from shift on.
func sortSlots[T uint32 | uint64](a []T, shift int) {
	const digit = (tableBits + 1) / 2
	if len(a) < 1<<(digit-2) {
		slices.Sort(a)
		return
	}
	from, to := a, make([]T, len(a))
	for range 2 {
		var next [1 << digit]uint32
		for _, v := range from {
			next[v>>shift&(1<<digit-1)]++
		}
		sum := uint32(0)
		for d, n := range next {
			next[d], sum = sum, sum+n
		}
		for _, v := range from {
			d := v >> shift & (1<<digit - 1)
			to[next[d]] = v
			next[d]++
		}
		from, to, shift = to, from, shift+digit
	}
}

// Extract reads the features of m. Its time is linear in what is looked at, about
// 40 kB at most.
func Extract(m *message.Message) *Features { return ExtractShown(m, nil) }

// ExtractShown is Extract where the visible text was made plain before; p may be nil.
func ExtractShown(m *message.Message, p *text.Shown) *Features {
	e := extractors.Get().(*extractor)
	defer extractors.Put(e)
	return e.extract(m, p)
}

var extractors = sync.Pool{New: func() any { return new(extractor) }}

// extractor is the memory of one extraction, pooled.
type extractor struct {
	buf   []byte
	index []uint32
	parts []uint32
	ends  []int32 // of blocks
	set   set
	first uint32 // of the present view, in index
	block uint32 // the present one, from 1; 0 where features aren't wanted by block
	words int    // in the present block
	clean text.Effort
	note  func(word []byte, slots []uint32)
}

func (e *extractor) extract(m *message.Message, p *text.Shown) *Features {
	v := m.View()
	shown := shown(v)
	e.index, e.parts, e.ends, e.block, e.words = e.index[:0], e.parts[:0], e.ends[:0], 0, 0
	e.clean = text.Effort{}
	e.set.reset(maxRaw + maxGrams + maxField + min(len(shown), maxText)/2)
	f := new(Features)
	read := [views]func(){
		viewRaw:    func() { e.raw(m) },
		viewHeader: func() { e.header(m.Header()) },
		viewWords:  func() { e.shown(m, v, shown, p) },
		viewGrams:  func() { e.grams(viewGrams, e.buf[:min(len(e.buf), maxGrams)]) }, // what shown has left
		viewLinks:  func() { e.links(v.Links) },
		viewBody: func() {
			body := m.Body(m.Parts[0])
			e.grams(viewBody, body[:min(len(body), maxBody)])
		},
		viewHidden: func() { e.hidden(v) },
	}
	for k, read := range read {
		e.first = uint32(len(e.index))
		read()
		f.ends[k] = int32(len(e.index))
	}
	f.index = append(make([]uint32, 0, len(e.index)), e.index...)
	if len(e.ends) > 2 {
		f.parts = append(make([]uint32, 0, len(e.parts)), e.parts...)
		f.blocks = append(make([]int32, 0, len(e.ends)), e.ends...)
	}
	f.weigh()
	return f
}

// weigh gives each view that is there the same share.
func (f *Features) weigh() {
	present, start := 0, int32(0)
	for _, end := range f.ends {
		if end > start {
			present++
		}
		start = end
	}
	start = 0
	for k, end := range f.ends {
		if end > start {
			f.norm[k] = float32(1 / math.Sqrt(float64(present)*float64(end-start)))
		}
		start = end
	}
}

// add notes a feature where it is new.
func (e *extractor) add(v view, h uint32) uint32 {
	h ^= uint32(v+1) * 0x9E3779B1
	// The finaliser of MurmurHash3.
	h ^= h >> 16
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	h = (h ^ h>>16) >> (32 - tableBits)
	place, before, found := e.set.put(h, uint32(len(e.index)), e.block)
	if !found {
		e.index = append(e.index, h)
	}
	// By collision a feature may stand in a view before this one: it has no part.
	if e.block > 0 && place >= e.first && (!found || before != e.block) {
		entry := place - e.first
		if before > 0 {
			entry |= (e.block - before) << backShift
		}
		e.parts = append(e.parts, entry)
	}
	return h
}

// receivers' names: fields that are written where a message arrives say where it
// was collected, or what another filter made of it.
var (
	receiversFields = map[string]bool{
		"return-path": true, "delivered-to": true, "x-original-to": true, "envelope-to": true, "x-envelope-to": true,
		"x-apparently-to": true, "status": true, "x-status": true, "x-keywords": true, "x-uid": true, "lines": true,
		"content-length": true, "received-spf": true, "authentication-results": true, "dkim-filter": true, "x-greylist": true,
	}
	receiversPrefixes = []string{"arc-", "x-spam", "x-virus-", "x-ms-", "x-forefront-", "x-microsoft-", "x-ses-", "x-gm-",
		"x-google-", "x-ymail", "x-foff-", "x-forwarded-", "x-sluice-"}
)

// fieldName returns the name in lower case, and false for a receiver's field.
func fieldName(name string) (string, bool) {
	n := header.Lower(name)
	if receiversFields[n] {
		return "", false
	}
	for _, p := range receiversPrefixes {
		if strings.HasPrefix(n, p) {
			return "", false
		}
	}
	return n, true
}

func (e *extractor) raw(m *message.Message) {
	b := e.buf[:0]
	for i := range m.Header().Fields {
		f := &m.Header().Fields[i]
		if _, ok := fieldName(f.Name); !ok {
			continue
		}
		b = append(b, f.Name...)
		b = append(b, ": "...)
		b = append(b, f.Value[:min(len(f.Value), maxRaw)]...)
		b = append(b, '\n')
		if len(b) >= maxRaw {
			break
		}
	}
	e.buf = b
	e.grams(viewRaw, b[:min(len(b), maxRaw)])
}

func (e *extractor) grams(v view, b []byte) {
	var g uint32
	for i, c := range b {
		g = g<<8 | uint32(c)
		if i >= gramLen-1 {
			e.add(v, g*0x9E3779B1)
		}
	}
}

// header reads the names of fields, as written and in their order, and the words
// in each.
func (e *extractor) header(h *header.Header) {
	n, before := 0, uint32(0)
	for i := range h.Fields {
		f := &h.Fields[i]
		lower, ok := fieldName(f.Name)
		if !ok {
			continue
		}
		if n += len(f.Name) + min(len(f.Value), maxField); n > maxHeader {
			break
		}
		name := fnv(lower)
		e.add(viewHeader, name)
		e.add(viewHeader, name*31+fnv(f.Name))
		e.add(viewHeader, (before*0x9E3779B1+name)^saltOrder)
		before = name
		e.buf = text.AppendNormal(e.buf[:0], header.DecodeWords(f.Value[:min(len(f.Value), 4*maxField)]), maxField)
		e.pairs(viewHeader, name, e.buf)
	}
}

// shown is the text that a person sees.
func shown(v *message.View) string {
	if v.Text == "" {
		return v.Alt // a message of pictures shows these words where it shows no picture
	}
	return v.Text
}

// shown reads the subject and the visible text, and leaves the latter in buf.
func (e *extractor) shown(m *message.Message, v *message.View, shown string, p *text.Shown) {
	e.buf = e.clean.Append(e.buf[:0], v.Subject, maxField)
	e.sparse(viewWords, saltSubject, e.buf)
	e.block = 1
	e.buf = visible(e.buf[:0], shown, &e.clean, p)
	e.sparse(viewWords, 0, e.buf)
	if e.words > 0 {
		e.ends = append(e.ends, int32(len(e.parts)))
	}
	e.block = 0
	e.disguises(m, v, shown)
}

// visible appends as much of the visible text as is looked at, made plain.
func visible(dst []byte, shown string, clean *text.Effort, p *text.Shown) []byte {
	if len(shown) <= maxText {
		return p.Effort(clean, dst, shown, maxText)
	}
	dst = clean.Append(dst, shown[:maxText-maxTail], maxText-maxTail)
	dst = append(dst, ' ')
	return clean.Append(dst, shown[len(shown)-maxTail:], maxTail)
}

func (e *extractor) hidden(v *message.View) {
	e.buf = text.AppendNormal(e.buf[:0], v.Hidden[:min(len(v.Hidden), 4*maxOther)], maxOther)
	e.sparse(viewHidden, 0, e.buf)
	e.buf = text.AppendNormal(e.buf[:0], v.Alt[:min(len(v.Alt), 4*maxOther)], maxOther)
	e.sparse(viewHidden, saltAlt, e.buf)
}

// disguises reads how hard what is shown was to read. A word of two scripts is
// among the words as what it looks like, and here as it was written.
func (e *extractor) disguises(m *message.Message, v *message.View, shown string) {
	if v.HasHTML {
		source(m, &e.clean)
	}
	if !e.clean.Any() {
		return
	}
	for kind, n := range []int{e.clean.Invisible, e.clean.Mixed, e.clean.Styled, e.clean.Bidi, e.clean.Tags, e.clean.Apart, e.clean.Entities} {
		if n > 0 {
			e.add(viewWords, (uint32(kind)<<8|uint32(bits.Len(uint(n))))*0x9E3779B1^saltEffort)
		}
	}
	if e.clean.Mixed > 0 {
		n := 0
		for w := range strings.FieldsSeq(v.Subject + " " + shown[:min(len(shown), maxText)]) {
			if !ascii(w) {
				e.add(viewWords, fnv(w[:min(len(w), 4*maxWord)])^saltDirty)
				if n++; n == maxDirty {
					break
				}
			}
		}
	}
}

// source adds the tricks of the HTML source.
func source(m *message.Message, clean *text.Effort) {
	left := maxSource
	for _, p := range m.Parts {
		if left > 0 && p.Type == "text/html" && p.Disposition != "attachment" {
			b := m.Decoded(p)
			b = b[:min(len(b), left)]
			clean.Source(b)
			left -= len(b)
		}
	}
}

// Effort returns how hard it is to make plain what m shows: the measure that
// Extract learns from, at a fraction of its cost. The visible text may have been made
// plain before; p may be nil.
func Effort(m *message.Message, p *text.Shown) text.Effort {
	e := extractors.Get().(*extractor)
	defer extractors.Put(e)
	v := m.View()
	var clean text.Effort
	e.buf = clean.Append(e.buf[:0], v.Subject, maxField)
	e.buf = visible(e.buf[:0], shown(v), &clean, p)
	if v.HasHTML {
		source(m, &clean)
	}
	return clean
}

func ascii[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// sparse emits words, and pairs of each with the four before it, told apart by
// their distance (orthogonal sparse bigrams, Siefkes et al. 2004). A word that
// looks like a Latin one is that word too.
func (e *extractor) sparse(v view, salt uint32, b []byte) {
	var (
		last  [osbWindow]uint32 // the present word and those before
		slots [osbWindow]uint32
	)
	for from, to := nextWord(b, 0, coarse); from < to; from, to = nextWord(b, to, coarse) {
		copy(last[1:], last[:])
		last[0] = hash(b[from:min(to, from+maxWord)]) ^ salt
		slots[0] = e.add(v, last[0])
		if !ascii(b[from:to]) {
			e.skeleton(v, salt, b[from:to])
		}
		n := 1
		for ; n < osbWindow && last[n] != 0; n++ {
			slots[n] = e.add(v, last[n]*0x9E3779B1+last[0]+uint32(n)*0x7FEB352D)
		}
		if e.note != nil {
			e.note(b[from:to], slots[:n])
		}
		if e.block == 0 {
			continue
		}
		if e.words++; e.words == blockWords && e.block < maxBlock {
			e.ends = append(e.ends, int32(len(e.parts)))
			e.block, e.words = e.block+1, 0
		}
	}
}

func (e *extractor) skeleton(v view, salt uint32, w []byte) {
	var buf [4 * maxWord]byte
	if looks, ok := text.AppendSkeleton(buf[:0], w[:min(len(w), 2*maxWord)]); ok {
		e.add(v, hash(looks[:min(len(looks), maxWord)])^salt)
	}
}

// pairs emits words and pairs of neighbours.
func (e *extractor) pairs(v view, salt uint32, b []byte) {
	before := uint32(0)
	for from, to := nextWord(b, 0, fine); from < to; from, to = nextWord(b, to, fine) {
		w := hash(b[from:min(to, from+maxWord)])
		e.add(v, w*0x9E3779B1+salt)
		if before != 0 {
			e.add(v, ((before*0x85EBCA6B+w)*0x9E3779B1+salt)^saltPair)
		}
		before = w
	}
}

// links emits the labels of hosts from the right ("com", "example.com", …) and the
// words of the whole link.
func (e *extractor) links(all []links.Link) {
	for i := range all[:min(len(all), maxLinks)] {
		h := all[i].Host
		h = h[max(0, len(h)-255):]
		w := uint32(fnvBasis)
		for k := len(h) - 1; k >= 0; k-- {
			if h[k] == '.' || k == 0 {
				e.add(viewLinks, w^saltHost)
			}
			w = (w ^ uint32(h[k])) * fnvPrime
		}
		raw := all[i].Raw
		e.buf = text.AppendNormal(e.buf[:0], raw[:min(len(raw), maxField)], maxField)
		e.pairs(viewLinks, 0, e.buf)
	}
}

// nextWord returns the next word from i on, an empty one at the end; in says what
// words are made of.
func nextWord(b []byte, i int, in *[256]bool) (from, to int) {
	for i < len(b) && !in[b[i]] {
		i++
	}
	from = i
	for i < len(b) && in[b[i]] {
		i++
	}
	return from, i
}

// The octets of words; fine parts them at "@" and "-" too.
var (
	coarse = wordOctets("$'-!@")
	fine   = wordOctets("$'!")
)

func wordOctets(more string) *[256]bool {
	t := new([256]bool)
	for c := range t {
		t[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80 || strings.IndexByte(more, byte(c)) >= 0
	}
	return t
}

// FNV-1a.
const (
	fnvBasis = 2166136261
	fnvPrime = 16777619
)

func hash(b []byte) uint32 {
	h := uint32(fnvBasis)
	for _, c := range b {
		h = (h ^ uint32(c)) * fnvPrime
	}
	return h
}

func fnv(s string) uint32 {
	h := uint32(fnvBasis)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * fnvPrime
	}
	return h
}

// set tells which slots were met in this message, where in index, and in which
// block last. It is a hash table with open addressing; a generation saves clearing it.
type set struct {
	cells []uint64 // generation 13 bits, place 20, block 10, slot 21
	mask  uint32
	gen   uint64
	used  int
}

const (
	maxBlock   = 1<<10 - 1
	cellBlock  = tableBits
	cellPlace  = cellBlock + 10
	cellGen    = cellPlace + backShift
	cellGens   = 1 << (64 - cellGen)
	slotInCell = tableSize - 1
)

// reset empties the set and sizes it for about n features.
func (s *set) reset(n int) {
	size := 1 << 12
	for size < 2*n {
		size <<= 1
	}
	if s.gen++; len(s.cells) < size || s.gen == cellGens {
		s.cells, s.gen = make([]uint64, max(size, len(s.cells))), 1
	}
	s.mask, s.used = uint32(size-1), 0
}

// put notes slot in block, and at place where it is new. It returns its place, and
// the block where it was before.
func (s *set) put(slot, at, block uint32) (place, before uint32, found bool) {
	for i := slot * 0x9E3779B1 >> 7 & s.mask; ; i = (i + 1) & s.mask {
		c := &s.cells[i]
		if *c>>cellGen != s.gen {
			*c = s.gen<<cellGen | uint64(at)<<cellPlace | uint64(block)<<cellBlock | uint64(slot)
			if s.used++; s.used > int(s.mask)*3/4 {
				s.grow()
			}
			return at, 0, false
		}
		if uint32(*c)&slotInCell == slot {
			before = uint32(*c>>cellBlock) & maxBlock
			*c = *c&^(maxBlock<<cellBlock) | uint64(block)<<cellBlock
			return uint32(*c>>cellPlace) & placeMask, before, true
		}
	}
}

// grow makes room where a message has more features than its size let expect.
func (s *set) grow() {
	old, gen := s.cells[:s.mask+1], s.gen
	size := 2 * len(old)
	s.cells, s.gen, s.mask, s.used = make([]uint64, size), 1, uint32(size-1), 0
	for _, c := range old {
		if c>>cellGen == gen {
			s.put(uint32(c)&slotInCell, uint32(c>>cellPlace)&placeMask, uint32(c>>cellBlock)&maxBlock)
		}
	}
}
