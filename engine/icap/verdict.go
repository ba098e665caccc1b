package icap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"sluice/engine"
)

// verdict is what an answer to RESPMOD amounts to.
type verdict struct {
	tag       string
	names     []string // of threats
	violation bool     // of a policy, not a threat
	container bool     // a container beyond the service's limits
	blocked   bool     // the message would be replaced or changed
}

// maxNames bounds the threats that are kept of one message.
const maxNames = 10

// findings puts a verdict into findings.
func (v verdict) findings(name string) ([]engine.Finding, error) {
	kind := engine.Malware
	if v.violation {
		kind = engine.Suspicious
	}
	var out []engine.Finding
	for _, n := range v.names {
		out = append(out, engine.Finding{Engine: name, Signature: n, Kind: kind})
	}
	switch {
	case v.container:
		return nil, fmt.Errorf("icap: a container that the service doesn't open: %w", engine.ErrUnscannable)
	case len(out) == 0 && v.blocked:
		// It says no and not why: a policy as likely as a threat.
		out = append(out, engine.Finding{Engine: name, Signature: "blocked without a name", Kind: engine.Suspicious})
	}
	return out, nil
}

// read makes a verdict of an answer, to whose end it reads.
func (c *Client) read(r *bufio.Reader, a answer, body []byte) (verdict, error) {
	var v verdict
	v.tag = engine.Printable(strings.Trim(a.fields["istag"], `"`), 64)
	v.words(a.fields)
	switch a.code {
	case 204: // RFC 3507 4.6: as it is
		return v, nil
	case 200, 201:
	default:
		if len(v.names) > 0 {
			return v, nil // some say 403 with a name
		}
		return verdict{}, refusal(a)
	}
	s, err := encapsulated(a.fields["encapsulated"])
	if err != nil {
		return verdict{}, err
	}
	code := 200
	if s.head > 0 {
		if code, err = v.head(r, s.head); err != nil {
			return verdict{}, err
		}
	}
	same := s.body == "null-body" && len(body) == 0
	if s.body == "res-body" {
		if same, err = equal(&chunked{r: r, most: int64(len(body)) + 1<<20}, body); err != nil {
			return verdict{}, broken(err)
		}
	}
	// A service without 204 gives the message back as it was.
	v.blocked = !same || code != 200
	return v, nil
}

// head reads the encapsulated HTTP header, in which some name the threat.
func (v *verdict) head(r *bufio.Reader, n int) (code int, err error) {
	b := make([]byte, n) // at most maxHeader
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, broken(err)
	}
	h := bufio.NewReader(bytes.NewReader(b))
	s, err := line(h, maxLine)
	if err == nil {
		code, err = status(s, "HTTP/1.")
	}
	if err != nil {
		return 0, headError(err)
	}
	f, err := readFields(h)
	if err != nil || h.Buffered() > 0 {
		return 0, headError(err)
	}
	v.words(f)
	return code, nil
}

func headError(err error) error {
	if err != nil && errors.Is(err, errSyntax) {
		return err
	}
	return syntax("Encapsulated doesn't fit the header that follows")
}

// equal compares a stream with a message, and reads it to its end.
func equal(r io.Reader, body []byte) (bool, error) {
	buf := make([]byte, 32<<10)
	same := true
	for {
		n, err := r.Read(buf)
		if n > len(body) || !bytes.Equal(buf[:n], body[:n]) {
			same, body = false, nil
		} else {
			body = body[n:]
		}
		switch {
		case errors.Is(err, io.EOF):
			return same && len(body) == 0, nil
		case err != nil:
			return false, err
		}
	}
}

// words takes the names of threats from the fields that services use.
func (v *verdict) words(f fields) {
	if s, ok := f["x-infection-found"]; ok {
		v.infection(s)
	}
	if s, ok := f["x-violations-found"]; ok {
		v.violations(s)
	}
	for _, name := range []string{"x-virus-id", "x-virus-name", "x-fsecure-infection-name"} {
		v.add(f[name])
	}
}

// none are values by which services say that there is nothing.
var none = []string{"", "-", "none", "no", "clean", "ok", "no threats", "no threats found", "not infected", "0"}

// add takes a name once.
func (v *verdict) add(s string) {
	s = engine.Printable(strings.Trim(s, "\" \t\n;"), engine.MaxSignature)
	for _, n := range none {
		if strings.EqualFold(s, n) {
			return
		}
	}
	for _, n := range v.names {
		if n == s {
			return
		}
	}
	if len(v.names) < maxNames {
		v.names = append(v.names, s)
	}
}

// infection reads "Type=0; Resolution=2; Threat=EICAR;" (draft-stecher-icap-subid 3.5).
// Type 0 is a threat, 1 a violation of policy, 2 a container that isn't opened.
func (v *verdict) infection(s string) {
	kind, threat := "0", ""
	known := false
	for field := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			continue
		}
		switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(name)) {
		case "type":
			kind, known = value, true
		case "threat":
			threat, known = value, true
		}
	}
	if !known {
		v.add(s) // a bare name
		return
	}
	switch kind {
	case "1":
		v.violation = true
	case "2":
		v.container = true
		return
	}
	before := len(v.names)
	v.add(threat)
	if len(v.names) == before {
		v.add("a threat without a name")
	}
}

// violations reads X-Violations-Found (draft-stecher-icap-subid 3.7): a count, and four
// lines for each: file, threat, its number, what was done.
func (v *verdict) violations(s string) {
	lines := strings.Split(s, "\n")
	if lines[0] == "0" {
		return
	}
	before := len(v.names)
	for i := 2; i < len(lines); i += 4 {
		v.add(lines[i])
	}
	if len(v.names) == before {
		v.blocked = true
	}
}
