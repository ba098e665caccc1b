package check

import (
	"sync"

	"sluice/message/links"
)

// Orgs remembers the organizational domains of the hosts of one message: its links lead
// to few places, and several checks ask of each. It is safe for concurrent use.
type Orgs struct {
	mu sync.Mutex
	of map[string]string
}

// maxOrgs bounds how many hosts of one message are remembered.
const maxOrgs = 1000

// OrgsOf returns what is remembered of a message; without notes it is forgotten at the
// end of the check.
func OrgsOf(in *Input) *Orgs { return Note(in.Notes, func() *Orgs { return new(Orgs) }) }

// Of is [links.OrgDomain].
func (o *Orgs) Of(host string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if org, ok := o.of[host]; ok {
		return org
	}
	org := links.OrgDomain(host)
	if o.of == nil {
		o.of = make(map[string]string, 16)
	}
	if len(o.of) < maxOrgs {
		o.of[host] = org
	}
	return org
}
