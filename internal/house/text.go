package house

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// The words are put together here, so that this file doesn't break its own rule.
var (
	leftover = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)
	machine  = regexp.MustCompile("(?:^|[\\s\"'`=(:,])(/(?:work|root|tmp)/[^\\s\"'`)]*)")
)

// machineOK are files where such a path is meant: what it says is true on every
// machine. The value says why.
var machineOK = map[string]string{}

// Text checks one tracked file for notes of work left over and for paths that
// exist on one machine only. Files that aren't text pass.
func Text(path string, b []byte) []Finding {
	if bytes.IndexByte(b[:min(len(b), 8000)], 0) >= 0 {
		return nil
	}
	var out []Finding
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		place := fmt.Sprintf("%s:%d", path, n)
		if w := leftover.FindString(line); w != "" {
			out = append(out, Finding{place, "work left over", "a " + w, "do it, or write down as a fact what isn't done"})
		}
		if w := machine.FindStringSubmatch(line); w != nil && machineOK[path] == "" {
			out = append(out, Finding{place, "machine path", w[1] + " exists on one machine", "use a relative path, a flag, or a temporary folder made at run time"})
		}
	}
	return out
}
