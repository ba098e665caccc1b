package smtpd

import "testing"

func TestCapacity(t *testing.T) {
	for files, want := range map[uint64]int{
		0: 1, 256: 112, 1024: 448, 20_000: 16_672, 1 << 20: 100_000, 1 << 63: 100_000,
	} {
		got := capacity(files)
		if got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
		if need := got + turnedAway(got); uint64(need) > max(files, 2) {
			t.Errorf("%d files: %d may be open", files, need)
		}
	}
	if err := RaiseFileLimit(); err != nil {
		t.Error(err)
	}
	if n := Capacity(); n < 1 || n > mostConns {
		t.Errorf("room for %d connections", n)
	}
}
