package tesseract

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sluice/inspect"
)

// sure is the confidence from which a word is believed, in per cent. Below it stand the
// readings of patterns, pictures and noise.
const sure = 40

// fewest is how many letters a reading has that isn't chance.
const fewest = 8

// parse reads a table of words (TSV): level, page, block, paragraph, line, word, left,
// top, width, height, confidence, text. It returns the lines of those words that
// tesseract is sure of, with an empty line between paragraphs; "" where they are too few.
func parse(out []byte) string {
	var b strings.Builder
	letters, last := 0, [4]string{}
	for line := range bytes.Lines(out) {
		f := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		if len(f) != 12 || f[0] != "5" {
			continue
		}
		conf, err := strconv.ParseFloat(f[10], 64)
		word := strings.TrimSpace(f[11])
		if err != nil || !(conf >= sure) || word == "" || !utf8.ValidString(word) {
			continue
		}
		if b.Len()+len(word)+2 > inspect.MaxText {
			break
		}
		at := [4]string(f[1:5])
		switch {
		case b.Len() == 0:
		case [3]string(at[:3]) != [3]string(last[:3]):
			b.WriteString("\n\n")
		case at != last:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		last = at
		for _, r := range word {
			if unicode.IsLetter(r) {
				letters++
			}
			if unicode.IsControl(r) {
				r = ' '
			}
			b.WriteRune(r)
		}
	}
	if letters < fewest {
		return ""
	}
	return b.String()
}
