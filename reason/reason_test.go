package reason

import (
	"slices"
	"strings"
	"testing"
)

func TestLookup(t *testing.T) {
	e, ok := Lookup(TooManyRecipients)
	if !ok || e.ID != "TOO_MANY_RECIPIENTS" || e.Code != 452 || e.Enhanced != "4.5.3" {
		t.Errorf("Lookup(%s) = %+v, %v", TooManyRecipients, e, ok)
	}
	for _, id := range []string{"", "NO_SUCH_REASON", "ZZZZ", "too_many_recipients", TooManyRecipients + "X"} {
		if e, ok := Lookup(id); ok {
			t.Errorf("Lookup(%q) = %+v, want none", id, e)
		}
	}
	for _, e := range All() {
		if got, ok := Lookup(e.ID); !ok || got != e {
			t.Errorf("Lookup(%s) = %+v, %v", e.ID, got, ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Lookup(TooManyRecipients) }); n != 0 {
		t.Errorf("Lookup allocates %v times", n)
	}
}

func TestAllIsACopy(t *testing.T) {
	a := All()
	if !slices.IsSortedFunc(a, func(x, y Entry) int { return strings.Compare(x.ID, y.ID) }) {
		t.Error("All is not sorted")
	}
	a[0].ID = "CHANGED"
	if All()[0].ID == "CHANGED" {
		t.Error("All gives away the table")
	}
}

// TestAdvice holds promise 3: whatever refuses mail says why and what to do.
func TestAdvice(t *testing.T) {
	for _, e := range All() {
		if e.Page == "" || e.User == "" || e.Admin == "" || e.Source == "" || e.Weight == "" {
			t.Errorf("%s lacks words: %+v", e.ID, e)
		}
		if e.Code == 0 {
			continue
		}
		if e.Reply == "" || e.Fix == "" {
			t.Errorf("%s: code %d without words and advice", e.ID, e.Code)
		}
		if int(e.Enhanced[0]-'0') != e.Code/100 {
			t.Errorf("%s: %d and %s disagree", e.ID, e.Code, e.Enhanced)
		}
	}
}

// TestOurTroubleIsTemporary holds promise 2: never 5xx for our own trouble.
func TestOurTroubleIsTemporary(t *testing.T) {
	for _, id := range []string{InternalPanic, ScanTimeout, LocalError, OutOfMemoryBudget, DiskFull, QuarantineFailed, CheckIncomplete, CheckRequired,
		BackendDown, BackendBusy, BackendLost, BackendGarbage, BackendTLS, BackendDeferred, ShuttingDown} {
		if e, ok := Lookup(id); !ok || e.Code/100 != 4 {
			t.Errorf("%s: code %d, want 4xx", id, e.Code)
		}
	}
}

// TestRetired: an id that was in a release stays with old records, so it is never given to
// something else.
func TestRetired(t *testing.T) {
	for _, id := range []string{"BACKEND_TIMEOUT", "BAD_RECIPIENT", "CLIENT_REFUSED", "NO_MAIL_HERE", "NO_ROUTE", "SERVER_BUSY", "TLS_REQUIRED",
		"TLS_UNAVAILABLE", "UNKNOWN_RECIPIENT"} {
		if e, ok := Lookup(id); ok {
			t.Errorf("%s is back: %+v", id, e)
		}
	}
}

func TestHash(t *testing.T) {
	if h := Hash(); len(h) != 16 || strings.Trim(h, "0123456789abcdef") != "" {
		t.Errorf("Hash() = %q", h)
	}
}
