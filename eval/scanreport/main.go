// Command scanreport measures the whole verdict on the corpora:
//
//	sluice scan --json ../shared/corpora | go run ./eval/scanreport -shared ../shared
//
// It prints what happened to each pool, recall at fixed rates of false positives,
// and recall by year, for one part of the split.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sluice/eval"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "scanreport:", err)
		os.Exit(1)
	}
}

// tagAt is the shipped policy's threshold for a tag, P ≥ 0.7, in points.
const tagAt = 3.7

func run(args []string, r io.Reader, w io.Writer) error {
	fs := flag.NewFlagSet("scanreport", flag.ContinueOnError)
	shared := fs.String("shared", "../shared", "folder with corpora/")
	part := fs.String("part", "test", "part of the split: test or train")
	if err := fs.Parse(args); err != nil {
		return err
	}
	split, err := eval.Corpora(filepath.Join(*shared, "corpora"))
	if err != nil {
		return err
	}
	judged, left, err := eval.FromScan(r, split)
	if err != nil {
		return err
	}
	judged = eval.Only(*part, judged)
	fmt.Fprintf(w, "Part %s: %d messages judged; %d results are not of the split or failed\n\n", *part, len(judged), left)
	if err := eval.WriteActions(w, judged); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := eval.WriteRecall(w, judged); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return eval.WriteYears(w, judged, tagAt)
}
