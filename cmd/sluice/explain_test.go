package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestExplainReply asks for what another server answered: no configuration and no
// log are needed.
func TestExplainReply(t *testing.T) {
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"explain", "550 5.1.1 user unknown"}, strings.NewReader(""), &out, &errs)
	if code != 0 || !strings.Contains(out.String(), "there is no such mailbox") {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
}
