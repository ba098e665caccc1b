// Package tool is the process of profile tools: it runs installed programs (yara,
// tesseract) on what the gateway gives it, in the frame that decoders run in. It links no
// decoder and looks at no content itself; each run is a process in a sandbox of its own
// (package run).
package tool

import (
	"flag"
	"io"
	"os"
	"strings"

	"sluice/inspect"
	"sluice/inspect/child"
	"sluice/inspect/child/tool/run"
	"sluice/inspect/child/tool/tesseract"
	"sluice/inspect/child/tool/yara"
	"sluice/inspect/sandbox"
)

// rules is the file in which the gateway hands over compiled rules.
const rules = 3

// Main is the process. become is the command line, known to this program, that leads to
// [run.Become]; its first part is the program itself.
func Main(args, become []string, in io.Reader, out, stderr io.Writer) int {
	fs := flag.NewFlagSet("tools", flag.ContinueOnError)
	fs.SetOutput(stderr)
	memory := fs.Int64("memory", 256<<20, "bytes of resident memory after which the process ends")
	cpu := fs.Duration("cpu", 0, "processor time after which the process ends")
	program := fs.Int64("program-memory", 512<<20, "bytes of address space of each program")
	scanner := fs.String("yara", "", "path of yara; compiled rules stand in file 3")
	reader := fs.String("tesseract", "", "path of tesseract")
	data := fs.String("tessdata", "", "folder of tesseract's languages")
	languages := fs.String("languages", "eng", "languages to read, joined by +")
	if err := fs.Parse(args); err != nil {
		return 2
	}
	box := sandbox.Config{Profile: sandbox.Tools, CPU: *cpu, Programs: []string{become[0]}, Write: inspect.MaxBody}
	var all []child.Decoder
	start := run.Program{Self: become}
	if *scanner != "" {
		box.Files = 1
		box.Programs = append(box.Programs, *scanner)
		all = append(all, yara.Decoder(yara.Config{Program: start, Path: *scanner, Rules: os.NewFile(rules, "rules"), Memory: *program}))
	}
	if *reader != "" {
		box.Programs = append(box.Programs, *reader)
		box.Read = append(box.Read, *data)
		all = append(all, tesseract.Decoder(tesseract.Config{Program: start, Path: *reader, Data: *data, Languages: strings.Split(*languages, "+"), Memory: *program}))
	}
	// The gateway says what is to be done with each input.
	as := func(_, declared string, _ []byte) (inspect.Type, inspect.Class) { return inspect.Type(declared), 0 }
	return child.Run(child.Config{Decoders: all, Identify: as}, box, *memory, in, out, stderr)
}
