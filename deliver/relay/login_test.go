package relay_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
)

// TestFingerprint pins a certificate and a key that no authority vouches for.
func TestFingerprint(t *testing.T) {
	cert, _ := certificate(t, "back.example")
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	s := delivertest.NewServer(t, delivertest.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	ofCert, ofKey := relay.Fingerprint(sha256.Sum256(leaf.Raw)), relay.Fingerprint(sha256.Sum256(leaf.RawSubjectPublicKeyInfo))
	for name, f := range map[string]relay.Fingerprint{"certificate": ofCert, "key": ofKey} {
		r := newRelay(t, relay.Config{TLS: relay.TLSFingerprint, Fingerprints: []relay.Fingerprint{f}}, s)
		if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
			t.Errorf("%s: %+v", name, o)
		}
	}
	r := newRelay(t, relay.Config{TLS: relay.TLSFingerprint, Fingerprints: []relay.Fingerprint{{1, 2, 3}}}, s)
	o := r.Deliver(t.Context(), delivery(body))[0]
	if o.Reply.Code != 451 || o.Reply.Enhanced != "4.7.5" {
		t.Errorf("another certificate: %s", o.Reply)
	}
	// An admin can see what the host shows, and compare.
	for _, want := range []string{s.Addr, ofCert.String(), ofKey.String()} {
		if !strings.Contains(o.Err.Error(), want) {
			t.Errorf("%q doesn't name %s", o.Err, want)
		}
	}
	if strings.Contains(o.Reply.Text, "sha256") {
		t.Errorf("the sender is told %q", o.Reply.Text)
	}
}

func TestFingerprintSettings(t *testing.T) {
	for _, cfg := range []relay.Config{
		{TLS: relay.TLSFingerprint},
		{TLS: relay.TLSVerify, Fingerprints: []relay.Fingerprint{{1}}},
	} {
		cfg.Hosts, cfg.Hello = []string{"back.example:25"}, "gate.example"
		if _, err := relay.New(cfg); err == nil {
			t.Errorf("taken: %+v", cfg)
		}
	}
}

const password = "tr0ub4dor & three horses"

func users() map[string]string { return map[string]string{"gate@back.example": password} }

func login() *relay.Login { return &relay.Login{User: "gate@back.example", Password: password} }

func TestLogin(t *testing.T) {
	cert, _ := certificate(t, "back.example")
	offered := &tls.Config{Certificates: []tls.Certificate{cert}}
	pinned := []relay.Fingerprint{sha256.Sum256(cert.Certificate[0])}
	long := &relay.Login{User: strings.Repeat("u", 255), Password: strings.Repeat("p", 255)}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00gate@back.example\x00" + password))
	for _, tt := range []struct {
		name   string
		script delivertest.Script
		login  *relay.Login
		fault  string // replaces a reply of the exchange
		want   string // the sender's reply; "": delivered
		says   string // part of what the operator reads
		verb   string // the command that logs in
	}{
		{name: "plain", verb: "AUTH PLAIN " + plain},
		{name: "login", script: delivertest.Script{Mechanisms: "LOGIN"}, verb: "AUTH LOGIN"},
		{name: "any case", script: delivertest.Script{Mechanisms: "XOAUTH2 PLAIN"}, verb: "AUTH PLAIN " + plain},
		{name: "long", script: delivertest.Script{Users: map[string]string{long.User: long.Password}}, login: long, verb: "AUTH PLAIN"},
		{name: "long login", script: delivertest.Script{Users: map[string]string{long.User: long.Password}, Mechanisms: "LOGIN"}, login: long, verb: "AUTH LOGIN"},
		{name: "wrong password", login: &relay.Login{User: "gate@back.example", Password: "guess"}, want: "451 4.3.5",
			says: `login as "gate@back.example" refused: 535 5.7.8 "Authentication credentials invalid"`},
		{name: "wrong password by login", script: delivertest.Script{Mechanisms: "LOGIN"}, login: &relay.Login{User: "x", Password: "guess"}, want: "451 4.3.5", says: `login as "x" refused: 535`},
		{name: "not now", fault: "454 4.7.0 Temporary authentication failure\r\n", want: "451 4.3.5", says: "454 4.7.0"},
		{name: "no mechanism", script: delivertest.Script{Mechanisms: "GSSAPI CRAM-MD5"}, want: "451 4.3.5", says: "neither PLAIN nor LOGIN"},
		{name: "asked on", fault: "334 Z28gb24=\r\n", want: "451 4.5.0", says: "no sense here: 334"},
		{name: "250", fault: "250 2.0.0 Ok\r\n", want: "451 4.5.0", says: "no sense here: 250"},
		{name: "garbage", fault: "what?\r\n", want: "451 4.5.0", says: "AUTH"},
		{name: "two replies", fault: "235 2.7.0 Hello\r\n250 2.1.0 Ok\r\n", want: "451 4.5.0", says: "nothing asked for"},
		{name: "repeats the command", fault: "502 5.5.2 Unknown: \"" + strings.ToUpper("AUTH PLAIN "+plain) + "\"\r\n", want: "451 4.3.5", says: "Unknown"},
		{name: "repeats a part of it", fault: "535-5.7.8 Bad\r\n535 5.7.8 x" + plain[12:40] + "x\r\n", want: "451 4.3.5", says: "Bad"},
		{name: "repeats what we said", fault: "535 5.7.8 Bad: " + plain + " (" + plain[:20] + "), " + password + "\r\n", want: "451 4.3.5", says: "535 5.7.8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.script.TLS = offered
			if tt.script.Users == nil {
				tt.script.Users = users()
			}
			if tt.fault != "" {
				tt.script.Faults = map[delivertest.Step]delivertest.Fault{delivertest.Auth: {Raw: tt.fault}}
			}
			if tt.login == nil {
				tt.login = login()
			}
			s := delivertest.NewServer(t, tt.script)
			r := newRelay(t, relay.Config{TLS: relay.TLSFingerprint, Fingerprints: pinned, Login: tt.login}, s)
			for range 2 {
				o := r.Deliver(t.Context(), delivery(body))[0]
				if tt.want == "" && !o.Delivered() || tt.want != "" && !strings.HasPrefix(o.Reply.String(), tt.want) {
					t.Fatalf("%s: %v", o.Reply, o.Err)
				}
				told := fmt.Sprintf("%s %v", o.Reply, o.Err)
				if !strings.Contains(told, tt.says) {
					t.Errorf("%s: want %q", told, tt.says)
				}
				for _, secret := range []string{tt.login.Password, plain, plain[:20], plain[20:26], base64.StdEncoding.EncodeToString([]byte(tt.login.Password))} {
					if strings.Contains(strings.ToLower(told), strings.ToLower(secret)) {
						t.Errorf("%q is told: %s", secret, told)
					}
				}
			}
			if a := s.Abuse(); len(a) > 0 {
				t.Errorf("abuse: %q", a)
			}
			if tt.want != "" {
				return
			}
			// One login for both messages.
			commands := strings.Join(s.Commands(), "\n")
			if strings.Count(commands, "AUTH") != 1 || !strings.Contains(commands, "\n"+tt.verb+"\n") {
				t.Errorf("commands:\n%s", commands)
			}
			for _, m := range s.Messages() {
				if m.User != tt.login.User || !m.TLS {
					t.Errorf("taken from %q, TLS %v", m.User, m.TLS)
				}
			}
		})
	}
}

// TestLoginClear logs in without TLS on this machine, and nowhere else.
func TestLoginClear(t *testing.T) {
	s := delivertest.NewServer(t, delivertest.Script{Users: users()})
	r := newRelay(t, relay.Config{Login: login()}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
		t.Errorf("loopback: %+v", o)
	}
	for _, mode := range []relay.TLSMode{relay.TLSNone, relay.TLSMay} {
		_, err := relay.New(relay.Config{Hosts: []string{"127.0.0.1:25", "smart.example:587"}, Hello: "gate.example", TLS: mode, Login: login()})
		if err == nil || !strings.Contains(err.Error(), "smart.example:587") {
			t.Errorf("mode %d: %v", mode, err)
		}
	}
	// A name that claims to be this machine and isn't.
	pipe := delivertest.NewPipeServer(t, delivertest.Script{Users: users()})
	r, err := relay.New(relay.Config{Hosts: []string{"localhost:25"}, Hello: "gate.example", Login: login(), Dial: pipe.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := r.Deliver(t.Context(), delivery(body))[0]
	if o.Reply.Code != 451 || !strings.Contains(o.Err.Error(), "no login without TLS") {
		t.Errorf("%+v", o)
	}
	if c := strings.Join(pipe.Commands(), "\n"); strings.Contains(c, "AUTH") {
		t.Errorf("commands:\n%s", c)
	}
}

func TestLoginSettings(t *testing.T) {
	for _, l := range []relay.Login{{}, {User: "x"}, {Password: "x"}, {User: "x\x00y", Password: "z"}, {User: "x", Password: "z\n"},
		{User: "x", Password: strings.Repeat("z", 256)}} {
		if _, err := relay.New(relay.Config{Hosts: []string{"127.0.0.1:25"}, Hello: "gate.example", Login: &l}); err == nil {
			t.Errorf("taken: user %q", l.User)
		} else if strings.Contains(err.Error(), "zzz") {
			t.Errorf("tells the password: %v", err)
		}
	}
	l := *login()
	if s := fmt.Sprintf("%v %+v %#v %s", l, l, l, &l); strings.Contains(s, password) {
		t.Errorf("prints as %s", s)
	}
}

// TestLoginPause doesn't hammer on a host that refused the password, since that
// would lock the account.
func TestLoginPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := delivertest.NewPipeServer(t, delivertest.Script{Extensions: []string{"8BITMIME"}, Users: users()})
		r, err := relay.New(relay.Config{Hosts: []string{"localhost:25"}, Hello: "gate.example",
			Login: &relay.Login{User: "gate@back.example", Password: "guess"},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				nc, err := s.Dial(ctx, network, addr)
				return loopback{nc}, err
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		tries := func() int { return strings.Count(strings.Join(s.Commands(), "\n"), "AUTH") }
		for range 20 {
			o := r.Deliver(t.Context(), delivery(body))[0]
			if o.Reply.Code != 451 || !strings.Contains(o.Err.Error(), "refused: 535") {
				t.Fatalf("%+v", o)
			}
			time.Sleep(time.Second)
		}
		if n := tries(); n != 1 {
			t.Errorf("%d logins in 20 s", n)
		}
		time.Sleep(11 * time.Second)
		r.Deliver(t.Context(), delivery(body))
		if n := tries(); n != 2 {
			t.Errorf("%d logins after 31 s", n)
		}
	})
}

// loopback is a pipe that says it ends on this machine.
type loopback struct{ net.Conn }

func (loopback) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv6loopback, Port: 25} }
