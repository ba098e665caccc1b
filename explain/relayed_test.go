package explain

import (
	"testing"

	"sluice"
	"sluice/reason"
)

// A next hop's refusal is passed on by the reason that the page tells of, and with a
// code of our own where it finds fault with us.
func TestRelayedReason(t *testing.T) {
	for _, tt := range []struct {
		code     int
		enhanced string
		why      sluice.Reason
		out      int
	}{
		{550, "5.1.1", reason.BackendRejected, 550},
		{552, "", reason.BackendRejected, 552},
		{451, "4.2.1", reason.BackendDeferred, 451},
		{421, "4.3.2", reason.BackendBusy, 451},
		{451, "4.4.1", reason.BackendDown, 451},
		{550, "4.4.1", reason.BackendRejected, 550}, // class and code contradict each other
		{553, "5.6.7", reason.NoSMTPUTF8Route, 553},
		{503, "5.5.1", reason.BackendGarbage, 451},
		{530, "5.7.0", reason.BackendGarbage, 451},
		{250, "2.0.0", reason.BackendGarbage, 451},
		{0, "", reason.BackendGarbage, 451},
	} {
		if why, code := RelayedReason(sluice.Reply{Code: tt.code, Enhanced: tt.enhanced}); why != tt.why || code != tt.out {
			t.Errorf("%d %s: %s with %d, want %s with %d", tt.code, tt.enhanced, why, code, tt.why, tt.out)
		}
	}
}

func TestWithoutAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"<bob@a.example>: user unknown":      "<address>: user unknown",
		"no mailbox (bob@a.example).":        "no mailbox <address>.",
		"full\r\n  for bob@a.example, later": "full for <address>, later",
		"at @ sign":                          "at <address> sign",
		"plain":                              "plain",
	} {
		if got := withoutAddresses(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}
