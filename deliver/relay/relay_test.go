package relay_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fataler interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

func newRelay(t fataler, cfg relay.Config, servers ...*delivertest.Server) *relay.Relay {
	t.Helper()
	for _, s := range servers {
		cfg.Hosts = append(cfg.Hosts, s.Addr)
	}
	cfg.Hello = "gate.example"
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func delivery(body string, rcpts ...string) *sluice.Delivery {
	if len(rcpts) == 0 {
		rcpts = []string{"to@rcpt.example"}
	}
	return delivertest.Delivery(body, rcpts...)
}

// long is more than one write.
var long = body + strings.Repeat("text\r\n", 20_000)

func TestConformance(t *testing.T) {
	for name, cfg := range map[string]relay.Config{"smtp": {}, "lmtp": {LMTP: true}, "one connection": {MaxConns: 1, Wait: time.Minute}} {
		t.Run(name, func(t *testing.T) {
			delivertest.TestDeliverer(t, func(t *testing.T) (sluice.Deliverer, func() []string) {
				s := delivertest.NewServer(t, delivertest.Script{LMTP: cfg.LMTP})
				return newRelay(t, cfg, s), func() (texts []string) {
					for _, m := range s.Messages() {
						texts = append(texts, string(m.Data))
					}
					return texts
				}
			})
		})
	}
}

const body = "Subject: x\r\n\r\nhello\r\n.dot\r\n"

func TestDeliver(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{})
	r := newRelay(t, relay.Config{}, s)
	for range 2 {
		out := r.Deliver(t.Context(), delivery(body, "a@rcpt.example", "b@rcpt.example"))
		want := []sluice.Outcome{
			{Recipient: "a@rcpt.example", Reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Taken as 4711"}},
			{Recipient: "b@rcpt.example", Reply: sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Taken as 4711"}},
		}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Error(diff)
		}
	}
	m := delivertest.Message{Mail: "FROM:<from@sender.example> SIZE=44", Rcpts: []string{"TO:<a@rcpt.example>", "TO:<b@rcpt.example>"},
		Data: []byte("X-Sluice-ID: id\r\n" + body)}
	if diff := cmp.Diff([]delivertest.Message{m, m}, s.Messages()); diff != "" {
		t.Error(diff)
	}
	if all, _ := s.Connections(); all != 1 {
		t.Errorf("%d connections for two messages in turn", all)
	}
	if a := s.Abuse(); len(a) > 0 {
		t.Error(a)
	}
}

// faults are tried at every step. Their names that end in a code are the next
// hop's own words; all others are trouble.
var faults = map[string]delivertest.Fault{
	"garbage":        {Raw: "I am a teapot\r\n"},
	"http":           {Raw: "HTTP/1.1 400 Bad Request\r\n\r\n"},
	"binary":         {Raw: "\x15\x03\x01\x00\x02\x02\x0a"},
	"no code":        {Raw: "\r\n"},
	"text only":      {Raw: "Ok\r\n"},
	"short code":     {Raw: "25\r\n"},
	"code 199":       {Raw: "199 what\r\n"},
	"code 600":       {Raw: "600 what\r\n"},
	"glued":          {Raw: "250ok\r\n"},
	"bare LF":        {Raw: "250 2.0.0 Ok\n"},
	"bare CR":        {Raw: "250 2.0.0 Ok\r250 Ok\r\n"},
	"mixed codes":    {Raw: "250-2.0.0 Ok\r\n354 Ok\r\n"},
	"huge line":      {Raw: "250 " + strings.Repeat("x", 100_000) + "\r\n"},
	"endless lines":  {Raw: strings.Repeat("250-x\r\n", 20_000) + "250 x\r\n"},
	"half and close": {Raw: "250 2.0", Close: true},
	"close":          {Close: true},
	"hang":           {Hang: true},
	"half and hang":  {Raw: "250 2.0", Hang: true},
	"more and hang":  {Raw: "250-2.0.0 Ok\r\n", Hang: true},
	"220":            {Raw: "220 2.0.0 Ok\r\n"},
	"221":            {Raw: "221 2.0.0 Bye\r\n", Close: true},
	"334":            {Raw: "334 go on\r\n"},
	"354":            {Raw: "354 go on\r\n"},
	"421":            {Raw: "421 4.3.2 Shutting down\r\n", Close: true},
	"450":            {Raw: "450 4.2.1 Mailbox busy\r\n"},
	"452":            {Raw: "452-4.3.1 Full\r\n452 4.3.1 Disk\r\n"},
	"550":            {Raw: "550 5.1.1 No such user \x1b[31m\x00\xff\r\n"},
	"554":            {Raw: "554 No\r\n"},
	"552 and close":  {Raw: "552 5.3.4 Too large\r\n", Close: true},
	"503":            {Raw: "503 5.5.1 Bad sequence\r\n"},
	"530":            {Raw: "530 5.7.0 Must issue STARTTLS first\r\n"},
	"500":            {Raw: "500 5.3.0 Error\r\n"},
	"class conflict": {Raw: "550 2.0.0 Fine\r\n"},
	"slow":           {Slow: true},
}

// proper are the codes that are the right answer at a step, so that the fault
// is none there.
var proper = map[delivertest.Step]string{delivertest.Greeting: "220", delivertest.Data: "354"}

// TestFaults tries every fault at every step: never a false 2xx, never 5xx where
// 4xx is due, and never an octet that a next hop could take for something else.
func TestFaults(t *testing.T) {
	steps := []delivertest.Step{delivertest.Greeting, delivertest.Ehlo, delivertest.Mail, delivertest.Rcpt,
		delivertest.Data, delivertest.Text, delivertest.Dot}
	for _, ext := range [][]string{nil, {"8BITMIME"}} { // with PIPELINING, and without
		for _, step := range steps {
			for name, fault := range faults {
				if proper[step] == name {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/pipelining=%v", step, name, ext == nil), func(t *testing.T) {
					t.Parallel()
					testFault(t, ext, step, name, fault)
				})
			}
		}
	}
}

func testFault(t *testing.T, ext []string, step delivertest.Step, name string, fault delivertest.Fault) {
	s := delivertest.NewServer(t, delivertest.Script{Extensions: ext, Faults: map[delivertest.Step]delivertest.Fault{step: fault}})
	d := 20 * time.Second
	if fault.Hang {
		d = 150 * time.Millisecond
	}
	r := newRelay(t, relay.Config{ConnectTimeout: d, CommandTimeout: d, DataTimeout: d, DotTimeout: d}, s)
	text := body
	if step == delivertest.Text {
		text += strings.Repeat("a line of text that is long enough to fill buffers\r\n", 4_000)
	}
	o := r.Deliver(t.Context(), delivery(text))[0]
	t.Logf("%s; unknown %v; %.200v", o.Reply, o.Unknown, o.Err)

	own := strings.HasPrefix(fault.Raw, "5") // the next hop's own refusal …
	switch step {
	case delivertest.Greeting, delivertest.Ehlo:
		own = false // … of us, not of the message
	default:
		own = own && (step == delivertest.Dot || name != "503" && name != "530") // … of our set-up
	}
	switch {
	case fault.Slow && step != delivertest.Text, step == delivertest.Ehlo && (fault.Raw != "" && fault.Raw[0] == '5' && !fault.Close):
		// A server that refuses EHLO is asked by HELO.
		if !o.Delivered() {
			t.Errorf("not delivered: %v", o.Err)
		}
	case fault.Slow:
	case own:
		if want := fault.Raw[:3]; fmt.Sprint(o.Reply.Code) != want && !(step == delivertest.Text && o.Reply.Code == 451) {
			t.Errorf("reply %s, want the next hop's own %s", o.Reply, want)
		}
	case step == delivertest.Text && o.Reply.Permanent() && strings.HasPrefix(fault.Raw, "5"):
		// It came too late for us to see it before the dot, and was taken for
		// the answer to that: the next hop's own all the same.
	default:
		if !o.Reply.Temporary() {
			t.Errorf("reply %s, want 4xx", o.Reply)
		}
	}
	// A message that was not taken must not be said to be.
	if taken := len(s.Messages()) > 0; o.Delivered() && !taken {
		t.Errorf("false success: %s", o.Reply)
	} else if o.Delivered() != taken && step != delivertest.Text {
		// (At Text the sockets may swallow the rest and the dot: then what came
		// too early is taken for the answer, and a message too many is the
		// lesser evil.)
		t.Errorf("delivered %v, taken %v", o.Delivered(), taken)
	}
	// After the dot only a 4xx or 5xx says for certain that it wasn't taken.
	answered := fault.Raw != "" && (fault.Raw[0] == '4' || fault.Raw[0] == '5')
	// (At Text it depends on how much the sockets have swallowed.)
	if want := step == delivertest.Dot && !answered && !fault.Slow; o.Unknown != want && step != delivertest.Text {
		t.Errorf("unknown %v, want %v", o.Unknown, want)
	}
	if (o.Err == nil) != o.Delivered() {
		t.Errorf("reply %s with error %v", o.Reply, o.Err)
	}
	if o.Reply.Enhanced == "" || int(o.Reply.Enhanced[0]-'0') != o.Reply.Code/100 {
		t.Errorf("reply %s: enhanced code of another class", o.Reply)
	}
	for i := range len(o.Reply.Text) {
		if c := o.Reply.Text[i]; c < ' ' || c > '~' || len(o.Reply.Text) > 400 {
			t.Fatalf("reply's text is not clean: %q", o.Reply.Text)
		}
	}
	if a := s.Abuse(); len(a) > 0 {
		t.Errorf("abuse: %q", a)
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	r := newRelay(t, relay.Config{Hosts: []string{addr}})
	o := r.Deliver(t.Context(), delivery(body))[0]
	if o.Reply.Code != 451 || o.Reply.Enhanced != "4.4.1" || o.Err == nil || o.Unknown {
		t.Errorf("%+v", o)
	}
	if e := r.Extensions(t.Context()); e.Known {
		t.Errorf("extensions of nobody: %+v", e)
	}
}

// The default times, in a clock that runs as fast as it can.
func TestTimes(t *testing.T) {
	for step, want := range map[delivertest.Step]time.Duration{
		delivertest.Greeting: 10 * time.Second,
		delivertest.Ehlo:     60 * time.Second,
		delivertest.Mail:     60 * time.Second,
		delivertest.Rcpt:     60 * time.Second,
		delivertest.Data:     60 * time.Second,
		delivertest.Text:     180 * time.Second,
		delivertest.Dot:      240 * time.Second,
	} {
		t.Run(string(step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"},
					Faults: map[delivertest.Step]delivertest.Fault{step: {Hang: true}}})
				r := newRelay(t, relay.Config{Hosts: []string{"back.example:25"}, Dial: s.Dial})
				start := time.Now()
				o := r.Deliver(t.Context(), delivery(long))[0]
				if got := time.Since(start); got < want || got > want+time.Second {
					t.Errorf("gave up after %v, want %v", got, want)
				}
				if o.Reply.Code != 451 || o.Unknown != (step == delivertest.Dot) {
					t.Errorf("%+v", o)
				}
			})
		})
	}
}

// A sender that leaves stops everything before the dot and nothing after it.
func TestCancel(t *testing.T) {
	for _, step := range []delivertest.Step{delivertest.Greeting, delivertest.Ehlo, delivertest.Mail, delivertest.Rcpt, delivertest.Data, delivertest.Text, delivertest.Dot} {
		t.Run(string(step), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"},
					Faults: map[delivertest.Step]delivertest.Fault{step: {Hang: true}}})
				r := newRelay(t, relay.Config{Hosts: []string{"a.example:25", "b.example:25"}, Dial: s.Dial})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				start := time.Now()
				o := r.Deliver(ctx, delivery(long))[0]
				took := time.Since(start)
				if step == delivertest.Dot {
					if took != 240*time.Second || !o.Unknown {
						t.Errorf("after %v: %+v", took, o)
					}
				} else if took != time.Second || o.Unknown || !errors.Is(o.Err, context.Canceled) {
					t.Errorf("after %v: %+v", took, o)
				}
				if o.Reply.Code != 451 {
					t.Errorf("reply %s", o.Reply)
				}
				if all, _ := s.Connections(); all != 1 {
					t.Errorf("%d connections for a sender that left", all)
				}
			})
		})
	}
	t.Run("answered late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"}})
			ctx, cancel := context.WithCancel(t.Context())
			r := newRelay(t, relay.Config{Hosts: []string{"a.example:25"}, Dial: func(ctx context.Context, n, a string) (net.Conn, error) {
				c, err := s.Dial(ctx, n, a)
				return &dotConn{Conn: c, onDot: cancel}, err
			}})
			if o := r.Deliver(ctx, delivery(body))[0]; !o.Delivered() {
				t.Errorf("%+v", o)
			}
		})
	})
}

// dotConn calls onDot when the final dot has been written.
type dotConn struct {
	net.Conn
	onDot func()
}

func (c *dotConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if strings.HasSuffix(string(b), "\r\n.\r\n") {
		c.onDot()
		time.Sleep(time.Second)
	}
	return n, err
}

func TestFailover(t *testing.T) {
	for name, fault := range map[string]map[delivertest.Step]delivertest.Fault{
		"greeting 554": {delivertest.Greeting: {Raw: "554 5.7.1 Go away\r\n", Close: true}},
		"garbage":      {delivertest.Ehlo: {Raw: "!\r\n"}},
		"mail 421":     {delivertest.Mail: {Raw: "421 4.3.2 Closing\r\n", Close: true}},
		"rcpt closed":  {delivertest.Rcpt: {Close: true}},
		"data closed":  {delivertest.Data: {Close: true}},
		"data 250":     {delivertest.Data: {Raw: "250 Ok\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := delivertest.NewServer(t, delivertest.Script{Faults: fault})
			good := delivertest.NewServer(t, delivertest.Script{})
			r := newRelay(t, relay.Config{}, bad, good)
			for range 3 {
				if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
					t.Errorf("%+v", o)
				}
			}
			if n := len(good.Messages()); n != 3 {
				t.Errorf("%d messages at the second host", n)
			}
			if all, _ := bad.Connections(); all != 1 {
				t.Errorf("%d connections to the host that is down, want 1", all)
			}
		})
	}
	// What may have been taken, or was refused, goes nowhere else.
	for name, fault := range map[string]map[delivertest.Step]delivertest.Fault{
		"dot closed": {delivertest.Dot: {Close: true}},
		"dot 451":    {delivertest.Dot: {Raw: "451 4.3.0 Later\r\n"}},
		"dot 421":    {delivertest.Dot: {Raw: "421 4.3.0 Later\r\n"}},
		"dot 550":    {delivertest.Dot: {Raw: "550 5.7.1 No\r\n"}},
		"mail 550":   {delivertest.Mail: {Raw: "550 5.7.1 No\r\n"}},
		"rcpt 550":   {delivertest.Rcpt: {Raw: "550 5.1.1 No\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := delivertest.NewServer(t, delivertest.Script{Faults: fault})
			good := delivertest.NewServer(t, delivertest.Script{})
			r := newRelay(t, relay.Config{}, bad, good)
			o := r.Deliver(t.Context(), delivery(body))[0]
			if n := len(good.Messages()); n != 0 || o.Delivered() {
				t.Errorf("went to the second host: %+v", o)
			}
		})
	}
	t.Run("large text cut", func(t *testing.T) { // larger than the sockets' buffers
		bad := delivertest.NewServer(t, delivertest.Script{Extensions: []string{"PIPELINING", "8BITMIME"},
			Faults: map[delivertest.Step]delivertest.Fault{delivertest.Text: {Close: true}}})
		good := delivertest.NewServer(t, delivertest.Script{})
		r := newRelay(t, relay.Config{}, bad, good)
		o := r.Deliver(t.Context(), delivery(body+strings.Repeat("text\r\n", 3_000_000)))[0]
		if n := len(good.Messages()); n != 0 || !o.Reply.Temporary() || o.Unknown {
			t.Errorf("%d at the second host: %+v", n, o)
		}
	})
}

// All hosts down: they are tried all the same.
func TestAllDown(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{Faults: map[delivertest.Step]delivertest.Fault{delivertest.Greeting: {Raw: "421 4.3.2 Busy\r\n", Close: true, Times: 1}}})
	r := newRelay(t, relay.Config{}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; o.Delivered() || o.Reply.Code != 451 {
		t.Errorf("%+v", o)
	}
	if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
		t.Errorf("%+v", o)
	}
}

// A kept connection that the next hop has closed or that says something is
// replaced without the sender noticing.
func TestStale(t *testing.T) {
	t.Run("restart", func(t *testing.T) {
		s := delivertest.NewServer(t, delivertest.Script{})
		r := newRelay(t, relay.Config{}, s)
		for range 4 {
			if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
				t.Fatalf("%+v", o)
			}
			s.DropAll()
		}
		if n := len(s.Messages()); n != 4 {
			t.Errorf("%d messages", n)
		}
	})
	for name, fault := range map[string]delivertest.Fault{"closed at MAIL": {Close: true, Times: 1}, "421 at MAIL": {Raw: "421 4.4.2 Timeout\r\n", Close: true, Times: 1}} {
		t.Run(name, func(t *testing.T) {
			s := delivertest.NewServer(t, delivertest.Script{})
			r := newRelay(t, relay.Config{}, s)
			if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
				t.Fatalf("%+v", o)
			}
			s.SetFault(delivertest.Mail, fault)
			if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
				t.Errorf("%+v", o)
			}
		})
	}
	t.Run("one reply too many", func(t *testing.T) {
		s := delivertest.NewServer(t, delivertest.Script{Faults: map[delivertest.Step]delivertest.Fault{
			delivertest.Dot: {Raw: "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n", Accept: true, Times: 1}}})
		r := newRelay(t, relay.Config{}, s)
		if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
			t.Errorf("%+v", o)
		}
		s.SetFault(delivertest.Rcpt, delivertest.Fault{Raw: "550 5.1.1 No\r\n"})
		if o := r.Deliver(t.Context(), delivery(body))[0]; o.Reply.Code != 550 {
			t.Errorf("the reply too many was taken for an answer: %+v", o)
		}
	})
}

// A reply that comes before the dot is no answer to it.
func TestAnswerBeforeTheDot(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{Faults: map[delivertest.Step]delivertest.Fault{
		delivertest.Data: {Raw: "354 Go ahead\r\n250 2.0.0 Taken already\r\n"},
		delivertest.Dot:  {Raw: "451 4.3.0 Not taken\r\n"}}})
	r := newRelay(t, relay.Config{}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; o.Reply.Code != 451 || o.Unknown {
		t.Errorf("%+v", o)
	}
}

// After a refused transaction the connection is kept and cleaned by RSET.
func TestReset(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{Faults: map[delivertest.Step]delivertest.Fault{
		delivertest.Rcpt: {Raw: "550 5.1.1 No\r\n", Times: 1}}})
	r := newRelay(t, relay.Config{}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; o.Reply.Code != 550 {
		t.Errorf("%+v", o)
	}
	for _, want := range []int{450, 250} {
		s.SetFault(delivertest.Data, delivertest.Fault{Raw: "450 4.2.0 Later\r\n", Times: 1})
		if want == 250 {
			s.SetFault(delivertest.Data, delivertest.Fault{Raw: "354 Go\r\n"})
		}
		if o := r.Deliver(t.Context(), delivery(body))[0]; o.Reply.Code != want {
			t.Errorf("%+v, want %d", o, want)
		}
	}
	if all, _ := s.Connections(); all != 1 || len(s.Abuse()) > 0 {
		t.Errorf("%d connections, abuse %q", all, s.Abuse())
	}
}

func TestRecipients(t *testing.T) {
	for _, ext := range [][]string{nil, {}} {
		s := delivertest.NewServer(t, delivertest.Script{Extensions: ext, Bare: ext != nil, Faults: map[delivertest.Step]delivertest.Fault{
			delivertest.Rcpt: {Raw: "550 5.1.1 No such user\r\n", Rcpt: "bad"}}})
		r := newRelay(t, relay.Config{}, s)
		rcpts := []string{"bad1@rcpt.example"}
		for i := range 120 { // more than one batch
			rcpts = append(rcpts, fmt.Sprintf("good%d@rcpt.example", i))
		}
		rcpts = append(rcpts, "bad2@rcpt.example")
		out := r.Deliver(t.Context(), delivery(body, rcpts...))
		for i, o := range out {
			want := 250
			if strings.HasPrefix(rcpts[i], "bad") {
				want = 550
			}
			if o.Recipient != rcpts[i] || o.Reply.Code != want || o.Delivered() != (want == 250) {
				t.Errorf("%+v", o)
			}
		}
		if m := s.Messages(); len(m) != 1 || len(m[0].Rcpts) != 120 {
			t.Errorf("%d messages", len(m))
		}
		out = r.Deliver(t.Context(), delivery(body, "bad1@x.example", "bad2@x.example"))
		if len(s.Messages()) != 1 || out[0].Reply.Code != 550 || out[1].Reply.Code != 550 {
			t.Errorf("all refused: %+v", out)
		}
		if a := s.Abuse(); len(a) > 0 {
			t.Error(a)
		}
		if out := r.Deliver(t.Context(), &sluice.Delivery{Envelope: &sluice.Envelope{}}); len(out) != 0 {
			t.Errorf("no recipients: %+v", out)
		}
	}
}

// Refusals of single recipients stay true where the rest fails after the dot.
func TestRecipientsAndFault(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{Faults: map[delivertest.Step]delivertest.Fault{
		delivertest.Rcpt: {Raw: "550 5.1.1 No such user\r\n", Rcpt: "bad"}, delivertest.Dot: {Close: true}}})
	r := newRelay(t, relay.Config{}, s)
	out := r.Deliver(t.Context(), delivery(body, "bad@rcpt.example", "good@rcpt.example"))
	if out[0].Reply.Code != 550 || out[0].Unknown || out[1].Reply.Code != 451 || !out[1].Unknown {
		t.Errorf("%+v", out)
	}
}

func TestMailRefused(t *testing.T) {
	for _, ext := range [][]string{nil, {"8BITMIME"}} {
		s := delivertest.NewServer(t, delivertest.Script{Extensions: ext, Faults: map[delivertest.Step]delivertest.Fault{
			delivertest.Mail: {Raw: "550 5.7.1 Not from you\r\n"}}})
		r := newRelay(t, relay.Config{}, s)
		for _, o := range r.Deliver(t.Context(), delivery(body, "a@rcpt.example", "b@rcpt.example")) {
			if o.Reply.Code != 550 || o.Reply.Text != "Not from you" {
				t.Errorf("%+v", o)
			}
		}
		if len(s.Messages()) != 0 {
			t.Error("sent all the same")
		}
	}
}

func TestExtensionsAndParameters(t *testing.T) {
	all := &sluice.Envelope{From: "from@sender.example", Body: "8BITMIME", Params: []sluice.Param{{Key: "size", Value: "1"}, {Key: "BODY", Value: "8BITMIME"}, {Key: "RET", Value: "HDRS"}, {Key: "ENVID", Value: "a+2Bb"}, {Key: "AUTH", Value: "<>"}},
		Rcpts: []sluice.Recipient{{Address: "to@rcpt.example", Params: []sluice.Param{{Key: "notify", Value: "NEVER"}, {Key: "ORCPT", Value: "rfc822;to@rcpt.example"}}}}}
	tests := []struct {
		name       string
		ext        []string
		env        *sluice.Envelope
		body       string
		mail, rcpt string
		reply      string
	}{
		{"all", []string{"size", "8bitMIME", "DSN"}, all, "x\r\n", "FROM:<from@sender.example> SIZE=3 BODY=8BITMIME RET=HDRS ENVID=a+2Bb", "TO:<to@rcpt.example> notify=NEVER ORCPT=rfc822;to@rcpt.example", ""},
		{"none", []string{"X-OTHER"}, all, "x\r\n", "FROM:<from@sender.example>", "TO:<to@rcpt.example>", ""},
		{"8-bit", []string{"8BITMIME"}, &sluice.Envelope{Rcpts: all.Rcpts}, "\xff\r\n", "FROM:<> BODY=8BITMIME", "TO:<to@rcpt.example>", ""},
		{"8-bit to 7-bit", []string{"SIZE"}, &sluice.Envelope{Rcpts: all.Rcpts}, "\xff\r\n", "", "", "554 5.6.3"},
		{"utf8", []string{"SMTPUTF8", "8BITMIME"}, &sluice.Envelope{From: "ü@sender.example", SMTPUTF8: true, Rcpts: all.Rcpts}, "x\r\n", "FROM:<ü@sender.example> SMTPUTF8", "TO:<to@rcpt.example>", ""},
		{"utf8 to ASCII", []string{"8BITMIME"}, &sluice.Envelope{Rcpts: []sluice.Recipient{{Address: "ü@rcpt.example"}}}, "x\r\n", "", "", "553 5.6.7"},
		{"utf8 header to ASCII", []string{"8BITMIME"}, &sluice.Envelope{SMTPUTF8: true, Rcpts: all.Rcpts}, "Subject: \xc3\xbc\r\n", "", "", "553 5.6.7"},
		{"utf8 not needed", []string{"8BITMIME"}, &sluice.Envelope{SMTPUTF8: true, Rcpts: all.Rcpts}, "x\r\n", "FROM:<>", "TO:<to@rcpt.example>", ""},
		{"old 8-bit header", []string{"8BITMIME", "SMTPUTF8"}, &sluice.Envelope{Rcpts: all.Rcpts}, "Subject: \xc3\xbc\r\n", "FROM:<> BODY=8BITMIME", "TO:<to@rcpt.example>", ""},
		{"too large", []string{"SIZE 5"}, &sluice.Envelope{Rcpts: all.Rcpts}, "xxxx\r\n", "", "", "552 5.3.4"},
		{"just not too large", []string{"SIZE 6"}, &sluice.Envelope{Rcpts: all.Rcpts}, "xxxx\r\n", "FROM:<> SIZE=6", "TO:<to@rcpt.example>", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := delivertest.NewServer(t, delivertest.Script{Extensions: tt.ext})
			r := newRelay(t, relay.Config{}, s)
			o := r.Deliver(t.Context(), &sluice.Delivery{Envelope: tt.env, Body: []byte(tt.body), Utf8: strings.HasPrefix(tt.body, "Subject: \xc3")})[0]
			if tt.reply != "" {
				if !strings.HasPrefix(o.Reply.String(), tt.reply) || len(s.Messages()) > 0 {
					t.Errorf("%+v, want %s", o, tt.reply)
				}
				return
			}
			if !o.Delivered() {
				t.Fatalf("%+v", o)
			}
			if m := s.Messages()[0]; m.Mail != tt.mail || m.Rcpts[0] != tt.rcpt {
				t.Errorf("got  %s, %s\nwant %s, %s", m.Mail, m.Rcpts[0], tt.mail, tt.rcpt)
			}
		})
	}
}

func TestExtensions(t *testing.T) {
	a := delivertest.NewServer(t, delivertest.Script{Extensions: []string{"SIZE 2000", "8BITMIME", "SMTPUTF8"}})
	b := delivertest.NewServer(t, delivertest.Script{Extensions: []string{"SIZE 1000", "8BITMIME", "DSN"}, Faults: map[delivertest.Step]delivertest.Fault{}})
	r := newRelay(t, relay.Config{}, a, b)
	want := sluice.Extensions{Size: 2000, EightBit: true, SMTPUTF8: true, Known: true}
	for range 3 {
		if diff := cmp.Diff(want, r.Extensions(t.Context())); diff != "" {
			t.Error(diff)
		}
	}
	if all, _ := a.Connections(); all != 1 {
		t.Errorf("%d connections to ask thrice", all)
	}
	a.Close() // the second host answers from now on, and the first is remembered
	if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
		t.Fatalf("%+v", o)
	}
	want = sluice.Extensions{Size: 1000, EightBit: true, Known: true}
	if diff := cmp.Diff(want, r.Extensions(t.Context())); diff != "" {
		t.Error(diff)
	}
}

// Nothing that a lax next hop could read as something else leaves the house.
func TestHostileOctets(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{})
	r := newRelay(t, relay.Config{}, s)
	for _, text := range []string{"x\n", "x\r", "\r\n.\n", "a\r\n.\r\r\nb\r\n", "nul\x00\r\n", "x\r\n\r", "\n", "a\r\n.\rb\r\n"} {
		if o := r.Deliver(t.Context(), delivery(text))[0]; !strings.HasPrefix(o.Reply.String(), "554 5.6.0") || o.Err == nil {
			t.Errorf("%q: %+v", text, o)
		}
	}
	d := delivery("x\r\n")
	for _, h := range []string{"X: y", "X: y\n", "X: \x00\r\n"} {
		d.Header = []byte(h)
		if o := r.Deliver(t.Context(), d)[0]; o.Reply.Code != 451 {
			t.Errorf("our own header %q: %+v", h, o)
		}
	}
	for _, addr := range []string{"a@b\r\nDATA", "a@b> NOTIFY=NEVER <c@d", "a@b>", "<a@b", "a b@c", "a\x00@b", "a@b\n", "a\t@b>\r"} {
		if o := r.Deliver(t.Context(), delivery(body, addr))[0]; o.Reply.Code != 553 {
			t.Errorf("recipient %q: %+v", addr, o)
		}
		d := delivery(body)
		d.Envelope.From = addr
		if o := r.Deliver(t.Context(), d)[0]; o.Reply.Code != 553 {
			t.Errorf("sender %q: %+v", addr, o)
		}
	}
	for _, p := range []sluice.Param{{Key: "RET", Value: "a\r\nRSET"}, {Key: "RET", Value: "a b"}, {Key: "RET X"}, {}, {Key: "RET=a ENVID"}} {
		d := delivery(body)
		d.Envelope.Params = []sluice.Param{p}
		if o := r.Deliver(t.Context(), d)[0]; o.Reply.Code != 553 {
			t.Errorf("parameter %q: %+v", p, o)
		}
	}
	if c, _ := s.Connections(); c != 0 {
		t.Errorf("%d connections for what must not leave", c)
	}
}

// Any text of whole lines arrives as it was.
func TestTextArrives(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{})
	r := newRelay(t, relay.Config{}, s)
	line := rapid.OneOf(rapid.SampledFrom([]string{"", ".", "..", ".x", "x.", "\xff", strings.Repeat(".", 40_000), strings.Repeat("x", 33_000)}), rapid.StringMatching(`[ -~]{0,80}`))
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(line, 0, 30).Draw(t, "lines")
		text := strings.Join(append(lines, ""), "\r\n")
		d := delivery(text)
		d.Header = nil
		if o := r.Deliver(context.Background(), d)[0]; !o.Delivered() {
			t.Fatalf("%+v", o)
		}
		m := s.Messages()
		if got := string(m[n].Data); got != text {
			t.Fatalf("got %q, want %q", got, text)
		}
		n++
	})
	if a := s.Abuse(); len(a) > 0 {
		t.Error(a)
	}
}

func TestConnectionCap(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{})
	r := newRelay(t, relay.Config{MaxConns: 3, Wait: 20 * time.Second}, s)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
				t.Errorf("%+v", o)
			}
		})
	}
	wg.Wait()
	if all, most := s.Connections(); most > 3 || all > 10 {
		t.Errorf("%d connections, %d at a time, want at most 3", all, most)
	}
}

func TestConnectionsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"}, Faults: map[delivertest.Step]delivertest.Fault{delivertest.Dot: {Hang: true}}})
		r := newRelay(t, relay.Config{Hosts: []string{"a.example:25"}, MaxConns: 1, Dial: s.Dial})
		go r.Deliver(t.Context(), delivery(body))
		synctest.Wait()
		start := time.Now()
		o := r.Deliver(t.Context(), delivery(body))[0]
		if o.Reply.Code != 451 || o.Reply.Enhanced != "4.3.2" || time.Since(start) != 2*time.Second {
			t.Errorf("after %v: %+v", time.Since(start), o)
		}
		time.Sleep(300 * time.Second)
	})
}

// An idle connection is closed after its time, with QUIT.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"}})
		r := newRelay(t, relay.Config{Hosts: []string{"a.example:25"}, Dial: s.Dial})
		for i, wait := range []time.Duration{4 * time.Second, 10 * time.Second, 0} {
			if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
				t.Fatalf("%d: %+v", i, o)
			}
			time.Sleep(wait)
		}
		if all, most := s.Connections(); all != 2 || most != 1 {
			t.Errorf("%d connections, %d at a time; want 2, 1", all, most)
		}
		quits := 0
		for _, c := range s.Commands() {
			if c == "QUIT" {
				quits++
			}
		}
		if quits != 1 {
			t.Errorf("%d QUIT, want 1", quits)
		}
	})
}

func TestLMTP(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{LMTP: true, Faults: map[delivertest.Step]delivertest.Fault{
		delivertest.Dot: {Raw: "452 4.2.2 Full\r\n", Rcpt: "full"}}})
	r := newRelay(t, relay.Config{LMTP: true}, s)
	out := r.Deliver(t.Context(), delivery(body, "a@x.example", "full@x.example", "b@x.example"))
	for i, want := range []int{250, 452, 250} {
		if out[i].Reply.Code != want || out[i].Delivered() != (want == 250) {
			t.Errorf("%+v, want %d", out[i], want)
		}
	}
	s.SetFault(delivertest.Dot, delivertest.Fault{Close: true, Rcpt: "full"})
	out = r.Deliver(t.Context(), delivery(body, "a@x.example", "full@x.example", "b@x.example"))
	if !out[0].Delivered() || !out[1].Unknown || !out[2].Unknown || out[2].Reply.Code != 451 {
		t.Errorf("closed in between: %+v", out)
	}
}

func TestNew(t *testing.T) {
	for _, cfg := range []relay.Config{{}, {Hello: "gate.example"}, {Hosts: []string{"no-port"}, Hello: "gate.example"}, {Hosts: []string{"a:25"}, Hello: "bad name\r\n"}, {Hosts: []string{"a:25"}}} {
		if _, err := relay.New(cfg); err == nil {
			t.Errorf("no error for %+v", cfg)
		}
	}
}
