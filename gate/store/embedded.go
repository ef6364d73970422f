package store

import (
	"fmt"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is an in-memory Redis in this process: for a first look, a demo and
// tests. Nothing of it is left when the process ends, and it knows no replicas.
type Embedded struct{ server *miniredis.Miniredis }

// StartEmbedded starts the embedded store on a free port of the loopback
// interface.
func StartEmbedded() (*Embedded, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded store: %w", err)
	}
	return &Embedded{server}, nil
}

// URL returns the address to give to the commands' --redis.
func (e *Embedded) URL() string { return "redis://" + e.server.Addr() }

// Close ends the store. Its data is lost.
func (e *Embedded) Close() { e.server.Close() }
