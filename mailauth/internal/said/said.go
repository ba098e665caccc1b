// Package said puts what the DNS answered into words, for the traces of SPF and
// its neighbours. Its texts may hold what strangers wrote.
package said

import (
	"errors"
	"fmt"
	"strings"

	"sluice/dns"
)

// Max bounds one answer in words, in octets; listed its records.
const (
	Max    = 2048
	listed = 12
)

// Error is why there is no answer: "no such name".
func Error(err error) string {
	if e, ok := errors.AsType[*dns.Error](err); ok {
		return e.Kind.Error()
	}
	return Cut(err.Error(), 200)
}

// Records lists what the records lead to, addresses or hosts: "192.0.2.1,
// 192.0.2.2".
func Records(records []dns.Record) string {
	return list(records, func(r dns.Record) string {
		if r.Addr.IsValid() {
			return r.Addr.String()
		}
		return r.Host
	})
}

// Names lists names.
func Names(names []string) string { return list(names, func(s string) string { return s }) }

func list[T any](items []T, word func(T) string) string {
	var b strings.Builder
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == listed {
			fmt.Fprintf(&b, "%d more", len(items)-i)
			break
		}
		b.WriteString(word(item))
	}
	return Cut(b.String(), Max)
}

// Cut is at most the first n octets of s.
func Cut(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
