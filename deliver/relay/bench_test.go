package relay_test

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/deliver/relay"
)

// sink takes every message as cheaply as it can.
func sink(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go serveSink(nc)
		}
	}()
	return l.Addr().String()
}

func serveSink(nc net.Conn) {
	defer nc.Close()
	r := bufio.NewReaderSize(nc, 64<<10)
	w := bufio.NewWriter(nc)
	_, _ = w.WriteString("220 sink\r\n")
	for text := false; ; {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch {
		case text:
			if text = !bytes.Equal(line, []byte(".\r\n")); !text {
				_, _ = w.WriteString("250 2.0.0 Ok\r\n")
			}
		case bytes.HasPrefix(line, []byte("EHLO")):
			_, _ = w.WriteString("250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			text = true
			_, _ = w.WriteString("354 Go\r\n")
		default:
			_, _ = w.WriteString("250 2.0.0 Ok\r\n")
		}
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDeliver relays 4 kB over loopback; the CPU time is that of relay and
// sink together.
func BenchmarkDeliver(b *testing.B) {
	r, err := relay.New(relay.Config{Hosts: []string{sink(b)}, Hello: "gate.example"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.Close() })
	d := delivery("Subject: x\r\n\r\n" + strings.Repeat("A line of text that is neither short nor long, sixty four.\r\n", 67))
	b.SetBytes(int64(len(d.Body)))
	b.ReportAllocs()
	before, n := cpu(), 0
	for b.Loop() {
		if o := r.Deliver(b.Context(), d)[0]; !o.Delivered() {
			b.Fatal(o)
		}
		n++
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/float64(n), "cpu-µs/op")
}
