package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"sluice/check"
	"sluice/check/checktest"
	enginecheck "sluice/check/engine"
	"sluice/engine"
	"sluice/engine/clamd"
	"sluice/engine/clamd/clamdtest"
	"sluice/reason"
)

// TestYARAThroughClamd: rules in clamd's database folder need no program of ours. What
// they find is evidence under the rule's name, also in a zip.
func TestYARAThroughClamd(t *testing.T) {
	d := clamdtest.Start(t, clamdtest.Options{Signatures: clamdtest.Signatures{
		YARA: "rule Site_Dropper { meta: score = 90 strings: $a = \"the needle of the site\" condition: $a }\n"}})
	c, err := clamd.New(clamd.Config{Hosts: engine.HostsConfig{Addresses: []string{d.Socket}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ask := enginecheck.Checks(enginecheck.Config{Engines: []enginecheck.Engine{{Scanner: engine.Guard(c, engine.GuardConfig{}), Absent: check.Open}}})[0]
	for body, want := range map[string]string{"hay the needle of the site hay": "YARA.Site_Dropper.UNOFFICIAL (by clamd)", "nothing": ""} {
		for _, raw := range []string{attach("x.bin", []byte(body)).raw, attach("x.zip", zipped(t, 0, "y.bin", []byte(body))).raw} {
			ev, err := ask.Check(ctx, checktest.Input(raw))
			switch {
			case err != nil:
				t.Fatal(err)
			case want == "" && len(ev) != 0:
				t.Errorf("%q: %v", body, ev)
			case want != "" && (len(ev) != 1 || ev[0].Reason != reason.EngineMalware || !strings.HasPrefix(ev[0].Detail, want)):
				t.Errorf("%q: %+v, want %s", body, ev, want)
			}
		}
	}
}
