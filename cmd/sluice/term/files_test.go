package term

import (
	"strings"
	"testing"

	"sluice"
)

func TestFiles(t *testing.T) {
	var b strings.Builder
	Paint(false).Files(&b, []sluice.FileSeen{
		{Name: "a.zip", Type: "zip", Class: "archive", Size: 5, SHA256: sluice.Digest{0xab}, Content: "whole"},
		{Name: "fdp\u202egpj.exe\x1b[2J", In: "a.zip", Depth: 1, Type: "pe", Class: "executable", Size: 9, Content: "locked", Marked: true},
		{Depth: 200, Content: "partial"},
	}, 3)
	const want = "  a.zip  zip, archive, 5 octets\n" +
		"    sha256 ab00000000000000000000000000000000000000000000000000000000000000\n" +
		"    fdp\\u{202e}gpj.exe\\x1b[2J  pe, executable, 9 octets, locked by a password\n" +
		"                          (no name)  unknown type, 0 octets, read in part\n" +
		"  and 3 more\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if b.Reset(); true {
		Paint(true).Files(&b, []sluice.FileSeen{{Name: "a\x1b[2J", Type: "\x1b", Class: "\x1b"}}, 0)
	}
	if strings.Contains(b.String(), "\x1b[2J") {
		t.Errorf("a name reaches the terminal: %q", b.String())
	}
}
