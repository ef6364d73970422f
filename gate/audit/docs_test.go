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
		comment := strings.Join(strings.Fields(spec.Doc.Text()), " ")
		wrong, said := strings.CutPrefix(comment, spec.Names[0].Name+" says that ")
		if !said {
			t.Errorf("the comment of %s begins otherwise than with %[1]s says that", spec.Names[0].Name)
		}
		rows = append(rows, []string{"`" + kind + "`", wrong})
		return true
	})
	if len(rows) < 20 {
		t.Fatalf("%d kinds", len(rows)-1)
	}
	pagetest.Generated(t, "docs/operate.md", "audit kinds", rows)
}
