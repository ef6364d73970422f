package gate

import "time"

// Mark is how far the payment service's list of changes was read, of one version.
type Mark struct {
	Until   time.Time // every change until then was compared; the payment service's clock, zero if none was
	Read    time.Time // when the list was last read to its end; the store's clock, zero if it never was
	Trouble string    // why it could not be read since; empty where it could
}

// Reconciling is how far a sale's orders were compared with what has changed at the
// payment service.
type Reconciling struct {
	Now   time.Time // the store's clock
	Marks [3]Mark   // by version
}
