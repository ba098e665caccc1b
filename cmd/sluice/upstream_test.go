package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestTrustAuthres: the results of the named server count, anybody else's and
// those further down don't.
func TestTrustAuthres(t *testing.T) {
	const body = "From: Ann <ann@sender.com>\r\nTo: bob@example.org\r\nSubject: minutes\r\nDate: Tue, 24 Nov 2026 05:00:00 +0000\r\nMessage-ID: <1@sender.com>\r\n\r\nThe minutes are on the wiki.\r\n"
	const good = "Authentication-Results: mx.border.example; spf=pass smtp.mailfrom=ann@sender.com;\r\n dkim=pass header.d=sender.com header.s=s1; dmarc=pass header.from=sender.com\r\n"
	const bad = "Authentication-Results: mx.border.example; spf=fail smtp.mailfrom=sender.com; dkim=fail header.d=sender.com; dmarc=fail header.from=sender.com policy.published-domain-policy=reject\r\n"
	const received = "Received: from a.example by mx.border.example; Tue, 24 Nov 2026 05:00:01 +0000\r\n"
	want := []string{"SPF_PASS", "DKIM_PASS_ALIGNED", "DMARC_PASS"}
	for _, tc := range []struct {
		name, message, id string
		want              []string
		action            string
	}{
		{"trusted", good + body, "mx.border.example", want, "accept"},
		{"another's word", good + body, "mx.other.example", nil, "accept"},
		{"nobody's word", good + body, "", nil, "accept"},
		{"forged below the border's own", bad + received + good + body, "mx.border.example", []string{"SPF_FAIL", "DMARC_FAIL_REJECT"}, "quarantine"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "m.eml")
			if err := os.WriteFile(file, []byte(tc.message), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"scan", "--json", "--data", t.TempDir(), "--from", "ann@sender.com", file}
			if tc.id != "" {
				args = append(args, "--trust-authres", tc.id)
			}
			var out, errs bytes.Buffer
			if code := run(t.Context(), args, nil, &out, &errs); code != 0 {
				t.Fatalf("status %d: %s", code, errs.String())
			}
			var r scanResult
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, e := range r.Evidence {
				found = append(found, e.ID)
			}
			for _, id := range []string{"SPF_PASS", "SPF_FAIL", "DKIM_PASS_ALIGNED", "DKIM_NONE", "DMARC_PASS", "DMARC_NONE", "DMARC_FAIL_REJECT"} {
				if slices.Contains(found, id) != slices.Contains(tc.want, id) {
					t.Errorf("%s: found %v, want of these %v", id, found, tc.want)
				}
			}
			if r.Verdict.Action != tc.action {
				t.Errorf("action %s, want %s", r.Verdict.Action, tc.action)
			}
		})
	}
}
