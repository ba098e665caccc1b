package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/build"
	"sluice/config"
	"sluice/deliver/relay"
	"sluice/directory"
)

// hop is a next hop and who uses it.
type hop struct {
	use    string
	domain config.Domain
}

// hops are all next hops, each once.
func (x *examiner) hops() (out []hop) {
	at := map[string]int{}
	add := func(use string, d config.Domain) {
		k := fmt.Sprint(d.Relay, d.TLS, d.Fingerprints, d.User, d.PasswordFile)
		if i, there := at[k]; there {
			if !strings.HasSuffix(out[i].use, ", …") {
				out[i].use += ", …"
			}
			return
		}
		at[k] = len(out)
		out = append(out, hop{use, d})
	}
	for _, d := range x.cfg.Domains {
		add(d.Names[0], d)
	}
	if s := x.cfg.Submission; len(s.Relay) > 0 {
		add("what users send", config.Domain{Relay: s.Relay, TLS: s.TLS, User: s.User, PasswordFile: s.PasswordFile})
	}
	if r := x.cfg.Reports; r.Relay.Kind != "" {
		add("reports", config.Domain{Relay: []config.Route{r.Relay}, TLS: r.TLS, User: r.User, PasswordFile: r.PasswordFile})
	}
	return out
}

// contacter is a next hop that can be looked at.
type contacter interface {
	Contact(ctx context.Context) []relay.Contact
	Close() error
}

// hop looks at where mail goes next.
func (x *examiner) hop(h hop) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		if h.domain.Relay[0].Kind == "maildir" {
			return maildir(h.domain.Relay[0].Target)
		}
		d, err := build.Deliverer(x.cfg, h.domain)
		if err != nil {
			return one(Bad, err.Error(), "sluice serve stops at this; correct the domain's settings")
		}
		c, isHop := d.(contacter)
		if !isHop {
			return one(Warn, "it can't be looked at", "send a message through it")
		}
		defer c.Close()
		return contacts(c.Contact(ctx), h.domain.Relay[0].Kind, h.domain.TLS.Mode)
	}
}

// contacts says how hosts answered.
func contacts(list []relay.Contact, protocol, mode string) (out []Finding) {
	for _, c := range list {
		f := Finding{Level: OK, Text: fmt.Sprintf("%s %s answers in %s", protocol, c.Host, took(c.Took))}
		switch {
		case c.Err != nil:
			f.Level, f.Text, f.Fix = Bad, strings.TrimPrefix(c.Err.Error(), "relay: "), "look whether it runs, may be reached from here and takes this host for a client"
			if strings.Contains(f.Text, "STARTTLS") || strings.Contains(f.Text, "TLS:") {
				f.Fix = "give it a certificate that verifies, or set tls for it (none, may, verify, fingerprint)"
			}
			if len(list) > 1 {
				f.Level = Warn // the others may do
			}
		case c.NoTLS != nil:
			f.Level, f.Text, f.Fix = Warn, "mail goes in clear text: "+strings.TrimPrefix(c.NoTLS.Error(), "relay: "), `repair its TLS, or say tls = "none"`
		case c.TLS != "":
			f.Text += " with " + c.TLS
			if mode == "" || mode == "may" {
				f.Text += ", not verified"
			}
		case !local(c.Host) && mode != "none":
			f.Level, f.Text, f.Fix = Warn, f.Text+" and offers no TLS: mail crosses the network in clear text", `let it offer STARTTLS, or say tls = "none" where the network is yours`
		default:
			f.Text += " in clear text"
		}
		out = append(out, f)
	}
	if len(list) > 1 && !slices.ContainsFunc(list, func(c relay.Contact) bool { return c.Err == nil }) {
		for i := range out {
			out[i].Level = Bad // none of them does
		}
	}
	return out
}

func took(d time.Duration) string {
	if d < time.Millisecond {
		return "under 1 ms"
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// local says whether a host is this machine.
func local(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // a socket
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// maildir looks whether messages can be put into a Maildir, or the folder be made.
func maildir(dir string) []Finding {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return one(Bad, dir+" is no folder", "choose another for maildir:")
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err != nil && at != filepath.Dir(at) {
			continue
		}
		if err := unix.Access(at, unix.W_OK|unix.X_OK); err != nil {
			return one(Bad, at+" can't be written", "give it to the daemon's user")
		}
		if at != dir {
			return ok("maildir " + dir + " isn't there yet; sluice serve makes it")
		}
		for _, sub := range []string{"tmp", "new", "cur"} {
			if err := unix.Access(filepath.Join(dir, sub), unix.W_OK|unix.X_OK); err != nil && err != unix.ENOENT {
				return one(Bad, filepath.Join(dir, sub)+" can't be written", "give it to the daemon's user")
			}
		}
		return ok("maildir " + dir + " can be written")
	}
}

// login looks at a server that knows the users' passwords, and sends none.
func (x *examiner) login(server string) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		u, err := url.Parse(server)
		if err != nil {
			return one(Bad, err.Error(), "want smtp://HOST:PORT or smtps://HOST:PORT")
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
		}
		mode := map[string]relay.TLSMode{"may": relay.TLSMay, "none": relay.TLSNone}
		c := relay.Config{Hosts: []string{net.JoinHostPort(u.Hostname(), port)}, Hello: x.cfg.Hostname, Implicit: u.Scheme == "smtps",
			TLS: relay.TLSVerify, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
		if m, there := mode[x.cfg.Submission.LoginTLS]; there {
			c.TLS = m
		}
		r, err := relay.New(c)
		if err != nil {
			return one(Bad, err.Error(), "correct submission.login")
		}
		defer r.Close()
		return contacts(r.Contact(ctx), u.Scheme, x.cfg.Submission.LoginTLS)
	}
}

// mailboxes asks every domain's directory for a mailbox that can't exist, and says
// how the sources did.
func (x *examiner) mailboxes(ctx context.Context) (out []Finding) {
	dir := x.port.Directory()
	if dir == nil {
		for _, d := range x.cfg.Domains {
			if len(d.Recipients) > 0 {
				return one(Bad, "nobody is asked", "see above")
			}
		}
		return ok("no directory is configured: the next hop decides")
	}
	for _, d := range x.cfg.Domains {
		if len(d.Recipients) > 0 {
			// What is wrong with an answer is in the sources' health.
			_, _ = dir.Lookup(ctx, "sluice-doctor-"+strings.ToLower(rand.Text())+"@"+d.Names[0])
		}
	}
	for _, h := range dir.Health() {
		out = append(out, source(h))
	}
	return out
}

func source(h directory.Health) Finding {
	f := Finding{What: h.Source, Level: OK, Text: "answers, for " + strings.Join(h.Domains, ", ")}
	switch {
	case h.State == directory.Failing || h.State == directory.Down:
		f.Level, f.Text, f.Fix = Bad, "doesn't answer: "+h.Trouble, "until it does, mail for unknown mailboxes is taken (or deferred with defer_unlisted)"
	case h.Trouble != "":
		f.Level, f.Text, f.Fix = Warn, h.Trouble, "use another kind of directory for its domains, or repair this one"
	case h.Present > 0:
		f.Level, f.Text, f.Fix = Warn, "knows a mailbox that was made up: it takes every address", "leave out the @domain entry, or the catch-all, if mail to unknown mailboxes should be refused"
	case h.State == directory.Untried:
		f.Level, f.Text, f.Fix = Warn, "wasn't asked: the sources before it, or the time, ended the question", "look at the other sources of its domains"
	}
	return f
}
