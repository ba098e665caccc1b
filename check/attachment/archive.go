package attachment

import (
	"bytes"
	"strconv"

	"sluice"
	"sluice/check"
	"sluice/reason"
)

// newArchive reads the directories of attached zip archives, Office files among
// them.
func newArchive() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/archive", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Cheap,
		Reasons: []sluice.Reason{
			reason.ArchiveProgram, reason.ArchiveEncrypted, reason.OfficeMacro, reason.ArchivePath,
			reason.ArchiveNested, reason.ArchiveBomb, reason.ArchiveDamaged,
		},
	}, func(in *check.Input) []sluice.Evidence {
		var s statements
		for p := range files(in.Message) {
			data := p.data()
			if !bytes.HasPrefix(data, []byte("PK")) || sniff(data) != zipArchive {
				continue
			}
			a := listZip(data)
			of := " in " + check.Quote(p.Filename)
			switch {
			case a.java:
				s.add(reason.ArchiveProgram, "Java program"+of, p)
			case a.program != "":
				s.add(reason.ArchiveProgram, check.Quote(a.program)+of, p)
			}
			if a.encrypted != "" {
				s.add(reason.ArchiveEncrypted, check.Quote(a.encrypted)+of, p)
			}
			if a.macro != "" {
				s.add(reason.OfficeMacro, check.Quote(a.macro)+of, p)
			}
			if a.climbs != "" {
				s.add(reason.ArchivePath, check.Quote(a.climbs)+of, p)
			}
			if a.nested != "" && !a.office {
				s.add(reason.ArchiveNested, check.Quote(a.nested)+of, p)
			}
			if a.bomb {
				s.add(reason.ArchiveBomb, strconv.Itoa(a.members)+" members"+of, p)
			}
			if !a.listed {
				s.add(reason.ArchiveDamaged, strconv.Itoa(a.members)+" members listed"+of, p)
			}
		}
		return s.list
	})
}
