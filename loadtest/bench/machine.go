package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// host is what the figures hang on.
type host struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Redis  string `json:"redis"`
	Wrk    string `json:"wrk"`
}

// String says it in one line.
func (h host) String() string {
	return fmt.Sprintf("%d cores of %s, %s, %s, Redis %s, wrk %s", h.Cores, h.CPU, h.Kernel, h.Go, h.Redis, h.Wrk)
}

// machine describes this one. What it does not tell stays "unknown".
func machine(ctx context.Context, s *store) host {
	h := host{Cores: runtime.NumCPU(), CPU: "unknown", Kernel: "unknown", Go: runtime.Version(), Redis: "unknown", Wrk: "unknown"}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		h.CPU = cpuModel(string(text))
	}
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		h.Kernel = "Linux " + strings.TrimSpace(string(text))
	}
	if info, err := s.client.Info(ctx, "server").Result(); err == nil {
		h.Redis = infoField(info, "redis_version")
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
