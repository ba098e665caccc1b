package link_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"sluice/check"
	"sluice/check/checktest"
	"sluice/check/link"
)

// BenchmarkFifty measures all checks of links on a message with fifty of them, to twenty
// hosts, as a newsletter has them.
func BenchmarkFifty(b *testing.B) {
	var html strings.Builder
	html.WriteString("<p>The spring catalogue has arrived; these are the lamps and chairs that our readers liked best.</p>")
	for i := range 50 {
		fmt.Fprintf(&html, `<p><a href="https://shop%d.example.com/item/%d?utm_source=mail&amp;utm_campaign=spring&amp;u=3f2a9c81d04e5b66">Item %d of the spring catalogue</a></p>`, i%20, i, i)
	}
	in := checktest.Input(checktest.Mail("Content-Type: text/html", html.String()))
	in.Message.View()
	list := link.Checks()
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		in.Notes = new(check.Notes) // as for each message
		for _, c := range list {
			if _, err := c.Check(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
}

// cpu is the time that the process has used; other programs don't count.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // a failure shows as 0
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
