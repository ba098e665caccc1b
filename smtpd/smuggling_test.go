package smtpd

import (
	"fmt"
	"strings"
	"testing"

	"sluice"
)

// doors are the machine's configurations with what a client says until it may send
// a message.
var doors = []struct {
	name   string
	change func(*MachineConfig)
	hello  []string
}{
	{"smtp", func(*MachineConfig) {}, []string{"EHLO c.example\r\n"}},
	{"submission", func(cfg *MachineConfig) {
		cfg.Door, cfg.TLS, cfg.Mechanisms = sluice.DoorSubmission, true, []string{"PLAIN", "LOGIN", "OAUTHBEARER"}
	}, []string{"EHLO c.example\r\n", "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"}},
	{"lmtp", func(cfg *MachineConfig) { cfg.Door = sluice.DoorLMTP }, []string{"LHLO c.example\r\n"}},
}

const (
	// evil is what a smuggler wants to be taken for commands.
	evil = "MAIL FROM:<evil@x.example>\r\nRCPT TO:<victim@y.example>\r\nDATA\r\nevil\r\n"
	open = "MAIL FROM:<a@c.example>\r\nRCPT TO:<b@d.example>\r\n"
)

// smugglers are ends of a message that some server takes for one, or that a
// relay turns into one. All but CRLF.CRLF are refused.
var smugglers = []string{
	// CVE-2023-51764, -51765, -51766 and what was published around them.
	"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n",
	"\r\n.\r\r\n", "\r\r\n.\r\r\n", "\r\n\r.\r\n", "\n\n.\n\n", "\n\r.\n\r", "\r\n.\n\r\n", "\n.\r\r\n",
	// With octets that a relay may drop.
	"\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\x00\n.\r\n", "\n\x00.\n", "\x00\r\n.\n",
	// Stuffed, where the stuffing is for another line end.
	"\n..\n", "\r..\r", "\r\n..\n", "\n..\r\n",
}

// harmless are texts that look like it and are none: they are one message.
var harmless = map[string]string{ // and what the message has for it
	"\r\n..\r\n":        "\r\n.\r\n",
	"\r\n. \r\n":        "\r\n \r\n",
	"\r\n.\t\r\n":       "\r\n\t\r\n",
	"\r\n \r\n..\r\n":   "\r\n \r\n.\r\n",
	"\r\n.\v\r\n":       "\r\n\v\r\n",
	"\x85.\x85":         "\x85.\x85",
	"\xe2\x80\xa8.\r\n": "\xe2\x80\xa8.\r\n",
	"\v.\v":             "\v.\v",
	"=0D=0A.=0D=0A":     "=0D=0A.=0D=0A",
}

// play gives the last group in two pieces, cut at cut, and returns what happened.
func play(cfg *MachineConfig, groups []string, cut int) (lines []string, r *rig) {
	r = newRig(cfg, sluice.Extensions{}, func(line string) { lines = append(lines, line) })
	r.feed(nil, func(int) int { return 1 })
	for i, g := range groups {
		r.feed([]byte(g), func(left int) int {
			switch {
			case cut < 0:
				return 1
			case i == len(groups)-1 && left == len(g):
				return cut
			}
			return left
		})
	}
	return lines, r
}

// cuts calls f with each place where a text of n octets can be cut in two, and
// with -1 for all of them at once.
func cuts(n int, f func(cut int)) {
	for cut := -1; cut <= n; cut++ {
		f(cut)
	}
}

func TestSmugglingInText(t *testing.T) {
	for _, door := range doors {
		cfg := testConfig()
		door.change(cfg)
		for _, s := range smugglers {
			t.Run(fmt.Sprintf("%s %q", door.name, s), func(t *testing.T) {
				text := "Subject: x\r\n\r\ntext" + s + evil + ".\r\nNOOP\r\n"
				cuts(len(text), func(cut int) {
					lines, r := play(cfg, append(door.hello, open+"DATA\r\n", text), cut)
					refused(t, cut, lines, r, "554 5.6.0 ")
				})
			})
		}
		for s, is := range harmless {
			t.Run(fmt.Sprintf("%s %q", door.name, s), func(t *testing.T) {
				text := "Subject: x\r\n\r\ntext" + s + evil + ".\r\nNOOP\r\n"
				cuts(len(text), func(cut int) {
					_, r := play(cfg, append(door.hello, open+"DATA\r\n", text), cut)
					if want := "Subject: x\r\n\r\ntext" + is + evil; len(r.bodies) != 1 || r.bodies[0] != want || r.closed {
						t.Fatalf("cut at %d: messages %q", cut, r.bodies)
					}
				})
			})
		}
	}
}

// In a chunk nothing ends a message but its size.
func TestSmugglingInChunks(t *testing.T) {
	for _, door := range doors {
		cfg := testConfig()
		door.change(cfg)
		for _, s := range append(smugglers, "\r\n.\r\n") {
			t.Run(fmt.Sprintf("%s %q", door.name, s), func(t *testing.T) {
				body := "Subject: x\r\n\r\ntext" + s + evil + ".\r\n"
				for _, chunks := range []string{
					fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), body),
					fmt.Sprintf("BDAT %d\r\n%sBDAT %d LAST\r\n%s", 19, body[:19], len(body)-19, body[19:]),
				} {
					text := open + chunks + "NOOP\r\n"
					cuts(len(text), func(cut int) {
						lines, r := play(cfg, append(door.hello, text), cut)
						if s != "\r\n.\r\n" {
							refused(t, cut, lines, r, "554 5.6.0 ")
						} else if len(r.bodies) != 1 || r.bodies[0] != body || r.closed {
							t.Fatalf("cut at %d: messages %q", cut, r.bodies)
						}
					})
				}
			})
		}
	}
}

// A command line ends with CRLF; chunks and DATA don't mix; text behind a DATA that
// was refused is no string of commands.
func TestSmugglingInCommands(t *testing.T) {
	for _, door := range doors {
		cfg := testConfig()
		door.change(cfg)
		for _, s := range []string{
			"NOOP\n" + evil, "NOOP\r" + evil, "NOOP\r\r\n" + evil, "NOOP\x00\r\n" + evil,
			"RSET\n\r\n" + evil, "\n" + evil, "MAIL FROM:<a@c.example>\n" + evil,
			"MAIL FROM:<a@c.example>\rRCPT TO:<b@d.example>\r\n" + evil, "AUTH PLAIN\n" + evil,
			"BDAT 5 LAST\n" + evil, "DATA\n" + evil, open + "DATA\n" + evil,
			open + "BDAT 3\r\na\r\nDATA\r\n" + evil + ".\r\n",
			open + "BDAT 3\r\na\r\nDATA\r\n.\r\n" + evil,
			open + "BDAT 3\r\na\r\nBDAT 1 LA\xc5\xbfT\r\n" + evil,
			open + "BDAT 0x10 LAST\r\n" + evil, open + "BDAT -1 LAST\r\n" + evil, open + "BDAT 1 LAST x\r\n" + evil,
			"DATA\r\n" + evil + ".\r\n", open + "RSET\r\nDATA\r\n" + evil + ".\r\n", open + "DATA x\r\n" + evil + ".\r\n",
			door.hello[0] + evil, "NOOP\r\n" + evil,
		} {
			t.Run(fmt.Sprintf("%s %q", door.name, s), func(t *testing.T) {
				text := s + "NOOP\r\n"
				cuts(len(text), func(cut int) {
					lines, r := play(cfg, append(door.hello, text), cut)
					refused(t, cut, lines, r, "")
				})
			})
		}
	}
}

// refused checks that the session ended, and that nothing evil was taken for a
// command or for a message.
func refused(t *testing.T, cut int, lines []string, r *rig, reply string) {
	t.Helper()
	said := strings.Join(lines, "\n")
	switch {
	case len(r.bodies) > 0:
		t.Fatalf("cut at %d: messages %q\n%s", cut, r.bodies, said)
	case strings.Contains(said, `E: mail "evil`), strings.Contains(said, `E: rcpt "victim`):
		t.Fatalf("cut at %d: taken for commands:\n%s", cut, said)
	case !r.closed || lines[len(lines)-1] != "E: closed refused":
		t.Fatalf("cut at %d: not closed:\n%s", cut, said)
	case !strings.HasPrefix(lines[len(lines)-2], "S: 5"+strings.TrimPrefix(reply, "5")):
		t.Fatalf("cut at %d: refused with %q", cut, lines[len(lines)-2])
	}
}
