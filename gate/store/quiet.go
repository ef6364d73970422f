package store

import "github.com/redis/go-redis/v9/logging"

// The client would write a line of its own to standard error for each dial that
// fails, in no format of ours, many a second while Redis is down. Its errors
// come back to us, and we log what they mean.
func init() { logging.Disable() }
