package deploy_test

import (
	"os"
	"testing"

	"github.com/flashgate/flashgate/gate/redistest"
)

func TestMain(m *testing.M) { os.Exit(redistest.Forgetting{M: m}.Run()) }
