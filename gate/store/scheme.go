package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// schemeHint adds a hint to the errors of an address without TLS whose port may speak TLS: such a
// server hangs up without a reply. Once a call was answered, it adds nothing.
type schemeHint struct{ answered atomic.Bool }

// DialHook implements redis.Hook.
func (h *schemeHint) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (h *schemeHint) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (h *schemeHint) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		switch {
		case err == nil:
			h.answered.Store(true)
		case !h.answered.Load() && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
			err = fmt.Errorf("the server hung up without a word (%w): if its port is one with TLS, write rediss "+
				"instead of redis", err)
		}
		return err
	}
}
