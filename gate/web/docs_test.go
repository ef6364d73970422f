package web

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate"
	"github.com/flashgate/flashgate/gate/pagetest"
)

func TestThePageHasEachCodeWithItsStatus(t *testing.T) {
	t.Parallel()
	var got, want []string
	for _, row := range pagetest.Rows(t, "docs/integrate.md", "codes") {
		for _, code := range pagetest.Quoted(row[0]) {
			got = append(got, code+" "+row[1])
		}
	}
	for _, code := range gate.Codes() {
		want = append(want, code.String()+" "+strconv.Itoa(status(code)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%q, and the codes are\n%q", got, want)
	}
}

func TestThePageHasEachCallOfTheAPI(t *testing.T) {
	t.Parallel()
	var got []string
	for _, row := range pagetest.Rows(t, "docs/operate.md", "api calls") {
		got = append(got, pagetest.Quoted(row[0])...)
	}
	want := routes(t)
	if len(want) < 20 {
		t.Errorf("%d calls", len(want))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%q, and the calls are\n%q", got, want)
	}
}

// Who may only read is refused what the page keeps for those who operate, and nothing else.
func TestThePageSaysWhoMayCallWhat(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, row := range pagetest.Rows(t, "docs/operate.md", "api calls") {
		for _, call := range pagetest.Quoted(row[0]) {
			method, path, _ := strings.Cut(call, " ")
			path = strings.NewReplacer("{sale}", "race", "{order}", "o1").Replace(path)
			answer := d.call(viewer, method, path, "{}")
			answer.Body.Close() // that of a stream has no end
			refused := answer.StatusCode
			if role := row[1]; role != "read" && role != "operate" || (role == "operate") != (refused == 403) {
				t.Errorf("%s is said to need the role %q, and a reader got %d", call, role, refused)
			}
		}
	}
}

// routes returns the calls of the admin API, as they stand in the code.
func routes(t *testing.T) (all []string) {
	t.Helper()
	route := regexp.MustCompile(`^(GET|PUT|POST|DELETE) /(v1/|metrics|debug/pprof/$)`)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(gotoken.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == gotoken.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil && route.MatchString(text) {
					all = append(all, text)
				}
			}
			return true
		})
	}
	return all
}
