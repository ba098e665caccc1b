package smtpd

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"sluice"
)

// FuzzMachine feeds groups of octets, separated by 0xFE, to a machine: whole and
// octet by octet. Both must say the same, nothing may panic, and no message may
// come out of anything but CRLF.CRLF or a complete last chunk. The number says
// which door it is and what the client may do.
func FuzzMachine(f *testing.F) {
	const data = "EHLO a.example\r\n\xfeMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n\xfeDATA\r\n\xfe"
	for _, s := range []string{
		"EHLO a.example\r\n\xfeMAIL FROM:<a@b> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\nDATA\r\n\xfetext\r\n.\r\nQUIT\r\n",
		data + "a\n.\r\nb\r\n..\r\n.\r\nRSET\r\n",
		data + "\x00\r\r\n.\r\n",
		"EHLO a.example\r\n\xfeMAIL FROM:<>\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabcBDAT 2 LAST\r\n\r\n",
		"EHLO a.example\r\n\xfeSTARTTLS\r\n\xfeEHLO b\r\n\xfeVRFY x\r\n\xfeHELP\r\n\xfeEXPN y\r\n",
		"GET / HTTP/1.1\r\n", "\x16\x03\x01", "HELO x\r\n\xfeNOOP\r\n\xfeBDAT 99999999999999999999 LAST\r\n",
		strings.Repeat("x", 300) + "\r\n",
		"EHLO a\r\n\xfeAUTH PLAIN AGFubgByaWdodA==\r\n\xfeMAIL FROM:<a@b> AUTH=<>\r\nRCPT TO:<c@d>\r\nDATA\r\n\xfetext\r\n.\r\n",
		"EHLO a\r\n\xfeAUTH LOGIN\r\n\xfeYW5u\r\n\xfed3Jvbmc=\r\n\xfeAUTH PLAIN =\r\n\xfeAUTH PLAIN\r\n\xfe*\r\n\xfeMAIL FROM:<a@b>\r\n",
		"EHLO a\r\n\xfeAUTH OAUTHBEARER bixhPWFubiwBYXV0aD1CZWFyZXIgd3JvbmcBAQ==\r\n\xfeAQ==\r\n",
		"LHLO a\r\n\xfeMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n\xfetext\r\n.\r\nRSET\r\n",
		"LHLO a\r\n\xfeMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nBDAT 1\r\naBDAT 1 LAST\r\n\nMAIL FROM:<a@b>\r\nBDAT 1 LAST\r\na",
		"EHLO a\r\n\xfeXFORWARD ADDR=192.0.2.7 HELO=b PROTO=SMTP\r\nMAIL FROM:<a@b>\r\nRSET\r\nMAIL FROM:<a@b>\r\n",
		"EHLO a\r\n\xfeXCLIENT ADDR=IPV6:2001:db8::1 LOGIN=ann\r\n\xfeEHLO b\r\n\xfeMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
	} {
		for door := range byte(12) {
			f.Add(door, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, in []byte) {
		groups := bytes.Split(in, []byte{0xfe})
		cfg := testConfig()
		doors[kind%3].change(cfg)
		cfg.StartTLS = !cfg.TLS
		cfg.Limits.CommandLine = 100
		cfg.Limits.TextLine = 50
		cfg.Limits.Message = 500
		cfg.Limits.Errors = 5
		cfg.Limits.Commands = 50
		play := func(piece func(int) int) (lines, bodies []string) {
			r := newRig(cfg, sluice.Extensions{EightBit: true, SMTPUTF8: true, DSN: true}, func(line string) { lines = append(lines, line) })
			r.peer = Peer{XClient: kind/3%2 == 1, XForward: kind/6%2 == 1}
			r.feed(nil, piece)
			for _, g := range groups {
				r.feed(g, piece)
			}
			return lines, r.bodies
		}
		whole, bodies := play(func(left int) int { return left })
		octets, _ := play(func(int) int { return 1 })
		if a, b := sides(strings.Join(whole, "\n")+"\n"), sides(strings.Join(octets, "\n")+"\n"); a != b {
			t.Fatalf("whole:\n%s\noctet by octet:\n%s", a, b)
		}

		joined := slices.Concat(groups...)
		var ends int
		for i := range joined {
			if bytes.HasPrefix(joined[i:], []byte(".\r\n")) && (i < 2 || bytes.HasSuffix(joined[:i], []byte("\r\n"))) {
				ends++
			}
		}
		lasts := strings.Count(strings.ToUpper(string(joined)), "LAST")
		if len(bodies) > ends+lasts {
			t.Fatalf("%d messages, but %d dots and %d last chunks", len(bodies), ends, lasts)
		}
		for _, body := range bodies {
			if body != "" && !strings.HasSuffix(body, "\r\n") || len(body) > 502 {
				t.Fatalf("message %q", body)
			}
			if clean := strings.ReplaceAll(body, "\r\n", ""); strings.ContainsAny(clean, "\r\n\x00") {
				t.Fatalf("unclean message %q", body)
			}
		}
		total, login := 0, cfg.Door != sluice.DoorSubmission
		for _, line := range whole {
			switch {
			case strings.HasPrefix(line, "E: auth ") && !strings.HasSuffix(line, ` "wrong"`),
				strings.HasPrefix(line, "E: xclient ") && strings.Contains(line, " login="):
				login = true
			case line == "E: tls", strings.HasPrefix(line, "E: xclient"):
				login = cfg.Door != sluice.DoorSubmission
			case strings.HasPrefix(line, "E: mail ") && !login:
				t.Fatalf("mail without a login: %q", whole)
			}
			if reply, ok := strings.CutPrefix(line, "S: "); ok {
				total += len(reply)
				if len(reply) > 510 || strings.IndexFunc(reply, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
					t.Fatalf("reply %q", reply)
				}
			}
		}
		if total > 200+300*len(joined) {
			t.Fatalf("%d octets of replies to %d octets", total, len(joined))
		}
	})
}
