package swarm

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"sluice/eval/swarm/talk"
)

// allocator hands out the addresses of a network in an order that a seed gives,
// each once.
type allocator struct {
	base       uint32
	mask       uint32
	step, next uint32
	left       int
	taken      map[netip.Addr]bool
}

func newAllocator(p netip.Prefix, r *rand.Rand) *allocator {
	b := p.Masked().Addr().As4()
	size := uint32(1) << (32 - p.Bits())
	// An odd step visits every address of a power of two before it repeats.
	return &allocator{base: binary.BigEndian.Uint32(b[:]), mask: size - 1, step: r.Uint32() | 1, next: r.Uint32(), left: int(size), taken: map[netip.Addr]bool{}}
}

func (a *allocator) at(off uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a.base|off&a.mask)
	return netip.AddrFrom4(b)
}

// one is the next free address; the last octet is never 0, 1 or 255.
func (a *allocator) one() (netip.Addr, error) {
	for ; a.left > 0; a.left-- {
		off := a.next
		a.next += a.step
		if addr := a.at(off); off&0xff > 1 && off&0xff != 0xff && !a.taken[addr] {
			a.taken[addr] = true
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("swarm: the network has too few addresses")
}

// block is n neighbours, beginning anywhere.
func (a *allocator) block(n int) ([]netip.Addr, error) {
	first, err := a.one()
	if err != nil {
		return nil, err
	}
	b := first.As4()
	out := make([]netip.Addr, 0, n)
	for off := binary.BigEndian.Uint32(b[:]) &^ 0xff; len(out) < n; off++ {
		addr := a.at(off)
		if off&0xff > 1 && off&0xff != 0xff && (addr == first || !a.taken[addr]) {
			a.taken[addr] = true
			out = append(out, addr)
		}
		if len(a.taken) > int(a.mask)-8 {
			return nil, fmt.Errorf("swarm: the network has too few addresses")
		}
	}
	return out, nil
}

// settle gives every family its sources.
func (p *Population) settle() error {
	r := seeded(p.cfg.Seed, "addresses/"+string(p.cfg.Split))
	honest, bots := newAllocator(p.cfg.HonestNet, r), newAllocator(p.cfg.BotNet, r)
	domains := map[string]bool{p.cfg.Domain: true}
	domain := func(r *rand.Rand) string {
		for {
			d := strings.ToLower(one(r, places)) + "-" + word(r, 4+r.IntN(4)) + ".swarm"
			if !domains[d] {
				domains[d] = true
				return d
			}
		}
	}
	for _, f := range p.families {
		r := seeded(p.cfg.Seed, "sources/"+f.ID)
		var err error
		if f.Honest {
			err = p.settleHonest(f, r, honest, domain)
		} else {
			err = p.settleBot(f, r, bots, domain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Population) settleHonest(f *Family, r *rand.Rand, net *allocator, domain func(*rand.Rand) string) error {
	d := domain(r)
	for i := 1; i <= f.program.hosts; i++ {
		addr, err := net.one()
		if err != nil {
			return err
		}
		if !f.program.pool && i > 1 {
			d = domain(r)
		}
		s := Source{Addr: addr, Domain: d, Proven: true}
		s.Helo = strings.NewReplacer("%d", fmt.Sprint(i), "%s", d).Replace(f.program.helo)
		s.PTR = s.Helo
		if f.program.ptr == "dynamic" {
			s.PTR = ptr("dynamic", addr)
		}
		if f.program.door != "" {
			user := fmt.Sprintf("%s.%s%d@%s", one(r, firsts), one(r, lasts), i, p.cfg.Domain)
			s.Domain, s.secret = p.cfg.Domain, talk.Account{User: user, Secret: word(r, 12)}
		}
		f.Sources = append(f.Sources, s)
	}
	for _, o := range p.families {
		if f.program.shares != "" && o.Kind == f.program.shares && len(o.Sources) > 0 {
			f.Sources[0].Addr, f.Sources[0].PTR = o.Sources[0].Addr, o.Sources[0].PTR
			f.Sources[0].secret.User = o.Sources[0].secret.User // who has a new password now
		}
	}
	return nil
}

func (p *Population) settleBot(f *Family, r *rand.Rand, net *allocator, domain func(*rand.Rand) string) error {
	k := f.kind
	n := map[string]int{"one": (f.sessions + 39) / 40, "few": (f.sessions + 7) / 8}[k.spread]
	if n == 0 {
		n = max(f.sessions, 1)
	}
	var addrs []netip.Addr
	var err error
	if k.spread == "block" {
		addrs, err = net.block(n)
	}
	for err == nil && len(addrs) < n {
		var a netip.Addr
		a, err = net.one()
		addrs = append(addrs, a)
	}
	if err != nil {
		return err
	}
	own := domain(r)
	for i, a := range addrs {
		class := one(r, k.ptr)
		s := Source{Addr: a, PTR: ptr(class, a), Proven: class != "unproven" && class != "none", Listed: r.IntN(100) < k.listed}
		if k.spread != "block" || i%20 == 0 {
			own = domain(r)
		}
		s.Domain = own
		if class == "proven" {
			s.PTR = fmt.Sprintf("m%d.%s", i+1, own)
		}
		s.Helo = p.name(r, f.Naming, &s)
		f.Sources = append(f.Sources, s)
	}
	return nil
}

// ptr is the reverse name that a network gives to an address.
func ptr(class string, a netip.Addr) string {
	b := a.As4()
	switch class {
	case "generic":
		return fmt.Sprintf("host-%d-%d-%d-%d.colo.swarm", b[0], b[1], b[2], b[3])
	case "dynamic":
		return fmt.Sprintf("%d-%d-%d-%d.dyn.dsl.telco.swarm", b[3], b[2], b[1], b[0])
	case "unproven":
		return fmt.Sprintf("mail.c%02x%02x%02x.swarm", b[1], b[2], b[3])
	}
	return ""
}

// name is the HELO name of a style.
func (p *Population) name(r *rand.Rand, style string, s *Source) string {
	c := &p.cfg
	switch style {
	case "own":
		if s.PTR != "" {
			return s.PTR
		}
		return "mail." + s.Domain
	case "ptr":
		if s.PTR != "" {
			return s.PTR
		}
		return "host." + word(r, 6) + ".swarm"
	case "ours":
		return c.Name
	case "our-domain", "recipient-domain":
		return c.Domain
	case "our-address":
		return c.Server.String()
	case "our-literal":
		return "[" + c.Server.String() + "]"
	case "localhost", "localhost.localdomain":
		return style
	case "literal":
		return "[" + s.Addr.String() + "]"
	case "bare-address":
		return s.Addr.String()
	case "foreign-literal":
		return fmt.Sprintf("[10.%d.%d.%d]", r.IntN(256), r.IntN(256), 1+r.IntN(254))
	case "windows":
		return fmt.Sprintf("DESKTOP-%s%04d", strings.ToUpper(word(r, 3)), r.IntN(10000))
	case "bare-word", "user":
		return one(r, firsts)
	case "underscore":
		return word(r, 4) + "_" + word(r, 4) + ".swarm"
	case "numbered":
		return fmt.Sprintf("%s%d.%s.swarm", word(r, 4), r.IntN(100_000), word(r, 6))
	case "random-long":
		return word(r, 17) + ".swarm"
	case "random":
		b := make([]byte, 14)
		for i := range b {
			b[i] = "bcdfghjklmnpqrstvwxz0123456789"[r.IntN(30)]
		}
		return string(b)
	case "provider":
		return fmt.Sprintf("mail-lf1-f%d.%s", r.IntN(250), one(r, []string{"mailhub.swarm", "webpost.swarm"}))
	case "upper":
		return strings.ToUpper(word(r, 7)) + ".SWARM"
	case "sender-domain":
		return s.Domain
	case "short-host":
		return "mx"
	case "lan":
		return word(r, 5) + ".lan"
	case "empty-label":
		return "mail.." + word(r, 5) + ".swarm"
	case "garbage":
		return "%host%#" + word(r, 3)
	}
	return word(r, 5) + "." + word(r, 7) + ".swarm"
}
