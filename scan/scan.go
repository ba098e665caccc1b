// Package scan reads stored mail: files, folders, Maildirs, mbox files, standard
// input, and batches that name a file and its envelope on each line. It finds out
// what a live session would have told: the client, its greeting, sender and
// recipients. It judges nothing.
package scan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// MaxSize is the size of the largest message read where Config names no other.
const MaxSize = 64 << 20

// maxDepth bounds the nesting of folders.
const maxDepth = 64

// What an [Item] without a message may say; errors.Is finds them.
var (
	ErrTooLarge = errors.New("larger than the limit")
	ErrNotMail  = errors.New("doesn't look like mail: no header field near its beginning")
)

// Config says what to read.
type Config struct {
	Paths   []string  // files and folders, in this order; "-" is Stdin
	Stdin   io.Reader // may be nil where "-" isn't among the paths
	MaxSize int64     // bytes of one message; 0: [MaxSize]
}

// Item is one stored message, or the reason why one could not be read.
type Item struct {
	ID    string // the path; in a mailbox of several messages path#1, path#2, …
	File  string // the path, "-" for standard input
	Index int    // number within a mailbox from 1; 0 where the file is the message
	Err   error  // why there is no message, nil where Open can be tried

	open func() (*Mail, error)
}

// Open reads the message. It may be called from any goroutine, and while the
// walk goes on.
func (i *Item) Open() (*Mail, error) {
	if i.Err != nil {
		return nil, i.Err
	}
	return i.open()
}

// Sources walks all paths and yields every message, in a fixed order: paths as
// given, folder entries by name, mailboxes from the front. Whatever can't be
// read becomes an item with an error, and the walk goes on. In a folder that
// looks like a Maildir only cur and new count; in any folder, files whose names
// begin with a dot don't. A folder reached twice by links is walked once.
func Sources(c Config) iter.Seq[*Item] {
	if c.MaxSize <= 0 {
		c.MaxSize = MaxSize
	}
	return func(yield func(*Item) bool) {
		w := &walk{max: c.MaxSize, seen: map[string]bool{}, yield: yield}
		for _, path := range c.Paths {
			if !w.path(path, c.Stdin) {
				return
			}
		}
	}
}

type walk struct {
	max   int64
	seen  map[string]bool // folders walked, by their real path
	yield func(*Item) bool
}

func (w *walk) fail(path string, err error) bool {
	return w.yield(&Item{ID: path, File: path, Err: fmt.Errorf("scan: %w", err)})
}

func (w *walk) path(path string, stdin io.Reader) bool {
	if path == "-" {
		if stdin == nil {
			return w.fail(path, errors.New("no standard input"))
		}
		return w.stream(path, stdin)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return w.fail(path, err)
	case info.IsDir():
		return w.folder(path, 0)
	case info.Mode().IsRegular():
		return w.file(path, fileKind{named: true})
	}
	// A pipe that the user named, such as the shell's <(command).
	f, err := os.Open(path)
	if err != nil {
		return w.fail(path, err)
	}
	defer f.Close()
	return w.stream(path, f)
}

// folder walks one folder. Depth and the set of real paths bound it, whatever
// links point where.
func (w *walk) folder(path string, depth int) bool {
	if depth > maxDepth {
		return w.fail(path, fmt.Errorf("%s: folders nested over %d deep", path, maxDepth))
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return w.fail(path, err)
	}
	if w.seen[real] {
		return true
	}
	w.seen[real] = true
	entries, err := os.ReadDir(path)
	if err != nil && !w.fail(path, err) { // what could be listed is still walked
		return false
	}
	box := isMaildir(path)
	message := inMaildir(path)
	for _, e := range entries {
		name, full := e.Name(), filepath.Join(path, e.Name())
		info, err := os.Stat(full) // follows links
		switch {
		case err != nil:
			if !w.fail(full, err) {
				return false
			}
		case info.IsDir():
			// A Maildir's tmp holds what isn't delivered yet; folders with a dot
			// hold settings, but for Maildir++ subfolders.
			if box && name == "tmp" || name[0] == '.' && !isMaildir(full) {
				continue
			}
			if !w.folder(full, depth+1) {
				return false
			}
		case name[0] == '.' || box: // a Maildir's own files are indexes and settings
		case !info.Mode().IsRegular():
			if !w.fail(full, fmt.Errorf("%s: neither a file nor a folder", full)) {
				return false
			}
		default:
			if !w.file(full, fileKind{message: message}) {
				return false
			}
		}
	}
	return true
}

func isMaildir(path string) bool {
	return isFolder(filepath.Join(path, "cur")) && isFolder(filepath.Join(path, "new"))
}

// inMaildir says whether path is the cur or new of a Maildir.
func inMaildir(path string) bool {
	base := filepath.Base(path)
	return (base == "cur" || base == "new") && isMaildir(filepath.Dir(path))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// fileKind is what is known of a file before it is opened.
type fileKind struct {
	named   bool // the user named it, so it is mail whatever it looks like
	message bool // it holds one message, never a mailbox
}

func (w *walk) file(path string, k fileKind) bool {
	f, err := os.Open(path)
	if err != nil {
		return w.fail(path, err)
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, bufferSize)
	head, err := r.Peek(bufferSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return w.fail(path, err)
	}
	if !k.named && !looksLikeMail(head) {
		return w.fail(path, fmt.Errorf("%s: %w", path, ErrNotMail))
	}
	// Files called .eml hold one message each by custom, so a line in the body
	// that looks like a separator is none.
	if !k.message && !strings.EqualFold(filepath.Ext(path), ".eml") && isMailbox(head) {
		return w.mailbox(path, r, false)
	}
	info, err := f.Stat()
	if err == nil && info.Size() > w.max {
		err = tooLarge(path, w.max)
	}
	if err != nil {
		return w.fail(path, err)
	}
	return w.yield(&Item{ID: path, File: path, open: opener(path, 0, -1, w.max, NewMail)})
}

func tooLarge(path string, limit int64) error {
	return fmt.Errorf("%s: %w of %d bytes", path, ErrTooLarge, limit)
}

// opener reads n bytes of a file from off on, or up to its end where n is
// negative, when it is called.
func opener(path string, off, n, limit int64, mail func([]byte) *Mail) func() (*Mail, error) {
	return func() (*Mail, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		defer f.Close()
		size := n
		if n < 0 {
			size = limit + 1
		}
		b, err := io.ReadAll(io.NewSectionReader(f, off, size))
		if err == nil && int64(len(b)) > limit {
			err = tooLarge(path, limit)
		}
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		return mail(b), nil
	}
}

// stream reads what can be read only once, so items carry their bytes.
func (w *walk) stream(path string, in io.Reader) bool {
	r := bufio.NewReaderSize(in, bufferSize)
	head, err := r.Peek(bufferSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return w.fail(path, wrapPath(path, err))
	}
	if isMailbox(head) {
		return w.mailbox(path, r, true)
	}
	b, err := io.ReadAll(io.LimitReader(r, w.max+1))
	if err == nil && int64(len(b)) > w.max {
		err = tooLarge(path, w.max)
	} else if err != nil {
		err = wrapPath(path, err)
	}
	if err != nil {
		return w.fail(path, err)
	}
	return w.yield(&Item{ID: path, File: path, open: func() (*Mail, error) { return NewMail(b), nil }})
}

// wrapPath names the file in an error that doesn't.
func wrapPath(path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
