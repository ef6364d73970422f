package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestMain(m *testing.M) {
	status := redistest.Forgetting{M: m}.Run()
	if err := programs.remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// programs are built for the first test that asks for them: to link them takes seconds.
var programs build

// build is a folder with the programs, flashgate and flashgate-loadtest.
type build struct {
	once sync.Once
	dir  string
	err  error
}

// in returns the folder, and builds what is in it where nobody has.
func (b *build) in(t *testing.T) (dir string) {
	t.Helper()
	b.once.Do(func() { b.dir, b.err = buildPrograms() })
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.dir
}

func (b *build) remove() error { return os.RemoveAll(b.dir) } // which does nothing where nothing was built

func buildPrograms() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "flashgate-deploy"); err != nil {
		return "", err
	}
	for program, folder := range map[string]string{"flashgate": "..", "flashgate-loadtest": "../loadtest"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, program), folder)
		if said, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("building %s: %w\n%s", program, err, said)
		}
	}
	return dir, nil
}
