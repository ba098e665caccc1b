package trec

import (
	"strings"
	"testing"

	"sluice/message"
)

// Each trick gives a message that shows what it should and hides what it should.
func TestTricks(t *testing.T) {
	m := message.Parse([]byte("From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nBuy casino pills <now> at http://spam.example/x\r\n"), message.DefaultLimits())
	good := func(n int) string { return strings.TrimSpace(strings.Repeat("meeting ", n)) }
	shows := map[string]string{
		"none": "Buy casino pills <now>", "zero-width characters": "B\u200bu\u200by\u200b", "look-alikes": "\u0441\u0430sin\u043e",
		"letters set apart": "c a s i n o", "words split in two": "cas ino", "800 hidden good words": "Buy casino pills <now>", "image only": "",
	}
	for _, k := range tricks() {
		v := rewrite(m, k.do(m, good)).View()
		want, known := shows[k.name]
		if !known {
			want = "meeting"
		}
		if !strings.Contains(v.Text, want) || k.name == "image only" && (strings.TrimSpace(v.Text) != "" || v.Images != 1 || len(v.Links) == 0) {
			t.Errorf("%s: it shows %q, %d images, %d links", k.name, v.Text, v.Images, len(v.Links))
		}
		hidden := k.name == "800 hidden good words"
		if hidden && strings.Contains(v.Text, "meeting") || hidden != (strings.Count(v.Hidden, "meeting") == 800) {
			t.Errorf("%s: shown %q, %d words hidden", k.name, v.Text, strings.Count(v.Hidden, "meeting"))
		}
	}
}
