// Command scam measures the checks of fraud (check/scam) on cases written for it and
// on stored mail:
//
//	go run ./eval/scam -shared ../shared
//
// prints precision and recall by class for the half of the cases that nothing was
// fitted on, recall on stored fraud, and false positives on stored ham; with -unseen also
// totals of the two halves of the cases that were written without a look at the checks.
//
//	go run ./eval/scam -shared ../shared -fit
//
// writes check/scam/model.txt, fitted on the train half of the cases and on the train
// part of the mail whose terms allow it; -held says how far good mail comes with a model
// that it wasn't fitted on. cases/README.md says how cases are written.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scam:", err)
		os.Exit(1)
	}
}

func run(args []string, w io.Writer) error {
	fs := flag.NewFlagSet("scam", flag.ContinueOnError)
	shared := fs.String("shared", "../shared", "folder with corpora/; cases alone where it is empty")
	part := fs.String("part", "test", "cases: test, fresh, last, train, unseen dev or unseen final; and part of the mail: train for train, else test")
	fitting := fs.Bool("fit", false, "fit the model and write it")
	out := fs.String("model", "check/scam/model.txt", "file that -fit writes")
	held := fs.Bool("held", false, "say how far good mail comes with a model that it wasn't fitted on, and write nothing")
	both := fs.Bool("unseen", false, "totals of both halves of the unseen cases too")
	show := fs.Bool("misses", false, "name each case that is missed or wrongly accused")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch {
	case *fitting:
		return fitModel(*shared, *out, w)
	case *held:
		return heldOut(*shared, w)
	}
	cases, err := Cases(*part)
	if err != nil {
		return err
	}
	report := Measure(cases)
	report.Write(w)
	if *show {
		report.Misses(w)
	}
	if *both {
		if err := writeUnseen(w); err != nil {
			return err
		}
	}
	if *shared == "" {
		return nil
	}
	if *part != "train" {
		*part = "test"
	}
	return mail(filepath.Join(*shared, "corpora"), *part, w)
}
