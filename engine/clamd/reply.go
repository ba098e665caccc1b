package clamd

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/engine"
)

// reply is the reply to INSTREAM.
type reply struct {
	found    bool
	failed   bool
	tooLarge bool   // beyond StreamMaxLength
	text     string // the signature, or what is wrong; printable and bounded
}

// cutID takes the number of the command from the front of a session's reply: "12: ".
func cutID(s string) (id int, rest string, ok bool) {
	n, rest, ok := strings.Cut(s, ": ")
	if !ok || len(n) > 9 || n == "" || n[0] < '1' || n[0] > '9' {
		return 0, s, false
	}
	id, err := strconv.Atoi(n)
	return id, rest, err == nil
}

// parse reads a reply without its number. What it doesn't know is an error.
func parse(s string) (reply, error) {
	const tooLarge = "INSTREAM size limit exceeded"
	rest, stream := strings.CutPrefix(s, "stream: ")
	failure, failed := strings.CutSuffix(rest, " ERROR")
	signature, found := strings.CutSuffix(rest, " FOUND")
	switch {
	case failed && strings.HasPrefix(failure, tooLarge):
		return reply{failed: true, tooLarge: true, text: tooLarge}, nil
	case failed:
		return reply{failed: true, text: engine.Printable(failure, engine.MaxSignature)}, nil
	case stream && rest == "OK":
		return reply{}, nil
	case stream && found:
		if name := engine.Printable(bare(signature), engine.MaxSignature); name != "" {
			return reply{found: true, text: name}, nil
		}
	}
	return reply{}, fmt.Errorf("clamd: an answer that nobody knows: %q", engine.Printable(s, 200))
}

// bare takes the digest and size from a signature: "Name(44d88612fea8a8f3:68)"
// (ExtendedDetectionInfo).
func bare(s string) string {
	if i := strings.LastIndexByte(s, '('); i > 0 && strings.HasSuffix(s, ")") && strings.IndexByte(s[i:], ':') > 0 {
		return s[:i]
	}
	return s
}
