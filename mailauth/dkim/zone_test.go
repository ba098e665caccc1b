package dkim

import (
	"context"

	"sluice/dns"
)

// texts answers TXT questions from a map; what isn't there doesn't exist. A text
// servfail stands for a server failure.
type texts map[string][]string

const servfail = "(server failure)"

func (z texts) Lookup(_ context.Context, name string, t dns.Type) (dns.Answer, error) {
	list, ok := z[name]
	if !ok || t != dns.TXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrNXDomain}
	}
	var a dns.Answer
	for _, text := range list {
		if text == servfail {
			return dns.Answer{}, &dns.Error{Name: name, Type: t, Kind: dns.ErrServFail}
		}
		a.Records = append(a.Records, dns.Record{Name: name, Type: t, Text: text})
	}
	return a, nil
}
