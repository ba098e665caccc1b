// Package durable is the file layer of everything that must survive a power
// cut: a narrow interface with explicit syncs, the operating system behind it,
// and an in-memory double that forgets what was not synced.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"path"
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
	// MkdirAll makes a folder with its parents; when it returns, their entries
	// last.
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
	Name string
	Dir  bool
	Size int64
}

// WriteFile writes a whole new file so that, once it returns, name holds all of
// data for good: written under a temporary name, synced, renamed, folder
// synced. An older file of that name is replaced in one step or not at all.
func WriteFile(fsys FS, name string, data []byte) error {
	return Replace(fsys, name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Replace is WriteFile for content that is written piece by piece. The
// temporary name is name with the suffix [TempSuffix]; a leftover one from a
// crash is removed. Two writers of one name must be kept apart by the caller.
func Replace(fsys FS, name string, write func(io.Writer) error) error {
	tmp := name + TempSuffix
	f, err := fsys.Create(tmp)
	if errors.Is(err, fs.ErrExist) {
		if err := fsys.Remove(tmp); err != nil {
			return err
		}
		f, err = fsys.Create(tmp)
	}
	if err != nil {
		return err
	}
	if err := Finish(f, write); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		_ = fsys.Remove(tmp)
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// TempSuffix ends the names of unfinished files.
const TempSuffix = ".tmp"

// Finish writes, syncs and closes f. After an error nothing is known about the
// file's content: a failed sync may have thrown pages away, so that trying
// again would prove nothing.
func Finish(f File, write func(io.Writer) error) error {
	if err := write(f); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
