package relay_test

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice"
	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
	"sluice/reason"
)

func TestAuthenticator(t *testing.T) {
	cert, _ := certificate(t, "back.example")
	offered := &tls.Config{Certificates: []tls.Certificate{cert}}
	token := strings.Repeat("ya29.long-token.", 60)
	users := map[string]string{"gate@back.example": password, "ann@back.example": token}
	good := sluice.Credentials{Mechanism: "PLAIN", User: "gate@back.example", Secret: password}
	for _, tt := range []struct {
		name       string
		mechanisms string
		fault      string
		c          sluice.Credentials
		account    string
		code       int
		why        sluice.Reason
	}{
		{name: "plain", c: good, account: "gate@back.example"},
		{name: "login behind plain", mechanisms: "LOGIN", c: good, account: "gate@back.example"},
		{name: "plain behind login", mechanisms: "PLAIN", c: sluice.Credentials{Mechanism: "LOGIN", User: good.User, Secret: password}, account: "gate@back.example"},
		{name: "bearer", mechanisms: "PLAIN OAUTHBEARER", c: sluice.Credentials{Mechanism: "OAUTHBEARER", User: "ann@back.example", Secret: token}, account: "ann@back.example"},
		{name: "bearer refused", mechanisms: "OAUTHBEARER", c: sluice.Credentials{Mechanism: "OAUTHBEARER", User: "ann@back.example", Secret: "expired"}, code: 535, why: reason.AuthFailed},
		{name: "bearer not offered", c: sluice.Credentials{Mechanism: "OAUTHBEARER", User: "ann@back.example", Secret: token}, code: 454, why: reason.AuthTemporary},
		{name: "wrong password", c: sluice.Credentials{Mechanism: "PLAIN", User: "gate@back.example", Secret: "guess"}, code: 535, why: reason.AuthFailed},
		{name: "wrong name", c: sluice.Credentials{Mechanism: "PLAIN", User: "nobody@back.example", Secret: password}, code: 535, why: reason.AuthFailed},
		{name: "no password", c: sluice.Credentials{Mechanism: "PLAIN", User: "gate@back.example"}, code: 535, why: reason.AuthFailed},
		{name: "another command inside", c: sluice.Credentials{Mechanism: "LOGIN", User: "gate@back.example\r\nMAIL FROM:<x@y.example>", Secret: password}, code: 535, why: reason.AuthFailed},
		{name: "a part too many", c: sluice.Credentials{Mechanism: "PLAIN", User: "x\x00gate@back.example", Secret: password}, code: 535, why: reason.AuthFailed},
		{name: "for another", mechanisms: "LOGIN", c: sluice.Credentials{Mechanism: "PLAIN", Authorize: "boss@back.example", User: good.User, Secret: password}, code: 454, why: reason.AuthTemporary},
		{name: "not now", fault: "454 4.7.0 Temporary authentication failure\r\n", c: good, code: 454, why: reason.AuthTemporary},
		{name: "garbage", fault: "yes!\r\n", c: good, code: 454, why: reason.AuthTemporary},
		{name: "250", fault: "250 2.0.0 Ok\r\n", c: good, code: 454, why: reason.AuthTemporary},
		{name: "tells the password", fault: "535 5.7.8 " + password + " is wrong\r\n", c: good, code: 535, why: reason.AuthFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := delivertest.Script{TLS: offered, Users: users, Mechanisms: tt.mechanisms}
			if tt.fault != "" {
				script.Faults = map[delivertest.Step]delivertest.Fault{delivertest.Auth: {Raw: tt.fault}}
			}
			s := delivertest.NewServer(t, script)
			a, err := relay.NewAuthenticator(relay.Config{Hosts: []string{s.Addr}, Hello: "gate.example",
				TLS: relay.TLSFingerprint, Fingerprints: []relay.Fingerprint{sha256.Sum256(cert.Certificate[0])}})
			if err != nil {
				t.Fatal(err)
			}
			account, err := a.Login(t.Context(), tt.c, &sluice.Conn{})
			e, _ := errors.AsType[*sluice.Error](err)
			switch {
			case tt.code == 0 && (err != nil || account != tt.account):
				t.Fatalf("%q, %v", account, err)
			case tt.code != 0 && (e == nil || e.Reply.Code != tt.code || e.Why != tt.why || account != ""):
				t.Fatalf("%q, %v (%+v)", account, err, e)
			}
			if told := fmt.Sprintf("%v %+v %#v %v", err, tt.c, tt.c, e); tt.c.Secret != "" && strings.Contains(told, tt.c.Secret) {
				t.Errorf("the secret is told: %s", told)
			}
			if ab := s.Abuse(); len(ab) > 0 {
				t.Errorf("abuse: %q", ab)
			}
		})
	}
}

// TestAuthenticatorDown: nobody there to ask is nobody's fault.
func TestAuthenticatorDown(t *testing.T) {
	a, err := relay.NewAuthenticator(relay.Config{Hosts: []string{"127.0.0.1:1"}, Hello: "gate.example"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Login(t.Context(), sluice.Credentials{Mechanism: "PLAIN", User: "a", Secret: "b"}, &sluice.Conn{})
	if e, _ := errors.AsType[*sluice.Error](err); e == nil || e.Reply.Code != 454 {
		t.Errorf("%v", err)
	}
	if _, err := relay.NewAuthenticator(relay.Config{Hosts: []string{"mail.example:587"}, Hello: "gate.example", TLS: relay.TLSMay}); err == nil {
		t.Error("passwords would cross the network behind a certificate that nobody checks")
	}
}

// TestImplicitTLS speaks TLS before anything else.
func TestImplicitTLS(t *testing.T) {
	cert, _ := certificate(t, "back.example")
	pin := []relay.Fingerprint{sha256.Sum256(cert.Certificate[0])}
	s := delivertest.NewServer(t, delivertest.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Implicit: true})
	r := newRelay(t, relay.Config{TLS: relay.TLSFingerprint, Implicit: true, Fingerprints: pin}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; !o.Delivered() {
		t.Fatalf("%+v", o)
	}
	if m := s.Messages(); len(m) != 1 || !m[0].TLS {
		t.Errorf("%+v", m)
	}
	r = newRelay(t, relay.Config{TLS: relay.TLSFingerprint, Implicit: true, Fingerprints: []relay.Fingerprint{{9}}}, s)
	if o := r.Deliver(t.Context(), delivery(body))[0]; o.Reply.Enhanced != "4.7.5" {
		t.Errorf("another certificate: %+v", o)
	}
}
