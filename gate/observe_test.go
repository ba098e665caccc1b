package gate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/gate"
)

// TestObserve: an observer sees every judged message once, with the reply that
// the sender got, and no transaction that ended before.
func TestObserve(t *testing.T) {
	var got []string
	w := newWorld(t, func(c *gate.Config) {
		c.Observe = func(o *gate.Observation) {
			got = append(got, fmt.Sprintf("%s %d from %s to %s, %d octets, good %v, bad %v", o.Action, o.Reply.Code, o.Envelope.From,
				strings.Join(o.Envelope.Addresses(), ","), min(len(o.Message.Raw), 1), o.Good, o.Bad))
			if o.Conn.Client.String() != "192.0.2.7:4000" {
				t.Errorf("client %s", o.Conn.Client)
			}
		}
	})
	s := w.open()
	w.send(s, "ham", "bob@a.example")
	w.send(s, "spam", "bob@a.example")
	w.send(s, "malware", "bob@a.example")
	w.send(s, "ham", "bob@nowhere.example") // refused at RCPT: no message
	want := []string{"accept 250 from ann@sender.example to bob@a.example, 1 octets, good 1, bad 0",
		"quarantine 250 from ann@sender.example to bob@a.example, 1 octets, good 0, bad 1",
		"reject 550 from ann@sender.example to bob@a.example, 1 octets, good 0, bad 0"} // an admin's word says nothing of others
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
