package scan

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func newReader(b []byte) *bufio.Reader { return bufio.NewReaderSize(bytes.NewReader(b), bufferSize) }

func TestBatch(t *testing.T) {
	dir := tree(t, map[string]string{"m/1.eml": "From x\nSubject: 1\n\n"})
	in := `{"id":"one","file":"m/1.eml","ip":"192.0.2.1","helo":"mail.example.com","mail_from":"<a@example.com>","rcpt":["<b@example.org>","c@example.org"],"authenticated":true}

{"file":"m/1.eml","mail_from":"","authenticated":"joe","ip":null,"rcpt":[]}
{"file":"absent.eml","authenticated":false}
`
	var jobs []*Job
	for j, err := range Batch(strings.NewReader(in), "batch.jsonl", dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, j)
	}
	if len(jobs) != 3 {
		t.Fatalf("%d jobs, want 3", len(jobs))
	}
	j := jobs[0]
	if j.ID != "one" || j.File != "m/1.eml" || j.Client != netip.MustParseAddr("192.0.2.1") || j.Hello != "mail.example.com" ||
		j.From != "a@example.com" || !j.HasFrom || fmt.Sprint(j.Rcpts) != "[b@example.org c@example.org]" || j.Account != "a@example.com" || j.Line != 1 {
		t.Errorf("first job: %+v", j)
	}
	if m, err := j.Open(); err != nil || string(m.Raw) != "Subject: 1\r\n\r\n" {
		t.Errorf("first message: %v, %v", m, err)
	}
	j = jobs[1]
	if j.ID != "m/1.eml" || j.From != "" || !j.HasFrom || j.Client.IsValid() || j.Account != "joe" || j.Line != 3 {
		t.Errorf("second job: %+v", j)
	}
	j = jobs[2]
	if j.HasFrom || j.Account != "" {
		t.Errorf("third job: %+v", j)
	}
	if _, err := j.Open(); err == nil {
		t.Error("an absent file opens")
	}
}

func TestBatchErrors(t *testing.T) {
	for in, want := range map[string]string{
		`{"file":"a","hello":"x"}`:            `scan: b:1:13: unknown key "hello"`,
		`{"file":"a","File":"x"}`:             `scan: b:1:13: unknown key "File"`,
		`{"file":"a",  "file":"x"}`:           `scan: b:1:15: key "file" is given twice`,
		`{"id":"a"}`:                          `scan: b:1:1: "file" is missing`,
		`{"file":"a","ip":"192.0.2"}`:         `scan: b:1:18: ip: "192.0.2" is no address`,
		`{"file":1}`:                          `scan: b:1:9: file: want a string`,
		`{"file":"a","rcpt":"b"}`:             `scan: b:1:20: rcpt: want a list of strings`,
		`{"file":"a","rcpt":[["b"]]}`:         `scan: b:1:21: rcpt: want a list of strings`,
		`{"file":"a","authenticated":1}`:      `scan: b:1:29: authenticated: want true, false or an account`,
		`{"file":"a","mail_from":{}}`:         `scan: b:1:25: mail_from: want a string`,
		`[]`:                                  `scan: b:1:1: want one JSON object a line`,
		`{"file":"a"} {}`:                     `scan: b:1:14: something follows the object`,
		`{"file":"a"`:                         `scan: b:1:12: unexpected EOF`,
		"\n{\"file\" \"a\"}":                  `scan: b:2:9: invalid character '"' after object key`,
		"\n" + strings.Repeat("x", 2<<20):     `scan: b:2:1: line over 1048576 bytes`,
		`{"file":"` + "\xff" + `","id":"a"}x`: `scan: b:1:22: something follows the object`,
	} {
		var got string
		for _, err := range Batch(strings.NewReader(in), "b", "", 0) {
			if err != nil {
				got += err.Error()
			}
		}
		if got != want {
			t.Errorf("%.60s:\n got %s\nwant %s", in, got, want)
		}
	}
	// The line behind a bad one is read.
	n := 0
	for j, err := range Batch(strings.NewReader("{}\n{\"file\":\"a\"}\n"), "b", "", 0) {
		if n++; (n == 1) != (err != nil) || (n == 2) != (j != nil) {
			t.Errorf("line %d: %v, %v", n, j, err)
		}
	}
	if n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"id":"one","file":"m/1.eml","ip":"192.0.2.1","helo":"mail.example.com","mail_from":"<a@example.com>","rcpt":["<b@example.org>"],"authenticated":true}`))
	f.Add([]byte("{\"file\":\"a\"}\n\n{\"file\":null}\n[[[[\n{\"rcpt\":[{}]}"))
	f.Add([]byte(`{"file":"a","rcpt":[1]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		last := 0
		for j, err := range Batch(bytes.NewReader(b), "b", "", 0) {
			if (j == nil) == (err == nil) {
				t.Fatalf("job %v with error %v", j, err)
			}
			if err != nil {
				var line, col int
				if n, serr := fmt.Sscanf(err.Error(), "scan: b:%d:%d:", &line, &col); n != 2 || serr != nil || line < 1 || col < 1 {
					t.Fatalf("no place in %q", err)
				}
				continue
			}
			if j.File == "" || j.ID == "" || j.Line <= last {
				t.Fatalf("job %+v", j)
			}
			last = j.Line
		}
	})
}
