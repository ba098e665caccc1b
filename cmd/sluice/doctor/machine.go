package doctor

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/dns"
	"sluice/inspect/pool"
	"sluice/inspect/sandbox"
	"sluice/smtpd"
)

var errNobody = errors.New("dns.servers is none: nobody is asked")

// machine is what the checks want to know of the machine itself.
type machine struct {
	now      func() time.Time
	user     int // effective
	addrs    func() ([]netip.Addr, error)
	servers  func() []netip.AddrPort // of the system's resolver
	capacity func() int              // clients that the limit of open files allows
	free     func(path string) (free, size uint64, err error)
	synced   func() (bool, error)              // the clock follows others
	layers   func() []sandbox.Layer            // of the box that files are looked into in
	clamd    func() (path string, conf []byte) // its settings; "" where they can't be read
}

// complete fills what no test has set.
func (m machine) complete() machine {
	real := machine{now: time.Now, user: os.Geteuid(), addrs: ownAddrs, servers: dns.SystemServers, capacity: capacity, free: diskFree,
		synced: clockSynced, layers: pool.Available, clamd: clamdConf}
	if m.now == nil {
		return real // all or nothing: half a machine would be the test's and half this one
	}
	return m
}

func ownAddrs() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().IsGlobalUnicast() {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out, nil
}

// capacity is what the daemon would have with this shell's limit: it raises the soft
// one as it starts.
func capacity() int {
	_ = smtpd.RaiseFileLimit() // then the lower one counts
	return smtpd.Capacity()
}

func diskFree(path string) (free, size uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Blocks * uint64(st.Bsize), nil
}

// clockSynced asks the kernel whether a daemon keeps its clock (adjtimex(2)).
func clockSynced() (bool, error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0, err
}
