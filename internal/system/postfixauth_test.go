package system

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
)

// authServer answers a Postfix that asks by Dovecot's protocol
// (https://doc.dovecot.org/developer_manual/design/auth_protocol/) who may log in.
type authServer struct {
	path string

	mu   sync.Mutex
	used []string // mechanisms that logged somebody in
}

func startAuthServer(t *testing.T, mechanism, user, password string) *authServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-auth-") // Postfix has to reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &authServer{path: filepath.Join(dir, "auth")}
	l, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for path, mode := range map[string]os.FileMode{dir: 0o755, s.path: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c, mechanism, user, password)
		}
	}()
	return s
}

// serve asks for what it needs: PLAIN in one response, LOGIN in two.
func (s *authServer) serve(c net.Conn, mechanism, user, password string) {
	defer c.Close()
	fmt.Fprintf(c, "VERSION\t1\t2\nMECH\t%s\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00112233445566778899aabbccddeeff\nDONE\n", mechanism)
	said := map[string][]string{} // responses by request
	for in := bufio.NewScanner(c); in.Scan(); {
		f := strings.Split(in.Text(), "\t")
		if len(f) < 3 || f[0] != "AUTH" && f[0] != "CONT" {
			continue
		}
		id, response, have := f[1], f[len(f)-1], f[0] == "CONT"
		if f[0] == "AUTH" {
			response, have = strings.CutPrefix(response, "resp=")
		}
		if have {
			b, _ := base64.StdEncoding.DecodeString(response) // nothing, if broken: no login
			said[id] = append(said[id], string(b))
		}
		switch got := said[id]; {
		case mechanism == "PLAIN" && len(got) == 0:
			fmt.Fprintf(c, "CONT\t%s\t\n", id)
		case mechanism == "LOGIN" && len(got) < 2:
			fmt.Fprintf(c, "CONT\t%s\t%s\n", id, base64.StdEncoding.EncodeToString([]byte([]string{"Username:", "Password:"}[len(got)])))
		case strings.Join(got, "\x00") == map[string]string{"PLAIN": "\x00", "LOGIN": ""}[mechanism]+user+"\x00"+password:
			s.mu.Lock()
			s.used = append(s.used, mechanism)
			s.mu.Unlock()
			fmt.Fprintf(c, "OK\t%s\tuser=%s\n", id, user)
		default:
			fmt.Fprintf(c, "FAIL\t%s\tuser=%s\n", id, user)
		}
	}
}

// TestPostfixLogin logs in at a real Postfix that is known by its fingerprint.
func TestPostfixLogin(t *testing.T) {
	const user, password = "gateway", "correct horse battery staple"
	certFile, keyFile := certificate(t, t.TempDir(), "postfix.example")
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	for _, mechanism := range []string{"PLAIN", "LOGIN"} {
		t.Run(mechanism, func(t *testing.T) {
			a := startAuthServer(t, mechanism, user, password)
			p := startPostfix(t, "virtual_mailbox_domains = a.example\nsmtpd_tls_security_level = may\nsmtpd_tls_auth_only = yes\nsmtpd_tls_cert_file = "+certFile+"\nsmtpd_tls_key_file = "+keyFile+
				"\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = "+a.path+"\nsmtpd_sasl_authenticated_header = yes\nsmtpd_client_restrictions = permit_sasl_authenticated, reject\n")
			for _, tc := range []struct{ password, want string }{{password, "250 2.0.0"}, {"guess", "451 4.3.5"}} {
				r, err := relay.New(relay.Config{Hosts: []string{p.addr}, Hello: "mx.a.example", TLS: relay.TLSFingerprint,
					Fingerprints: []relay.Fingerprint{sha256.Sum256(block.Bytes)}, Login: &relay.Login{User: user, Password: tc.password}})
				if err != nil {
					t.Fatal(err)
				}
				for _, to := range []string{"bob", "carol"} { // by one connection
					o := r.Deliver(t.Context(), delivertest.Delivery(clean("login"), to+"@a.example"))[0]
					if !strings.HasPrefix(o.Reply.String(), tc.want) || strings.Contains(fmt.Sprint(o.Err), tc.password) {
						t.Errorf("password %q: %s, %v", tc.password, o.Reply, o.Err)
					}
				}
				_ = r.Close()
			}
			for _, to := range []string{"bob", "carol"} {
				if got := p.arrived(to); !strings.Contains(got, "(Authenticated sender: "+user+")") {
					t.Errorf("not authenticated:\n%s", got)
				}
			}
			if n := strings.Count(p.log(), "SASL "+mechanism+" authentication failed"); n != 1 {
				t.Errorf("%d wrong passwords for two messages: one try is enough", n)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if fmt.Sprint(a.used) != "["+mechanism+"]" {
				t.Errorf("logins: %v", a.used)
			}
		})
	}
}
