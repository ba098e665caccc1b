package online

// Sizes of the table of weights: 2^21 slots of 16 octets, 32 MB when all of it is
// in use. Pages are made when they are first written.
const (
	tableBits = 21
	tableSize = 1 << tableBits
	pageBits  = 6
	pageSize  = 1 << pageBits // slots; 1 kB
	pageCount = tableSize / pageSize
)

// slot holds all that is learned about one feature: one cache line is fetched for
// all of it.
type slot struct {
	slow, fast float32 // weights
	ham, spam  uint32  // labelled messages that had it
}

// page is a run of slots in a snapshot; it never changes.
type page [pageSize]slot

// table is the writer's.
type table struct {
	slots []slot
	dirty []bool  // pages that were written to since the last snapshot
	pages []*page // the last snapshot's; nil where nothing was ever written
}

func newTable() *table {
	return &table{slots: make([]slot, tableSize), dirty: make([]bool, pageCount), pages: make([]*page, pageCount)}
}

// freeze returns the pages as they are. What was not written to since the last
// time is shared with it.
func (t *table) freeze() []*page {
	for n, dirty := range t.dirty {
		if dirty {
			p := new(page)
			copy(p[:], t.slots[n*pageSize:])
			t.pages[n], t.dirty[n] = p, false
		}
	}
	return append(make([]*page, 0, pageCount), t.pages...)
}

// margins are readings of one text by both sets of weights: about 1 for typical
// spam, −1 for typical ham.
type margins struct{ slow, fast float32 }

// count notes that a labelled message has the features of f.
func (t *table) count(f *Features, spam bool) {
	for _, i := range f.index {
		s := &t.slots[i]
		if spam {
			s.spam++
		} else {
			s.ham++
		}
		t.dirty[i>>pageBits] = true
	}
}
