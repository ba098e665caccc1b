package copycat

import (
	"testing"
	"unsafe"
)

// A campaign takes what the documentation says: with its features half a kilobyte.
func TestSize(t *testing.T) {
	if n := unsafe.Sizeof(record{}); n != 256 {
		t.Errorf("a campaign takes %d octets", n)
	}
	if n := unsafe.Sizeof(bucket{}); n != 64 {
		t.Errorf("a bucket takes %d octets", n)
	}
}
