package dnstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	wire "github.com/miekg/dns"

	"sluice/dns"
)

// parseJSON walks the tokens itself: package json would take the last of two
// equal names, and tell no place of a wrong value.
func (z *Zone) parseJSON(file string, b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	p := &jsonParser{d: d, b: b, z: z}
	if err := p.zone(); err != nil {
		line, col := position(b, p.at)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("dnstest: %s:%d:%d: %w", file, line, col, err)
	}
	return nil
}

// position turns an offset into a line and column, both from 1.
func position(b []byte, off int) (line, col int) {
	b = b[:off]
	return 1 + bytes.Count(b, []byte("\n")), len(b) - bytes.LastIndexByte(b, '\n')
}

type jsonParser struct {
	d  *json.Decoder
	b  []byte
	z  *Zone
	at int // where the last token begins
}

func (p *jsonParser) token() (json.Token, error) {
	// The decoder knows where a token ends; the next one begins behind the
	// space and the separator after that.
	p.at = int(p.d.InputOffset())
	p.at = len(p.b) - len(bytes.TrimLeft(p.b[p.at:], " \t\r\n,:"))
	return p.d.Token()
}

func (p *jsonParser) zone() error {
	if _, err := p.token(); err != nil { // "{": Parse has seen it
		return err
	}
	for p.d.More() {
		key, err := p.token()
		if err != nil {
			return err
		}
		if err := p.name(key.(string)); err != nil { // keys of an object are strings
			return err
		}
	}
	if _, err := p.token(); err != nil {
		return err
	}
	if _, err := p.token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the zone's closing brace")
	}
	return nil
}

func (p *jsonParser) name(key string) error {
	name := key
	if addr, err := netip.ParseAddr(key); err == nil {
		name = dns.Reverse(addr)
	}
	name, err := dns.Normalize(name)
	if err != nil {
		return err
	}
	if p.z.names[name] != nil {
		return fmt.Errorf("name %q is given twice", key)
	}
	n := p.z.node(name)
	t, err := p.token()
	if err != nil {
		return err
	}
	if word, ok := t.(string); ok {
		n.all, err = fault(word)
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("name %q: want {TYPE: [values]}", key)
	}
	for p.d.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		if err := p.set(n, name, t.(string)); err != nil {
			return err
		}
	}
	_, err = p.token()
	return err
}

func (p *jsonParser) set(n *node, name, mnemonic string) error {
	typ, ok := dns.ParseType(mnemonic)
	if !ok {
		return fmt.Errorf("unknown record type %q", mnemonic)
	}
	if n.sets[typ] != nil || n.fault[typ] != nil {
		return fmt.Errorf("type %s of %q is given twice", typ, name)
	}
	t, err := p.token()
	if err != nil {
		return err
	}
	if word, ok := t.(string); ok {
		n.fault[typ], err = fault(word)
		return err
	}
	if t != json.Delim('[') {
		return fmt.Errorf(`type %s of %q: want a list of values, "TIMEOUT" or "SERVFAIL"`, typ, name)
	}
	n.sets[typ] = []wire.RR{} // an empty list is a type without records
	for p.d.More() {
		data, err := p.value(typ)
		if err != nil {
			return err
		}
		rr, err := record(name, typ, data)
		if err != nil {
			return err
		}
		if err := p.z.add(rr); err != nil {
			return err
		}
	}
	_, err = p.token()
	return err
}

func fault(word string) (error, error) {
	switch word {
	case "TIMEOUT":
		return dns.ErrTimeout, nil
	case "SERVFAIL":
		return dns.ErrServFail, nil
	}
	return nil, fmt.Errorf(`%q is neither a list of values nor "TIMEOUT" nor "SERVFAIL"`, word)
}

// value reads one value: a string, or a flat list (the strings of a TXT record,
// preference and host of an MX).
func (p *jsonParser) value(typ dns.Type) ([]string, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	if s, ok := t.(string); ok {
		return []string{s}, nil
	}
	bad := fmt.Errorf("%s: a value is a string, or a list of strings and numbers", typ)
	if t != json.Delim('[') {
		return nil, bad
	}
	var out []string
	for p.d.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		switch v := t.(type) {
		case string:
			out = append(out, v)
		case json.Number:
			out = append(out, v.String())
		default:
			return nil, bad
		}
	}
	_, err = p.token()
	return out, err
}

func record(name string, typ dns.Type, data []string) (wire.RR, error) {
	h := wire.RR_Header{Name: wire.Fqdn(name), Rrtype: uint16(typ), Class: wire.ClassINET, Ttl: defaultTTL}
	switch typ {
	case dns.TXT:
		return &wire.TXT{Hdr: h, Txt: characterStrings(data)}, nil
	case dns.SPF:
		return &wire.SPF{Hdr: h, Txt: characterStrings(data)}, nil
	}
	text := strings.Join(data, " ")
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\t' }) {
		return nil, fmt.Errorf("%s: a value holds a control character", typ)
	}
	// The owner is put in afterwards, so that no name is taken for a directive.
	zp := wire.NewZoneParser(strings.NewReader("x. IN "+typ.String()+" "+text+"\n"), ".", "")
	zp.SetDefaultTTL(defaultTTL)
	rr, ok := zp.Next()
	if err := zp.Err(); err != nil || !ok {
		return nil, fmt.Errorf("%s: bad value %q", typ, text)
	}
	*rr.Header() = h
	return rr, nil
}

// characterStrings cuts texts into strings of at most 255 octets (RFC 1035 3.3),
// escaped as the wire library wants them.
func characterStrings(texts []string) []string {
	var out []string
	for _, s := range texts {
		for {
			n := min(len(s), 255)
			out = append(out, strings.ReplaceAll(s[:n], `\`, `\\`))
			if s = s[n:]; s == "" {
				break
			}
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}
