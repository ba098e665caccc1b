// Package network turns client addresses into the keys under which they are
// remembered: the client itself (an IPv4 address, an IPv6 /64, since one machine
// picks freely inside it) and the networks around it.
package network

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Key is a network of at most 64 bits, in sixteen bytes without a pointer. The
// zero Key is no network; that of an invalid address.
type Key struct {
	bits uint64 // the first 64 bits of the address, an IPv4 address in the upper 32; zero behind the prefix
	size uint64 // length of the prefix plus one, plus 256 for IPv4
}

// Host is the client itself: the IPv4 address or the IPv6 /64 (RFC 6177 gives a
// site at least that much).
func Host(a netip.Addr) Key { return key(a, 32, 64) }

// Prefix is the network that one owner usually has: the IPv4 /24 or IPv6 /48.
func Prefix(a netip.Addr) Key { return key(a, 24, 48) }

// Wide is the network in which a provider's machines stand: the IPv4 /16 or IPv6
// /32.
func Wide(a netip.Addr) Key { return key(a, 16, 32) }

func key(a netip.Addr, v4, v6 uint64) Key {
	a = a.Unmap() // ::ffff:192.0.2.1 is the client 192.0.2.1
	switch {
	case a.Is4():
		b := a.As4()
		return Key{uint64(binary.BigEndian.Uint32(b[:])) << 32 &^ (1<<(64-v4) - 1), v4 + 1 + 256}
	case a.Is6():
		b := a.As16()
		return Key{binary.BigEndian.Uint64(b[:8]) &^ (1<<(64-v6) - 1), v6 + 1}
	}
	return Key{}
}

// Of is the key of a prefix of at most 32 (IPv4) or 64 (IPv6) bits.
func Of(p netip.Prefix) (Key, error) {
	most := 32
	if p.Addr().Is6() {
		most = 64
	}
	if !p.IsValid() || p.Bits() > most || p.Addr().Is4In6() {
		return Key{}, fmt.Errorf("network: %v is no network of a client", p)
	}
	return key(p.Addr(), uint64(p.Bits()), uint64(p.Bits())), nil
}

// Parse reads what String writes.
func Parse(s string) (Key, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Key{}, fmt.Errorf("network: %w", err)
	}
	return Of(p)
}

// Netip is the network as the standard library has it; the zero Prefix for the
// zero Key.
func (k Key) Netip() netip.Prefix {
	if k.size == 0 {
		return netip.Prefix{}
	}
	if k.size > 256 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(k.bits>>32))
		return netip.PrefixFrom(netip.AddrFrom4(b), int(k.size)-257)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.bits)
	return netip.PrefixFrom(netip.AddrFrom16(b), int(k.size)-1)
}

// Within says whether k is other or a part of it.
func (k Key) Within(other Key) bool {
	outer := other.Netip()
	return outer.IsValid() && k.Netip().Bits() >= outer.Bits() && outer.Contains(k.Netip().Addr())
}

func (k Key) String() string { return k.Netip().String() }
