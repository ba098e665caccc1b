package sluice

import (
	"encoding/hex"
	"errors"
)

// Bounds of what a record tells of files: how many, and how many of their links and
// signs, each of at most 200 octets, all files together.
const (
	MaxFilesSeen = 64
	MaxLinksSeen = 64
	MaxSignsSeen = 128
)

// FileSeen is a file that was looked into: one that a message carries, or one that
// was found inside of another. A list of them is a tree written line by line: what a
// file holds follows it, one deeper. The strings but Type, Class and Content are
// hostile.
type FileSeen struct {
	Name    string `json:"name"`             // as its container gives it, with folders, at most 255 octets
	In      string `json:"in,omitempty"`     // the files that hold it, outermost first, joined by " › "
	Depth   int    `json:"depth"`            // 0 for what the message itself carries
	Type    string `json:"type"`             // by content; "" where nothing was recognised
	Class   string `json:"class"`            // what policy calls it: "archive, encrypted"; may be ""
	Size    int64  `json:"size"`             // octets that were read; those declared where none were
	SHA256  Digest `json:"sha256,omitzero"`  // of what was read; zero where nothing was
	Content string `json:"content"`          // how much was read: "whole", "partial", "listed", "locked"
	Marked  bool   `json:"marked,omitempty"` // evidence speaks of it

	Links []string `json:"links,omitempty"` // addresses in it, as found; hostile
	Signs []string `json:"signs,omitempty"` // what was found in it: kinds such as "MACRO_AUTORUN"
}

// Digest is a SHA-256. Its text is 64 hexadecimal digits, and none for the zero one,
// which stands for no digest.
type Digest [32]byte

// ErrDigest is what [ParseDigest] returns for all that isn't one.
var ErrDigest = errors.New("want the 64 hexadecimal digits of a SHA-256")

// ParseDigest reads one in either case.
func ParseDigest(s string) (d Digest, err error) {
	if len(s) != 2*len(d) {
		return d, ErrDigest
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, ErrDigest
	}
	return d, nil
}

// IsZero says whether there is none.
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// MarshalText writes what String returns.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (d *Digest) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	*d, err = ParseDigest(string(b))
	return err
}
