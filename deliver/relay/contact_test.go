package relay_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/deliver/delivertest"
	"sluice/deliver/relay"
)

func TestContact(t *testing.T) {
	cert, pool := certificate(t, "back.example")
	offered := &tls.Config{Certificates: []tls.Certificate{cert}}
	trust := &tls.Config{RootCAs: pool, ServerName: "back.example", MinVersion: tls.VersionTLS12}
	garbage := &delivertest.Fault{Raw: "220 Go\r\n\x00garbage, not TLS at all\r\n", Close: true}
	for _, tt := range []struct {
		name   string
		mode   relay.TLSMode
		server *tls.Config
		fault  *delivertest.Fault
		want   string // TLS, Err, NoTLS
	}{
		{"clear", relay.TLSMay, nil, nil, "//"},
		{"none wanted", relay.TLSNone, offered, nil, "//"},
		{"may", relay.TLSMay, offered, nil, "TLS 1.3//"},
		{"may, broken", relay.TLSMay, offered, garbage, "//STARTTLS"},
		{"verified", relay.TLSVerify, offered, nil, "TLS 1.3//"},
		{"not offered", relay.TLSVerify, nil, nil, "/STARTTLS is required and not offered/"},
		{"verified, broken", relay.TLSVerify, offered, garbage, "/STARTTLS/"},
	} {
		srv := delivertest.NewServer(t, delivertest.Script{TLS: tt.server})
		if tt.fault != nil {
			srv.SetFault(delivertest.StartTLS, *tt.fault)
		}
		cfg := relay.Config{Hosts: []string{srv.Addr}, Hello: "mx.example", TLS: tt.mode, TLSConfig: trust}
		if tt.mode == relay.TLSVerify {
			cfg.Login = &relay.Login{User: "u", Password: "secret"} // which is never sent
		}
		r, err := relay.New(cfg)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		got := r.Contact(t.Context())
		want := strings.Split(tt.want, "/")
		if len(got) != 1 || got[0].Host != srv.Addr || got[0].TLS != want[0] || !says(got[0].Err, want[1]) || !says(got[0].NoTLS, want[2]) || got[0].Took <= 0 {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		srv.Close()
		for _, c := range srv.Commands() {
			if verb, _, _ := strings.Cut(c, " "); verb != "EHLO" && verb != "STARTTLS" && verb != "QUIT" {
				t.Errorf("%s: %q was sent", tt.name, c)
			}
		}
	}
}

func says(err error, what string) bool {
	return what == "" && err == nil || what != "" && err != nil && strings.Contains(err.Error(), what)
}

// TestContactDown looks at every host, whatever the first one does.
func TestContactDown(t *testing.T) {
	up := delivertest.NewServer(t, delivertest.Script{})
	silent := delivertest.NewServer(t, delivertest.Script{})
	silent.SetFault(delivertest.Greeting, delivertest.Fault{Hang: true})
	r, err := relay.New(relay.Config{Hosts: []string{"127.0.0.1:1", silent.Addr, up.Addr}, Hello: "mx.example"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var got []string
	for _, c := range r.Contact(ctx) {
		got = append(got, fmt.Sprint(c.Err == nil))
	}
	if d := cmp.Diff([]string{"false", "false", "true"}, got); d != "" {
		t.Error(d)
	}
}
