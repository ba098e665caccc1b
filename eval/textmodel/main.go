// Command textmodel makes and measures the weights that Sluice is shipped with.
//
//	go run ./eval/textmodel -shared ../shared -out learn/text/model.bin
//	go run ./eval/textmodel -shared ../shared -report
//
// The first trains on the part "train" of the corpora whose terms allow shipping
// weights and prints how the calibration came about; the same corpora give the
// same file. The second scores every labelled message with the embedded weights
// and prints tables by corpus.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/eval"
	"sluice/learn/text"
	"sluice/message"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "textmodel:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	fs := flag.NewFlagSet("textmodel", flag.ContinueOnError)
	shared := fs.String("shared", "../shared", "folder with corpora/")
	out := fs.String("out", "", "write new weights to this file")
	report := fs.Bool("report", false, "measure the embedded weights")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if (*out == "") == !*report {
		return fmt.Errorf("give -out FILE or -report")
	}
	dir := filepath.Join(*shared, "corpora")
	split, err := eval.Corpora(dir)
	if err != nil {
		return err
	}
	if *report {
		mails, err := read(dir, split, func(e *eval.Entry) bool { return e.Class() != eval.Unlabelled })
		if err != nil {
			return err
		}
		return measure(w, text.Default(), mails)
	}
	mails, err := read(dir, split, trainable)
	if err != nil {
		return err
	}
	m := train(w, append(mails, ordinary()...))
	var b bytes.Buffer
	if err := m.Write(&b); err != nil {
		return err
	}
	fmt.Fprintf(w, "version %s, %d octets\n", m.Version(), b.Len())
	return os.WriteFile(*out, b.Bytes(), 0o644)
}

// mail is a message of the corpora, read.
type mail struct {
	entry *eval.Entry
	doc   *text.Document
}

func read(dir string, split []eval.Entry, want func(*eval.Entry) bool) ([]mail, error) {
	var out []mail
	for i := range split {
		e := &split[i]
		if !want(e) {
			continue
		}
		b, err := eval.ReadMail(dir, e)
		if err != nil {
			return nil, err
		}
		out = append(out, mail{e, text.FromMessage(message.Parse(b, message.DefaultLimits()))})
	}
	return out, nil
}
