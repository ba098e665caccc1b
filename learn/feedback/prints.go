package feedback

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"sluice"
	"sluice/learn/campaign"
)

// Bounds of the table of prints.
const (
	mostPrints = 8192
	mostVoices = 32 // reporters of one campaign that are told apart
)

// How alike prints of one campaign are.
const (
	alikeText   = 0.5
	alikeLayout = 0.85
)

// prints remembers the campaigns that were labelled lately, and who said what of
// them.
type prints struct {
	all  []*opinion // a ring
	next int
	find map[uint64]*opinion // by band
}

// opinion is what was said of a campaign.
type opinion struct {
	bands []uint64
	bits  [2]uint64
	alike float64
	// said is what a trusted label said last: 1 bad, −1 good.
	said   int
	saidAt time.Time
	voices []voice
	day    int64
	traps  int // labels of traps on that day
}

// voice is what one user said of it.
type voice struct {
	by      *reporter
	spam    bool
	settled bool // has been compared with a trusted label
	day     int64
	today   int
}

func newPrints() prints { return prints{find: map[uint64]*opinion{}} }

// mark is how a label finds the others of its campaign: by text, by layout where
// there is no text, by the first file, else by its features alone.
func markOf(p *campaign.Print, features []byte) *opinion {
	switch {
	case p != nil && p.Text.N > 0:
		return &opinion{bands: p.Text.Bands[:], bits: p.Text.Bits, alike: alikeText}
	case p != nil && p.Layout.N > 0:
		return &opinion{bands: p.Layout.Bands[:], bits: p.Layout.Bits, alike: alikeLayout}
	}
	var sum [sha256.Size]byte
	if p != nil && len(p.Files) > 0 {
		sum = sha256.Sum256(p.Files[0][:])
	} else {
		sum = sha256.Sum256(features)
	}
	h := binary.LittleEndian.Uint64(sum[:])
	return &opinion{bands: []uint64{h}, bits: [2]uint64{h, binary.LittleEndian.Uint64(sum[8:])}, alike: 1}
}

// printOf is the mark of an entry; one whose print can't be read is known by its
// features.
func printOf(f *sluice.Feedback) *opinion {
	p := new(campaign.Print)
	if len(f.Print) == 0 || p.UnmarshalBinary(f.Print) != nil {
		p = nil
	}
	return markOf(p, f.Features)
}

// look finds what was said of a campaign, nil where nothing was.
func (t *prints) look(mark *opinion) *opinion {
	var best *opinion
	score := 0.0
	for _, b := range mark.bands {
		o := t.find[b]
		if o == nil || o == best || o.alike != mark.alike {
			continue
		}
		if s := campaign.Similarity(&o.bits, &mark.bits); s >= mark.alike && s > score {
			best, score = o, s
		}
	}
	return best
}

// at finds or makes an opinion.
func (t *prints) at(mark *opinion) *opinion {
	if o := t.look(mark); o != nil {
		return o
	}
	if len(t.all) < mostPrints {
		t.all = append(t.all, mark)
	} else {
		old := t.all[t.next]
		for _, b := range old.bands {
			if t.find[b] == old {
				delete(t.find, b)
			}
		}
		t.all[t.next] = mark
		t.next = (t.next + 1) % mostPrints
	}
	for _, b := range mark.bands {
		t.find[b] = mark
	}
	return mark
}

// trusted notes a trusted label: those who said the same before it were right.
func (t *prints) trusted(mark *opinion, f *sluice.Feedback) {
	o := t.at(mark)
	o.said, o.saidAt = -1, f.Time
	if f.Spam {
		o.said = 1
	}
	if d := dayOf(f.Time); d > o.day {
		o.day, o.traps = d, 0
	}
	if f.Source == sluice.SourceTrap {
		o.traps++
	}
	for i := range o.voices {
		v := &o.voices[i]
		if v.settled {
			continue
		}
		v.settled = true
		v.by.fade(f.Time)
		if v.spam == f.Spam {
			v.by.agreed++
		} else {
			v.by.disputed++
		}
	}
}

// heard notes a user's label. The first of a reporter on a campaign is compared with
// what others said: a trusted one counts, other users as far as they are believed.
func (t *prints) heard(p *reporter, mark *opinion, f *sluice.Feedback) {
	o := t.at(mark)
	d := dayOf(f.Time)
	if v := o.voice(p); v != nil {
		if v.day != d {
			v.day, v.today = d, 0
		}
		v.today++
		v.spam = f.Spam
		return
	}
	if len(o.voices) == mostVoices {
		o.voices = append(o.voices[:0], o.voices[1:]...)
	}
	v := voice{by: p, spam: f.Spam, day: d, today: 1}
	if o.said != 0 {
		v.settled = true
		if (o.said > 0) == f.Spam {
			p.agreed++
		} else {
			p.disputed++
		}
	} else {
		same, other := 0.0, 0.0
		for i := range o.voices {
			peer := &o.voices[i]
			weight := peerWeight * peer.by.trust()
			if peer.spam == f.Spam {
				same += weight
			} else {
				other += weight
			}
		}
		p.agreed += min(same, 0.5)
		p.disputed += min(other, 0.5)
	}
	o.voices = append(o.voices, v)
}

// forget takes back what a trusted label said.
func (t *prints) forget(mark *opinion, of *sluice.Feedback) {
	if o := t.look(mark); o != nil && trustedSource(of.Source) && (o.said > 0) == of.Spam {
		o.said = 0
	}
}

func (o *opinion) voice(p *reporter) *voice {
	for i := range o.voices {
		if o.voices[i].by == p {
			return &o.voices[i]
		}
	}
	return nil
}
