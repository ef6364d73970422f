package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/flashgate/flashgate/gate/pagetest"
)

// The page says of each kind what its comment says.
func TestThePageHasEachKind(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "report.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	rows := [][]string{{"kind", "what is wrong"}}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || spec.Type.(*ast.Ident).Name != "Kind" {
			return true
		}
		kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, []string{"`" + kind + "`", strings.Join(strings.Fields(spec.Doc.Text()), " ")})
		return true
	})
	if len(rows) < 20 {
		t.Fatalf("%d kinds", len(rows)-1)
	}
	pagetest.Generated(t, "docs/operate.md", "audit kinds", rows)
}
