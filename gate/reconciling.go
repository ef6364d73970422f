package gate

import "time"

// Mark is how far the list of changes of one version of PortOne was read.
type Mark struct {
	Until   time.Time // every change until then was compared; by PortOne's clock, zero if none was
	Read    time.Time // when the list was last read to its end; by the store's clock, zero if it never was
	Trouble string    // why it could not be read since; empty where it could
}

// Reconciling is how far a sale's orders were compared with PortOne's lists of changes.
type Reconciling struct {
	Now   time.Time // the store's clock
	Marks [3]Mark   // by version
}
