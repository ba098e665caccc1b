// Command household lives some weeks of many subscribers against the real code of package
// subscriber, under a clock of its own: who writes how, whose device is infected, whose
// account is stolen, who reads a notice. It prints how soon abuse was found, who was
// suspected without a reason, and who was told.
//
//	go run ./eval/household -seed 11
//
// The same seed gives the same figures. What is assumed of the world stands in
// assumptions.go, each number with its source.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
}

// Options say which world is lived in.
type Options struct {
	Seed        uint64  `json:"seed"`
	Subscribers int     `json:"subscribers"`
	Days        int     `json:"days"`
	Infected    float64 `json:"infected"` // share of the subscribers over the run
	Stolen      float64 `json:"stolen"`
	Peaks       float64 `json:"peaks_a_day"`
	Errs        float64 `json:"errs"` // times the measured share of wanted mail that is judged wrongly
}

func run(args []string, out io.Writer) error {
	var o Options
	fs := flag.NewFlagSet("household", flag.ContinueOnError)
	fs.Uint64Var(&o.Seed, "seed", 1, "which world")
	fs.IntVar(&o.Subscribers, "subscribers", 100_000, "how many")
	fs.IntVar(&o.Days, "days", 60, "how long")
	fs.Float64Var(&o.Infected, "infected", 0.008, "share of subscribers whose device becomes infected")
	fs.Float64Var(&o.Stolen, "stolen", 0.001, "share of subscribers whose account is stolen")
	fs.Float64Var(&o.Peaks, "peaks", 2, "letters to many a day, by subscribers who never send in bulk")
	fs.Float64Var(&o.Errs, "errs", 1, "times the measured share of wanted mail that is judged as bad")
	asJSON := fs.Bool("json", false, "print JSON")
	misses := fs.Bool("misses", false, "list the infections that weren't restricted within an hour, and the innocents with a case")
	profile := fs.String("cpuprofile", "", "write a profile to this file")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return fmt.Errorf("household: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return fmt.Errorf("household: %w", err)
		}
		defer pprof.StopCPUProfile()
	}
	f, err := Live(o)
	if err != nil {
		return err
	}
	if *misses {
		for _, m := range f.missed {
			fmt.Fprintln(out, m)
		}
	}
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(f)
	}
	_, err = io.WriteString(out, f.String())
	return err
}
