package talk

import (
	"fmt"
	"strings"
	"testing"
)

// TestOutcomes fixes what each outcome means.
func TestOutcomes(t *testing.T) {
	re := func(phase string, code int) Reply { return Reply{Phase: phase, Code: code} }
	greeted := []Reply{re("greeting", 220), re("helo", 250)}
	for _, x := range []struct {
		name     string
		attacker bool
		reached  string
		cut      bool
		replies  []Reply
		want     Outcome
		code     int
	}{
		{"no connection", false, "", false, nil, Absent, 0},
		{"refused greeting", false, "greeting", false, []Reply{re("greeting", 554)}, RefusedEarly, 554},
		{"closed without a word", false, "greeting", true, nil, RefusedEarly, 0},
		{"421 at HELO", false, "helo", false, []Reply{re("greeting", 220), re("helo", 421)}, RefusedEarly, 421},
		{"all recipients refused", false, "data", false, append(greeted, re("mail", 250), re("rcpt", 550), re("data", 503)), RefusedEarly, 550},
		{"one of two recipients refused, left", false, "rcpt", false, append(greeted, re("mail", 250), re("rcpt", 550), re("rcpt", 250)), Left, 0},
		{"DATA refused", false, "data", false, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 554)), RefusedEarly, 554},
		{"dot refused", false, "dot", false, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 354), re("dot", 550)), RefusedDot, 550},
		{"dot deferred", false, "dot", false, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 354), re("dot", 451)), RefusedDot, 451},
		{"cut in the message", false, "dot", true, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 354)), RefusedDot, 0},
		{"delivered", false, "dot", false, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 354), re("dot", 250)), Delivered, 0},
		{"delivered, then cut", false, "dot", true, append(greeted, re("mail", 250), re("rcpt", 250), re("data", 354), re("dot", 250)), Delivered, 0},
		{"went away", false, "helo", false, greeted, Left, 0},
		{"DATA refused as a bad sequence beside an accepted recipient", false, "data", false, append(greeted, re("mail", 250), re("rcpt", 250), re("rcpt", 550), re("data", 503)), RefusedEarly, 503},
		{"attacker refused in the greeting", true, "greeting", false, []Reply{re("greeting", 554)}, RefusedEarly, 554},
		{"idle, never cut", true, "greeting", false, []Reply{re("greeting", 220)}, Survived, 0},
		{"idle, cut", true, "greeting", true, []Reply{re("greeting", 220)}, RefusedEarly, 0},
		{"guesses answered, never cut", true, "auth", false, append(greeted, re("auth", 334), re("auth", 535)), Rebuffed, 535},
		{"guesses cut", true, "auth", false, append(greeted, re("auth", 535), re("auth", 421)), RefusedEarly, 421},
		{"a guess was right", true, "auth", false, append(greeted, re("auth", 235)), Survived, 0},
	} {
		s := &Session{Reached: x.reached, Cut: x.cut, Attacker: x.attacker}
		for _, r := range x.replies {
			s.note(r.Phase, r.Code, "", 0)
		}
		if s.judge(); s.Outcome != x.want || s.Code != x.code {
			t.Errorf("%s: %s %d, want %s %d", x.name, s.Outcome, s.Code, x.want, x.code)
		}
	}
}

// FuzzReply feeds reply lines to the client's parser.
func FuzzReply(f *testing.F) {
	for _, s := range []string{"220 mx ESMTP", "250-PIPELINING", "250", "550 5.1.1 unknown", "554 5..1 x", "25\xff x", "999 x", "250_x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, l string) {
		code, more, ok := parseReply(l)
		if ok && (code < 200 || code > 599 || !strings.HasPrefix(l, fmt.Sprint(code))) || more && !ok {
			t.Errorf("%q: %d %t %t", l, code, more, ok)
		}
		if e := enhanced(l); ok && e != "" && !strings.Contains(l, " "+e) && !strings.Contains(l, "-"+e) {
			t.Errorf("%q: enhanced code %q", l, e)
		}
	})
}
