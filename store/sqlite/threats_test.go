package sqlite

import (
	"encoding/json"
	"strings"
	"testing"

	"sluice"
)

// TestThreats: the shares of threats are kept, and take no room where there are none.
// The records of older schemas that TestUpgrade reads have none.
func TestThreats(t *testing.T) {
	for _, v := range []sluice.Verdict{{}, {Threats: sluice.Threats{sluice.ThreatPhish: 0.875, sluice.ThreatSpam: 0.125}}} {
		b, err := json.Marshal(fromVerdict(&v))
		if err != nil {
			t.Fatal(err)
		}
		var d verdictDoc
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		if got := d.value().Threats; got != v.Threats {
			t.Errorf("%s: %v, want %v", b, got, v.Threats)
		}
		if v.Threats == (sluice.Threats{}) && strings.Contains(string(b), "threats") {
			t.Errorf("stored %s", b)
		}
	}
}
