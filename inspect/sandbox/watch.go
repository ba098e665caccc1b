package sandbox

import (
	"runtime/metrics"
	"sync"
	"time"
)

// Watch looks at the memory that the runtime holds every interval until stop is
// called, and calls over once when it is above limit. It is the second to look: the
// parent sees the whole process. It needs no file and no system call. The kernel's
// highest value (getrusage) won't do: a new process inherits that of its parent.
func Watch(limit int64, every time.Duration, over func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		held := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			metrics.Read(held)
			if int64(held[0].Value.Uint64()-held[1].Value.Uint64()) > limit {
				over()
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) })
}
