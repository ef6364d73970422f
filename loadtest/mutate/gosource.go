package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// Every mutant of a package is in one build: a condition C becomes
// "mutantKept(N) && (C)", and a switch that is read when the tests start takes
// one of them out. So a package is compiled once for all.

const (
	switchFile   = "mutant_switch.go"
	switchSource = `package %s

import (
	"os"
	"strconv"
)

// mutantFile is set when this is linked.
var mutantFile string

var mutantOff = func() int {
	text, err := os.ReadFile(mutantFile)
	if err != nil {
		panic(err)
	}
	n, err := strconv.Atoi(string(text))
	if err != nil {
		panic(err)
	}
	return n
}()

func mutantKept(n int) bool { return n != mutantOff }
`
)

// goMutants adds a file to the build with a switch at each of its checks, and
// returns them, numbered from behind last. A check is the condition of an if
// whose body leaves, and of a case in a switch without a tag; the operands of
// && and || are switched wherever they stand.
func goMutants(b *build, file string, source []byte, only []string, last int) ([]*mutant, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &switches{set: set, source: string(source), file: file, build: b, last: last, chains: map[ast.Expr]string{}}
	for _, decl := range parsed.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || only != nil && !slices.Contains(only, f.Name.Name) {
			continue
		}
		s.scope = scope(f)
		ast.Inspect(f, s.visit)
	}
	b.overlay[file] = s.applied()
	b.overlay[path.Dir(file)+"/"+switchFile] = fmt.Sprintf(switchSource, parsed.Name.Name)
	return s.mutants, nil
}

// scope returns a function's name, a method's with its type's.
func scope(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}

// switches are what is put into a file.
type switches struct {
	set    *token.FileSet
	source string
	file   string
	scope  string
	build  *build
	last   int

	mutants []*mutant
	inserts []insert
	chains  map[ast.Expr]string // what a chain's inner part is a part of
}

type insert struct {
	at   int
	text string
}

func (s *switches) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		if leaves(n.Body) {
			s.whole(n.Cond)
		}
	case *ast.SwitchStmt:
		if n.Tag != nil {
			break
		}
		for _, clause := range n.Body.List {
			for _, condition := range clause.(*ast.CaseClause).List {
				s.whole(condition)
			}
		}
	case *ast.BinaryExpr:
		if n.Op == token.LAND || n.Op == token.LOR {
			s.operands(n)
		}
	}
	return true
}

// leaves reports whether a block ends what it stands in.
func leaves(block *ast.BlockStmt) bool {
	if len(block.List) == 0 {
		return false
	}
	switch last := block.List[len(block.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.ExprStmt:
		call, ok := last.X.(*ast.CallExpr)
		if !ok {
			return false
		}
		name, ok := call.Fun.(*ast.Ident)
		return ok && name.Name == "panic"
	}
	return false
}

// whole puts a switch at a condition: off, it never holds.
func (s *switches) whole(condition ast.Expr) {
	s.add(condition, s.text(condition), "mutantKept(%d) && (")
}

// operands puts a switch at each operand of a && b && c, or of a || b || c: off,
// the others decide. What is parsed as (a && b) && c is met from the outside.
func (s *switches) operands(of *ast.BinaryExpr) {
	kept := "(mutantKept(%d) && ("
	if of.Op == token.LAND {
		kept = "(!mutantKept(%d) || ("
	}
	whole := s.text(of)
	if outer, ok := s.chains[of]; ok {
		whole = outer
	}
	for _, x := range []ast.Expr{of.X, of.Y} {
		if inner, ok := x.(*ast.BinaryExpr); ok && inner.Op == of.Op {
			s.chains[inner] = whole
			continue
		}
		s.add(x, s.text(x)+" of "+whole, kept)
	}
}

func (s *switches) add(x ast.Expr, text, opening string) {
	s.last++
	m := &mutant{
		file: s.file, line: s.set.Position(x.Pos()).Line, scope: s.scope, text: text, build: s.build, number: s.last,
	}
	s.mutants = append(s.mutants, m)
	s.inserts = append(s.inserts,
		insert{s.offset(x.Pos()), fmt.Sprintf(opening, m.number)},
		insert{s.offset(x.End()), strings.Repeat(")", strings.Count(opening, "(")-1)})
}

func (s *switches) text(x ast.Expr) string {
	return oneLine(s.source[s.offset(x.Pos()):s.offset(x.End())])
}

func (s *switches) offset(p token.Pos) int { return s.set.Position(p).Offset }

// applied returns the source with all that is to be put into it. What begins at
// one place was visited from the outside in, and brackets close alike.
func (s *switches) applied() string {
	slices.SortStableFunc(s.inserts, func(a, b insert) int { return cmp.Compare(a.at, b.at) })
	var out strings.Builder
	done := 0
	for _, i := range s.inserts {
		out.WriteString(s.source[done:i.at])
		out.WriteString(i.text)
		done = i.at
	}
	out.WriteString(s.source[done:])
	return out.String()
}
