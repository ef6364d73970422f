package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// modules are what the gate's program is made of besides ours and Go's own, and why each
// is in it. What comes with another stands below it.
func modules() map[string]string {
	return map[string]string{
		"github.com/alecthomas/kong":                               "flags and commands",
		"github.com/cenkalti/backoff/v5":                           "repeats calls to PortOne",
		"github.com/goccy/go-yaml":                                 "the sale file's syntax",
		"github.com/sony/gobreaker/v2":                             "leaves a Redis alone that has failed",
		"github.com/standard-webhooks/standard-webhooks/libraries": "signatures of V2 and of notifications",
		"golang.org/x/sync":                                        "bounds how many calls run at once",
		"golang.org/x/sys":                                         "x/term's, and fasthttp's",
		"golang.org/x/term":                                        "whether a person is at the terminal",
		"golang.org/x/time":                                        "paces calls to PortOne",

		"github.com/redis/go-redis/v9": "the client of Redis",
		"go.uber.org/atomic":           "go-redis'",

		"github.com/alicebob/miniredis/v2": "the embedded store",
		"github.com/yuin/gopher-lua":       "miniredis', runs our scripts",

		"github.com/valyala/fasthttp":       "the public listener",
		"github.com/valyala/bytebufferpool": "fasthttp's",
		"github.com/klauspost/compress":     "fasthttp's, and the metrics'",
		"github.com/molecule-man/go-brrr":   "fasthttp's",

		"github.com/prometheus/client_golang": "metrics",
		"github.com/prometheus/client_model":  "client_golang's",
		"github.com/prometheus/common":        "client_golang's",
		"github.com/prometheus/procfs":        "client_golang's",
		"github.com/beorn7/perks":             "client_golang's",
		"github.com/cespare/xxhash/v2":        "client_golang's, and go-redis'",
		"github.com/munnerz/goautoneg":        "client_golang's",
		"google.golang.org/protobuf":          "client_golang's",
	}
}

// What a payment goes through is made of few parts, each with a reason. What is only for
// rehearsing is none of them.
func TestTheGateIsMadeOfTheModulesAgreed(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-buildvcs=false", "-deps", "-f",
		"{{with .Module}}{{.Path}} {{end}}{{.ImportPath}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	agreed, linked := modules(), map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		of := words[0]
		switch {
		case len(words) == 1: // Go's own
		case of == module:
			if name, _ := roomName(words[1]); name == "loadtest" || strings.HasPrefix(name, "loadtest/") {
				t.Errorf("the gate links %s, which is for rehearsing", name)
			}
		default:
			linked[of] = true
			if agreed[of] == "" {
				t.Errorf("the gate links %s by %s: give the reason in modules() in modules_test.go, or do without", of,
					words[1])
			}
		}
	}
	for name := range agreed {
		if !linked[name] {
			t.Errorf("the gate does not link %s any more: take it out of modules() in modules_test.go", name)
		}
	}
}
