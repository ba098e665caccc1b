package system

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"sluice/deliver/delivertest"
)

// backEndCase is a way in which a next hop goes wrong, and the class of reply
// that the sender must get.
type backEndCase struct {
	name   string
	faults map[delivertest.Step]delivertest.Fault
	to     []string // local parts; default: bob
	want   string   // how the reply begins
	says   string   // what it holds
}

// fault goes wrong at one step.
func fault(step delivertest.Step, f delivertest.Fault) map[delivertest.Step]delivertest.Fault {
	return map[delivertest.Step]delivertest.Fault{step: f}
}

// backEndCases are every fault at every step.
func backEndCases() (out []backEndCase) {
	type variant struct {
		name, want, says string
		f                delivertest.Fault
	}
	trouble := []variant{
		{"garbage", "451 4.", "", delivertest.Fault{Raw: "I am a teapot\r\n"}},
		{"no code", "451 4.", "", delivertest.Fault{Raw: "Ok, thanks\r\n"}},
		{"empty", "451 4.", "", delivertest.Fault{Raw: "\r\n"}},
		{"close", "451 4.", "", delivertest.Fault{Close: true}},
		{"half a reply", "451 4.", "", delivertest.Fault{Raw: "250 2.0", Close: true}},
		{"wrong code", "451 4.", "", delivertest.Fault{Raw: "334 go on\r\n"}},
		{"421", "451 4.", "", delivertest.Fault{Raw: "421 4.3.2 Shutting down\r\n", Close: true}},
	}
	refusals := []variant{
		{"4xx", "450 4.2.1 ", "Mailbox busy", delivertest.Fault{Raw: "450 4.2.1 Mailbox busy\r\n"}},
		{"5xx", "550 5.1.1 ", "No such user", delivertest.Fault{Raw: "550 5.1.1 No such user\r\n"}},
		{"of us", "451 4.", "", delivertest.Fault{Raw: "530 5.7.0 Must issue STARTTLS first\r\n"}},
	}
	for _, step := range []delivertest.Step{delivertest.Greeting, delivertest.Ehlo, delivertest.Mail, delivertest.Rcpt, delivertest.Data, delivertest.Dot} {
		for _, v := range append(trouble, refusals...) {
			switch {
			case step == delivertest.Greeting || step == delivertest.Ehlo && v.f.Raw != "" && v.f.Raw[0] != '5':
				v.want, v.says = "4", "" // it speaks of us, not of the message
			case step == delivertest.Ehlo && v.f.Raw != "":
				v.want, v.says = "250 2.0.0 ", "" // and is asked again by HELO
			}
			out = append(out, backEndCase{fmt.Sprintf("%s, %s", step, v.name), fault(step, v.f), nil, v.want, v.says})
		}
	}
	rcpt := func(a, raw string) map[delivertest.Step]delivertest.Fault {
		return fault(delivertest.Rcpt, delivertest.Fault{Rcpt: a, Raw: raw + "\r\n"})
	}
	return append(out,
		backEndCase{"none", nil, nil, "250 2.0.0 ", ""},
		backEndCase{"text, close", fault(delivertest.Text, delivertest.Fault{Close: true}), nil, "451 4.", ""},
		backEndCase{"dot, taken and closed", fault(delivertest.Dot, delivertest.Fault{Close: true, Accept: true}), nil, "451 4.", ""},
		backEndCase{"all unknown", rcpt("gone", "550 5.1.1 No such user"), []string{"gone1", "gone2"}, "550 5.1.1 ", "No such user"},
		backEndCase{"one unknown", rcpt("gone", "550 5.1.1 No such user"), []string{"gone", "bob"}, "250 2.0.0 ", ""},
		backEndCase{"one busy", rcpt("busy", "451 4.2.1 Busy"), []string{"busy", "bob"}, "250 2.0.0 ", ""},
	)
}

// TestBackEndFaults sends a message to next hops that go wrong in every way at
// every step: never a false 250, never 5xx where 4xx is due. One daemon serves
// all, so a bad next hop is also seen not to hurt the others.
func TestBackEndFaults(t *testing.T) {
	cases := backEndCases()
	servers := make([]*delivertest.Server, len(cases))
	var domains strings.Builder
	for i, tc := range cases {
		servers[i] = delivertest.NewServer(t, delivertest.Script{Faults: tc.faults})
		fmt.Fprintf(&domains, "[[domain]]\nnames = [\"c%d.example\"]\nrelay = [\"smtp://%s\"]\n", i, servers[i].Addr)
	}
	d := serve(t, setup{more: domains.String()})
	for i, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if tc.to == nil {
				tc.to = []string{"bob"}
			}
			var to []string
			for _, local := range tc.to {
				to = append(to, fmt.Sprintf("%s@c%d.example", local, i))
			}
			r := d.send(clean(fmt.Sprint("c", i)), to...)
			if !strings.HasPrefix(r, tc.want) || !strings.Contains(r, tc.says) {
				t.Errorf("the sender is told %q, want %s… with %q", r, tc.want, tc.says)
			}
			if n := len(servers[i].Messages()); r[0] == '2' && n != 1 {
				t.Errorf("answered 250, and the next hop has %d messages", n)
			}
			if a := servers[i].Abuse(); len(a) > 0 {
				t.Errorf("said to the next hop: %q", a)
			}
		})
	}
	if n := len(quarantined(t, d.data+"/quarantine")); n != 1 {
		t.Errorf("%d messages in quarantine, want that of the one unknown recipient", n)
	}
	if n := len(files(t, d.data+"/outbox", ".msg")); n != 1 {
		t.Errorf("%d messages in the outbox, want that of the one busy recipient", n)
	}
}

// reference finds the id in a reply.
var reference = regexp.MustCompile(`ref ([0-9A-Z]{16})`)

// record asks for what the log has about the message that a reply speaks of.
func record(t *testing.T, d *daemon, reply string) (rec map[string]any) {
	t.Helper()
	m := reference.FindStringSubmatch(reply)
	if m == nil {
		t.Fatalf("no reference in %q", reply)
	}
	eventually(t, "the log has "+m[1], func() bool { // it is written in batches
		out, _, err := run(t, "explain", "--json", m[1], "--config", d.config)
		if err != nil {
			return false
		}
		if err := json.Unmarshal([]byte(out), &rec); err != nil {
			t.Fatalf("explain --json: %v\n%s", err, out)
		}
		return true
	})
	return rec
}

// TestHangAfterDot: the next hop has the whole message and says nothing until the
// connection dies. Nobody knows whether it took it: 451, and the log says so.
func TestHangAfterDot(t *testing.T) {
	back := delivertest.NewServer(t, delivertest.Script{Faults: fault(delivertest.Dot, delivertest.Fault{Hang: true})})
	d := serve(t, setup{relay: "smtp://" + back.Addr})
	replied := make(chan string, 1)
	go func() {
		c, err := Dial(d.addr)
		if err == nil {
			defer c.Close()
			if _, err = c.Say("EHLO client.sender.example"); err == nil {
				var r string
				if r, err = c.Send("ann@sender.example", []string{"bob@a.example"}, clean("hang")); err == nil {
					replied <- r
					return
				}
			}
		}
		replied <- err.Error()
	}()
	eventually(t, "the next hop has DATA", func() bool {
		cmds := back.Commands()
		return len(cmds) > 0 && cmds[len(cmds)-1] == "DATA"
	})
	select {
	case r := <-replied:
		t.Fatalf("answered before the next hop was: %s", r)
	case <-time.After(time.Second):
	}
	back.DropAll()
	r := <-replied
	if !strings.HasPrefix(r, "451 4.4.2 ") {
		t.Errorf("the sender is told %q", r)
	}
	outcomes := fmt.Sprint(record(t, d, r)["outcomes"])
	if !strings.Contains(outcomes, "unknown:true") {
		t.Errorf("the log doesn't say that the outcome is unknown: %s", outcomes)
	}
}

// TestHangingGreeting: a next hop that takes connections and says nothing costs a
// sender the time to connect, no more.
func TestHangingGreeting(t *testing.T) {
	t.Parallel() // it mostly waits
	if testing.Short() {
		t.Skip("takes the 10 s that a next hop has to greet; not with -short")
	}
	back := delivertest.NewServer(t, delivertest.Script{Faults: fault(delivertest.Greeting, delivertest.Fault{Hang: true})})
	d := serve(t, setup{relay: "smtp://" + back.Addr})
	start := time.Now()
	if r := d.send(clean("mute"), "bob@a.example"); !strings.HasPrefix(r, "451 4.4.") {
		t.Errorf("the sender is told %q", r)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("that took %v", took)
	}
}

// TestMuteNextHops: many next hops that take connections and say nothing delay a
// session's EHLO by the time that one may take.
func TestMuteNextHops(t *testing.T) {
	t.Parallel() // it mostly waits
	var domains strings.Builder
	for i := range 4 {
		back := delivertest.NewServer(t, delivertest.Script{Faults: fault(delivertest.Greeting, delivertest.Fault{Hang: true})})
		fmt.Fprintf(&domains, "[[domain]]\nnames = [\"mute%d.example\"]\nrelay = [\"smtp://%s\"]\n", i, back.Addr)
	}
	sink := NewSink(t, "X-Test", nil)
	d := serve(t, setup{relay: "smtp://" + sink.Addr, more: domains.String()})
	start := time.Now()
	if r := d.send(clean("beside"), "bob@a.example"); r[0] != '2' || sink.Seen()["beside"] != 1 {
		t.Errorf("mail for a good next hop: %s", r)
	}
	if took := time.Since(start); took > 7*time.Second {
		t.Errorf("that took %v", took)
	}
}

// TestBackEndReturns: down is 451, the second of two next hops takes over, and a
// next hop that is back gets mail again without a restart.
func TestBackEndReturns(t *testing.T) {
	first, second := FreePort(t), FreePort(t)
	d := serve(t, setup{more: fmt.Sprintf("[[domain]]\nnames = [\"b.example\"]\nrelay = [\"smtp://%s\", \"smtp://%s\"]\n", first, second)})
	if r := d.send(clean("down"), "bob@b.example"); !strings.HasPrefix(r, "451 4.4.1 ") {
		t.Errorf("down: %s", r)
	}
	for _, addr := range []string{second, first} {
		sink := NewSinkAt(t, addr, "X-Test", nil)
		if r := d.send(clean(addr), "bob@b.example"); !strings.HasPrefix(r, "250 ") || sink.Seen()[addr] != 1 {
			t.Errorf("%s is back: %s %v", addr, r, sink.Seen())
		}
		sink.close()
	}
	if r := d.send(clean("down"), "bob@b.example"); !strings.HasPrefix(r, "451 4.4.1 ") {
		t.Errorf("down again: %s", r)
	}
}
