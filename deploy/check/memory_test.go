package check

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What a gate needs, in bytes: itself, ten thousand connections, and two copies of a sale of a
// million orders, of which one is from before a failover.
const (
	ownMemory         = 128 << 20
	connectionsMemory = 256 << 20
	copyMemory        = 400 * 1_000_000
	leastMemory       = ownMemory + connectionsMemory + 2*copyMemory
)

// checkMemory fails unless a gate has room for its copies of a sale below the limit that Go keeps to,
// and that is below the one at which it is killed.
func checkMemory(t *testing.T, limit int64, goLimit string) {
	t.Helper()
	number, isMiB := strings.CutSuffix(goLimit, "MiB")
	mib, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !isMiB {
		t.Fatalf("GOMEMLIMIT is %q", goLimit)
	}
	// The collector lets garbage grow for as long as it may: with a quarter to spare it need not run all the time.
	if mib<<20 < leastMemory*5/4 {
		t.Errorf("Go keeps to %d bytes, and a gate needs %d and a quarter to spare", mib<<20, leastMemory)
	}
	if mib<<20 > limit*9/10 {
		t.Errorf("Go keeps to %d bytes, more than nine tenths of the %d at which the gate is killed", mib<<20, limit)
	}
}

func TestKubernetesGatesHaveRoomForTheirCopiesOfASale(t *testing.T) {
	t.Parallel()
	eachBuild(t, func(t *testing.T, m manifests) {
		_, gate := m.gates(t)
		goLimit := ""
		for _, v := range gate.Env {
			if v.Name == "GOMEMLIMIT" {
				goLimit = v.Value
			}
		}
		limit := gate.Resources.Limits.Memory()
		checkMemory(t, limit.Value(), goLimit)
		if requested := gate.Resources.Requests.Memory(); requested.Cmp(*limit) != 0 {
			t.Errorf("%s of memory are requested, and %s may be used: a node may not have them", requested, limit)
		}
	})
}

func TestComposeGatesHaveRoomForTheirCopiesOfASale(t *testing.T) {
	t.Parallel()
	gates := 0
	for _, service := range project(t).Services {
		if !strings.HasPrefix(service.Name, "gate") {
			continue
		}
		gates++
		goLimit := service.Environment["GOMEMLIMIT"]
		if goLimit == nil {
			t.Fatalf("%s has no GOMEMLIMIT", service.Name)
		}
		checkMemory(t, int64(service.MemLimit), *goLimit)
	}
	if gates != 3 {
		t.Errorf("there are %d gates", gates)
	}
}

func TestSystemdGatesHaveRoomForTheirCopiesOfASale(t *testing.T) {
	t.Parallel()
	gib, inG := strings.CutSuffix(value(t, unit(t), "MemoryMax"), "G")
	limit, err := strconv.ParseInt(gib, 10, 64)
	if err != nil || !inG {
		t.Fatalf("MemoryMax is %s", gib)
	}
	goLimit, isGo := strings.CutPrefix(value(t, unit(t), "Environment"), "GOMEMLIMIT=")
	if !isGo {
		t.Fatal("GOMEMLIMIT is not set")
	}
	for _, line := range settings(t, filepath.Join(systemdFolder, "flashgate.env.example")) {
		if strings.HasPrefix(line, "GOMEMLIMIT=") {
			t.Error("the example sets GOMEMLIMIT too, which goes before the unit's")
		}
	}
	checkMemory(t, limit<<30, goLimit)
}
