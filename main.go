// Command flashgate is a gate in front of payments: it answers PortOne's
// confirm call while there is stock. See `flashgate --help`.
package main

import (
	"os"

	"github.com/flashgate/flashgate/gate/cli"
)

// version is set when the program is built.
var version = "dev"

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, version))
}
