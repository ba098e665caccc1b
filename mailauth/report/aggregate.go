package report

import (
	"net/netip"
	"time"
)

// Namespace of aggregate reports in the form of RFC 9990.
const Namespace = "urn:ietf:params:xml:ns:dmarc-2.0"

// Aggregate is a DMARC aggregate report. Words of fixed sets are in lower case,
// and "" where a report doesn't give them or gives another word.
type Aggregate struct {
	Namespace    string // "" in the older form
	Version      string
	Org          string
	Email        string
	ExtraContact string
	ID           string
	Begin, End   time.Time // UTC; zero where not given
	Errors       []string  // what the sender had trouble with
	Generator    string
	Policy       Published
	Records      []Record
	Problems     []string // what was read over here
}

// Published is the policy that the reporter found.
type Published struct {
	Domain      string
	P, SP, NP   string // none, quarantine, reject
	ADKIM, ASPF string // r, s
	FO          string
	Testing     string // y, n
	Discovery   string // psl, treewalk
	Percent     string // pct, of the older form
}

// Record counts messages with the same source, identities and results.
type Record struct {
	Source       netip.Addr // invalid where the report has none that can be read
	Count        int
	Disposition  string // none, pass, quarantine, reject
	DKIM, SPF    string // pass, fail: aligned and authenticated
	Overrides    []Override
	HeaderFrom   string
	EnvelopeFrom string
	EnvelopeTo   string
	AuthDKIM     []AuthDKIM
	AuthSPF      []AuthSPF
}

// Override says why the disposition isn't the published policy.
type Override struct {
	Type    string // local_policy, mailing_list, other, policy_test_mode, trusted_forwarder; forwarded and sampled_out of the older form
	Comment string
}

// AuthDKIM is one signature's result.
type AuthDKIM struct {
	Domain, Selector string
	Result           string // RFC 8601 2.7.1
	Human            string
}

// AuthSPF is SPF's result.
type AuthSPF struct {
	Domain string
	Scope  string // mfrom; helo in the older form
	Result string // RFC 8601 2.7.2
	Human  string
}

// Words of the fixed sets (RFC 9990, appendix A; RFC 7489, appendix C).
var (
	policies         = words("none", "quarantine", "reject")
	dispositions     = words("none", "pass", "quarantine", "reject")
	alignments       = words("r", "s")
	yesNo            = words("y", "n")
	outcomes         = words("pass", "fail")
	discoveries      = words("psl", "treewalk")
	overrides        = words("forwarded", "sampled_out", "local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder")
	currentOverrides = words("local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder")
	scopes           = words("mfrom", "helo")
	dkimResults      = words("none", "pass", "fail", "policy", "neutral", "temperror", "permerror")
	spfResults       = words("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")
)

// older are words that reporters used before the sets were fixed.
var older = map[string]string{"hardfail": "fail", "unknown": "temperror", "error": "permerror", "invalid": "permerror"}

func words(list ...string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, w := range list {
		m[w] = true
	}
	return m
}

// Total is the number of messages that the report speaks of.
func (a *Aggregate) Total() int {
	n := 0
	for i := range a.Records {
		n += a.Records[i].Count
	}
	return n
}
