// Package term is how the commands write for people: colours where they are
// wanted, hostile text made harmless, progress, results in the order of the
// input.
package term

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice/explain"
)

// IsTerminal says whether w is one; anything that isn't a file is not.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Paint colours text where the reader is a person who wants it (no-color.org).
type Paint bool

// PaintFor decides for one output.
func PaintFor(w io.Writer) Paint { return Paint(IsTerminal(w) && os.Getenv("NO_COLOR") == "") }

// In wraps s in an SGR code.
func (p Paint) In(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Bold is for what matters.
func (p Paint) Bold(s string) string { return p.In("1", s) }

// Dim is for what is beside it.
func (p Paint) Dim(s string) string { return p.In("2", s) }

// Action colours by how hard it is.
func (p Paint) Action(s string) string {
	switch s {
	case "accept":
		return p.In("32", s)
	case "tag", "banner", "strip", "defer":
		return p.In("33", s)
	case "quarantine", "hold":
		return p.In("35", s)
	default:
		return p.In("31;1", s)
	}
}

// Points is a signed number, bad ones red.
func (p Paint) Points(v float64) string {
	s := fmt.Sprintf("%+6.1f", v)
	switch {
	case v > 0:
		return p.In("31", s)
	case v < 0:
		return p.In("32", s)
	}
	return s
}

// Plain makes hostile text safe for a terminal.
func Plain(s string, max int) string { return explain.Escape(s, max) }

// Result colours an outcome.
func (p Paint) Result(s string) string {
	switch s {
	case "pass", "clear", "match", "hosts", "confirmed":
		return p.In("32", s)
	case "fail", "permerror", "unclear", "grave", "nxdomain":
		return p.In("31", s)
	case "softfail", "temperror", "policy":
		return p.In("33", s)
	}
	return s
}
