//go:build !linux

package bench

import (
	"context"
	"errors"
)

func (s *stream) send(context.Context) ([]answered, error) {
	return nil, errors.New("a stream of requests can be sent on Linux only")
}
