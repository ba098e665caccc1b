package main

import (
	"io"

	"sluice/engine/tlsh"
	"sluice/inspect/child"
	"sluice/inspect/child/archive"
	"sluice/inspect/child/document"
	"sluice/inspect/child/identify"
	"sluice/inspect/child/image"
	"sluice/inspect/child/tool"
	toolrun "sluice/inspect/child/tool/run"
)

// inspectCommand is the hidden command by which the program starts itself anew, in a
// sandbox, to look into files.
const inspectCommand = "inspect"

// self is this program, even where another has taken its place on disk.
const self = "/proc/self/exe"

// inspectFiles is that process: decoders, or what runs the tools beside them, or what
// becomes one of those.
func inspectFiles(args []string, in io.Reader, out, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "tools":
			return tool.Main(args[1:], []string{self, inspectCommand, "run"}, in, out, stderr)
		case "run":
			return toolrun.Become(args[1:], stderr)
		}
	}
	var all []child.Decoder
	for _, list := range [][]child.Decoder{archive.Decoders(archive.Config{}), document.Decoders(), image.Decoders()} {
		all = append(all, list...)
	}
	return child.Main(args, child.Config{Decoders: all, Identify: identify.Identify, Remark: identify.Remarks, TLSH: relative}, in, out, stderr)
}

// relative is a file's TLSH digest, by which lists know its relatives.
func relative(content []byte) string {
	d, err := tlsh.Sum(content)
	if err != nil {
		return ""
	}
	return d.String()
}
