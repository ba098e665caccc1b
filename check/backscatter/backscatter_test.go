package backscatter_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice"
	"sluice/bounce"
	"sluice/check"
	"sluice/check/backscatter"
	"sluice/check/checktest"
	"sluice/trace"
)

const ann = "ann@example.net"

func keys(t *testing.T, b byte) *trace.Keys {
	t.Helper()
	k, err := trace.New(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// dsn is a notice that returns a header.
func dsn(action, returned string) string {
	return checktest.Mail("From: MAILER-DAEMON@mx.example.org\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
		"--b\n\nI'm sorry, your message could not be delivered.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"+
			"Final-Recipient: rfc822; bob@example.org\nAction: "+action+"\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n"+
			returned+"--b--\n")
}

func header(fields string) string {
	return "--b\nContent-Type: text/rfc822-headers\n\n" + fields
}

const plain = "Received: from x by y; Wed, 4 Mar 2026 10:00:00 +0000\nFrom: Ann <ann@example.net>\nTo: bob@example.org\nSubject: hello\nMessage-ID: <7@example.net>\n\n"

func traced(value string) string { return trace.Field + ": " + value + "\n" + plain }

func TestNotices(t *testing.T) {
	k := keys(t, 1)
	sent := checktest.Now.Add(-time.Hour).Truncate(time.Second)
	ours := k.Value("TX1", ann, sent)
	always := func(time.Time, string) bool { return true }
	never := func(time.Time, string) bool { return false }
	whole := strings.Replace(dsn("failed", header(traced(ours))), "text/rfc822-headers", "message/rfc822", 1)
	for name, c := range map[string]struct {
		raw    string
		traced func(time.Time, string) bool
		change func(*check.Input)
		want   string
	}{
		"ours":                        {dsn("failed", header(traced(ours))), never, nil, "BOUNCE_OURS"},
		"ours, whole":                 {whole, never, nil, "BOUNCE_OURS"},
		"ours, folded":                {dsn("failed", header(traced(strings.Replace(ours, "; h=", ";\n\th=", 1)))), always, nil, "BOUNCE_OURS"},
		"ours, delayed":               {dsn("delayed", header(traced(ours))), always, nil, "BOUNCE_OURS"},
		"ours, no other field":        {dsn("failed", header(trace.Field+": "+ours+"\n")), always, nil, "BOUNCE_OURS"},
		"not ours":                    {dsn("failed", header(plain)), always, nil, "BOUNCE_NOT_OURS"},
		"of a domain without traces":  {dsn("failed", header(plain)), never, nil, ""},
		"nobody knows of traces":      {dsn("failed", header(plain)), nil, nil, ""},
		"another site's trace":        {dsn("failed", header(traced(keys(t, 2).Value("TX1", ann, sent)))), always, nil, "BOUNCE_NOT_OURS"},
		"of another sender":           {dsn("failed", header(traced(k.Value("TX1", "eve@example.net", sent)))), always, nil, "BOUNCE_NOT_OURS"},
		"an old copy":                 {dsn("failed", header(traced(k.Value("TX1", ann, sent.Add(-trace.Lifetime))))), always, nil, ""},
		"of tomorrow":                 {dsn("failed", header(traced(k.Value("TX1", ann, sent.Add(48*time.Hour))))), always, nil, ""},
		"nothing came back":           {dsn("failed", ""), always, nil, ""},
		"little came back":            {dsn("failed", header("Subject: hello\n")), always, nil, ""},
		"the trace of the notice":     {strings.Replace(dsn("failed", header(plain)), "Auto-Submitted", trace.Field+": "+ours+"\nAuto-Submitted", 1), always, nil, "BOUNCE_NOT_OURS"},
		"no notice":                   {checktest.Mail("", "hello\n"), always, nil, ""},
		"no notice, with our trace":   {checktest.Mail(trace.Field+": "+ours+"\n", "hello\n"), always, nil, ""},
		"a vacation":                  {checktest.Mail("Auto-Submitted: auto-replied\nSubject: Out of office\n", "I am away.\n"), always, nil, ""},
		"from a sender":               {dsn("failed", header(plain)), always, func(in *check.Input) { in.Envelope.From = "x@example.org" }, ""},
		"for several":                 {dsn("failed", header(plain)), always, func(in *check.Input) { in.Envelope.Rcpts = append(in.Envelope.Rcpts, in.Envelope.Rcpts[0]) }, ""},
		"a user's":                    {dsn("failed", header(plain)), always, func(in *check.Input) { in.Conn.Auth = "ann" }, ""},
		"read from a file":            {dsn("failed", header(plain)), always, func(in *check.Input) { in.Conn.Stored = true }, ""},
		"our domain's, by its domain": {dsn("failed", header(plain)), func(_ time.Time, from string) bool { return from == ann }, nil, "BOUNCE_NOT_OURS"},
	} {
		in := checktest.Input(c.raw)
		in.Envelope.From, in.Notes = "", new(check.Notes)
		if c.change != nil {
			c.change(in)
		}
		got := strings.Join(checktest.Reasons(checktest.Run(t, backscatter.Checks(backscatter.Config{Keys: k, Traced: c.traced}), in)), " ")
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if n := len(backscatter.Checks(backscatter.Config{})); n != 0 {
		t.Errorf("%d checks without a key", n)
	}
}

// TestSeen: who relayed the mail is told of it.
func TestSeen(t *testing.T) {
	k := keys(t, 1)
	sent := checktest.Now.Add(-time.Hour).Truncate(time.Second)
	in := checktest.Input(dsn("failed", header(traced(k.Value("TX1", ann, sent)))))
	in.Envelope.From, in.Notes = "", new(check.Notes)
	checktest.Run(t, backscatter.Checks(backscatter.Config{Keys: k}), in)
	s, ok := check.Noted[*backscatter.Seen](in.Notes)
	if !ok || s.Kind != bounce.Failure {
		t.Fatalf("%+v, %v", s, ok)
	}
	got, ok := s.Returned("NOTICE", checktest.Now)
	want := sluice.Returned{ID: "TX1", Sent: sent, To: ann, Failed: 1, Notice: "NOTICE", At: checktest.Now}
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Errorf("%v (-want +got):\n%s", ok, d)
	}
	if _, ok := (&backscatter.Seen{None: true}).Returned("NOTICE", checktest.Now); ok {
		t.Error("told of mail that isn't ours")
	}
}
