package gate

import "sync/atomic"

// Replaceable holds a value that is replaced as a whole while others use it, such as keys that are
// read again. Reading it is one atomic load, without a lock. The zero Replaceable holds T's zero
// value, which should refuse everything.
type Replaceable[T any] struct {
	held atomic.Pointer[T] // what it points to is never changed
}

// Now returns the current value. Nobody may change what it points to.
func (r *Replaceable[T]) Now() (now T) {
	if held := r.held.Load(); held != nil {
		now = *held
	}
	return now
}

// Set makes v the current value.
func (r *Replaceable[T]) Set(v T) { r.held.Store(&v) }

// Replace makes the other's current value that of r too.
func (r *Replaceable[T]) Replace(other *Replaceable[T]) { r.held.Store(other.held.Load()) }
