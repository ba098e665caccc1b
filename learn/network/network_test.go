package network

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/golden"
)

// The tests write their own files: MaxMind DB File Format Specification 2.0.

// value encodes a value of the data section: map, string or uint32.
func value(v any) []byte {
	control := func(kind, n int) []byte {
		if n >= 29 {
			panic("the test's encoder writes short values only")
		}
		return []byte{byte(kind<<5 | n)}
	}
	switch v := v.(type) {
	case string:
		if len(v) >= 29 {
			return append([]byte{2<<5 | 29, byte(len(v) - 29)}, v...)
		}
		return append(control(2, len(v)), v...)
	case uint32:
		return binary.BigEndian.AppendUint32(control(6, 4), v)
	case uint16:
		return binary.BigEndian.AppendUint16(control(5, 2), v)
	case uint64: // an extended type
		return binary.BigEndian.AppendUint64([]byte{8, 9 - 7}, v)
	case []string:
		out := []byte{byte(len(v)), 11 - 7}
		for _, s := range v {
			out = append(out, value(s)...)
		}
		return out
	case map[string]any:
		out := control(7, len(v))
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = append(append(out, value(k)...), value(v[k])...)
		}
		return out
	}
	panic(fmt.Sprintf("no encoding for %T", v))
}

// build writes a file of networks, all in an IPv6 tree with IPv4 below ::/96, as the
// makers do.
func build(kind string, nets map[string]map[string]any) []byte {
	type node [2]uint32 // 0: nothing yet; n: node n; high bit: data offset
	const isData = 1 << 31
	nodes := []node{{}}
	var data []byte
	names := make([]string, 0, len(nets))
	for n := range nets {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		p := netip.MustParsePrefix(n)
		bits := p.Addr().As16()
		length := p.Bits()
		if p.Addr().Is4() {
			b4 := p.Addr().As4()
			bits = [16]byte{12: b4[0], 13: b4[1], 14: b4[2], 15: b4[3]}
			length += 96
		}
		at := 0
		for i := range length {
			bit := bits[i/8] >> (7 - i%8) & 1
			if i == length-1 {
				nodes[at][bit] = isData | uint32(len(data))
				break
			}
			if nodes[at][bit] == 0 {
				nodes = append(nodes, node{})
				nodes[at][bit] = uint32(len(nodes) - 1)
			}
			at = int(nodes[at][bit])
		}
		data = append(data, value(nets[n])...)
	}
	var out []byte
	for _, n := range nodes {
		for _, r := range n {
			switch {
			case r == 0:
				r = uint32(len(nodes)) // not found
			case r&isData != 0:
				r = uint32(len(nodes)) + 16 + r&^isData
			}
			out = binary.BigEndian.AppendUint32(out, r)
		}
	}
	out = append(append(out, make([]byte, 16)...), data...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return append(out, value(map[string]any{
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint64(1_700_000_000),
		"database_type": kind, "description": map[string]any{"en": "made by a test"}, "languages": []string{"en"},
		"ip_version": uint16(6), "node_count": uint32(len(nodes)), "record_size": uint16(32),
	})...)
}

func maxmindASN() []byte {
	return build("GeoLite2-ASN", map[string]map[string]any{
		"192.0.2.0/24":    {"autonomous_system_number": uint32(64500), "autonomous_system_organization": "Example Net"},
		"198.51.100.0/25": {"autonomous_system_number": uint32(64501)},
		"2001:db8::/32":   {"autonomous_system_number": uint32(64502), "autonomous_system_organization": "Six\x1b[31m \xff\u202e" + strings.Repeat("x", 200)},
	})
}

func maxmindCountry() []byte {
	names := map[string]any{"de": "Deutschland", "en": "Germany"}
	return build("GeoLite2-Country", map[string]map[string]any{
		"192.0.2.0/25":    {"country": map[string]any{"iso_code": "DE", "names": names}, "registered_country": map[string]any{"iso_code": "FR"}},
		"198.51.100.0/24": {"registered_country": map[string]any{"iso_code": "FR"}},
	})
}

func ipinfo() []byte {
	return build("ipinfo lite", map[string]map[string]any{
		"192.0.2.0/24":   {"asn": "AS64500", "as_name": "Example Net", "as_domain": "example.net", "country": "Germany", "country_code": "DE"},
		"203.0.113.0/24": {"asn": "AS64503", "name": "Other", "country": "us"},
		"203.0.112.0/24": {"asn": "ASx", "country": "Nowhere"},
	})
}

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLookup(t *testing.T) {
	dir := t.TempDir()
	asn := write(t, filepath.Join(dir, "asn.mmdb"), maxmindASN())
	land := write(t, filepath.Join(dir, "country.mmdb"), maxmindCountry())
	info := write(t, filepath.Join(dir, "ipinfo.mmdb"), ipinfo())
	var b strings.Builder
	for _, set := range [][]string{{asn}, {land}, {asn, land}, {info}, {land, info}} {
		d, err := Open(set...)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range set {
			fmt.Fprintf(&b, "%s ", filepath.Base(p))
		}
		b.WriteString("\n")
		for _, a := range []string{"192.0.2.1", "192.0.2.200", "::ffff:192.0.2.1", "198.51.100.1", "198.51.100.200", "2001:db8::1", "2001:db9::1", "203.0.113.9", "203.0.112.9", "127.0.0.1"} {
			i, ok := d.Lookup(netip.MustParseAddr(a))
			if ok != (i != Info{}) {
				t.Errorf("%s: %v and ok %v", a, i, ok)
			}
			fmt.Fprintf(&b, "  %-18s %s\n", a, i)
		}
	}
	golden.Check(t, "testdata/lookup.golden", []byte(b.String()))
	var none *DB
	if i, ok := none.Lookup(netip.MustParseAddr("192.0.2.1")); ok || i != (Info{}) {
		t.Errorf("no files know %v", i)
	}
	if d, err := Open(); d != nil || err != nil {
		t.Errorf("Open() = %v, %v", d, err)
	}
	if _, err := none.Refresh(); err != nil {
		t.Error(err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	whole := maxmindASN()
	tree := bytes.Clone(whole)
	for i := range 64 {
		tree[i] = 0x7f // nodes lead outside
	}
	metadata := bytes.Index(whole, []byte("\xab\xcd\xefMaxMind"))
	var b strings.Builder
	for _, test := range []struct {
		name string
		data []byte
	}{
		{"empty", nil},
		{"text", []byte("<html>404 not found</html>")},
		{"gzip", append([]byte{0x1f, 0x8b, 8, 0}, whole...)[:300]},
		{"truncated", whole[:len(whole)/2]},
		{"metadata cut", whole[:len(whole)-20]},
		{"tree", tree},
		{"data cut", slices.Concat(whole[:metadata-300], whole[metadata:])},
		{"other content", build("GeoIP2-Anonymous-IP", map[string]map[string]any{"192.0.2.0/24": {"is_anonymous": uint16(1)}})},
		{"number is text", build("GeoLite2-ASN", map[string]map[string]any{"192.0.2.0/24": {"autonomous_system_number": "64500"}})},
		{"no networks", build("GeoLite2-ASN", nil)},
	} {
		path := write(t, filepath.Join(dir, "db.mmdb"), test.data)
		_, err := Open(path)
		if err == nil {
			t.Errorf("%s: opened", test.name)
			continue
		}
		fmt.Fprintf(&b, "%-15s %s\n", test.name, strings.ReplaceAll(err.Error(), path, "FILE"))
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing")} {
		_, err := Open(path)
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	golden.Check(t, "testdata/errors.golden", []byte(b.String()))
}

func TestRefresh(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "db.mmdb"), maxmindASN())
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	asn := func() uint32 {
		i, _ := d.Lookup(netip.MustParseAddr("203.0.113.1"))
		return i.ASN
	}
	if changed, err := d.Refresh(); changed || err != nil {
		t.Errorf("unchanged: %v, %v", changed, err)
	}
	// A broken file changes nothing.
	write(t, path, maxmindASN()[:100])
	if changed, err := d.Refresh(); changed || err == nil {
		t.Errorf("broken: %v, %v", changed, err)
	}
	if i, ok := d.Lookup(netip.MustParseAddr("192.0.2.1")); !ok || i.ASN != 64500 {
		t.Errorf("after a broken file: %v", i)
	}
	// One of the same size and another time is read.
	write(t, path, build("GeoLite2-ASN", map[string]map[string]any{"203.0.113.0/24": {"autonomous_system_number": uint32(64999)}}))
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if changed, err := d.Refresh(); !changed || err != nil || asn() != 64999 {
		t.Errorf("new file: %v, %v, AS%d", changed, err, asn())
	}
}

// FuzzParse: whatever a file holds, it is an error or answers without a panic.
func FuzzParse(f *testing.F) {
	f.Add(maxmindASN())
	f.Add(maxmindCountry())
	f.Add(ipinfo())
	f.Add(maxmindASN()[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parse(b)
		if err != nil {
			return
		}
		for _, a := range []string{"192.0.2.1", "2001:db8::1", "0.0.0.0", "ffff::"} {
			i := lookup(r, netip.MustParseAddr(a))
			if len(i.Org) > maxOrg || len(i.Country) > 2 {
				t.Fatalf("%s: %+v", a, i)
			}
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	dir := b.TempDir()
	d, err := Open(write(b, filepath.Join(dir, "asn.mmdb"), maxmindASN()), write(b, filepath.Join(dir, "country.mmdb"), maxmindCountry()))
	if err != nil {
		b.Fatal(err)
	}
	a := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		d.Lookup(a)
	}
}
