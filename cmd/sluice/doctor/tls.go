package doctor

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/certs"
)

// certificate looks at what the doors show.
func (x *examiner) certificate(ctx context.Context) []Finding {
	list, err := certs.Look(ctx, x.certs)
	if err != nil {
		return one(Bad, strings.TrimPrefix(err.Error(), "certs: "), "sluice serve stops at this; correct tls.cert and tls.key")
	}
	var out []Finding
	for _, i := range list {
		out = append(out, x.cert(i))
	}
	if !slices.ContainsFunc(list, func(i certs.Info) bool { return i.Serial != "" }) {
		out = append(out, Finding{Level: Warn, Text: "there is no certificate yet: unless sluice serve makes one, mail and passwords come in clear text",
			Fix: "set cert and key in [tls]"})
	} else if !slices.ContainsFunc(list, func(i certs.Info) bool { return covers(i.Names, x.cfg.Hostname) }) {
		out = append(out, Finding{Level: Warn, Text: "no certificate is for " + x.cfg.Hostname + ", the name in our greeting: senders that verify it turn away", Fix: "get one for that name, or set hostname to the certificate's"})
	}
	if x.certs.Key != "" {
		out = append(out, keyFile(x.certs.Key))
	}
	return out
}

func (x *examiner) cert(i certs.Info) Finding {
	f := Finding{What: strings.Join(i.Names, ", "), Level: OK}
	left := int(i.NotAfter.Sub(x.m.now()) / (24 * time.Hour))
	f.Text = fmt.Sprintf("%s, by %s, %s left", i.Source, i.Issuer, count(left, "day"))
	switch {
	case i.Serial == "":
		f.Level, f.Text, f.Fix = Warn, i.Source+": "+i.Problem, "start sluice serve and look at its log; port 80 must reach it"
	case i.Problem != "" && !i.NotAfter.After(x.m.now()):
		f.Level, f.Text, f.Fix = Bad, i.Source+": "+i.Problem, "renew it"
	case i.Problem != "":
		f.Level, f.Text, f.Fix = Warn, i.Source+": "+i.Problem, "renew it"
	case i.Source == certs.FromSelf:
		f.Level, f.Fix = Warn, "set cert and key in [tls]: senders that verify (MTA-STS) and mail programs turn away from a certificate that nobody vouches for"
	}
	return f
}

// covers says whether a certificate for these names may stand for a host.
func covers(names []string, host string) bool {
	return (&x509.Certificate{DNSNames: names}).VerifyHostname(host) == nil
}

// keyFile looks who may read the key.
func keyFile(path string) Finding {
	st, err := os.Stat(path)
	if err != nil {
		return Finding{What: path, Level: Bad, Text: err.Error(), Fix: "make it readable for the daemon's user"}
	}
	f := Finding{What: path, Level: OK, Text: fmt.Sprintf("the key is its owner's alone (mode %04o)", st.Mode().Perm())}
	switch mode := st.Mode().Perm(); {
	case mode&0o007 != 0:
		f.Level, f.Text, f.Fix = Bad, fmt.Sprintf("everybody on this machine may read the key (mode %04o)", mode), "chmod 600 "+path
	case mode&0o070 != 0:
		f.Level, f.Text, f.Fix = Warn, fmt.Sprintf("a group may read the key (mode %04o)", mode), "chmod 600 "+path+", unless the group is the daemon's alone"
	}
	return f
}
