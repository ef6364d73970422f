package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// host is what the figures depend on. Nothing in it names the machine.
type host struct {
	Cores      int    `json:"cores"`
	CPU        string `json:"cpu"`
	Memory     int64  `json:"memory_bytes"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Redis      string `json:"redis"`
	Wrk        string `json:"wrk"`
	Files      uint64 `json:"open_files"`  // that a process may have, raised to what is allowed
	Backlog    int    `json:"somaxconn"`   // connections that may wait to be accepted
	SynBacklog int    `json:"syn_backlog"` // and those whose handshake is not over
	Ports      int    `json:"local_ports"`
}

// String says it in a few lines.
func (h host) String() string {
	return fmt.Sprintf("%d cores of %s, %.0f GiB of memory, %s, %s, Redis %s, wrk %s.\n"+
		"Each process may have %d files open (ulimit -n, raised to what is allowed); net.core.somaxconn, the backlog "+
		"of a listener,\n"+
		"is %d, net.ipv4.tcp_max_syn_backlog %d; there are %d local ports for new connections.",
		h.Cores, h.CPU, float64(h.Memory)/(1<<30), h.Kernel, h.Go, h.Redis, h.Wrk, h.Files, h.Backlog,
		h.SynBacklog, h.Ports)
}

// machine describes this machine. What cannot be read stays "unknown", or 0.
func machine(ctx context.Context) host {
	h := host{
		Cores: runtime.NumCPU(), CPU: "unknown", Kernel: "unknown", Go: runtime.Version(), Redis: "unknown",
		Wrk:   "unknown",
		Files: openFiles(), Backlog: setting("net/core/somaxconn"), SynBacklog: setting("net/ipv4/tcp_max_syn_backlog"),
		Ports: localPorts(), Memory: memory("MemTotal"),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		h.CPU = cpuModel(string(text))
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h.Kernel = "Linux " + leadingVersion(string(text))
	}
	if said, err := exec.CommandContext(ctx, "redis-server", "--version").Output(); err == nil {
		h.Redis = redisVersion(string(said))
	}
	// It ends with an error after it has told its version.
	said, _ := exec.CommandContext(ctx, "wrk", "--version").CombinedOutput()
	if words := strings.Fields(string(said)); len(words) > 1 {
		h.Wrk = words[1]
	}
	return h
}

// cpuModel reads the name of the first processor in /proc/cpuinfo.
func cpuModel(text string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// leadingVersion leaves out what a vendor adds to a version, which may name a
// machine.
func leadingVersion(text string) string { return regexp.MustCompile(`^[0-9.]*`).FindString(text) }

// redisVersion reads "Redis server v=7.0.15 sha=…".
func redisVersion(said string) string {
	for word := range strings.FieldsSeq(said) {
		if version, ok := strings.CutPrefix(word, "v="); ok {
			return version
		}
	}
	return "unknown"
}

// memory returns a line of /proc/meminfo in bytes, 0 if there is no such line.
func memory(name string) int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(infoField(string(text), name), " kB"), 10, 64)
	return kilobytes << 10
}

// setting returns a number below /proc/sys, 0 if there is no such setting.
func setting(name string) int {
	text, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// localPorts returns how many ports there are for outgoing connections to one address; Linux' default if that cannot be
// read.
func localPorts() int {
	const usual = 28_232
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return usual
	}
	var first, last int
	if _, err := fmt.Sscan(string(text), &first, &last); err != nil || last < first {
		return usual
	}
	return last - first + 1
}
