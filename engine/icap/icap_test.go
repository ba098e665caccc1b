package icap_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/engine"
	"sluice/engine/icap"
	"sluice/engine/icap/icaptest"
)

var usual = []string{"Methods: RESPMOD", "Preview: 16", "Allow: 204", "Max-Connections: 3", "Options-TTL: 3600", `ISTag: "t1"`, "Service: Test 1.0"}

func client(t testing.TB, urls ...string) *icap.Client {
	t.Helper()
	c, err := icap.New(icap.Config{URLs: urls})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestVerdicts(t *testing.T) {
	body := []byte("Subject: x\r\n\r\nA message that is longer than the preview.\r\n")
	same := "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\n\r\n"
	for name, c := range map[string]struct {
		answer string
		want   []engine.Finding
		err    error
	}{
		"no content":    {answer: icaptest.Clean},
		"given back":    {answer: icaptest.Answer(200, same, string(body))},
		"no threats":    {answer: "ICAP/1.0 204 x\r\nX-Virus-ID: no threats\r\n\r\n"},
		"no violations": {answer: "ICAP/1.0 204 x\r\nX-Violations-Found: 0\r\n\r\n"},
		"infection":     {answer: icaptest.Modified(403, "blocked", "X-Infection-Found: Type=0; Resolution=2; Threat=EICAR-Test;"), want: found("EICAR-Test", engine.Malware)},
		"no name":       {answer: icaptest.Modified(200, "x", "X-Infection-Found: Type=0; Resolution=2; Threat=;"), want: found("a threat without a name", engine.Malware)},
		"bare name":     {answer: icaptest.Modified(200, "x", "X-Infection-Found: Worm.A"), want: found("Worm.A", engine.Malware)},
		"policy":        {answer: icaptest.Modified(403, "x", "X-Infection-Found: Type=1; Resolution=2; Threat=Movie;"), want: found("Movie", engine.Suspicious)},
		"container":     {answer: icaptest.Modified(403, "x", "X-Infection-Found: Type=2; Resolution=2; Threat=Encrypted;"), err: engine.ErrUnscannable},
		"virus id":      {answer: icaptest.Modified(403, "x", "X-Virus-ID: EICAR"), want: found("EICAR", engine.Malware)},
		"with 204":      {answer: "ICAP/1.0 204 x\r\nX-Virus-ID: EICAR\r\n\r\n", want: found("EICAR", engine.Malware)},
		"with 403":      {answer: "ICAP/1.0 403 x\r\nX-Virus-ID: EICAR\r\n\r\n", want: found("EICAR", engine.Malware)},
		"both":          {answer: icaptest.Modified(403, "x", "X-Virus-ID: EICAR", "X-Infection-Found: Type=0; Resolution=0; Threat=EICAR;"), want: found("EICAR", engine.Malware)},
		"in HTTP":       {answer: icaptest.Answer(200, "HTTP/1.1 403 Forbidden\r\nX-Virus-Name: Worm.B\r\n\r\n", "x"), want: found("Worm.B", engine.Malware)},
		"replaced":      {answer: icaptest.Modified(403, "a page"), want: found("blocked without a name", engine.Suspicious)},
		"changed":       {answer: icaptest.Answer(200, same, strings.ToUpper(string(body))), want: found("blocked without a name", engine.Suspicious)},
		"cut short":     {answer: icaptest.Answer(200, same, string(body[:20])), want: found("blocked without a name", engine.Suspicious)},
		"longer":        {answer: icaptest.Answer(200, same, string(body)+"x"), want: found("blocked without a name", engine.Suspicious)},
		"taken away":    {answer: "ICAP/1.0 200 x\r\nEncapsulated: null-body=0\r\n\r\n", want: found("blocked without a name", engine.Suspicious)},
		"too large":     {answer: "ICAP/1.0 413 x\r\n\r\n", err: engine.ErrUnscannable},
		"violations": {answer: icaptest.Modified(403, "x", "X-Violations-Found: 2\r\n\ta.exe\r\n\tWorm.A\r\n\t1\r\n\t2\r\n\tb.exe\r\n\tWorm.B\r\n\t2\r\n\t2"),
			want: append(found("Worm.A", engine.Malware), found("Worm.B", engine.Malware)...)},
		"escapes": {answer: icaptest.Modified(403, "x", "X-Virus-ID: A\x1b[31m\xffB"), want: found("A [31m B", engine.Malware)},
	} {
		t.Run(name, func(t *testing.T) {
			s := icaptest.Start(t, &icaptest.Server{Options: usual, Answer: func(icaptest.Request) string { return c.answer }})
			x := client(t, s.URL())
			for range 2 { // the second one on the same connection
				got, err := x.Scan(within(t, 10*time.Second), body)
				if !errors.Is(err, c.err) || c.err == nil && err != nil {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

func found(name string, k engine.Kind) []engine.Finding {
	return []engine.Finding{{Engine: "icap", Signature: name, Kind: k}}
}

// TestRequest looks at what services get.
func TestRequest(t *testing.T) {
	large := bytes.Repeat([]byte("some words\r\n"), 100_000)
	for name, c := range map[string]struct {
		options []string
		body    []byte
		preview int
		ieof    bool
		allow   bool
	}{
		"preview":       {usual, large, 16, false, true},
		"all in it":     {usual, []byte("short"), 5, true, true},
		"exactly":       {usual, large[:16], 16, true, true},
		"empty":         {usual, nil, 0, true, true},
		"preview of 0":  {[]string{"Preview: 0"}, large, 0, false, false},
		"no preview":    {[]string{"Methods: RESPMOD, REQMOD", "Allow: 204"}, large, -1, false, true},
		"absurd values": {[]string{"Preview: -7", "Options-TTL: 99999999999999999999", "Max-Connections: 0", "Allow: 2040"}, large, -1, false, false},
		"huge preview":  {[]string{"Preview: 999999999"}, large, 64 << 10, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := icaptest.Start(t, &icaptest.Server{Options: c.options})
			x := client(t, s.URL())
			for range 2 {
				if f, err := x.Scan(within(t, 10*time.Second), c.body); f != nil || err != nil {
					t.Fatalf("%v, %v", f, err)
				}
			}
			for _, q := range s.Requests() {
				if q.Preview != c.preview || q.Complete != c.ieof || !bytes.Equal(q.Body, c.body) || q.Conn != 1 {
					t.Errorf("preview %d, ieof %v, %d octets, connection %d", q.Preview, q.Complete, len(q.Body), q.Conn)
				}
				if got := strings.Contains(strings.Join(q.Header, "\n"), "Allow: 204"); got != c.allow {
					t.Errorf("Allow: 204 is %v", got)
				}
				if !strings.Contains(q.HTTP, fmt.Sprintf("Content-Length: %d\r\n", len(c.body))) || !strings.HasSuffix(q.HTTP, "\r\n\r\n") {
					t.Errorf("HTTP %q", q.HTTP)
				}
			}
		})
	}
}

// TestEarly answers to the preview, and in the middle of a message.
func TestEarly(t *testing.T) {
	large := bytes.Repeat([]byte("some words\r\n"), 1_000_000)
	s := icaptest.Start(t, &icaptest.Server{Options: usual, Early: true, Answer: func(icaptest.Request) string {
		return icaptest.Modified(403, "no", "X-Virus-ID: A")
	}})
	x := client(t, s.URL())
	for range 3 {
		if f, err := x.Scan(within(t, 10*time.Second), large); err != nil || len(f) != 1 {
			t.Errorf("%v, %v", f, err)
		}
	}
	if n := len(s.Requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
	s = icaptest.Start(t, &icaptest.Server{Raw: func(c net.Conn) {
		b := make([]byte, 1000)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if bytes.HasPrefix(b[:n], []byte("OPTIONS")) {
				_, _ = io.WriteString(c, "ICAP/1.0 200 OK\r\n\r\n")
				continue
			}
			_, _ = io.WriteString(c, icaptest.Modified(403, "no", "X-Virus-ID: A"))
			time.Sleep(300 * time.Millisecond) // and doesn't read on
			return
		}
	}})
	if f, err := client(t, s.URL()).Scan(within(t, 10*time.Second), large); err != nil || len(f) != 1 {
		t.Errorf("in the middle: %v, %v", f, err)
	}
}

// TestStreaming gives the message back while it comes in, as services do that change
// what passes through.
func TestStreaming(t *testing.T) {
	large := bytes.Repeat([]byte("some words\r\n"), 1_000_000)
	s := icaptest.Start(t, &icaptest.Server{Raw: func(c net.Conn) {
		r := bufio.NewReader(c)
		for {
			s, err := r.ReadString('\n')
			if err != nil {
				return
			}
			switch {
			case strings.HasPrefix(s, "OPTIONS"):
				_, _ = io.WriteString(c, "ICAP/1.0 200 OK\r\n\r\n")
			case strings.HasPrefix(s, "Content-Length:"):
				_, _ = r.ReadString('\n') // the empty line; what follows is the chunks
				head := "HTTP/1.1 200 OK\r\n\r\n"
				_, _ = fmt.Fprintf(c, "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=%d\r\n\r\n%s", len(head), head)
				_, _ = io.Copy(c, r) // chunks as they come
				return
			}
		}
	}})
	if f, err := client(t, s.URL()).Scan(within(t, 20*time.Second), large); f != nil || err != nil {
		t.Errorf("%v, %v", f, err)
	}
}

// TestHostile plays servers that lie, flood or hang: never clean, never for long.
func TestHostile(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	ok := "ICAP/1.0 200 OK\r\n"
	for name, answer := range map[string]string{
		"nothing":            "",
		"rubbish":            "220 mail.example.org ESMTP\r\n",
		"HTTP":               "HTTP/1.1 204 No Content\r\n\r\n",
		"no code":            "ICAP/1.0 OK\r\n\r\n",
		"code of 4 digits":   "ICAP/1.0 2040 OK\r\n\r\n",
		"bare LF":            "ICAP/1.0 204 OK\n\n",
		"bare CR":            "ICAP/1.0 204 OK\r\nA: b\rc\r\n\r\n",
		"NUL":                "ICAP/1.0 204 OK\r\nA: \x00\r\n\r\n",
		"endless line":       "ICAP/1.0 204 " + big + big,
		"endless header":     "ICAP/1.0 204 OK\r\n" + strings.Repeat("A: b\r\n", 100_000),
		"no field":           "ICAP/1.0 204 OK\r\nrubbish\r\n\r\n",
		"folded first":       "ICAP/1.0 204 OK\r\n a: b\r\n\r\n",
		"cut short":          "ICAP/1.0 204 OK\r\nA: b\r\n",
		"error":              "ICAP/1.0 500 x\r\n\r\n",
		"overloaded":         "ICAP/1.0 503 x\r\n\r\n",
		"partial":            "ICAP/1.0 206 x\r\n\r\n",
		"no such service":    "ICAP/1.0 404 x\r\n\r\n",
		"100 for ever":       strings.Repeat("ICAP/1.0 100 Continue\r\n\r\n", 1000),
		"no Encapsulated":    ok + "\r\n",
		"negative":           ok + "Encapsulated: res-hdr=0, res-body=-5\r\n\r\n",
		"huge offset":        ok + "Encapsulated: res-hdr=0, res-body=999999999\r\n\r\n",
		"backwards":          ok + "Encapsulated: res-hdr=50, res-body=0\r\n\r\n",
		"a request":          ok + "Encapsulated: req-hdr=0, res-body=10\r\n\r\n0123456789",
		"two bodies":         ok + "Encapsulated: res-body=0, null-body=10\r\n\r\n",
		"header cut":         ok + "Encapsulated: res-hdr=0, res-body=10\r\n\r\nHTTP/1.1 2",
		"header too short":   ok + "Encapsulated: res-hdr=0, res-body=10\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n",
		"header too long":    ok + "Encapsulated: res-hdr=0, res-body=25\r\n\r\nHTTP/1.1 200 OK\r\n\r\n012345\r\n0\r\n\r\n",
		"negative chunk":     ok + "Encapsulated: res-body=0\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
		"huge chunk":         ok + "Encapsulated: res-body=0\r\n\r\nffffffffffffffff\r\nhello",
		"chunk beyond":       ok + "Encapsulated: res-body=0\r\n\r\nfffffff\r\nhello",
		"chunk without CRLF": ok + "Encapsulated: res-body=0\r\n\r\n1\r\nab0\r\n\r\n",
		"chunk line":         ok + "Encapsulated: res-body=0\r\n\r\n1;" + big,
		"body cut":           ok + "Encapsulated: res-body=0\r\n\r\n5\r\nhel",
		"endless body":       ok + "Encapsulated: res-body=0\r\n\r\n" + strings.Repeat("10000\r\n"+big[:1<<16]+"\r\n", 64),
		"endless trailer":    ok + "Encapsulated: res-body=0\r\n\r\n0\r\n" + strings.Repeat("A: b\r\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := icaptest.Start(t, &icaptest.Server{Options: usual, Answer: func(icaptest.Request) string { return answer }})
			start := time.Now()
			f, err := client(t, s.URL()).Scan(within(t, time.Second), []byte("Subject: x\r\n\r\nlonger than the preview\r\n"))
			if err == nil || f != nil || errors.Is(err, engine.ErrUnscannable) {
				t.Errorf("%v, %v", f, err)
			}
			if took := time.Since(start); took > 8*time.Second {
				t.Errorf("took %v", took)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d octets", len(err.Error()))
			}
		})
	}
	for name, raw := range map[string]func(net.Conn){
		"closes":     func(net.Conn) {},
		"never says": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"drips": func(c net.Conn) {
			for _, b := range []byte("ICAP/1.0 200 OK\r\nA: " + big) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := icaptest.Start(t, &icaptest.Server{Raw: raw})
			if f, err := client(t, s.URL()).Scan(within(t, 500*time.Millisecond), []byte("x")); err == nil || f != nil {
				t.Errorf("%v, %v", f, err)
			}
			if _, err := client(t, s.URL()).Probe(within(t, 500*time.Millisecond)); err == nil {
				t.Error("the probe passes")
			}
		})
	}
}

// TestFailover has a dead host, one that lost its connections, and an ISTag that changes.
func TestFailover(t *testing.T) {
	tag := "t1"
	s := icaptest.Start(t, &icaptest.Server{Options: usual, Answer: func(q icaptest.Request) string {
		a := strings.Replace(icaptest.Clean, "t1", tag, 1)
		if q.Conn == 1 {
			return strings.Replace(a, "\r\n", "\r\nConnection: close\r\n", 1)
		}
		return a
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := "icap://" + l.Addr().String() + "/scan"
	_ = l.Close()
	x := client(t, dead, s.URL())
	for range 5 {
		if f, err := x.Scan(within(t, 10*time.Second), []byte("a message of some length")); f != nil || err != nil {
			t.Fatalf("%v, %v", f, err)
		}
	}
	info, err := x.Probe(within(t, 10*time.Second))
	if err != nil || len(info.Warnings) != 1 || info.Version != "Test 1.0 t1" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestConfig(t *testing.T) {
	for _, bad := range []string{"", "http://host/x", "icap:///x", "icap://user:pass@host/x", "host:1344", "icap://host/a b", "icap://host/x#y"} {
		if _, err := icap.New(icap.Config{URLs: []string{bad}}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if _, err := icap.New(icap.Config{URLs: []string{"icap://a/x", "icap://b/y"}}); err == nil {
		t.Error("two services were taken for one")
	}
	for _, good := range []string{"icap://host/x", "icaps://[::1]:11344/avscan?allow204=on"} {
		if _, err := icap.New(icap.Config{URLs: []string{good}}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := icaptest.Start(b, &icaptest.Server{Options: []string{"Preview: 4096", "Allow: 204", "Methods: RESPMOD", "Options-TTL: 3600"}})
	x := client(b, s.URL())
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20, 10 << 20} {
		body := bytes.Repeat([]byte("some words\n"), size/11)
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if f, err := x.Scan(context.Background(), body); f != nil || err != nil {
					b.Fatal(f, err)
				}
			}
		})
	}
}
