package check

import (
	"reflect"
	"sync"
)

// Notes keep what was worked out of a message for all who need it: checks, and
// those who read along after the verdict. One thing of each type is kept, for as
// long as the message. Notes may be nil, and are safe for concurrent use.
type Notes struct {
	mu   sync.Mutex
	made map[reflect.Type]func() any
}

// Note returns the T that was noted, or what make makes, which is noted then. All
// makers of a T must make the same of the same message.
func Note[T any](n *Notes, make func() T) T {
	if n == nil {
		return make()
	}
	return n.once(reflect.TypeFor[T](), func() any { return make() })().(T)
}

// Noted returns the T that was noted, if one was.
func Noted[T any](n *Notes) (T, bool) {
	var none T
	if n == nil {
		return none, false
	}
	n.mu.Lock()
	f := n.made[reflect.TypeFor[T]()]
	n.mu.Unlock()
	if f == nil {
		return none, false
	}
	return f().(T), true
}

// once returns the maker in force. It runs outside the lock, so that makers may use
// notes of other types.
func (n *Notes) once(t reflect.Type, f func() any) func() any {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.made[t]; old != nil {
		return old
	}
	if n.made == nil {
		n.made = map[reflect.Type]func() any{}
	}
	n.made[t] = sync.OnceValue(f)
	return n.made[t]
}
