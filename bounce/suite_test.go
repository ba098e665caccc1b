package bounce

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/golden"
	"sluice/internal/shared"
	"sluice/reply"
)

// suite lists the files of one folder of the published collection.
func suite(t *testing.T, folder ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared.Dir(t, append([]string{"suites", "bounces-sisimai"}, folder...)...), "*.eml"))
	if err != nil || len(files) == 0 {
		t.Skipf("no files in %v", folder)
	}
	return files
}

func load(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// known reads the names of files that are read wrongly, and why.
func known(t *testing.T, list string) map[string]bool {
	t.Helper()
	m := map[string]bool{}
	for l := range strings.SplitSeq(string(load(t, filepath.Join("testdata", list))), "\n") {
		if l != "" && l[0] != '#' {
			m[strings.Fields(l)[0]] = true
		}
	}
	return m
}

// TestSuite reads every notice of the collection. What comes out is compared with
// what came out before, so that a change of a phrase shows all that it changes.
func TestSuite(t *testing.T) {
	var out bytes.Buffer
	for _, f := range suite(t, "maildir", "bsd") {
		b := Parse(load(t, f), Config{})
		fmt.Fprintf(&out, "%s %s %s", strings.TrimSuffix(filepath.Base(f), ".eml"), b.Kind, b.Format)
		for _, r := range b.Recipients {
			class := string(r.Answer.Likely)
			if r.Answer.Class == reply.Conflict {
				class += "!"
			}
			fmt.Fprintf(&out, " | %s %s %s %s", r.Action, r.Status, class, r.Command)
		}
		out.WriteByte('\n')
	}
	golden.Check(t, "testdata/sisimai.golden", []byte(strings.ReplaceAll(out.String(), " \n", "\n")))
}

// TestKinds has each file of the collection read as what its name says.
func TestKinds(t *testing.T) {
	bad := known(t, "known_failures.txt")
	for _, f := range suite(t, "maildir", "bsd") {
		name := filepath.Base(f)
		b := Parse(load(t, f), Config{})
		ok := len(b.Recipients) > 0 && slices.Contains([]Kind{Failure, Delay, Success}, b.Kind)
		switch {
		case strings.HasPrefix(name, "arf-"):
			ok = b.Kind == Feedback
		case strings.HasPrefix(name, "rfc3834-"):
			ok = b.Kind == AutoReply
		}
		report(t, bad, "kind:"+name, ok, string(b.Kind))
	}
	for _, f := range suite(t, "maildir", "not") {
		b := Parse(load(t, f), Config{})
		report(t, bad, "kind:"+filepath.Base(f), b.Kind == None || b.Kind == AutoReply, string(b.Kind))
	}
	stale(t, bad, "kind:")
}

// programs are what the collection's files are named by, where that is a program whose
// notices tell it; machine-readable notices need not.
var programs = map[string]string{"postfix": "postfix", "sendmail": "sendmail", "v5sendmail": "sendmail", "exim": "exim", "qmail": "qmail", "gmail": "gmail",
	"exchange2003": "exchange", "exchange2007": "exchange", "office365": "exchange", "opensmtpd": "opensmtpd", "courier": "courier", "dragonfly": "dragonfly",
	"amazonses": "amazonses", "amazonworkmail": "amazonses", "domino": "domino", "yahoo": "yahoo", "mfilter": "m-filter"}

// TestNames compares the program that a notice looks like with the one that its file is
// named by: the only labels that lie with the collection, beside its folders. The share
// may only rise.
func TestNames(t *testing.T) {
	const least = 0.96
	all, right := 0, 0
	for _, f := range suite(t, "maildir", "bsd") {
		name, ok := strings.CutPrefix(filepath.Base(f), "lhost-")
		program, _, _ := strings.Cut(name, "-")
		want := programs[program]
		if !ok || want == "" {
			continue
		}
		switch got := Parse(load(t, f), Config{}).Format; got {
		case "dsn":
		case want:
			all, right = all+1, right+1
		default:
			all++
			t.Logf("%s looks like %q", filepath.Base(f), got)
		}
	}
	t.Logf("the program of %d of %d notices", right, all)
	if all < 100 || float64(right) < least*float64(all) {
		t.Errorf("%d of %d, want a share of %v", right, all, least)
	}
}

// report fails for a failure that isn't known, and for a known one that is none
// any more: the list may only shrink.
func report(t *testing.T, bad map[string]bool, name string, ok bool, got string) {
	t.Helper()
	switch {
	case !ok && !bad[name]:
		t.Errorf("%s: got %s", name, got)
	case ok && bad[name]:
		t.Errorf("%s is read rightly now: take it off the list", name)
	}
	delete(bad, name)
}

func stale(t *testing.T, bad map[string]bool, prefix string) {
	t.Helper()
	for name := range bad {
		if strings.HasPrefix(name, prefix) {
			t.Errorf("%s is on the list, but not in the collection", name)
		}
	}
}

// TestLineEnds has the same notices read the same with CRLF and with bare CR.
func TestLineEnds(t *testing.T) {
	for _, other := range []string{"dos", "mac"} {
		for _, f := range suite(t, "maildir", other) {
			twin := filepath.Join(filepath.Dir(filepath.Dir(f)), "bsd", filepath.Base(f))
			raw := load(t, f)
			want, err := os.ReadFile(twin)
			if err != nil || !bytes.Equal(bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n")), want) {
				if b := Parse(raw, Config{}); b.Kind == None {
					t.Errorf("%s/%s is read as nothing", other, filepath.Base(f))
				}
				continue
			}
			if diff := cmp.Diff(summary(Parse(want, Config{})), summary(Parse(raw, Config{}))); diff != "" {
				t.Errorf("%s/%s (-LF +other):\n%s", other, filepath.Base(f), diff)
			}
		}
	}
}

func summary(b *Bounce) (out []string) {
	out = append(out, string(b.Kind), b.Original.MessageID)
	for _, r := range b.Recipients {
		out = append(out, r.Address+" "+r.Action+" "+r.Status+" "+string(r.Answer.Likely)+" "+r.Command)
	}
	return out
}

// TestOthers reads what else lies in the collection: none may be taken for
// personal mail.
func TestOthers(t *testing.T) {
	bad := known(t, "known_failures.txt")
	for _, f := range suite(t, "maildir", "err") {
		b := Parse(load(t, f), Config{})
		report(t, bad, "err:"+filepath.Base(f), b.Kind != None, string(b.Kind))
	}
	stale(t, bad, "err:")
}

// TestText compares two readings of the same notices: by the machine's part, and
// by the text alone. Neither knows of the other, so that one is the oracle of the
// other. The figures may only rise.
func TestText(t *testing.T) {
	const minAddresses, minStatus, minClass = 0.94, 0.95, 0.92
	var all, address, digits, digit, named, class int
	for _, f := range suite(t, "maildir", "bsd") {
		raw := load(t, f)
		with := Parse(raw, Config{})
		if !bytes.Contains(raw, []byte("delivery-status\n")) || len(with.Recipients) == 0 || with.Kind == Success {
			continue
		}
		without := Parse(bytes.ReplaceAll(raw, []byte("message/delivery-status"), []byte("application/x-nothing")), Config{})
		for _, r := range with.Recipients {
			if !strings.Contains(r.Address, "@") || r.Action == "delivered" {
				continue
			}
			all++
			i := slices.IndexFunc(without.Recipients, func(o Recipient) bool {
				return strings.EqualFold(o.Address, r.Address) || r.Asked != "" && strings.EqualFold(o.Address, r.Asked)
			})
			if i < 0 {
				t.Logf("%s: %s not found by its text: %v", filepath.Base(f), r.Address, summary(without))
				continue
			}
			address++
			// A reporter that gave up on a 4xx tells by its text that it gave up.
			if (r.Action == "failed") == (r.Status[0] == '5') {
				digits++
				if without.Recipients[i].Status[0] == r.Status[0] {
					digit++
				}
			}
			if without.Recipients[i].Answer.Likely == reply.Unknown {
				continue // the text names no cause
			}
			named++
			if without.Recipients[i].Answer.Likely == r.Answer.Likely {
				class++
			}
		}
	}
	if all == 0 {
		t.Skip("no delivery status in the collection")
	}
	t.Logf("of %d recipients with a machine's part, the text alone finds %d, the right first digit for %d of %d, and the same class for %d of the %d whose cause it names", all, address, digit, digits, class, named)
	for _, f := range []struct {
		what   string
		n, all int
		min    float64
	}{{"addresses", address, all, minAddresses}, {"first digits", digit, digits, minStatus}, {"classes", class, named, minClass}} {
		if float64(f.n) < f.min*float64(f.all) {
			t.Errorf("%s: %d of %d", f.what, f.n, f.all)
		}
	}
}

// published maps the reasons of the collection's project to classes here; where
// its reason is wider, several.
var published = map[string][]reply.Class{
	"userunknown": {reply.UnknownUser}, "hostunknown": {reply.UnknownDomain}, "hasmoved": {reply.Moved}, "suspend": {reply.MailboxDisabled}, "mailboxfull": {reply.MailboxFull},
	"filtered":  {reply.RecipientRefuses, reply.UnknownUser, reply.Policy, reply.MailboxDisabled, reply.Unknown},
	"notaccept": {reply.NoMail, reply.Network, reply.UnknownDomain}, "suppressed": {reply.Suppressed},
	"blocked":       {reply.Reputation, reply.Listed, reply.ReverseDNS, reply.Hello, reply.SenderRefused, reply.Network, reply.RateLimited, reply.Policy},
	"badreputation": {reply.Reputation, reply.Listed}, "toomanyconn": {reply.RateLimited, reply.Capacity, reply.TooManyRecipients}, "ratelimited": {reply.RateLimited}, "speeding": {reply.RateLimited},
	"requireptr": {reply.ReverseDNS, reply.Hello}, "rejected": {reply.SenderRefused, reply.Authentication}, "authfailure": {reply.Authentication}, "norelaying": {reply.RelayDenied}, "spamdetected": {reply.Spam}, "virusdetected": {reply.Malware},
	"contenterror": {reply.Content, reply.Protocol, reply.Policy}, "notcompliantrfc": {reply.Content, reply.Protocol}, "emailtoolarge": {reply.TooLarge}, "mesgtoobig": {reply.TooLarge}, "exceedlimit": {reply.TooLarge, reply.MailboxFull},
	"policyviolation": {reply.Policy, reply.Authentication, reply.Spam, reply.Content}, "securityerror": {reply.Policy, reply.Login, reply.TLS, reply.Content, reply.Authentication}, "syntaxerror": {reply.Protocol},
	"systemerror": {reply.ReceiverError, reply.Loop, reply.Network, reply.Capacity}, "mailererror": {reply.ReceiverError}, "systemfull": {reply.Capacity}, "networkerror": {reply.Network, reply.Loop, reply.UnknownDomain, reply.Expired},
	"expired": {reply.Expired, reply.Network}, "onhold": {reply.Unknown, reply.Policy}, "undefined": {reply.Unknown}, "delivered": {reply.Accepted},
}

// TestPublished compares with the expectations that the collection's project
// publishes, where they lie beside the suites as bounces-sisimai-expected.tsv:
// file, index, status, code ("-" none), reason.
func TestPublished(t *testing.T) {
	table := os.Getenv("SLUICE_BOUNCES_EXPECTED")
	if table == "" {
		table = filepath.Join(shared.Dir(t, "suites"), "bounces-sisimai-expected.tsv")
	}
	b, err := os.ReadFile(table)
	if err != nil {
		t.Skip("no table of expectations beside the suites")
	}
	dir := shared.Dir(t, "suites", "bounces-sisimai", "maildir", "bsd")
	bad := known(t, "known_failures.txt")
	var n, class, code, status, statuses int
	for l := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		f := strings.Split(l, "\t")
		if l[0] == '#' || len(f) != 5 {
			continue
		}
		n++
		var r Recipient
		got := Parse(load(t, filepath.Join(dir, f[0])), Config{})
		var i int
		if _, err := fmt.Sscan(f[1], &i); err == nil && i >= 1 && i <= len(got.Recipients) {
			r = got.Recipients[i-1]
		}
		ok := slices.Contains(published[f[4]], r.Answer.Likely)
		if ok {
			class++
		}
		if f[3] == "-" && r.Answer.Code == 0 || f[3] == fmt.Sprint(r.Answer.Code) {
			code++
		}
		// Three digits behind the second dot are the project's own.
		if p := strings.Split(f[2], "."); len(p) == 3 && (len(p[2]) < 3 || p[1] == "7") {
			if statuses++; f[2] == r.Status {
				status++
			}
		}
		report(t, bad, "class:"+f[0]+"#"+f[1], ok, string(r.Answer.Likely)+" for "+f[4])
	}
	stale(t, bad, "class:")
	t.Logf("class %d/%d, code %d/%d, status %d/%d", class, n, code, n, status, statuses)
}
