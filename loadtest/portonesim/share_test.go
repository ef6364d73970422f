package portonesim

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// Every share that is none is named by its flag, with what it may be.
func TestAShareThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	hump := regexp.MustCompile(`([a-z])([A-Z])`)
	shares := reflect.TypeFor[Plan]()
	for i := range shares.NumField() {
		field := shares.Field(i)
		if field.Type.Kind() != reflect.Float64 {
			continue
		}
		flag := strings.ToLower(hump.ReplaceAllString(strings.NewReplacer("REST", "Rest", "PG",
			"Pg").Replace(field.Name), "$1-$2"))
		for _, share := range []float64{1.1, -0.1, math.NaN()} {
			var plan Plan
			reflect.ValueOf(&plan).Elem().Field(i).SetFloat(share)
			want := fmt.Sprintf("--%s %v: must be a share from 0 to 1", flag, share)
			if err := (Options{Plan: plan}).Check(); err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
	}
}
