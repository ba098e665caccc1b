package copycat

import "math/bits"

// ref names a campaign: its place in the array of records, 24 bits, and the generation
// of what stands there, 8 bits. 0 is none.
type ref uint32

func makeRef(id int, generation uint8) ref { return ref(id)<<8 | ref(generation) }

func (r ref) id() int           { return int(r >> 8) }
func (r ref) generation() uint8 { return uint8(r) }

const (
	ways   = 8 // entries of a bucket
	common = 3 // owners from which on a feature is nobody's
	each   = 3 // entries of one owner for a feature
)

// entry says that a campaign has a feature: 16 bits of the feature's hash, 16 of the
// owner's, the campaign.
type entry struct {
	tag, owner uint16
	of         ref
}

// bucket is one cache line.
type bucket [ways]entry

// index finds campaigns by features. It has no chains, so a look-up is one bucket,
// however many entries there are.
type index struct {
	buckets []bucket
	used    int
}

func newIndex(entries int) index {
	return index{buckets: make([]bucket, max(1, (entries+ways-1)/ways))}
}

func (x *index) bucket(feature uint64) *bucket {
	hi, _ := bits.Mul64(feature, uint64(len(x.buckets)))
	return &x.buckets[hi]
}

// tags are what an entry keeps of a feature's and an owner's hash. The place of a
// bucket is the upper bits of the feature.
func tags(feature, owner uint64) (tag, by uint16) { return uint16(feature), uint16(owner >> 48) }

// owners counts those who have a feature.
func (b *bucket) owners(tag uint16) int {
	var seen [ways]uint16
	n := 0
next:
	for i := range b {
		if b[i].of == 0 || b[i].tag != tag {
			continue
		}
		for _, o := range seen[:n] {
			if o == b[i].owner {
				continue next
			}
		}
		seen[n] = b[i].owner
		n++
	}
	return n
}

// others says whether anybody but one owner has a feature.
func (b *bucket) others(tag, by uint16) bool {
	for i := range b {
		if b[i].of != 0 && b[i].tag == tag && b[i].owner != by {
			return true
		}
	}
	return false
}

// put adds a feature of a campaign. dead says whether an entry's campaign is gone or
// was never proven. Of one owner three campaigns with the same feature are kept, the
// first ones and the latest; of a feature that is nobody's, nothing more. Where the bucket
// is full a dead entry gives way, else one that the hashes pick.
func (x *index) put(feature, owner uint64, of ref, dead func(ref) bool) {
	b := x.bucket(feature)
	tag, by := tags(feature, owner)
	free, mine, last := -1, 0, -1
	for i := range b {
		switch e := &b[i]; {
		case e.of == 0:
			free = i
		case e.tag == tag && e.of == of:
			return
		case e.tag == tag && e.owner == by:
			mine++
			last = i
		}
	}
	if mine == each {
		b[last].of = of
		return
	}
	if mine == 0 && b.owners(tag) >= common {
		return
	}
	if free < 0 {
		free = int(mix(feature^uint64(of)) % ways)
		for i := range b {
			if dead(b[i].of) {
				free = i
				break
			}
		}
	} else {
		x.used++
	}
	b[free] = entry{tag, by, of}
}

// mix is the finalizer of splitmix64 (Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
