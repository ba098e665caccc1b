package main

import (
	"io"

	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/document"
	"sluice/inspect/child/identify"
	"sluice/inspect/child/image"
)

// inspectCommand is the hidden command by which the program starts itself anew, in a
// sandbox, to look into files.
const inspectCommand = "inspect"

// inspectFiles is that process.
func inspectFiles(args []string, in io.Reader, out, stderr io.Writer) int {
	var all []child.Decoder
	for _, list := range [][]child.Decoder{archive.Decoders(archive.Config{}), document.Decoders(), image.Decoders()} {
		all = append(all, list...)
	}
	return child.Main(args, child.Config{Decoders: all, Identify: identify.Identify, Remark: identify.Remarks}, in, out, stderr)
}
