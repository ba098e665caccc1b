package relay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
)

// certificate makes a self-signed one for name.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	cert, pool := certificate(t, "back.example")
	other, _ := certificate(t, "back.example")
	offered := &tls.Config{Certificates: []tls.Certificate{cert}}
	trust := &tls.Config{RootCAs: pool, ServerName: "back.example", MinVersion: tls.VersionTLS12}
	const clear, secure, fails = "clear", "secure", "fails"
	for _, tt := range []struct {
		name   string
		mode   relay.TLSMode
		server *tls.Config
		client *tls.Config
		fault  *delivertest.Fault
		want   string
	}{
		{"none", relay.TLSNone, offered, nil, nil, clear},
		{"may", relay.TLSMay, offered, nil, nil, secure},
		{"may, configured", relay.TLSMay, &tls.Config{Certificates: []tls.Certificate{other}}, trust, nil, secure},
		{"may, not offered", relay.TLSMay, nil, nil, nil, clear},
		{"may, refused", relay.TLSMay, offered, nil, &delivertest.Fault{Raw: "454 4.7.0 Not now\r\n"}, clear},
		{"may, broken", relay.TLSMay, offered, nil, &delivertest.Fault{Raw: "220 Go\r\n\x00garbage, not TLS at all\r\n", Close: true}, clear},
		{"may, injected", relay.TLSMay, offered, nil, &delivertest.Fault{Raw: "220 Go\r\n250-back.example\r\n250 8BITMIME\r\n", Hang: true}, clear},
		{"may, closed", relay.TLSMay, offered, nil, &delivertest.Fault{Raw: "220 Go\r\n", Close: true}, clear},
		{"may, hangs", relay.TLSMay, offered, nil, &delivertest.Fault{Hang: true}, clear},
		{"verify", relay.TLSVerify, offered, trust, nil, secure},
		{"verify, other certificate", relay.TLSVerify, &tls.Config{Certificates: []tls.Certificate{other}}, trust, nil, fails},
		{"verify, other name", relay.TLSVerify, offered, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil, fails},
		{"verify, not offered", relay.TLSVerify, nil, trust, nil, fails},
		{"verify, refused", relay.TLSVerify, offered, trust, &delivertest.Fault{Raw: "554 5.7.0 No\r\n"}, fails},
		{"verify, injected", relay.TLSVerify, offered, trust, &delivertest.Fault{Raw: "220 Go\r\n250 injected\r\n", Hang: true}, fails},
		{"verify, hangs", relay.TLSVerify, offered, trust, &delivertest.Fault{Hang: true}, fails},
		{"fingerprint", relay.TLSFingerprint, offered, nil, nil, secure},
		{"fingerprint, other certificate", relay.TLSFingerprint, &tls.Config{Certificates: []tls.Certificate{other}}, trust, nil, fails},
		{"fingerprint, not offered", relay.TLSFingerprint, nil, nil, nil, fails},
		{"fingerprint, refused", relay.TLSFingerprint, offered, nil, &delivertest.Fault{Raw: "454 4.7.0 Not now\r\n"}, fails},
		{"fingerprint, injected", relay.TLSFingerprint, offered, nil, &delivertest.Fault{Raw: "220 Go\r\n250 injected\r\n", Hang: true}, fails},
		{"verify, garbage", relay.TLSVerify, offered, trust, &delivertest.Fault{Raw: "!\r\n"}, fails},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			script := delivertest.Script{TLS: tt.server}
			cfg := relay.Config{TLS: tt.mode, TLSConfig: tt.client}
			if tt.mode == relay.TLSFingerprint {
				cfg.Fingerprints = []relay.Fingerprint{{1}, sha256.Sum256(cert.Certificate[0])}
			}
			if tt.fault != nil {
				script.Faults = map[delivertest.Step]delivertest.Fault{delivertest.StartTLS: *tt.fault}
				if tt.fault.Hang {
					cfg.CommandTimeout = 300 * time.Millisecond
				}
			}
			s := delivertest.NewServer(t, script)
			r := newRelay(t, cfg, s)
			for range 2 { // the second goes through the connection of the first
				o := r.Deliver(t.Context(), delivery(body))[0]
				if got := o.Delivered(); got != (tt.want != fails) {
					t.Errorf("%+v", o)
				}
				if tt.want == fails && o.Reply.Code != 451 {
					t.Errorf("reply %s", o.Reply)
				}
			}
			for _, m := range s.Messages() {
				if m.TLS != (tt.want == secure) {
					t.Errorf("through TLS: %v", m.TLS)
				}
			}
			if all, _ := s.Connections(); tt.want == secure && all != 1 {
				t.Errorf("%d connections", all)
			}
			if a := s.Abuse(); len(a) > 0 {
				t.Errorf("abuse: %q", a)
			}
			if tt.want == fails && strings.Contains(strings.Join(s.Commands(), "\n"), "MAIL") {
				t.Error("an address was sent in clear text")
			}
		})
	}
}

func TestTLSFaults(t *testing.T) {
	cert, pool := certificate(t, "back.example")
	for _, step := range []delivertest.Step{delivertest.Mail, delivertest.Data, delivertest.Dot} {
		for name, fault := range faults {
			if fault.Slow || proper[step] == name || fault.Hang {
				continue
			}
			t.Run(string(step)+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := delivertest.NewServer(t, delivertest.Script{TLS: &tls.Config{Certificates: []tls.Certificate{cert}},
					Faults: map[delivertest.Step]delivertest.Fault{step: fault}})
				r := newRelay(t, relay.Config{TLS: relay.TLSVerify, TLSConfig: &tls.Config{RootCAs: pool, ServerName: "back.example", MinVersion: tls.VersionTLS12}}, s)
				o := r.Deliver(t.Context(), delivery(body))[0]
				if o.Delivered() || len(s.Messages()) > 0 || !o.Reply.Temporary() && !strings.HasPrefix(fault.Raw, "5") {
					t.Errorf("%+v", o)
				}
			})
		}
	}
}
