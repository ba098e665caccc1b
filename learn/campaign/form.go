package campaign

import (
	"encoding/binary"
	"errors"
)

// ErrPrint is what a stored Print yields that isn't one.
var ErrPrint = errors.New("campaign: no stored print")

// printVersion counts the ways in which messages were read: a Print of another one
// resembles nothing.
const printVersion = 1

// MarshalBinary writes the print, at most a few kilobytes: for a log of labels, from
// which they can be given again or taken back.
func (p *Print) MarshalBinary() ([]byte, error) {
	le := binary.LittleEndian
	b := []byte{printVersion, byte(min(len(p.Files), mostFiles)), byte(min(len(p.Domains), mostDomains))}
	for _, s := range []*Sketch{&p.Text, &p.Layout} {
		b = le.AppendUint32(b, uint32(s.N))
		if s.N == 0 {
			continue
		}
		for _, h := range s.Bands {
			b = le.AppendUint64(b, h)
		}
		b = le.AppendUint64(le.AppendUint64(b, s.Bits[0]), s.Bits[1])
	}
	for _, f := range p.Files[:b[1]] {
		b = append(b, f[:]...)
	}
	for _, d := range p.Domains[:b[2]] {
		n := min(len(d), 255)
		b = append(append(b, byte(n)), d[:n]...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (p *Print) UnmarshalBinary(b []byte) error {
	f := fields{b: b}
	var out Print
	version, files, names := f.u8(), f.u8(), f.u8()
	if version != printVersion || files > mostFiles || names > mostDomains {
		return ErrPrint
	}
	for _, s := range []*Sketch{&out.Text, &out.Layout} {
		if s.N = int(f.u32()); s.N == 0 {
			continue
		}
		for i := range s.Bands {
			s.Bands[i] = f.u64()
		}
		s.Bits = [2]uint64{f.u64(), f.u64()}
	}
	for range files {
		out.Files = append(out.Files, [16]byte(f.take(16)))
	}
	for range names {
		out.Domains = append(out.Domains, string(f.take(int(f.u8()))))
	}
	if f.short || len(f.b) > 0 || out.Text.N > 1<<20 || out.Layout.N > 1<<20 {
		return ErrPrint
	}
	*p = out
	return nil
}
