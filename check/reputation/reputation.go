// Package reputation holds the checks that ask what came of earlier mail: of the
// client's address and network at connect, of its greeting at MAIL, of the
// authenticated sender domain once there is a message. They only read; outcomes are
// counted by whoever knows them, with the keys of [Keys].
package reputation

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/learn/network"
	"sluice/learn/reputation"
	"sluice/mailauth"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/message/links"
	"sluice/reason"
)

// Config gives the checks their memory.
type Config struct {
	Table    *reputation.Table // nil: nothing is remembered
	Networks *network.DB       // nil: operators are unknown
}

// Checks returns the checks of this folder.
func Checks(c Config) []check.Checker {
	out := []check.Checker{newReverseName()}
	if c.Table != nil {
		out = append(out, newClient(c), newHello(c), newDomain(c))
	}
	return out
}

// least is the fewest decibels that are worth a line of the ledger.
const least = 0.5

// pair are the two reasons that a kind of key may give.
type pair struct{ bad, good sluice.Reason }

var pairs = map[reputation.Kind]pair{
	reputation.Address: {reason.ReputationAddressBad, reason.ReputationAddressGood},
	reputation.Prefix:  {reason.ReputationPrefixBad, reason.ReputationPrefixGood},
	reputation.ASN:     {reason.ReputationAsnBad, reason.ReputationAsnGood},
	reputation.Helo:    {reason.ReputationHeloBad, reason.ReputationHeloGood},
	reputation.Domain:  {reason.ReputationDomainBad, reason.ReputationDomainGood},
}

// found turns a score into evidence, none where it says too little.
func found(in *check.Input, s reputation.Score, subject string) []sluice.Evidence {
	raw := math.Round(s.Decibel*10) / 10
	if math.Abs(raw) < least {
		return nil
	}
	id := pairs[s.Key.Kind].bad
	if raw < 0 {
		id = pairs[s.Key.Kind].good
	}
	e := check.Found(id, subject+": "+s.Words(in.Now))
	e.Raw = raw
	return []sluice.Evidence{e}
}

func reasons(kinds ...reputation.Kind) (out []sluice.Reason) {
	for _, k := range kinds {
		out = append(out, pairs[k].bad, pairs[k].good)
	}
	return out
}

// newClient knows the address, its neighbourhood and its operator.
func newClient(c Config) check.Checker {
	return check.Func(check.Info{
		Name: "reputation/client", Phase: sluice.PhaseConnect, Group: sluice.GroupReputation, Cost: check.Trivial,
		Reasons: reasons(reputation.Address, reputation.Prefix, reputation.ASN),
	}, func(in *check.Input) []sluice.Evidence {
		if !reputation.Judged(in.Conn) {
			return nil
		}
		a := in.Conn.Client.Addr()
		info, _ := c.Networks.Lookup(a)
		var out []sluice.Evidence
		for _, s := range c.Table.Trail(in.Now, reputation.AddressKey(a), reputation.PrefixKey(a), reputation.ASNKey(info.ASN)) {
			subject := s.Key.Text()
			if s.Key.Kind == reputation.ASN {
				subject = info.String()
			}
			out = append(out, found(in, s, subject)...)
		}
		return out
	})
}

// newHello knows the greeting. It waits for MAIL, since the DNS must say whether the
// name is the client's.
func newHello(c Config) check.Checker {
	return check.Ask(check.Info{
		Name: "reputation/hello", Phase: sluice.PhaseMail, Group: sluice.GroupReputation, Cost: check.Remote,
		Reasons: reasons(reputation.Helo),
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !reputation.Judged(in.Conn) || in.Conn.Hello.Name == "" {
			return nil
		}
		if in.Auth.Live() { // session/reverse and session/hello-spf ask the same
			in.Auth.Reverse(ctx)
			in.Auth.HELO(ctx, in.Now)
		}
		name := in.Conn.Hello.Name
		k := reputation.HeloKey(name, Confirmed(name, in.Auth.Known()))
		s := c.Table.Score(in.Now, k)
		if k.Unproven() {
			return found(in, s, strconv.Quote(strings.ToValidUTF8(name, "�"))+", which the DNS doesn't confirm")
		}
		return found(in, s, k.Text())
	})
}

// Confirmed says whether the DNS leads from the greeting to the client, or from the
// client to a host of the same owner that leads back. The name that a provider
// gives to every line of a pool confirms nothing but the line.
func Confirmed(hello string, k mailauth.Known) bool {
	if k.HELO != nil && k.HELO.Result == spf.Pass {
		return true
	}
	hello = strings.ToLower(strings.TrimSuffix(hello, "."))
	if k.Reverse == nil || hello == "" {
		return false
	}
	org := links.OrgDomain(hello)
	for _, name := range k.Reverse.Confirmed {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if name == hello || links.OrgDomain(name) == org && iprev.Classify(name, k.Reverse.IP).Kind == "" {
			return true
		}
	}
	return false
}

// newDomain knows the domain that has authenticated the message.
func newDomain(c Config) check.Checker {
	return check.Ask(check.Info{
		Name: "reputation/domain", Phase: sluice.PhaseMessage, Group: sluice.GroupReputation, Cost: check.Remote,
		Reasons: reasons(reputation.Domain),
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !reputation.Judged(in.Conn) || !in.Auth.InTransaction() {
			return nil
		}
		in.Auth.DMARC(ctx, in.Message, in.Now) // and with it SPF and DKIM
		domain, aligned := Authenticated(in.Auth.Known())
		s := c.Table.Score(in.Now, reputation.DomainKey(domain))
		if !aligned && s.Decibel < 0 {
			return nil // its good name isn't that of the author whom people read
		}
		return found(in, s, s.Key.Text())
	})
}

// Authenticated names the domain that answers for a message: the author's, where SPF
// or DKIM passed for it or its organization (aligned), else the first one that
// signed, else that of the reverse-path where SPF passed; "" where none did. It needs
// no DMARC record: most domains had a name before they had a policy.
func Authenticated(k mailauth.Known) (domain string, aligned bool) {
	if k.DMARC == nil {
		return "", false // not asked: nothing was authenticated
	}
	if k.DMARC.Value == dmarc.Pass && k.DMARC.Domain != "" {
		return k.DMARC.Domain, true
	}
	author := links.OrgDomain(k.DMARC.Domain)
	for _, d := range passed(k) {
		if author != "" && links.OrgDomain(d) == author {
			return d, true
		}
		if domain == "" {
			domain = d
		}
	}
	return domain, false
}

// passed lists the domains that authenticated, signers first. An upstream's word
// reaches us by the identifiers.
func passed(k mailauth.Known) (out []string) {
	for i := range k.DKIM {
		if k.DKIM[i].Status == dkim.Pass {
			out = append(out, k.DKIM[i].Domain)
		}
	}
	if k.SPF != nil && k.SPF.Result == spf.Pass && k.SPF.Identity == spf.MailFrom {
		out = append(out, k.SPF.Domain)
	}
	for _, id := range k.DMARC.Identifiers {
		if id.Result == "pass" {
			out = append(out, id.Domain)
		}
	}
	return slices.DeleteFunc(out, func(d string) bool { return d == "" })
}

// Keys lists what an outcome of a connection or message is remembered under: the
// same that the checks ask for, by what has been found out so far. It asks nobody.
// dialects name the client's way to speak at each stage that it reached.
func Keys(c *sluice.Conn, known mailauth.Known, networks *network.DB, dialects ...string) []reputation.Key {
	if !reputation.Judged(c) {
		return nil
	}
	info, _ := networks.Lookup(c.Client.Addr())
	f := reputation.Facts{ASN: info.ASN, HeloConfirmed: Confirmed(c.Hello.Name, known), Dialects: dialects}
	f.Domain, _ = Authenticated(known)
	return reputation.Keys(c, f)
}

// newReverseName compares the owner of the client's name in the reverse DNS with
// that of its greeting. Both must be names of the public DNS; where the greeting's
// SPF policy lets the client greet so, they may differ.
func newReverseName() check.Checker {
	return check.Ask(check.Info{
		Name: "reputation/reverse-name", Phase: sluice.PhaseMail, Group: sluice.GroupSession, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.HeloIprevMismatch},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		if !in.Auth.Live() || !check.Public(in.Conn.Client.Addr()) || in.Conn.Trusted || in.Conn.Auth != "" {
			return nil
		}
		hello := strings.ToLower(strings.TrimSuffix(in.Conn.Hello.Name, "."))
		r := in.Auth.Reverse(ctx)
		if r.Class != iprev.Confirmed || r.Generic.Kind != "" || !public(hello) || !public(r.Name) ||
			in.Auth.HELO(ctx, in.Now).Result == spf.Pass {
			return nil
		}
		org := links.OrgDomain(hello)
		for _, name := range r.Confirmed {
			if links.OrgDomain(name) == org {
				return nil
			}
		}
		return []sluice.Evidence{check.Found(reason.HeloIprevMismatch, strconv.Quote(hello)+" is not of "+links.OrgDomain(r.Name)+" ("+r.Name+")")}
	})
}

// public says whether a name is one of the public DNS: a host below a top-level
// domain that exists.
func public(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return strings.Contains(name, ".") && !strings.HasPrefix(name, "[") && domains.KnownTLD(name) && links.OrgDomain(name) != ""
}
