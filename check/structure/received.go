package structure

import (
	"strings"

	"sluice"
	"sluice/check"
	"sluice/message/header"
	"sluice/reason"
)

// maxTrace is how many Received fields are read.
const maxTrace = 30

// newReceived reads the trace for what can't be true. Only the fields that came
// with the message are here; ours is added later.
func newReceived(c Config) check.Checker {
	ours := map[string]bool{}
	for _, n := range c.Names {
		if n = header.Lower(strings.TrimSuffix(n, ".")); strings.Contains(n, ".") {
			ours[n] = true
		}
	}
	return check.Func(check.Info{
		Name: "structure/received", Phase: sluice.PhaseMessage, Group: sluice.GroupStructure, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.ReceivedForgedOurs},
	}, func(in *check.Input) []sluice.Evidence {
		h := in.Message.Header()
		var out []sluice.Evidence
		n := 0
		for i := range h.Fields {
			f := &h.Fields[i]
			if !f.Is("Received") {
				continue
			}
			if n++; n > maxTrace {
				break
			}
			if by := receivedBy(f.Value); ours[by] && !in.Conn.Stored && !in.Conn.Trusted && n == 1 {
				// Mail that left us may come back through a list, but then the
				// list's own host stands above us.
				out = append(out, at(reason.ReceivedForgedOurs, check.Quote(f.Value), f))
			}
		}
		return out
	})
}

// receivedBy returns the host behind "by", lower case.
func receivedBy(v string) string {
	v = header.Lower(v)
	i := strings.Index(v, "by ")
	if i < 0 || i > 0 && v[i-1] != ' ' && v[i-1] != '\t' {
		if i = strings.Index(v, " by "); i < 0 {
			return ""
		}
		i++
	}
	host := strings.TrimLeft(v[i+3:], " \t")
	if j := strings.IndexAny(host, " \t;()"); j >= 0 {
		host = host[:j]
	}
	return strings.TrimSuffix(host, ".")
}
