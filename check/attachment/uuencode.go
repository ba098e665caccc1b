package attachment

import (
	"bytes"

	"sluice"
	"sluice/check"
	"sluice/message"
	"sluice/reason"
)

// newUuencode looks for files in the old uuencode form inside plain text: some
// clients offer them as attachments, and MIME knows nothing of them.
func newUuencode() check.Checker {
	return check.Func(check.Info{
		Name: "attachment/uuencode", Phase: sluice.PhaseMessage, Group: sluice.GroupAttachment, Cost: check.Cheap,
		Reasons: []sluice.Reason{reason.UuencodedProgram},
	}, func(in *check.Input) []sluice.Evidence {
		for p := range files(in.Message) {
			if p.Type != "text/plain" || attached(p) {
				continue
			}
			if n := uuencodedName(in.Message.Decoded(p)); n != "" && parseName(n).kind() == executable {
				return []sluice.Evidence{check.FoundAt(reason.UuencodedProgram, quote(n), message.Range(p.Body), p.Index)}
			}
		}
		return nil
	})
}

// uuencodedName returns the name in the first line "begin 644 NAME" that is
// followed by a line of data (POSIX uuencode).
func uuencodedName(b []byte) string {
	for rest := b; ; {
		i := bytes.Index(rest, []byte("begin "))
		if i < 0 {
			return ""
		}
		atStart := i == 0 && len(rest) == len(b) || i > 0 && rest[i-1] == '\n'
		rest = rest[i+len("begin "):]
		if !atStart || len(rest) < 5 || !mode(rest[:3]) || rest[3] != ' ' {
			continue
		}
		line, after, ok := bytes.Cut(rest[4:], []byte("\n"))
		if !ok || len(after) == 0 || len(line) > maxName {
			continue
		}
		// The first octet of a data line is its length, 1 to 45, plus 32.
		if after[0] > ' ' && after[0] <= ' '+45 {
			return string(bytes.TrimSpace(line))
		}
	}
}

func mode(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '7' {
			return false
		}
	}
	return true
}
