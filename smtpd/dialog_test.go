package smtpd

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"sluice"
	"sluice/internal/golden"
)

// TestDialogs plays the conversations in testdata/dialogs. A file has lines of
// these kinds; the last two are the golden part, rewritten with -update:
//
//	# a comment
//	! Errors=3                 a limit, or an extension to offer (EIGHTBIT=1), or TLS=1,
//	                           or EARLY=1: the first group comes before the greeting
//	! DOOR=lmtp                the door; with AUTH=1 and CLEARTEXT=1 AUTH is offered,
//	                           with IMPLICIT=1 TLS is on from the start, with XCLIENT=1
//	                           and XFORWARD=1 the client is a host of ours
//	A: rcpt 550 5.1.1 Unknown  the gate's next answer to an event of this kind; several
//	                           in the same group of "A: each" are for the recipients
//	                           of one message
//	C: MAIL FROM:<a@b>         the client sends a line; lines that follow each other
//	                           are sent at once, without waiting for replies
//	C~ octets                  as C:, without the CRLF
//	C* 1000 x                  the client sends octets many times over, no CRLF
//	W:                         the client waits, though no reply comes
//	L:                         the connection is lost
//	E: event                   what the gate hears
//	S: reply                   what the client hears
//
// In C and A lines \r \n \t \0 \\ and \xHH stand for octets.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogs/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogs found", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			whole := playDialog(t, string(script), func(left int) int { return left })
			golden.Check(t, file, []byte(whole))
			if bytewise := playDialog(t, string(script), func(int) int { return 1 }); sides(bytewise) != sides(whole) {
				t.Errorf("octet by octet the dialog differs:\n%s", golden.Diff([]byte(sides(whole)), []byte(sides(bytewise))))
			}
		})
	}
}

// sides returns what the gate heard, then what the client heard: in which order
// the two hear of one group hangs on its pieces. So does how many octets the
// detail of a violation can quote.
func sides(dialog string) string {
	var gate, client strings.Builder
	for line := range strings.Lines(dialog) {
		switch {
		case strings.HasPrefix(line, "E: violation "):
			line, _, _ = strings.Cut(line, ` "`)
			gate.WriteString(strings.TrimSpace(line) + "\n")
		case strings.HasPrefix(line, "E: "):
			gate.WriteString(line)
		case strings.HasPrefix(line, "S: "):
			client.WriteString(line)
		}
	}
	return gate.String() + client.String()
}

func playDialog(t *testing.T, script string, piece func(int) int) string {
	t.Helper()
	var out strings.Builder
	cfg := testConfig()
	offer := sluice.Extensions{}
	var r *rig
	var peer Peer
	create := func() {
		if r == nil {
			r = newRig(cfg, offer, func(line string) { out.WriteString(line + "\n") })
			r.peer = peer
		}
	}
	inEach := false
	begun, early := false, false
	begin := func() {
		if create(); !begun {
			begun = true
			if !early {
				r.feed(nil, piece)
			}
		}
	}
	var group []byte
	send := func() {
		if len(group) > 0 {
			r.feed(group, piece)
			group = nil
		}
	}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		mark, rest := line, ""
		if len(line) > 2 {
			mark, rest = line[:2], strings.TrimPrefix(line[2:], " ")
		}
		switch mark {
		case "S:", "E:":
			begin()
			send()
			continue
		case "C:", "C~", "C*":
			if begin(); r.closed {
				t.Fatalf("%q: the connection is closed", line)
			}
			group = append(group, octets(t, mark, rest)...)
			out.WriteString(line + "\n")
			continue
		}
		send()
		out.WriteString(line + "\n")
		inEach = inEach && mark == "A:"
		switch mark {
		case "! ":
			if early = rest == "EARLY=1"; early {
				continue
			}
			setOption(t, cfg, &offer, &peer, rest)
		case "A:":
			create()
			if each, ok := strings.CutPrefix(rest, "each "); ok {
				_, answer := parseAnswer(t, "message "+each)
				if !inEach {
					r.each = append(r.each, nil)
				}
				inEach = true
				r.each[len(r.each)-1] = append(r.each[len(r.each)-1], answer)
				continue
			}
			kind, answer := parseAnswer(t, rest)
			r.answers[kind] = append(r.answers[kind], answer)
		case "L:":
			begin()
			if v, ok := r.m.Lost(); ok {
				r.note("violation %s at %d in %s %s", v.Kind, v.Offset, v.Phase, v.Detail)
			}
			r.note("lost")
		case "W:", "# ", "#", "":
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	begin()
	send()
	return out.String()
}

func octets(t *testing.T, mark, s string) []byte {
	t.Helper()
	times := 1
	if mark == "C*" {
		n, rest, _ := strings.Cut(s, " ")
		var err error
		if times, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
		s = rest
	}
	text := strings.Repeat(unescape(t, s), times)
	if mark == "C:" {
		text += "\r\n"
	}
	return []byte(text)
}

func unescape(t *testing.T, s string) string {
	t.Helper()
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.ReplaceAll(s, `"`, `\"`), `\0`, `\x00`) + `"`)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return text
}

func setOption(t *testing.T, cfg *MachineConfig, offer *sluice.Extensions, peer *Peer, s string) {
	t.Helper()
	key, value, _ := strings.Cut(s, "=")
	if key == "DOOR" {
		cfg.Door = value
		return
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	switch key {
	case "TLS":
		cfg.StartTLS = n == 1
	case "IMPLICIT":
		cfg.TLS = n == 1
	case "AUTH":
		if n == 1 {
			cfg.Mechanisms = []string{"PLAIN", "LOGIN", "OAUTHBEARER"}
		}
	case "CLEARTEXT":
		cfg.ClearTextAuth = n == 1
	case "XCLIENT":
		peer.XClient = n == 1
	case "XFORWARD":
		peer.XForward = n == 1
	case "EIGHTBIT":
		offer.EightBit = n == 1
	case "SMTPUTF8":
		offer.SMTPUTF8 = n == 1
	case "DSN":
		offer.DSN = n == 1
	case "SIZE":
		offer.Size = n
	default:
		f := reflect.ValueOf(&cfg.Limits).Elem().FieldByName(key)
		if !f.IsValid() {
			t.Fatalf("no limit is called %q", key)
		}
		f.SetInt(n)
	}
}

var eventNames = map[string]EventKind{
	"connect": Connect, "hello": Hello, "mail": Mail, "rcpt": Rcpt, "data": Data, "message": Message, "violation": Violation, "auth": Auth,
}

// parseAnswer reads "rcpt 550 5.1.1 text"; "close" before the text closes.
func parseAnswer(t *testing.T, s string) (EventKind, sluice.Reply) {
	t.Helper()
	name, rest, _ := strings.Cut(s, " ")
	kind, ok := eventNames[name]
	var r sluice.Reply
	if _, err := fmt.Sscanf(rest, "%d %s", &r.Code, &r.Enhanced); !ok || err != nil {
		t.Fatalf("bad answer %q", s)
	}
	_, text, _ := strings.Cut(rest, r.Enhanced)
	text = unescape(t, text)
	r.Text, r.Close = strings.CutPrefix(strings.TrimSpace(text), "close ")
	if r.Enhanced == "-" {
		r.Enhanced = ""
	}
	return kind, r
}
