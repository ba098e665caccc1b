package disguise_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/disguise"
)

func TestScan(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     disguise.Marks
	}{
		{"ascii", "Your account is fine.", disguise.Marks{First: -1}},
		{"zero width space in a word", "pass\u200bword", disguise.Marks{Invisible: 1, First: 4}},
		{"padding of a preheader", "Hello \u200c\u00a0\u200c\u00a0\u200c there", disguise.Marks{First: -1}},
		{"byte order mark at the start", "\ufeffHello", disguise.Marks{First: -1}},
		{"joiner in an emoji", "👩\u200d💻 at work", disguise.Marks{First: -1}},
		{"non-joiner in Persian", "می\u200cخواهم", disguise.Marks{First: -1}},
		{"soft hyphens", "Donau\u00addampf\u00adschiff", disguise.Marks{First: -1}},
		{"digits parted", "1\u200b2", disguise.Marks{Invisible: 1, First: 1}},
		{"Cyrillic a in a Latin word", "p\u0430ypal", disguise.Marks{Mixed: 1, First: 1}},
		{"two mixed words", "\u0410pple and \u039dike", disguise.Marks{Mixed: 2, First: 0}},
		{"Russian ending on a Latin word", "SMSка", disguise.Marks{First: -1}},
		{"Russian", "Привет, мир", disguise.Marks{First: -1}},
		{"Greek", "Καλημέρα κόσμε", disguise.Marks{First: -1}},
		{"short mix", "Aо", disguise.Marks{First: -1}},
		{"accents", "Crème brûlée, Ångström, naïve, ĳs", disguise.Marks{First: -1}},
		{"decomposed accents", "Cre\u0300me bru\u0302lée", disguise.Marks{First: -1}},
		{"mathematical bold", "𝐏𝐚𝐲", disguise.Marks{Styled: 3, First: 0}},
		{"small capitals", "ʟᴏᴡᴇ", disguise.Marks{Styled: 4, First: 0}},
		{"struck through", "P\u0336h\u0336", disguise.Marks{Styled: 2, First: 1}},
		{"full-width", "ＰＡＹ", disguise.Marks{Styled: 3, First: 0}},
		{"blood group emoji", "🅰 🅱", disguise.Marks{First: -1}},
		{"override", "gnp\u202eexe", disguise.Marks{Bidi: 1, First: 3}},
		{"marks of direction alone are plain", "abc\u200f \u200e", disguise.Marks{First: -1}},
		{"flag of Scotland", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", disguise.Marks{First: -1}},
		{"tags", "hi\U000e0041\U000e0042", disguise.Marks{Tags: 2, First: 2}},
		{"broken UTF-8", "a\xff\xfeb\xe2\x80", disguise.Marks{First: -1}},
		{"after a long run of ASCII", strings.Repeat("word ", 50) + "pay\u200bpal", disguise.Marks{Invisible: 1, First: 253}},
		{"empty", "", disguise.Marks{First: -1}},
	} {
		got := disguise.Scan(tc.in)
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s: %s", tc.name, d)
		}
		if got.Any() != (tc.want.First >= 0) {
			t.Errorf("%s: Any is %v", tc.name, got.Any())
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add("p\u0430y\u200bpal 𝐏 \u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		m := disguise.Scan(s)
		if m.First >= len(s) || m.Invisible < 0 || m.Mixed > len(s) {
			t.Fatalf("%+v in %d octets", m, len(s))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":    strings.Repeat("The quick brown fox jumps over the lazy dog. ", 230),
		"cyrillic": strings.Repeat("Съешь ещё этих мягких булок. ", 200),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				disguise.Scan(text)
			}
		})
	}
}
