package check

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// GitHub runs what .ci/run does, by actions that cannot change unseen, with the
// module's Go.
func TestTheWorkflowRunsWhatCIRuns(t *testing.T) {
	t.Parallel()
	f := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses, Run string
				With      map[string]any
			}
		}
	}
	if err := yaml.Unmarshal([]byte(f(".github/workflows/ci.yml")), &workflow); err != nil {
		t.Fatal(err)
	}

	pinned := regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	ran := 0
	for _, step := range workflow.Jobs["ci"].Steps {
		if step.Uses != "" && !pinned.MatchString(step.Uses) {
			t.Errorf("%s is not named by its commit", step.Uses)
		}
		if step.Run != "" {
			ran++
			if !strings.HasSuffix(f(".ci/run"), "\n"+step.Run+"\n") {
				t.Errorf("%q is not what .ci/run runs", step.Run)
			}
		}
		if version, given := step.With["go-version"].(string); given &&
			!strings.Contains(f("go.mod"), "\ngo "+strings.TrimSuffix(version, "x")) {
			t.Errorf("it takes Go %s, which is not that of go.mod", version)
		}
	}
	if ran != 1 {
		t.Errorf("it runs %d commands, want 1", ran)
	}
}
