package cli

import "io"

// Variables returns the names of the variables that the gate's commands read, for
// programs that may share an environment with gates.
func Variables() []string { return newProgram(nil, io.Discard, io.Discard).Variables(&commands{}) }
