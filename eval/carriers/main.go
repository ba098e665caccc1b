// Command carriers writes inert mail that carries what gateways must find, and a
// harmless twin of each, as .eml files: NAME.carrier.eml and NAME.twin.eml. No file
// does anything; programs are headers without code, addresses are reserved ones.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"sluice/eval/carriers/carrier"
)

func main() {
	out := flag.String("out", "", "folder to write to; made where it is missing")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "carriers:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	if out == "" {
		return fmt.Errorf("-out is missing")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, c := range carrier.Cases() {
		for kind, m := range map[string]carrier.Mail{"carrier": c.Carrier, "twin": c.Twin} {
			if err := os.WriteFile(filepath.Join(out, c.Name+"."+kind+".eml"), m.Bytes(), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
