package reason

import (
	"slices"
	"testing"
)

// untranslated is how many reasons that can lead a reply have no words in a language
// other than English; the page shows those in English and says so. The numbers may only
// shrink, but for new reasons.
var untranslated = map[string]int{"de": mostUntranslated, "es": mostUntranslated, "fr": mostUntranslated}

const mostUntranslated = 320

// common are those that senders meet most: they are translated.
var common = []string{
	AuthFailed, BackendDeferred, BackendDown, BackendRejected, ClientBanned, ConnectionRate, DKIMFail, DKIMNone, DMARCFailNone, DMARCFailQuarantine,
	DMARCFailReject, DNSBLBlocked, DNSBLListed, ExecutableContent, FileRefused, Greylisted, HeloNoFQDN, IprevNone, LocalError, MessageTooBig,
	RecipientUnknown, RelayDenied, SenderDomainNxdomain, SPFFail, SPFSoftfail, TextSpam, Unwanted,
}

func TestTranslations(t *testing.T) {
	if got := Languages(); !slices.Equal(got, []string{"de", "es", "fr"}) {
		t.Fatalf("languages %v", got)
	}
	for _, lang := range Languages() {
		missing := 0
		for _, e := range All() {
			w, ok := In(lang, e.ID)
			switch {
			case e.Code != 0 && !ok:
				missing++
			case ok && (w.ID != e.ID || w.Page == "" || w.Page == e.Page || e.Fix != "" && w.Fix == e.Fix):
				t.Errorf("%s: %s: %+v", lang, e.ID, w)
			}
		}
		t.Logf("%s: %d reasons aren't translated", lang, missing)
		if missing > untranslated[lang] {
			t.Errorf("%s: %d reasons aren't translated, at most %d were", lang, missing, untranslated[lang])
		}
		for _, id := range common {
			if _, ok := In(lang, id); !ok {
				t.Errorf("%s lacks %s", lang, id)
			}
		}
	}
	for _, bad := range [][2]string{{"de", "NO_SUCH_REASON"}, {"en", Greylisted}, {"", Greylisted}, {"de", ""}} {
		if w, ok := In(bad[0], bad[1]); ok {
			t.Errorf("In(%q, %q) = %+v", bad[0], bad[1], w)
		}
	}
	if n := testing.AllocsPerRun(100, func() { In("fr", Greylisted) }); n != 0 {
		t.Errorf("In allocates %v times", n)
	}
}
