package main

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
)

//go:embed accepted.txt
var acceptedText string

// parseAccepted reads the mutants that no test can miss, "FILE: FUNCTION:
// CONDITION", and below each, indented, why that is so.
func parseAccepted(text string) (reasons map[string]string, err error) {
	reasons = map[string]string{}
	key := ""
	for i, line := range strings.Split(text, "\n") {
		reason := strings.TrimSpace(line)
		switch {
		case reason == "" || line[0] == '#':
		case line[0] == '\t' && key != "":
			reasons[key] = strings.TrimSpace(reasons[key] + " " + reason)
		case line[0] != '\t' && strings.Count(line, ": ") >= 2:
			if _, twice := reasons[line]; twice {
				return nil, fmt.Errorf("accepted.txt:%d: %q is there twice", i+1, line)
			}
			key = line
			reasons[key] = ""
		default:
			return nil, fmt.Errorf("accepted.txt:%d: write FILE: FUNCTION: CONDITION, and below it the reason, "+
				"behind a tab", i+1)
		}
	}
	for key, reason := range reasons {
		if reason == "" {
			return nil, fmt.Errorf("accepted.txt: %q has no reason", key)
		}
	}
	return reasons, nil
}

// folder returns the package that a mutant's key is of.
func folder(key string) string {
	file, _, _ := strings.Cut(key, ": ")
	return path.Dir(file)
}
