package reports

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice"
	"sluice/dns"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/nullmx"
	"sluice/message/links"
	"sluice/smtp"
)

// Bounds on finding out where one report may go.
const (
	maxTo       = 4
	destLookups = 60
	destWait    = 20 * time.Second
)

// destinations finds the addresses that the domain's record names now, as far as
// they may get reports. None is no error: why says why. An error is temporary.
func (r *Reporter) destinations(ctx context.Context, domain string) (to []string, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, destWait)
	defer cancel()
	resolver := dns.Limited(r.cfg.Resolver, dns.NewBudget(destLookups, destWait))
	uris, err := r.wanted(ctx, resolver, domain)
	if err != nil {
		return nil, "", err
	}
	if len(uris) == 0 {
		return nil, "the domain asks for no reports any more", nil
	}
	var reasons []string
	for _, u := range uris {
		addr, ok := mailto(u)
		if !ok {
			reasons = append(reasons, "an address that isn't for mail")
			continue
		}
		if slices.Contains(to, addr) {
			continue
		}
		if len(to) == maxTo {
			break
		}
		switch no, err := r.refuses(ctx, resolver, domain, sluice.DomainOf(addr)); {
		case err != nil:
			return nil, "", err
		case no != "":
			reasons = append(reasons, no)
		default:
			to = append(to, addr)
		}
	}
	return to, strings.Join(reasons, "; "), nil
}

// wanted reads the reporting URIs of the record that domain publishes.
func (r *Reporter) wanted(ctx context.Context, resolver dns.Resolver, domain string) ([]string, error) {
	texts, err := dns.LookupTXT(ctx, resolver, "_dmarc."+domain)
	switch {
	case dns.NotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reports: %w", err)
	}
	var found []dmarc.Record
	for _, t := range texts {
		if rec, ok := dmarc.Parse(t); ok {
			found = append(found, rec)
		}
	}
	if len(found) != 1 { // RFC 9989 4.7: several are none
		return nil, nil
	}
	return found[0].Aggregate, nil
}

// mailto reads the address of a mailto URI (RFC 6068). Only a plain one is used:
// it goes into a header field and an envelope.
func mailto(uri string) (string, bool) {
	scheme, rest, _ := strings.Cut(uri, ":")
	if !smtp.EqualFold(scheme, "mailto") {
		return "", false
	}
	rest, _, _ = strings.Cut(rest, "?")
	addr, err := url.PathUnescape(rest)
	if err != nil || !printable(addr) || strings.ContainsAny(addr, `"(),:;<>[\]`) || strings.Count(addr, "@") != 1 || len(addr) > 254 {
		return "", false
	}
	if _, err := smtp.ParseAddress(addr); err != nil {
		return "", false
	}
	n := name(sluice.DomainOf(addr))
	if n == "" {
		return "", false
	}
	return sluice.LocalOf(addr) + "@" + n, true
}

// refuses says why dest may not get reports on mail of domain, "" where it may.
func (r *Reporter) refuses(ctx context.Context, resolver dns.Resolver, domain, dest string) (string, error) {
	// Within an organization nobody has to agree (RFC 9990 4). By the public
	// suffix list, private suffixes included: hosts of one provider's customers are
	// strangers to each other.
	if links.OrgDomain(domain) != links.OrgDomain(dest) {
		switch ok, err := dmarc.ReportsAllowed(ctx, resolver, domain, dest); {
		case err != nil:
			return "", fmt.Errorf("reports: %w", err)
		case !ok:
			return dest + " does not agree to get reports on " + domain, nil
		}
	}
	switch mx := nullmx.Sender(ctx, resolver, dest); mx.Answer {
	case nullmx.Hosts, nullmx.Address:
		return "", nil
	case nullmx.Unknown:
		return "", fmt.Errorf("reports: whether %s takes mail is unknown: %s", dest, mx.Problem)
	default:
		return dest + " takes no mail", nil
	}
}
