package cli

import "log/slog"

const (
	fewFiles    = 8192 // open at once; below, a launch may need more connections
	leastSpared = 64
	mostPublic  = 250_000 // what fasthttp serves at once is little more
	mostAdmin   = 1024
)

// shareFiles returns how many connections each listener may have open, of so many
// files. A quarter of them is spared for Redis, PortOne, the shop, the admin
// listener and the log. Where the limit is not known it is 0: any number.
func shareFiles(limit uint64) (public, admin int) {
	spared := min(max(leastSpared, limit/4), limit/2)
	return int(min(limit-spared, mostPublic)), int(min(spared/4, mostAdmin))
}

// tellFiles logs the limit of open files and what follows from it.
func tellFiles(log *slog.Logger, limit uint64, public, admin int) {
	args := []any{"open_files", limit, "public_connections", public, "admin_connections", admin}
	switch {
	case limit == 0:
		log.Warn("the limit of open files is not known: connections are not bounded by it")
	case limit < fewFiles:
		log.Warn("few files may be open, and each connection is one: set LimitNOFILE=65536 in the unit of systemd, "+
			"ulimits: {nofile: 65536} in Compose, --ulimit nofile=65536 for docker run, or ulimit -n 65536 "+
			"in the shell", args...)
	default:
		log.Info("connections are bounded by the limit of open files", args...)
	}
}
