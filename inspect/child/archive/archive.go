// Package archive lists the decoders of containers: what holds other files, and
// what those are.
package archive

import (
	"sluice/inspect/child"
	"sluice/inspect/child/archive/cab"
	"sluice/inspect/child/archive/disk"
	"sluice/inspect/child/archive/rar"
	"sluice/inspect/child/archive/sevenzip"
	"sluice/inspect/child/archive/stream"
	"sluice/inspect/child/archive/tape"
	"sluice/inspect/child/archive/tnef"
	"sluice/inspect/child/archive/zip"
)

// Config sets the decoders up.
type Config struct{}

// Decoders are those of all containers, in the order in which they get a file.
func Decoders(Config) []child.Decoder {
	return []child.Decoder{zip.New(), stream.New(), tape.New(), sevenzip.New(), rar.New(), tnef.New(), cab.New(), disk.New()}
}
