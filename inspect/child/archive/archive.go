// Package archive lists the decoders of containers: what holds other files, and
// what those are.
package archive

import (
	"sluice/inspect/child"
	"sluice/inspect/child/archive/appended"
	"sluice/inspect/child/archive/cab"
	"sluice/inspect/child/archive/cms"
	"sluice/inspect/child/archive/disk"
	"sluice/inspect/child/archive/letter"
	"sluice/inspect/child/archive/listing"
	"sluice/inspect/child/archive/onenote"
	"sluice/inspect/child/archive/outlook"
	"sluice/inspect/child/archive/rar"
	"sluice/inspect/child/archive/sevenzip"
	"sluice/inspect/child/archive/stream"
	"sluice/inspect/child/archive/tape"
	"sluice/inspect/child/archive/testfile"
	"sluice/inspect/child/archive/tnef"
	"sluice/inspect/child/archive/zip"
)

// Config sets the decoders up. There is nothing to set but what the request's budget
// bounds.
type Config struct{}

// Decoders are those of all containers, in the order in which they get a file.
func Decoders(Config) []child.Decoder {
	return []child.Decoder{testfile.New(), zip.New(), rar.New(), sevenzip.New(), stream.New(), tape.New(), cab.New(), disk.New(),
		listing.New(), tnef.New(), letter.New(), outlook.New(), onenote.New(), cms.New(), appended.New()}
}
