// Package reason is the catalogue of reasons: every fact that a check may
// state, every cause for which mail is refused or deferred, with its reply
// codes, points, and words for the sender, the recipient and the admin.
//
// The catalogue is written by hand in catalogue/*.toml. Go constants, the table
// behind [Lookup], and docs/reasons.md are generated from it, and the table behind
// [In] from the translations in words/*.toml:
//
//	go generate ./reason
package reason

import (
	"slices"
	"strings"
)

//go:generate go run ./internal/gen

// Entry is all that is known of one reason. Group, Phase and Threat hold the
// names that sluice.Group, sluice.Phase and sluice.Threat print.
type Entry struct {
	ID     string // "LINK_TEXT_MISMATCH", never renamed once released
	Group  string // evidence group, or "delivery" for what is never evidence
	Phase  string // the earliest phase in which it may be stated
	Threat string
	// Points is the default raw weight in decibel of odds. Hard reasons and
	// those that are never evidence have none.
	Points float64
	Hard   string // "", "stop" or "pass"
	Weight string // where Points comes from: "judged: why" or "fitted: corpus, n"
	// Code and Enhanced are the reply (RFC 5321 4.2, RFC 3463). Code 0 marks a
	// reason that never leads a reply: it speaks for the message, or is
	// bookkeeping.
	Code     int
	Enhanced string
	Reply    string // what is wrong: plain ASCII, lower-case start, no final stop
	Fix      string // what to do: imperative, same form
	Page     string // a paragraph for the sender's why page
	User     string // a sentence for the recipient
	Admin    string // a line for the admin's ledger
	Source   string // RFC and section, or the practice it rests on
}

// Lookup returns the entry of id. It does not allocate.
func Lookup(id string) (Entry, bool) {
	i, ok := slices.BinarySearchFunc(entries[:], id, func(e Entry, id string) int { return strings.Compare(e.ID, id) })
	if !ok {
		return Entry{}, false
	}
	return entries[i], true
}

// All returns every entry, sorted by ID. The slice is the caller's.
func All() []Entry { return slices.Clone(entries[:]) }

// Hash is the version of the catalogue: 16 hexadecimal digits that change
// with any entry.
func Hash() string { return hash }
