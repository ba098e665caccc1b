package dnsbl

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// queue bounds what is asked: so many at once, so many waiting, so many in a second,
// so many addresses of one network. Its workers exist while there is work.
type queue struct {
	set    *Set
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu      sync.Mutex
	waiting []job // from head on, in a ring of fixed size
	head, n int
	workers int
	tokens  float64 // questions that may be asked now
	filled  time.Time
	nets    [4096]visits
	seed    maphash.Seed

	dropped uint64 // questions never asked
}

// job is one question: a client and the index of a list.
type job struct {
	e    *entry
	list int
}

// visits counts the addresses of the IPv6 networks that fall on one place.
type visits struct {
	minute int64
	n      int
}

func (q *queue) init(s *Set) {
	q.set, q.seed = s, maphash.MakeSeed()
	q.ctx, q.cancel = context.WithCancel(context.Background())
	q.waiting = make([]job, s.cfg.Queue)
	q.tokens, q.filled = float64(s.cfg.Rate), s.cfg.Now()
}

// admits counts a visit of a client, and says whether its network has any left. An
// IPv4 address is no more than itself; an IPv6 host has 2^64 of them.
func (q *queue) admits(x subject, now time.Time) bool {
	if x.name != "" || x.addr.Is4() {
		return true
	}
	net, _ := x.addr.Prefix(64) // an IPv6 address has one
	q.mu.Lock()
	defer q.mu.Unlock()
	v := &q.nets[maphash.Comparable(q.seed, net.Addr())%uint64(len(q.nets))]
	if m := now.Unix() / 60; v.minute != m {
		*v = visits{minute: m}
	}
	v.n++
	if v.n > q.set.cfg.PerNet {
		q.dropped++
		return false
	}
	return true
}

// add takes a question into the queue, or says why not.
func (q *queue) add(j job, now time.Time) string {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ctx.Err() != nil {
		return "shutting down"
	}
	rate := float64(q.set.cfg.Rate)
	q.tokens = min(q.tokens+max(now.Sub(q.filled).Seconds(), 0)*rate, rate)
	q.filled = now
	switch {
	case q.n == len(q.waiting):
		q.dropped++
		return "too many questions are waiting"
	case q.tokens < 1:
		q.dropped++
		return "the budget for questions is spent"
	}
	q.tokens--
	q.waiting[(q.head+q.n)%len(q.waiting)] = j
	q.n++
	if q.workers < q.set.cfg.Parallel {
		q.workers++
		q.done.Go(q.work)
	}
	return ""
}

func (q *queue) work() {
	for {
		q.mu.Lock()
		if q.n == 0 {
			q.workers--
			q.mu.Unlock()
			return
		}
		j := q.waiting[q.head]
		q.waiting[q.head] = job{}
		q.head = (q.head + 1) % len(q.waiting)
		q.n--
		q.mu.Unlock()
		q.set.ask(q.ctx, j)
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.cancel()
	q.mu.Unlock()
	q.done.Wait() // what waits is asked of a resolver whose context has ended
}
