package store

import "github.com/redis/go-redis/v9/logging"

// The client writes a line to standard error for each failed dial, many a second while Redis is
// down, and not in our format. It also returns its errors, and we log those.
func init() { logging.Disable() }
