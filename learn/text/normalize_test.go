package text

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestNormal(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"Hello,  World\r\n\tagain", "hello, world again"},
		{"Call 0800-1234", "call 0000-0000"},
		{"v\u200bi\u200ca\u200dg\u2060r\ufeffa", "viagra"},
		{"vi\u00adagra", "viagra"},
		{"p\u0430yp\u0430l", "paypal"},               // Cyrillic a
		{"\u0440aypal \u0441redit", "paypal credit"}, // Cyrillic at the start of words
		{"ᴀpple ｆｕｌｌｗｉｄｔｈ", "ᴀpple fullwidth"},
		{"𝐁𝐮𝐲 𝓷𝓸𝔀 ①", "buy now 0"},
		{"ﬁnance", "finance"},
		{"cafe\u0301 CAFÉ", "café café"},
		{"z\u0336a\u0336l\u0336g\u0336o", "zalgo"},
		{"Москва", "москва"}, // honest Cyrillic stays
		{"ΑΘΗΝΑ", "αθηνα"},
		{"٣٤ ३", "00 0"},
		{"a\xff\xfeb", "a b"},
		{"\u00a0\u2003x\u3000y", "x y"},
		{"価格は１２円", "価格は00円"},
	} {
		if got := string(AppendNormal(nil, tt.in, 1<<10)); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLetterspacing(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"buy v i a g r a now", "buy viagra now"},
		{"v.i.a.g.r.a", "viagra"},
		{"v-i-a-g-r-a!", "viagra!"},
		{"a b", "a b"}, // too few
		{"b u y\x01n o w\x01t o d a y", "buy now today"},
		{"one\x01two", "one two"},
		{"v i.a g r a", "v i.agra"},
		{"plan b is i am a fool", "plan b is i am a fool"},
		{"x y z w", "xyzw"},
		{"", ""},
		{"é a b c d é", "é abcd é"},
	} {
		if got := closeUp(tt.in); got != tt.want {
			t.Errorf("%q gives %q, want %q", tt.in, got, tt.want)
		}
	}
}

func closeUp(s string) string {
	b, _ := closeLetterspacing([]byte(s))
	return string(b)
}

func TestEffort(t *testing.T) {
	for s, want := range map[string]Effort{
		"Plain words, e.g. from the U.S.A. - as ever": {},
		"v i a g r a and c-i-a-l-i-s":                 {Apart: 2},
		"ca\u200bsi\u200bno":                          {Invisible: 2},
		"p\u0430yp\u0430l":                            {Mixed: 1},
	} {
		var got Effort
		got.Append(nil, s, 1<<10)
		if got != want || got.Any() != (want != Effort{}) {
			t.Errorf("%q took %+v, want %+v", s, got, want)
		}
	}
	for s, want := range map[string]Effort{
		"<p>caf&#233; rock&#8217;n'roll &#8211; &#38; &amp; &#x20AC; &# &#; &#x; &#10;": {},
		"<p>&#118;i&#x61;g&#X72;&#0000097;":                                             {Entities: 4, Spelled: 4},
		"&#118iagra":                                                                    {Entities: 1, Spelled: 1},
		"<p>&#118;&#105;&#97;&#103;&#114;&#97; pills":                                   {Entities: 6},
		"<a href='https://x.example/&#49;&#50;'>&nbsp;&#97;":                            {Entities: 3, Spelled: 2},
		"<a href=\"&#109;&#97;ilto&#58;ann&#64;garden.example\">ann":                    {Entities: 2},
		"&#97;": {Entities: 1},
	} {
		var got Effort
		if got.Source([]byte(s)); got != want {
			t.Errorf("%q took %+v, want %+v", s, got, want)
		}
	}
}

func TestSkeleton(t *testing.T) {
	for s, want := range map[string]string{"сор": "cop", "раура1": "paypa1", "жук": "", "plain": "", "": ""} {
		got, ok := AppendSkeleton([]byte("x"), []byte(s))
		if string(got) != "x"+want || ok != (want != "") {
			t.Errorf("%q looks like %q, %v", s, got, ok)
		}
	}
}

func FuzzNormal(f *testing.F) {
	f.Add("Hello W\u200borld", 100)
	f.Add("p\u0430ypal \xff v i a g r a", 9)
	f.Add(strings.Repeat("e\u0301", 300), 1000)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit &= 1<<12 - 1
		got := appendNormal([]byte("kept"), s, limit)
		if !strings.HasPrefix(string(got), "kept") || len(got) > 4+limit {
			t.Fatalf("%d octets beyond a limit of %d", len(got)-4, limit)
		}
		got = got[4:]
		if len(got) < limit && !utf8.Valid(got) {
			t.Fatalf("%q gives %q, which is no UTF-8", s, got)
		}
		if strings.ContainsAny(string(got), "\r\n\tABC123456789") {
			t.Fatalf("%q gives %q", s, got)
		}
		n := len(got)
		if closed, _ := closeLetterspacing(got); len(closed) > n {
			t.Fatalf("%d octets became %d", n, len(closed))
		}
	})
}

// What is read in runs is what would be read octet by octet.
func TestNormalRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	alphabet := []string{"a", "B", "7", " ", "\r\n", "e\u0301", "\u0430", "\u200b", "\xff", ".", "ж", "\t"}
	for range 2000 {
		var b strings.Builder
		for range r.IntN(40) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
		}
		s := b.String()
		whole := appendNormal(nil, s, 1<<10)
		limit := r.IntN(40)
		if cut := appendNormal(nil, s, limit); len(cut) > limit {
			t.Fatalf("%q: %d octets of %d", s, len(cut), limit)
		}
		// A space ends all that one character may do to the next.
		if got := appendNormal([]byte("x "), s+" y", 1<<10); string(got) != "x "+strings.TrimSuffix(strings.TrimSuffix(string(whole), " "), "\x01")+tail(whole)+"y" {
			t.Fatalf("%q gives %q alone and %q in front of a word", s, whole, got)
		}
	}
	start := time.Now()
	appendNormal(nil, strings.Repeat(" ", 1<<20), 100)
	if d := time.Since(start); d > time.Second {
		t.Errorf("a megabyte of spaces took %v", d)
	}
}

// tail is the white space between what normalised to b and a word behind a space.
func tail(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case b[len(b)-1] == ' ' || b[len(b)-1] == wideGap:
		return string(rune(wideGap))
	}
	return " "
}
