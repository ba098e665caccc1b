// Package child is the frame in which hostile decoders run: it walks the tree of
// files, keeps one budget for all of it, and catches what goes wrong. The decoders
// stand in folders below and know only this package's [Work]. The package is linked
// by the program's hidden command "inspect" and by tests, and by nothing else.
//
// The walk is breadth first over a queue, so that depth costs no stack and every
// input is looked at before anything deep inside of one. Where a request has
// several inputs, what one of them contains may use up half of what the others
// leave of the budget; a bomb can't hide its neighbours.
package child

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/inspect"
)

// Decoder opens files of certain types: it states facts, and emits what they
// contain. It keeps no state between files and starts no goroutine that outlives
// Open. It may panic: the frame states that as a fact.
type Decoder interface {
	// Name is short, lower case and stable: "zip".
	Name() string
	// Types are those that it opens; Any for all, unknown ones too.
	Types() []inspect.Type
	// Open reads w.Bytes. An error from w must be returned as it is (it wraps
	// [ErrBudget]); any other error says that the file is damaged, and becomes a fact
	// with the error's text. What was emitted before it stands.
	Open(ctx context.Context, w *Work) error
}

// Any stands for every type in Decoder.Types.
const Any inspect.Type = "*"

// Config sets up a Frame.
type Config struct {
	// Decoders in the order in which they get a file that several open.
	Decoders []Decoder
	// Identify names a file's type by its content and classes by type and name. The
	// declared media type is the sender's word only. The content is nil for a file
	// that is listed and can't be read: then the class is that of the name.
	Identify func(name, declared string, content []byte) (inspect.Type, inspect.Class)
	// Remark states facts about a file by its name, type and class, whether or not
	// its content can be read. Nil: none.
	Remark func(f inspect.File, add func(kind inspect.Kind, detail string))
	// TLSH makes a locality sensitive hash, "" for content that is too short. Nil: none.
	TLSH func(content []byte) string
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// Frame walks trees of files. It is not safe for concurrent use.
type Frame struct {
	cfg    Config
	byType map[inspect.Type][]Decoder
}

// New checks the list of decoders.
func New(cfg Config) (*Frame, error) {
	f := &Frame{cfg: cfg, byType: map[inspect.Type][]Decoder{}}
	if f.cfg.Now == nil {
		f.cfg.Now = time.Now
	}
	if f.cfg.Identify == nil {
		return nil, fmt.Errorf("inspect/child: no Identify")
	}
	names := map[string]bool{}
	for _, d := range cfg.Decoders {
		name := d.Name()
		if names[name] || name == "" || len(name) > inspect.MaxWord {
			return nil, fmt.Errorf("inspect/child: decoder name %q is empty, long or used twice", name)
		}
		names[name] = true
		for _, t := range d.Types() {
			if t != Any && (t == "" || !t.Valid()) {
				return nil, fmt.Errorf("inspect/child: decoder %s opens the type %q, which has not the form of one", name, t)
			}
			f.byType[t] = nil
		}
	}
	for t := range f.byType {
		for _, d := range cfg.Decoders {
			if ts := d.Types(); slices.Contains(ts, t) || slices.Contains(ts, Any) {
				f.byType[t] = append(f.byType[t], d)
			}
		}
	}
	return f, nil
}

// decoders lists those that open files of type t, in the order of the configuration.
func (f *Frame) decoders(t inspect.Type) []Decoder {
	if ds, ok := f.byType[t]; ok {
		return ds
	}
	return f.byType[Any]
}
