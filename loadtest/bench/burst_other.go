//go:build !linux

package main

import (
	"context"
	"errors"
)

func (s *stream) burst(context.Context) ([]answered, error) {
	return nil, errors.New("a burst can be measured on Linux only")
}
