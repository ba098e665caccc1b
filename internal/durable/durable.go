// Package durable is the file layer of everything that must survive a power
// cut: a narrow interface with explicit syncs, the operating system behind it,
// and an in-memory double that forgets what was not synced.
package durable

import (
	"io"
	"time"
)

// FS is what a durable store needs of a file system. Names are slash-separated
// paths. Errors satisfy errors.Is with fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// Create makes a new file, readable by its owner only, and fails where the
	// name exists. It lasts after File.Sync and SyncDir of its folder.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (Reader, error)
	// Rename moves a file over whatever has the new name. It lasts after
	// SyncDir of both folders.
	Rename(from, to string) error
	// Remove deletes a file; it lasts after SyncDir.
	Remove(name string) error
	// MkdirAll makes a folder with its parents and syncs the parents of what
	// it made.
	MkdirAll(dir string) error
	// SyncDir makes the entries of a folder last.
	SyncDir(dir string) error
	// List returns the entries of a folder by name; a missing one has none.
	List(dir string) ([]Entry, error)
}

// File is a file being written.
type File interface {
	io.Writer
	Sync() error
	io.Closer
}

// Reader is a file being read.
type Reader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Entry is one name in a folder.
type Entry struct {
	Name     string
	Dir      bool
	Size     int64
	Modified time.Time
}
