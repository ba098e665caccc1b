package smtpd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"sluice"
)

// secret is the password of these tests.
const secret = "hunter2-secret"

func coded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// secretWords are the forms in which the secret could turn up.
var secretWords = []string{secret, coded(secret), coded("\x00ann\x00" + secret), coded("n,,\x01auth=Bearer " + secret + "\x01\x01"), "unter2"}

func holdsSecret(s string) bool {
	for _, w := range secretWords {
		if strings.Contains(s, w) || len(w) > 12 && strings.Contains(s, w[4:12]) {
			return true
		}
	}
	return false
}

// logins are ways in which a secret reaches the door, right and wrong.
var logins = map[string][]string{
	"plain":             {"AUTH PLAIN " + coded("\x00ann\x00"+secret) + "\r\n"},
	"plain, asked":      {"AUTH PLAIN\r\n", coded("\x00ann\x00"+secret) + "\r\n"},
	"login":             {"AUTH LOGIN\r\n", coded("ann") + "\r\n", coded(secret) + "\r\n"},
	"bearer":            {"AUTH OAUTHBEARER " + coded("n,,\x01auth=Bearer "+secret+"\x01\x01") + "\r\n", "AQ==\r\n"},
	"no padding":        {"AUTH PLAIN " + coded("\x00ann\x00" + secret)[:20] + "\r\n"},
	"no mechanism":      {"AUTH " + coded("\x00ann\x00"+secret) + "\r\n"},
	"unknown mechanism": {"AUTH XPLAIN " + coded("\x00ann\x00"+secret) + "\r\n"},
	"raw":               {"AUTH PLAIN ann " + secret + "\r\n"},
	"bare LF":           {"AUTH PLAIN " + coded("\x00ann\x00"+secret) + "\n"},
	"bare CR":           {"AUTH PLAIN\r" + coded("\x00ann\x00"+secret) + "\r\n"},
	"NUL":               {"AUTH PLAIN \x00ann\x00" + secret + "\r\n"},
	"response, bare LF": {"AUTH LOGIN\r\n", coded("ann") + "\r\n", coded(secret) + "\n"},
	"response, NUL":     {"AUTH PLAIN\r\n", "\x00ann\x00" + secret + "\r\n"},
	"all at once":       {"AUTH LOGIN\r\n" + coded("ann") + "\r\n" + coded(secret) + "\r\n"},
	"before EHLO's end": {"EHLO c.example\r\nAUTH PLAIN " + coded("\x00ann\x00"+secret) + "\r\n"},
	"behind NOOP":       {"NOOP\r\nauth login\r\n" + coded("ann") + "\r\n" + coded(secret) + "\r\n"},
	"behind STARTTLS":   {"STARTTLS\r\nAUTH PLAIN " + coded("\x00ann\x00"+secret) + "\r\n"},
	"long":              {"AUTH PLAIN " + strings.Repeat(coded(secret+"ab"), 700) + "\r\n"},
	"long response":     {"AUTH PLAIN\r\n", strings.Repeat(coded(secret+"ab"), 700) + "\r\n"},
	"half":              {"AUTH PLAIN " + coded("\x00ann\x00"+secret)},
}

// The one place where a secret may be is the Auth event: no reply, no violation
// holds it, and in the input buffer it is overwritten, wherever the input is cut.
func TestSecretsStayNowhere(t *testing.T) {
	configs := map[string]func(*MachineConfig){
		"inside TLS": func(cfg *MachineConfig) { cfg.TLS = true },
		"clear text": func(cfg *MachineConfig) { cfg.StartTLS = true },
		"port 25":    func(cfg *MachineConfig) { cfg.Door, cfg.StartTLS = sluice.DoorSMTP, true },
	}
	for where, change := range configs {
		for name, groups := range logins {
			t.Run(where+" "+name, func(t *testing.T) {
				cfg := testConfig()
				cfg.Door, cfg.Mechanisms = sluice.DoorSubmission, []string{"PLAIN", "LOGIN", "OAUTHBEARER"}
				change(cfg)
				for _, size := range []int{1, 2, 3, 5, 7, 11, 13, 30, 64, 1000, 1 << 20} {
					if len(groups[len(groups)-1]) > 1000 && size < 7 {
						continue
					}
					playSecret(t, cfg, groups, size)
				}
			})
		}
	}
}

func playSecret(t *testing.T, cfg *MachineConfig, groups []string, size int) {
	t.Helper()
	var bufs [][]byte // everything that was given to the machine
	m := NewMachine(cfg)
	check := func(what, s string) {
		if holdsSecret(s) {
			t.Fatalf("pieces of %d: %s holds the secret: %q", size, what, s)
		}
	}
	for _, g := range append([]string{"", "EHLO c.example\r\n"}, groups...) {
		rest := []byte(g)
		var in []byte
		for over := false; !over; {
			n, ev := m.Next(in)
			if cfg.Door == sluice.DoorSubmission {
				check("what was taken", string(in[:n]))
			}
			in = in[n:]
			switch ev.Kind {
			case NeedInput:
				if over = len(rest) == 0; !over {
					n := min(size, len(rest))
					in, rest = bytes.Clone(rest[:n]), rest[n:]
					bufs = append(bufs, in)
				}
			case Closed:
				over = true
			case Sync:
				m.Synced(append(bytes.Clone(in), rest...))
			case Violation:
				check("a violation", fmt.Sprintf("%+v", ev.Violation))
				m.Answer(sluice.Reply{})
			case Auth:
				check("the event's print", fmt.Sprintf("%v %+v %s %#v", *ev.Credentials, *ev.Credentials, *ev.Credentials, *ev.Credentials))
				if ev.Credentials.Secret == "" {
					t.Fatal("credentials without a secret")
				}
				m.Answer(sluice.Reply{Code: 535, Enhanced: "5.7.8", Text: "no"})
			case StartTLS:
				m.TLSStarted()
			default:
				m.Answer(defaults[ev.Kind])
			}
		}
		check("a reply", string(m.TakeOutput()))
	}
	if m.Partial() {
		m.Shut(sluice.Reply{Code: 421}, sluice.EndedTimeout)
		m.Next(nil)
	}
	if m.line != nil || m.auth != nil && m.state == stateClosed {
		t.Fatalf("pieces of %d: the machine still holds %q", size, m.line)
	}
	if cfg.Door == sluice.DoorSubmission {
		for _, b := range bufs {
			if m.state == stateClosed {
				break // what lies behind the end wasn't taken
			}
			check("an input buffer", string(b))
		}
	}
}

// A line that grows leaves nothing of itself behind.
func TestGrowingLineIsOverwritten(t *testing.T) {
	m := NewMachine(testConfig())
	var before [][]byte
	for range 200 {
		m.keep([]byte(secret))
		before = append(before, m.line[:len(m.line):len(m.line)])
	}
	moved := 0
	for _, b := range before {
		if &b[0] != &m.line[0] {
			moved++
			if !bytes.Equal(b, make([]byte, len(b))) {
				t.Fatalf("left behind: %q", b)
			}
		}
	}
	if moved == 0 || string(m.line) != strings.Repeat(secret, 200) {
		t.Errorf("%d copies, line %q", moved, m.line)
	}
	last := m.line
	if m.dropLine(); m.line != nil || !bytes.Equal(last, make([]byte, len(last))) {
		t.Errorf("dropped, but %q", last)
	}
}

func TestWithoutSecrets(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"AUTH":                          "AUTH",
		"AUTH x":                        "AUTH",
		"EHLO a\r\nauth\tPLAIN x\r\n":   "EHLO a\r\nauth",
		"MAIL FROM:<auth@b>":            "MAIL FROM:<auth@b>",
		"XAUTH x":                       "XAUTH x",
		"AUTHENTICATE x":                "AUTHENTICATE x",
		"a\rAUTH x":                     "a\rAUTH",
		"MAIL FROM:<a@b> AUTH=<c@d.ef>": "MAIL FROM:<a@b> AUTH=<c@d.ef>",
	} {
		if got := string(withoutSecrets([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestBearer(t *testing.T) {
	tests := []struct {
		in, user, token string
		ok              bool
	}{
		{"n,a=ann@example.org,\x01host=h\x01port=587\x01auth=Bearer abc-._~+/==\x01\x01", "ann@example.org", "abc-._~+/==", true},
		{"y,,\x01auth=bearer t\x01\x01", "", "t", true},
		{"n,a=a=2Cb=3Dc,\x01auth=Bearer t\x01\x01", "a,b=c", "t", true},
		{"n,a=a=2cb,\x01auth=Bearer t\x01\x01", "", "", false},
		{"n,a=,\x01auth=Bearer t\x01\x01", "", "", false},
		{"n,ann,\x01auth=Bearer t\x01\x01", "", "", false},
		{"n,a=ann\x01auth=Bearer t\x01\x01", "", "", false},
		{"n,a=ann,x\x01auth=Bearer t\x01\x01", "", "", false},
		{"p=tls-exporter,,\x01auth=Bearer t\x01\x01", "", "", false},
		{"n,,\x01auth=Bearer t\x01", "", "", false},
		{"n,,\x01auth=Bearer \x01\x01", "", "", false},
		{"n,,\x01auth=Bearer ===\x01\x01", "", "", false},
		{"n,,\x01auth=Bearer a b\x01\x01", "", "", false},
		{"n,,\x01auth=Bearer a\u00e9\x01\x01", "", "", false},
		{"n,,\x01auth=Basic a\x01\x01", "", "", false},
		{"n,,\x01host=h\x01\x01", "", "", false},
		{"n,,\x01=h\x01auth=Bearer a\x01\x01", "", "", false},
		{"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01", "", "", false},
		{"n,,\x01\x01", "", "", false},
		{"\x01", "", "", false},
		{"", "", "", false},
	}
	for _, test := range tests {
		user, token, ok := bearer([]byte(test.in))
		if ok != test.ok || ok && (user != test.user || string(token) != test.token) {
			t.Errorf("%q: %q, %q, %v", test.in, user, token, ok)
		}
	}
}

// FuzzSASL reads messages of PLAIN and OAUTHBEARER: what comes out is fit to be
// sent on.
func FuzzSASL(f *testing.F) {
	for _, s := range []string{"\x00ann\x00secret", "bob\x00ann\x00secret", "n,a=ann,\x01auth=Bearer t\x01\x01", "n,a=a=2Cb=3Dc,\x01host=h\x01auth=Bearer t==\x01\x01", "n,,\x01", "\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := func(s string) {
			if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n\x1b\x7f") {
				t.Fatalf("%q has the name %q", b, s)
			}
		}
		if authorize, user, pass, ok := plain(b); ok {
			name(string(authorize))
			name(string(user))
			if len(user) == 0 || len(pass) == 0 || string(authorize)+"\x00"+string(user)+"\x00"+string(pass) != string(b) {
				t.Fatalf("%q: %q %q %q", b, authorize, user, pass)
			}
		}
		if user, token, ok := bearer(b); ok {
			name(user)
			if len(token) == 0 || bytes.ContainsAny(token, "\x01 ,\"") || !bytes.Contains(b, token) {
				t.Fatalf("%q: token %q", b, token)
			}
		}
	})
}
