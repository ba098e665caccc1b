package script

import (
	"context"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/message/charset"
)

// Decoder opens files that an interpreter runs.
type Decoder struct{}

// Name is "script".
func (Decoder) Name() string { return "script" }

// Types are those of scripts, and of files that change settings.
func (Decoder) Types() []inspect.Type {
	return []inspect.Type{inspect.JavaScript, inspect.JScriptEnc, inspect.VBScript, inspect.VBScriptEnc, inspect.WSF, inspect.PowerShell, inspect.Batch,
		inspect.Shell, inspect.AppleScript, inspect.Python, inspect.Registry, inspect.Inf, inspect.AutoIt}
}

// Open reads the text of a script.
func (Decoder) Open(_ context.Context, w *child.Work) error {
	b := w.Bytes()
	text := Source(b[:min(len(b), MaxSource)])
	if err := w.Charge(len(text)); err != nil {
		return err
	}
	if plain, ok := Unscramble(text); ok {
		w.Fact(inspect.CodeEncoded, "Script.Encode")
		text = plain
		if err := w.Charge(len(text)); err != nil {
			return err
		}
	}
	f := Look(text)
	f.State(w)
	w.Text(inspect.OriginScript, text)
	w.Text(inspect.OriginScript, f.Decoded)
	return w.Err()
}

// Source is the text of a script file: UTF-16 with or without a mark, else as it is.
func Source(b []byte) string {
	label := "utf-8"
	switch {
	case len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE:
		label, b = "utf-16le", b[2:]
	case len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF:
		label, b = "utf-16be", b[2:]
	case len(b) >= 4 && b[1] == 0 && b[3] == 0 && b[0] != 0:
		label = "utf-16le"
	}
	s, _ := charset.Decode(label, b)
	return strings.ReplaceAll(s, "\x00", "")
}
