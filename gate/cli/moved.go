package cli

import "fmt"

// moved returns an error where a command line begins with a command that was the gate's
// until the rehearsal program had it. It says what the command is now.
func moved(args []string) error {
	if len(args) == 0 {
		return nil
	}
	now := ""
	switch args[0] {
	case "demo", "portone-sim":
		now = args[0]
	case "loadtest":
		if now = "launch"; len(args) > 1 && args[1] == "targets" {
			now = "targets"
		}
	default:
		return nil
	}
	return fmt.Errorf("rehearsing has a program of its own: %s is flashgate-loadtest %s now (from the source: go run "+
		"./loadtest %s)", args[0], now, now)
}
