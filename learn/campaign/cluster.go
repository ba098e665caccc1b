package campaign

import (
	"math"
	"math/bits"
	"net/netip"
	"time"

	"sluice"
)

// Kinds of clusters: what their messages have in common.
const (
	kindText byte = 1 + iota
	kindLayout
	kindFile
)

// mostOwners is how many domains can have a campaign of their own in one cluster.
const mostOwners = 3

// record is what is known of a cluster, 168 octets.
type record struct {
	root       [2]uint64 // the sketch of the first message: what the cluster can't drift away from
	owners     [mostOwners]uint64
	recipients tally
	sources    tally // addresses
	networks   tally // /24, in IPv6 /48
	domains    tally // domains with a good name that authenticated such a message
	burst      marks // networks since burstAt that have nothing to do with each other
	first      uint32
	last       uint32
	faded      uint32 // when the counts were last halved
	burstAt    uint32
	labelAt    uint32 // when bad and good were these
	parent     ref    // the cluster that this one was joined to; 0 for none
	messages   float32
	bad, good  float32 // what trusted reports weigh
	kind       byte
	generation uint8
	flags      uint8
	threat     sluice.Threat // what the last bad report called it
}

// Flags of a record.
const (
	badInside = 1 << iota // the reported message led to the owner's own sites only
	badBefore             // was reported as bad
)

func seconds(t time.Time) uint32 { return uint32(min(max(t.Unix(), 1), math.MaxUint32)) }

func moment(s uint32) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// fade halves the counts once for each half-life gone by.
func (c *record) fade(now, halfLife uint32) {
	if c.faded+halfLife > now || c.faded > now {
		return
	}
	n := (now - c.faded) / halfLife
	c.faded += n * halfLife
	for range min(n, 16) {
		c.messages /= 2
		for _, t := range []*tally{&c.recipients, &c.sources, &c.networks, &c.domains} {
			t.halve()
		}
	}
}

// labels returns what reports weigh at a time.
func (c *record) labels(now uint32, halfLife time.Duration) (bad, good float64) {
	f := fade(c.labelAt, now, halfLife)
	return float64(c.bad) * f, float64(c.good) * f
}

func fade(from, to uint32, halfLife time.Duration) float64 {
	if to <= from {
		return 1
	}
	return math.Exp2(-float64(to-from) / halfLife.Seconds())
}

// class is what the cluster's entries in the index are worth.
func (c *record) class() int {
	switch {
	case c.bad > 0.1 || c.good > 0.1 || c.owners[0] != 0:
		return judged
	case c.messages >= 2:
		return often
	}
	return once
}

// wantedKey names a domain's own campaign in a cluster.
type wantedKey struct {
	cluster ref
	domain  uint64
}

// wanted is what a domain with a good name has authenticated of a cluster.
type wanted struct {
	domain      string
	born        uint32 // of the cluster: tells its successor in the same place
	first, last uint32
	messages    float32
	bad, good   float32
	goodBy      uint16 // who spoke for it, a bit each
	recipients  tally
	links       bloom // where its messages lead
}

// worth is what would be lost with it, for the table.
func (w *wanted) worth(now, forget uint32) float64 {
	if w.last+forget < now {
		return -1
	}
	return w.recipients.count() + 10*float64(w.good)
}

// Protection of a campaign.
const (
	wantedAge      = 60 * 60 // seconds before silence counts as consent
	learnsLinks    = 24 * 60 * 60
	goodVoices     = 2    // sources of good labels
	mostComplaints = 0.01 // of the recipients
)

// protects says whether the campaign is proven to be wanted.
func (w *wanted) protects(now uint32, recipients float64) bool {
	n := w.recipients.count()
	if float64(w.bad) > float64(w.good)+mostComplaints*n {
		return false
	}
	return bits.OnesCount16(w.goodBy) >= goodVoices && w.good > 0 || n >= recipients && now >= w.first+wantedAge
}

// neighbourhood is the network of an address that one owner has: an IPv4 /24, an IPv6
// /48.
func neighbourhood(a netip.Addr) netip.Prefix { return prefix(a, 24, 48) }

// region is what networks that have nothing to do with each other differ in, where
// the operator isn't known.
func region(a netip.Addr) netip.Prefix { return prefix(a, 16, 32) }

func prefix(a netip.Addr, four, six int) netip.Prefix {
	a = a.Unmap().WithZone("")
	n := six
	if a.Is4() {
		n = four
	}
	p, _ := a.Prefix(n)
	return p
}
