package tesseract

import (
	"strings"
	"testing"
	"unicode/utf8"

	"sluice/inspect"
)

const head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"

// row is a word as tesseract 5.3 writes it.
func row(block, line, conf, text string) string {
	return "5\t1\t" + block + "\t1\t" + line + "\t1\t30\t33\t81\t27\t" + conf + "\t" + text + "\n"
}

func TestParse(t *testing.T) {
	out := head + "1\t1\t0\t0\t0\t0\t0\t0\t1260\t300\t-1\t\n" + row("1", "1", "57.879738", "Dear") + row("1", "1", "96", "customer") + row("1", "2", "12.5", "~~|") +
		row("1", "2", "90", "your") + row("1", "2", "95", " ") + row("2", "1", "90", "grüße\x1b[2J") + row("2", "1", "nan", "no") + "5\t1\tshort\n"
	if got, want := parse([]byte(out)), "Dear customer\nyour\n\ngrüße [2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range []string{"", head, head + row("1", "1", "99", "few"), head + row("1", "1", "30", "unbelievable")} {
		if got := parse([]byte(s)); got != "" {
			t.Errorf("%q reads as %q", s, got)
		}
	}
	if got := parse([]byte(strings.Repeat(row("1", "1", "99", "word"), 1<<16))); len(got) > inspect.MaxText {
		t.Errorf("%d bytes", len(got))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(head + row("1", "1", "57.87", "Dear") + row("1", "1", "96", "customer")))
	f.Add([]byte("5\t\t\t\t\t\t\t\t\t\t1e400\t\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := parse(b)
		if len(s) > inspect.MaxText || !utf8.ValidString(s) || strings.ContainsAny(s, "\x1b\x00\r") {
			t.Fatalf("%q", s)
		}
	})
}
