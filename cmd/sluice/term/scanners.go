package term

import (
	"fmt"

	"sluice/live"
)

// scanners are those that look into files, on a line, and on one more what is wrong with
// the first that isn't well.
func (p Picture) scanners(s live.Snapshot, width int) []string {
	if len(s.Scanners) == 0 {
		return nil
	}
	line, trouble := "files", ""
	for i := range s.Scanners {
		x := &s.Scanners[i]
		cell := p.plain(Plain(x.Name, 20)) + " " + Plain(x.State, 20)
		switch x.Kind {
		case live.ScannerProcesses:
			cell += fmt.Sprintf(" %d/%d, %d waiting, %d looks, %d died", x.Running, x.Processes, x.Waiting, x.Asked, x.Deaths)
		case live.ScannerEngine:
			cell += fmt.Sprintf(" %d scans", x.Asked)
		case live.ScannerList:
			cell += fmt.Sprintf(" %d entries", x.Entries)
		}
		if !x.Well && trouble == "" {
			trouble = p.plain(Plain(x.Name, 20)) + ": " + Plain(x.State, 20)
			if len(x.Trouble) > 0 {
				trouble = p.plain(Plain(x.Name, 20) + ": " + Plain(x.Trouble[0], 300))
			}
		}
		line += "  " + cell
	}
	out := []string{fit(line, width)}
	if trouble != "" {
		out = append(out, p.Paint.In("33", fit("! "+trouble, width)))
	}
	return out
}
