package main

import (
	"fmt"
	"io"

	"sluice/eval"
	"sluice/learn/text"
)

// Thresholds of the shipped policy, less the prior: tag P ≥ 0.7, quarantine P ≥
// 0.95, reject P ≥ 0.999.
const (
	tagAt    = 13.7
	rejectAt = 40
)

// measure prints the tables of the text model alone.
func measure(w io.Writer, m *text.Model, mails []mail) error {
	var judged []eval.Judged
	for i := range mails {
		s := m.Score(mails[i].doc)
		j := eval.Judged{Entry: mails[i].entry, Action: "accept"}
		// Ranked by the margin: the decibels are clipped.
		j.Score = m.Calibration().Slope*s.Margin + m.Calibration().Offset
		switch {
		case s.DB >= rejectAt:
			j.Action = "reject"
		case s.DB >= line:
			j.Action = "quarantine"
		case s.DB >= tagAt:
			j.Action = "tag"
		}
		judged = append(judged, j)
	}
	fmt.Fprintf(w, "Text model %s alone, part test, decibel before clipping\n\n", m.Version())
	test := eval.Only("test", judged)
	if err := eval.WriteActions(w, test); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := eval.WriteRecall(w, test); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := eval.WriteYears(w, test, tagAt); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return writeTricks(w, m, newPadding(mails), mails, []string{"spamassassin/spam", "lists_2019_2026/spam", "phishing_pot/phish"})
}
