package filed_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sluice"
	"sluice/deliver/internal/filed"
)

// Any octets come back as they were.
func TestRoundTrip(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		rapid.SampledFrom([]string{"\x00b64:AAAA", "\x00", "", "\xff"}))
	rapid.Check(t, func(t *rapid.T) {
		want := sluice.Envelope{From: text.Draw(t, "from"),
			Params: []sluice.Param{{Key: text.Draw(t, "key"), Value: text.Draw(t, "value")}},
			Rcpts:  []sluice.Recipient{{Address: text.Draw(t, "rcpt"), Params: []sluice.Param{{Key: "NOTIFY", Value: text.Draw(t, "notify")}}}, {}}}
		js, err := json.Marshal(filed.Pack(want))
		if err != nil {
			t.Fatal(err)
		}
		var got sluice.Envelope
		if err := json.Unmarshal(js, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, filed.Unpack(got)); diff != "" {
			t.Fatal(diff)
		}
	})
}
