package verdict

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice"
)

// TestStored: a verdict comes back as it was written, one without shares is written
// as before there were any, and one that was stored then can be read.
func TestStored(t *testing.T) {
	v := Weigh([]sluice.Evidence{soft("A", sluice.GroupLink, 4, sluice.ThreatPhish)}, DefaultWeights())
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back sluice.Verdict
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v, back); d != "" {
		t.Error(d)
	}
	v.Threats = sluice.Threats{}
	if b, err = json.Marshal(v); err != nil || strings.Contains(string(b), "Threats") {
		t.Errorf("%s, %v", b, err)
	}
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
}
