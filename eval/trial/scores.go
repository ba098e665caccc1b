package trial

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// WriteScores writes a line for each message: name, part of the split, label,
// verdict, score and detail, tabs between them, as the tools read that measure
// other filters on the same messages. The name is the last three elements of the
// path.
func WriteScores(w io.Writer, judged []Judged) error {
	b := bufio.NewWriter(w)
	field := strings.NewReplacer("\t", " ", "\n", " ", "\r", " ")
	for _, j := range judged {
		name := strings.Split(filepath.ToSlash(j.ID), "/")
		action := j.Action
		if action == "" {
			if action = "ham"; j.P >= half {
				action = "spam"
			}
		}
		part := j.Part
		if part == "" {
			part = "-"
		}
		fmt.Fprintf(b, "%s\t%s\t%s\t%s\t%g\tp=%.6f %s\n", field.Replace(strings.Join(name[max(0, len(name)-3):], "/")), part, j.Label, action, j.Score, j.P, field.Replace(j.Why))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("trial: %w", err)
	}
	return nil
}
