package gate

import "sync/atomic"

// Replaceable holds what is replaced as a whole while others use it, such as keys
// that are read anew. It costs those one atomic load, and no lock. The zero one holds
// T's zero value, which should be one that refuses.
type Replaceable[T any] struct {
	held atomic.Pointer[T] // what it points to is never changed
}

// Now returns what is held at this moment. Nobody may change what it points to.
func (r *Replaceable[T]) Now() (now T) {
	if held := r.held.Load(); held != nil {
		now = *held
	}
	return now
}

// Set puts v in the place of what is held.
func (r *Replaceable[T]) Set(v T) { r.held.Store(&v) }

// Replace makes r hold what the other holds.
func (r *Replaceable[T]) Replace(other *Replaceable[T]) { r.held.Store(other.held.Load()) }
