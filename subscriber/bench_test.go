package subscriber_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sluice"
	"sluice/subscriber"
)

// What a message sent costs, by the number of subscribers: it must stay flat.
func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, err := subscriber.New(subscriber.Config{Key: []byte("0123456789abcdef"), Cases: store(), ID: numbers("case")})
			if err != nil {
				b.Fatal(err)
			}
			list := make([]subscriber.Subject, n)
			m := clean(0)
			m.Client = netip.MustParseAddr("192.0.2.1")
			for i := range list {
				list[i] = *person(fmt.Sprint("user", i))
				w.Judge(context.Background(), noon, &list[i], m)
			}
			random := rand.New(rand.NewPCG(1, 2))
			now := noon
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(100 * time.Millisecond)
				w.Judge(context.Background(), now, &list[random.IntN(n)], m)
			}
		})
	}
}

// A subscriber under suspicion costs more, and a held one is held for little.
func BenchmarkJudgeHeld(b *testing.B) {
	d := open(b, store(), nil)
	s := person("bob")
	for i := range 5 {
		d.Judge(context.Background(), noon, s, spam(i))
	}
	if d.Standing(noon, s).Restrict != sluice.RestrictHold {
		b.Fatal("not held")
	}
	m := spam(1)
	b.ReportAllocs()
	for b.Loop() {
		d.Judge(context.Background(), noon, s, m)
	}
}
