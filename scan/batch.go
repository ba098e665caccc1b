package scan

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// maxBatchLine bounds one line of a batch.
const maxBatchLine = 1 << 20

// Job is one line of a batch: a stored message with the envelope it came in.
type Job struct {
	Item

	Client  netip.Addr // "ip"; invalid where absent
	Hello   string     // "helo"
	From    string     // "mail_from" without brackets, "" is the null sender
	HasFrom bool       // "mail_from" was given
	Rcpts   []string   // "rcpt"
	Account string     // "authenticated": the account; true is the sender's address
	Time    time.Time  // "time": when it comes, RFC 3339; zero where absent
	Line    int
}

// Batch reads JSON objects, one a line, with the keys id, file, ip, helo,
// mail_from, rcpt, authenticated and time. All but file may be left out; empty lines
// are passed over. An unknown key, a key given twice or a wrong value is an error
// with line and column; the caller may go on to the next line or stop. File names
// are relative to dir; name stands in errors. MaxSize as in [Config].
func Batch(r io.Reader, name, dir string, maxSize int64) iter.Seq2[*Job, error] {
	if maxSize <= 0 {
		maxSize = MaxSize
	}
	return func(yield func(*Job, error) bool) {
		in := bufio.NewScanner(r)
		in.Buffer(nil, maxBatchLine)
		line := 0
		for in.Scan() {
			line++
			if len(bytes.TrimSpace(in.Bytes())) == 0 {
				continue
			}
			j, col, err := parseJob(in.Bytes())
			if err != nil {
				if !yield(nil, fmt.Errorf("scan: %s:%d:%d: %w", name, line, col, err)) {
					return
				}
				continue
			}
			j.Line = line
			if j.ID == "" {
				j.ID = j.File
			}
			path := j.File
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			j.open = opener(path, 0, -1, maxSize, NewMail)
			if !yield(j, nil) {
				return
			}
		}
		if err := in.Err(); err != nil {
			if errors.Is(err, bufio.ErrTooLong) {
				err = fmt.Errorf("line over %d bytes", maxBatchLine)
			}
			yield(nil, fmt.Errorf("scan: %s:%d:1: %w", name, line+1, err))
		}
	}
}

// jobParser walks the tokens of one line. Package json alone would take keys in
// any case, the last of several equal ones, and tell no place of an unknown one.
type jobParser struct {
	d    *json.Decoder
	b    []byte
	at   int  // where the last token begins
	self bool // "authenticated" is true: as the sender
}

func parseJob(b []byte) (j *Job, col int, err error) {
	p := &jobParser{d: json.NewDecoder(bytes.NewReader(b)), b: b}
	j = new(Job)
	if err := p.object(j); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, p.at + 1, err
	}
	return j, 0, nil
}

func (p *jobParser) token() (json.Token, error) {
	p.at = int(p.d.InputOffset())
	p.at = len(p.b) - len(bytes.TrimLeft(p.b[p.at:], " \t\r\n,:"))
	return p.d.Token()
}

func (p *jobParser) object(j *Job) error {
	t, err := p.token()
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return errors.New("want one JSON object a line")
	}
	seen := map[string]bool{}
	for p.d.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key := t.(string) // keys of an object are strings
		if seen[key] {
			return fmt.Errorf("key %q is given twice", key)
		}
		seen[key] = true
		if err := p.field(j, key); err != nil {
			return err
		}
	}
	if _, err := p.token(); err != nil {
		return err
	}
	if _, err := p.token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	if j.File == "" {
		p.at = 0
		return errors.New(`"file" is missing`)
	}
	if p.self {
		j.Account = j.From
	}
	return nil
}

func (p *jobParser) field(j *Job, key string) error {
	switch key {
	case "id":
		return p.text(key, &j.ID)
	case "file":
		return p.text(key, &j.File)
	case "helo":
		return p.text(key, &j.Hello)
	case "ip":
		var s string
		if err := p.text(key, &s); err != nil || s == "" {
			return err
		}
		if j.Client = parseAddr(s); !j.Client.IsValid() {
			return fmt.Errorf("ip: %q is no address", s)
		}
		return nil
	case "time":
		var s string
		if err := p.text(key, &s); err != nil || s == "" {
			return err
		}
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return fmt.Errorf("time: %q is no time such as 2026-11-24T15:00:00Z", s)
		}
		j.Time = at
		return nil
	case "mail_from":
		t, err := p.token()
		if s, ok := t.(string); ok && err == nil {
			j.From, j.HasFrom = unbracket(s), true
			return nil
		}
		return p.want(key, "a string", t, err)
	case "rcpt":
		return p.list(key, &j.Rcpts)
	case "authenticated":
		t, err := p.token()
		switch v := t.(type) {
		case string:
			j.Account = v
			return err
		case bool:
			p.self = v
			return err
		}
		return p.want(key, "true, false or an account", t, err)
	}
	return fmt.Errorf("unknown key %q", key)
}

func (p *jobParser) want(key, what string, t json.Token, err error) error {
	if err != nil || t == nil { // null is as if the key were absent
		return err
	}
	return fmt.Errorf("%s: want %s", key, what)
}

func (p *jobParser) text(key string, to *string) error {
	t, err := p.token()
	if s, ok := t.(string); ok && err == nil {
		*to = s
		return nil
	}
	return p.want(key, "a string", t, err)
}

func (p *jobParser) list(key string, to *[]string) error {
	t, err := p.token()
	if t != json.Delim('[') {
		return p.want(key, "a list of strings", t, err)
	}
	for p.d.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		s, ok := t.(string)
		if !ok {
			return fmt.Errorf("%s: want a list of strings", key)
		}
		*to = append(*to, unbracket(s))
	}
	_, err = p.token()
	return err
}

func unbracket(s string) string {
	s = strings.TrimSpace(s)
	if in, ok := strings.CutPrefix(s, "<"); ok {
		if in, ok := strings.CutSuffix(in, ">"); ok {
			return in
		}
	}
	return s
}
