package campaign

import (
	"math/bits"
	"time"
)

// ref names a cluster: its place in the array of records, 24 bits, and the generation
// of what stands there, 8 bits. 0 is none.
type ref uint32

func makeRef(id int, generation uint8) ref { return ref(id)<<8 | ref(generation) }

func (r ref) id() int           { return int(r >> 8) }
func (r ref) generation() uint8 { return uint8(r) }

// ways is how many entries share a bucket.
const ways = 8

// bucket holds eight entries in 192 octets, 24 each. The first cache line says
// whether an entry is the one, the other two how alike the texts are.
type bucket struct {
	tag     [ways]uint32 // 16 bits of the hash, 2 of class, 14 of when it was last seen
	cluster [ways]ref
	bits    [ways][2]uint64
}

// Classes of entries: what would be lost with one.
const (
	once   = iota // of a cluster of one message
	often         // of several
	judged        // of one that was labelled or is wanted
)

// tick is the unit of when an entry was last seen, in seconds: 14 bits of four hours
// wrap after seven years.
const tick = 4 * 60 * 60

func makeTag(h uint64, class int, at uint32) uint32 {
	return uint32(h&0xffff)<<16 | uint32(class)<<14 | at/tick&0x3fff
}

// age is how long ago an entry was seen, in seconds; the count of ticks wraps.
func age(tag, now uint32) uint32 { return (now/tick - tag) & 0x3fff * tick }

// index finds clusters by bands. It is a table of buckets without chains, so a look
// up is one bucket, however many entries there are.
type index struct {
	buckets []bucket
	forget  uint32 // seconds after which an entry's class counts no more
	used    int
	lost    uint64 // entries that gave way to others
}

func newIndex(entries int, forget time.Duration) index {
	return index{buckets: make([]bucket, max(1, (entries+ways-1)/ways)), forget: uint32(forget / time.Second)}
}

// bucket is where the entries of a band are.
func (x *index) bucket(band uint64) *bucket {
	hi, _ := bits.Mul64(band, uint64(len(x.buckets)))
	return &x.buckets[hi]
}

// put renews the entry of a band for a cluster or, if it may add, makes one.
// Where the bucket is full the one gives way that is worth the least: the lowest
// class, then the longest unseen. An entry of a judged cluster gives way to another
// such only, and there are at most seven in a bucket. So a flood of new texts pushes
// out nothing that was judged, and churns one place of a bucket full of what came
// often.
func (x *index) put(band uint64, r ref, sketch *[2]uint64, class int, now uint32, add bool) {
	b := x.bucket(band)
	same, kept := -1, 0
	for i := range ways {
		if b.cluster[i] == 0 {
			continue
		}
		if b.cluster[i].id() == r.id() && b.tag[i]>>16 == uint32(band&0xffff) {
			same = i
		} else if x.class(b.tag[i], now) == judged {
			kept++
		}
	}
	if class == judged && kept == ways-1 && same >= 0 {
		class = often
	}
	if same >= 0 {
		b.tag[same], b.cluster[same] = makeTag(band, class, now), r
		return
	}
	if !add {
		return
	}
	victim, worst := -1, ^uint32(0)
	for i := range ways {
		if b.cluster[i] == 0 {
			victim = i
			break
		}
		if keep := x.class(b.tag[i], now) == judged; keep != (class == judged && kept == ways-1) {
			continue
		}
		if worth := x.worth(b.tag[i], now); worth < worst {
			victim, worst = i, worth
		}
	}
	if victim < 0 { // judged ones and no other: they keep their places
		for i := range ways {
			if worth := x.worth(b.tag[i], now); worth < worst {
				victim, worst = i, worth
			}
		}
	}
	if b.cluster[victim] == 0 {
		x.used++
	} else {
		x.lost++
	}
	b.tag[victim], b.cluster[victim], b.bits[victim] = makeTag(band, class, now), r, *sketch
}

// class is what an entry counts as: one that nobody has seen for long is as good as new.
func (x *index) class(tag, now uint32) int {
	if age(tag, now) > x.forget {
		return once
	}
	return int(tag >> 14 & 3)
}

// worth orders the entries of a bucket: by class, then by when they were last seen.
func (x *index) worth(tag, now uint32) uint32 {
	return uint32(x.class(tag, now))<<14 | 0x3fff - min(age(tag, now)/tick, 0x3fff)
}
